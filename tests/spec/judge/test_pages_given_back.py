"""When a driver owes hints of pages that it hinted before DONE (HINT-10), and when it has a reason not to."""

from __future__ import annotations

import pytest
from hint_traces import HINTS, ID, QUEUE, VERSION, back, names, reads, says, shows
from judge_script import DRIVER_QUIET, start

from balloon_spec import events as ev
from balloon_spec.events import Segment
from balloon_spec.judge import Judge
from balloon_spec.profiles import MAINLINE

PAGES = 4096
REPORTING = 1 << 5
BEFORE = [
    *start(VERSION | HINTS | REPORTING),
    reads(0),
    shows(ID),
    says("c", ID),
    names("h", pages=PAGES),
    says("z", 0),
    *back("c", "h", "z"),
    shows(1),
]
AFTER = [shows(ID + 1), says("d", ID + 1), says("y", 0)]
REPORT = ev.Available(
    QUEUE + 1, "r", b"", PAGES << 12, segments=(Segment(PAGES << 12, writable=True, address=0x1000 << 12),)
)


def blamed(*events):
    judge = Judge(MAINLINE)
    return {one.requirement for event in events for one in judge.feed(event)}


@pytest.mark.parametrize("knows", [[reads(1)], [ev.Quiet(ev.Side.DRIVER, 0.2)]], ids=["read", "given-time"])
def test_a_driver_that_knows_of_done_has_its_pages_to_hint_again(knows):
    assert blamed(*BEFORE, *knows, *AFTER) == {"HINT-10"}


@pytest.mark.parametrize("between", [[], [DRIVER_QUIET]], ids=["nothing", "no-time"])
def test_a_driver_that_missed_done_keeps_its_pages(between):
    assert blamed(*BEFORE, *between, *AFTER) == set()


def test_what_the_driver_reads_late_says_what_it_knows():
    published, *rest = AFTER
    assert blamed(*BEFORE, published, reads(ID + 1), *rest) == set()
    assert blamed(*BEFORE, published, reads(1), reads(ID + 1), *rest) == {"HINT-10"}


def test_a_done_that_was_missed_is_made_up_for_by_the_next():
    again = [shows(1), reads(1), shows(ID + 2), says("e", ID + 2), says("x", 0)]
    assert blamed(*BEFORE, *AFTER, *back("d", "y"), *again) == {"HINT-10"}


def test_pages_that_are_reported_are_not_there_to_be_hinted():
    assert blamed(*BEFORE, reads(1), REPORT, *AFTER) == set()
    returned = ev.Used(QUEUE + 1, "r")
    assert blamed(*BEFORE, reads(1), REPORT, returned, *AFTER) == {"HINT-10"}
