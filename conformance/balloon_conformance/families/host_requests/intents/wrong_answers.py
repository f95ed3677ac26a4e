"""Answers that are wrong: their header, their end, a chunk of them, or that nothing asked for them."""

from __future__ import annotations

from balloon_conformance.families.chunk_transfer.vocabulary import (
    Chunk,
    Message,
    chunk,
    chunks,
    inflates,
    malformed,
)
from balloon_conformance.families.host_requests.vocabulary import (
    REQUESTS,
    answers_again,
    asks,
    cont,
    done,
    posts,
    recovers_requests,
    wants_unused,
)
from balloon_conformance.generation.intents.model import DriverBuffer, Intent, Silent
from balloon_conformance.generation.intents.shorthand import (
    any_reaction,
    discards,
    if_returned,
    keeps,
    returns,
    shows,
)

__all__ = ["INTENTS"]

AREA = "host-request"


def _flagged(flag: int) -> Intent:
    """A flag other than CONT and DONE, while another request waits for the end of the open one."""
    return malformed(
        AREA,
        f"flag-{flag:#x}-ends-no-exchange",
        f"A message with flag {flag:#x} leaves the request open, and the next one waits",
        "REQ-25 REQ-05 UNUSED-01",
        "REQ-10 REQ-17",
        asks("r1", 0x51),
        posts("r2"),
        wants_unused(0x52),
        shows("REQ-05", Silent("device")),
        DriverBuffer("host-request", "u1", Message(chunks("0x1000"), flag=flag, id=0x51)),
        any_reaction("u1"),
        if_returned(shows("REQ-25", Silent("device"))),
        keeps("0x1000"),
        features=REQUESTS,
    )


def _closing(name: str, title: str, about: str, breaks: str, *named: str | Chunk) -> Intent:
    """A DONE with a faulty chunk, and a second request after it."""
    return malformed(
        AREA,
        name,
        title,
        f"{about} UNUSED-01 SAFE-01 SAFE-02 SAFE-12",
        breaks,
        asks("r1", 0x61),
        DriverBuffer("host-request", "u1", Message(chunks(*named), flag=1, id=0x61)),
        any_reaction("u1"),
        if_returned(posts("r2"), shows(about, asks("r2", 0x62)), done("u2", 0x62), returns("u2")),
        keeps("0x1000"),
        features=REQUESTS,
    )


INTENTS: tuple[Intent, ...] = (
    malformed(
        AREA,
        "done-twice",
        "A second DONE finds no open request and is returned without effect",
        "REQ-19 REQ-20 UNUSED-01",
        "REQ-11",
        asks("r1", 0x1234),
        done("u1", 0x1234),
        returns("u1"),
        done("u2", 0x1234, "0x1000"),
        shows("REQ-19 REQ-20", returns("u2")),
        keeps("0x1000"),
        posts("r2"),
        answers_again(),
        features=REQUESTS,
    ),
    _closing(
        "done-with-a-chunk-outside-memory",
        "A DONE ends its exchange although one of its chunks lies outside guest memory",
        "REQ-27",
        "CHUNK-05",
        "0x1000",
        "0x3ff8+16",
    ),
    _closing(
        "done-with-a-chunk-of-zero-pages",
        "A DONE ends its exchange although one of its chunks has no pages",
        "REQ-27",
        "CHUNK-04",
        "0x1000",
        "0x1800+0",
    ),
    _closing(
        "done-with-reserved-bits",
        "A DONE ends its exchange whatever the reserved bits of its chunks hold",
        "REQ-20",
        "CHUNK-03",
        chunk("0x1000", base_reserved=0xFFF, size_reserved=0x801),
    ),
    malformed(
        AREA,
        "empty-cont",
        "A CONT without chunks does no harm",
        "SAFE-01 SAFE-02 SAFE-12 SAFE-03 SAFE-04 UNUSED-01",
        "REQ-12",
        asks("r1", 0x1234),
        cont("u1", 0x1234),
        any_reaction("u1"),
        keeps("0x200+16"),
        recovers_requests(),
        features=REQUESTS,
    ),
    malformed(
        AREA,
        "message-with-a-wrong-command",
        "A message with another command is returned and does not close the request",
        "REQ-19 REQ-20 UNUSED-01",
        "REQ-09",
        asks("r1", 0x1234),
        DriverBuffer("host-request", "u1", Message(chunks("0x1000"), flag=1, id=0x1234, cmd=5)),
        shows("REQ-19", returns("u1")),
        keeps("0x1000"),
        done("u9", 0x1234),
        returns("u9"),
        posts("r2"),
        answers_again(),
        features=REQUESTS,
    ),
    malformed(
        AREA,
        "message-with-a-wrong-id",
        "A message with the id of another request is returned and does not close this one",
        "REQ-19 REQ-20 UNUSED-01",
        "REQ-08",
        asks("r1", 0x1234),
        done("u1", 0x1235, "0x1000"),
        shows("REQ-19", returns("u1")),
        keeps("0x1000"),
        done("u9", 0x1234),
        returns("u9"),
        posts("r2"),
        answers_again(),
        features=REQUESTS,
    ),
    malformed(
        AREA,
        "message-with-an-unknown-flag",
        "A flag that is neither CONT nor DONE does no harm",
        "SAFE-01 SAFE-02 SAFE-12 SAFE-03 SAFE-04 UNUSED-01",
        "REQ-10",
        asks("r1", 0x1234),
        DriverBuffer("host-request", "u1", Message(chunks("0x1000"), flag=2, id=0x1234)),
        any_reaction("u1"),
        keeps("0x1000"),
        recovers_requests(),
        features=REQUESTS,
    ),
    *(_flagged(flag) for flag in (2, 3, 0x80, 0x81, 0xFF)),
    malformed(
        AREA,
        "message-without-a-request",
        "An unused-page message while no request is open is returned without effect",
        "REQ-19 UNUSED-01",
        "REQ-16",
        done("u1", 0x1234, "0x1000"),
        shows("REQ-19", returns("u1")),
        keeps("0x1000"),
        asks("r1", 0x1234),
        done("u9", 0x1234),
        returns("u9"),
        posts("r2"),
        features=REQUESTS,
    ),
    malformed(
        AREA,
        "request-never-answered",
        "A driver that does not answer does not hold up the device",
        "REQ-23 CONC-06 INF-07",
        "REQ-11",
        asks("r1", 0x1234),
        Silent("driver"),
        inflates("m1", "0x1000"),
        shows("REQ-23 CONC-06", returns("m1")),
        discards("0x1000"),
        features=REQUESTS,
    ),
)
