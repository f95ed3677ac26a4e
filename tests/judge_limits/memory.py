"""Guest memory after buffers came back: what is gone, what is still there, and what should be."""

from __future__ import annotations

from judge_script import (
    DEFLATE,
    FULL,
    INFLATE,
    REQUESTS,
    STATISTICS,
    A,
    B,
    chunk,
    deflate,
    gone,
    held,
    inflate,
    message,
    post,
    request,
    start,
    statistics,
    unused,
    used,
)

from balloon_spec import events as ev
from balloon_spec.pages import PageSet

HELD = held(features=FULL)
FRONT = PageSet.parse("0x0+8192")
"""The first half of memory, which ends at page 0x2000."""
SHORT = [ev.Available(INFLATE, "short", b"\0" * 7), used(INFLATE, "short")]
REPORTED = [*start(), request(), unused("u", B), used(REQUESTS, "u")]
TAKEN_BACK = [*HELD, gone("0x1000+4"), deflate("d", A), used(DEFLATE, "d")]


def returned(*chunks, **fields):
    return [*start(), inflate("m", *chunks, **fields), used(INFLATE, "m")]


def overwritten(*runs):
    return ev.Overwritten(PageSet.parse(*runs))


def fails(side, failure):
    return ev.Failed(side, failure, "exit status 139")


LARGE = chunk(0x2000, 4)
"""As large as the pages held, and aligned as they are."""

FOUND = {
    "all pages are gone": ([*HELD, gone("0x1000+4")], []),
    "all but one page": ([*HELD, gone("0x1000+3")], ["CHUNK-13"]),
    "one more page": ([*HELD, gone("0x1000+5")], ["INF-08"]),
    "pages that were gone before": ([*HELD, gone("0x1000+4"), gone("0x1000+4")], []),
    "nobody looked there": ([*HELD, inflate("n", B), used(INFLATE, "n"), gone("0x1000+4", looked=FRONT)], []),
    "gone before the return": ([*start(), inflate("m", A), gone("0x1000+4")], []),
    "a device that never discards leaves a test undone": ([*returned(B, A), gone()], ["INF-07"]),
    "a device that discards leaves a test undone": (
        [*HELD, gone("0x1000+4"), inflate("n", chunk(0x3000, 1), LARGE), used(INFLATE, "n"), gone()],
        ["CHUNK-13"],
    ),
    # A host with larger pages gives back what lies whole in a run, and was seen to give back nothing smaller.
    "a test of less than a page of the host": (
        [*HELD, gone("0x1000+4"), inflate("n", chunk(0x3000, 1), B), used(INFLATE, "n"), gone()],
        ["INF-07"],
    ),
    "a test of as much as a page of the host, and between two": (
        [*HELD, gone("0x1000+4"), inflate("n", chunk(0x3002, 4), B), used(INFLATE, "n"), gone()],
        ["INF-07"],
    ),
    "a test around a page of the host": (
        [*HELD, gone("0x1000+4"), inflate("n", chunk(0x3003, 5), B), used(INFLATE, "n"), gone()],
        ["CHUNK-13"],
    ),
    "a test of as much as was given back before": (
        [
            *HELD,
            gone("0x1000+4"),
            inflate("n", B),
            used(INFLATE, "n"),
            gone("0x2000+2"),
            inflate("o", chunk(0x3800, 1), chunk(0x3002, 2)),
            used(INFLATE, "o"),
            gone(),
        ],
        ["CHUNK-13"],
    ),
    "a test of which a single page was given back": (
        [*HELD, gone("0x1000+4"), inflate("n", chunk(0x3000, 2), B), used(INFLATE, "n"), gone("0x3000")],
        ["CHUNK-13"],
    ),
    "a test of as much as was given back before the reset": (
        [
            *HELD,
            gone("0x1000+4"),
            ev.Reset(),
            *start(),
            inflate("n", chunk(0x3000, 1), B),
            used(INFLATE, "n"),
            gone(),
        ],
        ["INF-07"],
    ),
    "a page of the balloon is overwritten": ([*HELD, overwritten("0x1003")], []),
    "another page is overwritten": ([*HELD, overwritten("0x1004")], ["INF-08"]),
    "two harms at once": (
        [*returned(A, chunk(0x1800, 0), chunk(0x3FFF, 2)), gone("0x1000+4", "0x1800", "0x3fff")],
        ["CHUNK-05", "CHUNK-04", "CHUNK-09", "SAFE-11"],
    ),
    "a harm and something nobody named": (
        [*returned(A, chunk(0x1800, 0)), gone("0x1000+4", "0x1800+2")],
        ["CHUNK-04", "CHUNK-09", "SAFE-01"],
    ),
    "a short message and something nobody named": ([*start(), *SHORT, gone("0x3000")], ["HDR-01", "SAFE-08"]),
    "what was seen before is forgotten": (
        [*start(), *SHORT, gone(), inflate("m", A), used(INFLATE, "m"), gone("0x1000+4", "0x3000")],
        ["HDR-01", "INF-08"],
    ),
    "a reported page is gone": ([*REPORTED, gone("0x2001")], ["UNUSED-01"]),
    "a reported page is overwritten": ([*REPORTED, overwritten("0x2001")], ["UNUSED-01"]),
    "a reported page was inflated since": (
        [*REPORTED, inflate("m", B), used(INFLATE, "m"), gone("0x2000+2")],
        [],
    ),
    "a page that was taken back is gone": ([*TAKEN_BACK, gone("0x1000")], ["DEF-08"]),
    "a page that was taken back is overwritten": ([*TAKEN_BACK, overwritten("0x1003")], ["DEF-08"]),
    "a page that was taken back is given again": (
        [*TAKEN_BACK, inflate("n", A), used(INFLATE, "n"), gone("0x1000+4")],
        [],
    ),
    "a driver that ends is not the judge's": ([*start(), fails(ev.Side.DRIVER, ev.Failure.CRASH)], []),
    "a device that ends": ([*start(), fails(ev.Side.DEVICE, ev.Failure.CRASH)], ["SAFE-13"]),
    "a device that hangs": ([*start(), fails(ev.Side.DEVICE, ev.Failure.HANG)], ["SAFE-13"]),
    "a device that ends with good buffers in flight": (
        [*start(), inflate("m", A), inflate("n", B), fails(ev.Side.DEVICE, ev.Failure.CRASH)],
        ["SAFE-13"],
    ),
    "a device that ends after a malformed buffer": (
        [*start(), *SHORT, fails(ev.Side.DEVICE, ev.Failure.CRASH)],
        ["HDR-01", "SAFE-02"],
    ),
    "a device that hangs after a malformed buffer that came back": (
        [*start(), *SHORT, inflate("m", A), fails(ev.Side.DEVICE, ev.Failure.HANG)],
        ["HDR-01", "SAFE-12"],
    ),
    "a device that ends after a malformed buffer and a reset": (
        [*start(), *SHORT, ev.Reset(), *start(), fails(ev.Side.DEVICE, ev.Failure.CRASH)],
        ["HDR-01", "SAFE-02"],
    ),
    "a device that ends after a buffer too many": (
        [
            *start(),
            ev.Available(STATISTICS, "s1", statistics((4, 1))),
            fails(ev.Side.DEVICE, ev.Failure.CRASH),
        ],
        ["STATS-02", "SAFE-02"],
    ),
    "a device that gives up for nothing": ([*HELD, ev.NeedsReset()], ["QUEUE-07"]),
    "a device that gives up for good statistics": (
        [
            *start(),
            used(STATISTICS, "s0"),
            ev.Available(STATISTICS, "s1", statistics((4, 1))),
            ev.NeedsReset(),
        ],
        ["QUEUE-07"],
    ),
    "a device that gives up for a byte of statistics too many": (
        [*start(posts=False), ev.Available(STATISTICS, "s", statistics((4, 1)) + b"\0"), ev.NeedsReset()],
        ["STATS-04"],
    ),
    "a device that gives up for statistics with room for a byte": (
        [*start(posts=False), ev.Available(STATISTICS, "s", statistics((4, 1)), 1), ev.NeedsReset()],
        ["QUEUE-03"],
    ),
    "a device that gives up for a message with room for a byte": (
        [*start(), ev.Available(INFLATE, "m", message(A), 1), ev.NeedsReset()],
        ["QUEUE-03"],
    ),
    "a device that gives up for a long request buffer": (
        [*start(posts=False), post(size=17), ev.NeedsReset()],
        ["REQ-02"],
    ),
    "a device that gives up for a flag that is neither": (
        [*start(), request(), unused("u", A, flag=2), ev.NeedsReset()],
        ["REQ-10"],
    ),
    "a device that gives up for an empty CONT": (
        [*start(), request(), unused("u", flag=0), ev.NeedsReset()],
        ["REQ-12"],
    ),
    # What cannot be a buffer, or is not what it was, is malformed as well.
    "a device that gives up for a broken ring": (
        [*start(), ev.RingBroken(ev.Side.DRIVER, 0, "loop"), ev.NeedsReset()],
        ["QUEUE-11"],
    ),
    "a device that gives up for a ring it broke itself": (
        [*start(), ev.RingBroken(ev.Side.DEVICE, 0, "used-jump"), ev.NeedsReset()],
        ["BUF-04", "QUEUE-07"],
    ),
    "a device that gives up for a buffer that changed under it": (
        [*start(), inflate("m", A), ev.BufferAltered(0, "m", message(B), ev.Side.DRIVER), ev.NeedsReset()],
        ["BUF-01"],
    ),
    "a device that gives up for a queue that is none": (
        [*start(), ev.Available(9, "m", message(A)), ev.NeedsReset()],
        ["QUEUE-02"],
    ),
    "a device that gives up for pages that come twice": (
        [*HELD, inflate("n", A), ev.NeedsReset()],
        ["INF-11", "QUEUE-07"],
    ),
    "a device that gives up for what was before the reset": (
        [*start(), ev.Available(9, "m", message(A)), ev.Reset(), *start(), ev.NeedsReset()],
        ["QUEUE-02", "QUEUE-07"],
    ),
    "a device that gives up for an empty DONE": (
        [*start(), request(), unused("u"), ev.NeedsReset()],
        ["QUEUE-07"],
    ),
    "a device that gives up for a reason": ([*start(), *SHORT, ev.NeedsReset()], ["HDR-01"]),
}

COUNTED = {
    "all pages are gone": ([*HELD, gone("0x1000+4")], {"INF-07": 1, "INF-08": 1, "SAFE-01": 0}),
    "nobody looked there": ([*HELD, gone(looked=PageSet.parse("0x3000"))], {"INF-07": 0, "INF-08": 0}),
    "nothing is gone": ([*start(), gone()], {"INF-07": 0, "INF-08": 0}),
    "pages are looked at twice": ([*HELD, gone("0x1000+4"), gone("0x1000+4")], {"INF-07": 1, "INF-08": 1}),
    "pages of two messages are looked at": (
        [*HELD, inflate("n", B), used(INFLATE, "n"), gone("0x1000+4", "0x2000+2")],
        {"INF-07": 2, "INF-08": 1},
    ),
    "pages of the second message are looked at": (
        [*HELD, inflate("n", B), used(INFLATE, "n"), gone("0x2000+2", looked=PageSet.parse("0x2000+2"))],
        {"INF-07": 1, "INF-08": 1},
    ),
    "a reported page stays": ([*REPORTED, gone()], {"UNUSED-01": 1, "DEF-08": 0, "RESET-06": 0}),
    "a reported page is gone": (
        [*REPORTED, gone("0x2001", looked=PageSet.parse("0x2001"))],
        {"UNUSED-01": 1},
    ),
    "nothing is looked at but what may go": (
        [*start(), *SHORT, inflate("m", A), used(INFLATE, "m"), gone(looked=PageSet.parse("0x1000+4"))],
        {"INF-07": 1, "SAFE-01": 0, "SAFE-08": 0},
    ),
    "a reported page is not looked at": ([*REPORTED, gone(looked=PageSet.parse("0x3000"))], {"UNUSED-01": 0}),
    "a page that was taken back stays": ([*TAKEN_BACK, gone()], {"DEF-08": 1, "UNUSED-01": 0}),
    "pages of before the reset stay": (
        [*start(), inflate("m", A), ev.Reset(), *start(), gone()],
        {"RESET-06": 1, "DEF-08": 0},
    ),
    "a chunk of no pages has no effect": (
        [*returned(A, chunk(0x1800, 0)), gone("0x1000+4")],
        {"CHUNK-09": 1, "SAFE-01": 1, "SAFE-08": 0, "SAFE-11": 0},
    ),
    "a short message has no effect": ([*start(), *SHORT, gone()], {"SAFE-01": 1, "SAFE-08": 1}),
    "a good message has no effect elsewhere": ([*HELD, gone("0x1000+4")], {"SAFE-01": 0, "SAFE-08": 0}),
    "a device gives up for a reason": ([*start(), *SHORT, ev.NeedsReset()], {"SAFE-10": 1, "QUEUE-07": 0}),
}

SEEN = {
    "all but two pages": (
        [*HELD, gone("0x1000+2")],
        ("page", "discarded: 0x1002+2", "still there: 0x1002+2"),
    ),
    "pages that are half looked at": (
        [*start(), inflate("m", chunk(0x1FFF, 2)), used(INFLATE, "m"), gone(looked=FRONT)],
        ("page", "discarded: 0x1fff", "still there: 0x1fff"),
    ),
    "one more page": ([*HELD, gone("0x1000+5")], ("page", "left as they are: 0x1004", "discarded: 0x1004")),
    "another page": (
        [*HELD, overwritten("0x1002+4")],
        ("page", "left as they are: 0x1004+2", "overwritten: 0x1004+2"),
    ),
    "an end": (
        [*start(), fails(ev.Side.DEVICE, ev.Failure.CRASH)],
        ("device", "to go on", "exit status 139"),
    ),
}
