"""Chunks and entries at the edges of memory, of 32 bits and of 64 bits."""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import SAFE, gives_up, inflate_pfns, target
from balloon_conformance.families.chunk_transfer.vocabulary import (
    Chunk,
    deflates,
    exchange,
    inflates,
    malformed,
    recovers,
    words,
)
from balloon_conformance.families.host_requests.vocabulary import REQUESTS, asks, done, posts, unused
from balloon_conformance.generation.intents.model import DriverActual, Intent
from balloon_conformance.generation.intents.shorthand import (
    any_reaction,
    discards,
    keeps,
    negotiated,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_LAST_PAGE = (1 << 52) - 1
_PAGES = 0x4000
_ABOVE_4_GIB = 0x100100
"""The pages of a guest with a little more than 4 GiB."""


def _outside(
    name: str,
    title: str,
    named: str | Chunk,
    kept: str,
    *,
    shown: str = "SAFE-11",
    breaks: str = "CHUNK-05",
) -> Intent:
    """A chunk that must not be acted on; wrong arithmetic would hit the pages in ``kept``."""
    return malformed(
        "safety",
        name,
        title,
        f"{SAFE} {shown}",
        breaks,
        inflates("m1", named),
        any_reaction("m1"),
        shows(shown, keeps("0x200+16", *kept.split())),
        recovers(),
    )


_OUTSIDE = (
    _outside(
        "chunk-of-the-last-page-there-is",
        "The last page below 2^64 is outside memory, and its end is no wrap",
        f"{_LAST_PAGE:#x}",
        "0x3ff0+16",
    ),
    _outside(
        "chunk-of-all-zeros",
        "Base 0 and size 0 name no page",
        words(0, 0),
        "0x0",
        shown="CHUNK-09",
        breaks="CHUNK-04",
    ),
    _outside(
        "chunk-that-ends-at-2-64",
        "A chunk from guest memory to exactly 2^64 is skipped",
        f"0x1000+{(1 << 52) - 0x1000}",
        "0xff0+32",
    ),
    _outside(
        "chunk-that-wraps-by-one-page",
        "A chunk that ends one page beyond 2^64 changes nothing, neither its pages nor page 0",
        f"0x1000+{(1 << 52) - 0x1000 + 1}",
        "0x0 0xff0+32",
        shown="SAFE-09",
    ),
    _outside(
        "chunk-that-wraps-to-page-0",
        "Two pages from the last one below 2^64 are not the last one and page 0",
        f"{_LAST_PAGE:#x}+2",
        "0x0",
        shown="SAFE-09",
    ),
    _outside(
        "chunk-across-the-4-gib-line",
        "A run across 4 GiB, outside memory, is not cut to its low 32 bits",
        "0xfffff+2",
        "0x0",
    ),
    _outside("chunk-at-4-gib", "The page at 4 GiB is not page 0", "0x100000", "0x0"),
    _outside("chunk-4-gib-above-a-page", "A page 4 GiB above another is another", "0x101000", "0x1000"),
    _outside(
        "chunk-with-bit-31-of-the-page-number",
        "Page 0x80001000 is neither negative nor page 0x1000",
        "0x80001000",
        "0x1000",
    ),
    _outside(
        "chunk-with-bit-32-of-the-page-number",
        "Page 0x100001000 is not page 0x1000",
        "0x100001000",
        "0x1000",
    ),
    _outside(
        "chunk-of-4-gib",
        "A size of 4 GiB is not a size of 0, and leaves memory",
        "0x1000+0x100000",
        "0xff0+32",
    ),
    _outside(
        "chunk-one-page-beyond-memory",
        "A run of the last page and one more is skipped, and not clipped",
        f"{_PAGES - 1:#x}+2",
        f"{_PAGES - 1:#x}",
    ),
    _outside(
        "chunk-of-the-first-page-outside", "The page behind the last one is outside", f"{_PAGES:#x}", "0x3fff"
    ),
)


def _inside(name: str, title: str, run: str, pages: int) -> Intent:
    """A page or a run at the edge of memory, which is like any other."""
    return exchange(
        "chunks",
        name,
        title,
        "CHUNK-13 INF-07 INF-08",
        inflates("m1", run),
        returns("m1"),
        discards(run),
        DriverActual(pages),
        sides="device",
    )


def _array_inside(name: str, title: str, page: str) -> Intent:
    return exchange(
        "pfn-array",
        name,
        title,
        "PFN-05 INF-07 INF-08",
        inflate_pfns("m1", page),
        returns("m1"),
        discards(page),
        DriverActual(1),
        features=negotiated(),
        profile="base",
        sides="device",
    )


_INSIDE = (
    _inside("chunk-of-page-0", "Page 0 is a page like every other", "0x0", 1),
    _inside("chunk-of-the-last-page", "The last page of memory is a page like every other", "0x3fff", 1),
    _inside("chunk-to-the-end-of-memory", "A run may end where memory ends", "0x3ff0+16", 16),
    _array_inside("pfn-of-page-0", "Page frame number 0 is one like every other", "0x0"),
    _array_inside("pfn-of-the-last-page", "The last page of memory is one like every other", "0x3fff"),
)


def _far(name: str, title: str, about: str, run: str, pages: int) -> Intent:
    """The driver of a guest with more than 4 GiB names pages beyond 32 bits of address."""
    return exchange(
        "chunks",
        name,
        title,
        about,
        target(pages),
        gives_up(run),
        inflates("m1", run, match="exact" if pages == 1 else "equivalent"),
        returns("m1"),
        DriverActual(pages),
        sides="driver",
        memory_pages=_ABOVE_4_GIB,
    )


_FAR = (
    _far(
        "driver-page-at-2-gib", "The page at 2 GiB has bit 31 of base set", "CHUNK-01 CHUNK-11", "0x80000", 1
    ),
    _far(
        "driver-page-at-4-gib", "The page at 4 GiB has bit 32 of base set", "CHUNK-01 CHUNK-11", "0x100000", 1
    ),
    _far(
        "driver-page-above-4-gib",
        "A page above 4 GiB keeps its high bits",
        "CHUNK-01 CHUNK-11",
        "0x1000ab",
        1,
    ),
    _far(
        "driver-run-across-4-gib",
        "A run across 4 GiB loses no page on either side",
        "CHUNK-01 CHUNK-02 CHUNK-12",
        "0xffff8+16",
        16,
    ),
    exchange(
        "pfn-array",
        "pfn-of-a-page-above-4-gib",
        "An entry holds the number of a page above 4 GiB, whose address has more than 32 bits",
        "PFN-03 PFN-08",
        target(1),
        gives_up("0x1000ab"),
        inflate_pfns("m1", "0x1000ab"),
        returns("m1"),
        DriverActual(1),
        features=negotiated(),
        profile="base",
        sides="driver",
        memory_pages=_ABOVE_4_GIB,
    ),
    exchange(
        "unused-pages",
        "unused-pages-above-4-gib",
        "Unused pages above 4 GiB are reported with all bits of their addresses",
        "CHUNK-01 REQ-11",
        unused("0xffff8+16"),
        asks("r1", 0x1234),
        done("u1", 0x1234, "0xffff8+16", match="equivalent"),
        returns("u1"),
        posts("r2"),
        features=REQUESTS,
        sides="driver",
        memory_pages=_ABOVE_4_GIB,
    ),
)


def _deflating(name: str, title: str, *named: str) -> Intent:
    """Chunks in a deflate message that touch, overlap, repeat or come in no order."""
    return exchange(
        "deflate",
        name,
        title,
        "CHUNK-10 CHUNK-13 DEF-07 DEF-08",
        inflates("m1", "0x1000+16"),
        returns("m1"),
        discards("0x1000+16"),
        deflates("d1", *named),
        shows("DEF-07", returns("d1")),
        shows("DEF-08", keeps("0x1000+16")),
        inflates("m2", "0x1000+8"),
        returns("m2"),
        discards("0x1000+8", kept=["0x1008+8"]),
        DriverActual(8),
        sides="device",
    )


_DEFLATED = (
    _deflating("deflate-adjacent-chunks", "Deflate chunks that touch name both runs", "0x1000+8", "0x1008+8"),
    _deflating(
        "deflate-overlapping-chunks",
        "Deflate chunks that overlap name each page once",
        "0x1000+12",
        "0x1008+8",
    ),
    _deflating(
        "deflate-duplicate-chunks",
        "A deflate chunk that stands twice names its pages once",
        *("0x1000+16",) * 2,
    ),
    _deflating(
        "deflate-chunks-highest-first", "Deflate chunks come in descending order", "0x1008+8", "0x1000+8"
    ),
)

INTENTS: tuple[Intent, ...] = (*_OUTSIDE, *_INSIDE, *_FAR, *_DEFLATED)
