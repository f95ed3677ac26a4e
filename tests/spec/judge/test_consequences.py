"""What a buffer held at first is not blamed where the driver was still writing to it."""

from __future__ import annotations

from judge_script import INFLATE, A, B, chunk, inflate, message, start, used

from balloon_spec import events as ev
from balloon_spec.families.base.consequences import causes
from balloon_spec.judge import Judge
from balloon_spec.profiles import CHUNK_TRANSFER

DIRTY = chunk(0x1000, 4, 1)


def left(*events):
    everything = [*start(), *events]
    return [one.requirement for one in causes(Judge(CHUNK_TRANSFER).feed_all(everything), everything)]


def altered(data, name="m"):
    return ev.BufferAltered(INFLATE, name, data, ev.Side.DRIVER)


def test_what_a_buffer_held_before_it_changed_in_flight_is_not_blamed():
    assert left(inflate("m", DIRTY), altered(message(A))) == ["BUF-01"]
    assert left(inflate("m", DIRTY, ident=3), altered(message(A)), altered(message(B))) == [
        "BUF-01",
        "BUF-01",
    ]


def test_what_no_change_explains_is_blamed():
    assert left(inflate("m", DIRTY)) == ["CHUNK-03"]
    assert left(inflate("m", DIRTY), inflate("n", B), altered(message(A), "n")) == ["CHUNK-03", "BUF-01"]
    # The name is used again for another buffer.
    assert left(inflate("m", DIRTY), used(INFLATE, "m"), inflate("m", B), altered(message(A))) == [
        "CHUNK-03",
        "BUF-01",
    ]


def test_what_a_buffer_says_about_pages_stays_blamed():
    assert left(inflate("m", A), used(INFLATE, "m"), inflate("n", A), altered(message(B), "n")) == [
        "INF-11",
        "BUF-01",
    ]


def test_a_change_of_a_buffer_that_nobody_saw_explains_nothing():
    assert left(altered(message(A))) == ["BUF-01"]


def test_a_change_that_the_device_made_explains_nothing():
    by_device = ev.BufferAltered(INFLATE, "m", message(A), ev.Side.DEVICE)
    assert left(inflate("m", DIRTY), by_device) == ["CHUNK-03", "BUF-02"]
