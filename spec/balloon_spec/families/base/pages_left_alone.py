"""Rules about the pages of guest memory that a device must leave alone."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Discarded, Overwritten
from balloon_spec.families.base.discards import Discards
from balloon_spec.families.base.guest_memory import GuestMemory
from balloon_spec.judge import trials
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.pages import EMPTY, PageSet

_STRAY_WORDS = {
    "SAFE-08": "a message shorter than its header had an effect",
    "SAFE-01": "pages that a malformed buffer does not name were changed",
    "INF-08": "pages that no inflate buffer names were changed",
}
"""The words for pages that no requirement forbids to touch in particular."""


@rule(Discarded, "INF-08", "SAFE-01", "SAFE-08", further=trials.by_harm)
def other_pages_are_left_alone(event: Discarded, scene: Scene) -> Iterator[Decision]:
    """Nothing is discarded but what an inflate buffer names and the driver has not taken back."""
    yield from _touched(event.pages - scene[Discards].discarded, scene.exchange, "discarded")
    yield from _untouched(event.looked - event.pages, scene.exchange)


@rule(Overwritten, "INF-08", "SAFE-01", "SAFE-08", further=trials.by_harm)
def other_pages_keep_their_contents(event: Overwritten, scene: Scene) -> Iterator[Decision]:
    """Nothing is overwritten but what an inflate buffer names and the driver has not taken back."""
    yield from _touched(event.pages, scene.exchange, "overwritten")


def _touched(pages: PageSet, exchange: Exchange, verb: str) -> Iterator[Decision]:
    guest_memory = exchange[GuestMemory]
    rest = pages - guest_memory.may_be_discarded
    if not rest:
        if pages:
            yield kept("INF-08")
        return
    for requirement in exchange.trials.by_harm:
        harm = rest & guest_memory.forbidden.get(requirement, EMPTY)
        if harm:
            yield _harmed(requirement, exchange.trials.of(requirement).harmed, harm, verb)
            rest -= harm
    if rest:
        # A short message names no pages, so whatever it does is found elsewhere.
        stray = (
            "SAFE-08" if guest_memory.short_message_came else "SAFE-01" if guest_memory.suspects else "INF-08"
        )
        yield _harmed(stray, _STRAY_WORDS[stray], rest, verb)


def _harmed(requirement: str, words: str, pages: PageSet, verb: str) -> Decision:
    return broken(
        requirement,
        words,
        field="page",
        expected=f"left as they are: {pages}",
        seen=f"{verb}: {pages}",
    )


def _untouched(pages: PageSet, exchange: Exchange) -> Iterator[Decision]:
    """Say which requirements pages that were looked at and found whole have kept."""
    guest_memory = exchange[GuestMemory]
    for requirement in exchange.trials.by_harm:
        harm = guest_memory.forbidden.get(requirement)
        if harm and pages & harm - guest_memory.may_be_discarded:
            yield kept(requirement)
    if guest_memory.suspects and pages - guest_memory.may_be_discarded:
        yield kept("SAFE-01")
        if guest_memory.short_message_came:
            yield kept("SAFE-08")
