"""The pages that inflate, deflate and unused-page buffers name, and that a guest uses."""

from __future__ import annotations

from judge_script import (
    ARRAYS,
    DEFLATE,
    FULL,
    INFLATE,
    MESSAGES,
    OOM,
    TELL,
    A,
    B,
    array,
    chunk,
    deflate,
    held,
    inflate,
    post,
    request,
    start,
    target,
    unused,
    used,
    wants,
)

from balloon_spec import events as ev

HELD = held(features=FULL)
BOTH = [*HELD, inflate("n", B)]
"""Four pages in the balloon, two on their way."""
TOLD = MESSAGES | TELL


def meant(*chunks, runs=("0x1000+4",)):
    return [*start(), wants("inflate", *runs), inflate("m", *chunks)]


def listed(*pfns):
    return [*start(ARRAYS), wants("inflate", "0x1000+4"), ev.Available(INFLATE, "m", array(*pfns))]


FOUND = {
    "the pages that were meant": (meant(A), []),
    "some of the pages that were meant": (meant(chunk(0x1001, 2)), []),
    "one page too many before": (meant(chunk(0x0FFF, 5)), ["CHUNK-01"]),
    "as many pages, one too early": (meant(chunk(0x0FFF, 4)), ["CHUNK-01"]),
    "as many pages, one too late": (meant(chunk(0x1001, 4)), ["CHUNK-01"]),
    "more pages, one too late": (meant(chunk(0x1001, 5)), ["CHUNK-02"]),
    "the second run is too long": (meant(A, chunk(0x2000, 3), runs=("0x1000+4", "0x2000+2")), ["CHUNK-02"]),
    "the second run is elsewhere": (meant(A, chunk(0x2100, 2), runs=("0x1000+4", "0x2000+2")), ["CHUNK-01"]),
    "a word of those that were meant": (listed(0x1000, 0x1003), []),
    "a word too many": (listed(0x1000, 0x1004), ["PFN-03"]),
    "no guest is steered": ([*start(), inflate("m", A)], []),
    "pages of the balloon were not meant again": (
        [*HELD, wants("inflate", "0x2000+2"), inflate("n", chunk(0x1003, 1), B)],
        ["INF-11"],
    ),
    "pages on their way were not meant again": (
        [*HELD, inflate("n", B), wants("inflate", "0x3000"), inflate("o", chunk(0x3000, 1), B)],
        ["INF-11"],
    ),
    "pages come back that were not wanted": (
        # By DEFLATE_ON_OOM a driver may take back more than its guest asks for.
        [*HELD, wants("deflate", "0x1000+2"), deflate("d", A)],
        [],
    ),
    "pages come back that were wanted, and others that never were there": (
        [*HELD, wants("deflate", "0x1000+4"), deflate("d", chunk(0x1000, 5))],
        ["CHUNK-02", "DEF-04"],
    ),
    "all come back at the target, and half were wanted": (
        [*held(features=FULL & ~OOM), target(4), wants("deflate", "0x1000+2"), deflate("d", A)],
        ["DEF-09"],
    ),
    "a page comes back as it was wanted, and more once the target fell": (
        [*held(features=FULL & ~OOM), wants("deflate", "0x1000"), target(1), deflate("d", chunk(0x1000, 3))],
        [],
    ),
    "pages that were wanted come back": ([*HELD, wants("deflate", "0x1000+4"), deflate("d", A)], []),
    "other pages come back than were wanted": (
        [*HELD, wants("deflate", "0x1000"), deflate("d", chunk(0x1001, 1))],
        ["CHUNK-01"],
    ),
    "unused at the request": ([*start(), wants("unused", "0x1000+4"), request(), unused("u", A)], []),
    "unused since the request": (
        [*start(), wants("unused", "0x1000+4"), request(), wants("unused", "0x2000+2"), unused("u", A, B)],
        [],
    ),
    "unused no more at the request": (
        [*start(), wants("unused", "0x1000+4"), wants("unused", "0x2000+2"), request(), unused("u", A)],
        ["UNUSED-10"],
    ),
    "unused, and more besides": (
        [*start(), wants("unused", "0x1000+4"), request(), unused("u", chunk(0x1000, 5))],
        ["UNUSED-10"],
    ),
    "unused, and more in the next message": (
        [
            *[*start(), wants("unused", "0x1000+4"), request(), unused("u", A, flag=0)],
            unused("v", chunk(0x2000, 4)),
        ],
        ["UNUSED-10"],
    ),
    "as many as are unused, elsewhere": (
        [*start(), wants("unused", "0x1000+4"), request(), unused("u", chunk(0x1100, 4))],
        ["CHUNK-01"],
    ),
    "what the guest gives up is free until it is in the balloon": (
        [*start(), wants("unused", "0x1000+4"), wants("inflate", "0x2000+2"), request(), unused("u", A, B)],
        [],
    ),
    "what the guest gives up since the request is free": (
        [*start(), wants("unused", "0x1000+4"), request(), wants("inflate", "0x2000+2"), unused("u", A, B)],
        [],
    ),
    "what the guest gave up and wants back is not": (
        [
            *[
                *start(),
                wants("unused", "0x1000+4"),
                wants("inflate", "0x2000+2"),
                wants("deflate", "0x2000+2"),
            ],
            *[request(), unused("u", A, B)],
        ],
        ["UNUSED-10"],
    ),
    "what the guest gave up and uses is not": (
        [
            *[*start(), wants("unused", "0x1000+4"), wants("inflate", "0x2000+2"), wants("use", "0x2000+2")],
            *[request(), unused("u", A, B)],
        ],
        ["UNUSED-10"],
    ),
    "what is on its way out of the balloon may be free for a moment": (
        [
            *HELD,
            wants("unused", "0x3000+2"),
            wants("deflate", "0x1000+4"),
            request(),
            deflate("d", A),
            unused("u", A),
        ],
        [],
    ),
    "what was on its way out at the request may be, too": (
        [
            *HELD,
            wants("unused", "0x3000+2"),
            wants("deflate", "0x1000+4"),
            deflate("d", A),
            request(),
            unused("u", A),
        ],
        [],
    ),
    "the guest keeps data there all the time": (
        [*start(), wants("hold", "0x1000+4"), request(), unused("u", A), wants("hold", "0x1000+4")],
        ["UNUSED-10"],
    ),
    "the guest keeps data there, and not at the request": (
        [*start(), wants("hold", "0x2000"), request(), unused("u", A), wants("hold", "0x1000+4")],
        [],
    ),
    "the guest kept data there, and not after the answer": (
        [*start(), wants("hold", "0x1000+4"), request(), unused("u", A), wants("hold", "0x2000")],
        [],
    ),
    "the guest keeps data, and nobody asks": (
        [*start(), wants("hold", "0x1000"), wants("hold", "0x1000")],
        [],
    ),
    "the balloon is not unused, and was not meant": (
        [*HELD, wants("unused", "0x3000+2"), request(), unused("u", A)],
        ["UNUSED-02"],
    ),
    # Between the request and the message a page may have been free first, and in the balloon then.
    "unused when it was looked at, and in the balloon now": (
        [*start(), request(), inflate("m", A), used(INFLATE, "m"), unused("u", A)],
        [],
    ),
    "on its way into the balloon at the request": (
        [*start(), inflate("m", A), request(), unused("u", A)],
        ["UNUSED-02"],
    ),
    "in the balloon at the request, and once out of it": (
        [
            *HELD,
            request(),
            deflate("d", A),
            used(DEFLATE, "d"),
            inflate("n", A),
            used(INFLATE, "n"),
            unused("u", A),
        ],
        [],
    ),
    "in the balloon at the request, and another once out of it": (
        [*HELD, request(), deflate("d", chunk(0x1000, 1)), used(DEFLATE, "d"), unused("u", A)],
        ["UNUSED-02"],
    ),
    "in the balloon since the request before": (
        [
            *start(),
            request(),
            inflate("m", A),
            unused("u", A),
            used(3, "u"),
            post("r1"),
            request("r1", 8),
            unused("v", A, ident=8),
        ],
        ["UNUSED-02"],
    ),
    "what is on its way is out too early": ([*BOTH, deflate("d", B)], ["DEF-03"]),
    "what is on its way is out with what is there": ([*BOTH, deflate("d", A, B)], ["DEF-03"]),
    "what never was there": ([*BOTH, deflate("d", A, chunk(0x3000, 1))], ["DEF-04"]),
    "what is on its way, and what never was there": (
        [*BOTH, deflate("d", B, chunk(0x3000, 1))],
        ["DEF-03", "DEF-04"],
    ),
    "what is there": ([*BOTH, deflate("d", A)], []),
    "what came back already": ([*HELD, deflate("d", A), used(DEFLATE, "d"), deflate("e", A)], ["DEF-04"]),
    "what leaves already": ([*HELD, deflate("d", A), deflate("e", A)], ["DEF-04"]),
    "a page is used that is on its way": ([*BOTH, wants("use", "0x2001")], ["INF-04"]),
    "a page is used that is nobody's": ([*BOTH, wants("use", "0x3000")], []),
    "a page of the balloon is used without a word": (
        [*held(features=TOLD), wants("use", "0x1003")],
        ["DEF-05"],
    ),
    "a page of the balloon is used on its way out": (
        [*held(features=TOLD), deflate("d", A), wants("use", "0x1003")],
        ["DEF-05"],
    ),
    "a page of the balloon is used once it is out": (
        [*held(features=TOLD), deflate("d", A), used(DEFLATE, "d"), wants("use", "0x1003")],
        [],
    ),
    "a page of the balloon is used where no word is due": ([*HELD, wants("use", "0x1003")], []),
}

COUNTED = {
    "chunks of what was meant": (meant(A), {"CHUNK-01": 1, "CHUNK-02": 1, "PFN-03": 0, "INF-11": 1}),
    "words of what was meant": (listed(0x1000), {"CHUNK-01": 0, "CHUNK-02": 0, "PFN-03": 1, "INF-11": 1}),
    "unused pages and no others": (
        [*start(), wants("unused", "0x1000+4"), request(), unused("u", A)],
        {"UNUSED-10": 1, "CHUNK-01": 1},
    ),
    "more comes back than was wanted": (
        [*HELD, wants("deflate", "0x1000+2"), deflate("d", A)],
        {"CHUNK-01": 0, "CHUNK-02": 0},
    ),
    "the guest keeps data elsewhere": (
        [*start(), wants("hold", "0x2000"), request(), unused("u", A), wants("hold", "0x2000")],
        {"UNUSED-10": 1},
    ),
    "the guest keeps data, and nothing is reported": (
        [*start(), wants("hold", "0x2000"), request(), unused("u"), wants("hold", "0x2000")],
        {"UNUSED-10": 0},
    ),
    "the guest keeps nothing all the time": (
        [*start(), wants("hold", "0x2000"), request(), unused("u", A), wants("hold", "0x3000")],
        {"UNUSED-10": 0},
    ),
    "nothing was meant": ([*start(), inflate("m", A)], {"CHUNK-01": 0, "CHUNK-02": 0, "INF-11": 1}),
    "no pages": ([*start(), wants("inflate", "0x1000+4"), inflate("m")], {"CHUNK-01": 0, "INF-11": 0}),
    "pages leave": (
        [*BOTH, deflate("d", A)],
        {"DEF-01": 1, "DEF-02": 1, "DEF-03": 1, "DEF-04": 1, "INF-11": 2},
    ),
    "pages leave that are on their way": ([*BOTH, deflate("d", B)], {"DEF-03": 1, "DEF-04": 0}),
    "no pages leave": ([*HELD, deflate("d")], {"DEF-02": 1, "DEF-03": 0, "DEF-04": 0}),
    "one in flight on each queue": ([*HELD, inflate("n", B), deflate("d", A)], {"CONC-08": 0}),
    "two in flight on a queue": ([*start(), inflate("m", A), inflate("n", B)], {"CONC-08": 1}),
    "one in flight after another": ([*HELD, inflate("n", B)], {"CONC-08": 0}),
    "a page is used that is nobody's": (
        [*BOTH, wants("use", "0x3000")],
        {"INF-04": 1, "DEF-05": 0, "DEF-06": 0},
    ),
    "a page of the balloon is used": (
        [*BOTH, wants("use", "0x1000")],
        {"INF-04": 1, "DEF-05": 0, "DEF-06": 1},
    ),
    "a page is used on its way out": ([*HELD, deflate("d", A), wants("use", "0x1000")], {"DEF-06": 1}),
    "a page is used where a word is due": (
        [*held(features=TOLD), wants("use", "0x3000")],
        {"INF-04": 1, "DEF-05": 1, "DEF-06": 0},
    ),
    "a page is given up, and not used": ([*HELD, wants("inflate", "0x3000")], {"INF-04": 0, "DEF-06": 0}),
}

SEEN = {
    "one page too many": (meant(chunk(0x1000, 5)), ("size", "0x1000+4", "0x1000+5")),
    "another base": (meant(chunk(0x1100, 4)), ("base", "0x1000+4", "0x1100+4")),
    "a word too many": (listed(0x1000, 0x1004), ("pfn", "0x1000+4", "0x1000, 0x1004")),
    "named again": (
        [*HELD, inflate("n", chunk(0x1003, 2))],
        ("chunk", "pages outside the balloon", "0x1003"),
    ),
    "on its way": (
        [*BOTH, deflate("d", A, B)],
        ("chunk", "pages whose inflate buffer was returned", "0x2000+2"),
    ),
    "never there": ([*BOTH, deflate("d", chunk(0x1002, 3))], ("chunk", "0x1000+4", "0x1004")),
    "used on its way": ([*BOTH, wants("use", "0x2001+4")], ("page", "no use before the return", "0x2001")),
    "used without a word": (
        [*held(features=TOLD), wants("use", "0x1003+4")],
        ("page", "no use before the return", "0x1003"),
    ),
}
