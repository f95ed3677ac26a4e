"""When a change of a hinted page counts: what one look finds was done by then, whatever is told of it first."""

from __future__ import annotations

import pytest
from hint_traces import HINTED, OVER, ROUND, gone, names, says, shows, used
from judge_script import DEVICE_QUIET

from balloon_spec import events as ev
from balloon_spec.judge import Judge
from balloon_spec.pages import PageSet
from balloon_spec.profiles import MAINLINE

HALF = [*ROUND, names("i", 0x3000, 2, skew=0x800), used(3, "i"), says("z", 0), used(3, "z"), shows(1)]


def blamed(*events):
    judge = Judge(MAINLINE)
    return [one.requirement for one in judge.feed_all(events) if one.subject is ev.Side.DEVICE]


def overwritten(*runs, fill=b""):
    return ev.Overwritten(PageSet.parse(*runs), fill=fill)


def test_what_was_overwritten_by_the_first_look_after_done_may_have_been_before_it():
    assert blamed(*OVER, gone(), overwritten("0x1000+4"), overwritten("0x1100")) == []
    assert blamed(*OVER, gone("0x1000+4"), overwritten("0x1100")) == []


def test_the_half_of_a_page_that_is_hinted_may_change_until_done():
    # The device that zeroes what is hinted, and is done when the driver is: v86.
    assert (
        blamed(*HALF, gone(HINTED), ev.Overwritten(PageSet.parse("0x3000"), spans=((0x3000800, 0x800),)))
        == []
    )


@pytest.mark.parametrize("between", [[], [DEVICE_QUIET]], ids=["at-once", "later"])
@pytest.mark.parametrize(
    "found", [[gone("0x1000")], [gone(), overwritten("0x1000")]], ids=["zeros", "others"]
)
def test_what_a_second_look_finds_was_done_after_done(between, found):
    assert blamed(*OVER, gone(), *between, *found) == ["HINT-20"]


def test_a_page_that_no_hint_names_is_not_the_devices():
    assert blamed(*OVER, gone(), overwritten("0x900")) == ["INF-08"]
