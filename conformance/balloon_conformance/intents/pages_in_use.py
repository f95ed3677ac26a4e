"""Pages that came back from the balloon, or were never in it: nothing that follows may discard them."""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import (
    SAFE,
    PfnArray,
    deflate_pfns,
    inflate_pfns,
    pfns,
    recovers_pfns,
    target,
)
from balloon_conformance.families.chunk_transfer.vocabulary import (
    CHUNKS,
    Message,
    chunks,
    deflates,
    exchange,
    inflates,
    malformed,
    recovers,
)
from balloon_conformance.families.host_requests.vocabulary import REQUESTS, answers_again, asks, done, posts
from balloon_conformance.families.statistics.vocabulary import reports, wants_statistics
from balloon_conformance.generation.intents.model import DriverActual, DriverBuffer, Features, Intent, Step
from balloon_conformance.generation.intents.shorthand import (
    Script,
    any_reaction,
    discards,
    keeps,
    negotiated,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_PAGE = "0x1234"
_EVERYTHING = negotiated("MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM", "CHUNK_TRANSFER", "HOST_REQ_VQ")
_OOM = negotiated("DEFLATE_ON_OOM")
_OOM_CHUNKS = negotiated("STATS_VQ", "DEFLATE_ON_OOM", "CHUNK_TRANSFER")


def _taken_back(*, arrays: bool = False) -> tuple[Step, ...]:
    """The page went into the balloon, was discarded, and came out of it."""
    inflate, deflate = (inflate_pfns, deflate_pfns) if arrays else (inflates, deflates)
    return (
        inflate("m1", _PAGE),
        *returns("m1"),
        discards(_PAGE),
        DriverActual(1),
        deflate("d1", _PAGE),
        *returns("d1"),
        *shows("DEF-08", keeps(_PAGE)),
    )


def _stays() -> tuple[Step, ...]:
    return shows("DEF-08", keeps(_PAGE))


def _inflated_twice(area: str, name: str, *, arrays: bool) -> Intent:
    """The page is named in two inflate buffers, and then in one deflate buffer, which takes it back."""
    inflate, deflate = (inflate_pfns, deflate_pfns) if arrays else (inflates, deflates)
    return malformed(
        area,
        name,
        "A page that was inflated twice is back after one deflation, and stays",
        "DEF-08",
        "INF-11",
        inflate("m1", _PAGE),
        returns("m1"),
        DriverActual(1),
        inflate("m2", _PAGE, "0x1100"),
        returns("m2"),
        # Checked once for both: the device chooses whether to discard the page again.
        discards(_PAGE, "0x1100"),
        DriverActual(2),
        deflate("d1", _PAGE),
        returns("d1"),
        _stays(),
        inflate("m3", "0x1200"),
        returns("m3"),
        discards("0x1200"),
        _stays(),
        deflate("d2", "0x1100"),
        returns("d2"),
        _stays(),
        features=negotiated() if arrays else CHUNKS,
        profile="base" if arrays else "chunk-transfer",
    )


# -- after a deflation --------------------------------------------------------------------------------------


def _stays_through_changes(*, arrays: bool) -> Script:
    """The page is taken back, and stays through targets, and through another that comes and goes."""
    inflate, deflate = (inflate_pfns, deflate_pfns) if arrays else (inflates, deflates)
    return (
        _taken_back(arrays=arrays),
        DriverActual(0),
        _stays(),
        [(target(pages), _stays()) for pages in (3, 0, 5, 0)],
        inflate("m2", "0x1100"),
        returns("m2"),
        discards("0x1100", kept=[_PAGE]),
        DriverActual(1),
        deflate("d2", "0x1100"),
        returns("d2"),
        _stays(),
        DriverActual(0),
        _stays(),
    )


def _by_arrays() -> Intent:
    return exchange(
        "pfn-array",
        "pfn-deflated-page-stays-whatever-follows",
        "A page that came back keeps its contents through every target, count, and change of the balloon",
        "DEF-08",
        _stays_through_changes(arrays=True),
        features=negotiated(),
        profile="base",
        sides="device",
    )


def _by_messages() -> Intent:
    return exchange(
        "deflate",
        "deflated-page-stays-whatever-follows",
        "A page that came back keeps its contents through targets, counts, statistics, requests and changes",
        "DEF-08",
        _stays_through_changes(arrays=False),
        wants_statistics(),
        returns("s1"),
        reports("s2"),
        _stays(),
        asks("r1", 0x1234),
        _stays(),
        done("u1", 0x1234, "0x1800"),
        returns("u1"),
        posts("r2"),
        _stays(),
        features=REQUESTS,
        sides="device",
    )


def _twice(*, arrays: bool) -> Intent:
    deflate = deflate_pfns if arrays else deflates
    return malformed(
        "pfn-array" if arrays else "deflate",
        "pfn-deflate-twice" if arrays else "deflate-twice",
        "A page that was taken back keeps its contents when it is named in a deflate buffer once more",
        "DEF-08 DEF-07 QUEUE-07",
        "DEF-04",
        _taken_back(arrays=arrays),
        deflate("d2", _PAGE),
        shows("DEF-07", returns("d2")),
        _stays(),
        features=negotiated() if arrays else CHUNKS,
        profile="base" if arrays else "chunk-transfer",
    )


# -- with DEFLATE_ON_OOM ------------------------------------------------------------------------------------


def _foreign(name: str, features: Features, *, arrays: bool) -> Intent:
    deflate = deflate_pfns if arrays else deflates
    return malformed(
        "pfn-array" if arrays else "deflate",
        name,
        "With DEFLATE_ON_OOM a deflate buffer that names pages never inflated comes back without effect",
        "DEF-07 SAFE-02 QUEUE-07",
        "DEF-04",
        deflate("d1", "0x1000+2", _PAGE),
        shows("DEF-07", returns("d1"), keeps("0xfff+4", _PAGE)),
        features=features,
        profile="base" if arrays else "chunk-transfer",
    )


def _in_distress(*, arrays: bool) -> Intent:
    inflate, deflate = (inflate_pfns, deflate_pfns) if arrays else (inflates, deflates)
    return exchange(
        "pfn-array" if arrays else "deflate",
        "pfn-deflate-below-the-target" if arrays else "deflate-below-the-target",
        "With DEFLATE_ON_OOM a deflate buffer comes back also if it leaves the balloon below its target",
        "QUEUE-07 DEF-08",
        target(4),
        inflate("m1", "0x1000+4"),
        returns("m1"),
        discards("0x1000+4"),
        DriverActual(4),
        deflate("d1", "0x1000"),
        shows("QUEUE-07", returns("d1")),
        DriverActual(3),
        keeps("0x1000"),
        deflate("d2", "0x1001+3"),
        shows("QUEUE-07", returns("d2")),
        DriverActual(0),
        keeps("0x1000+4"),
        features=_OOM if arrays else _OOM_CHUNKS,
        profile="base" if arrays else "chunk-transfer",
        sides="device",
    )


# -- malformed deflate buffers ------------------------------------------------------------------------------


def _malformed(name: str, words: str, breaks: str, buffer: DriverBuffer) -> Intent:
    return malformed(
        "safety",
        f"{name}-of-pages-in-use",
        f"A deflate message {words} costs the guest no page that it uses",
        f"{SAFE} DEF-08",
        breaks,
        _taken_back(),
        buffer,
        any_reaction("d2"),
        shows("SAFE-01", keeps(_PAGE, "0x1100", "0x200+16")),
        recovers(),
    )


def _malformed_array(name: str, words: str, breaks: str, buffer: DriverBuffer) -> Intent:
    return malformed(
        "pfn-array",
        f"pfn-{name}-of-pages-in-use",
        f"A deflate array {words} costs the guest no page that it uses",
        f"{SAFE} DEF-08",
        breaks,
        _taken_back(arrays=True),
        buffer,
        any_reaction("d2"),
        shows("SAFE-01", keeps(_PAGE, "0x1100", "0x200+16")),
        recovers_pfns(),
        features=negotiated(),
        profile="base",
    )


def _deflating(
    *named: str, data_len: int | None = None, tail: bytes = b"", writable_bytes: int = 0
) -> DriverBuffer:
    return DriverBuffer(
        "deflate", "d2", Message(chunks(*named), data_len=data_len, tail=tail), writable_bytes
    )


_MALFORMED = (
    _malformed(
        "deflate-data-len-17",
        "whose data_len is no multiple of 16",
        "HDR-02 HDR-03",
        _deflating(_PAGE, "0x1100", data_len=17),
    ),
    _malformed(
        "deflate-chunk-and-a-half",
        "that ends within a chunk",
        "HDR-03",
        _deflating(_PAGE, "0x1100", tail=bytes.fromhex("00 00 20 01 00 00 00 00"), data_len=40),
    ),
    _malformed(
        "deflate-data-len-0",
        "whose data_len is 0",
        "HDR-02 DEF-02",
        _deflating(_PAGE, "0x1100", data_len=0),
    ),
    _malformed(
        "deflate-with-a-writable-part",
        "with a device-writable part",
        "QUEUE-03 DEF-04",
        _deflating(_PAGE, "0x1100", writable_bytes=16),
    ),
    _malformed(
        "deflate-chunk-of-zero-pages",
        "with a chunk of zero pages",
        "CHUNK-04",
        _deflating(f"{_PAGE}+0", "0x1100+0"),
    ),
    _malformed_array(
        "deflate-entry-and-a-half",
        "that ends within an entry",
        "PFN-02 DEF-04",
        DriverBuffer("deflate", "d2", PfnArray(pfns(_PAGE), bytes.fromhex("00 11"))),
    ),
    _malformed_array(
        "deflate-with-a-writable-part",
        "with a device-writable part",
        "QUEUE-03 DEF-04",
        DriverBuffer("deflate", "d2", PfnArray(pfns(_PAGE, "0x1100")), 16),
    ),
)


# -- reported as unused -------------------------------------------------------------------------------------

_REPORTED = (
    malformed(
        "unused-pages",
        "unused-page-of-the-balloon-then-deflated",
        "A page of the balloon that was reported unused stays in it, and comes back like any other",
        "UNUSED-03 UNUSED-01 QUEUE-07 DEF-08",
        "UNUSED-02",
        inflates("m1", _PAGE),
        returns("m1"),
        discards(_PAGE),
        DriverActual(1),
        asks("r1", 0x1234),
        done("u1", 0x1234, _PAGE),
        shows("UNUSED-03", returns("u1")),
        posts("r2"),
        deflates("d1", _PAGE),
        shows("QUEUE-07", returns("d1")),
        DriverActual(0),
        shows("UNUSED-01", keeps(_PAGE)),
        answers_again(),
        shows("UNUSED-01", keeps(_PAGE)),
        features=REQUESTS,
    ),
    exchange(
        "unused-pages",
        "unused-page-that-was-in-the-balloon",
        "A page that was taken back, and is reported unused then, keeps its contents",
        "UNUSED-01 DEF-08",
        _taken_back(),
        DriverActual(0),
        asks("r1", 0x1234),
        done("u1", 0x1234, _PAGE),
        returns("u1"),
        posts("r2"),
        shows("UNUSED-01", keeps(_PAGE)),
        features=REQUESTS,
        sides="device",
    ),
    exchange(
        "unused-pages",
        "unused-pages-then-inflated",
        "Pages that were reported unused are given up like any others, and their neighbours stay",
        "UNUSED-01 CHUNK-13",
        inflates("m1", "0x1800"),
        returns("m1"),
        discards("0x1800"),
        asks("r1", 0x1234),
        done("u1", 0x1234, "0x1000+8"),
        returns("u1"),
        posts("r2"),
        inflates("m2", "0x1002+2", "0x1900"),
        returns("m2"),
        shows("UNUSED-01 CHUNK-13", discards("0x1002+2", "0x1900", kept=["0x1000+2", "0x1004+4"])),
        DriverActual(4),
        features=REQUESTS,
        sides="device",
    ),
)

INTENTS: tuple[Intent, ...] = (
    _by_arrays(),
    _by_messages(),
    *(_twice(arrays=arrays) for arrays in (True, False)),
    _inflated_twice("pfn-array", "pfn-page-inflated-twice-stays-once-deflated", arrays=True),
    _inflated_twice("deflate", "page-inflated-twice-stays-once-deflated", arrays=False),
    _foreign("pfn-deflate-never-inflated-on-oom", _OOM, arrays=True),
    _foreign("deflate-never-inflated-on-oom", _OOM_CHUNKS, arrays=False),
    _foreign("deflate-never-inflated-under-every-feature", _EVERYTHING, arrays=False),
    *(_in_distress(arrays=arrays) for arrays in (True, False)),
    *_MALFORMED,
    *_REPORTED,
)
