"""The statistics buffer: packed entries of a 16-bit tag and a 64-bit value (VIRTIO 1.2, section 5.5.6.3).

Entries are little-endian; on the legacy interface they have the byte order of the guest, hence the
``byteorder`` argument. A buffer without entries is legal: a driver may supply any subset of the statistics,
and the empty subset is one. The standard's "multiple of 6" for the buffer is an error in its text, because
an entry is 10 bytes. Entries may come in any order, and unknown tags are preserved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

from construct import GreedyRange, Int16ub, Int16ul, Int64ub, Int64ul, Struct, Terminated

from balloon_spec.wire.layout import Buffer, ByteOrder, check_length, check_range, read_layout

__all__ = [
    "ENTRY_BYTES",
    "LINUX_TAG_MEANINGS",
    "LINUX_TAG_NAMES",
    "OTHER_TAG_NAMES",
    "SCHEMA",
    "SCHEMAS",
    "TAG_MEANINGS",
    "Statistic",
    "Statistics",
    "Tag",
    "build",
    "parse",
]

NAME: Final = "statistics"


class Tag(IntEnum):
    """The tags of the standard (VIRTIO 1.2, section 5.5.6.4), named as there without VIRTIO_BALLOON_S."""

    SWAP_IN = 0
    SWAP_OUT = 1
    MAJFLT = 2
    MINFLT = 3
    MEMFREE = 4
    MEMTOT = 5
    AVAIL = 6
    CACHES = 7
    HTLB_PGALLOC = 8
    HTLB_PGFAIL = 9


TAG_MEANINGS: Final[Mapping[Tag, str]] = MappingProxyType(
    {
        Tag.SWAP_IN: "bytes swapped in",
        Tag.SWAP_OUT: "bytes swapped out",
        Tag.MAJFLT: "major page faults",
        Tag.MINFLT: "minor page faults",
        Tag.MEMFREE: "bytes of memory not used for anything",
        Tag.MEMTOT: "bytes of memory in all",
        Tag.AVAIL: "bytes of memory available to new programs without swapping",
        Tag.CACHES: "bytes of memory that can be reclaimed at once without input or output",
        Tag.HTLB_PGALLOC: "successful allocations of huge pages",
        Tag.HTLB_PGFAIL: "failed allocations of huge pages",
    }
)
"""What the value of each tag counts."""

LINUX_TAG_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        10: "OOM_KILL",
        11: "ALLOC_STALL",
        12: "ASYNC_SCAN",
        13: "DIRECT_SCAN",
        14: "ASYNC_RECLAIM",
        15: "DIRECT_RECLAIM",
    }
)
"""Tags that Linux sends since 6.12 and the standard does not have; a device ignores what it does not know.

Linux sends them in the midst of the others: 0 to 3, 10 to 15, 8 and 9, 4 to 7.
"""

LINUX_TAG_MEANINGS: Final[Mapping[int, str]] = MappingProxyType(
    {
        10: "processes killed for want of memory",
        11: "stalls of an allocation, in all zones together",
        12: "bytes of memory scanned in the background",
        13: "bytes of memory scanned by those who allocate",
        14: "bytes of memory reclaimed in the background",
        15: "bytes of memory reclaimed by those who allocate",
    }
)
"""What the value of each of these counts."""

OTHER_TAG_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        65534: "SHMEM, of ChromeOS",
        65535: "UNEVICTABLE, of ChromeOS; Windows fills entries with this tag that it has no statistic for",
    }
)
"""Tags that others have given a meaning, which is not the same everywhere."""

SCHEMA: Final[Any] = Struct(
    "entries" / GreedyRange(Struct("tag" / Int16ul, "value" / Int64ul)),
    Terminated,
)
SCHEMAS: Final[Mapping[ByteOrder, Any]] = MappingProxyType(
    {
        "little": SCHEMA,
        "big": Struct("entries" / GreedyRange(Struct("tag" / Int16ub, "value" / Int64ub)), Terminated),
    }
)

_LAYOUT = read_layout(SCHEMA)
ENTRY_BYTES: Final = _LAYOUT.element_bytes


@dataclass(frozen=True, slots=True)
class Statistic:
    """``tag`` (16 bits, any number) and ``value`` (64 bits)."""

    tag: int
    value: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The entries in the order of the buffer."""

    entries: tuple[Statistic, ...]


def parse(data: Buffer, byteorder: ByteOrder = "little") -> Statistics:
    """Parse a buffer; :class:`.WireError` for a length that is not a multiple of 10 bytes."""
    raw = bytes(data)
    check_length(NAME, _LAYOUT, len(raw))
    entries = SCHEMAS[byteorder].parse(raw).entries
    return Statistics(tuple(Statistic(entry.tag, entry.value) for entry in entries))


def build(value: Statistics, byteorder: ByteOrder = "little") -> bytes:
    """Build a buffer; :class:`.WireError` for a tag or a value that does not fit its bits."""
    entries = [{"tag": entry.tag, "value": entry.value} for entry in value.entries]
    for index, entry in enumerate(entries):
        check_range(NAME, _LAYOUT.entry(index), entry)
    built: bytes = SCHEMAS[byteorder].build({"entries": entries})
    return built
