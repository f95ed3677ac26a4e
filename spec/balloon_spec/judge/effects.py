"""Rules about guest memory: what a device gives back to the host, what it must leave alone, and safety."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Discarded, Failed, Failure, NeedsReset, Overwritten, Side, Used
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.exchange import ACT_TESTS, Exchange
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.pages import EMPTY, PageSet

_HARM = (
    *("CHUNK-09", "PFN-09", "SAFE-06", "SAFE-07", "SAFE-09", "SAFE-11"),
    *("UNUSED-01", "DEF-07", "DEF-08", "RESET-06"),
)
"""Requirements that forbid touching particular pages, the most telling first."""

_HARM_WORDS = {
    "CHUNK-09": "a chunk of zero pages had an effect",
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
    exchange = scene.exchange
    gone = exchange.gone | event.pages
    discards = exchange.discards or exchange.shows_discards(event)
    host_page = exchange.host_page_after(event)
    for pages, tests in exchange.hoped:
        looked = _seen(pages, event)
        if not looked:
            continue
        asked = [name for name in ACT_TESTS if name in tests]
        missing = looked - gone
        if not missing:
            yield from (kept(name) for name in (*asked, "INF-07"))
        else:
            # A device that never discards breaks no more than INF-07; one that stops here breaks the test,
            # unless its host has larger pages and none of them lies whole in what was named.
            stops = discards and _whole_pages(looked, host_page) - gone
            yield broken(
                asked[0] if asked and stops else "INF-07",
                "pages of a returned inflate buffer were not discarded",
                field="page",
                expected=str(looked),
                seen=f"still there: {missing}",
            )


def _whole_pages(pages: PageSet, host_page: int) -> PageSet:
    """Return what is left of ``pages`` when each run is rounded inward to pages of the host."""
    if host_page <= 1:
        return pages
    inward = ((-(-run.first // host_page), run.end // host_page) for run in pages)
    return PageSet((first * host_page, (end - first) * host_page) for first, end in inward if end > first)


def _seen(pages: PageSet, event: Discarded) -> PageSet:
    return pages & event.looked


@rule(Discarded, "INF-08", "SAFE-01", "SAFE-08", *_HARM)
def other_pages_are_left_alone(event: Discarded, scene: Scene) -> Iterator[Decision]:
    """Nothing is discarded but what an inflate buffer names and the driver has not taken back."""
    yield from _touched(event.pages - scene.exchange.gone, scene.exchange, "discarded")
    yield from _untouched(event.looked - event.pages, scene.exchange)


@rule(Overwritten, "INF-08", "SAFE-01", "SAFE-08", *_HARM)
def other_pages_keep_their_contents(event: Overwritten, scene: Scene) -> Iterator[Decision]:
    """Nothing is overwritten but what an inflate buffer names and the driver has not taken back."""
    yield from _touched(event.pages, scene.exchange, "overwritten")


def _touched(pages: PageSet, exchange: Exchange, verb: str) -> Iterator[Decision]:
    rest = pages - exchange.touchable
    if not rest:
        if pages:
            yield kept("INF-08")
        return
    for requirement in _HARM:
        harm = rest & exchange.forbidden.get(requirement, EMPTY)
        if harm:
            yield _blame(requirement, harm, exchange, verb)
            rest -= harm
    if rest:
        # A short message names no pages, so whatever it does is found elsewhere.
        stray = "SAFE-08" if exchange.saw_short_message else "SAFE-01" if exchange.suspects else "INF-08"
        yield _blame(stray, rest, exchange, verb)


def _blame(requirement: str, pages: PageSet, exchange: Exchange, verb: str) -> Decision:
    return broken(
        requirement,
        _HARM_WORDS[requirement],
        field="page",
        expected=str(exchange.touchable),
        seen=f"{verb}: {pages}",
    )


def _untouched(pages: PageSet, exchange: Exchange) -> Iterator[Decision]:
    """Say which requirements pages that were looked at and found whole have kept."""
    for requirement in _HARM:
        if pages & exchange.forbidden.get(requirement, EMPTY) - exchange.touchable:
            yield kept(requirement)
    if exchange.suspects and pages - exchange.touchable:
        yield kept("SAFE-01")
        if exchange.saw_short_message:
            yield kept("SAFE-08")


@rule(Failed, "SAFE-02", "SAFE-12", "SAFE-13")
def a_device_stays(event: Failed, scene: Scene) -> Iterator[Decision]:
    """A device neither ends nor ceases to answer; a driver's end is reported by the suite."""
    if event.side is not Side.DEVICE:
        return
    crashed = event.failure is Failure.CRASH
    words = "the device ended" if crashed else "the device does not answer, or never pauses,"
    # After a buffer it need not put up with that is the likeliest cause, and a rule of its own.
    if scene.exchange.was_ever_misled:
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
    if scene.exchange.was_ever_misled:
        yield kept("SAFE-02")
        yield kept("SAFE-12")
    elif scene.buffer.is_sound:
        yield kept("SAFE-13")


@rule(NeedsReset, "SAFE-10", "QUEUE-07")
def a_device_may_ask_for_a_reset(_event: NeedsReset, scene: Scene) -> Iterator[Decision]:
    """DEVICE_NEEDS_RESET is an answer to malformed input."""
    if scene.exchange.is_misled:
        yield kept("SAFE-10")
    else:
        yield broken(
            "QUEUE-07",
            "the device needs a reset although the driver did nothing wrong",
            field="status",
            expected="no DEVICE_NEEDS_RESET",
            seen="DEVICE_NEEDS_RESET",
        )
