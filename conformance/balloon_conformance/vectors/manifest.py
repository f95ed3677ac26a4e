"""The manifest of the vectors: one SHA-256 a file, as ``sha256sum -c`` reads it.

Who copies the vectors checks with it, in any language or in none, that what they have is what was published.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["NAME", "ManifestError", "agreeing", "differences", "digest", "read", "write"]

NAME = "MANIFEST.sha256"
"""The file's name; it stands at the top of the directory it speaks of."""

_PATTERNS = ("*.yaml", "*.schema.json")
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_REMEDY = "write it again with balloon-conformance vectors generate"


class ManifestError(ValueError):
    """A manifest that cannot be read: on which ``line``, and in ``words`` what is wrong and what to do."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        self.line = line
        self.words = f"{problem}; {_REMEDY}"
        super().__init__(f"{path}:{line}: {self.words}")


def write(directory: Path) -> bool:
    """Write the manifest of ``directory``; tell whether it differs from the one that was there."""
    text = _text(directory)
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
        raise ManifestError(path, 1, f"file: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ManifestError(path, 1, "file: this is not UTF-8") from None
    digests: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ManifestError(path, number, f"{line[:80]!r} is no SHA-256, two blanks and a path")
        if match[2] in digests:
            raise ManifestError(path, number, f"{match[2]} stands twice")
        digests[match[2]] = match[1]
    if list(digests) != sorted(digests):
        raise ManifestError(path, 1, "the paths are not in ascending order")
    return digests


def differences(directory: Path) -> Iterator[tuple[Path, int, str]]:
    """Yield what is not in step with the manifest of ``directory``: a file, a line of it, and what is wrong.

    A manifest that cannot be read is one of them.
    """
    try:
        said = read(directory)
    except ManifestError as error:
        yield directory / NAME, error.line, error.words
        return
    there = _digests(directory)
    for name in sorted(said.keys() | there.keys()):
        path = directory / name
        if name not in there:
            yield path, 1, f"the file is missing, and {NAME} names it; {_REMEDY}"
        elif name not in said:
            yield path, 1, f"the file is not in {NAME}; remove it, or {_REMEDY}"
        elif said[name] != there[name]:
            yield path, 1, f"its SHA-256 is {there[name]}, in {NAME} {said[name]}"


def agreeing(directory: Path) -> frozenset[Path]:
    """Return the files below ``directory`` that are what its manifest says, if the schemas beside them are.

    None where the manifest cannot be read.
    """
    try:
        said = read(directory)
    except ManifestError:
        return frozenset()
    there = _digests(directory)
    as_said = {name for name in there if said.get(name) == there[name]}
    if any(name not in as_said for name in there if name.endswith(".schema.json")):
        return frozenset()
    return frozenset(directory / name for name in as_said)


def digest(directory: Path) -> str:
    """Return the SHA-256 of the manifest that ``directory`` should have: of all of its vectors at once."""
    return hashlib.sha256(_text(directory).encode()).hexdigest()


def _text(directory: Path) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in _digests(directory).items())


def _digests(directory: Path) -> dict[str, str]:
    """Return the digest of every file that belongs into the manifest, by its path with slashes, ascending."""
    paths = {
        path.relative_to(directory).as_posix(): path
        for pattern in _PATTERNS
        for path in directory.rglob(pattern)
    }
    return {name: hashlib.sha256(paths[name].read_bytes()).hexdigest() for name in sorted(paths)}
