"""The bytes of the vectors as files, one for every buffer, and an index that says what each is."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from balloon_conformance.vectors.formats.plain import bytes_of, plain
from balloon_conformance.vectors.model import Vector

__all__ = ["COLUMNS", "INDEX_NAME", "write_binary"]

INDEX_NAME = "index.csv"
COLUMNS = (
    "file",
    "vector",
    "step",
    "by",
    "action",
    "queue_index",
    "buffer",
    "structure",
    "length_bytes",
    "sides",
)


def write_binary(vectors: Iterable[Vector], directory: Path) -> int:
    """Write the files below ``directory``, return how many beside the index. Raises :class:`OSError`.

    A file is ``AREA/ID/STEP.bin``. The index has a row for each, in the order of the vectors and their steps.
    Files that the index of an earlier export has are removed first.
    """
    _remove_earlier(directory)
    table = io.StringIO()
    index = csv.writer(table, lineterminator="\n")
    index.writerow(COLUMNS)
    count = 0
    for vector in vectors:
        described = plain(vector)
        for step in described["steps"]:
            data = bytes_of(step)
            if not data:
                continue
            name = f"{described['area']}/{described['id']}/{step['number']}.bin"
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(data)
            row = [name, described["id"], step["number"], step["by"], step["action"]]
            row += [step.get("queue_index", ""), step.get("buffer", ""), step.get("structure", ""), len(data)]
            row.append(" ".join(described["sides"]))
            index.writerow(row)
            count += 1
    directory.mkdir(parents=True, exist_ok=True)
    (directory / INDEX_NAME).write_text(table.getvalue(), encoding="utf-8", newline="\n")
    return count


def may_hold(directory: Path) -> bool:
    """Tell whether an export may be written there: nothing is there, or an earlier export alone."""
    if not directory.is_dir():
        return True
    areas = {name.partition("/")[0] for name in _earlier(directory)}
    return {path.name for path in directory.iterdir()} <= (areas | {INDEX_NAME} if areas else set())


_FILE = re.compile(r"[a-z0-9-]+/[a-z0-9-]+/[0-9]+\.bin")


def _remove_earlier(directory: Path) -> None:
    """Remove the files of an earlier export, so that none is left which no vector has any more."""
    for name in _earlier(directory):
        path = directory / name
        path.unlink(missing_ok=True)
        with suppress(OSError):
            # Those that hold something else stay.
            path.parent.rmdir()
            path.parent.parent.rmdir()


def _earlier(directory: Path) -> list[str]:
    """Return the files that the index of an earlier export has; none for an index of somebody else's."""
    try:
        table = (directory / INDEX_NAME).read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    rows = csv.DictReader(io.StringIO(table))
    if tuple(rows.fieldnames or ()) != COLUMNS:
        return []
    # An index of somebody else's may name anything.
    return [name for row in rows if _FILE.fullmatch(name := row["file"] or "")]
