"""Files that a person names for a command to write, and what is said where that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from balloon_conformance.cli.errors import BadInput

__all__ = ["writable", "write_text"]


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
