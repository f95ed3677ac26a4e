"""Options that name an implementation under test and say how to reach it, for the commands that have one."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import click

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.iut.registry import KINDS, IutError, IutOptions
from balloon_conformance.iut.targets_file import FILE_NAME
from balloon_conformance.run.options import RunOptions

__all__ = ["IUT_HELP", "Asked", "iut_options"]

IUT_HELP: Final = f"""IUT is one of {", ".join(KINDS)}, or the name of a target in {FILE_NAME} in the
current directory. COMMAND is a program that speaks the protocol over standard streams. OBJECT is an adapter,
a class of adapters, or a function that returns one; its module is looked for in the current directory first.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """An implementation as it was asked for, and what that comes to."""

    written: RunOptions
    options: RunOptions

    def repeat(self, command: str) -> str:
        """Return ``balloon-conformance COMMAND`` with the same implementation."""
        words = ["balloon-conformance", command, self.written.iut]
        if self.written.profile:
            words += ["--profile", self.written.profile]
        for bit in filter(None, self.written.bits.split(",")):
            words += ["--bit", bit]
        for name in ("vectors", *(one.name for one in fields(IutOptions))):
            if value := getattr(self.written, name):
                words += [f"--{name.replace('_', '-')}", value]
        if command == "run" and self.written.deadline_seconds != RunOptions("").deadline_seconds:
            words += ["--deadline", self.written.deadline_seconds]
        return shlex.join(words)


_OPTIONS = (
    click.argument("iut", metavar="IUT"),
    click.option(
        "--profile",
        metavar="P",
        default="",
        help="What bits 3 and up mean: base or chunk-transfer (default: the implementation's own).",
    ),
    click.option(
        "--bit",
        "bits",
        metavar="FEATURE=N",
        multiple=True,
        help="Another bit number for a feature of the profile.",
    ),
    click.option(
        "--stdio-start-seconds",
        metavar="SECONDS",
        default="",
        help="How long the program of stdio:COMMAND may take to start (default: 10).",
    ),
    click.option(
        "--stdio-answer-seconds",
        metavar="SECONDS",
        default="",
        help="How long it may take to answer (default: 5).",
    ),
    click.option(
        "--qemu-binary", metavar="PATH", default="", help="The QEMU to start (default: qemu-system-x86_64)."
    ),
    click.option(
        "--qemu-device-properties",
        metavar="NAME=VALUE,...",
        default="",
        help="More properties of QEMU's device.",
    ),
    click.option("--qemu-memory", metavar="SIZE", default="", help="The least guest memory, as in 256M."),
    click.option(
        "--control",
        metavar="SOCKET",
        default="",
        help="The control socket of a vhost-user peer, as serve --control has it.",
    ),
    click.option(
        "--vhost-user-without",
        metavar="FEATURE,...",
        default="",
        help="Protocol features of vhost-user to leave out, as in STATUS.",
    ),
    click.option(
        "--uml-kernel",
        metavar="PATH",
        default="",
        help="The Linux built for user mode to start (default: linux.uml).",
    ),
    click.option(
        "--uml-module",
        metavar="PATH",
        default="",
        help="The driver's module, or built-in (default: the one installed for the kernel).",
    ),
    click.option("--uml-memory", metavar="SIZE", default="", help="The guest's memory, as in 256M."),
    click.option(
        "--uml-arguments", metavar="'WORD ...'", default="", help="More for the kernel's command line."
    ),
)


def iut_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the argument IUT and the options above; it receives them as ``asked``."""

    @functools.wraps(function)
    def called(*, iut: str, profile: str, bits: tuple[str, ...], **others: Any) -> int:
        given = {one.name: others.pop(one.name) for one in fields(IutOptions)}
        if not all(bits):
            raise BadInput("--bit: there is nothing; write FEATURE=NUMBER, as in CHUNK_TRANSFER=41")
        written = RunOptions(iut, profile, ",".join(bits), **given)
        with bad_input(IutError):
            asked = Asked(written, written.expanded(Path.cwd()))
        return function(asked=asked, **others)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called
