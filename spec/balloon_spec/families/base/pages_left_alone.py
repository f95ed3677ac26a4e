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


@rule(Discarded, "INF-08", "SAFE-01", further=trials.by_change)
def other_pages_are_left_alone(event: Discarded, scene: Scene) -> Iterator[Decision]:
    """Nothing is discarded but what an inflate buffer names and the driver has not taken back."""
    yield from _touched(event.pages - scene[Discards].discarded, scene.exchange, "discarded")
    yield from _untouched(event.looked - event.pages, scene.exchange)


@rule(Overwritten, "INF-08", "SAFE-01", further=trials.by_change)
def other_pages_keep_their_contents(event: Overwritten, scene: Scene) -> Iterator[Decision]:
    """Nothing is overwritten but what a device may discard, and of half a page no more than that half."""
    yield from _touched(event.pages - scene[GuestMemory].permitted(event), scene.exchange, "overwritten")


def _touched(pages: PageSet, exchange: Exchange, verb: str) -> Iterator[Decision]:
    guest_memory = exchange[GuestMemory]
    rest = pages - guest_memory.left_to_device
    if not rest:
        if pages:
            yield kept("INF-08")
        return
    forbidden = guest_memory.forbidden_now()
    for requirement in exchange.trials.by_harm:
        harm = rest & forbidden.get(requirement, EMPTY)
        if harm:
            yield _harmed(requirement, exchange.trials.of(requirement).harmed, harm, verb)
            rest -= harm
    if rest:
        yield _harmed(*_stray(guest_memory), rest, verb)


def _stray(guest_memory: GuestMemory) -> tuple[str, str]:
    """Return the requirement, with its words, on pages that none forbids to touch in particular."""
    table = guest_memory.exchange.trials
    # A buffer that names no pages has its effect, whatever it is, on others.
    nameless = trials.first(table.by_stray, guest_memory.nameless)
    if nameless is not None:
        return nameless, table.of(nameless).stray
    if guest_memory.suspects:
        return "SAFE-01", "pages that a malformed buffer does not name were changed"
    return "INF-08", "pages that no inflate buffer names were changed"


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
    left_to_device, forbidden = guest_memory.left_to_device, guest_memory.forbidden_now()
    for requirement in exchange.trials.by_harm:
        harm = forbidden.get(requirement)
        if harm and pages & harm - left_to_device:
            yield kept(requirement)
    if guest_memory.suspects and pages - left_to_device:
        yield kept("SAFE-01")
        yield from (kept(name) for name in guest_memory.nameless)
