"""Reports by a driver that runs freely: held back, without page poison, and of pages that are relied on."""

from __future__ import annotations

from typing import Final

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.page_reporting import REPORT, REPORTING
from balloon_spec.pages import PageSet

_FEATURES: Final = frozenset({"PAGE_REPORTING"})
_ABOUT: Final = ("REPORT-03", "REPORT-04", "REPORT-05", "REPORT-08", "REPORT-09", "REPORT-10")
_PAGES: Final = 0x14000
"""320 MiB: Linux reports nothing unless some hundred MiB are free."""
_SECONDS: Final = 5.0
"""Linux looks for pages to report every two seconds."""
_REPORTS: Final = 3
_BALLOON: Final = PageSet([(0x800, 256)])
_FREE: Final = tuple(PageSet([(first, 64), (first + 128, 16)]) for first in (0x1000, 0x2000, 0x3000))


def _begin(session: DriverSession, *without: str) -> None:
    """Begin with a driver that reports, and has pages in its balloon, which it must not report."""
    hosting = Hosting(session)
    hosting.keeps |= {REPORTING}
    if "PAGE_REPORTING" not in hosting.begin(*without):
        raise NotExercised("the driver did not accept PAGE_REPORTING")
    hosting.aim(_BALLOON.pages, inflate=_BALLOON)
    if not hosting.serve():
        raise NotExercised("the driver does not fill its balloon, from which reports are to be told")


def _next(session: DriverSession, number: int) -> ev.Available | None:
    """Await the next report; a guest that can be told has some pages free for it."""
    if session.can(Capability.STEER_PAGES):
        session.steer(REPORT, _FREE[number])
    event = session.wait_for(
        lambda one: isinstance(one, ev.Available) and session.queue(one.queue) is REPORTING,
        max(_SECONDS, session.deadline_seconds),
    )
    return event if isinstance(event, ev.Available) else None


@scenario(Side.DRIVER, *_ABOUT, features=_FEATURES, memory_pages=_PAGES)
def test_reports_are_held(session: DriverSession) -> None:
    """Pages that are reported are left alone while their report is with the device, however long."""
    _begin(session)
    for number in range(_REPORTS):
        event = _next(session, number)
        if event is None and not number:
            raise NotExercised("the driver reports no pages, as it may")
        if event is None:
            break
        session.settle(session.deadline_seconds)
        session.use(event.queue, event.buffer, 0, b"")


@scenario(Side.DRIVER, "REPORT-08", "REPORT-09", "REPORT-04", features=_FEATURES, memory_pages=_PAGES)
def test_reports_without_page_poison(session: DriverSession) -> None:
    """A driver that is not offered page poison reports pages as they are, or none."""
    _begin(session, "PAGE_POISON")
    event = _next(session, 0)
    if event is None:
        raise NotExercised("the driver reports no pages, as it may")
    session.use(event.queue, event.buffer, 0, b"")


@scenario(Side.DRIVER, "REPORT-01", features=_FEATURES)
def test_reporting_is_offered_to_a_guest_that_relies_on_its_pages(session: DriverSession) -> None:
    """A guest that relies on its free pages does without reporting if page poison is not offered."""
    if session.can(Capability.STEER_PAGES):
        session.steer(ev.GuestAction.RELY, _FREE[0])
    Hosting(session).begin("PAGE_POISON")
    if not session.judge.exercised["REPORT-01"]:
        raise NotExercised("nobody said that the guest relies on what its free pages hold")
