"""The generation of the configuration space: what changed is of another, and nothing else has to be."""

import pytest
from judge_script import PROFILE, space, start, target

from balloon_spec import events as ev
from balloon_spec.judge import Judge


def judged(*events):
    judge = Judge(PROFILE)
    findings = judge.feed_all([*start(), *events])
    return [(one.requirement, one.seen) for one in findings], judge.exercised["CFG-16"]


def reads(num_pages, generation, actual=0):
    return ev.ConfigurationRead(0, space(num_pages, actual), generation)


WISH = ev.Operator(ev.OperatorAction.TARGET, 5)


@pytest.mark.parametrize("generation", [8, 0, 0xFFFFFFFF])
def test_any_other_generation_will_do(generation):
    assert judged(reads(0, 7), WISH, target(5), reads(5, generation)) == ([], 1)


@pytest.mark.parametrize("announced", [[target(5)], []])
def test_the_same_will_not_whether_the_change_was_announced_or_not(announced):
    findings, _ = judged(reads(0, 7), WISH, *announced, reads(5, 7))
    assert findings == [("CFG-16", "7")]


def test_each_read_is_held_against_the_one_before_it():
    assert judged(reads(0, 7), WISH, target(5), reads(5, 8), reads(5, 8)) == ([], 1)


def test_a_device_may_change_it_for_no_reason():
    assert judged(reads(0, 7), reads(0, 8), reads(0, 9)) == ([], 0)


def test_what_the_driver_writes_itself_is_no_news_to_it():
    written = ev.ConfigurationWritten(4, space(0, 0)[4:])
    assert judged(reads(0, 7, 3), written, reads(0, 7, 0))[1] == 0
    # That the device takes a store to num_pages is CFG-09, and not about the generation.
    findings, times = judged(reads(0, 7), ev.ConfigurationWritten(0, space(9)[:4]), reads(9, 7))
    assert (("CFG-16", "7") in findings, times) == (False, 0)


def test_a_part_of_a_word_tells_nothing():
    assert judged(reads(0, 7), WISH, target(5), ev.ConfigurationRead(0, b"\5\0", 7)) == ([], 0)


def test_a_reset_begins_anew():
    assert judged(reads(0, 7), WISH, target(5), ev.Reset(), *start(), reads(5, 7)) == ([], 0)


def test_without_a_generation_nothing_is_told():
    assert judged(reads(0, None), WISH, target(5), reads(5, None)) == ([], 0)
    assert judged(reads(0, 7), WISH, target(5), reads(5, None)) == ([], 0)
