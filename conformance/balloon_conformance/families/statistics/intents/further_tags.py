"""Statistics as drivers send them that have more than the standard: their tags, their order, their length.

The tags that a device knows count, and the others do no harm. No vector asks for a length that is a multiple
of 6.
"""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import inflate_pfns
from balloon_conformance.families.statistics.vocabulary import (
    STATS,
    refreshes_before,
    reports,
    wants_statistics,
)
from balloon_conformance.generation.intents.model import DriverActual, Intent
from balloon_conformance.generation.intents.shorthand import discards, exchange, returns, shows

__all__ = ["INTENTS"]

_AREA = "statistics"
_ONES = (1 << 64) - 1
_FILLER = (0xFFFF, _ONES)

_Entry = tuple[int, int]
_COUNTED: tuple[_Entry, ...] = ((0, 4096), (1, 8192), (2, 5), (3, 100))
_AMOUNTS: tuple[_Entry, ...] = ((4, 1 << 24), (5, 1 << 26), (6, 1 << 25), (7, 1 << 20))
_NEW: tuple[_Entry, ...] = ((10, 1), (11, 2), (12, 0x3000), (13, 0x4000), (14, 0x5000), (15, 0x6000))
_HUGE: tuple[_Entry, ...] = ((8, 0), (9, 0))

_ONE_ENTRY_BYTES = 10
_CAP_BYTES = 2560
"""The longest statistics buffer of which a device is known that reads it."""


def _unknown(count: int) -> tuple[_Entry, ...]:
    return tuple((0x100 + at, at) for at in range(count))


def _returned(name: str, title: str, *entries: _Entry) -> Intent:
    """A device that returned plain statistics before returns these too, and serves on."""
    return exchange(
        _AREA,
        name,
        title,
        "STATS-07 STATS-08 BUF-03",
        refreshes_before(),
        reports("s4", *entries),
        wants_statistics(),
        shows("STATS-07", returns("s4")),
        reports("s5", *entries),
        features=STATS,
        sides="device",
        profile="base",
    )


def _harmless(name: str, title: str, *entries: _Entry) -> Intent:
    """A device that was given these, and may hold them, goes on serving."""
    return exchange(
        _AREA,
        name,
        title,
        "SAFE-13 QUEUE-07 INF-07",
        reports("s1", *entries),
        inflate_pfns("m1", "0x1234+2"),
        returns("m1"),
        discards("0x1234+2"),
        wants_statistics(),
        returns("s1"),
        reports("s2", *entries),
        inflate_pfns("m2", "0x1240"),
        returns("m2"),
        discards("0x1240"),
        DriverActual(3),
        features=STATS,
        sides="device",
        profile="base",
        opening=False,
    )


INTENTS: tuple[Intent, ...] = (
    _returned(
        "statistics-of-linux",
        "Statistics as Linux sends them since 6.12, with huge pages: tags 10 to 15 in their midst",
        *_COUNTED,
        *_NEW,
        *_HUGE,
        *_AMOUNTS,
    ),
    _returned(
        "statistics-of-linux-without-huge-pages",
        "Statistics as Linux sends them since 6.12, without huge pages",
        *_COUNTED,
        *_NEW,
        *_AMOUNTS,
    ),
    _returned(
        "statistics-of-linux-without-event-counters",
        "Statistics of a Linux that counts no events, beside one of a tag that nobody knows",
        *_AMOUNTS,
        (0x7FFF, 1),
    ),
    _returned(
        "statistics-of-windows",
        "Statistics as Windows sends them: always 100 bytes, entries without a statistic filled with ones",
        *_COUNTED,
        *_AMOUNTS[:2],
        *(_FILLER,) * 4,
    ),
    _returned(
        "statistics-of-chromeos",
        "Tags 65534 and 65535, which ChromeOS sends, among those of the standard",
        (65535, 1 << 20),
        *_COUNTED,
        (65534, 1 << 21),
        *_AMOUNTS,
    ),
    _returned(
        "statistics-tags-that-look-known",
        "Unknown tags whose lower or upper byte is a known one",
        (0x0104, 1),
        (0x0400, 2),
        (0x8005, 3),
        *_AMOUNTS,
        (0x0500, 4),
    ),
    _returned(
        "statistics-as-long-as-a-device-is-known-to-read",
        "A statistics buffer of 2560 bytes, in which the statistics that are known stand last",
        *_unknown(_CAP_BYTES // _ONE_ENTRY_BYTES - len(_AMOUNTS)),
        *_AMOUNTS,
    ),
    _harmless(
        "statistics-longer-than-a-device-is-known-to-read",
        "A statistics buffer of 2570 bytes, which a device may hold, does no harm",
        *_AMOUNTS,
        *_unknown(_CAP_BYTES // _ONE_ENTRY_BYTES + 1 - len(_AMOUNTS)),
    ),
    _harmless(
        "statistics-of-two-pages",
        "A statistics buffer longer than two pages, which a device may hold, does no harm",
        *_AMOUNTS,
        *_unknown(1000),
    ),
    _harmless(
        "statistics-of-every-tag-below-1024",
        "A statistics buffer with every tag from 0 to 1023 does no harm",
        *((tag, 1 << 12) for tag in range(1024)),
    ),
    _harmless(
        "statistics-of-the-same-tag-many-times",
        "A statistics buffer with one tag a hundred times does no harm",
        *((4, (1 << 24) + (at << 12)) for at in range(100)),
    ),
)
