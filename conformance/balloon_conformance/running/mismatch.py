"""A difference from a vector: the field that is wrong, and the requirement that is broken by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from balloon_spec.families.base import DEFLATE, INFLATE, pfn_array
from balloon_spec.families.chunk_transfer import chunk, response_header, response_message
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.statistics import statistics
from balloon_spec.judge.content import Content, read_array, read_message
from balloon_spec.pages import EMPTY, PFN_LIMIT, PageSet
from balloon_spec.queues import Queue
from balloon_spec.wire.annotate import annotate
from balloon_spec.wire.carried import readable_structure

__all__ = ["Mismatch", "compare_readable", "wrong_pages"]

_DATA_LEN_OFFSET = 4
_EVERYTHING = PageSet([(0, PFN_LIMIT)])

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


_ARITHMETIC = frozenset({"CHUNK-01", "CHUNK-02", "PFN-03"})
"""The requirements on the numbers that name pages."""


class Mismatch(Exception):  # noqa: N818 - a verdict on the implementation, not an error of the suite
    """The implementation did not do what the vector says, and broke ``requirement`` by that."""

    def __init__(
        self,
        words: str,
        *,
        requirement: str,
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


_TABLED = frozenset({response_message.NAME, statistics.NAME, pfn_array.NAME})
"""The structures of which it is known what a wrong field breaks."""


def compare_readable(
    queue: Queue,
    expected: bytes,
    seen: bytes,
    *,
    chunks: bool,
    owed: PageSet = EMPTY,
    shows: Sequence[str] = (),
) -> Mismatch | None:
    """Compare a driver's buffer with the vector's, byte by byte; name the first field that differs.

    None also where the bytes differ and name the same pages, each once: how runs are cut and ordered is the
    driver's choice (CHUNK-12). A structure that no table here knows breaks the first requirement that the
    step ``shows``. ``chunks`` tells whether inflate and deflate buffers are messages here;
    ``owed`` is that of :func:`wrong_pages`.
    """
    if expected == seen:
        return None
    structure = readable_structure(queue, {"CHUNK_TRANSFER"} if chunks else ())
    message = structure == response_message.NAME
    if queue.names_pages and _says_the_same(expected, seen, message=message):
        return None
    known, first = structure in _TABLED, next(iter(shows), "")
    if len(expected) != len(seen):
        return Mismatch(
            f"the buffer on the {queue} queue has another length than the vector's",
            requirement=_wrong_length(expected, seen, structure, queue, owed) if known else first,
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
    requirement = _wrong_field(name, queue, structure) if known else first
    if requirement in _ARITHMETIC:
        want, have = (_read(data, message=message).pages for data in (expected, seen))
        wrong = wrong_pages(want, have, queue, message=message, owed=owed)
        requirement = requirement if wrong else ""
    return Mismatch(
        f"the buffer on the {queue} queue differs from the vector's",
        requirement=requirement,
        field=f"{name} at offset {at}",
        expected=expected[raw].hex(" "),
        seen=seen[raw].hex(" "),
        data=seen,
    )


def wrong_pages(wanted: PageSet, seen: PageSet, queue: Queue, *, message: bool, owed: PageSet = EMPTY) -> str:
    """Return the requirement that is broken where other pages are named than those wanted.

    Empty if none need be: a driver may take back more than its guest wants, and report more pages that are
    free. The judge's rules decide about that. It may report fewer unused pages too, for no requirement asks
    for all of them. ``owed`` are those that are expected of it all the same, because it showed in an earlier
    answer that it reports all.
    """
    if queue in {DEFLATE, HOST_REQUEST} and wanted <= seen:
        return ""
    if queue is HOST_REQUEST and seen <= wanted and owed <= seen:
        return ""
    if not message:
        return "PFN-03"
    starts = {run.first for run in wanted}
    return "CHUNK-02" if seen and all(run.first in starts for run in seen) else "CHUNK-01"


def _says_the_same(expected: bytes, seen: bytes, *, message: bool) -> bool:
    want, have = (_read(data, message=message) for data in (expected, seen))
    if message and expected[:_DATA_LEN_OFFSET] != seen[:_DATA_LEN_OFFSET]:
        return False
    once = have.total == have.pages.pages
    return have.pages == want.pages and once and not have.is_malformed and not want.is_malformed


def _read(data: bytes, *, message: bool) -> Content:
    return read_message(data, _EVERYTHING, "unused") if message else read_array(data, _EVERYTHING)


_AGAIN: Mapping[Queue, str] = MappingProxyType({INFLATE: "INF-11", HOST_REQUEST: "UNUSED-04"})
"""What a driver breaks that names a page twice in one buffer."""


def _wrong_length(expected: bytes, seen: bytes, structure: str, queue: Queue, owed: PageSet) -> str:
    """Return what a buffer of another length breaks: its own form, or else the pages it names."""
    if structure == "statistics":
        return "STATS-04" if len(seen) % statistics.ENTRY_BYTES else "STATS-05"
    message = structure == "response-message"
    if not message and len(seen) % 4:
        return "PFN-02"
    if not message:
        want, have = (_read(data, message=False).pages for data in (expected, seen))
        return _AGAIN.get(queue, "") if want == have else wrong_pages(want, have, queue, message=False)
    if len(seen) < response_header.LENGTH_BYTES:
        return "HDR-01"
    if (len(seen) - response_header.LENGTH_BYTES) % chunk.LENGTH_BYTES:
        return "HDR-03"
    if (
        response_header.parse(seen[: response_header.LENGTH_BYTES]).data_len
        != len(seen) - response_header.LENGTH_BYTES
    ):
        return "HDR-02"
    want, have = (_read(data, message=True).pages for data in (expected, seen))
    if want == have:
        # The same pages, some of them more than once.
        return _AGAIN.get(queue, "")
    return wrong_pages(want, have, queue, message=message, owed=owed)


def _wrong_field(name: str, queue: Queue, structure: str) -> str:
    if structure == "statistics":
        return "STATS-05" if "tag" in name else "STATS-06"
    if structure == "pfn-array":
        return "PFN-03"
    table = _UNUSED_FIELDS if queue is HOST_REQUEST else _BALLOON_FIELDS
    return next((table[key] for key in table if key in name), "HDR-01")
