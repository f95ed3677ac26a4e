"""Errors of real devices and drivers within feature bits 0 to 2, each named after what it shows."""

from __future__ import annotations

from collections.abc import Callable

from balloon_conformance.families.base.vocabulary import (
    SAFE,
    clean_pfns,
    deflate_pfns,
    gives_up,
    inflate_pfns,
    recovers_pfns,
    target,
)
from balloon_conformance.families.chunk_transfer.vocabulary import deflates, exchange, inflates, malformed
from balloon_conformance.families.statistics.vocabulary import (
    STATS,
    refreshes_before,
    reports,
    wants_statistics,
)
from balloon_conformance.generation.intents.model import DriverActual, DriverStore, Intent, Silent, Step
from balloon_conformance.generation.intents.shorthand import (
    Script,
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

_ENTRY = (4, 1 << 24)


def _partial_state(*, arrays: bool) -> tuple[Intent, ...]:
    """What a device remembers about a larger page of its own must not outlive a deflation."""
    inflate = inflate_pfns if arrays else inflates
    deflate = deflate_pfns if arrays else deflates
    prefix, area = ("pfn-", "pfn-array") if arrays else ("", "deflate")
    first: Script = (inflate("m1", "0x1000+2"), returns("m1"), discards("0x1000+2"))
    one = exchange(
        area,
        f"{prefix}deflated-pages-stay-when-their-neighbours-inflate",
        "Pages that were inflated and deflated keep their contents when the pages beside them inflate",
        "DEF-08 INF-08",
        first,
        deflate("d1", "0x1000+2"),
        returns("d1"),
        inflate("m2", "0x1002+2"),
        returns("m2"),
        shows("DEF-08", discards("0x1002+2", kept=["0x1000+2", "0x1004"])),
        DriverActual(2),
        features=negotiated() if arrays else negotiated("STATS_VQ", "CHUNK_TRANSFER"),
        profile="base" if arrays else "chunk-transfer",
        sides="device",
    )
    two = exchange(
        area,
        f"{prefix}inflate-and-deflate-by-turns",
        "While pages inflate one after the other, one that was deflated between them keeps its contents",
        "DEF-08 INF-08",
        first,
        inflate("m2", "0x1002"),
        returns("m2"),
        discards("0x1002"),
        deflate("d1", "0x1001"),
        returns("d1"),
        inflate("m3", "0x1003"),
        returns("m3"),
        shows("DEF-08", discards("0x1003", kept=["0x1001", "0x1004"])),
        inflate("m4", "0x1001"),
        returns("m4"),
        discards("0x1001"),
        DriverActual(4),
        features=negotiated() if arrays else negotiated("STATS_VQ", "CHUNK_TRANSFER"),
        profile="base" if arrays else "chunk-transfer",
        sides="device",
    )
    return one, two, *_parts(inflate, deflate, prefix, area, arrays=arrays)


def _parts(
    inflate: Callable[..., Step], deflate: Callable[..., Step], prefix: str, area: str, *, arrays: bool
) -> tuple[Intent, ...]:
    """One page, and then all others up to 2 MiB, so that it is a part of a larger page of any size."""
    rest = "0x1401+511"
    three = exchange(
        area,
        f"{prefix}deflated-page-stays-when-the-rest-of-2-mib-inflates",
        "A page that was inflated and deflated keeps its contents when 511 pages beside it inflate",
        "DEF-08 INF-08",
        inflate("m1", "0x1400"),
        returns("m1"),
        discards("0x1400"),
        deflate("d1", "0x1400"),
        returns("d1"),
        inflate("m2", rest),
        returns("m2"),
        shows("DEF-08", discards(rest, kept=["0x1400", "0x1600"])),
        DriverActual(511),
        features=negotiated() if arrays else negotiated("STATS_VQ", "CHUNK_TRANSFER"),
        profile="base" if arrays else "chunk-transfer",
        sides="device",
    )
    four = exchange(
        "reset",
        f"{prefix}page-of-before-a-reset-stays-when-the-rest-of-2-mib-inflates",
        "A page inflated before a reset keeps its contents when 511 pages beside it inflate after it",
        "RESET-06 INF-08",
        inflate("m1", "0x1400"),
        returns("m1"),
        discards("0x1400"),
        resets(),
        inflate("m2", rest),
        returns("m2"),
        shows("RESET-06", discards(rest, kept=["0x1400", "0x1600"])),
        DriverActual(511),
        features=negotiated() if arrays else negotiated("STATS_VQ", "CHUNK_TRANSFER"),
        profile="base" if arrays else "chunk-transfer",
        sides="device",
    )
    return three, four


def _statistics(name: str, title: str, *entries: tuple[int, int], tail: bytes = b"") -> Intent:
    """A statistics buffer whose length is no multiple of an entry does no harm."""
    return malformed(
        "statistics",
        name,
        title,
        SAFE,
        "STATS-04",
        reports("s1", *entries, tail=tail),
        wants_statistics(),
        any_reaction("s1"),
        keeps("0x200+16"),
        recovers_pfns(),
        features=STATS,
        profile="base",
        opening=False,
    )


_UNSET = (0xFFFF, (1 << 64) - 1)

_ARRAYS = (
    exchange(
        "pfn-array",
        "pfn-array-of-1024-entries",
        "A buffer of 4096 bytes is acted on to its last entry and returned",
        "PFN-05 QUEUE-07 INF-07",
        clean_pfns(),
        inflate_pfns("m1", *("0x1000",) * 1023, "0x1234"),
        shows("QUEUE-07", returns("m1")),
        shows("PFN-05", discards("0x1000", "0x1234")),
        DriverActual(3),
        features=negotiated(),
        profile="base",
        sides="device",
    ),
    exchange(
        "pfn-array",
        "pfn-array-of-64-bit-numbers",
        "Numbers of 64 bits, as one driver sends them, are entries of 32 bits: each page, and page 0",
        "PFN-05 INF-08",
        inflate_pfns("m1", "0x1000", "0x0", "0x1234", "0x0"),
        returns("m1"),
        shows("PFN-05", discards("0x0", "0x1000", "0x1234", kept=["0x1001", "0x1235"])),
        DriverActual(3),
        features=negotiated(),
        profile="base",
        sides="device",
    ),
    malformed(
        "pfn-array",
        "pfn-duplicates-across-buffers",
        "A page named again while its first buffer is in flight is discarded once and both buffers come back",
        "INF-06 QUEUE-07",
        "INF-11",
        inflate_pfns("m1", "0x1000", "0x1234"),
        inflate_pfns("m2", "0x1234", "0x1100"),
        returns("m1", "m2"),
        discards("0x1000", "0x1100", "0x1234"),
        features=negotiated(),
        profile="base",
    ),
    exchange(
        "pfn-array",
        "pfn-inflate-answered-late",
        "A driver whose inflate buffer is long unanswered does not give up, and counts the pages afterwards",
        "INF-04 INF-03 CFG-04 BUF-01",
        target(1),
        gives_up("0x1234"),
        inflate_pfns("m1", "0x1234"),
        shows("CFG-04", Silent("driver")),
        returns("m1"),
        DriverActual(1),
        features=negotiated(),
        profile="base",
        sides="driver",
    ),
)

_REPORTS = (
    _statistics("statistics-of-8-bytes", "A first buffer of 8 bytes is no statistic", tail=bytes(8)),
    _statistics(
        "statistics-of-17-bytes",
        "Of 17 bytes the last seven are no entry, and nothing behind them is read",
        _ENTRY,
        tail=bytes.fromhex("05 00 ff ff ff ff ff"),
    ),
    _statistics(
        "statistics-of-4096-bytes",
        "A page full of entries and six bytes does no harm",
        *[_UNSET] * 409,
        tail=bytes(6),
    ),
    exchange(
        "statistics",
        "statistics-with-unset-entries",
        "Entries of tag 65535 and value -1, for what a driver does not know, are passed over",
        "STATS-07 STATS-08",
        refreshes_before(),
        reports("s4", *[_UNSET] * 4, _ENTRY, *[_UNSET] * 5),
        wants_statistics(),
        shows("STATS-07", returns("s4")),
        reports("s5", *[_UNSET] * 4, _ENTRY, *[_UNSET] * 5),
        features=STATS,
        profile="base",
        sides="device",
    ),
    exchange(
        "statistics",
        "statistics-of-one-entry-with-every-bit",
        "A value of 64 ones is a value",
        "STATS-08 BUF-03",
        reports("s1", (4, (1 << 64) - 1)),
        wants_statistics(),
        returns("s1"),
        reports("s2", (4, (1 << 64) - 1)),
        features=STATS,
        profile="base",
        sides="device",
        opening=False,
    ),
)

_SPACE = (
    exchange(
        "configuration",
        "configuration-read-by-halves",
        "Each half of the two numbers reads alone as it does within the whole",
        "CFG-01",
        target(0x1234),
        inflate_pfns("m1", "0x1000+3"),
        returns("m1"),
        DriverActual(3),
        shows("CFG-01", [reads(at, 2, num_pages=0x1234, actual=3) for at in (0, 2, 4, 6)]),
        features=negotiated(),
        profile="base",
        sides="device",
    ),
    exchange(
        "configuration",
        "configuration-read-across-its-fields",
        "A read that begins within num_pages and ends within actual, or has both, finds the bytes of each",
        "CFG-01",
        target(0x1234),
        inflate_pfns("m1", "0x1000+3"),
        returns("m1"),
        DriverActual(3),
        shows(
            "CFG-01",
            [
                reads(at, width, num_pages=0x1234, actual=3)
                for at, width in ((0, 8), (2, 4), (3, 2), (1, 6), (0, 5), (3, 5))
            ],
        ),
        features=negotiated(),
        profile="base",
        sides="device",
    ),
    exchange(
        "configuration",
        "target-of-all-ones",
        "A target of 2^32 - 1 is a target, and what the guest gives up is inflated",
        "CFG-04 CFG-05 INF-10",
        target(0xFFFFFFFF),
        gives_up("0x1234"),
        inflate_pfns("m1", "0x1234"),
        returns("m1"),
        DriverActual(1),
        features=negotiated(),
        profile="base",
        sides="driver",
    ),
    exchange(
        "configuration",
        "target-of-all-pages-but-one",
        "The largest target below the size of memory reads as it was set, whatever the balloon holds",
        "CFG-11 CFG-07 CFG-08",
        target(0x3FFF),
        reads(0, 8, num_pages=0x3FFF),
        inflate_pfns("m1", "0x1234"),
        returns("m1"),
        DriverActual(1),
        reads(0, 8, num_pages=0x3FFF, actual=1),
        features=negotiated(),
        profile="base",
        sides="device",
    ),
    malformed(
        "configuration",
        "write-beyond-the-configuration",
        "A store that runs past the end of the configuration space changes nothing else in it",
        "CFG-01 SAFE-13",
        "CFG-03",
        target(0x100),
        DriverStore(4, 8, 0xFFFFFFFF_00000000),
        reads(0, 8, num_pages=0x100),
        inflate_pfns("m1", "0x1000"),
        shows("SAFE-13", returns("m1"), discards("0x1000")),
        features=negotiated(),
        profile="base",
    ),
)

INTENTS: tuple[Intent, ...] = (
    *_partial_state(arrays=True),
    *_partial_state(arrays=False),
    *_ARRAYS,
    *_REPORTS,
    *_SPACE,
)
