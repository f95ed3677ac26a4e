"""The legacy interface: the driver does not accept VERSION_1.

The guest of every vector is little-endian. So arrays and statistics are the same bytes as with VERSION_1; the
configuration space and messages have a fixed byte order anyway. A device that does not work without VERSION_1
may refuse such a set (NEG-07), and then none of this is played.
"""

from __future__ import annotations

from typing import Any

from balloon_conformance.families.base.vocabulary import clean_pfns, deflate_pfns, inflate_pfns, target
from balloon_conformance.families.chunk_transfer.vocabulary import CHUNKS, clean, inflates, malformed
from balloon_conformance.families.host_requests.vocabulary import answers_again, asks, done, posts
from balloon_conformance.families.statistics.vocabulary import refreshes_before, reports, wants_statistics
from balloon_conformance.generation.intents.model import DriverActual, Features, Intent
from balloon_conformance.generation.intents.shorthand import (
    VERSION_1,
    Script,
    discards,
    keeps,
    negotiated,
    reads,
    resets,
    returns,
    shows,
)

__all__ = ["INTENTS"]


def _without_version_1(*names: str) -> Features:
    """Offer VERSION_1 and these features, and accept only these."""
    return Features((VERSION_1, *names), names)


def _exchange(area: str, id: str, title: str, about: str, *script: Script, **more: Any) -> Intent:  # noqa: A002 - as in words
    """Make an intent in which the driver does not accept VERSION_1, as only an older driver should."""
    return malformed(area, id, title, about, "NEG-12", *script, **more)


INTENTS: tuple[Intent, ...] = (
    _exchange(
        "configuration",
        "configuration-without-version-1",
        "Without VERSION_1 the configuration is little-endian all the same",
        "CFG-01 CFG-06 CFG-07",
        target(0x1234),
        inflate_pfns("m1", "0x1000+2", "0x1234"),
        returns("m1"),
        DriverActual(3),
        shows(
            "CFG-01",
            reads(0, 8, num_pages=0x1234, actual=3),
            reads(0, 1, num_pages=0x1234, actual=3),
            reads(1, 1, num_pages=0x1234, actual=3),
            reads(4, 1, num_pages=0x1234, actual=3),
            reads(7, 1, num_pages=0x1234, actual=3),
        ),
        features=_without_version_1(),
        sides="device",
        profile="base",
    ),
    _exchange(
        "pfn-array",
        "array-without-version-1",
        "Without VERSION_1 an array has the byte order of its guest, which is little-endian here",
        "PFN-10 PFN-05 QUEUE-07 DEF-08",
        clean_pfns(),
        resets(_without_version_1()),
        inflate_pfns("m1", "0x1234"),
        returns("m1"),
        shows("PFN-10", discards("0x1234")),
        inflate_pfns("m2", "0x1000+2", "0x1834"),
        returns("m2"),
        shows("PFN-10 PFN-05", discards("0x1000+2", "0x1834")),
        DriverActual(4),
        deflate_pfns("d1", "0x1000+2", "0x1234", "0x1834"),
        returns("d1"),
        keeps("0x1002"),
        DriverActual(0),
        features=negotiated(),
        sides="device",
        profile="base",
    ),
    _exchange(
        "inflate",
        "message-without-version-1",
        "Without VERSION_1 a device reads messages as little-endian all the same",
        "CHUNK-13 QUEUE-07",
        clean(),
        resets(_without_version_1("STATS_VQ", "CHUNK_TRANSFER")),
        inflates("m1", "0x1234"),
        returns("m1"),
        shows("CHUNK-13", discards("0x1234")),
        inflates("m2", "0x1000+16", "0x2400+3"),
        returns("m2"),
        shows("CHUNK-13", discards("0x1000+16", "0x2400+3")),
        DriverActual(20),
        features=CHUNKS,
        sides="device",
    ),
    _exchange(
        "host-request",
        "request-without-version-1",
        "Without VERSION_1 a request and its answer are little-endian all the same",
        "REQ-03 REQ-20 UNUSED-01",
        asks("r1", 0x1234),
        done("u1", 0x1234, "0x1000"),
        returns("u1"),
        posts("r2"),
        keeps("0x1000"),
        answers_again(),
        features=_without_version_1("STATS_VQ", "CHUNK_TRANSFER", "HOST_REQ_VQ"),
        sides="device",
    ),
    _exchange(
        "statistics",
        "statistics-without-version-1",
        "Without VERSION_1 unknown statistics come back when the operator asks",
        "STATS-07",
        refreshes_before(),
        reports("s4", (4, 1 << 24), (5, 1 << 25), (10, 1)),
        wants_statistics(),
        shows("STATS-07", returns("s4")),
        reports("s5", (4, 1 << 24), (5, 1 << 25), (10, 1)),
        features=_without_version_1("STATS_VQ"),
        sides="device",
        profile="base",
    ),
)
