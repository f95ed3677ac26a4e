"""Descriptors that point where no guest memory is: nothing in them can be read or written.

The bytes of such a buffer stand in the vector all the same; no device can have read them. A device that takes
zeros for them reads page 0 in an array, and a header of nothing in a message.
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
from balloon_conformance.families.host_requests.vocabulary import REQUESTS, recovers_requests, wants_unused
from balloon_conformance.families.statistics.vocabulary import STATS, Statistics, reports, wants_statistics
from balloon_conformance.generation.intents.model import Content, DriverBuffer, Effect, Intent, Segment
from balloon_conformance.generation.intents.shorthand import (
    any_reaction,
    discards,
    keeps,
    negotiated,
    resets,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_AREA = "safety"
_BREAKS = "QUEUE-11"
_END = 0x4000 << 12
"""The end of guest memory."""
_NOWHERE = 0x7F00_0000
"""An address beyond it and below 4 GiB."""
_FAR = 1 << 40
_LAST = (1 << 64) - 8
"""The last 8 bytes of the address space."""
_OTHERS = keeps("0x0", "0x200+16")
"""Pages that none of the buffers names: not even what of it a device can read."""
_NAMED_TOO = keeps("0x0", "0x200+16", "0x1000")
"""These, and the page that is named where no device can read it."""


def _segments(*lengths: int, at: int = _NOWHERE, first: int = 0) -> tuple[Segment, ...]:
    """Return descriptors of these lengths; those from number ``first`` on lie where no memory is."""
    segments = []
    for number, length_bytes in enumerate(lengths):
        segments.append(Segment(length_bytes, address=at if number >= first else None))
        at += length_bytes
    return tuple(segments)


def _lies(queue: str, content: Content, *segments: Segment) -> DriverBuffer:
    return DriverBuffer(queue, "m1", content, segments=segments)


def _kept(segments: tuple[Segment, ...]) -> Effect:
    """Return what is left alone: the page in the bytes as well, unless a part of them can be read."""
    whole = all(one.address is not None and one.address >= _END for one in segments)
    return _NAMED_TOO if whole else _OTHERS


def _array(id_: str, title: str, *segments: Segment, queue: str = "inflate", named: str = "0x1000") -> Intent:
    """An array that names one page in every entry."""
    entries = sum(one.length_bytes for one in segments) // 4
    return malformed(
        _AREA,
        id_,
        title,
        SAFE,
        _BREAKS,
        clean_pfns(),
        _lies(queue, PfnArray(pfns(named) * entries), *segments),
        any_reaction("m1"),
        shows("SAFE-01", _kept(segments)),
        recovers_pfns(),
        features=negotiated(),
        profile="base",
    )


def _message(id_: str, title: str, *segments: Segment) -> Intent:
    """A message of one chunk that names page 0x1000."""
    return malformed(
        _AREA,
        id_,
        title,
        SAFE,
        _BREAKS,
        clean(),
        _lies("inflate", Message(chunks("0x1000")), *segments),
        any_reaction("m1"),
        shows("SAFE-01", _kept(segments)),
        recovers(),
        features=CHUNKS,
    )


INTENTS: tuple[Intent, ...] = (
    _array(
        "array-where-no-memory-is",
        "An inflate buffer that points where no memory is changes nothing",
        *_segments(4),
    ),
    _array(
        "array-above-4-gib-where-no-memory-is",
        "An inflate buffer that points far above guest memory changes nothing",
        *_segments(4, at=_FAR),
    ),
    _array(
        "array-at-the-end-of-the-address-space",
        "An inflate buffer in the last 8 bytes of the address space changes nothing",
        *_segments(8, at=_LAST),
    ),
    _array(
        "array-half-where-no-memory-is",
        "An inflate buffer whose second descriptor points where no memory is changes no other page",
        *_segments(4, 4, first=1),
    ),
    _array(
        "array-across-the-end-of-memory",
        "An inflate buffer that begins in guest memory and ends beyond it changes no other page",
        Segment(8, address=_END - 4),
    ),
    _array(
        "deflate-array-where-no-memory-is",
        "A deflate buffer that points where no memory is changes nothing",
        *_segments(4),
        queue="deflate",
        named="0x2c00",
    ),
    _message(
        "message-where-no-memory-is",
        "A message that points where no memory is changes nothing",
        *_segments(24),
    ),
    _message(
        "chunk-where-no-memory-is",
        "A message whose chunk points where no memory is changes nothing",
        *_segments(8, 16, first=1),
    ),
    _message(
        "header-where-no-memory-is",
        "A message whose header points where no memory is changes no other page",
        Segment(8, address=_NOWHERE),
        Segment(16),
    ),
    malformed(
        _AREA,
        "statistics-where-no-memory-is",
        "A statistics buffer that points where no memory is does no harm",
        "SAFE-01 SAFE-02 SAFE-12 SAFE-04",
        _BREAKS,
        _lies("statistics", Statistics(((4, 1 << 24),)), *_segments(10)),
        clean_pfns(),
        wants_statistics(),
        any_reaction("m1"),
        shows("SAFE-01", _OTHERS),
        resets(),
        inflate_pfns("good", "0x2000"),
        shows("SAFE-04", returns("good"), discards("0x2000")),
        features=STATS,
        profile="base",
        opening=False,
    ),
    malformed(
        _AREA,
        "request-buffer-where-no-memory-is",
        "A request buffer that points where no memory is does no harm",
        "SAFE-01 SAFE-02 SAFE-12 SAFE-04",
        _BREAKS,
        reports("s1"),
        DriverBuffer("host-request", "r1", None, 16, segments=(Segment(16, True, _NOWHERE),)),
        clean(),
        wants_unused(0x21),
        any_reaction("r1"),
        shows("SAFE-01", _OTHERS),
        recovers_requests(),
        features=REQUESTS,
        opening=False,
    ),
)
