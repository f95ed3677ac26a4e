"""Parts of schemas that several steps use: of files, where they stand under ``$defs``, and of exports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from balloon_conformance.vectors.step import Schema

__all__ = ["BYTES", "COUNT", "NAME", "RUNS", "choice", "field", "schemas", "word"]

COUNT: Final[Schema] = MappingProxyType({"type": "integer", "minimum": 0})
"""In exports: a number from 0."""
NAME: Final[Schema] = MappingProxyType({"type": "string", "minLength": 1})
"""In exports: the name of a buffer."""
BYTES: Final[Schema] = MappingProxyType(
    {"description": "bytes, two lowercase hex digits each", "type": "string", "pattern": "^([0-9a-f]{2})*$"}
)
"""In exports: bytes."""
RUNS: Final[Schema] = MappingProxyType(
    {
        "description": "runs of 4 KiB pages, each the first page frame number and how many",
        "type": "array",
        "items": {"type": "array", "items": dict(COUNT), "minItems": 2, "maxItems": 2},
    }
)
"""In exports: pages."""


def field(about: str, definition: str, **more: Any) -> Schema:
    """Return the schema of a field of a file that is one of the schema's ``$defs``."""
    return {"description": about, "$ref": f"#/$defs/{definition}", **more}


def choice(*words: str) -> Schema:
    """Return the schema of one of some words."""
    return {"enum": list(words)}


def schemas(**fields: Schema) -> Mapping[str, Schema]:
    """Return the schemas of some fields, in their order."""
    return MappingProxyType(fields)


def word(number: int) -> bytes:
    """Return a number as :meth:`Step.wire` has it: 4 bytes, little-endian."""
    return number.to_bytes(4, "little")
