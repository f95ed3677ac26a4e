"""Rules about guest memory: what a device gives back to the host, what it must leave alone, and safety."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Discarded, Failed, Failure, NeedsReset, Overwritten, Side, Used
from balloon_spec.judge import trials
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.discards import Discards
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.guest_memory import GuestMemory
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.judge.trials import BY_DISCARD, BY_HARM, WELCOME
from balloon_spec.pages import EMPTY, PageSet

_STRAY_WORDS = {
    "SAFE-08": "a message shorter than its header had an effect",
    "SAFE-01": "pages that a malformed buffer does not name were changed",
    "INF-08": "pages that no inflate buffer names were changed",
}
"""The words for pages that no requirement forbids to touch in particular."""


@rule(Discarded, "INF-07", *BY_DISCARD)
def named_pages_are_given_back(event: Discarded, scene: Scene) -> Iterator[Decision]:
    """The pages of a returned inflate buffer are discarded, whatever else the buffer puts to the test."""
    discards = scene[Discards]
    for one, requirement in discards.blamed(event):
        yield broken(
            requirement or "INF-07",
            "pages of a returned inflate buffer were not discarded",
            field="page",
            expected=f"discarded: {one.missing}",
            seen=f"still there: {one.missing}",
        )
    for one in discards.looked_at(event):
        if one.missing:
            continue
        yield from (kept(name) for name in trials.among(BY_DISCARD, one.circumstances.tests))
        late = one.looked & event.late
        yield kept_if(
            "INF-07",
            not late,
            "pages were discarded after their inflate buffer had been returned",
            field="page",
            expected=f"discarded before it: {late}",
            seen=f"still there after it: {late}",
        )


@rule(Discarded, "INF-08", "SAFE-01", "SAFE-08", *BY_HARM)
def other_pages_are_left_alone(event: Discarded, scene: Scene) -> Iterator[Decision]:
    """Nothing is discarded but what an inflate buffer names and the driver has not taken back."""
    yield from _touched(event.pages - scene[Discards].discarded, scene.exchange, "discarded")
    yield from _untouched(event.looked - event.pages, scene.exchange)


@rule(Overwritten, "INF-08", "SAFE-01", "SAFE-08", *BY_HARM)
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
    for requirement in BY_HARM:
        harm = rest & guest_memory.forbidden.get(requirement, EMPTY)
        if harm:
            yield _harmed(requirement, trials.of(requirement).harmed, harm, verb)
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
    for requirement in BY_HARM:
        harm = guest_memory.forbidden.get(requirement)
        if harm and pages & harm - guest_memory.may_be_discarded:
            yield kept(requirement)
    if guest_memory.suspects and pages - guest_memory.may_be_discarded:
        yield kept("SAFE-01")
        if guest_memory.short_message_came:
            yield kept("SAFE-08")


@rule(Failed, "SAFE-02", "SAFE-12", "SAFE-13")
def a_device_stays(event: Failed, scene: Scene) -> Iterator[Decision]:
    """A device neither ends nor ceases to answer; a driver's end is reported by the suite."""
    if event.side is not Side.DEVICE:
        return
    crashed = event.failure is Failure.CRASH
    words = "the device ended" if crashed else "the device does not answer, or never pauses,"
    # After a buffer it need not put up with that is the likeliest cause, and a rule of its own.
    if scene[Buffers].was_ever_misled:
        yield broken(
            "SAFE-02" if crashed else "SAFE-12",
            f"{words} after a malformed buffer",
            field="device",
            expected="to go on",
            seen=event.detail,
        )
    else:
        yield broken(
            "SAFE-13",
            f"{words} although no malformed buffer was sent",
            field="device",
            expected="to go on",
            seen=event.detail,
        )


@rule(Used, "SAFE-02", "SAFE-12", "SAFE-13")
def a_device_that_returns_a_buffer_is_there(_event: Used, scene: Scene) -> Iterator[Decision]:
    """What returns a buffer has survived it, and whatever was sent before."""
    if scene.buffer is None:
        return
    if scene[Buffers].was_ever_misled:
        yield kept("SAFE-02")
        yield kept("SAFE-12")
    elif scene.buffer.is_sound:
        yield kept("SAFE-13")


@rule(NeedsReset, "SAFE-10", "QUEUE-07", *WELCOME)
def a_device_may_ask_for_a_reset(_event: NeedsReset, scene: Scene) -> Iterator[Decision]:
    """DEVICE_NEEDS_RESET is an answer to malformed input; said again it means nothing more."""
    flying = scene[Buffers]
    if scene[Session].needs_reset:
        return
    if flying.is_misled:
        yield kept("SAFE-10")
    else:
        last = flying.newest
        newest = last.trials if last is not None else frozenset()
        yield broken(
            trials.first(WELCOME, newest) or "QUEUE-07",
            "the device needs a reset although nothing malformed was sent",
            field="status",
            expected="no DEVICE_NEEDS_RESET",
            seen="DEVICE_NEEDS_RESET",
        )
