"""The manifest of the vectors: one SHA-256 a file, as ``sha256sum -c`` reads it.

Who copies the vectors checks with it, in any language or in none, that what they have is what was published.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["NAME", "ManifestError", "differences", "read", "write"]

NAME = "MANIFEST.sha256"
"""The file's name; it stands at the top of the directory it speaks of."""

_PATTERNS = ("*.yaml", "*.schema.json")
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_REMEDY = "write it again with balloon-conformance vectors generate"


class ManifestError(ValueError):
    """A manifest that cannot be read; one line that names the file, the line and the remedy."""


def write(directory: Path) -> bool:
    """Write the manifest of ``directory``; tell whether it differs from the one that was there."""
    text = "".join(f"{digest}  {name}\n" for name, digest in _digests(directory).items())
    path = directory / NAME
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    path.write_text(text, encoding="utf-8", newline="\n")
    return True


def read(directory: Path) -> Mapping[str, str]:
    """Return the digest of every file the manifest of ``directory`` names. Raises :class:`ManifestError`."""
    path = directory / NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ManifestError(f"{path}:1: file: {error.strerror}; {_REMEDY}") from None
    except UnicodeDecodeError:
        raise ManifestError(f"{path}:1: file: this is not UTF-8; {_REMEDY}") from None
    digests: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ManifestError(
                f"{path}:{number}: {line[:80]!r} is no SHA-256, two blanks and a path; {_REMEDY}"
            )
        if match[2] in digests:
            raise ManifestError(f"{path}:{number}: {match[2]} stands twice; {_REMEDY}")
        digests[match[2]] = match[1]
    if list(digests) != sorted(digests):
        raise ManifestError(f"{path}:1: the paths are not in ascending order; {_REMEDY}")
    return digests


def differences(directory: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file with which the manifest of ``directory`` is not in step, and what is wrong with it.

    Raises :class:`ManifestError` for a manifest that cannot be read.
    """
    said = read(directory)
    there = _digests(directory)
    for name in sorted(said.keys() | there.keys()):
        path = directory / name
        if name not in there:
            yield path, f"the file is missing, and {NAME} names it; {_REMEDY}"
        elif name not in said:
            yield path, f"the file is not in {NAME}; {_REMEDY}"
        elif said[name] != there[name]:
            yield path, f"SHA-256 is {there[name]}, {NAME} says {said[name]}"


def _digests(directory: Path) -> dict[str, str]:
    """Return the digest of every file that belongs into the manifest, by its path with slashes, ascending."""
    paths = {
        path.relative_to(directory).as_posix(): path
        for pattern in _PATTERNS
        for path in directory.rglob(pattern)
    }
    return {name: hashlib.sha256(paths[name].read_bytes()).hexdigest() for name in sorted(paths)}
