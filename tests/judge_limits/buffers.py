"""Buffers as such: what is done to them in flight, where they lie, how and when they come back."""

from __future__ import annotations

from judge_script import (
    DEFLATE,
    DEVICE_QUIET,
    DRIVER_QUIET,
    FULL,
    INFLATE,
    MESSAGES,
    REQUESTS,
    STATISTICS,
    A,
    B,
    actual,
    chunk,
    deflate,
    held,
    inflate,
    message,
    post,
    request,
    start,
    statistics,
    target,
    unused,
    used,
    wants,
)

from balloon_spec import events as ev
from balloon_spec.segments import from_lengths

C = chunk(0x3000, 1)
IN_ORDER = 1 << 35
SHORT = ev.Available(INFLATE, "short", b"\0" * 7)
WRITTEN = message(A)
ASKED = [*start(), request()]


def elsewhere(**fields):
    """A message on the inflate queue that may be one of an exchange."""
    return ev.Available(INFLATE, "u", message(A, **fields))


def in_parts(**parts):
    """A message that returns, and how it was cut."""
    return [*start(MESSAGES), ev.Available(INFLATE, "m", WRITTEN, **parts), used(INFLATE, "m")]


def at(address, length=24):
    """A buffer at an address beside the one of 24 bytes at 0x5010."""
    return [
        *start(),
        ev.Available(INFLATE, "m", message(A), segments=(ev.Segment(24, address=0x5010),)),
        ev.Available(INFLATE, "n", message(B), segments=(ev.Segment(length, address=address),)),
    ]


def altered(now, by=ev.Side.DRIVER, name="m"):
    return [*start(), inflate("m", A), ev.BufferAltered(INFLATE, name, now, by)]


FOUND = {
    "a buffer that is in flight": ([*start(), post("r0")], ["QUEUE-11", "REQ-21"]),
    "a name that is free again": ([*start(), request(), post("r0")], ["REQ-17"]),
    "the driver alters a buffer": (altered(message(B)), ["BUF-01"]),
    "the device alters a buffer": (altered(message(B), ev.Side.DEVICE), ["BUF-02"]),
    "memory far below": (at(0x4000), []),
    "memory that ends where another begins": (at(0x4FF8), []),
    "memory that ends one byte too late": (at(0x4FF9), ["BUF-05"]),
    "memory at the same place": (at(0x5010), ["BUF-05"]),
    "memory within another's": (at(0x5018, 8), ["BUF-05"]),
    "memory that takes another's in": (at(0x5008, 40), ["BUF-05"]),
    "memory that begins at another's last byte": (at(0x5027), ["BUF-05"]),
    "memory that begins where another ends": (at(0x5028), []),
    "memory far above": (at(0x6000), []),
    "statistics in the memory of a message": (
        [
            *start(MESSAGES, posts=False),
            ev.Available(INFLATE, "m", message(A), segments=(ev.Segment(24, address=0x5010),)),
            ev.Available(STATISTICS, "s0", statistics((4, 1)), segments=(ev.Segment(10, address=0x5010),)),
        ],
        ["BUF-05"],
    ),
    "a request buffer in the memory of a message": (
        [
            *start(posts=False),
            ev.Available(INFLATE, "m", message(A), segments=(ev.Segment(24, address=0x5010),)),
            ev.Available(REQUESTS, "r0", writable_bytes=16, segments=(ev.Segment(16, address=0x5010),)),
        ],
        ["BUF-05"],
    ),
    "an answer in the memory of a message": (
        [
            *start(),
            request(),
            ev.Available(INFLATE, "m", message(A), segments=(ev.Segment(24, address=0x5010),)),
            ev.Available(
                REQUESTS, "u", message(B, flag=1, ident=7), segments=(ev.Segment(24, address=0x5010),)
            ),
        ],
        ["CONC-01"],
    ),
    "the driver's silence is not the device's": ([*start(), inflate("m", A), DRIVER_QUIET], []),
    "a buffer that waits for DRIVER_OK": (
        [
            *start(driver_ok=False, posts=False),
            ev.Available(INFLATE, "m", message(A), notified=False),
            DEVICE_QUIET,
        ],
        [],
    ),
    "a buffer with a device that gave up": ([*start(), SHORT, ev.NeedsReset(), DEVICE_QUIET], ["HDR-01"]),
    "a buffer held back beside what need not come back": (
        [*start(), inflate("m", A), DEVICE_QUIET],
        ["QUEUE-07"],
    ),
    "a buffer held back, once": ([*start(), inflate("m", A), DEVICE_QUIET, DEVICE_QUIET], ["QUEUE-07"]),
    "two buffers of one queue held back": (
        [*start(), inflate("m", A), inflate("n", B), DEVICE_QUIET],
        ["QUEUE-07", "QUEUE-06"],
    ),
    "buffers of two queues held back": (
        [*held(features=FULL), inflate("m", B), deflate("d", A), DEVICE_QUIET],
        ["CONC-06", "CONC-06"],
    ),
    "buffers of two queues held back where there is no host request queue": (
        [*held(features=MESSAGES), inflate("m", B), deflate("d", A), DEVICE_QUIET],
        ["QUEUE-07", "QUEUE-07"],
    ),
    "a buffer held back while another queue's came and went": (
        [*start(), inflate("m", A), request(), unused("u", B), used(REQUESTS, "u"), DEVICE_QUIET],
        ["CONC-06"],
    ),
    "a buffer held back after another queue's came and went": (
        [*start(), request(), unused("u", B), used(REQUESTS, "u"), inflate("m", A), DEVICE_QUIET],
        ["QUEUE-07"],
    ),
    "a buffer held back while a request is unanswered": (
        [*start(), inflate("m", A), request(), DEVICE_QUIET],
        ["CONC-06"],
    ),
    "a buffer with a test of its own held back beside another queue's": (
        [*held(features=FULL), request(), unused("u", B), inflate("again", A), DEVICE_QUIET],
        ["INF-11", "CONC-06", "INF-06"],
    ),
    # Messages of an exchange, which belong on the host request queue.
    "an answer on another queue": ([*ASKED, elsewhere(flag=1, ident=7)], ["QUEUE-01"]),
    "an answer that goes on, on another queue": ([*ASKED, elsewhere(ident=7)], ["QUEUE-01"]),
    # The id of the open request in a message of the balloon: a header that was used before.
    "a stale header on the inflate queue": (
        [*start(), target(4), request(), inflate("m", A, ident=7), used(INFLATE, "m"), actual(4)],
        ["HDR-04"],
    ),
    "a stale header on the inflate queue, and too many pages": (
        [*start(), target(3), request(), inflate("m", A, ident=7)],
        ["QUEUE-01"],
    ),
    "a stale header on the inflate queue, of a guest that gives the pages up": (
        [*start(), wants("inflate", "0x1000+4"), request(), inflate("m", A, ident=7)],
        ["HDR-04"],
    ),
    "an answer on the inflate queue, of a guest that gives other pages up": (
        [*start(), target(9), wants("inflate", "0x2000+2"), request(), inflate("m", A, ident=7)],
        ["QUEUE-01"],
    ),
    "a stale header on the deflate queue": (
        [*held(features=FULL), request(), deflate("d", A, ident=7), used(DEFLATE, "d"), actual(0)],
        ["HDR-04"],
    ),
    "an answer on the deflate queue": (
        [*held(features=FULL), request(), deflate("d", B, ident=7)],
        ["QUEUE-01"],
    ),
    "an answer without pages on another queue": (
        [*ASKED, ev.Available(INFLATE, "u", message(flag=1, ident=7))],
        ["QUEUE-01"],
    ),
    "an answer to a request of 17 bits on another queue": (
        [*start(), request(param=0x10007), elsewhere(flag=1, ident=7)],
        ["REQ-07", "QUEUE-01"],
    ),
    "an answer that goes on to the request 1, on another queue": (
        [*start(), request(param=1), elsewhere(ident=1)],
        ["QUEUE-01"],
    ),
    "an answer to the request 0 on another queue": (
        [*start(), request(param=0), elsewhere(flag=1)],
        ["QUEUE-01"],
    ),
    "an inflate message beside the request 0": ([*start(), request(param=0), inflate("m", A)], []),
    "an inflate message with a flag beside the request 0": (
        [*start(), request(param=0), elsewhere(flag=2)],
        ["HDR-04"],
    ),
    "an inflate message with a smaller id than the request's": (
        [*ASKED, elsewhere(flag=1, ident=3)],
        ["HDR-04"],
    ),
    "a buffer that is too long for a request, on another queue": (
        [*start(posts=False), ev.Available(INFLATE, "r0", writable_bytes=17)],
        ["QUEUE-03", "HDR-01"],
    ),
    "a buffer nobody was notified of, before DRIVER_OK, and another after it": (
        [
            *start(MESSAGES, driver_ok=False),
            ev.Available(DEFLATE, "d", WRITTEN, notified=False),
            ev.DriverOk(),
            inflate("m", A),
            ev.Quiet(ev.Side.DEVICE),
        ],
        ["DEF-04", "QUEUE-09", "QUEUE-07"],
    ),
    "a buffer nobody was notified of, after DRIVER_OK": (
        [*start(MESSAGES), ev.Available(INFLATE, "m", WRITTEN, notified=False), ev.Quiet(ev.Side.DEVICE)],
        ["QUEUE-07"],
    ),
}

COUNTED = {
    "a return in the first session": ([*start(), inflate("m", A), used(INFLATE, "m")], {"RESET-02": 0}),
    "a return after a reset": (
        [*start(), ev.Reset(), *start(), inflate("m", A), used(INFLATE, "m")],
        {"RESET-02": 1, "BUF-04": 1},
    ),
    "a return of what was read": (
        [*start(), inflate("m", A), used(INFLATE, "m")],
        {"BUF-01": 1, "BUF-02": 1, "BUF-03": 1, "BUF-07": 0},
    ),
    "a return of what was written": (
        [*start(), request()],
        {"BUF-01": 0, "BUF-02": 0, "BUF-03": 0, "BUF-07": 1},
    ),
    "a buffer of which no address is known": (
        [
            *start(),
            ev.Available(INFLATE, "m", WRITTEN, segments=(ev.Segment(24, address=0x5010),)),
            inflate("n", B),
        ],
        {"BUF-05": 0, "CONC-01": 0},
    ),
    "buffers with memory of their own": (at(0x6000), {"BUF-05": 1, "CONC-01": 0}),
    "a balloon page and an unused one with memory of their own": (
        [
            *start(),
            request(),
            ev.Available(INFLATE, "m", WRITTEN, segments=(ev.Segment(24, address=0x5010),)),
            ev.Available(
                REQUESTS, "u", message(B, flag=1, ident=7), segments=(ev.Segment(24, address=0x6000),)
            ),
        ],
        {"BUF-05": 0, "CONC-01": 1},
    ),
    "returns in order": (
        [*start(), inflate("m", A), inflate("n", B), used(INFLATE, "m"), used(INFLATE, "n"), inflate("o", C)],
        {"CONC-05": 0, "CONC-07": 0, "BUF-06": 0, "QUEUE-06": 1, "QUEUE-07": 2, "INF-06": 0, "SAFE-03": 0},
    ),
    "returns out of order": (
        [*start(), inflate("m", A), inflate("n", B), used(INFLATE, "n"), used(INFLATE, "m"), inflate("o", C)],
        {"CONC-05": 1, "CONC-07": 1},
    ),
    "returns out of order where that was given up": (
        [*start(FULL | IN_ORDER), inflate("m", A), inflate("n", B), used(INFLATE, "n")],
        {"CONC-07": 0},
    ),
    "a return while another queue's is older": (
        [*held(features=FULL), inflate("n", B), deflate("d", A), used(DEFLATE, "d")],
        {"CONC-07": 0},
    ),
    "the return of a malformed buffer": (
        [*start(), SHORT, used(INFLATE, "short")],
        {"SAFE-03": 1, "QUEUE-07": 0, "INF-09": 0},
    ),
    "the return of a deflate buffer": (
        [*held(), deflate("d", A), used(DEFLATE, "d")],
        {"QUEUE-07": 2, "INF-09": 1},
    ),
    "the return of a request buffer that came late": ([*start(), request(), post()], {"QUEUE-04": 0}),
    "one descriptor": (in_parts(segments=from_lengths((24,))), {"QUEUE-05": 0}),
    "two descriptors": (in_parts(segments=from_lengths((8, 16))), {"QUEUE-05": 1}),
    "one descriptor at an address": (in_parts(segments=(ev.Segment(24, address=0x5000),)), {"QUEUE-05": 0}),
    "two descriptors at addresses": (
        in_parts(segments=(ev.Segment(8, address=0x5000), ev.Segment(16, address=0x6000))),
        {"QUEUE-05": 1},
    ),
}

SEEN = {
    "a chain that loops": (
        [*start(), ev.RingBroken(ev.Side.DRIVER, INFLATE, "loop", "the chain loops")],
        ("queue 0", "a well-formed descriptor chain", "loop: the chain loops"),
    ),
    "a used ring that runs ahead": (
        [*start(), ev.RingBroken(ev.Side.DEVICE, INFLATE, "used-jump", "moved by 9")],
        ("queue 0", "the head of a buffer in flight", "used-jump: moved by 9"),
    ),
    "bytes that grew": (
        altered(WRITTEN[:9] + b"\xee" + WRITTEN[10:]),
        ("offset 9", "00 00 01 00 00 00 00 00 40 00 00 00 00 00 00", "ee 00 01 00 00 00 00 00 40 00 00 00 00 00 00"),
    ),
    "bytes that shrank": (
        altered(b"\0" * 4 + b"\x0f" + WRITTEN[5:]),
        ("offset 4", "10 00 00 00 00 00 00 01 00 00 00 00 00 40 00 00", "0f 00 00 00 00 00 00 01 00 00 00 00 00 40 00 00"),
    ),
    "a buffer that was cut": (altered(WRITTEN[:20]), ("offset 20", "00 00 00 00", "")),
    "a buffer that grew": (altered(WRITTEN + b"\1\2"), ("offset 24", "", "01 02")),
    "a buffer nobody knows": (altered(b"\1\2", name="x"), ("offset 0", "", "01 02")),
    "a used length": ([*start(), inflate("m", A), used(INFLATE, "m", 24)], ("used length", "0", "24")),
    "a used length that is too great": (
        [*start(), used(REQUESTS, "r0", 17, b"\0" * 17)],
        ("used length", "16", "17"),
    ),
    "memory that is shared": (at(0x5027), ("buffer address", "memory of its own", "0x5027, also of m on queue 0")),
}  # fmt: skip
