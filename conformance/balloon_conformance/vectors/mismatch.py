"""What a difference from a vector's bytes means: the field that is wrong, and the requirement it breaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from balloon_spec.events import Side
from balloon_spec.queues import Queue
from balloon_spec.requirement import Level, catalogue
from balloon_spec.wire.annotate import annotate

__all__ = ["Mismatch", "blame", "compare_readable"]

_BALLOON_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "cmd": "HDR-04",
        "flag": "HDR-04",
        "id": "HDR-04",
        "data_len": "HDR-02",
        "base": "CHUNK-01",
        "size": "CHUNK-02",
    }
)
_UNUSED_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "cmd": "REQ-09",
        "flag": "REQ-10",
        "id": "REQ-08",
        "data_len": "HDR-02",
        "base": "CHUNK-01",
        "size": "CHUNK-02",
    }
)


class Mismatch(Exception):  # noqa: N818 - a verdict on the implementation, not an error of the suite
    """The implementation did not do what the vector says; ``requirement`` is empty where no field decides."""

    def __init__(
        self,
        words: str,
        *,
        requirement: str = "",
        field: str = "",
        expected: object = "",
        seen: object = "",
        data: bytes = b"",
    ) -> None:
        super().__init__(words)
        self.words = words
        self.requirement = requirement
        self.field = field
        self.expected = str(expected)
        self.seen = str(seen)
        self.data = data


def blame(mismatch: Mismatch, shown: Iterable[str], side: Side) -> None:
    """Name the requirement a mismatch breaks, where no field did: the first of this side that can be."""
    entries = catalogue()
    able = (name for name in shown if entries[name].subject is side and entries[name].level is not Level.MAY)
    mismatch.requirement = mismatch.requirement or next(able, "")


def compare_readable(queue: Queue, expected: bytes, seen: bytes, *, chunks: bool) -> Mismatch | None:
    """Compare a driver's buffer with the vector's, byte by byte; name the first field that differs.

    ``chunks`` tells whether inflate and deflate buffers are messages here.
    """
    if expected == seen:
        return None
    message = queue is Queue.HOST_REQUEST or (chunks and queue in {Queue.INFLATE, Queue.DEFLATE})
    structure = "response-message" if message else "statistics" if queue is Queue.STATISTICS else "pfn-array"
    if len(expected) != len(seen):
        return Mismatch(
            f"the buffer on the {queue} queue has another length than the vector's",
            field="buffer",
            expected=f"{len(expected)} bytes: {expected[:64].hex(' ')}",
            seen=f"{len(seen)} bytes: {seen[:64].hex(' ')}",
            data=seen,
        )
    at = next(index for index, (want, have) in enumerate(zip(expected, seen, strict=True)) if want != have)
    field = next(
        (part for part in annotate(structure, seen) if part.offset <= at < part.offset + len(part.raw)), None
    )
    name = field.name if field else "buffer"
    raw = slice(field.offset, field.offset + len(field.raw)) if field else slice(at, at + 1)
    requirement = ""
    if message:
        table = _UNUSED_FIELDS if queue is Queue.HOST_REQUEST else _BALLOON_FIELDS
        requirement = next((table[key] for key in table if key in name), "")
    elif structure == "pfn-array":
        requirement = "PFN-03"
    return Mismatch(
        f"the buffer on the {queue} queue differs from the vector's",
        requirement=requirement,
        field=f"{name} at offset {at}",
        expected=expected[raw].hex(" "),
        seen=seen[raw].hex(" "),
        data=seen,
    )
