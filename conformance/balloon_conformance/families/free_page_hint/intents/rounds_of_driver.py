"""Rounds as a driver carries them out: begun with the id, filled with what is free, ended with 0."""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import gives_up, inflate_pfns, target
from balloon_conformance.families.free_page_hint.vocabulary import (
    DONE,
    ID,
    NEXT,
    STOP,
    command,
    hints,
    of_driver,
    publishes,
    unused,
)
from balloon_conformance.generation.intents.model import (
    DriverActual,
    DriverOk,
    DriverWord,
    Features,
    Intent,
    Silent,
    Step,
)
from balloon_conformance.generation.intents.shorthand import Script, negotiated, resets, returns, shows

__all__ = ["INTENTS"]

_FREE = "0x1000+2048"
_SINGLE = tuple(f"{0x1000 + 2 * number:#x}" for number in range(300))
"""More free blocks than a ring of 256 entries takes at once."""
_AT_ONCE = 255
"""So many of them the reference driver hints, which leaves room for a command."""

_SETS = {
    "alone": ("With hinting alone a driver hints", negotiated("FREE_PAGE_HINT")),
    "with-statistics": ("Beside statistics a driver hints", negotiated("STATS_VQ", "FREE_PAGE_HINT")),
    "with-poison": ("Beside page poison a driver hints", negotiated("FREE_PAGE_HINT", "PAGE_POISON")),
    "with-all-older-features": (
        "Beside all that is older a driver hints",
        negotiated("MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM", "FREE_PAGE_HINT"),
    ),
    "over-the-legacy-interface": (
        "Without VERSION_1, in the byte order of its guest, a driver hints",
        Features(("FREE_PAGE_HINT",), ("FREE_PAGE_HINT",)),
    ),
}

_IDS = {
    "the-least-id": 2,
    "an-id-of-four-bytes-that-differ": ID,
    "the-first-id-of-qemu": 0x80000001,
    "the-greatest-id": 0xFFFFFFFF,
    "an-id-of-one-byte-in-the-middle": 0x00FF0000,
}


def _begins(number: int, name: str) -> tuple[Script, ...]:
    """The device publishes an id, and the driver sends it."""
    return (publishes(number), *_sends("HINT-02", name, number))


def _sends(about: str, name: str, number: int) -> tuple[Step, ...]:
    return (*shows(about, command(name, number)), *returns(name))


def _round(number: int = ID, suffix: str = "1", *free: str) -> tuple[Script, ...]:
    return (
        *_begins(number, f"c{suffix}"),
        *shows("HINT-04", hints(*(free or (_FREE,)))),
        *_sends("HINT-06", f"z{suffix}", STOP),
    )


def _poisoned(sets: Features) -> tuple[Script, ...]:
    return (DriverWord("poison_val", 0x01020304), DriverOk()) if "PAGE_POISON" in sets.accepted else ()


INTENTS: tuple[Intent, ...] = (
    *(
        of_driver(
            f"driver-hints-{name}",
            f"{title} what the guest has free, and ends the round",
            "HINT-31 HINT-01 HINT-02 HINT-04 HINT-06 HINT-11 HINT-12 HINT-13 HINT-32"
            if "VERSION_1" not in sets.accepted
            else "HINT-02 HINT-01 HINT-04 HINT-06 HINT-11 HINT-12 HINT-13 HINT-30 HINT-32",
            *_poisoned(sets),
            unused(_FREE),
            *(
                _round()
                if "VERSION_1" in sets.accepted
                else (
                    publishes(ID),
                    *_sends("HINT-31", "c1", ID),
                    *shows("HINT-04", hints(_FREE)),
                    *_sends("HINT-06", "z1", STOP),
                )
            ),
            features=sets,
        )
        for name, (title, sets) in _SETS.items()
    ),
    *(
        of_driver(
            f"driver-answers-{name}",
            f"A driver answers whatever id is published with the same bytes: {name.replace('-', ' ')}",
            "HINT-12 HINT-01 HINT-02 HINT-30",
            unused(_FREE),
            *_round(number),
        )
        for name, number in _IDS.items()
    ),
    of_driver(
        "driver-has-nothing-to-hint",
        "A driver without free pages begins the round and ends it",
        "HINT-06 HINT-02",
        # Told to whoever can be told it: any other driver has pages of its own to hint.
        unused(),
        *_begins(ID, "c1"),
        *_sends("HINT-06", "z1", STOP),
    ),
    of_driver(
        "driver-hints-odd-runs",
        "What is free in runs of any length is hinted page by page or block by block",
        "HINT-13 HINT-32 HINT-04",
        unused("0x1001+3", "0x1005+5", "0x100b+1029"),
        *_round(ID, "1", "0x1001+3", "0x1005+5", "0x100b+1029"),
    ),
    of_driver(
        "driver-hints-the-ends-of-memory",
        "The first page and the last one can be hinted as well",
        "HINT-13 HINT-32",
        unused("0x0", "0x3fff"),
        *_round(ID, "1", "0x0", "0x3fff"),
    ),
    of_driver(
        "driver-is-told-to-stop-at-rest",
        "A driver that is told to stop, and has begun nothing, says nothing",
        "HINT-12",
        unused(_FREE),
        publishes(STOP),
        Silent("driver"),
        publishes(DONE),
        Silent("driver"),
        *_round(),
    ),
    of_driver(
        "driver-keeps-hinted-pages-after-stop",
        "After STOP and another id a driver has nothing to hint: it still holds what it hinted",
        "HINT-06 HINT-02 HINT-03",
        unused(_FREE),
        *_round(),
        publishes(STOP),
        *_begins(NEXT, "c2"),
        *_sends("HINT-06", "z2", STOP),
    ),
    of_driver(
        "driver-gives-pages-back-at-done",
        "After DONE and another id a driver hints the same pages again",
        "HINT-10 HINT-04 HINT-03",
        unused(_FREE),
        *_round(),
        publishes(DONE),
        *_begins(NEXT, "c2"),
        *shows("HINT-10", hints(_FREE)),
        *_sends("HINT-06", "z2", STOP),
    ),
    of_driver(
        "driver-gives-pages-back-at-done-after-stop",
        "DONE gives back also what STOP has kept",
        "HINT-10 HINT-06",
        unused(_FREE),
        *_round(),
        publishes(STOP),
        publishes(DONE),
        *_begins(NEXT, "c2"),
        *shows("HINT-10", hints(_FREE)),
        *_sends("HINT-06", "z2", STOP),
    ),
    of_driver(
        "driver-does-not-begin-a-round-twice",
        "A configuration change that leaves the id as it is begins no other round",
        "HINT-03",
        unused(_FREE),
        *_round(),
        *target(1),
        *shows("HINT-03", Silent("driver")),
    ),
    of_driver(
        "driver-answers-the-same-id-once",
        "An id that is announced once more is not answered once more",
        "HINT-03",
        unused(_FREE),
        *_round(),
        publishes(ID),
        *shows("HINT-03", Silent("driver")),
    ),
    of_driver(
        "driver-is-stopped-in-a-round",
        "A driver that is told to stop in a round ends it, and hints no more",
        "HINT-05 HINT-06",
        unused(*_SINGLE),
        *_begins(ID, "c1"),
        publishes(STOP),
        *shows("HINT-04", hints(*_SINGLE[:_AT_ONCE])),
        *_sends("HINT-06", "z1", STOP),
        Silent("driver"),
    ),
    of_driver(
        "driver-is-done-in-a-round",
        "A driver that learns in a round that all is done ends it, and hints no more",
        "HINT-05 HINT-06",
        unused(*_SINGLE),
        *_begins(ID, "c1"),
        publishes(DONE),
        *shows("HINT-04", hints(*_SINGLE[:_AT_ONCE])),
        *_sends("HINT-06", "z1", STOP),
        Silent("driver"),
    ),
    of_driver(
        "driver-is-overtaken-by-a-new-id",
        "A driver that meets another id in a round ends the round, and begins the other",
        "HINT-06 HINT-02 HINT-03 HINT-12",
        unused(*_SINGLE),
        *_begins(ID, "c1"),
        publishes(NEXT),
        *shows("HINT-04", hints(*_SINGLE)),
        *_sends("HINT-06", "z1", STOP),
        *_sends("HINT-02", "c2", NEXT),
        *_sends("HINT-06", "z2", STOP),
    ),
    of_driver(
        "driver-hints-no-page-of-the-balloon",
        "What is in the balloon is not free, whatever else the guest says",
        "HINT-13",
        *target(16),
        gives_up("0x1400+16"),
        inflate_pfns("m1", "0x1400+16"),
        *returns("m1"),
        DriverActual(16),
        unused("0x1000+2048"),
        *_round(ID, "1", "0x1000+1024", "0x1410+1008"),
    ),
    of_driver(
        "driver-hints-no-page-on-its-way-into-the-balloon",
        "What the device has not yet returned to the driver as part of the balloon is not free either",
        "HINT-13",
        *target(16),
        gives_up("0x1400+16"),
        inflate_pfns("m1", "0x1400+16"),
        unused("0x1000+2048"),
        *_round(ID, "1", "0x1000+1024", "0x1410+1008"),
        *returns("m1"),
        DriverActual(16),
    ),
    of_driver(
        "driver-hints-no-page-that-is-used-again",
        "What was free in the round before, and is used now, is not hinted",
        "HINT-13 HINT-10",
        unused(_FREE),
        *_round(),
        publishes(DONE),
        unused("0x1000+1024"),
        *_round(NEXT, "2", "0x1000+1024"),
    ),
    of_driver(
        "driver-hints-what-becomes-free-in-a-round",
        "Pages that become free are hinted in the next round at the latest",
        "HINT-04 HINT-06",
        unused("0x1000+1024"),
        *_round(ID, "1", "0x1000+1024"),
        unused("0x1000+2048"),
        *_round(NEXT, "2", "0x1400+1024"),
    ),
    of_driver(
        "driver-forgets-the-round-at-a-reset",
        "After a reset a driver has begun nothing, and its pages are free again",
        "HINT-02 HINT-12 HINT-06",
        unused(_FREE),
        *_round(),
        resets(),
        unused(_FREE),
        *_round(NEXT, "2"),
    ),
    of_driver(
        "driver-leaves-the-command-id-alone",
        "A driver reads the command id, and writes actual alone",
        "HINT-14 HINT-06",
        unused(_FREE),
        *_round(),
        *target(1),
        gives_up("0x2800"),
        inflate_pfns("m1", "0x2800"),
        *returns("m1"),
        *shows("HINT-14", DriverActual(1)),
    ),
)
