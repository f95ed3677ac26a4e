"""What a reset leaves: the target, one of two counts, and wishes that may be dropped."""

import pytest
from judge_script import (
    DEVICE_QUIET,
    INFLATE,
    PROFILE,
    A,
    actual,
    inflate,
    start,
    used,
)

from balloon_spec import events as ev
from balloon_spec.judge import Judge

PLAIN = start(posts=False)


def judged(*events):
    judge = Judge(PROFILE)
    return judge, [finding.requirement for finding in judge.feed_all(events)]


def space(num_pages, count=0):
    return ev.ConfigurationRead(0, num_pages.to_bytes(4, "little") + count.to_bytes(4, "little"))


def wish(pages):
    return ev.Operator(ev.OperatorAction.TARGET, pages)


@pytest.mark.parametrize(("seen", "findings", "count"), [(19, [], 1), (0, ["RESET-10"], 1), (20, [], 0)])
def test_a_target_that_was_read_outlives_a_reset(seen, findings, count):
    # Another target than those of the trace may be that of an operator nobody saw.
    judge, found = judged(*PLAIN, space(19), ev.Reset(), *PLAIN, space(seen))
    assert (found, judge.exercised["RESET-10"]) == (findings, count)
    assert judged(*PLAIN, space(19), ev.Reset(), ev.Reset(), *PLAIN, space(seen))[1] == findings


def test_a_target_that_nobody_knew_is_not_missed():
    judge, found = judged(*PLAIN, ev.Reset(), *PLAIN, space(7))
    assert (found, judge.exercised["RESET-10"]) == ([], 0)


def test_a_wish_that_was_not_announced_yet_may_stand_there_or_be_on_its_way():
    assert judged(*PLAIN, space(19), wish(7), ev.Reset(), *PLAIN, space(7))[0].exercised["RESET-10"] == 1
    assert judged(*PLAIN, space(19), wish(7), ev.Reset(), *PLAIN, space(19))[1] == []
    assert judged(*PLAIN, space(19), wish(7), ev.Reset(), *PLAIN, space(0))[1] == ["RESET-10"]


def test_a_wish_that_came_while_the_device_was_reset_counts():
    assert judged(*PLAIN, space(19), ev.Reset(), wish(7), *PLAIN, space(7))[1] == []


@pytest.mark.parametrize("seen", [0, 3, 4])
def test_an_actual_that_the_device_may_have_changed_before_the_reset_is_not_laid_to_the_reset(seen):
    # v86 counts the pages of each inflate buffer into it, and keeps it over a reset.
    events = [*PLAIN, space(19, 3), inflate("a", A), used(INFLATE, "a"), ev.Reset(), *PLAIN, space(19, seen)]
    judge, found = judged(*events)
    assert (found, judge.exercised["RESET-11"]) == ([], 0)


@pytest.mark.parametrize(("seen", "findings"), [(0, []), (3, []), (4, ["RESET-11"])])
def test_an_actual_that_does_not_read_back_may_stay_what_it_was(seen, findings):
    events = [*PLAIN, actual(0), space(19, 3), ev.Reset(), *PLAIN, space(19, seen)]
    judge, found = judged(*events)
    assert (found, judge.exercised["RESET-11"]) == (["CFG-06", *findings], 1)


@pytest.mark.parametrize(("seen", "findings"), [(0, []), (3, []), (4, ["RESET-11"])])
def test_actual_begins_anew_or_stays(seen, findings):
    judge, found = judged(*PLAIN, space(19, 3), ev.Reset(), *PLAIN, space(19, seen))
    assert (found, judge.exercised["RESET-11"]) == (findings, 1)


def test_actual_is_the_drivers_again_once_it_wrote_there():
    judge, found = judged(*PLAIN, space(0, 3), ev.Reset(), *PLAIN, actual(0), space(0, 0))
    assert (found, judge.exercised["RESET-11"]) == ([], 0)


def test_a_change_before_driver_ok_is_for_nobody():
    early, late = PLAIN[:-1], PLAIN[-1]
    told = ev.ConfigurationChanged((7).to_bytes(4, "little") + bytes(4))
    assert judged(*early, wish(7), told, late)[1] == ["CFG-13"]
    judge, found = judged(*early, wish(7), late, space(7), DEVICE_QUIET)
    assert (found, judge.exercised["CFG-13"]) == ([], 1)
    assert "CFG-13" not in judged(*early, ev.NeedsReset(), told, late)[1]


def test_a_wish_of_before_driver_ok_is_found_where_the_driver_looks():
    early, late = PLAIN[:-1], PLAIN[-1]
    # It is not notified, and before it looked nobody knows.
    assert judged(*early, wish(7), DEVICE_QUIET, late, DEVICE_QUIET)[1] == []
    assert judged(*early, wish(7), late, space(0), DEVICE_QUIET)[1] == ["CFG-07"]
    assert judged(*early, late, wish(7), space(0), DEVICE_QUIET)[1] == ["CFG-07"]


def test_an_old_wish_may_be_dropped_at_a_reset():
    old = ev.Operator(ev.OperatorAction.STATISTICS)
    assert judged(*PLAIN, old, ev.Reset(), *PLAIN, DEVICE_QUIET)[0].exercised["RESET-12"] == 1
    assert judged(*PLAIN, ev.Reset(), *PLAIN, DEVICE_QUIET)[0].exercised["RESET-12"] == 0


def test_of_early_buffers_a_device_looks_for_those_on_two_queues():
    early, late = PLAIN[:-1], PLAIN[-1]
    quiet = ev.Available(INFLATE, "m1", inflate("m1", A).readable, notified=False)
    judge, found = judged(*early, quiet, late, DEVICE_QUIET)
    assert (found, judge.exercised["QUEUE-04"]) == ([], 0)
    assert "QUEUE-07" in str(
        judged(*early, quiet, late, ev.Notified(ev.Side.DRIVER, INFLATE), DEVICE_QUIET)[1]
    )
