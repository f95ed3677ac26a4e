"""What the host has of the statistics is what was sent, however the buffer was arranged."""

import pytest
from judge_script import MESSAGES, PROFILE, STATISTICS, start, statistics, used

from balloon_spec import events as ev
from balloon_spec.families.statistics.events import StatisticsRead
from balloon_spec.judge import Judge

UNKNOWN = (0x1234, 9)
FIRST = ((4, 0x100), (5, 0x200), UNKNOWN)


def judged(*events):
    judge = Judge(PROFILE)
    return judge, [one.requirement for one in judge.feed_all(events) if one.subject is ev.Side.DEVICE]


def sent(name, *entries):
    return ev.Available(STATISTICS, name, statistics(*entries))


def after(*entries, again=()):
    """The first buffer came back and the host was seen to know of both statistics; then ``entries`` did too."""
    begin = [*start(MESSAGES, posts=False), sent("a", *FIRST), used(STATISTICS, "a")]
    return [*begin, StatisticsRead(FIRST[:2]), sent("b", *entries), used(STATISTICS, "b"), *again]


@pytest.mark.parametrize(
    ("entries", "host", "findings"),
    [
        ((UNKNOWN, (4, 1), (5, 2)), {4: 1, 5: 2}, []),
        ((UNKNOWN, (4, 1), (5, 2)), {4: 1, 5: 2, 0x1234: 9}, []),
        ((UNKNOWN, (4, 1), (5, 2)), {}, ["STATS-07"]),
        ((UNKNOWN, (4, 1), (5, 2)), {4: 9, 5: 1}, ["STATS-07"]),
        (((4, 1), UNKNOWN, (5, 2)), {4: 1}, ["STATS-07"]),
        (((4, 1), UNKNOWN, (5, 2)), {4: 1, 5: 9}, ["STATS-07"]),
        (((4, 1), UNKNOWN, (5, 2)), {4: 3, 5: 2}, ["STATS-12"]),
        (((5, 2), (4, 1), UNKNOWN), {4: 1, 5: 2}, []),
        (((5, 2), (4, 1), UNKNOWN), {4: 2, 5: 1}, ["STATS-08"]),
        # A tag that is read in 8 bits alone.
        (((4, 1), (5, 2), (0x0104, 9)), {4: 9, 5: 2}, ["STATS-07"]),
        (((4, 1), (5, 2), UNKNOWN), {4: 1 << 56, 5: 2 << 56}, ["STATS-12"]),
        (((4, 1), (5, 2), UNKNOWN), {4: 0x100, 5: 0x200}, ["STATS-12"]),
        (((4, 1), (5, 2), UNKNOWN), {4: 1}, ["STATS-12"]),
        # The low half of each value: the entries were found, in whatever order and behind whatever tag.
        ((UNKNOWN, (4, 1 << 32 | 5), (5, 2)), {4: 5, 5: 2}, ["STATS-12"]),
        ((UNKNOWN, (4, 1 << 32), (5, 3 << 32 | 6)), {4: 0, 5: 6}, ["STATS-12"]),
        (((5, 3 << 32 | 6), (4, 1 << 32 | 5), UNKNOWN), {4: 5, 5: 6}, ["STATS-12"]),
        ((UNKNOWN, (4, 1 << 32 | 5), (5, 2)), {4: 5, 5: 7}, ["STATS-07"]),
        ((UNKNOWN, (4, 1 << 32), (5, 2)), {4: 0, 5: 2}, ["STATS-07"]),
        # A tag that stands there twice has either value.
        (((4, 1), (4, 3), (5, 2), UNKNOWN), {4: 3, 5: 2}, []),
    ],
)
def test_what_the_host_has_is_what_was_returned_last(entries, host, findings):
    assert judged(*after(*entries), StatisticsRead(tuple(host.items())))[1] == findings


def test_a_buffer_that_is_not_returned_yet_may_have_been_read():
    third = sent("c", (4, 7), (5, 8), UNKNOWN)
    events = after((4, 1), (5, 2), UNKNOWN, again=[third])
    for host in (((4, 7), (5, 8)), ((4, 1), (5, 2))):
        assert judged(*events, StatisticsRead(host))[1] == []
    # So may the low half of each of its values.
    long = sent("c", UNKNOWN, (4, 1 << 32 | 7), (5, 1 << 32 | 8))
    events = after(UNKNOWN, (4, 1 << 32 | 1), (5, 2), again=[long])
    assert judged(*events, StatisticsRead(((4, 7), (5, 8))))[1] == ["STATS-12"]
    events = after((4, 1), (5, 2), UNKNOWN, again=[third])
    # Half of each is of neither.
    assert judged(*events, StatisticsRead(((4, 7), (5, 2))))[1] == ["STATS-12"]


def test_a_statistic_that_the_host_never_had_it_need_not_know():
    events = [*start(MESSAGES, posts=False), sent("a", *FIRST), used(STATISTICS, "a")]
    judge, found = judged(*events, StatisticsRead(((4, 0x100),)))
    assert (found, judge.exercised["STATS-12"]) == ([], 1)
    # A host that shows nothing kept nothing.
    assert judged(*events, StatisticsRead(()))[0].exercised["STATS-12"] == 0


def test_before_a_return_nothing_need_have_been_read():
    events = [*start(MESSAGES, posts=False), sent("a", *FIRST)]
    judge, found = judged(*events, StatisticsRead(((4, 1),)))
    assert (found, judge.exercised["STATS-12"]) == ([], 0)


def test_what_is_kept_is_what_could_have_been_broken():
    kept = judged(*after(UNKNOWN, (4, 1), (5, 2)), StatisticsRead(((4, 1), (5, 2))))[0].exercised
    before = judged(*after(UNKNOWN, (4, 1), (5, 2)))[0].exercised
    assert kept["STATS-07"] == before["STATS-07"] + 1
    assert kept["STATS-12"] == before["STATS-12"] + 1
