"""Page poison: its value is said in time, kept, given back and forgotten; pages are discarded as ever."""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import clean_pfns, gives_up, inflate_pfns, target
from balloon_conformance.families.page_poison.vocabulary import LENGTH_BYTES, OFFSET, poison, reads_poison
from balloon_conformance.generation.intents.model import (
    DriverActual,
    DriverOk,
    DriverStore,
    Features,
    Intent,
    Step,
)
from balloon_conformance.generation.intents.shorthand import (
    Script,
    discards,
    exchange,
    malformed,
    negotiated,
    reads,
    resets,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_AREA = "page-poison"
_PROFILE = "mainline"
_WITH = negotiated("PAGE_POISON")
_WITHOUT = Features(("VERSION_1", "PAGE_POISON"), ("VERSION_1",))


def _of_device(name: str, title: str, about: str, *script: Script, breaks: str = "") -> Intent:
    features = _WITHOUT if breaks == "POISON-08" else _WITH
    if breaks:
        return malformed(
            _AREA, name, title, about, breaks, *script, features=features, profile=_PROFILE, opening=False
        )
    return exchange(_AREA, name, title, about, *script, features=features, sides="device", profile=_PROFILE)


def _reads_back(name: str, title: str, value: int, *reads: Step) -> Intent:
    return _of_device(name, title, "POISON-06", poison(value), DriverOk(), shows("POISON-06", *reads))


def _serves(page: str) -> tuple[Step, ...]:
    return (inflate_pfns("m1", page), *returns("m1"), discards(page))


def _in_parts(name: str, words: str, *parts: tuple[int, int]) -> Intent:
    """The driver writes poison_val in parts: of each the first byte, and how many."""
    whole = _VALUE.to_bytes(LENGTH_BYTES, "little")
    return _of_device(
        f"poison-val-is-written-{name}",
        f"A poison_val that is written {words} reads back whole",
        "POISON-06",
        *(
            DriverStore(OFFSET + first, length, int.from_bytes(whole[first : first + length], "little"))
            for first, length in parts
        ),
        shows("POISON-06", reads_poison(_VALUE)),
        DriverOk(),
        shows("POISON-06", reads_poison(_VALUE)),
    )


_VALUE = 0x01020304
_ONES = 0xFFFFFFFF
_INFLATED = (*target(1), gives_up("0x1234"), inflate_pfns("m1", "0x1234"), *returns("m1"), DriverActual(1))

INTENTS: tuple[Intent, ...] = (
    _reads_back(
        "poison-val-reads-back", "A poison_val reads back as it was written", _VALUE, reads_poison(_VALUE)
    ),
    _reads_back(
        "poison-val-reads-back-byte-by-byte",
        "Each byte of poison_val reads back where it was written",
        _VALUE,
        *(reads_poison(_VALUE, at, 1) for at in range(LENGTH_BYTES)),
    ),
    _reads_back(
        "poison-val-reads-back-in-halves",
        "Each half of poison_val reads back where it was written",
        _VALUE,
        reads_poison(_VALUE, 0, 2),
        reads_poison(_VALUE, 2, 2),
    ),
    _reads_back(
        "poison-val-of-all-ones",
        "All 32 bits of poison_val are kept",
        (1 << 32) - 1,
        reads_poison((1 << 32) - 1),
    ),
    _reads_back(
        "poison-val-of-one-bit", "The highest bit of poison_val stands alone", 1 << 31, reads_poison(1 << 31)
    ),
    _of_device(
        "poison-val-is-written-twice",
        "The last value before DRIVER_OK is the one that counts",
        "POISON-06",
        poison(0xAAAAAAAA),
        poison(_VALUE),
        shows("POISON-06", reads_poison(_VALUE)),
        DriverOk(),
        shows("POISON-06", reads_poison(_VALUE)),
    ),
    _of_device(
        "poison-val-of-zero-after-another",
        "A poison_val of 0 is a value like any other",
        "POISON-06",
        poison(_VALUE),
        poison(0),
        shows("POISON-06", reads_poison(0)),
        DriverOk(),
        shows("POISON-06", reads_poison(0)),
    ),
    _in_parts("in-halves", "in halves", (0, 2), (2, 2)),
    _in_parts("byte-by-byte", "byte by byte, the last first", (3, 1), (2, 1), (1, 1), (0, 1)),
    _in_parts("in-parts-that-overlap", "in parts that overlap", (0, 3), (2, 2)),
    _in_parts("of-one-and-three-bytes", "in one byte and three", (0, 1), (1, 3)),
    _of_device(
        "poison-val-is-changed-in-one-byte",
        "A store of one byte changes that byte of poison_val and no other",
        "POISON-06",
        poison(_ONES),
        DriverStore(OFFSET + 2, 1, 0x5A),
        shows("POISON-06", reads_poison(0xFF5AFFFF)),
        DriverOk(),
        shows("POISON-06", reads_poison(0xFF5AFFFF)),
    ),
    _of_device(
        "poison-val-leaves-actual-alone",
        "A store to poison_val changes nothing of actual",
        "POISON-06 CFG-06",
        poison(0),
        DriverOk(),
        *_serves("0x1000"),
        DriverActual(1),
        poison(0),
        shows("CFG-06", reads(4, 4, actual=1)),
    ),
    _of_device(
        "poison-val-stays-during-an-inflation",
        "An inflation discards pages whatever poison_val is, and leaves it as it is",
        "POISON-06 INF-07",
        poison(_VALUE),
        DriverOk(),
        *_serves("0x1000"),
        DriverActual(1),
        shows("POISON-06", reads_poison(_VALUE)),
    ),
    _of_device(
        "poison-val-is-forgotten-at-reset",
        "After a reset poison_val is 0 until a driver writes it",
        "POISON-07",
        poison(_VALUE),
        DriverOk(),
        reads_poison(_VALUE),
        resets(),
        shows("POISON-07", reads_poison(0)),
        breaks="POISON-02",
    ),
    _of_device(
        "poison-val-is-forgotten-behind-a-driver-without-it",
        "A poison_val is forgotten although the driver after it had no page poison",
        "POISON-07",
        poison(_VALUE),
        DriverOk(),
        resets(_WITHOUT),
        resets(_WITH),
        shows("POISON-07", reads_poison(0)),
        breaks="POISON-02",
    ),
    _of_device(
        "poison-val-is-never-written",
        "A device serves a driver that does not say with what it fills pages",
        "QUEUE-07 INF-07",
        *_serves("0x1000"),
        breaks="POISON-02",
    ),
    _of_device(
        "poison-val-is-changed-after-driver-ok",
        "A device serves a driver that changes poison_val too late",
        "QUEUE-07 INF-07",
        poison(_VALUE),
        DriverOk(),
        poison(0x05060708),
        *_serves("0x1000"),
        breaks="POISON-03",
    ),
    _of_device(
        "poison-val-is-written-without-its-feature",
        "A device serves a driver that writes poison_val and did not accept PAGE_POISON",
        "QUEUE-07 INF-07 NEG-07",
        *clean_pfns(),
        DriverStore(OFFSET, LENGTH_BYTES, _VALUE),
        *_serves("0x1000"),
        breaks="POISON-08",
    ),
    exchange(
        _AREA,
        "driver-says-poison-val-in-time",
        "A driver with PAGE_POISON says with what it fills pages before DRIVER_OK, and not again",
        "POISON-02 POISON-03",
        shows("POISON-02", poison(_VALUE)),
        DriverOk(),
        _INFLATED,
        features=_WITH,
        sides="driver",
        profile=_PROFILE,
    ),
    exchange(
        _AREA,
        "driver-leaves-poison-val-alone",
        "A driver to which PAGE_POISON is not offered leaves poison_val alone",
        "POISON-08",
        _INFLATED,
        features=negotiated(),
        sides="driver",
        profile=_PROFILE,
    ),
)
