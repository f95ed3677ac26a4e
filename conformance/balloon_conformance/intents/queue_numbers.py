"""Queues behind one that does not exist: a device serves them, and a driver uses them, under any numbering.

A vector has no queue numbers of its own: they are those that are stated for the implementation. What was
offered stays the same in all sessions.
"""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import inflate_pfns
from balloon_conformance.families.free_page_hint.vocabulary import ID, STOP, command, publishes, unused
from balloon_conformance.families.page_reporting.vocabulary import report
from balloon_conformance.generation.intents.model import DriverActual, Features, Intent, Step
from balloon_conformance.generation.intents.shorthand import (
    VERSION_1,
    Script,
    discards,
    exchange,
    resets,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_AREA = "queue-numbers"
_PROFILE = "mainline"
_STATS, _HINT, _POISON, _REPORT = "STATS_VQ", "FREE_PAGE_HINT", "PAGE_POISON", "PAGE_REPORTING"


def _of(offered: tuple[str, ...], *accepted: str) -> Features:
    return Features((VERSION_1, *offered), (VERSION_1, *accepted))


def _stops(name: str) -> tuple[Step, ...]:
    """Tell the device on the free page queue that no round is on, and have the buffer back."""
    return (command(name, STOP), *shows("MQ-02", returns(name)))


def _reports(name: str, page: str) -> tuple[Step, ...]:
    """Report a page on the reporting queue, and have the buffer back."""
    return (report(name, page), *shows("MQ-02", returns(name)))


def _begins_and_ends(number: int) -> tuple[Step, ...]:
    """Publish an id to a driver that is told of no free pages: it begins the round and ends it."""
    return (
        unused(),
        publishes(ID),
        command(f"c{number}", ID),
        *returns(f"c{number}"),
        command(f"z{number}", STOP),
        *returns(f"z{number}"),
    )


def _of_device(name: str, title: str, features: Features, *script: Script) -> Intent:
    about = "MQ-02 RESET-01"
    return exchange(
        _AREA, name, title, about, *script, features=features, sides="device", profile=_PROFILE, opening=False
    )


def _of_driver(name: str, title: str, features: Features, *script: Script) -> Intent:
    about = "MQ-03 QUEUE-02"
    return exchange(_AREA, name, title, about, *script, features=features, sides="driver", profile=_PROFILE)


def _behind(left_out: tuple[str, ...]) -> Intent:
    """The reporting queue, the last of all, is served whichever of those before it were left out."""
    rest = tuple(name for name in _ALL if name not in left_out)
    words = " and ".join(_SAID[name] for name in left_out)
    return _of_device(
        f"reporting-queue-without-{'-or-'.join(_SAID[name].replace(' ', '-') for name in left_out)}",
        f"A device serves the reporting queue for a driver that leaves out {words}",
        _of(_ALL, *_ALL),
        _reports("p1", "0x1000"),
        resets(_of(_ALL, *rest)),
        _reports("p2", "0x1001"),
        _stops("h2") if _HINT in rest else (),
        resets(_of(_ALL, *_ALL)),
        _stops("h3"),
        _reports("p3", "0x1002"),
    )


_SAID = {_STATS: "statistics", _HINT: "hints"}
_ALL = (_STATS, _HINT, _REPORT)
_BOTH = (_STATS, _HINT)
_FULL, _LESS = _of(_BOTH, *_BOTH), _of(_BOTH, _HINT)
_ALONE = _of((_HINT,), _HINT)

INTENTS: tuple[Intent, ...] = (
    _of_device(
        "queue-behind-one-that-was-left-out",
        "A device serves the free page queue for a driver that leaves statistics out, too",
        _FULL,
        _stops("h1"),
        resets(_LESS),
        _stops("h2"),
    ),
    _of_device(
        "queue-behind-one-that-was-left-out-for-a-while",
        "A device serves the free page queue whether a driver has statistics or not",
        _LESS,
        _stops("h1"),
        resets(_FULL),
        _stops("h2"),
        resets(_LESS),
        _stops("h3"),
    ),
    _of_device(
        "queue-behind-one-that-was-left-out-beside-poison",
        "A device serves the free page queue beside page poison, which has no queue",
        _of((*_BOTH, _POISON), *_BOTH),
        _stops("h1"),
        resets(_of((*_BOTH, _POISON), _HINT)),
        _stops("h2"),
        inflate_pfns("m1", "0x1000"),
        returns("m1"),
        discards("0x1000"),
        DriverActual(1),
    ),
    _behind((_STATS,)),
    _behind((_HINT,)),
    _behind((_STATS, _HINT)),
    _of_driver(
        "driver-uses-the-queue-behind-one-that-is-not-offered",
        "A driver uses the free page queue of a device without statistics, under its own number",
        _ALONE,
        _begins_and_ends(1),
    ),
    _of_driver(
        "driver-numbers-its-queues-in-one-way",
        "A driver numbers its queues in one way, after a reset too",
        _ALONE,
        _begins_and_ends(1),
        resets(_ALONE),
        _begins_and_ends(2),
    ),
    _of_driver(
        "driver-numbers-its-queues-in-one-way-with-statistics-between",
        "A driver numbers its queues in one way, whether the device offers statistics or not",
        _ALONE,
        _begins_and_ends(1),
        resets(_of(_BOTH, *_BOTH)),
        _begins_and_ends(2),
        resets(_ALONE),
        _begins_and_ends(3),
    ),
)
