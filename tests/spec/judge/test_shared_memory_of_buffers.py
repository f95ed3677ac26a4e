"""Buffers in flight have memory of their own, where it matters."""

from __future__ import annotations

import pytest
from judge_script import INFLATE, A, B, message, start

from balloon_spec import events as ev
from balloon_spec.judge import Judge
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER, MAINLINE

LENGTH = len(message(A))
PAGES = 2 << 12


def verdict(events, profile=CHUNK_TRANSFER):
    """Return whether BUF-05 was broken, or kept; None if nothing decided it."""
    judge = Judge(profile)
    found = {one.requirement for event in events for one in judge.feed(event)}
    if "BUF-05" in found:
        return False
    return True if judge.exercised["BUF-05"] else None


def read(name, data, address, cut=None):
    return ev.Available(
        INFLATE,
        name,
        data,
        segments=(ev.Segment(LENGTH, address=address),)
        if cut is None
        else (ev.Segment(cut, address=address), ev.Segment(LENGTH - cut, address=address + 0x1000)),
    )


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        (read("n", message(A), 0x5000), True),
        (read("n", message(B), 0x5000), False),
        (read("n", message(B), 0x5000 + LENGTH), True),
        # They are alike in some bytes, and are not the same.
        (read("n", message(A), 0x5000 + LENGTH - 1), False),
        (read("n", message(A), 0x5000, cut=8), False),
    ],
)
def test_two_buffers_of_the_same_bytes_may_share_their_memory(second, kept):
    assert verdict([*start(), read("m", message(A), 0x5000), second]) is kept


def hint(name, address, readable=b"", writable=True):
    return ev.Available(
        3,
        name,
        readable,
        0 if readable else PAGES,
        segments=(ev.Segment(len(readable) or PAGES, writable and not readable, address),),
    )


MAINLINE_START = [
    ev.Negotiated(1 << 32 | 0b1010, 1 << 32 | 0b1010),
    ev.Memory(PageSet([(0, 0x1000)])),
    ev.DriverOk(),
]


@pytest.mark.parametrize(
    ("first", "second", "decided"),
    [
        # HINT-07: the guest has the page back when it likes, to hint it again or for whatever else.
        (hint("h", 0x8000), hint("i", 0x8000), None),
        (
            hint("h", 0x8000),
            ev.Available(0, "m", b"\0\0\0\0", segments=(ev.Segment(4, address=0x8010),)),
            None,
        ),
        (hint("c", 0x5000, b"\2\0\0\0"), hint("d", 0x5000, b"\3\0\0\0"), False),
        (hint("c", 0x5000, b"\0\0\0\0"), hint("d", 0x5000, b"\0\0\0\0"), True),
        # What is being read may not become what may be written.
        (hint("c", 0x5000, b"\0\0\0\0"), hint("h", 0x5000), False),
    ],
)
def test_a_hint_holds_no_memory_and_a_command_does(first, second, decided):
    assert verdict([*MAINLINE_START, first, second], MAINLINE) is decided
