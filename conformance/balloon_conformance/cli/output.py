"""The output of a command: tables on standard output, and the files that a person names for it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, Self

from rich.console import Console

from balloon_conformance.cli.errors import BadInput

__all__ = ["OutputFile", "console_for", "count", "refuse_same", "table_console", "write_text"]

_UNFOLDED_COLUMNS = 240


class _Console(Console):
    """A console that leaves it to the command what becomes of output that nobody reads any more."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise the error. Rich would end the program with 1, which says that something is broken."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def console_for(**settings: Any) -> Console:
    """Return a console on standard output that highlights nothing; ``settings`` are those of rich."""
    return _Console(highlight=False, **settings)


def table_console() -> Console:
    """Return a console as wide as the terminal. Without a terminal no row is folded, so grep finds it."""
    folds = sys.stdout.isatty() or "COLUMNS" in os.environ
    return console_for(width=None if folds else _UNFOLDED_COLUMNS)


class OutputFile:
    """A text file that an option names, written while a command does its work.

    A failing write does not end the command, because its work would be lost. :meth:`check` reports the
    failure at the end.
    """

    def __init__(self, option: str, path: str | Path) -> None:
        """Open the file; raises :class:`BadInput`."""
        self._name = f"{option} {path}"
        self._lost = ""
        try:
            self._file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 - closed by close
        except OSError as error:
            raise self._fault(error.strerror or "cannot be opened") from error

    def write(self, text: str) -> None:
        """Write to the file, unless a write has failed before."""
        self._try(lambda: self._file.write(text))

    def flush(self) -> None:
        """Hand over what was written."""
        if not self._file.closed:
            self._try(self._file.flush)

    def _try(self, action: Callable[[], object]) -> None:
        if not self._lost:
            try:
                action()
            except OSError as error:
                self._lost = error.strerror or str(error)

    def close(self) -> None:
        """Close the file. If what is left cannot be written, :meth:`check` will report it."""
        self.flush()
        with suppress(OSError):
            self._file.close()

    def check(self) -> None:
        """Raise :class:`BadInput` if the file is incomplete."""
        self.flush()
        if self._lost:
            raise self._fault(self._lost)

    def _fault(self, text: str) -> BadInput:
        return BadInput(f"{self._name}: {text}; name a file that can be written")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def write_text(option: str, path: Path, text: str) -> None:
    """Write the file that ``option`` names; raises :class:`BadInput`."""
    with OutputFile(option, path) as file:
        file.write(text)
        file.check()


def refuse_same(files: Mapping[str, str | Path | None]) -> None:
    """Refuse one file under two names; ``files`` are the paths by the names in which a person gave them.

    The last writer would overwrite the others. A pipe or a terminal may be named twice.
    """
    seen: dict[str, str] = {}
    for name, path in files.items():
        if path is None or not str(path) or (Path(path).exists() and not Path(path).is_file()):
            continue
        real = os.path.realpath(path)
        if real in seen:
            raise BadInput(f"{name} {path}: {seen[real]} names the same file; give each a file of its own")
        seen[real] = name


def count(number: int, noun: str) -> str:
    """Write a number of things; one thing is in the singular."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
