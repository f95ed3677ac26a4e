"""Targets that a driver must handle: repeated, beyond the guest's size, reversed, across a reset."""

from __future__ import annotations

import pytest

from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting, actual_of
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.pages import PageSet

_BALLOON = PageSet([(0x1000, 1024)])
_HALF = PageSet([(0x1000, 512)])
_QUIET_SECONDS = 0.3
_TRYING_SECONDS = 3.0
_RECOVERING_SECONDS = 15.0

_ABOUT = ("INF-03", "INF-05", "INF-11", "DEF-03", "DEF-04", "CFG-03", "CFG-04", "CFG-05")


@scenario(Side.DRIVER, *_ABOUT)
def test_the_same_target_twice(session: DriverSession) -> None:
    """A target that is announced twice moves no page."""
    hosting = Hosting(session)
    hosting.begin()
    hosting.aim(_BALLOON.pages, inflate=_BALLOON)
    if not hosting.serve():
        return
    for _ in range(2):
        hosting.aim(_BALLOON.pages)
        hosting.serve_for(_TRYING_SECONDS, _QUIET_SECONDS)
    hosting.aim(0, deflate=_BALLOON)
    hosting.serve()
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, *_ABOUT, "INF-10")
def test_a_target_beyond_the_guest(session: DriverSession) -> None:
    """A driver approaches a target beyond what the guest can give, and leaves it again if it is lowered."""
    hosting = Hosting(session)
    hosting.begin()
    hosting.aim(hosting.memory_pages * 2, inflate=_BALLOON)
    hosting.serve_for(_TRYING_SECONDS, _QUIET_SECONDS)
    session.settle(_QUIET_SECONDS)
    hosting.aim(0, deflate=_BALLOON)
    hosting.serve_patiently(_RECOVERING_SECONDS)
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, *_ABOUT)
def test_a_target_that_turns_around(session: DriverSession) -> None:
    """A target is lowered while an inflate buffer is held back, and raised while a deflate buffer is."""
    hosting = Hosting(session)
    hosting.begin()
    hosting.aim(_BALLOON.pages, inflate=_BALLOON)
    if not hosting.take_in():
        return
    hosting.aim(_HALF.pages, deflate=_HALF)
    if not hosting.serve():
        return
    hosting.aim(0, deflate=_BALLOON)
    if not hosting.take_in():
        return
    hosting.aim(_HALF.pages, inflate=_HALF)
    hosting.serve()
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, *_ABOUT, "RESET-04", "RESET-05")
@pytest.mark.parametrize("when", ["on-its-way", "at-its-target"])
def test_a_reset_in_the_middle(session: DriverSession, when: str) -> None:
    """A driver that begins anew, before or after it reached the target, begins with an empty balloon."""
    hosting = Hosting(session)
    hosting.begin()
    hosting.aim(_BALLOON.pages, inflate=_BALLOON)
    if when == "on-its-way":
        hosting.take_in()
    elif not hosting.serve():
        return
    session.reset()
    again = Hosting(session)
    again.begin()
    again.aim(_HALF.pages, inflate=_HALF)
    if again.serve():
        again.aim(0, deflate=_HALF)
        again.serve()
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "QUEUE-09", "STATS-01", "REQ-01")
def test_nothing_but_what_is_due_at_first(session: DriverSession) -> None:
    """A driver that is asked for nothing makes its first buffers available and does nothing else."""
    hosting = Hosting(session)
    hosting.begin()
    for event in session.settle(_QUIET_SECONDS):
        if isinstance(event, ev.ConfigurationWritten):
            hosting.actual = actual_of(event)
