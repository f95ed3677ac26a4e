"""Request buffers that are no room for a request, and requests that are none, or unknown."""

from __future__ import annotations

from balloon_conformance.families.chunk_transfer.vocabulary import (
    deflates,
    exchange,
    inflates,
    malformed,
)
from balloon_conformance.families.host_requests.vocabulary import (
    REQUESTS,
    Request,
    asks,
    done,
    posts,
    unused,
    wants_unused,
)
from balloon_conformance.families.statistics.vocabulary import reports
from balloon_conformance.generation.intents.model import DeviceReturn, Intent, Raw
from balloon_conformance.generation.intents.shorthand import (
    any_reaction,
    discards,
    keeps,
    resets,
    returns,
    shows,
)

__all__ = ["INTENTS"]

AREA = "host-request"


def _unknown(name: str, title: str, *, cmd: int) -> Intent:
    """An unknown request, and a known one after it."""
    return exchange(
        AREA,
        name,
        title,
        "REQ-14 REQ-13",
        unused(),
        DeviceReturn("r1", Request(cmd=cmd, param=0x20)),
        shows("REQ-14", posts("r2")),
        asks("r2", 0x21),
        done("u1", 0x21),
        returns("u1"),
        posts("r3"),
        features=REQUESTS,
        sides="driver",
    )


def _sized(length_bytes: int) -> Intent:
    """A request buffer that is too short or too long, and after a reset one of the right size."""
    short = length_bytes < 16
    return malformed(
        AREA,
        f"request-buffer-of-{length_bytes}-bytes",
        f"A request buffer of {length_bytes} byte{'s' if length_bytes > 1 else ''} "
        + ("takes no request" if short else "takes a request of 16 or none"),
        f"BUF-07 {'REQ-26' if short else 'REQ-03'} SAFE-01 SAFE-02 SAFE-12 SAFE-04",
        "REQ-02",
        reports("s1"),
        posts("r1", writable_bytes=length_bytes),
        wants_unused(0x1234),
        any_reaction("r1"),
        keeps("0x200+16"),
        resets(),
        inflates("good2", "0x2010"),
        shows("SAFE-04", returns("good2"), discards("0x2010")),
        deflates("good3", "0x2010"),
        returns("good3"),
        features=REQUESTS,
        opening=False,
    )


INTENTS: tuple[Intent, ...] = (
    malformed(
        AREA,
        "request-buffer-too-small",
        "A request buffer of 8 bytes gets no more than 8 bytes written",
        "BUF-07 REQ-26 SAFE-01 SAFE-02 SAFE-12 SAFE-03 SAFE-04",
        "REQ-02",
        reports("s1"),
        posts("r1", writable_bytes=8),
        wants_unused(0x1234),
        any_reaction("r1"),
        keeps("0x200+16"),
        resets(),
        inflates("good2", "0x2010"),
        shows("SAFE-04", returns("good2"), discards("0x2010")),
        deflates("good3", "0x2010"),
        returns("good3"),
        features=REQUESTS,
        opening=False,
    ),
    *(_sized(length) for length in (1, 15, 17, 32)),
    malformed(
        AREA,
        "request-param-above-16-bits",
        "Of a param of more than 16 bits the driver answers with the low 16",
        "REQ-08 REQ-11",
        "REQ-07",
        unused(),
        asks("r1", 0x11234),
        shows("REQ-08", done("u1", 0x1234)),
        returns("u1"),
        posts("r2"),
        features=REQUESTS,
        sides="driver",
    ),
    malformed(
        AREA,
        "request-param-of-64-bits",
        "Of a param of 64 bits the driver answers with the low 16",
        "REQ-08 REQ-11",
        "REQ-07",
        unused(),
        asks("r1", 0xFEDCBA9876543210),
        shows("REQ-08", done("u1", 0x3210)),
        returns("u1"),
        posts("r2"),
        features=REQUESTS,
        sides="driver",
    ),
    malformed(
        AREA,
        "request-with-a-repeated-id",
        "A second request with the id of the first is answered like the first",
        "REQ-08 REQ-11 REQ-13",
        "REQ-06",
        unused(),
        asks("r1", 0x7),
        done("u1", 0x7),
        returns("u1"),
        posts("r2"),
        asks("r2", 0x7),
        done("u2", 0x7),
        returns("u2"),
        posts("r3"),
        features=REQUESTS,
        sides="driver",
    ),
    _unknown(
        "request-with-an-unknown-command",
        "An unknown command gets no message and the request buffer back",
        cmd=9,
    ),
    _unknown("request-with-command-256", "Command 256 is not command 0, though its low byte is", cmd=256),
    exchange(
        AREA,
        "request-with-used-length-0",
        "A request buffer returned empty is made available again",
        "REQ-15 REQ-13",
        unused(),
        returns("r1"),
        shows("REQ-15", posts("r2")),
        asks("r2", 0x21),
        done("u1", 0x21),
        returns("u1"),
        posts("r3"),
        features=REQUESTS,
        sides="driver",
    ),
    malformed(
        AREA,
        "request-with-used-length-24",
        "A used length above the buffer is no request, and the buffer comes back",
        "REQ-15 REQ-13",
        "REQ-03 BUF-07",
        unused(),
        DeviceReturn("r1", Request(param=0x20), length_bytes=24),
        shows("REQ-15", posts("r2")),
        asks("r2", 0x21),
        done("u1", 0x21),
        returns("u1"),
        posts("r3"),
        features=REQUESTS,
        sides="driver",
    ),
    malformed(
        AREA,
        "request-with-used-length-8",
        "A used length of 8 is no request, and the buffer comes back",
        "REQ-15 REQ-13",
        "REQ-03",
        unused(),
        DeviceReturn("r1", Raw(bytes.fromhex("00 00 00 00 00 00 00 00"))),
        shows("REQ-15", posts("r2")),
        asks("r2", 0x21),
        done("u1", 0x21),
        returns("u1"),
        posts("r3"),
        features=REQUESTS,
        sides="driver",
    ),
)
