"""Features, the queues that follow from them, and what may happen before DRIVER_OK."""

from __future__ import annotations

from judge_script import (
    ARRAYS,
    CHUNKS,
    FULL,
    HOST,
    INFLATE,
    MESSAGES,
    OOM,
    REQUESTS,
    STATISTICS,
    STATS,
    TELL,
    VERSION,
    A,
    B,
    array,
    chunk,
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
from balloon_spec.profiles import CHUNK_TRANSFER

C = chunk(0x3000, 1)
EVERY_BIT = CHUNK_TRANSFER.mask([feature.name for feature in CHUNK_TRANSFER.features])
EARLY = start(driver_ok=False, posts=False)


def negotiated(offered, accepted, ok=True):
    return [ev.Negotiated(offered, accepted, ok)]


def silently(queue, name, data):
    return ev.Available(queue, name, data, notified=False)


FOUND = {
    "everything": (negotiated(FULL | TELL, FULL | TELL), []),
    "chunks and statistics": (negotiated(VERSION | STATS | CHUNKS, VERSION | STATS | CHUNKS), []),
    "a bit of the balloon that means nothing": (negotiated(FULL | 1 << 23, FULL | 1 << 23), ["NEG-11"]),
    "a bit that is reserved": (negotiated(FULL | 1 << 44, FULL | 1 << 44), ["NEG-11"]),
    "a bit beyond 64": (negotiated(FULL | 1 << 100, FULL | 1 << 100), ["NEG-11"]),
    "a bit that means nothing is left alone": (negotiated(FULL | 1 << 23 | 1 << 63, FULL), []),
    "a bit of another revision": (negotiated(FULL | 1 << 22, FULL | 1 << 22), []),
    "a bit of virtio or of another device": (negotiated(FULL | 1 << 43, FULL | 1 << 43), []),
    "a bit that means nothing and was not offered": (negotiated(FULL, FULL | 1 << 23, ok=False), ["NEG-05"]),
    "there is no VERSION_1 to accept": (negotiated(FULL & ~VERSION, FULL & ~VERSION), []),
    "an illegal set is refused": (negotiated(FULL, VERSION | CHUNKS, ok=False), ["NEG-03"]),
    "a set that was not offered is refused": (negotiated(VERSION, VERSION | OOM, ok=False), ["NEG-05"]),
    "a legal set is refused": (negotiated(FULL, VERSION, ok=False), ["NEG-07"]),
    "a legacy driver is refused": (negotiated(FULL, STATS, ok=False), ["NEG-12"]),
    "a driver without the platform's address translation is refused": (
        negotiated(FULL | 1 << 33, FULL, ok=False),
        [],
    ),
    "a driver without the platform's order is refused": (negotiated(FULL | 1 << 36, FULL, ok=False), []),
    "a driver is refused for another bit of virtio": (negotiated(FULL | 1 << 34, FULL, ok=False), ["NEG-07"]),
    # A balloon feature that the profile does not know may bring a queue; one of virtio does not.
    "another queue, and a feature nobody knows": (
        [*start(FULL | 1 << 22), ev.Available(4, "m", bytes(8))],
        [],
    ),
    "another queue, and no such feature": ([*start(), ev.Available(4, "m", bytes(8))], ["QUEUE-02"]),
    "another queue, and a feature of virtio": (
        [*start(FULL | 1 << 24), ev.Available(4, "m", bytes(8))],
        ["QUEUE-02"],
    ),
    "a driver is refused where there is nothing but legacy": (
        negotiated(FULL & ~VERSION, STATS, ok=False),
        ["NEG-07"],
    ),
    "legal without telling, and refused": (negotiated(FULL | TELL, VERSION, ok=False), ["NEG-10"]),
    "as many in flight as the ring has room for": (
        [*start(ring=((INFLATE, 2),)), inflate("m", A), inflate("n", B)],
        [],
    ),
    "one more than the ring has room for": (
        [*start(ring=((INFLATE, 2),)), inflate("m", A), inflate("n", B), inflate("o", C)],
        ["QUEUE-08"],
    ),
    "two more than the ring has room for": (
        [*start(ring=((INFLATE, 1),)), inflate("m", A), inflate("n", B), inflate("o", C)],
        ["QUEUE-08", "QUEUE-08"],
    ),
    "room comes back": (
        [*start(ring=((INFLATE, 1),)), inflate("m", A), used(INFLATE, "m"), inflate("n", B)],
        [],
    ),
    "the room of other rings is theirs": (
        [*start(ring=((STATISTICS, 1), (INFLATE, 1), (REQUESTS, 1))), inflate("m", A)],
        [],
    ),
    "room where queues of both sides of it are full": (
        [*start(posts=False, ring=((1, 1),)), inflate("m", A), post("r0"), ev.Available(1, "d", message())],
        ["DEF-02"],
    ),
    "before DRIVER_OK, without a notification": (
        [*EARLY, silently(STATISTICS, "s0", statistics((4, 1))), ev.DriverOk()],
        [],
    ),
    "nothing before DRIVER_OK": ([*EARLY, ev.DriverOk()], []),
}

COUNTED = {
    # An offer with all its prerequisites tempts nobody to accept a feature without one.
    "chunks are offered and left": (
        negotiated(FULL, VERSION),
        {"NEG-01": 1, "NEG-03": 0, "NEG-02": 1, "NEG-04": 0},
    ),
    "chunks are offered and taken": (
        negotiated(FULL, FULL),
        {"NEG-01": 1, "NEG-03": 0, "NEG-06": 0, "NEG-07": 1},
    ),
    "chunks are offered alone and left": (
        negotiated(VERSION | CHUNKS, VERSION),
        {"NEG-03": 1, "NEG-04": 0},
    ),
    "host requests are offered alone and left": (
        negotiated(VERSION | HOST, VERSION),
        {"NEG-03": 0, "NEG-04": 1},
    ),
    "all there is was offered": (
        negotiated(EVERY_BIT, VERSION),
        {"NEG-05": 0},
    ),
    "nothing is offered that has needs": (
        negotiated(VERSION | STATS, VERSION),
        {"NEG-01": 0, "NEG-02": 0, "NEG-03": 0, "NEG-04": 0, "NEG-05": 1, "NEG-09": 0, "NEG-10": 0},
    ),
    "host requests without chunks": (negotiated(FULL, VERSION | STATS | HOST), {"NEG-07": 0, "NEG-09": 1}),
    "telling is taken": (negotiated(FULL | TELL, FULL | TELL), {"NEG-08": 0, "NEG-10": 1}),
    "an illegal set is refused": (negotiated(FULL, VERSION | CHUNKS, ok=False), {"NEG-06": 1, "NEG-07": 0}),
    "a legacy driver is refused": (negotiated(FULL, STATS, ok=False), {"NEG-07": 0}),
    "a legacy driver is served": (negotiated(FULL, STATS), {"NEG-07": 1}),
    "buffers of every queue": (
        [*start(), inflate("m", A), ev.Available(1, "d", message(B)), request(), unused("u")],
        # Statistics, inflate and deflate; the request buffer and the message.
        {"QUEUE-01": 2, "QUEUE-02": 5, "QUEUE-03": 3, "QUEUE-08": 0},
    ),
    "buffers of a ring whose size is known": (
        [*start(ring=((INFLATE, 2),)), inflate("m", A), inflate("n", B)],
        {"QUEUE-08": 2},
    ),
    "before DRIVER_OK, without a notification": (
        [*EARLY, silently(STATISTICS, "s0", statistics((4, 1))), ev.DriverOk()],
        {"QUEUE-09": 1, "QUEUE-10": 1},
    ),
    "nothing before DRIVER_OK": ([*EARLY, ev.DriverOk()], {"QUEUE-09": 0, "QUEUE-10": 0}),
    "a reset, and the same form": (
        [*held(), ev.Reset(), *start(MESSAGES), inflate("m", A), used(INFLATE, "m")],
        {"RESET-01": 0},
    ),
    "a reset, and another form": (
        [*held(), ev.Reset(), *start(ARRAYS), ev.Available(INFLATE, "m", array(0x1000)), used(INFLATE, "m")],
        {"RESET-01": 1},
    ),
    "no reset": (
        [*start(ARRAYS), ev.Available(INFLATE, "m", array(0x1000)), used(INFLATE, "m")],
        {"RESET-01": 0},
    ),
    "a reset, and messages for arrays": (
        [*start(ARRAYS), ev.Reset(), *start(MESSAGES), inflate("m", A), used(INFLATE, "m")],
        {"RESET-01": 1},
    ),
}

SEEN = {
    # Bits 1 and 3 were offered, and 1, 2 and 3 accepted.
    "bits that were not offered": (
        negotiated(VERSION | STATS | CHUNKS, VERSION | STATS | OOM | CHUNKS, ok=False),
        ("features", "0x10000000a", "0x10000000e"),
    ),
    "features that were refused": (
        negotiated(FULL, VERSION | STATS | CHUNKS, ok=False),
        ("status", "FEATURES_OK kept", "CHUNK_TRANSFER, STATS_VQ, VERSION_1"),
    ),
    "no features at all": (negotiated(STATS, 0, ok=False), ("status", "FEATURES_OK kept", "no features")),
    "features without telling": (
        negotiated(VERSION | STATS | TELL, VERSION | STATS),
        ("features", "MUST_TELL_HOST", "STATS_VQ, VERSION_1"),
    ),
    "no features, and no telling": (negotiated(TELL, 0), ("features", "MUST_TELL_HOST", "no features")),
    "a queue that is not there": (
        [*start(MESSAGES), ev.Available(REQUESTS, "m", message(A))],
        ("queue", "0 or 1 or 2", "3"),
    ),
    "a queue before there are any": (
        [ev.Available(INFLATE, "m", message(A))],
        ("queue", "no queue before negotiation", "0"),
    ),
    "a ring of one": (
        [*start(ring=((INFLATE, 1),)), inflate("m", A), inflate("n", B)],
        ("queue", "1 at most", "2"),
    ),
    "a ring of two": (
        [*start(ring=((INFLATE, 2),)), inflate("m", A), inflate("n", B), inflate("o", C)],
        ("queue", "2 at most", "3"),
    ),
}  # fmt: skip
