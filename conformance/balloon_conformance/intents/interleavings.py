"""One inflate, one deflate and one exchange, in every order.

A device is given the three messages of an exchange, an inflate and a deflate message in each of the twenty
possible orders, all before it returns any; it chooses the order of the returns. A driver gets its buffers
back in each order: a balloon buffer, the answer to a request and the statistics buffer are in flight
together. (A driver need not have an inflate and a deflate buffer in flight at once, nor cut an answer into
three.)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from balloon_conformance.families.base.vocabulary import gives_up, target, wants_back
from balloon_conformance.families.chunk_transfer.vocabulary import deflates, exchange, inflates
from balloon_conformance.families.host_requests.vocabulary import REQUESTS, asks, cont, done, posts, unused
from balloon_conformance.families.statistics.vocabulary import reports, wants_statistics
from balloon_conformance.generation.intents.model import DriverActual, Intent
from balloon_conformance.generation.intents.shorthand import Script, discards, returns

__all__ = ["INTENTS"]

_AREA = "concurrent-kinds"
_ID = 0x1234
_MESSAGES = {
    "inflate": inflates("m1", "0x1100+2"),
    "deflate": deflates("d1", "0x1000+4"),
    "first": cont("u1", _ID, "0x1800+4"),
    "second": cont("u2", _ID, "0x1900"),
    "last": done("u3", _ID, "0x2000+2"),
}


def _orders() -> Iterator[tuple[str, ...]]:
    """Yield each order in which the three messages of the exchange keep their own order."""
    for at_inflate, at_deflate in permutations(range(5), 2):
        exchange_messages = iter(("first", "second", "last"))
        yield tuple(
            "inflate" if at == at_inflate else "deflate" if at == at_deflate else next(exchange_messages)
            for at in range(5)
        )


def _available(order: tuple[str, ...]) -> Intent:
    """All five are made available in this order, and then returned."""
    return exchange(
        _AREA,
        f"available-{'-'.join(order)}",
        f"Made available in the order {', '.join(order)}, all five messages are returned and acted on",
        "CONC-06 CONC-07 UNUSED-01 DEF-08 INF-07 REQ-20",
        inflates("m0", "0x1000+4"),
        returns("m0"),
        discards("0x1000+4"),
        DriverActual(4),
        asks("r1", _ID),
        [_MESSAGES[which] for which in order],
        returns(*(_MESSAGES[which].name for which in order)),
        DriverActual(2),
        posts("r2"),
        discards("0x1100+2", kept=["0x1000+4", "0x1800+4", "0x1900", "0x2000+2"]),
        asks("r2", _ID + 1),
        done("u4", _ID + 1),
        returns("u4"),
        posts("r3"),
        features=REQUESTS,
        sides="device",
    )


_BUFFERS = ("balloon", "answer", "statistics")


def _returned(order: tuple[str, ...], *, deflating: bool) -> Intent:
    """A balloon buffer, an answer and the statistics buffer come back in this order."""
    kind = "deflate" if deflating else "inflate"
    first: Script = (
        (
            target(1),
            gives_up("0x1234"),
            inflates("m0", "0x1234"),
            returns("m0"),
            DriverActual(1),
            target(0),
            wants_back("0x1234"),
            deflates("b1", "0x1234"),
        )
        if deflating
        else (target(1), gives_up("0x1234"), inflates("b1", "0x1234"))
    )
    ends: dict[str, Script] = {
        "balloon": (returns("b1"), DriverActual(0 if deflating else 1)),
        "answer": (returns("u1"), posts("r2")),
        "statistics": (wants_statistics(), returns("s1"), reports("s2")),
    }
    words = [kind if which == "balloon" else which for which in order]
    return exchange(
        _AREA,
        f"returned-{'-'.join(words)}",
        f"Returned in the order {', '.join(words)}, each buffer is answered by what is owed for it alone",
        f"CONC-05 {'CONC-03' if deflating else 'CONC-02'} CONC-04 CONC-08 REQ-13 STATS-03 CFG-04 BUF-01",
        unused("0x1800"),
        first,
        asks("r1", _ID),
        done("u1", _ID, "0x1800", match="equivalent"),
        [ends[which] for which in order],
        features=REQUESTS,
        sides="driver",
    )


def _request_between(kind: str, at: int) -> Intent:
    """A whole exchange takes place before, while or after a balloon buffer is unanswered."""
    when = ("before", "during", "after")[at]
    deflating = kind == "deflate"
    setup: Script = (
        (target(1), gives_up("0x1234"), inflates("m0", "0x1234"), returns("m0"), DriverActual(1))
        if deflating
        else ()
    )
    answered: Script = (asks("r1", _ID), done("u1", _ID), returns("u1"), posts("r2"))
    wish: Script = (
        (target(0), wants_back("0x1234"), deflates("b1", "0x1234"))
        if deflating
        else (target(1), gives_up("0x1234"), inflates("b1", "0x1234"))
    )
    back: Script = (returns("b1"), DriverActual(0 if deflating else 1))
    parts = [wish, back]
    parts.insert(at, answered)
    return exchange(
        _AREA,
        f"exchange-{when}-{'a-deflation' if deflating else 'an-inflation'}",
        f"A request is answered {when} {'a deflation' if deflating else 'an inflation'}",
        "REQ-13 QUEUE-07 DEF-04" if deflating else "REQ-13 QUEUE-07 INF-05",
        unused(),
        setup,
        parts,
        features=REQUESTS,
    )


def _statistics_between(pair: tuple[str, str]) -> Intent:
    """Statistics are asked for between two messages of an exchange."""
    before, after = pair
    order = ("first", "second", "last")
    script: list[Script] = []
    for which in order:
        script += [_MESSAGES[which], returns(_MESSAGES[which].name)]
        if which == before:
            script += [wants_statistics(), returns("s1"), reports("s2")]
    return exchange(
        _AREA,
        f"statistics-between-{before}-and-{after}",
        f"The statistics buffer comes back between the {before} and the {after} message of an answer",
        "CONC-06 QUEUE-07 REQ-20",
        asks("r1", _ID),
        script,
        posts("r2"),
        features=REQUESTS,
        sides="device",
    )


INTENTS: tuple[Intent, ...] = (
    *(_available(order) for order in _orders()),
    *(_returned(order, deflating=False) for order in permutations(_BUFFERS)),
    *(_returned(order, deflating=True) for order in permutations(_BUFFERS)),
    *(_request_between(kind, at) for kind in ("inflate", "deflate") for at in range(3)),
    *(_statistics_between(pair) for pair in (("first", "second"), ("second", "last"))),
)
