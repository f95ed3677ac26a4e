"""The bytes of the vectors as files, one for every buffer, and an index that says what each is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from balloon_conformance.vectors.export.plain import plain
from balloon_conformance.vectors.model import Vector

__all__ = ["COLUMNS", "INDEX_NAME", "write_binary"]

INDEX_NAME = "index.csv"
COLUMNS = ("file", "vector", "step", "by", "action", "queue_index", "buffer", "structure", "length_bytes")
_BYTES = ("readable", "written", "data")


def write_binary(vectors: Iterable[Vector], directory: Path) -> int:
    """Write the files below ``directory``, return how many beside the index. Raises :class:`OSError`.

    A file is ``AREA/ID/STEP.bin``. The index has a row for each, in the order of the vectors and their steps.
    """
    table = io.StringIO()
    index = csv.writer(table, lineterminator="\n")
    index.writerow(COLUMNS)
    count = 0
    for vector in vectors:
        described = plain(vector)
        for step in described["steps"]:
            data = bytes.fromhex(next((step[key] for key in _BYTES if key in step), ""))
            if not data:
                continue
            name = f"{described['area']}/{described['id']}/{step['number']}.bin"
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(data)
            row = [name, described["id"], step["number"], step["by"], step["action"]]
            row += [step.get("queue_index", ""), step.get("buffer", ""), step.get("structure", ""), len(data)]
            index.writerow(row)
            count += 1
    directory.mkdir(parents=True, exist_ok=True)
    (directory / INDEX_NAME).write_text(table.getvalue(), encoding="utf-8", newline="\n")
    return count
