"""Where a driver comes to rest: at its target, short of it or beyond it, and with what excuse."""

from __future__ import annotations

from judge_script import (
    ARRAYS,
    DEFLATE,
    DEVICE_QUIET,
    DRIVER_QUIET,
    INFLATE,
    MEMORY,
    MESSAGES,
    OOM,
    STATISTICS,
    A,
    B,
    actual,
    array,
    chunk,
    deflate,
    inflate,
    space,
    start,
    statistics,
    target,
    used,
    wants,
)

from balloon_spec import events as ev

WITHOUT_OOM = MESSAGES & ~OOM
ODD = chunk(0x2001, 5)
"""Pages of no guest whose own pages are larger than 4 KiB."""
RESERVE = MEMORY.pages // 4


def guest(free, features=MESSAGES, tag=4):
    """A driver that picks its own pages and says that so many are free."""
    return [*start(features, posts=False), ev.Available(STATISTICS, "s0", statistics((tag, free << 12)))]


ROOMY = guest(0x3000)
HIDDEN = [event for event in guest(0x3000, WITHOUT_OOM) if not isinstance(event, ev.DriverOk)]


def grow(pages, count, name="m"):
    return [inflate(name, pages), used(INFLATE, name), actual(count)]


def shrink(pages, count, name="d"):
    return [deflate(name, pages), used(DEFLATE, name), actual(count)]


FOUR = [target(4), *grow(A, 4)]
AT_FOUR = [*FOUR, DRIVER_QUIET]
ONE, REST = chunk(0x1000, 1), chunk(0x1001, 3)
TO_AND_FRO = [*shrink(ONE, 3), *grow(ONE, 4)]

FOUND = {
    # Short of the target.
    "it stops short though memory is free": ([*ROOMY, target(9), *grow(A, 4), DRIVER_QUIET], ["INF-10"]),
    "it does not begin though it has begun before": (
        [*ROOMY, *AT_FOUR, target(9), DRIVER_QUIET],
        ["INF-10"],
    ),
    "it stops short, and is told so once": (
        [*ROOMY, target(9), *grow(A, 4), DRIVER_QUIET, DRIVER_QUIET],
        ["INF-10"],
    ),
    "it stops short of two targets": (
        [*ROOMY, target(9), *grow(A, 4), DRIVER_QUIET, target(10), DRIVER_QUIET],
        ["INF-10", "INF-10"],
    ),
    "it stops short, goes on, and stops short": (
        [*ROOMY, target(9), *grow(A, 4), DRIVER_QUIET, *grow(B, 6, "n"), DRIVER_QUIET],
        ["INF-10", "INF-10"],
    ),
    "the device is silent": ([*ROOMY, target(9), *grow(A, 4), DEVICE_QUIET], []),
    "a buffer is with the device": ([*ROOMY, target(9), *grow(A, 4), inflate("n", B), DRIVER_QUIET], []),
    "just enough is free": (
        [*guest(RESERVE + 9), target(9), *grow(A, 4), DRIVER_QUIET],
        ["INF-10"],
    ),
    "a page less than enough is free": ([*guest(RESERVE + 8), target(9), *grow(A, 4), DRIVER_QUIET], []),
    "the guest says what is available, and that is enough": (
        [*guest(RESERVE + 9, tag=6), target(9), *grow(A, 4), DRIVER_QUIET],
        ["INF-10"],
    ),
    "what is free counts before what is available": (
        [
            *start(MESSAGES, posts=False),
            ev.Available(STATISTICS, "s0", statistics((6, 0x3000 << 12), (4, 0))),
            *[target(9), *grow(A, 4), DRIVER_QUIET],
        ],
        [],
    ),
    "the guest does not say what is free, and the target is modest": (
        [*guest(0, tag=7), target(RESERVE), *grow(A, 4), DRIVER_QUIET],
        ["INF-10"],
    ),
    "the guest does not say what is free, and the target is large": (
        [*guest(0, tag=7), target(RESERVE + 1), *grow(A, 4), DRIVER_QUIET],
        [],
    ),
    "there are no statistics, and the target is modest": (
        [
            *[*start(ARRAYS), target(9), ev.Available(INFLATE, "m", array(0x1001)), used(INFLATE, "m"), actual(1)],
            DRIVER_QUIET,
        ],
        ["INF-10"],
    ),
    "the guest had memory free, and has none now": (
        [
            *ROOMY,
            *[target(9), *grow(A, 4), used(STATISTICS, "s0")],
            ev.Available(STATISTICS, "s1", statistics((4, 0))),
            DRIVER_QUIET,
        ],
        [],
    ),
    "nobody knows what memory there is": (
        [event for event in [*ROOMY, target(9), *grow(A, 4), DRIVER_QUIET] if not isinstance(event, ev.Memory)],
        [],
    ),
    "it takes some back for want of memory, and rests": ([*ROOMY, *AT_FOUR, *shrink(ONE, 3), DRIVER_QUIET], []),
    "it took some back, and does not follow the next target": (
        [*ROOMY, *AT_FOUR, *shrink(ONE, 3), target(9), DRIVER_QUIET],
        ["INF-10"],
    ),
    "the target rises while it deflates, and it does not follow": (
        [*ROOMY, *AT_FOUR, target(2), deflate("d", ONE), target(9), used(DEFLATE, "d"), actual(3), DRIVER_QUIET],
        ["INF-13"],
    ),
    "the guest is told what to give, and gave it": (
        [*ROOMY, wants("inflate", "0x1000+4"), target(9), *grow(A, 4), DRIVER_QUIET],
        [],
    ),
    # Beyond the target.
    "it inflates more than it should and rests": ([*ROOMY, target(1), *grow(ODD, 5), DRIVER_QUIET], ["INF-12"]),
    "it inflates a page more and rests": ([*ROOMY, target(4), *grow(ODD, 5), DRIVER_QUIET], ["INF-12"]),
    "it inflates more than it should and takes it back": (
        [*ROOMY, target(1), *grow(ODD, 5), *shrink(chunk(0x2001, 4), 1), DRIVER_QUIET],
        [],
    ),
    "its pages are of 16 KiB": ([*ROOMY, target(1), *grow(A, 4), DRIVER_QUIET], []),
    "its pages are of 256 KiB": ([*ROOMY, target(1), *grow(chunk(0x1000, 64), 64), DRIVER_QUIET], []),
    "no guest has pages of 1 MiB": ([*ROOMY, target(1), *grow(chunk(0x1000, 256), 256), DRIVER_QUIET], ["INF-12"]),
    "its pages were of 4 KiB before": (
        [*ROOMY, target(5), *grow(ODD, 5), DRIVER_QUIET, target(6), *grow(A, 9, "n"), DRIVER_QUIET],
        ["INF-12"],
    ),
    "the target fell as it inflated, and it may not know": (
        [*ROOMY, target(5), target(1), *grow(ODD, 5), *shrink(chunk(0x2001, 4), 1), DRIVER_QUIET],
        [],
    ),
    "it never deflates": ([*ROOMY, *AT_FOUR, target(0), DRIVER_QUIET], ["DEF-12"]),
    "it deflates half and rests": (
        [*ROOMY, *AT_FOUR, target(0), *shrink(chunk(0x1000, 2), 2), DRIVER_QUIET],
        [],
    ),
    "it deflates a part and rests": (
        [*ROOMY, target(5), *grow(ODD, 5), DRIVER_QUIET, target(0), *shrink(chunk(0x2001, 4), 1), DRIVER_QUIET],
        ["DEF-12"],
    ),
    "the target falls while it inflates, and it does not follow": (
        [*ROOMY, target(5), inflate("m", ODD), target(1), used(INFLATE, "m"), actual(5), DRIVER_QUIET],
        ["INF-13"],
    ),
    "the target falls while it inflates, and it rounds to 2 MiB": (
        [
            *[*ROOMY, target(1024), inflate("m", chunk(0x1000, 1024)), target(100), used(INFLATE, "m"), actual(1024)],
            *[*shrink(chunk(0x1200, 512), 512), DRIVER_QUIET],
        ],
        ["INF-12"],
    ),
    "the target rises while it inflates, and it rounds down to 2 MiB": (
        [
            *[*ROOMY, target(512), inflate("m", chunk(0x1000, 512)), target(1000), used(INFLATE, "m"), actual(512)],
            DRIVER_QUIET,
        ],
        ["INF-10"],
    ),
    "the target falls by much while it inflates, and pages of 2 MiB do not follow": (
        [
            *[*ROOMY, target(1024), inflate("m", chunk(0x1200, 1024)), target(100), used(INFLATE, "m"), actual(1024)],
            DRIVER_QUIET,
        ],
        ["INF-13"],
    ),
    "the guest is told what to take back, and takes it": (
        [*ROOMY, wants("inflate", "0x1000+4"), *FOUR, wants("deflate", "0x1000"), target(0), *shrink(ONE, 3), DRIVER_QUIET],
        [],
    ),
    "the guest is told what to take back, and does not": (
        [*ROOMY, wants("inflate", "0x1000+4"), *FOUR, wants("deflate", "0x1000"), target(0), DRIVER_QUIET],
        ["DEF-12"],
    ),
    "the guest takes it back, gives it, and wants it no more": (
        [
            *[*ROOMY, wants("inflate", "0x1000+4"), *FOUR, wants("deflate", "0x1000"), wants("inflate", "0x1000")],
            *[target(0), DRIVER_QUIET],
        ],
        [],
    ),
    "the guest is told to give more than the host wants": (
        [*ROOMY, wants("inflate", "0x2001+5"), target(1), *grow(ODD, 5), DRIVER_QUIET],
        ["INF-12"],
    ),
    # A deflate buffer by itself, without DEFLATE_ON_OOM.
    "it takes a page at the target": ([*guest(0, WITHOUT_OOM), *AT_FOUR, deflate("d", ONE)], ["DEF-09"]),
    "it takes a page at the target and says so": (
        [*guest(0, WITHOUT_OOM), *AT_FOUR, *shrink(ONE, 3), DRIVER_QUIET],
        ["DEF-09"],
    ),
    "actual counts one that nothing named, and it may take one": (
        [*guest(0, WITHOUT_OOM), target(5), *grow(A, 5), target(4), deflate("d", ONE)],
        ["INF-03"],
    ),
    "it takes a page at the target, by leave": ([*guest(0), *AT_FOUR, deflate("d", ONE)], []),
    "it takes a page that the next target allows": (
        [*guest(0, WITHOUT_OOM), *AT_FOUR, target(3), deflate("d", ONE), target(4), used(DEFLATE, "d"), actual(3)],
        [],
    ),
    "it takes a page too many after a rest": (
        [*guest(0, WITHOUT_OOM), *AT_FOUR, target(3), deflate("d", chunk(0x1000, 2))],
        ["DEF-09"],
    ),
    "it takes a page after the target rose, and may not know": (
        [*guest(0, WITHOUT_OOM), *AT_FOUR, target(3), target(9), deflate("d", ONE)],
        [],
    ),
    "it counts pages that it never named, and takes some": (
        [*guest(0, WITHOUT_OOM), target(5), *grow(A, 5), DRIVER_QUIET, target(4), deflate("d", ONE)],
        ["INF-03"],
    ),
    "it takes a page by leave, and one more": (
        [*guest(0, WITHOUT_OOM), *AT_FOUR, target(3), deflate("d", ONE), deflate("e", chunk(0x1001, 1))],
        ["DEF-09"],
    ),
    "it puts another in its place first": (
        [*guest(0, WITHOUT_OOM), *AT_FOUR, inflate("n", chunk(0x3000, 1)), deflate("d", ONE)],
        [],
    ),
    "it grew to the target, and need not rest to know it": (
        [*guest(0, WITHOUT_OOM), target(0), *FOUR, deflate("d", ONE)],
        ["DEF-09"],
    ),
    "it takes pages below the target on its way up": (
        [*guest(0, WITHOUT_OOM), target(9), *grow(A, 4), DRIVER_QUIET, deflate("d", ONE)],
        ["DEF-09"],
    ),
    "the status is hidden, and it stays": (
        [*HIDDEN, *AT_FOUR, deflate("d", ONE), used(DEFLATE, "d"), DRIVER_QUIET],
        ["CFG-04", "DEF-09"],
    ),
    "the status is hidden, and it gives all of it back": (
        [*HIDDEN, *AT_FOUR, deflate("d", ONE), deflate("e", REST), used(DEFLATE, "d"), used(DEFLATE, "e"), actual(0)],
        [],
    ),
    "the status is hidden, and it puts another in its place": (
        [*HIDDEN, *AT_FOUR, deflate("d", ONE), used(DEFLATE, "d"), *grow(chunk(0x3000, 1), 4, "n"), DRIVER_QUIET],
        [],
    ),
    # To and fro.
    "pages go to and fro without end": ([*ROOMY, *AT_FOUR, *TO_AND_FRO * 3], ["DEF-13"]),
    "pages go to and fro without end, and it is said once": ([*ROOMY, *AT_FOUR, *TO_AND_FRO * 5], ["DEF-13"]),
    "pages go to and fro twice": ([*ROOMY, *AT_FOUR, *TO_AND_FRO * 2, DRIVER_QUIET], []),
    "pages go to and fro with rests": ([*ROOMY, *AT_FOUR, *[*TO_AND_FRO, DRIVER_QUIET] * 4], []),
    "pages go to and fro as the guest wishes": (
        [
            *[*ROOMY, wants("inflate", "0x1000+4"), *AT_FOUR],
            *[wants("deflate", "0x1000"), *shrink(ONE, 3), wants("inflate", "0x1000"), *grow(ONE, 4)] * 4,
        ],
        [],
    ),
    "pages go to and fro, and the guest wishes for half of it": (
        [
            *[*ROOMY, wants("inflate", "0x1000+4"), *AT_FOUR],
            *[wants("deflate", "0x1000"), *TO_AND_FRO] * 4,
        ],
        ["DEF-13"],
    ),
    "pages go and others come": (
        [
            *[*ROOMY, wants("inflate", "0x1000+4", "0x3000+4"), *AT_FOUR],
            *[wants("deflate", "0x1000+3"), *shrink(ONE, 3), *grow(chunk(0x3000, 1), 4)],
            *[*shrink(chunk(0x1001, 1), 3), *grow(chunk(0x3001, 1), 4)],
            *[*shrink(chunk(0x1002, 1), 3), *grow(chunk(0x3002, 1), 4)],
        ],
        [],
    ),
    "pages go to and fro with the target": (
        [*ROOMY, *AT_FOUR, *[target(3), *shrink(ONE, 3), target(4), *grow(ONE, 4)] * 4],
        [],
    ),
}  # fmt: skip

COUNTED = {
    "it rests at its target": ([*ROOMY, *AT_FOUR], {"INF-10": 1, "INF-12": 1, "INF-13": 0, "DEF-12": 0}),
    "it grows, and nobody waits": ([*ROOMY, *FOUR], {"INF-10": 0, "INF-12": 0}),
    "it rests at a target that it was at": ([*ROOMY, *AT_FOUR, DRIVER_QUIET], {"INF-10": 1}),
    "it grows and stops short with a reason": (
        [*guest(0), target(9), *grow(A, 4), DRIVER_QUIET],
        {"INF-10": 0, "INF-12": 0},
    ),
    "it gives all that its guest is told to give": (
        [*ROOMY, wants("inflate", "0x1000+4"), target(9), *grow(A, 4), DRIVER_QUIET],
        {"INF-10": 1, "INF-12": 1},
    ),
    "there is no target": ([*ROOMY, *grow(A, 4), DRIVER_QUIET], {"INF-10": 0}),
    "the target is read": (
        [*ROOMY, ev.ConfigurationRead(0, space(4)), *grow(A, 4), DRIVER_QUIET],
        {"INF-10": 1},
    ),
    "it shrinks to its target": (
        [*ROOMY, *AT_FOUR, target(0), *shrink(A, 0), DRIVER_QUIET],
        {"INF-10": 1, "DEF-12": 1},
    ),
    "it follows a target that moves": (
        [*ROOMY, target(9), inflate("m", A), target(4), used(INFLATE, "m"), actual(4), DRIVER_QUIET],
        {"INF-13": 1},
    ),
    "it leaves what was taken back": ([*ROOMY, *AT_FOUR, *shrink(ONE, 3), DRIVER_QUIET], {"DEF-13": 1}),
    "nothing was taken back": ([*ROOMY, *AT_FOUR], {"DEF-13": 0}),
    "it refuses what the guest wants back at the target": (
        [*guest(0, WITHOUT_OOM), wants("inflate", "0x1000+4"), *FOUR, wants("deflate", "0x1000"), DRIVER_QUIET],
        {"DEF-09": 1},
    ),
    "it refuses what the guest wants back, and may give it": (
        [*guest(0), wants("inflate", "0x1000+4"), *FOUR, wants("deflate", "0x1000"), DRIVER_QUIET],
        {"DEF-09": 0},
    ),
}  # fmt: skip

SEEN = {
    "what is missing": ([*ROOMY, target(9), *grow(A, 4), DRIVER_QUIET], ("actual", "9", "4")),
    "what is too much": ([*ROOMY, target(1), *grow(ODD, 5), DRIVER_QUIET], ("actual", "1", "5")),
    "what the guest wants back": (
        [*ROOMY, wants("inflate", "0x1000+4"), *FOUR, wants("deflate", "0x1000"), target(0), DRIVER_QUIET],
        ("actual", "3", "4"),
    ),
    "what is left": (
        [*guest(0, WITHOUT_OOM), *AT_FOUR, deflate("d", ONE)],
        ("pages left in the balloon", "4 at least", "3"),
    ),
    "what is left where the status is hidden": (
        [*HIDDEN, *AT_FOUR, deflate("d", ONE), used(DEFLATE, "d"), DRIVER_QUIET],
        ("pages left in the balloon", "4 at least", "3"),
    ),
    "what goes to and fro": (
        [*ROOMY, *AT_FOUR, *TO_AND_FRO * 3],
        ("actual", "3 until num_pages changes or the driver has rested", "4, for the 3rd time"),
    ),
}
