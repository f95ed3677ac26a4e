"""Messages of chunks: what another message than a vector's breaks, and how one is written there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from balloon_conformance.running.mismatch import EVERY_PAGE, Comparison
from balloon_conformance.vectors.comments import Line, RecordKind, apart, records
from balloon_spec.families.chunk_transfer import chunk, response_header
from balloon_spec.families.chunk_transfer.message_content import read_message
from balloon_spec.families.chunk_transfer.response_header import FLAG_CONT, FLAG_DONE
from balloon_spec.judge.content import Content
from balloon_spec.pages import PAGE_SHIFT, PageSet
from balloon_spec.queues import Queue
from balloon_spec.wire.structure import counted

__all__ = ["Messages", "comment_on_message"]

_HEADER_BYTES: Final = response_header.LENGTH_BYTES
_DATA_LEN_OFFSET: Final = 4


class Messages(Comparison):
    """Messages of chunks, in which a header of zeros stands before the pages.

    How runs are cut into chunks, and in which order, is the driver's choice. ``fields`` are the requirements
    by the field that breaks them.
    """

    absent = "HDR-01"
    numbers = frozenset({"CHUNK-01", "CHUNK-02"})
    fields: Mapping[str, str] = MappingProxyType(
        {
            "cmd": "HDR-04",
            "flag": "HDR-04",
            "id": "HDR-04",
            "data_len": "HDR-02",
            "base": "CHUNK-01",
            "size": "CHUNK-02",
        }
    )

    def read(self, data: bytes) -> Content:
        """Read every page that the chunks name."""
        return read_message(data, EVERY_PAGE)

    def head(self, data: bytes) -> bytes:
        """Return cmd, flag and id."""
        return data[:_DATA_LEN_OFFSET]

    def malformed(self, seen: bytes) -> str:
        """Blame a header that is cut short, a chunk that is, or the length."""
        if len(seen) < _HEADER_BYTES:
            return "HDR-01"
        if (len(seen) - _HEADER_BYTES) % chunk.LENGTH_BYTES:
            return "HDR-03"
        data_len = response_header.parse(seen[:_HEADER_BYTES]).data_len
        return "HDR-02" if data_len != len(seen) - _HEADER_BYTES else ""

    def wrong_field(self, name: str) -> str:
        """Blame a field by its name."""
        return next((self.fields[key] for key in self.fields if key in name), "HDR-01")

    def wrong_pages(self, wanted: PageSet, seen: PageSet) -> str:
        """Blame the sizes if every run begins where one is wanted, and else the bases."""
        starts = {run.first for run in wanted}
        return "CHUNK-02" if seen and all(run.first in starts for run in seen) else "CHUNK-01"


_FLAG_NAMES: Final = {FLAG_CONT: "CONT", FLAG_DONE: "DONE"}


def comment_on_message(data: bytes, queue: Queue) -> Iterator[Line]:
    """Write a message. Its flag has a name on a queue where a device asks and the driver answers."""
    if len(data) < _HEADER_BYTES:
        yield apart(data, 4), f"{counted(len(data), 'byte')} of the {_HEADER_BYTES} of a header"
        return
    header = response_header.parse(data[:_HEADER_BYTES])
    flag = f"flag {header.flag}"
    if queue.written is not None:
        flag += f" ({_FLAG_NAMES.get(header.flag, 'unknown')})"
    words = f"cmd {header.cmd}, {flag}, id {header.id:#x}, data_len {header.data_len}"
    yield apart(data[:_HEADER_BYTES], 4), words
    yield from records(data[_HEADER_BYTES:], _CHUNK, header.data_len)


def _say(record: bytes) -> str:
    named = chunk.parse(record)
    words = f"base: page {named.pfn:#x}; size: {counted(named.pages, 'page')}"
    if named.base_reserved or named.size_reserved:
        words += f"; reserved bits {named.base_reserved:#x} and {named.size_reserved:#x}"
    if named.end_pfn > 1 << (64 - PAGE_SHIFT):
        words += "; ends beyond 2^64"
    return words


def _say_many(several: Sequence[bytes]) -> str:
    named = [chunk.parse(record) for record in several]
    return "pages " + ", ".join(
        f"{one.pfn:#x}" if one.pages == 1 else f"{one.pfn:#x}+{one.pages}" for one in named
    )


_CHUNK: Final = RecordKind(
    length_bytes=chunk.LENGTH_BYTES, apart=8, name="a chunk", say=_say, per_line=4, say_many=_say_many
)
