"""What cannot be broken as long as nobody said which pages there are is not counted as kept."""

import pytest
from judge_script import ARRAYS, DEFLATE, FULL, INFLATE, PROFILE, A, array, inflate, message, start

from balloon_spec import events as ev
from balloon_spec.judge import Judge


def without_memory(features):
    return [one for one in start(features, posts=False) if not isinstance(one, ev.Memory)]


@pytest.mark.parametrize(
    ("features", "buffer", "rests"),
    [
        (ARRAYS, ev.Available(INFLATE, "m", array(0x1000), notified=True), {"PFN-04", "PFN-08"}),
        (ARRAYS, ev.Available(DEFLATE, "m", array(0x1000), notified=True), {"PFN-04", "PFN-08"}),
        (FULL, inflate("m", A), {"CHUNK-05", "CHUNK-11"}),
    ],
)
def test_pages_and_byte_order_are_judged_by_a_memory_that_is_known(features, buffer, rests):
    judges = [Judge(PROFILE), Judge(PROFILE)]
    judges[0].feed_all([*start(features, posts=False), buffer])
    judges[1].feed_all([*without_memory(features), buffer])
    with_memory, without = (set(judge.exercised) for judge in judges)
    assert rests <= with_memory
    assert with_memory - without == rests


def test_a_message_that_does_not_fit_its_length_may_be_an_array_of_pages_nobody_knows():
    buffer = ev.Available(INFLATE, "m", array(0x1000, 0x1001, 0x1002, 0x1003), notified=True)
    with_memory, without = Judge(PROFILE), Judge(PROFILE)
    assert "INF-01" in {one.requirement for one in with_memory.feed_all([*start(posts=False), buffer])}
    assert without.feed_all([*without_memory(FULL), buffer])
    assert "INF-01" not in without.exercised


def test_pages_beyond_every_memory_are_wrong_whether_it_is_known_or_not():
    judge = Judge(PROFILE)
    last = (1 << 64) - 4096
    beyond = last.to_bytes(8, "little") + (2 << 12).to_bytes(8, "little")
    found = judge.feed_all(
        [*without_memory(FULL), ev.Available(INFLATE, "m", message(beyond), notified=True)]
    )
    assert [one.requirement for one in found] == ["CHUNK-05"]
