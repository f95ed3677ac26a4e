"""The statistics queue: how many buffers, what is in them, and when."""

from __future__ import annotations

from judge_script import (
    DEVICE_QUIET,
    INFLATE,
    MESSAGES,
    OOM,
    STATISTICS,
    STATS,
    A,
    inflate,
    start,
    statistics,
    used,
)

from balloon_spec import events as ev


def first(*tags, features=MESSAGES):
    """The first statistics buffer, with these tags in this order."""
    entries = statistics(*((tag, 1) for tag in tags))
    return [*start(features, posts=False), ev.Available(STATISTICS, "s", entries)]


def values(*entries):
    """The first statistics buffer, with these entries."""
    return [*start(MESSAGES, posts=False), ev.Available(STATISTICS, "s", statistics(*entries))]


def then(*tags):
    """A second one, after the first came back."""
    return [used(STATISTICS, "s"), ev.Available(STATISTICS, "t", statistics(*((tag, 1) for tag in tags)))]


FOUND = {
    "a tag of one byte": (first(0xFF), []),
    "a tag of two": (first(0x201), []),
    "swap-in, which is 0 either way": (first(0), []),
    "tags that make sense the other way round": (first(0x100), ["STATS-06"]),
    "some tags that make sense the other way round": (first(0x100, 4), []),
    "the byte order of a legacy guest": (first(0x400, features=STATS | OOM), []),
    "the same tags in another order": ([*first(4, 5), *then(5, 4)], []),
    "a lesser tag": ([*first(4), *then(3)], ["STATS-05"]),
    "a greater tag": ([*first(4), *then(5)], ["STATS-05"]),
    "a tag more": ([*first(4), *then(4, 5)], ["STATS-05"]),
    "a tag less": ([*first(4, 5), *then(4)], ["STATS-05"]),
    "half an entry, which the device returns": (
        [*start(MESSAGES, posts=False), ev.Available(STATISTICS, "s", b"\4" * 12), used(STATISTICS, "s")],
        ["STATS-04"],
    ),
    "more is free than there is": (values((4, 0x2000), (5, 0x1000)), ["STATS-11"]),
    "more is available than there is": (values((5, 0x1000), (6, 0x1001)), ["STATS-11"]),
    "all there is, is free": (values((4, 0x1000), (5, 0x1000)), []),
    "the total changes": (
        [
            *values((4, 1), (5, 0x2000)),
            used(STATISTICS, "s"),
            ev.Available(STATISTICS, "t", statistics((4, 1), (5, 0x1000))),
        ],
        [],
    ),
    "no memory at all, later": (
        [*values((5, 1)), used(STATISTICS, "s"), ev.Available(STATISTICS, "t", statistics((5, 0)))],
        ["STATS-11"],
    ),
    "nothing free and no faults at first": (values((4, 0), (3, 0)), ["STATS-11"]),
    "nothing available and no faults at first": (values((6, 0), (3, 0)), ["STATS-11"]),
    "nothing free, and nothing else is said": (values((4, 0)), []),
    "nothing free, and memory": (values((4, 0), (5, 1)), []),
    "no swap and no faults": (values((0, 0), (1, 0), (3, 0)), []),
    "nothing free and no faults later": (
        [
            *[*values((4, 1), (3, 0)), used(STATISTICS, "s")],
            ev.Available(STATISTICS, "t", statistics((4, 0), (3, 0))),
        ],
        [],
    ),
    "nothing free and no faults after pages were given": (
        [*start(MESSAGES, posts=False), inflate("m", A), *values((4, 0), (3, 0))[3:]],
        [],
    ),
    "no memory, of a legacy guest": (
        [*start(STATS | OOM, posts=False), ev.Available(STATISTICS, "s", statistics((5, 0)))],
        [],
    ),
    "the device's silence is not the driver's debt": ([*start(MESSAGES, posts=False), DEVICE_QUIET], []),
}

COUNTED = {
    "the first buffer": (
        first(4),
        {"STATS-01": 1, "STATS-02": 1, "STATS-03": 0, "STATS-05": 0, "STATS-06": 1},
    ),
    "a total": (values((5, 1)), {"STATS-11": 1}),
    "what is free, and more": (values((4, 1), (3, 0)), {"STATS-11": 1}),
    "what says nothing of memory": (values((0, 1), (3, 1)), {"STATS-11": 0}),
    "the next": (
        [*first(4), *then(4)],
        {"STATS-01": 1, "STATS-02": 2, "STATS-03": 1, "STATS-05": 1, "STATS-06": 2},
    ),
    "swap-in alone": (first(0), {"STATS-04": 1, "STATS-06": 0, "STATS-10": 1}),
    "tags of the standard in order are returned": (
        [*first(4, 9), used(STATISTICS, "s")],
        {"STATS-07": 0, "STATS-08": 0, "STATS-09": 1},
    ),
    "a tag beyond the standard is returned": (
        [*first(4, 10), used(STATISTICS, "s")],
        {"STATS-07": 1, "STATS-08": 0, "STATS-09": 1},
    ),
    "tags out of order are returned": ([*first(5, 4), used(STATISTICS, "s")], {"STATS-07": 0, "STATS-08": 1}),
    "another buffer is returned": ([*first(4), inflate("m", A), used(INFLATE, "m")], {"STATS-09": 0}),
}

SEEN = {
    "two buffers": ([*first(4), *first(4)[-1:]], ("statistics buffer", "one", "2")),
    "three buffers": (
        [*first(4), *then(4)[1:], ev.Available(STATISTICS, "u", statistics((4, 1)))],
        ("statistics buffer", "one", "3"),
    ),
    "tags the other way round": (first(0x100, 0x400), ("tag", "4", "1024")),
    "other tags": ([*first(4, 5), *then(6)], ("tag", "4 5", "6")),
}  # fmt: skip
