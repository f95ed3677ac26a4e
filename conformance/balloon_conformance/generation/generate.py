"""The files of the vectors as their intents make them, and the differences from a directory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from balloon_conformance.generation.all_intents import sources
from balloon_conformance.generation.fill import fill
from balloon_conformance.generation.intents.model import Intent
from balloon_conformance.vectors.write import write_vector

__all__ = ["REMEDY", "differing", "generated", "left_over", "source_of", "write"]

REMEDY = "balloon-conformance vectors generate"


def generated(intents: Iterable[Intent]) -> dict[PurePosixPath, str]:
    """Return the text of every file, by its path below the vectors' directory.

    Raises :class:`~balloon_conformance.generation.fill.FillError` for an intent that cannot be filled.
    """
    return {
        PurePosixPath(intent.area, f"{intent.id}.yaml"): write_vector(fill(intent), source_of(intent))
        for intent in intents
    }


def source_of(intent: Intent) -> str:
    """Return the name of the module that the intent stands in; a folder that moves changes no vector."""
    return f"{sources()[intent.id].rpartition('.')[2]}.py"


def differing(files: Mapping[PurePosixPath, str], directory: Path) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield each file that is missing or differs, with a text that says which, and the place."""
    for name, text in files.items():
        path = directory / name
        if not path.is_file():
            yield name, "missing"
            continue
        there, wanted = path.read_bytes(), text.encode()
        if there != wanted:
            at = next(
                (at for at, (a, b) in enumerate(zip(there, wanted, strict=False)) if a != b),
                min(len(there), len(wanted)),
            )
            line = there.count(b"\n", 0, at) + 1
            yield name, f"line {line} is not what the intent makes of it"


def left_over(files: Mapping[PurePosixPath, str], directory: Path) -> Iterator[PurePosixPath]:
    """Yield the vectors below ``directory`` that no intent makes."""
    for path in sorted(directory.rglob("*.yaml")):
        name = PurePosixPath(path.relative_to(directory).as_posix())
        if name not in files:
            yield name


def write(files: Mapping[PurePosixPath, str], directory: Path) -> list[PurePosixPath]:
    """Write the files that are missing or differ; return their paths. Raises :class:`OSError`."""
    changed = [name for name, _ in differing(files, directory)]
    for name in changed:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name].encode())
    return changed
