"""Host requests and their answers."""

from __future__ import annotations

from judge_script import (
    CHUNKS,
    DEVICE_QUIET,
    DRIVER_QUIET,
    FULL,
    INFLATE,
    MESSAGES,
    REQUESTS,
    STATISTICS,
    A,
    B,
    array,
    chunk,
    deflate,
    held,
    inflate,
    message,
    post,
    request,
    start,
    target,
    unused,
    used,
    wants,
)

from balloon_spec import events as ev

OPEN = [*start(), request()]
DONE = [unused("u"), used(REQUESTS, "u")]
RESET = [ev.Reset(), *start(FULL)]
WISH = ev.Operator(ev.OperatorAction.UNUSED_PAGES, 8)
BOTH_WAYS = ev.Available(REQUESTS, "r1", message(A, flag=1, ident=7), 16)


FOUND = {
    "a request buffer of 15 bytes": ([*start(posts=False), post(size=15)], ["REQ-02"]),
    "a request buffer of 16 bytes": ([*start(posts=False), post(size=16)], []),
    "a request buffer of 17 bytes": ([*start(posts=False), post(size=17)], ["REQ-02"]),
    # The device writes what it can into a buffer that is wrong: the driver alone is at fault.
    "a short request in a short buffer": (
        [*start(posts=False), post(size=8), request("r1", length=8)],
        ["REQ-02", "REQ-26"],
    ),
    "no request in a short buffer": (
        [*start(posts=False), post(size=15), used(REQUESTS, "r1")],
        ["REQ-02"],
    ),
    "a long buffer that is filled": (
        [*start(posts=False), post(size=32), used(REQUESTS, "r1", 32, bytes(32))],
        ["REQ-02", "REQ-03"],
    ),
    "no request in a long buffer": ([*start(posts=False), post(size=32), used(REQUESTS, "r1")], ["REQ-02"]),
    "a whole request in a long buffer": ([*start(posts=False), post(size=32), request("r1")], ["REQ-02"]),
    "a message with room for a request": ([*OPEN, BOTH_WAYS, used(REQUESTS, "r1")], ["REQ-02"]),
    "a statistics buffer is no request": ([*start(), used(STATISTICS, "s0")], []),
    "a request of which 15 bytes count": ([*start(), used(REQUESTS, "r0", 15, bytes(16))], ["REQ-03"]),
    "a request of 15 bytes of which 16 count": ([*start(), used(REQUESTS, "r0", 16, bytes(15))], ["REQ-03"]),
    "a request of 17 bytes of which 16 count": ([*start(), used(REQUESTS, "r0", 16, bytes(17))], ["REQ-03"]),
    "an id of 16 bits": ([*start(), request(param=0xFFFF)], []),
    "a greater id follows": ([*OPEN, *DONE, post(), request("r1", 8)], []),
    "a lesser id follows": ([*OPEN, *DONE, post(), request("r1", 6)], []),
    "a wish is the device's to fulfil": ([*start(FULL & ~CHUNKS), WISH, DRIVER_QUIET], []),
    "a wish that is not fulfilled without chunks": ([*start(FULL & ~CHUNKS), WISH, DEVICE_QUIET], ["NEG-09"]),
    # With them, a device asks when it likes.
    "a wish that is not fulfilled": ([*start(), WISH, DEVICE_QUIET], []),
    "a wish of a device that gave up": (
        [
            *start(FULL & ~CHUNKS),
            ev.Available(INFLATE, "m", array(0x5000)),
            ev.NeedsReset(),
            WISH,
            DEVICE_QUIET,
        ],
        ["PFN-04"],
    ),
    "a wish before DRIVER_OK": (
        [
            *start(FULL & ~CHUNKS, posts=False, driver_ok=False),
            ev.Available(REQUESTS, "r0", writable_bytes=16, notified=False),
            WISH,
            DEVICE_QUIET,
        ],
        [],
    ),
    "of two request buffers the first was early": (
        [
            *start(posts=False, driver_ok=False),
            ev.Available(REQUESTS, "r0", writable_bytes=16, notified=False),
            ev.DriverOk(),
            post(),
            WISH,
            DEVICE_QUIET,
        ],
        ["REQ-21", "QUEUE-04"],
    ),
    "a device's silence is not the driver's": ([*start(posts=False), DEVICE_QUIET], []),
    "a driver without the queue owes no request buffer": ([*start(MESSAGES), DRIVER_QUIET], []),
    "a second request buffer is one too many, and in time": (
        [*start(), post(), request(cmd=9), DRIVER_QUIET],
        ["REQ-21"],
    ),
    "inflating waits, and no target was ever shown": (
        [*OPEN, unused("u"), wants("inflate", "0x1000+4"), DRIVER_QUIET],
        [],
    ),
    "inflating waits, and the target is reached": (
        [*held(features=FULL), target(4), request(), unused("u"), wants("inflate", "0x2000+2"), DRIVER_QUIET],
        [],
    ),
    "inflating waits, and the target is passed": (
        [*held(features=FULL), target(3), request(), unused("u"), wants("inflate", "0x2000+2"), DRIVER_QUIET],
        [],
    ),
    "inflating waits, and the target is a page away": (
        [*held(features=FULL), target(5), request(), unused("u"), wants("inflate", "0x2000+2"), DRIVER_QUIET],
        ["CONC-04"],
    ),
    "inflating waits, and the guest gives nothing": ([*OPEN, unused("u"), target(4), DRIVER_QUIET], []),
    "an answer with the id before": ([*OPEN, unused("u", ident=6)], ["REQ-08"]),
    "an answer with another flag is no DONE": ([*OPEN, unused("u", A, flag=2), DRIVER_QUIET], ["REQ-10"]),
    "the answer to request 0 goes on after a reset": (
        [*start(), request(param=0), *RESET, unused("u", ident=0)],
        ["RESET-05"],
    ),
    "after a reset a lesser id answers nothing": ([*OPEN, *RESET, unused("u", ident=6)], ["REQ-16"]),
    "after a reset a greater id answers nothing": ([*OPEN, *RESET, unused("u", ident=8)], ["REQ-16"]),
    "after a reset nothing was ever asked": (
        [*start(), *RESET, unused("u", ident=0xFFFF), unused("v", ident=0), unused("w", ident=1)],
        ["REQ-16", "REQ-16", "REQ-16"],
    ),
    "a message after DONE": ([*OPEN, *DONE, unused("v")], ["REQ-11"]),
    "a message after DONE and a new request buffer": ([*OPEN, *DONE, post(), unused("v")], ["REQ-16"]),
    "a message before any request buffer": ([*start(posts=False), unused("u")], ["REQ-16"]),
    "one page twice in a message": ([*OPEN, unused("u", A, A)], ["UNUSED-04"]),
    "as many pages as memory has": (
        [*OPEN, unused("u", chunk(0, 0x3FFF), flag=0), unused("v", chunk(0x3FFF, 1))],
        [],
    ),
    "one page more than memory has": (
        [*OPEN, unused("u", chunk(0, 0x4000), flag=0), unused("v", chunk(0, 1))],
        ["UNUSED-04", "UNUSED-05"],
    ),
    "more pages than memory has, in two messages": (
        [*OPEN, unused("u", chunk(0, 0x3000), flag=0), unused("v", chunk(0x1000, 0x3000))],
        ["UNUSED-04", "UNUSED-05"],
    ),
    "a buffer on a queue that is not there": ([*OPEN, ev.Available(7, "x", message(A))], ["QUEUE-02"]),
}


COUNTED = {
    "the first request buffer": (start(), {"REQ-01": 1, "REQ-21": 1, "RESET-04": 0}),
    "the first after a reset": ([*start(), *RESET], {"REQ-01": 1, "REQ-21": 2, "RESET-04": 1}),
    "the next one": ([*OPEN, *DONE, post()], {"REQ-01": 1, "REQ-13": 1, "REQ-14": 0, "REQ-17": 1}),
    "the next one after an unknown command": (
        [*start(), request(cmd=9), post()],
        {"REQ-13": 0, "REQ-14": 1, "REQ-15": 0, "REQ-17": 0},
    ),
    "the next one after half a request": (
        [*start(), request(length=8), post()],
        {"REQ-13": 0, "REQ-14": 0, "REQ-15": 1, "REQ-17": 0},
    ),
    "what returns and is no request": (
        [*OPEN, *DONE],
        {"REQ-03": 1, "REQ-05": 1, "REQ-20": 0, "RESET-03": 0},
    ),
    "a whole request in a long buffer": (
        [*start(posts=False), post(size=32), request("r1")],
        {"REQ-02": 1, "REQ-03": 1, "REQ-04": 0, "REQ-07": 0},
    ),
    "a request after DONE": (
        [*OPEN, *DONE, post(), request("r1", 8)],
        {"REQ-06": 1, "REQ-20": 1, "RESET-03": 0},
    ),
    "the first request after a reset": (
        [*OPEN, *RESET, request(param=8), *DONE, post(), request("r1", 9)],
        {"RESET-03": 1},
    ),
    "an answer in two messages": (
        [*OPEN, unused("u", A, flag=0), unused("v", B)],
        {"REQ-08": 2, "REQ-09": 2, "REQ-10": 2, "REQ-11": 1, "REQ-12": 1, "REQ-16": 2},
    ),
    "a flag that is neither": ([*OPEN, unused("u", A, flag=2)], {"REQ-10": 1, "REQ-11": 0, "REQ-12": 1}),
    "runs of several pages": ([*OPEN, unused("u", A, B)], {"UNUSED-04": 1, "UNUSED-05": 1, "UNUSED-08": 0}),
    "a run of one page": ([*OPEN, unused("u", A, chunk(0x2000, 1))], {"UNUSED-08": 1}),
    "an answer without pages": ([*OPEN, unused("u")], {"UNUSED-02": 0, "UNUSED-04": 0, "UNUSED-05": 0}),
    "a reported page is inflated": ([*OPEN, unused("u", A, flag=0), inflate("m", A)], {"UNUSED-06": 1}),
    "another page is inflated": ([*OPEN, unused("u", A, flag=0), inflate("m", B)], {"UNUSED-06": 0}),
    "a reported page is inflated after DONE": ([*OPEN, unused("u", A), inflate("m", A)], {"UNUSED-06": 0}),
    "DONE while an inflate message waits": (
        [*start(), inflate("m", A), request(), unused("u")],
        {"CONC-02": 1, "CONC-03": 0, "CONC-04": 0},
    ),
    "DONE while a deflate message waits": (
        [*held(features=FULL), deflate("d", A), request(), unused("u")],
        {"CONC-02": 0, "CONC-03": 1, "CONC-04": 0},
    ),
    "CONT while an inflate message waits": (
        [*start(), inflate("m", A), request(), unused("u", B, flag=0)],
        {"CONC-02": 0, "CONC-03": 0},
    ),
    "an unknown flag while an inflate message waits": (
        [*start(), inflate("m", A), request(), unused("u", B, flag=2)],
        {"CONC-02": 0, "CONC-03": 0},
    ),
    "DONE while an inflate message waits that came after the request": (
        [*OPEN, inflate("m", A), unused("u")],
        {"CONC-02": 0, "CONC-03": 0, "CONC-04": 0},
    ),
    "DONE after the inflate message returned": (
        [*start(), inflate("m", A), request(), used(INFLATE, "m"), unused("u")],
        {"CONC-02": 0, "CONC-03": 0},
    ),
    "ballooning beside an answer": ([*OPEN, unused("u", B), inflate("m", A)], {"CONC-04": 1}),
    "ballooning after an answer": ([*OPEN, *DONE, inflate("m", A)], {"CONC-04": 0}),
    "a page is reported again": (
        [*OPEN, unused("u", A, flag=0), used(REQUESTS, "u"), unused("v", A), used(REQUESTS, "v")],
        {"UNUSED-03": 1},
    ),
    "a page of the balloon is reported": (
        [*held(features=FULL), request(), unused("u", A), used(REQUESTS, "u")],
        {"UNUSED-03": 1},
    ),
    "other pages are reported": (
        [*OPEN, unused("u", A, flag=0), used(REQUESTS, "u"), unused("v", B), used(REQUESTS, "v")],
        {"UNUSED-03": 0},
    ),
}

SEEN = {
    "a second request buffer": ([*start(), post()], ("request buffer", "one", "2")),
    "a third request buffer": ([*start(), post(), post("r2")], ("request buffer", "one", "3")),
    "an empty CONT": ([*OPEN, unused("u", flag=0)], ("data_len", "at least 16", "0")),
    "pages twice in a message": ([*OPEN, unused("u", A, A)], ("chunk", "each page once", "0x1000+4")),
    "pages twice in an exchange": (
        [*OPEN, unused("u", A, flag=0), unused("v", chunk(0x1002, 9))],
        ("chunk", "each page once", "0x1002+2"),
    ),
    "another id": ([*OPEN, unused("u", A, ident=8)], ("id", "0x7", "0x8")),
}
