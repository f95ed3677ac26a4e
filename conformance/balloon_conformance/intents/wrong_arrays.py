"""Arrays of page frame numbers that are cut short or name what they may not, and wrong returns of arrays."""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import (
    SAFE,
    clean_pfns,
    deflate_pfns,
    gives_up,
    inflate_pfns,
    recovers_pfns,
    target,
    wants_back,
)
from balloon_conformance.families.chunk_transfer.vocabulary import malformed
from balloon_conformance.generation.intents.model import DeviceReturn, DriverActual, Intent
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

AREA = "pfn-array"


def _beside_a_good_one(digits: str) -> Intent:
    """An entry with its high bits set, between two good ones."""
    return malformed(
        AREA,
        f"pfn-{digits}-beside-a-good-one",
        f"Page frame number 0x{digits} is unsigned, far outside memory, and does not touch the good entries",
        "PFN-06 PFN-07 SAFE-01 SAFE-02 SAFE-12 SAFE-03 SAFE-04 SAFE-05",
        "PFN-04",
        clean_pfns(),
        inflate_pfns("m1", "0x1000", f"0x{digits}", "0x1234"),
        any_reaction("m1"),
        if_returned(shows("PFN-06", discards("0x1000", "0x1234"))),
        shows("PFN-07 SAFE-01", keeps("0x200+16", "0x2ff0+32", "0x3ff0+16")),
        recovers_pfns(),
        features=negotiated(),
        profile="base",
    )


INTENTS: tuple[Intent, ...] = (
    _beside_a_good_one("80000000"),
    malformed(
        AREA,
        "pfn-array-of-1-byte",
        "An array shorter than an entry names no page",
        "PFN-09 SAFE-01 SAFE-02 SAFE-12 SAFE-03 SAFE-04 SAFE-05",
        "PFN-02",
        inflate_pfns("m1", tail=bytes.fromhex("00")),
        any_reaction("m1"),
        shows("PFN-09", keeps("0x200", "0x1000")),
        recovers_pfns(),
        features=negotiated(),
        profile="base",
    ),
    malformed(
        AREA,
        "pfn-array-of-3-bytes",
        "An array shorter than an entry names no page",
        "PFN-09 SAFE-01 SAFE-02 SAFE-12 SAFE-03 SAFE-04 SAFE-05",
        "PFN-02",
        inflate_pfns("m1", tail=bytes.fromhex("00 10 00")),
        any_reaction("m1"),
        shows("PFN-09", keeps("0x200", "0x1000")),
        recovers_pfns(),
        features=negotiated(),
        profile="base",
    ),
    malformed(
        AREA,
        "pfn-array-of-7-bytes",
        "A partial entry at the end of an array names no page",
        "PFN-09 SAFE-01 SAFE-02 SAFE-12 SAFE-03 SAFE-04 SAFE-05",
        "PFN-02",
        inflate_pfns("m1", "0x1000", tail=bytes.fromhex("34 12 00")),
        any_reaction("m1"),
        shows("PFN-09", keeps("0x1234")),
        recovers_pfns(),
        features=negotiated(),
        profile="base",
    ),
    malformed(
        AREA,
        "pfn-deflate-never-inflated",
        "A deflate array that names pages never inflated is returned without effect",
        "DEF-07 DEF-08",
        "DEF-04",
        deflate_pfns("d1", "0x1000", "0x1234"),
        shows("DEF-07", returns("d1"), keeps("0x1000", "0x1234")),
        features=negotiated(),
        profile="base",
    ),
    malformed(
        AREA,
        "pfn-deflate-outside-memory",
        "A deflate array with an entry outside memory touches nothing",
        SAFE,
        "PFN-04 DEF-04",
        deflate_pfns("d1", "0xffffffff", "0x1000"),
        any_reaction("d1"),
        keeps("0x1000"),
        recovers_pfns(),
        features=negotiated(),
        profile="base",
    ),
    _beside_a_good_one("fffff000"),
    _beside_a_good_one("ffffffff"),
    malformed(
        AREA,
        "pfn-inflate-what-is-in-the-balloon",
        "A page that is in the balloon already may be named again",
        "INF-06 PFN-05",
        "INF-11",
        inflate_pfns("m1", "0x1000"),
        returns("m1"),
        discards("0x1000"),
        inflate_pfns("m2", "0x1000", "0x1234"),
        shows("INF-06", returns("m2"), discards("0x1234")),
        features=negotiated(),
        profile="base",
    ),
    malformed(
        AREA,
        "pfn-used-with-a-length",
        "A used length other than zero for a PFN array does not disturb the driver",
        "BUF-06 CFG-04",
        "BUF-03",
        target(1),
        gives_up("0x1234"),
        inflate_pfns("m1", "0x1234"),
        DeviceReturn("m1", None, length_bytes=4096),
        DriverActual(1),
        target(0),
        wants_back("0x1234"),
        deflate_pfns("d1", "0x1234"),
        DeviceReturn("d1", None, length_bytes=1),
        DriverActual(0),
        features=negotiated(),
        sides="driver",
        profile="base",
    ),
)
