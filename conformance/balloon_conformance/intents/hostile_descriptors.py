"""Descriptors that no driver lays: of no bytes, of a gigabyte and more, past 2^64, and in the wrong order.

VIRTIO does not say what a device makes of a descriptor of no bytes. QEMU refuses the chain and others pass it
over, so nobody is blamed for one, and every reaction is right that does no harm. A descriptor that reaches
beyond memory is longer than the bytes that stand in the vector: those are all that there is to read.
"""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import (
    SAFE,
    PfnArray,
    clean_pfns,
    inflate_pfns,
    pfns,
    recovers_pfns,
)
from balloon_conformance.families.chunk_transfer.vocabulary import (
    CHUNKS,
    Message,
    chunks,
    clean,
    malformed,
    recovers,
)
from balloon_conformance.families.statistics.vocabulary import STATS, Statistics, wants_statistics
from balloon_conformance.generation.intents.model import Content, DriverBuffer, Intent, Segment
from balloon_conformance.generation.intents.shorthand import (
    any_reaction,
    discards,
    keeps,
    negotiated,
    reads,
    resets,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_AREA = "safety"
_CHAIN = "QUEUE-11"
_PART = "QUEUE-03"
"""A device-writable part on a queue where a device writes nothing."""
_END = 0x4000 << 12
"""The end of guest memory."""
_NOWHERE = 0x7F00_0000
_GIB = 1 << 30
_MOST = (1 << 32) - 1
"""The longest descriptor there can be."""
_HIGHEST = 1 << 64
_OTHERS = ("0x0", "0x200+16", "0x1800+16", "0x3ff0+16")
"""Pages that none of the buffers names."""


def _buffer(queue: str, content: Content | None, segments: tuple[Segment, ...]) -> DriverBuffer:
    """Return a buffer of these descriptors; their lengths alone if these say everything."""
    if any(one.writable or one.address is not None for one in segments):
        writable_bytes = sum(one.length_bytes for one in segments if one.writable)
        return DriverBuffer(queue, "m1", content, writable_bytes, segments=segments)
    return DriverBuffer(queue, "m1", content, cut=tuple(one.length_bytes for one in segments))


def _array(
    id_: str,
    title: str,
    *segments: Segment,
    breaks: str = "",
    named: tuple[str, ...] = ("0x1000",),
    entries: int | None = None,
    kept: tuple[str, ...] = _OTHERS,
    queue: str = "inflate",
) -> Intent:
    """An array of so many entries, by default as many as fit, that name these pages in turn."""
    held = sum(one.length_bytes for one in segments if not one.writable)
    count = held // 4 if entries is None else entries
    pages = (pfns(*named) * count)[:count]
    return malformed(
        _AREA,
        id_,
        title,
        SAFE,
        breaks,
        clean_pfns(),
        _buffer(queue, PfnArray(pages) if pages else None, segments),
        any_reaction("m1"),
        shows("SAFE-01", keeps(*kept)),
        recovers_pfns(),
        features=negotiated(),
        profile="base",
    )


def _message(id_: str, title: str, *segments: Segment, breaks: str = "") -> Intent:
    """A message of one chunk that names page 0x1000."""
    return malformed(
        _AREA,
        id_,
        title,
        SAFE,
        breaks,
        clean(),
        _buffer("inflate", Message(chunks("0x1000")), segments),
        any_reaction("m1"),
        shows("SAFE-01", keeps(*_OTHERS)),
        recovers(),
        features=CHUNKS,
    )


def _statistics(id_: str, title: str, *segments: Segment, breaks: str) -> Intent:
    """A statistics buffer of one entry."""
    return malformed(
        _AREA,
        id_,
        title,
        "SAFE-01 SAFE-02 SAFE-12 SAFE-04",
        breaks,
        _buffer("statistics", Statistics(((4, 1 << 24),)), segments),
        # Nothing well-formed stands here: a device may ask for a reset as soon as it sees the buffer.
        wants_statistics(),
        any_reaction("m1"),
        shows("SAFE-01", keeps(*_OTHERS)),
        resets(),
        reads(0, 8),
        inflate_pfns("good", "0x2000"),
        shows("SAFE-04", returns("good"), discards("0x2000")),
        features=STATS,
        profile="base",
        opening=False,
    )


_OF_NO_BYTES: tuple[Intent, ...] = (
    _array(
        "descriptor-of-no-bytes",
        "An inflate buffer of one descriptor without bytes changes nothing",
        Segment(0),
        breaks="PFN-02",
    ),
    _array(
        "descriptor-of-no-bytes-first",
        "An inflate buffer that begins with a descriptor without bytes changes no other page",
        Segment(0),
        Segment(8),
    ),
    _array(
        "descriptor-of-no-bytes-last",
        "An inflate buffer that ends with a descriptor without bytes changes no other page",
        Segment(8),
        Segment(0),
    ),
    _array(
        "descriptors-of-no-bytes-among-others",
        "An inflate buffer with descriptors without bytes among others changes no other page",
        Segment(4),
        Segment(0),
        Segment(0),
        Segment(4),
    ),
    _array(
        "descriptor-of-no-bytes-where-no-memory-is",
        "An inflate buffer with a descriptor without bytes that points nowhere changes no other page",
        Segment(4),
        Segment(0, address=_NOWHERE),
    ),
    _array(
        "writable-descriptor-of-no-bytes",
        "An inflate buffer with a device-writable descriptor without bytes changes no other page",
        Segment(4),
        Segment(0, writable=True),
    ),
    _message(
        "message-with-a-descriptor-of-no-bytes",
        "A message with a descriptor without bytes between header and chunk changes no other page",
        Segment(8),
        Segment(0),
        Segment(16),
    ),
    _statistics(
        "statistics-with-a-descriptor-of-no-bytes",
        "A statistics buffer that begins with a descriptor without bytes does no harm",
        Segment(0),
        Segment(10),
        breaks="",
    ),
)

_HUGE: tuple[Intent, ...] = (
    _array(
        "array-of-1-gib-across-the-end-of-memory",
        "An inflate buffer of 1 GiB, of which 8 bytes lie in memory, changes no other page",
        Segment(_GIB, address=_END - 8),
        breaks=_CHAIN,
        named=("0x1000+2",),
        entries=2,
    ),
    _array(
        "array-of-2-gib-across-the-end-of-memory",
        "An inflate buffer of 2 GiB, a negative number of 32 bits, changes no other page",
        Segment(2 * _GIB, address=_END - 8),
        breaks=_CHAIN,
        named=("0x1000+2",),
        entries=2,
    ),
    _array(
        "array-of-4-gib-less-1-across-the-end-of-memory",
        "An inflate buffer of the greatest length, of which 8 bytes lie in memory, changes no other page",
        Segment(_MOST, address=_END - 8),
        breaks=_CHAIN,
        named=("0x1000+2",),
        entries=2,
    ),
    _array(
        "array-of-1-gib-where-no-memory-is",
        "An inflate buffer of 1 GiB where no memory is changes nothing",
        Segment(_GIB, address=_NOWHERE),
        breaks=_CHAIN,
        entries=1,
        kept=(*_OTHERS, "0x1000"),
    ),
    _array(
        "deflate-array-of-1-gib-across-the-end-of-memory",
        "A deflate buffer of 1 GiB, of which 8 bytes lie in memory, changes no other page",
        Segment(_GIB, address=_END - 8),
        breaks=_CHAIN,
        named=("0x2c00",),
        entries=2,
        queue="deflate",
    ),
    _array(
        "writable-part-over-memory",
        "An inflate buffer whose device-writable part is 16 MiB of guest memory changes none of it",
        Segment(4),
        Segment(1 << 24, writable=True, address=0x1800 << 12),
        breaks=_PART,
    ),
    _array(
        "writable-part-of-1-gib",
        "An inflate buffer whose device-writable part goes on for 1 GiB beyond memory changes none of it",
        Segment(4),
        Segment(_GIB, writable=True, address=0x1800 << 12),
        breaks=f"{_CHAIN} {_PART}",
    ),
    _array(
        "writable-part-of-4-gib-less-1",
        "An inflate buffer whose device-writable part has the greatest length changes none of it",
        Segment(4),
        Segment(_MOST - 4, writable=True, address=0x1800 << 12),
        breaks=f"{_CHAIN} {_PART}",
    ),
    _statistics(
        "statistics-of-1-gib-across-the-end-of-memory",
        "A statistics buffer of 1 GiB, of which one entry lies in memory, does no harm",
        Segment(_GIB, address=_END - 10),
        breaks=_CHAIN,
    ),
)

_PAST_THE_END: tuple[Intent, ...] = (
    _array(
        "array-past-the-end-of-the-address-space",
        "An inflate buffer that goes on past 2^64 changes nothing at the beginning of memory",
        Segment(32, address=_HIGHEST - 16),
        breaks=_CHAIN,
        kept=(*_OTHERS, "0x1000"),
    ),
    _array(
        "array-that-wraps-into-memory",
        "An inflate buffer from below 2^64 into guest memory changes nothing",
        Segment(_MOST, address=_HIGHEST - (1 << 31)),
        breaks=_CHAIN,
        entries=1,
        kept=(*_OTHERS, "0x1000"),
    ),
    _array(
        "writable-part-that-wraps-into-memory",
        "An inflate buffer whose device-writable part goes on past 2^64 changes nothing in memory",
        Segment(4),
        Segment(_MOST - 4, writable=True, address=_HIGHEST - (1 << 31)),
        breaks=f"{_CHAIN} {_PART}",
    ),
)

_OUT_OF_ORDER: tuple[Intent, ...] = (
    _array(
        "writable-before-readable",
        "An inflate buffer whose device-writable descriptor comes first changes no other page",
        Segment(4096, writable=True, address=0x1800 << 12),
        Segment(4),
        breaks=f"{_CHAIN} {_PART}",
    ),
    _array(
        "writable-between-readable",
        "An inflate buffer with a device-writable descriptor between others changes no other page",
        Segment(4),
        Segment(4096, writable=True, address=0x1800 << 12),
        Segment(4),
        breaks=f"{_CHAIN} {_PART}",
    ),
    _message(
        "message-with-a-writable-descriptor-before-its-chunk",
        "A message with a device-writable descriptor between header and chunk changes no other page",
        Segment(8),
        Segment(16, writable=True, address=0x1800 << 12),
        Segment(16),
        breaks=f"{_CHAIN} {_PART}",
    ),
    _statistics(
        "statistics-behind-a-writable-descriptor",
        "A statistics buffer whose device-writable descriptor comes first does no harm",
        Segment(10, writable=True, address=0x1800 << 12),
        Segment(10),
        breaks=f"{_CHAIN} {_PART}",
    ),
)

INTENTS: tuple[Intent, ...] = (*_OF_NO_BYTES, *_HUGE, *_PAST_THE_END, *_OUT_OF_ORDER)
