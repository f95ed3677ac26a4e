"""Scenarios of hinting and reporting with a driver whose guest nobody steers."""

from __future__ import annotations

import pytest

from balloon_conformance.families.free_page_hint import round_scenarios
from balloon_conformance.families.free_page_hint.driver_reference import HintsOfDriver
from balloon_conformance.iut.reference.free_driver import FreeReferenceDriver
from balloon_conformance.reference.driver import Driver
from balloon_conformance.running.case import carry_out
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import of
from balloon_spec import events as ev
from balloon_spec.families.free_page_hint import STOP
from balloon_spec.profiles import MAINLINE

PAGES = 0x4000
HINTS = {f"HINT-{number:02}" for number in (1, 2, 3, 4, 6, 11, 12, 13, 14, 30, 32)}


def play(function, *arguments, make=Driver):
    session = DriverSession(FreeReferenceDriver(make), MAINLINE, memory_pages=PAGES)

    def action():
        function(session, *arguments)
        return ()

    return carry_out(of(function), session, action), session


@pytest.mark.parametrize(
    ("function", "arguments", "more"),
    [
        (round_scenarios.test_rounds_that_are_followed_to_their_end, (), {"HINT-10"}),
        (round_scenarios.test_a_round_without_room, (STOP,), {"HINT-05"}),
        (round_scenarios.test_a_round_without_room, (40,), set()),
    ],
)
def test_the_reference_passes_and_what_a_scenario_is_about_is_decided(function, arguments, more):
    outcome, session = play(function, *arguments)
    assert (outcome.status, outcome.reason) == (Status.PASSED, "")
    assert outcome.exercised.keys() >= HINTS | more
    assert not [slip for slip in session.slips if slip.level.binding]


def test_reports_come_back_at_once_and_the_guest_is_seen_to_leave_them_alone():
    outcome, session = play(round_scenarios.test_rounds_that_are_followed_to_their_end)
    told = [entry.event for entry in session.trace if _is_of_reporting(entry.event, session)]
    assert [type(event) for event in told] == [ev.Available, ev.Used]
    assert outcome.exercised.keys() >= {"REPORT-03", "REPORT-04", "REPORT-08"}


def _is_of_reporting(event, session):
    return isinstance(event, ev.Available | ev.Used) and str(session.queue(event.queue)) == "reporting"


class KeepsPagesForEver(HintsOfDriver):
    """Never gives hinted pages back."""

    def release(self, state):
        return state


class StopsLate(HintsOfDriver):
    """Hints on, whatever the register says."""

    def end_round(self, state):
        return super().end_round(state) if not self.free(state) else (state, ())


@pytest.mark.parametrize(
    ("part", "function", "arguments", "requirement"),
    [
        (KeepsPagesForEver, round_scenarios.test_rounds_that_are_followed_to_their_end, (), "HINT-10"),
        (StopsLate, round_scenarios.test_a_round_without_room, (STOP,), "HINT-05"),
    ],
)
def test_what_is_wrong_is_found(part, function, arguments, requirement):
    outcome, _ = play(function, *arguments, make=lambda options: Driver(options, (part,)))
    assert requirement in {one.requirement for one in (*outcome.findings, *outcome.advice)}
