"""Notifications: what they cover, when they may come, and of what none is due."""

from __future__ import annotations

from judge_script import (
    DEVICE_QUIET,
    DRIVER_QUIET,
    FULL,
    HOST,
    INFLATE,
    MESSAGES,
    STATISTICS,
    A,
    B,
    actual,
    inflate,
    message,
    start,
    statistics,
    used,
)

from balloon_spec import events as ev

BY_DEVICE = ev.Notified(ev.Side.DEVICE, INFLATE)
BY_DRIVER = ev.Notified(ev.Side.DRIVER, INFLATE)
BOTH = [*start(MESSAGES), inflate("m", A), inflate("n", B)]
HELD = [*start(), inflate("m", A), ev.Used(INFLATE, "m", notified=False)]
EARLY = start(driver_ok=False, posts=False)


def back(name, notified, queue=INFLATE):
    return ev.Used(queue, name, notified=notified)


def put(name, notified, data=None, queue=INFLATE):
    return ev.Available(queue, name, message(A) if data is None else data, notified=notified)


FOUND = {
    "a return that nobody heard of, once": ([*HELD, DEVICE_QUIET, DEVICE_QUIET], ["QUEUE-12"]),
    "a return that is heard of later": ([*HELD, BY_DEVICE, DEVICE_QUIET], []),
    "a return that is heard of with the next": (
        [*BOTH, back("m", notified=False), back("n", notified=True), DEVICE_QUIET],
        [],
    ),
    "a return that is heard of, and the next that is not": (
        [*BOTH, back("m", notified=True), back("n", notified=False), DEVICE_QUIET],
        ["QUEUE-12"],
    ),
    "a return of which nothing is known, or none is due": (
        [*BOTH, used(INFLATE, "m"), used(INFLATE, "n"), DEVICE_QUIET],
        [],
    ),
    "a return that is not heard of beside one of which nothing is known": (
        [*BOTH, back("m", notified=False), used(INFLATE, "n"), DEVICE_QUIET],
        ["QUEUE-12"],
    ),
    "a notification of another queue": (
        [*HELD, ev.Notified(ev.Side.DEVICE, STATISTICS), DEVICE_QUIET],
        ["QUEUE-12"],
    ),
    "the driver's notification is not the device's": ([*HELD, BY_DRIVER, DEVICE_QUIET], ["QUEUE-12"]),
    "the driver's silence after a return": ([*HELD, actual(4), DRIVER_QUIET], []),
    "a malformed buffer's return that nobody heard of": (
        [*start(), put("m", notified=True, data=bytes(7)), back("m", notified=False), DEVICE_QUIET],
        ["HDR-01", "QUEUE-12"],
    ),
    "a return that nobody heard of before a reset": (
        [*HELD, ev.Reset(), *start(posts=False), DEVICE_QUIET],
        [],
    ),
    "a return that nobody heard of after a reset": (
        [*start(), ev.Reset(), *HELD, DEVICE_QUIET],
        ["QUEUE-12"],
    ),
    "a return by a device that gave up": ([*HELD, ev.NeedsReset(), DEVICE_QUIET], ["QUEUE-07"]),
    "a stray return": ([*start(), back("m", notified=False), DEVICE_QUIET], ["BUF-04"]),
    "two queues of which nobody heard": (
        [*HELD, back("s0", notified=False, queue=STATISTICS), DEVICE_QUIET],
        ["QUEUE-12", "QUEUE-12"],
    ),
    "needless notifications": ([*start(), BY_DEVICE, BY_DRIVER, DEVICE_QUIET], []),
    "a buffer the device is told of later": (
        [*start(), put("m", notified=False), BY_DRIVER, DRIVER_QUIET],
        [],
    ),
    "a buffer the device found by itself, and is not told of": (
        [*start(), put("m", notified=False), used(INFLATE, "m"), actual(4), DRIVER_QUIET],
        ["QUEUE-13"],
    ),
    "the device's silence beside a buffer that it was not told of": (
        [*start(), put("m", notified=False), used(INFLATE, "m"), DEVICE_QUIET],
        [],
    ),
    "buffers from before DRIVER_OK": (
        [
            *EARLY,
            put("m", notified=False),
            put("s", notified=False, data=statistics((4, 1)), queue=STATISTICS),
            ev.DriverOk(),
            DRIVER_QUIET,
        ],
        ["REQ-01"],
    ),
    "a notification before DRIVER_OK, later than its buffer": (
        [*EARLY, put("m", notified=False), BY_DRIVER, ev.DriverOk()],
        ["QUEUE-09"],
    ),
    "pages where DRIVER_OK cannot be seen": (
        [*EARLY, put("m", notified=False), DRIVER_QUIET],
        ["QUEUE-13", "STATS-01", "REQ-01"],
    ),
    "statistics where DRIVER_OK cannot be seen": (
        [
            *start(FULL & ~HOST, driver_ok=False, posts=False),
            put("s", notified=False, data=statistics((4, 1)), queue=STATISTICS),
            DRIVER_QUIET,
        ],
        [],
    ),
    "more statistics where DRIVER_OK cannot be seen": (
        [
            *start(FULL & ~HOST, driver_ok=False, posts=False),
            put("s", notified=False, data=statistics((4, 1)), queue=STATISTICS),
            used(STATISTICS, "s"),
            put("t", notified=False, data=statistics((4, 1)), queue=STATISTICS),
            DRIVER_QUIET,
        ],
        ["QUEUE-13"],
    ),
}

COUNTED = {
    "returns of one notification, with the last": (
        [*BOTH, back("m", notified=False), back("n", notified=True)],
        {"QUEUE-12": 1},
    ),
    "a notification that is awaited": ([*HELD, BY_DEVICE, BY_DEVICE], {"QUEUE-12": 1}),
    "returns of which nothing is known": (
        [*BOTH, used(INFLATE, "m"), used(INFLATE, "n"), DEVICE_QUIET],
        {"QUEUE-12": 0},
    ),
    "needless notifications": (
        [*start(MESSAGES, posts=False), BY_DEVICE, BY_DRIVER],
        {"QUEUE-12": 0, "QUEUE-13": 0},
    ),
    "a stray return": ([*start(), back("m", notified=True)], {"QUEUE-12": 0}),
    "a return that is awaited no more": ([*HELD, DEVICE_QUIET, BY_DEVICE], {"QUEUE-12": 1}),
    "buffers of which nothing is known": (
        [*start(MESSAGES, posts=False), put("m", notified=None), DRIVER_QUIET],
        {"QUEUE-13": 0},
    ),
    "a buffer that the device is told of, before DRIVER_OK": (
        [*EARLY, put("s", notified=True, data=statistics((4, 1)), queue=STATISTICS)],
        {"QUEUE-13": 0},
    ),
    "early buffers of which nothing is known": (
        [*EARLY, put("m", notified=None), ev.DriverOk()],
        {"QUEUE-09": 0},
    ),
    "early buffers of which one is known": (
        [*EARLY, put("m", notified=None), put("n", notified=False), ev.DriverOk()],
        {"QUEUE-09": 0},
    ),
}

SEEN = {
    "one return that nobody heard of": (
        [*HELD, DEVICE_QUIET],
        ("inflate queue", "a used buffer notification", "none since m"),
    ),
    "two returns that nobody heard of": (
        [*BOTH, back("n", notified=False), back("m", notified=False), DEVICE_QUIET],
        ("inflate queue", "a used buffer notification", "none since n and 1 more"),
    ),
    "a buffer the device is not told of": (
        [*start(), put("m", notified=False), DRIVER_QUIET],
        ("inflate queue", "an available buffer notification", "none since m"),
    ),
}
