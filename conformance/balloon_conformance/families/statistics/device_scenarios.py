"""Statistics that the host asks for: which values it gets, and which buffer the device finds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.not_exercised import NotExercised
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.driving import Driving
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.families.statistics.statistics import LINUX_TAG_NAMES, Tag
from balloon_spec.pages import EMPTY

_KNOWN = tuple(int(tag) for tag in Tag)
_UNKNOWN = (0x1234, 0xFFF0, 0x0100 | Tag.MEMFREE, 0x8000 | Tag.MEMTOT)
"""The last two equal known tags if only 8 bits of a tag are read, or 15."""
_PLAIN = (*_KNOWN, *_UNKNOWN)
_TOTAL_BYTES = 1 << 25
_BOTH = frozenset({"STATS_VQ", "HOST_REQ_VQ"})
_CONTROLS = range(2)

_ORDERS = {
    "unknown-first": (*_UNKNOWN, *_KNOWN),
    "unknown-between": (*_KNOWN[:1], _UNKNOWN[0], *_KNOWN[1:5], _UNKNOWN[1], *_KNOWN[5:], *_UNKNOWN[2:]),
    "backwards": (*reversed(_KNOWN), *_UNKNOWN),
    "as-before": _PLAIN,
}


_LINUX = (0, 1, 2, 3, *LINUX_TAG_NAMES, 8, 9, 4, 5, 6, 7)
_SENDERS = {
    "linux": _LINUX,
    "chromeos": (65535, *_KNOWN[:5], 65534, *_KNOWN[5:]),
    "all-of-them": (65534, *_LINUX, 65535, *_UNKNOWN),
}
"""Tags in the order in which drivers send them that have more than the standard."""


def _entries(tags: tuple[int, ...], number: int) -> tuple[tuple[int, int], ...]:
    """Give each tag a value of eight different bytes; the values differ in every buffer."""
    return tuple((tag, 0x0102030405060000 + (number << 12) + (tag & 0xFFF)) for tag in tags)


def _plausible(tags: tuple[int, ...], number: int) -> tuple[tuple[int, int], ...]:
    """Give each tag a value that a guest can have; those of two tags differ, and so do two buffers."""
    values = {tag: ((tag & 0xFF) << 16) + ((tag >> 8) << 4) + number for tag in tags}
    return tuple((tag, _TOTAL_BYTES + number if tag == Tag.MEMTOT else values[tag]) for tag in tags)


@scenario(
    Side.DEVICE, "STATS-12", "STATS-07", "STATS-08", features=frozenset({"STATS_VQ"}), breaks=("STATS-11",)
)
@pytest.mark.parametrize("order", list(_ORDERS))
def test_what_the_host_reads(session: DeviceSession, order: str) -> None:
    """Statistics come in order first and in another order later, and the host has all of them each time."""
    _refresh(session, _ORDERS[order])


@scenario(
    Side.DEVICE,
    *("STATS-12", "STATS-07", "STATS-08", "SAFE-13"),
    features=frozenset({"STATS_VQ"}),
)
@pytest.mark.parametrize("sender", list(_SENDERS))
def test_what_the_host_reads_of_new_tags(session: DeviceSession, sender: str) -> None:
    """The host has the statistics that it knows from drivers that send more, in an order of their own."""
    tags = _SENDERS[sender]
    _refresh(session, tags, at_first=tuple(sorted(tags)), entries=_plausible)


@scenario(Side.DEVICE, "STATS-13", features=frozenset({"STATS_VQ"}), breaks=("STATS-11", "NEG-12"))
def test_what_the_host_reads_of_a_legacy_guest(session: DeviceSession) -> None:
    """Without VERSION_1 the host has what a little-endian guest sent in its own byte order."""
    _refresh(session, _PLAIN, without=frozenset({"VERSION_1"}))


@scenario(Side.DEVICE, "QUEUE-04", features=_BOTH)
def test_statistics_are_found_at_driver_ok(session: DeviceSession) -> None:
    """A device that serves requests for statistics finds the buffer that was not notified."""
    session.need(Capability.OPERATOR_STATISTICS)
    _begin(session, "first")
    session.reset()
    # First with a notification, under the same features and also after a reset; the device may look for it
    # then.
    loud = _begin(session, "loud", early_statistics=False)
    for _ in _CONTROLS:
        session.operate(ev.OperatorAction.STATISTICS, 0)
        if not loud.take_in():
            raise NotExercised("the device holds the statistics buffer, as it may (STATS-09)")
    session.reset()
    quiet = _begin(session, "quiet")
    session.operate(ev.OperatorAction.STATISTICS, 0)
    quiet.take_in()


def _begin(session: DeviceSession, names: str, *, early_statistics: bool = True) -> Driving:
    """Begin with what the device offers, statistics and host requests among it."""
    driving = Driving(session, EMPTY, names=names)
    driving.early_statistics = early_statistics
    driving.begin()
    if missing := sorted(_BOTH - driving.features):
        raise NotExercised(f"the device does not offer {', '.join(missing)}")
    return driving


def _refresh(
    session: DeviceSession,
    tags: tuple[int, ...],
    *,
    at_first: tuple[int, ...] = _PLAIN,
    entries: Callable[[tuple[int, ...], int], tuple[tuple[int, int], ...]] = _entries,
    without: frozenset[str] = frozenset(),
) -> None:
    """Send statistics four times, from the third on with ``tags`` in this order; ask the host each time."""
    for capability in (Capability.HOST_STATISTICS, Capability.OPERATOR_STATISTICS):
        session.need(capability)
    driving = Driving(session, EMPTY)
    driving.statistics = entries(at_first, 0)
    driving.begin(without=without)
    for number in range(1, 5):
        # The first two are in the usual order, so the statistics that the host has are ones it knows.
        driving.statistics = entries(at_first if number == 1 else tags, number)
        session.operate(ev.OperatorAction.STATISTICS, 0)
        if not driving.take_in() or not driving.in_flight(STATISTICS):
            return
        session.read_statistics()
