"""What a device may not change in the configuration space, and what it may announce as often as it likes."""

import pytest
from judge_script import (
    DEFLATE,
    DEVICE_QUIET,
    DRIVER_QUIET,
    INFLATE,
    MEMORY,
    MESSAGES,
    PROFILE,
    STATISTICS,
    B,
    actual,
    chunk,
    deflate,
    held,
    inflate,
    request,
    space,
    start,
    target,
    used,
)

from balloon_spec import events as ev
from balloon_spec.judge import Judge
from balloon_spec.pages import PageSet


def judged(*events):
    judge = Judge(PROFILE)
    return judge, [finding.requirement for finding in judge.feed_all(events)]


def reads(num_pages, actual=0):
    return ev.ConfigurationRead(0, space(num_pages, actual))


def wishes(pages):
    return ev.Operator(ev.OperatorAction.TARGET, pages)


STIRS = {
    "a target": [wishes(5), ev.ConfigurationChanged(space(5, 4))],
    "an inflate buffer": [inflate("n", B), used(INFLATE, "n")],
    "a deflate buffer": [deflate("d", chunk(0x1000, 1)), used(DEFLATE, "d")],
    "statistics": [used(STATISTICS, "s0")],
    "a write to num_pages": [ev.ConfigurationWritten(0, space(9)[:4])],
}


@pytest.mark.parametrize("stir", STIRS.values(), ids=STIRS)
def test_actual_is_kept_only_if_something_could_have_changed_it(stir):
    judge, findings = judged(*held(), reads(0, 4), reads(0, 4))
    assert judge.exercised["CFG-08"] == 0
    judge.feed_all(stir)
    assert judge.feed_all([reads(0, 4)]) == []
    assert judge.exercised["CFG-08"] == 1
    assert findings == []


@pytest.mark.parametrize("stir", STIRS.values(), ids=STIRS)
def test_actual_that_changes_by_itself_is_found_after_whatever_did_it(stir):
    _, findings = judged(*held(), reads(0, 4), *stir, reads(0, 0))
    assert findings[-1] == "CFG-08"


def test_a_request_does_not_change_an_actual_that_nobody_wrote():
    _, findings = judged(*start(), reads(0, 12), request(), reads(0, 7))
    assert findings == ["CFG-08"]


def test_what_stands_there_before_driver_ok_may_still_change():
    _, findings = judged(*start(MESSAGES, driver_ok=False, posts=False), reads(0, 7), ev.DriverOk(), reads(0))
    assert findings == []


def test_a_target_that_stood_there_from_the_start_is_no_effect_of_a_write():
    judge, findings = judged(*start(), ev.ConfigurationWritten(0, space(9)[:4]), reads(40))
    assert findings == ["CFG-02"]
    assert judge.exercised["CFG-09"] == 0


def test_a_needless_notification_is_held_against_no_later_wish():
    judge, findings = judged(*start(), reads(7), wishes(9), target(7), reads(7))
    assert findings == []
    assert judge.exercised["CFG-07"] == 0
    assert judge.feed_all([target(9), reads(9), DEVICE_QUIET]) == []
    assert judge.exercised["CFG-07"] == 1


def test_a_notification_of_what_stood_there_does_not_answer_the_wish():
    _, findings = judged(*start(), reads(7), wishes(9), target(7), reads(7), DEVICE_QUIET)
    assert findings == ["CFG-07"]


def test_one_read_may_be_late_and_not_two():
    assert judged(*start(), reads(0), wishes(9), target(9), reads(0), reads(9))[1] == []
    assert judged(*start(), reads(0), wishes(9), target(9), reads(0), reads(0))[1] == ["CFG-12"]


def test_a_notification_that_was_under_way_shows_the_actual_of_its_moment():
    _, findings = judged(
        *held(), reads(0, 4), wishes(9), actual(3), ev.ConfigurationChanged(space(9, 4)), reads(9, 3)
    )
    assert findings == ["DEF-11"]
    _, findings = judged(
        *held(), reads(0, 4), actual(3), wishes(9), ev.ConfigurationChanged(space(9, 4)), reads(9, 3)
    )
    assert findings == ["DEF-11", "CFG-12"]


@pytest.mark.parametrize("since", [wishes(3), ev.ConfigurationWritten(4, space(0, 3)[4:])])
def test_a_notification_says_nothing_of_what_came_after_it(since):
    _, findings = judged(*held(), ev.ConfigurationChanged(space(0, 4)), since, reads(3, 3))
    assert "CFG-12" not in findings


def test_a_part_of_actual_that_reads_otherwise_at_once_lies_elsewhere():
    _, findings = judged(*held(), reads(9, 4), ev.ConfigurationRead(2, bytes.fromhex("00 00 00 00")))
    assert findings == ["CFG-01"]
    _, findings = judged(*held(), reads(9, 4), ev.ConfigurationRead(2, bytes.fromhex("00 00 04 00")))
    assert findings == []
    _, findings = judged(
        *held(), reads(9, 4), inflate("n", B), used(INFLATE, "n"), ev.ConfigurationRead(4, b"\x05")
    )
    assert findings == ["CFG-08"]


LARGE = 0x4001


def test_a_target_beyond_memory_that_is_announced_counts_like_any_other():
    judge, findings = judged(*start(), reads(0), wishes(LARGE), target(LARGE), reads(LARGE), DEVICE_QUIET)
    assert findings == []
    assert (judge.exercised["CFG-07"], judge.exercised["CFG-11"] > 0) == (1, True)


@pytest.mark.parametrize("does", [[], [target(0x4000), reads(0x4000)]], ids=["ignored", "cut-to-memory"])
def test_a_target_beyond_memory_need_not_be_carried_out(does):
    _, findings = judged(*start(), reads(0), wishes(LARGE), *does, DEVICE_QUIET)
    assert findings == []


def test_a_target_of_all_of_memory_is_one():
    assert judged(*start(), reads(0), wishes(0x4000), DEVICE_QUIET)[1] == ["CFG-07"]
    assert judged(*start(), reads(0), wishes(0x4000), target(0x3FFF))[1] == ["CFG-11"]


def test_what_a_device_makes_of_a_target_out_of_reach_may_be_read_before_it_is_announced():
    judge, findings = judged(*start(), target(4), wishes(MEMORY.pages + 1), reads(MEMORY.pages))
    assert findings == []
    assert judge.feed_all([ev.ConfigurationChanged(space(MEMORY.pages)), reads(MEMORY.pages)]) == []
    assert judge.feed_all([reads(5)])[0].requirement == "CFG-11"


def test_a_balloon_of_more_pages_than_actual_can_say_is_not_what_actual_counts():
    vast = [ev.Memory(PageSet([(0, 1 << 40)])) if isinstance(one, ev.Memory) else one for one in start()]
    given_up = [target(0xFFFFFFFF), inflate("m", chunk(0x1000, 1 << 33)), used(INFLATE, "m")]
    _, findings = judged(*vast, *given_up, actual(5))
    assert findings == ["CFG-05"]


@pytest.mark.parametrize(
    ("events", "count"),
    [
        ([*start(), reads(0), wishes(LARGE), DEVICE_QUIET], 1),
        ([*start(), reads(0), wishes(LARGE), DRIVER_QUIET], 0),
        ([*start(), reads(0), wishes(5), target(5), DEVICE_QUIET], 0),
        ([*start(driver_ok=False, posts=False), wishes(LARGE), DEVICE_QUIET], 0),
    ],
    ids=["left", "the driver's time", "within memory", "before DRIVER_OK"],
)
def test_a_device_leaves_a_target_only_if_it_is_beyond_memory_and_the_device_had_its_time(events, count):
    judge, findings = judged(*events)
    assert (findings, judge.exercised["CFG-14"]) == ([], count)


@pytest.mark.parametrize(
    ("before", "shown", "requirement"),
    [
        (start(), (0, 9), "CFG-01"),
        (held(), (4, 9), "CFG-01"),
        # What stands in the other field is not the target either.
        (held(), (4, 12), "CFG-11"),
        (held(), (4, 8), "CFG-11"),
    ],
)
def test_fields_are_swapped_only_if_the_target_stands_in_the_other(before, shown, requirement):
    _, findings = judged(*before, wishes(9), ev.ConfigurationChanged(space(*shown)))
    assert findings == [requirement]


WORDS = space(9) + bytes(8)


@pytest.mark.parametrize(
    ("read", "findings", "count"),
    [
        (ev.ConfigurationRead(0, WORDS), [], 1),
        (ev.ConfigurationRead(0, WORDS[:8]), [], 1),
        (ev.ConfigurationRead(0, space(8) + bytes(8)), ["CFG-12"], 1),
        # A part of the two fields is not held against both of them.
        (ev.ConfigurationRead(0, WORDS[:4]), [], 0),
        (ev.ConfigurationRead(4, WORDS[4:12]), [], 0),
    ],
)
def test_a_notification_is_held_against_a_read_of_both_fields(read, findings, count):
    judge, found = judged(*start(), wishes(9), ev.ConfigurationChanged(WORDS), read)
    assert ([one for one in found if one == "CFG-12"], judge.exercised["CFG-12"]) == (findings, count)
