"""The configuration space through the window that PCI has beside the registers."""

from __future__ import annotations

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.driving import Driving
from balloon_spec.events import Side
from balloon_spec.families.base import configuration
from balloon_spec.pages import PageSet

_FIRST, _SECOND = PageSet([(0x1000, 3)]), PageSet([(0x2000, 2)])
_ACTUAL = configuration.ACTUAL_OFFSET
_PARTS = (*((_ACTUAL + at, 1) for at in range(4)), (_ACTUAL, 2), (_ACTUAL + 2, 2), (_ACTUAL, 4))
"""(offset, length) of every part of ``actual`` that can be reached."""
_ILLEGAL = (0, 3, 5, 8, 0xFF, 0x1000, 0x7FFF_FFFF, 0xFFFF_FFFF)
_VALUES = (0x01020304, 5)


@scenario(Side.DEVICE, "CFG-06", "CFG-01", "CFG-08", breaks=("INF-03", "DEF-11", "CFG-05"))
def test_the_configuration_through_a_window(session: DeviceSession) -> None:
    """Through the window each part of a word reads as it was written, and what is written there is there."""
    session.need(Capability.WINDOW)
    driving = Driving(session, _FIRST)
    driving.begin()
    for value in _VALUES:
        session.write_configuration(_ACTUAL, value.to_bytes(4, "little"))
        for offset, length in _PARTS:
            session.read_window(offset, length)
        session.write_window(_ACTUAL, 4, (value + 0x10203).to_bytes(4, "little"))
        session.read_whole_configuration()


@scenario(Side.DEVICE, "SAFE-13", "QUEUE-07", "CFG-06", "CFG-08")
def test_a_window_of_an_illegal_length(session: DeviceSession) -> None:
    """Lengths that a window cannot have end no device, and it continues with what it is given."""
    session.need(Capability.WINDOW)
    driving = Driving(session, _FIRST | _SECOND)
    driving.begin()
    driving.inflate(_FIRST)
    if not driving.drain():
        return
    driving.tell_actual()
    for length in _ILLEGAL:
        session.read_window(_ACTUAL, length)
        session.write_window(_ACTUAL, length, b"\xff\xff\xff\xff")
    session.read_window(_ACTUAL, 4)
    driving.inflate(_SECOND)
    if driving.drain():
        driving.tell_actual()
        session.read_whole_configuration()
