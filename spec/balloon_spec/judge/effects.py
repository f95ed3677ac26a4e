"""Rules about guest memory: what a device gives back to the host, what it must leave alone, and safety."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Discarded, Failed, Failure, NeedsReset, Overwritten, Side, Used
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.discards import Discards
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.given_back import ACT_TESTS
from balloon_spec.judge.guest_memory import GuestMemory
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PageSet

_HARM = (
    *("CHUNK-09", "PFN-07", "PFN-09", "SAFE-06", "SAFE-07", "SAFE-09", "SAFE-11"),
    *("UNUSED-01", "DEF-07", "DEF-08", "RESET-06"),
)
"""Requirements that forbid touching particular pages, the most telling first."""

_HARM_WORDS = {
    "CHUNK-09": "a chunk of zero pages had an effect",
    "PFN-07": "an entry was read as a negative number, and had an effect",
    "PFN-09": "a partial entry of an array had an effect",
    "SAFE-06": "a message whose data_len is no multiple of 16 had an effect",
    "SAFE-07": "bytes beyond data_len had an effect",
    "SAFE-08": "a message shorter than its header had an effect",
    "SAFE-09": "a chunk that wraps 2^64 had an effect",
    "SAFE-11": "a chunk that lies partly outside guest memory had an effect",
    "UNUSED-01": "pages that were reported unused were changed",
    "DEF-07": "pages were changed that a deflate buffer names and that were never inflated",
    "DEF-08": "pages that were taken back were changed",
    "RESET-06": "pages named before the reset were changed after it",
    "SAFE-01": "pages that a malformed buffer does not name were changed",
    "INF-08": "pages that no inflate buffer names were changed",
}


@rule(Discarded, "INF-07", *ACT_TESTS)
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
        yield from (kept(name) for name in ACT_TESTS if name in one.circumstances.tests)
        late = one.looked & event.late
        if late:
            yield broken(
                "INF-07",
                "pages were discarded after their inflate buffer had been returned",
                field="page",
                expected=f"discarded before it: {late}",
                seen=f"still there after it: {late}",
            )
        else:
            yield kept("INF-07")


@rule(Discarded, "INF-08", "SAFE-01", "SAFE-08", *_HARM)
def other_pages_are_left_alone(event: Discarded, scene: Scene) -> Iterator[Decision]:
    """Nothing is discarded but what an inflate buffer names and the driver has not taken back."""
    yield from _touched(event.pages - scene[Discards].discarded, scene.exchange, "discarded")
    yield from _untouched(event.looked - event.pages, scene.exchange)


@rule(Overwritten, "INF-08", "SAFE-01", "SAFE-08", *_HARM)
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
    for requirement in _HARM:
        harm = rest & guest_memory.forbidden.get(requirement, EMPTY)
        if harm:
            yield _harmed(requirement, harm, verb)
            rest -= harm
    if rest:
        # A short message names no pages, so whatever it does is found elsewhere.
        stray = (
            "SAFE-08" if guest_memory.short_message_came else "SAFE-01" if guest_memory.suspects else "INF-08"
        )
        yield _harmed(stray, rest, verb)


def _harmed(requirement: str, pages: PageSet, verb: str) -> Decision:
    return broken(
        requirement,
        _HARM_WORDS[requirement],
        field="page",
        expected=f"left as they are: {pages}",
        seen=f"{verb}: {pages}",
    )


def _untouched(pages: PageSet, exchange: Exchange) -> Iterator[Decision]:
    """Say which requirements pages that were looked at and found whole have kept."""
    guest_memory = exchange[GuestMemory]
    for requirement in _HARM:
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


_WELCOME = ("REQ-19", "DEF-07")
"""Requirements by which a device copes with a well-formed buffer that comes at the wrong time."""


@rule(NeedsReset, "SAFE-10", "QUEUE-07", *_WELCOME)
def a_device_may_ask_for_a_reset(_event: NeedsReset, scene: Scene) -> Iterator[Decision]:
    """DEVICE_NEEDS_RESET is an answer to malformed input; said again it means nothing more."""
    flying = scene[Buffers]
    if scene[Session].needs_reset:
        return
    if flying.is_misled:
        yield kept("SAFE-10")
    else:
        last = flying.newest
        newest = last.tests if last is not None else frozenset()
        yield broken(
            next((name for name in _WELCOME if name in newest), "QUEUE-07"),
            "the device needs a reset although nothing malformed was sent",
            field="status",
            expected="no DEVICE_NEEDS_RESET",
            seen="DEVICE_NEEDS_RESET",
        )
