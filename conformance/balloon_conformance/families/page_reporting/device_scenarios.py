"""Reports to a device that serves one driver after the other, each with a poison_val of its own."""

from __future__ import annotations

from typing import Final

from balloon_conformance.iut.contract import Buffer, Capability
from balloon_conformance.running.not_exercised import NotExercised
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.page_poison import POISON_VAL
from balloon_spec.families.page_reporting import REPORTING
from balloon_spec.pages import PAGE_SHIFT, PageSet

_FEATURES: Final = frozenset({"PAGE_POISON", "PAGE_REPORTING"})
_NEEDS: Final = (Capability.DESCRIPTORS, Capability.ADDRESSES, Capability.WRITE_PAGES, Capability.DISCARDS)
_DRIVERS: Final = (
    (bytes.fromhex("04030201"), 0x1000),
    (bytes.fromhex("d4c3b2a1"), 0x1800),
    (bytes(4), 0x2000),
    (bytes.fromhex("00007a00"), 0x2800),
)
"""What each driver fills its pages with, and the first of those that it reports."""
_COUNT: Final = 8


@scenario(Side.DEVICE, "REPORT-12", "REPORT-16", "POISON-06", features=_FEATURES)
def test_reports_of_drivers_with_other_poison(session: DeviceSession) -> None:
    """After a report of each driver its pages hold its own poison_val, whatever the drivers before wrote."""
    for capability in _NEEDS:
        session.need(capability)
    for number, (value, first) in enumerate(_DRIVERS):
        if number:
            session.reset()
        _begin(session, value)
        _report(session, f"p{number + 1}", PageSet([(first, _COUNT)]), value)


def _begin(session: DeviceSession, value: bytes) -> None:
    offered, profile = session.offered(), session.profile
    wanted = offered & profile.mask([*_FEATURES, "VERSION_1"])
    if not profile.mask(_FEATURES) & ~wanted and session.negotiate(wanted, offered):
        session.write_configuration(POISON_VAL.offset_bytes, value)
        session.read_configuration(POISON_VAL.offset_bytes, POISON_VAL.length_bytes)
        session.driver_ok()
        return
    raise NotExercised("the device does not offer PAGE_POISON and PAGE_REPORTING, or refuses the two alone")


def _report(session: DeviceSession, name: str, pages: PageSet, value: bytes) -> None:
    """Fill pages, report them, and look at them until the report is back, and after it."""
    if pages - session.memory:
        raise NotExercised(f"the guest has no pages {pages}; give it the memory that start asks for")
    session.write_pages(pages, value)
    segments = tuple(ev.Segment(run.count << PAGE_SHIFT, True, run.first << PAGE_SHIFT) for run in pages)
    queue = session.index(REPORTING)
    session.make_available(queue, Buffer(name, writable_bytes=pages.size_bytes, segments=segments))
    session.wait_for(lambda seen: isinstance(seen, ev.Used) and seen.buffer == name)
    session.look(pages)
