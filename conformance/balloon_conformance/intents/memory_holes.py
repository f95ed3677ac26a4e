"""Runs of pages beside a hole in guest memory, across it, and within it.

Guest-physical memory is seldom one run: a PC has a hole below 4 GiB. A page on either side of the hole is
like any other. The pages between are outside memory, however much of the run that names them is inside.
"""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import (
    SAFE,
    clean_pfns,
    gives_up,
    inflate_pfns,
    recovers_pfns,
    target,
    wants_back,
)
from balloon_conformance.families.chunk_transfer.vocabulary import (
    Chunk,
    clean,
    deflates,
    exchange,
    inflates,
    malformed,
    recovers,
)
from balloon_conformance.families.host_requests.vocabulary import (
    REQUESTS,
    asks,
    done,
    posts,
    recovers_requests,
    unused,
)
from balloon_conformance.generation.intents.model import DriverActual, Intent
from balloon_conformance.generation.intents.shorthand import (
    any_reaction,
    discards,
    if_returned,
    keeps,
    negotiated,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_HOLE = "0x1800+256"
_BELOW, _ABOVE = "0x17f8+8", "0x1900+8"
"""The last pages before the hole, and the first pages after it."""
_ACROSS = "0x17f8+272"
"""These pages and the hole between them."""
_AROUND = ("0x17f0+16", "0x1900+16")


def _skipped(name: str, title: str, named: str | Chunk) -> Intent:
    """A chunk that is partly in the hole; none of its pages is acted on."""
    return malformed(
        "safety",
        name,
        title,
        f"{SAFE} SAFE-11",
        "CHUNK-05",
        inflates("m1", named),
        any_reaction("m1"),
        shows("SAFE-11", keeps(*_AROUND)),
        recovers(),
        memory_holes=_HOLE,
    )


_BROKEN = (
    _skipped(
        "chunk-across-a-memory-hole",
        "A chunk that begins and ends in guest memory, with a hole between, is skipped",
        _ACROSS,
    ),
    _skipped("chunk-into-a-memory-hole", "A chunk that ends in a memory hole is skipped", "0x17f8+16"),
    _skipped("chunk-out-of-a-memory-hole", "A chunk that begins in a memory hole is skipped", "0x18f8+16"),
    malformed(
        "safety",
        "chunk-in-a-memory-hole-beside-good-ones",
        "A chunk in a memory hole does not keep the good ones from being acted on",
        f"{SAFE} SAFE-11 CHUNK-08",
        "CHUNK-05",
        clean(),
        inflates("m1", _BELOW, "0x1880+4", _ABOVE),
        any_reaction("m1"),
        if_returned(shows("CHUNK-08", discards(_BELOW, _ABOVE))),
        recovers(),
        memory_holes=_HOLE,
    ),
    malformed(
        "safety",
        "deflate-chunk-across-a-memory-hole",
        "A deflate chunk across a memory hole changes nothing",
        SAFE,
        "CHUNK-05",
        deflates("m1", _ACROSS),
        any_reaction("m1"),
        keeps(*_AROUND),
        recovers(),
        memory_holes=_HOLE,
    ),
    malformed(
        "unused-pages",
        "unused-chunk-across-a-memory-hole",
        "An unused-page chunk across a memory hole does no harm",
        "UNUSED-01 SAFE-02 SAFE-12 SAFE-04",
        "CHUNK-05",
        asks("r1", 0x1234),
        done("u1", 0x1234, _ACROSS),
        any_reaction("u1"),
        keeps(*_AROUND),
        recovers_requests(),
        features=REQUESTS,
        memory_holes=_HOLE,
    ),
    malformed(
        "pfn-array",
        "pfn-in-a-memory-hole",
        "An entry in a memory hole spoils no other",
        f"PFN-06 {SAFE}",
        "PFN-04",
        clean_pfns(),
        inflate_pfns("m1", "0x17ff", "0x1880", "0x1900"),
        any_reaction("m1"),
        if_returned(shows("PFN-06", discards("0x17ff", "0x1900"))),
        recovers_pfns(),
        features=negotiated(),
        profile="base",
        memory_holes=_HOLE,
    ),
)

_KEPT = (
    exchange(
        "chunks",
        "chunks-on-both-sides-of-a-memory-hole",
        "Pages up to a memory hole and behind it come in chunks that leave it out",
        "CHUNK-05 CHUNK-13 INF-07 INF-08 DEF-08 CHUNK-12",
        target(16),
        gives_up(_BELOW, _ABOVE),
        inflates("m1", _BELOW, _ABOVE, match="equivalent"),
        returns("m1"),
        discards(_BELOW, _ABOVE),
        DriverActual(16),
        wants_back(_BELOW, _ABOVE),
        target(0),
        deflates("d1", _BELOW, _ABOVE, match="equivalent"),
        returns("d1"),
        DriverActual(0),
        memory_holes=_HOLE,
    ),
    exchange(
        "unused-pages",
        "unused-pages-on-both-sides-of-a-memory-hole",
        "Unused pages up to a memory hole and behind it are reported without it",
        "CHUNK-05 REQ-11 UNUSED-01",
        unused(_BELOW, _ABOVE),
        asks("r1", 0x1234),
        done("u1", 0x1234, _BELOW, _ABOVE, match="equivalent"),
        returns("u1"),
        posts("r2"),
        keeps(*_AROUND),
        features=REQUESTS,
        memory_holes=_HOLE,
    ),
    exchange(
        "pfn-array",
        "pfns-on-both-sides-of-a-memory-hole",
        "The entries of an array leave a memory hole out",
        "PFN-04 PFN-05 INF-07 INF-08",
        target(2),
        gives_up("0x17ff", "0x1900"),
        inflate_pfns("m1", "0x17ff", "0x1900"),
        returns("m1"),
        discards("0x17ff", "0x1900"),
        DriverActual(2),
        features=negotiated(),
        profile="base",
        memory_holes=_HOLE,
    ),
)

INTENTS: tuple[Intent, ...] = (*_BROKEN, *_KEPT)
