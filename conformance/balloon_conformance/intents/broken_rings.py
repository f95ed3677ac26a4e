"""Virtqueues that no driver may lay: chains that loop or leave the table, and indices that jump.

A device may skip what it cannot follow, return it, leave the queue alone until the reset, or ask for one. It
answers its transport all the same, touches no page, and serves the next driver.
"""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import clean_pfns, deflate_pfns, inflate_pfns
from balloon_conformance.families.statistics.vocabulary import STATS, reports
from balloon_conformance.generation.intents.model import BrokenRing, Features, Intent
from balloon_conformance.generation.intents.shorthand import (
    Script,
    any_reaction,
    discards,
    keeps,
    malformed,
    negotiated,
    reads,
    resets,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_AREA = "safety"
_SAFE = "SAFE-01 SAFE-02 SAFE-12 SAFE-04"
_OTHERS = keeps("0x0", "0x200+16", "0x1000+16", "0x3ff0+16")


def _broken(
    id_: str,
    title: str,
    queue: str,
    breach: str,
    *first: Script,
    features: Features | None = None,
    opening: bool = True,
) -> Intent:
    """A ring is broken, other buffers come after it on the same queue and another, and a reset follows."""
    return malformed(
        _AREA,
        id_,
        title,
        _SAFE,
        "QUEUE-11",
        *first,
        clean_pfns(),
        BrokenRing(queue, breach),
        # A device that follows the ring for ever does not answer this.
        reads(0, 8),
        inflate_pfns("after1", "0x2000"),
        any_reaction("after1"),
        deflate_pfns("after2", "0x2c00"),
        any_reaction("after2"),
        shows("SAFE-01", _OTHERS),
        resets(),
        inflate_pfns("good1", "0x2010"),
        shows("SAFE-04", returns("good1"), discards("0x2010")),
        deflate_pfns("good2", "0x2010"),
        returns("good2"),
        features=negotiated() if features is None else features,
        profile="base",
        opening=opening,
    )


_INFLATE = {
    "next-to-itself": "An inflate chain whose descriptor is followed by itself",
    "next-to-head": "An inflate chain whose third descriptor is followed by the first",
    "next-beyond-table": "An inflate chain that goes on behind the descriptor table",
    "next-far-beyond": "An inflate chain that goes on at descriptor 65535",
    "head-beyond-table": "An inflate chain that begins behind the descriptor table",
    "head-far-beyond": "An inflate chain that begins at descriptor 65535",
    "index-ahead": "An available index that moves by more than the inflate queue has entries",
    "index-behind": "An available index of the inflate queue that moves back",
    "indirect-unasked": "An indirect descriptor without INDIRECT_DESC",
}

INTENTS: tuple[Intent, ...] = (
    *(
        _broken(f"ring-{breach}", f"{words} does no harm", "inflate", breach)
        for breach, words in _INFLATE.items()
    ),
    _broken(
        "deflate-ring-next-to-head",
        "A deflate chain whose third descriptor is followed by the first does no harm",
        "deflate",
        "next-to-head",
    ),
    _broken(
        "deflate-ring-index-ahead",
        "An available index that moves by more than the deflate queue has entries does no harm",
        "deflate",
        "index-ahead",
    ),
    _broken(
        "statistics-ring-next-to-itself",
        "A statistics chain whose descriptor is followed by itself does no harm",
        "statistics",
        "next-to-itself",
        reports("s1"),
        features=STATS,
        opening=False,
    ),
    _broken(
        "statistics-ring-head-beyond-table",
        "A statistics chain that begins behind the descriptor table does no harm",
        "statistics",
        "head-beyond-table",
        reports("s1"),
        features=STATS,
        opening=False,
    ),
)
