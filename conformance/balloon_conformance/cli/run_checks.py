"""Compares a run's results with what had to be exercised, and with the list of known failures."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from balloon_conformance.cli.errors import BadInput
from balloon_conformance.known_failures.ledger import KnownFailures
from balloon_conformance.known_failures.loader import load_text, read
from balloon_conformance.known_failures.rewrite import BEGINNING, changes, rewrite
from balloon_conformance.report.results import Exit, Results
from balloon_conformance.suite.plan import case_ids
from balloon_spec.requirement import Level

__all__ = ["Checks", "check_options"]


@dataclass(frozen=True, slots=True)
class Checks:
    """The options of a run that do not change what is played, only what its results mean."""

    levels: frozenset[Level] = frozenset()
    known_failures: str = ""
    update: bool = False

    @property
    def path(self) -> str:
        """The file of known failures as every process of the run finds it; empty if there is none."""
        return str(Path(self.known_failures).absolute()) if self.known_failures else ""

    def with_default(self, known_failures: str) -> Checks:
        """Return the same checks, with a list of known failures if none was named."""
        return self if self.known_failures else replace(self, known_failures=known_failures)

    def refuse_partial(self, partial: str) -> None:
        """Refuse an update together with options that leave cases out; ``partial`` names these options."""
        if self.update and not self.known_failures:
            raise BadInput("--update-known-failures needs --known-failures FILE; name the file to write")
        if self.update and partial:
            raise BadInput(
                f"--update-known-failures with {partial}: a part of the suite cannot tell what still fails; "
                "run all of it"
            )
        if self.known_failures and not self.update and not Path(self.known_failures).exists():
            read(Path(self.known_failures))

    def hold(self, results: Results, known: KnownFailures, *, whole: bool) -> None:
        """Add to the results what is wrong with the list, and what was not exercised."""
        whole = whole and not (results.interrupted or results.has_faults)
        outcomes = tuple(results.outcomes.values())
        results.complaints = tuple(one.words for one in known.complaints(outcomes, whole=whole))
        results.holes = results.unexercised(self.levels)

    def write(self, results: Results, known: KnownFailures, code: Exit, *, strict: bool) -> Iterator[str]:
        """Rewrite the file if that was asked for, and yield one line for each change.

        Raises :class:`BadInput` after a run that does not show enough, or for a file that cannot be written.
        """
        if not self.update:
            return
        path = Path(self.known_failures)
        if code in {Exit.INTERRUPTED, Exit.NOTHING} or results.has_faults:
            raise BadInput(
                f"{path} is left as it was: the run was not whole; mend what kept it from that first"
            )
        text = read(path) if path.exists() else BEGINNING
        before = known if known.name else load_text(text, str(path), results.side, case_ids())
        what = changes(before, tuple(results.outcomes.values()), strict=strict)
        _replace(path, rewrite(text, before, what))
        for words, entries in (("dropped", what.dropped), ("added", what.added)):
            for entry in entries:
                yield f"{path}: {words} {entry.name}: {entry.finding}"
        if what.added:
            yield f"{path}: fill in reason and link of what was added; until then it fails the run"
        if not what.added and not what.dropped:
            yield f"{path}: nothing to change"


def _replace(path: Path, text: str) -> None:
    """Write the file completely or not at all."""
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; name a file that can be written") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        raise BadInput(f"{path}: {error.strerror}; name a file that can be written") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class _Levels(click.ParamType[frozenset[Level]]):
    """Levels joined by commas; each includes its negation."""

    name = "levels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        del param, ctx
        if isinstance(value, frozenset):
            return value
        levels: set[Level] = set()
        for word in value.split(","):
            name = " ".join(word.upper().replace("-", " ").replace("_", " ").split())
            if name not in set(map(str, Level)):
                raise BadInput(
                    f"--require-exercised {value}: no level {word.strip()!r}; write MUST, SHOULD or MAY"
                )
            levels |= {level for level in Level if level in {name, f"{name} NOT"}}
        return frozenset(levels)


_OPTIONS = (
    click.option(
        "--require-exercised",
        "levels",
        metavar="LEVEL,...",
        type=_Levels(),
        default=frozenset(),
        help="Fail where a requirement of these levels (MUST, SHOULD, MAY; each brings its NOT) that "
        "concerns this side and profile was not exercised. What cannot be observed is left out.",
    ),
    click.option(
        "--known-failures",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        default="",
        help="Failures that are known and excused. An entry that passes, fails differently, was not run, has "
        "expired or has no reason fails the run.",
    ),
    click.option(
        "--update-known-failures",
        "update",
        is_flag=True,
        help="After a whole run, drop from the file what passes and add what fails.",
    ),
)


def check_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options above; it receives them as ``checks``."""

    @functools.wraps(function)
    def called(*, levels: frozenset[Level], known_failures: str, update: bool, **others: Any) -> int:
        return function(checks=Checks(levels, known_failures, update), **others)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called
