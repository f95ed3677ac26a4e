"""Where a command writes: tables on standard output, and the files that a person names for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO

from rich.console import Console

from balloon_conformance.cli.errors import BadInput

__all__ = ["count", "table_console", "writable", "write_text"]

_UNFOLDED_COLUMNS = 240


def table_console() -> Console:
    """Return a console as wide as the terminal; where there is none, no row is folded, and grep finds it."""
    folds = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if folds else _UNFOLDED_COLUMNS)


def writable(option: str, path: str | Path) -> IO[str]:
    """Open the file that ``option`` names; raises :class:`BadInput`."""
    try:
        return Path(path).open("w", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{option} {path}: {error.strerror}; name a file that can be written") from error


def write_text(option: str, path: Path, text: str) -> None:
    """Write the file that ``option`` names; raises :class:`BadInput`."""
    with writable(option, path) as file:
        file.write(text)


def count(number: int, noun: str) -> str:
    """Write a number of things, of one in the singular."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
