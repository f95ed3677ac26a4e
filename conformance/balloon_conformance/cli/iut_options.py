"""Options that name an implementation under test and say how to reach it, for the commands that have one."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.cli.profiles import PROFILE_NAMES, numbering_option
from balloon_conformance.iut.registry import KINDS, OPTIONS, IutError
from balloon_conformance.iut.targets_file import FILE_NAME
from balloon_conformance.run.options import RunOptions

__all__ = ["IUT_HELP", "Asked", "iut_options"]

IUT_HELP: Final = f"""IUT is one of {", ".join(KINDS)}, or the name of a target in {FILE_NAME} in the
current directory. COMMAND is a program that speaks the protocol over standard streams. OBJECT is an adapter,
a class of adapters, or a function that returns one; its module is looked for in the current directory first.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """An implementation as the command line asks for it, and the resulting target and options."""

    written: RunOptions
    options: RunOptions

    def repeat(self, command: str) -> str:
        """Return ``balloon-conformance COMMAND`` with the same implementation."""
        words = ["balloon-conformance", command, self.written.iut]
        if self.written.profile:
            words += ["--profile", self.written.profile]
        for bit in self.written.bits:
            words += ["--bit", bit]
        if self.written.numbering:
            words += ["--numbering", self.written.numbering]
        if self.written.vectors:
            words += ["--vectors", self.written.vectors]
        for name, value in self.written.given.items():
            words += [f"--{name}", value]
        if command == "run" and self.written.deadline_seconds != RunOptions("").deadline_seconds:
            words += ["--deadline", repr(self.written.deadline_seconds)]
        return shlex.join(words)


_OPTIONS = (
    click.argument("iut", metavar="IUT"),
    click.option(
        "--profile",
        metavar="P",
        default="",
        help=f"What bits 3 and up mean: {PROFILE_NAMES} (default: the implementation's own).",
    ),
    click.option(
        "--bit",
        "bits",
        metavar="FEATURE=N",
        multiple=True,
        help="Another bit number for a feature of the profile.",
    ),
    numbering_option("the implementation's own, or fixed"),
    *(
        click.option(f"--{option.name}", metavar=option.metavar, default="", help=option.help)
        for option in OPTIONS.values()
    ),
)


def iut_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the argument IUT and the options above; it receives them as ``asked``."""

    @functools.wraps(function)
    def called(*, iut: str, profile: str, bits: tuple[str, ...], numbering: str | None, **others: Any) -> int:
        values = {name: others.pop(name.replace("-", "_")) for name in OPTIONS}
        given = {name: value for name, value in values.items() if value}
        if not all(bits):
            raise BadInput("--bit: there is nothing; write FEATURE=NUMBER, as in CHUNK_TRANSFER=41")
        written = RunOptions(iut, profile, bits, numbering or "", given)
        with bad_input(IutError):
            asked = Asked(written, written.expanded(Path.cwd()))
        return function(asked=asked, **others)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called
