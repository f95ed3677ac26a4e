"""What 0 in the register tells, and what hints between two copies are."""

from __future__ import annotations

from collections import Counter

import pytest
from hint_traces import (
    BEGUN,
    ENDED,
    HINTED,
    ID,
    OVER,
    ROUND,
    back,
    lost,
    names,
    reads,
    says,
    shows,
    wish,
)

from balloon_spec import events as ev
from balloon_spec.families.free_page_hint import END_HINTS, HINT, STOP_HINTS
from balloon_spec.judge import Judge
from balloon_spec.profiles import MAINLINE


def judged(*events):
    """Return what is broken, and how often each requirement was decided."""
    judge = Judge(MAINLINE)
    broken = {one.requirement for event in events for one in judge.feed(event)}
    return broken, Counter(judge.exercised)


@pytest.mark.parametrize("before", [ID, 0])
def test_a_0_that_stood_there_before_is_no_stop(before):
    told = judged(*ROUND, reads(before), wish(STOP_HINTS), reads(0))[1]
    assert ("HINT-15" in told) == (before == ID)


def test_a_0_that_is_announced_is_a_stop_whatever_stood_there():
    assert judged(*ROUND, reads(0), wish(STOP_HINTS), shows(0))[1]["HINT-15"] == 1


def test_a_0_is_not_the_drivers_doing_once_the_id_is_answered():
    store = ev.ConfigurationWritten(8, bytes(4))
    assert "HINT-29" not in judged(*ROUND, store, reads(0))[0]
    assert "HINT-29" in judged(*BEGUN, store, reads(0))[0]


def test_hints_between_two_copies_are_stale_in_the_second():
    between = [*OVER, names("i", 0x1800), *back("i")]
    second = [
        wish(HINT),
        shows(ID + 1),
        says("d", ID + 1),
        says("y", 0),
        *back("d", "y"),
        wish(END_HINTS),
        shows(1),
    ]
    assert "HINT-17" in judged(*between, *second, lost("0x1800"))[0]
    assert "HINT-17" not in judged(*between, *second, lost())[0]
    # Those of the first copy alone are nothing that anybody hinted for the second.
    assert judged(*OVER, *second, lost(HINTED))[0] == set()
    assert judged(*ENDED)[0] == set()
