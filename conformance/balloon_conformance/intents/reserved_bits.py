"""Reserved bits of a chunk and reserved words of a request: their values change nothing else."""

from __future__ import annotations

from balloon_conformance.families.chunk_transfer.vocabulary import (
    Message,
    chunk,
    chunks,
    deflates,
    inflates,
    malformed,
)
from balloon_conformance.families.host_requests.vocabulary import DONE, REQUESTS, asks, done, posts, unused
from balloon_conformance.generation.intents.model import DriverBuffer, Intent
from balloon_conformance.generation.intents.shorthand import Script, discards, keeps, returns, shows

__all__ = ["INTENTS"]

_AREA = "chunks"


def _dirty(name: str, title: str, base: int, size: int) -> Intent:
    """A clean chunk is acted on, and then one with these reserved bits set."""
    return malformed(
        _AREA,
        name,
        title,
        "CHUNK-06",
        "CHUNK-03",
        inflates("m1", "0x1000+2"),
        returns("m1"),
        discards("0x1000+2"),
        inflates("m2", chunk("0x1100+2", base_reserved=base, size_reserved=size)),
        shows("CHUNK-06", returns("m2"), discards("0x1100+2")),
    )


def _single(bit: int, word: str) -> Intent:
    return _dirty(
        f"reserved-bit-{bit}-of-{word}",
        f"Bit {bit} of {word} is reserved and does not change which pages a chunk names",
        1 << bit if word == "base" else 0,
        1 << bit if word == "size" else 0,
    )


_PATTERNS = (
    ("all-of-base", 0xFFF, 0),
    ("all-of-size", 0, 0xFFF),
    ("even-of-base-and-odd-of-size", 0x555, 0xAAA),
    ("odd-of-base-and-even-of-size", 0xAAA, 0x555),
    ("highest-of-base-and-size", 0x800, 0x800),
    ("lowest-of-base-and-size", 0x001, 0x001),
    ("upper-half-of-base-and-lower-half-of-size", 0xFC0, 0x03F),
)


def _in_every_chunk() -> Intent:
    """Twenty-four chunks, each with another reserved bit set."""
    named = [
        chunk(
            f"{0x1000 + 2 * bit:#x}",
            base_reserved=1 << bit if bit < 12 else 0,
            size_reserved=1 << (bit - 12) if bit >= 12 else 0,
        )
        for bit in range(24)
    ]
    return malformed(
        _AREA,
        "reserved-bits-one-in-each-of-24-chunks",
        "Of 24 chunks each has another reserved bit set, and each names its page",
        "CHUNK-06 INF-08",
        "CHUNK-03",
        inflates("m1", "0x1200+2"),
        returns("m1"),
        discards("0x1200+2"),
        inflates("m2", *named),
        shows("CHUNK-06", returns("m2")),
        shows(
            "CHUNK-06",
            discards(
                *(f"{0x1000 + 2 * bit:#x}" for bit in range(24)),
                kept=[f"{0x1001 + 2 * bit:#x}" for bit in range(24)],
            ),
        ),
    )


def _while_deflating() -> Intent:
    return malformed(
        "deflate",
        "deflate-with-every-reserved-bit",
        "A deflate chunk with every reserved bit set is returned, and what it names may be inflated again",
        "SAFE-03 CHUNK-06 DEF-07",
        "CHUNK-03",
        inflates("m1", "0x1000+2"),
        returns("m1"),
        discards("0x1000+2"),
        deflates("d1", chunk("0x1000+2", base_reserved=0xFFF, size_reserved=0xFFF)),
        shows("DEF-07", returns("d1"), keeps("0x1000+2")),
        inflates("m2", "0x1000+2"),
        returns("m2"),
        discards("0x1000+2"),
    )


def _while_answering(base: int, size: int, name: str) -> Intent:
    dirty = chunk("0x1000+4", base_reserved=base, size_reserved=size)
    return malformed(
        "unused-pages",
        f"unused-chunk-with-reserved-bits-{name}",
        f"Reserved bits {base:#x} and {size:#x} in the answer to a request do no harm, and DONE closes it",
        "UNUSED-01 REQ-20",
        "CHUNK-03",
        asks("r1", 0x1234),
        DriverBuffer("host-request", "u1", Message(chunks(dirty), flag=DONE, id=0x1234)),
        shows("REQ-20", returns("u1")),
        keeps("0x1000+4"),
        posts("r2"),
        asks("r2", 0x21),
        done("u8", 0x21),
        shows("REQ-20", returns("u8")),
        posts("r3"),
        features=REQUESTS,
    )


_WORDS = (
    ("the-first-reserved-word", (1, 0, 0)),
    ("the-second-reserved-word", (0, 1, 0)),
    ("the-third-reserved-word", (0, 0, 1)),
    ("every-reserved-bit", (0xFFFF, 0xFFFF, 0xFFFF)),
    ("alternating-reserved-bits", (0x5555, 0xAAAA, 0x5555)),
)


def _request(name: str, reserved: tuple[int, int, int]) -> Intent:
    """A device leaves values in the reserved words; cmd and param keep their meaning.

    It makes the same request without them first: a driver that does not answer that one does not mind the
    words.
    """
    said = ", ".join(f"{word:#x}" for word in reserved)
    answered: tuple[Script, ...] = (done("u2", 0x1234), returns("u2"), posts("r3"))
    return malformed(
        "host-request",
        f"request-with-{name}",
        f"Reserved words {said} of a request do not change its answer",
        "REQ-24 REQ-08 REQ-11 REQ-13",
        "REQ-04",
        unused(),
        asks("r1", 0x21),
        done("u1", 0x21),
        returns("u1"),
        posts("r2"),
        asks("r2", 0x1234, reserved=reserved),
        shows("REQ-24", *answered),
        features=REQUESTS,
        sides="driver",
    )


INTENTS: tuple[Intent, ...] = (
    *(_single(bit, word) for bit in range(12) for word in ("base", "size")),
    _dirty("every-reserved-bit", "With every reserved bit set a chunk names the same pages", 0xFFF, 0xFFF),
    *(
        _dirty(
            f"reserved-bits-{name}",
            f"Reserved bits {base:#x} of base and {size:#x} of size do not change which pages a chunk names",
            base,
            size,
        )
        for name, base, size in _PATTERNS
    ),
    _in_every_chunk(),
    _while_deflating(),
    _while_answering(0xFFF, 0xFFF, "all"),
    _while_answering(0x555, 0xAAA, "even-and-odd"),
    *(_request(name, reserved) for name, reserved in _WORDS),
)
