"""The vectors as one JSON file; ``vectors/export.schema.json`` is its form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from balloon_conformance.vectors.formats.plain import plain
from balloon_conformance.vectors.model import Vector

__all__ = ["VERSION", "json_lines"]

VERSION = 1


def json_lines(vectors: Iterable[Vector]) -> Iterator[str]:
    """Yield the lines of the file, a vector a line, each with its end."""
    yield f'{{"vectors": "virtio-balloon-conformance", "version": {VERSION}, "list": [\n'
    before = ""
    for vector in vectors:
        yield before + json.dumps(plain(vector), separators=(",", ":"))
        before = ",\n"
    yield "\n]}\n"
