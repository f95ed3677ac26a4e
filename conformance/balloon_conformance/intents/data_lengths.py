"""Messages on each queue whose data_len differs from the length of the response data."""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import SAFE
from balloon_conformance.families.chunk_transfer.vocabulary import (
    Message,
    chunks,
    deflates,
    inflates,
    malformed,
    recovers,
)
from balloon_conformance.families.host_requests.vocabulary import DONE, REQUESTS, asks, done, posts
from balloon_conformance.generation.intents.model import DriverBuffer, Intent
from balloon_conformance.generation.intents.shorthand import (
    any_reaction,
    discards,
    keeps,
    resets,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_TWO_CHUNKS = 32
_LENGTHS = {
    "1": (1, "one byte"),
    "15": (15, "a byte less than a chunk"),
    "31": (31, "a byte less than there are"),
    "33": (33, "a byte more than there are"),
    "that-counts-the-header": (40, "the header too"),
    "of-one-chunk-more": (48, "one chunk more than there is"),
    "of-two-chunks-in-chunks": (2, "chunks in place of bytes"),
    "of-4096": (0x1000, "a page of chunks"),
    "in-the-other-byte-order": (0x20000000, "its bytes in the other order"),
    "of-2-gib-less-16": (0x7FFFFFF0, "almost 2 GiB"),
    "of-2-gib": (0x80000000, "2 GiB, a negative number to whoever reads it as one"),
    "of-all-ones": (0xFFFFFFFF, "2^32 - 1"),
}
_SHORT_LIST = ("1", "that-counts-the-header", "of-one-chunk-more", "in-the-other-byte-order", "of-all-ones")


def _broken(data_len: int) -> str:
    """Return the requirements that a message of two chunks with this data_len breaks."""
    if data_len == int.from_bytes(_TWO_CHUNKS.to_bytes(4, "little"), "big"):
        return "HDR-06"
    return "HDR-02 HDR-03" if data_len % 16 else "HDR-02"


def _inflate(name: str) -> Intent:
    data_len, words = _LENGTHS[name]
    whole = data_len % 16 == 0
    shown = "SAFE-07" if whole else "SAFE-06"
    end = "is not followed" if whole else "spoils them"
    return malformed(
        "safety",
        f"data-len-{name}" if not name.isdigit() else f"data-len-{name}-before-two-chunks",
        f"A data_len of {data_len:#x} before two chunks, {words}, {end}",
        f"{SAFE} {shown}",
        _broken(data_len),
        inflates("m1", "0x1000", "0x1100", data_len=data_len),
        any_reaction("m1"),
        shows(shown, keeps("0x200+16", *(["0x1200"] if whole else ["0x1000", "0x1100"]))),
        recovers(),
    )


def _deflate(name: str) -> Intent:
    data_len, words = _LENGTHS[name]
    shown = "SAFE-06" if data_len % 16 else "SAFE-07"
    return malformed(
        "safety",
        f"deflate-data-len-{name}",
        f"A data_len of {data_len:#x} in a deflate message, {words}, does no harm",
        f"{SAFE} {shown}",
        _broken(data_len),
        inflates("m1", "0x1000", "0x1100"),
        returns("m1"),
        discards("0x1000", "0x1100"),
        deflates("d1", "0x1000", "0x1100", data_len=data_len),
        any_reaction("d1"),
        keeps("0x200+16", "0x1200"),
        recovers(),
    )


def _answer(name: str, data_len: int, words: str) -> Intent:
    message = Message(chunks("0x1000", "0x1100"), flag=DONE, id=0x1234, data_len=data_len)
    return malformed(
        "unused-pages",
        f"unused-data-len-{name}",
        f"A data_len of {data_len:#x} in an answer, {words}, does no harm",
        "UNUSED-01 SAFE-01 SAFE-02 SAFE-12 SAFE-04",
        _broken(data_len),
        asks("r1", 0x1234),
        DriverBuffer("host-request", "u1", message),
        any_reaction("u1"),
        shows("UNUSED-01", keeps("0x200+16", "0x1000", "0x1100")),
        resets(),
        asks("r2", 0x22),
        done("u2", 0x22),
        shows("SAFE-04", returns("u2")),
        posts("r3"),
        features=REQUESTS,
    )


INTENTS: tuple[Intent, ...] = (
    *(_inflate(name) for name in _LENGTHS),
    *(_deflate(name) for name in _SHORT_LIST),
    *(_answer(name, *_LENGTHS[name]) for name in _SHORT_LIST),
    _answer("0-before-two-chunks", 0, "as if there were none"),
    _answer("too-short", 16, "less than there is"),
)
