"""Runs of pages close together, and across larger pages of the host: pages that no run names stay.

It also has chunks whose numbers need their high bits, none of which may be cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from balloon_conformance.families.base.vocabulary import SAFE, clean_pfns, inflate_pfns
from balloon_conformance.families.chunk_transfer.vocabulary import (
    CHUNKS,
    Chunk,
    clean,
    exchange,
    inflates,
    malformed,
    recovers,
)
from balloon_conformance.families.host_requests.vocabulary import (
    REQUESTS,
    asks,
    done,
    posts,
    reports_all,
    unused,
)
from balloon_conformance.generation.intents.model import DriverActual, DriverBuffer, Intent
from balloon_conformance.generation.intents.shorthand import (
    any_reaction,
    discards,
    keeps,
    negotiated,
    returns,
    runs,
    shows,
)

__all__ = ["INTENTS"]

_GAPS = (2, 3, 4, 5, 8, 16, 32, 64)
"""The numbers of pages between one run of two pages and the next."""
_LONG_RUN = "0x1180+1024"
"""It begins and ends in the middle of 2 MiB."""
_AROUND_THE_LONG_RUN = ("0x1000+384", "0x1580+128")
_NEXT = "0x2c04"
_BEFORE_THE_NEXT = ("0x2c01+3",)
"""The pages between the run of the buffer before and the run of this one."""
_MEMORY_PAGES = 0x100800
"""4 GiB and some megabytes; a driver may keep data of its own in the last of them."""
_HIGH_BITS = range(20, 52)
"""The bits of a page number that need more than 32 bits of address."""


def _with_gaps() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the runs, and the pages between each two."""
    at, named, between = 0x1000, ["0x1000+2"], []
    for gap in _GAPS:
        between.append(f"{at + 2:#x}+{gap}")
        at += 2 + gap
        named.append(f"{at:#x}+2")
    return tuple(named), tuple(between)


def _inflated(
    name: str, title: str, inflate: Callable[..., DriverBuffer], named: Iterable[str], kept: Iterable[str]
) -> Intent:
    arrays = inflate is inflate_pfns
    return exchange(
        "pfn-array" if arrays else "inflate",
        f"pfn-{name}" if arrays else name,
        title,
        "INF-08",
        clean_pfns() if arrays else clean(),
        inflate("m1", *named),
        returns("m1"),
        shows("INF-08", discards(*named, kept=kept)),
        inflate("m2", _NEXT),
        returns("m2"),
        shows("INF-08", discards(_NEXT, kept=_BEFORE_THE_NEXT)),
        DriverActual(2 + sum(run.pages for run in runs(*named))),
        features=negotiated() if arrays else CHUNKS,
        profile="base" if arrays else "chunk-transfer",
        sides="device",
    )


def _both(name: str, title: str, named: Iterable[str], kept: Iterable[str]) -> tuple[Intent, ...]:
    return tuple(_inflated(name, title, inflate, named, kept) for inflate in (inflates, inflate_pfns))


def _cut(name: str, title: str, shown: str, chunks: Iterable[Chunk]) -> Intent:
    """Chunks that extend beyond memory, and would name pages in it if one bit were cut off."""
    return malformed(
        "safety",
        name,
        title,
        f"{SAFE} SAFE-11",
        "CHUNK-05",
        inflates("m1", *chunks),
        any_reaction("m1"),
        shows(shown, keeps("0x1000+64", "0x200+16")),
        recovers(),
    )


INTENTS: tuple[Intent, ...] = (
    *_both(
        "pages-between-runs-stay",
        "Pages between two runs, be they few or many, keep their contents",
        *_with_gaps(),
    ),
    *_both(
        "pages-around-a-long-run-stay",
        "A run of 4 MiB that begins and ends within 2 MiB takes nothing of what lies around it",
        (_LONG_RUN,),
        _AROUND_THE_LONG_RUN,
    ),
    _cut(
        "size-with-each-high-bit",
        "A size with any of the bits 32 to 63 set is not that of one page",
        "SAFE-11",
        [Chunk(0x1000 + 2 * at, 1 << bit | 1) for at, bit in enumerate(_HIGH_BITS)],
    ),
    _cut(
        "base-with-each-high-bit",
        "A base with any of the bits 32 to 63 set is not that of a page of 4 GiB or more below",
        "SAFE-01",
        [Chunk(1 << bit | 0x1000 + 2 * at, 1) for at, bit in enumerate(_HIGH_BITS)],
    ),
    exchange(
        "unused-pages",
        "unused-run-of-4-gib-and-a-page",
        "A run of unused pages whose size has more than 32 bits is reported whole",
        "CHUNK-02 REQ-11",
        reports_all("r1", "u1"),
        posts("r2"),
        unused("0x40+0x100001"),
        asks("r2", 0x1234),
        shows("CHUNK-02", done("u2", 0x1234, "0x40+0x100001", match="equivalent")),
        returns("u2"),
        posts("r3"),
        features=REQUESTS,
        sides="driver",
        memory_pages=_MEMORY_PAGES,
    ),
)
