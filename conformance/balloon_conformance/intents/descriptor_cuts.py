"""The same buffer cut into descriptors in every way that matters.

None of the descriptors is empty: a vector may have an empty one only if it is malformed for another reason,
because a device may take it for a broken chain.
"""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import clean_pfns, inflate_pfns
from balloon_conformance.families.chunk_transfer.vocabulary import Message, chunks, clean, exchange, inflates
from balloon_conformance.families.host_requests.vocabulary import DONE, REQUESTS, asks, done, posts
from balloon_conformance.families.statistics.vocabulary import STATS, refreshes, reports, wants_statistics
from balloon_conformance.generation.intents.model import DriverActual, DriverBuffer, Intent
from balloon_conformance.generation.intents.shorthand import discards, keeps, negotiated, returns, shows

__all__ = ["INTENTS"]

_AREA = "queues"
_MESSAGE_BYTES = 8 + 2 * 16

_PLACES = {
    1: "behind cmd",
    2: "between flag and id",
    3: "within id",
    4: "between id and data_len",
    6: "within data_len",
    7: "before the last byte of the header",
    9: "behind the first byte of a chunk",
    12: "within base",
    16: "between base and size",
    20: "within size",
    23: "before the last byte of a chunk",
    24: "between two chunks",
    39: "before the last byte",
}


def _message(at: int) -> Intent:
    """A message of two chunks cut in two."""
    return exchange(
        _AREA,
        f"message-cut-at-{at}",
        f"A message cut in two {_PLACES[at]} is joined",
        "QUEUE-05 CHUNK-13",
        clean(),
        inflates("m1", "0x1000+2", "0x1100", cut=(at, _MESSAGE_BYTES - at)),
        returns("m1"),
        shows("QUEUE-05", discards("0x1000+2", "0x1100")),
        DriverActual(4),
        sides="device",
    )


def _pieces(size: int, word: str) -> Intent:
    """A message of two chunks cut into pieces of one size."""
    cut = tuple(min(size, _MESSAGE_BYTES - at) for at in range(0, _MESSAGE_BYTES, size))
    return exchange(
        _AREA,
        f"message-of-{word}-byte-descriptors",
        f"A message cut into descriptors of {word} bytes is read as one message",
        "QUEUE-05 CHUNK-13",
        clean(),
        inflates("m1", "0x1000+2", "0x1100", cut=cut),
        returns("m1"),
        shows("QUEUE-05", discards("0x1000+2", "0x1100")),
        DriverActual(4),
        sides="device",
    )


def _many() -> Intent:
    """A message of five chunks cut into single bytes: more descriptors than 64."""
    named = ("0x1000+2", "0x1100", "0x1200", "0x1300", "0x1400+4")
    return exchange(
        _AREA,
        "message-of-88-descriptors",
        "A message cut into 88 descriptors of a byte is read to its last chunk",
        "QUEUE-05 CHUNK-13",
        clean(),
        inflates("m1", *named, cut=(1,) * 88),
        returns("m1"),
        shows("QUEUE-05", discards(*named)),
        DriverActual(10),
        sides="device",
    )


def _many_entries() -> Intent:
    """An array of 22 entries cut into single bytes."""
    named = "0x1000+22"
    return exchange(
        _AREA,
        "pfn-array-of-88-descriptors",
        "An array cut into 88 descriptors of a byte is read to its last entry",
        "QUEUE-05 PFN-05",
        clean_pfns(),
        inflate_pfns("m1", named, cut=(1,) * 88),
        returns("m1"),
        shows("QUEUE-05", discards(named)),
        DriverActual(23),
        features=negotiated(),
        sides="device",
        profile="base",
    )


def _answer(name: str, words: str, cut: tuple[int, ...]) -> Intent:
    message = Message(chunks("0x1000+4"), flag=DONE, id=0x1234)
    return exchange(
        _AREA,
        f"unused-message-{name}",
        f"The answer to a request, {words}, is joined and closes it",
        "QUEUE-05 REQ-20 UNUSED-01",
        asks("r1", 0x1234),
        DriverBuffer("host-request", "u1", message, cut=cut),
        shows("QUEUE-05", returns("u1")),
        posts("r2"),
        keeps("0x1000+4"),
        asks("r2", 0x21),
        done("u2", 0x21),
        shows("QUEUE-05", returns("u2")),
        posts("r3"),
        features=REQUESTS,
        sides="device",
    )


def _deflating() -> Intent:
    cut = (3, 5, 10, 6)
    message = DriverBuffer("deflate", "d1", Message(chunks("0x1000+2")), cut=cut)
    return exchange(
        _AREA,
        "deflate-message-in-four-descriptors",
        "A deflate message cut within its header and its chunk is joined",
        "QUEUE-05 DEF-08",
        inflates("m1", "0x1000+2"),
        returns("m1"),
        discards("0x1000+2"),
        message,
        shows("QUEUE-05", returns("d1")),
        keeps("0x1000+2"),
        DriverActual(0),
        sides="device",
    )


def _array(at: int) -> Intent:
    return exchange(
        _AREA,
        f"pfn-array-cut-at-{at}",
        f"An array of three entries cut in two at byte {at} is joined",
        "QUEUE-05 PFN-05",
        clean_pfns(),
        inflate_pfns("m1", "0x1000", "0x1234", "0x2000", cut=(at, 12 - at)),
        returns("m1"),
        shows("QUEUE-05", discards("0x1000", "0x1234", "0x2000")),
        DriverActual(4),
        features=negotiated(),
        sides="device",
        profile="base",
    )


def _reported(name: str, words: str, cut: tuple[int, ...]) -> Intent:
    entries = ((4, 1 << 24), (5, 1 << 26))
    return exchange(
        "statistics",
        f"statistics-{name}",
        f"A statistics buffer cut {words} is joined",
        "QUEUE-05 STATS-08",
        refreshes(*entries),
        reports("s3", *entries, cut=cut),
        wants_statistics(),
        shows("QUEUE-05", returns("s3")),
        reports("s4", *entries),
        features=STATS,
        sides="device",
        profile="base",
        opening=False,
    )


INTENTS: tuple[Intent, ...] = (
    *(_message(at) for at in _PLACES),
    *(_pieces(size, word) for size, word in ((2, "two"), (3, "three"), (5, "five"), (8, "eight"))),
    _many(),
    _many_entries(),
    _answer("cut-behind-the-header", "cut behind its header", (8, 16)),
    _answer("cut-within-the-header", "cut within its header", (3, 21)),
    _answer("cut-within-the-chunk", "cut between base and size", (16, 8)),
    _deflating(),
    *(_array(at) for at in (1, 3, 4, 6, 11)),
    _reported("cut-within-the-tag", "within a tag", (1, 19)),
    _reported("cut-behind-the-tag", "between tag and value", (2, 18)),
    _reported("cut-between-entries", "between two entries", (10, 10)),
    _reported("of-one-byte-descriptors", "into single bytes", (1,) * 20),
)
