"""Between a reset and the next negotiation a driver does nothing, whatever anybody asks of it."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.sight import Fact
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.pages import PageSet

_FIRST, _SECOND = PageSet([(0x800, 4)]), PageSet([(0x1000, 2)])
_QUIET_SECONDS = 0.1


@scenario(Side.DRIVER, "RESET-09")
@pytest.mark.parametrize("reason", ["a-buffer-in-flight", "pages-given-up", "pages-wanted-back"])
def test_nothing_comes_without_a_device(session: DriverSession, reason: str) -> None:
    """A driver that has a reason to act when it is reset, or gets one later, waits for a device."""
    if hidden := session.unseen.get(Fact.UNBOUND):
        raise NotExercised(hidden)
    hosting = Hosting(session)
    hosting.begin()
    hosting.aim(_FIRST.pages, inflate=_FIRST)
    if reason == "a-buffer-in-flight":
        hosting.take_in()
    else:
        session.need(Capability.STEER_PAGES)
        if not hosting.serve():
            return
    session.reset()
    if reason == "pages-given-up":
        session.steer(ev.GuestAction.INFLATE, _SECOND)
    elif reason == "pages-wanted-back":
        session.steer(ev.GuestAction.DEFLATE, _FIRST)
    session.settle(_QUIET_SECONDS)
    # The host may have changed the target meanwhile, and the driver reads the new one now.
    again = Hosting(session)
    again.target = _SECOND.pages
    again.begin()
    session.settle(_QUIET_SECONDS)
