"""Common parts of scripts: beginnings, passages and ends of several steps each."""

from __future__ import annotations

from balloon_conformance.generation.intents.model import DriverActual, OperatorStatistics, Step
from balloon_conformance.generation.intents.shorthand import (
    asks,
    deflate_pfns,
    deflates,
    discards,
    done,
    gives_up,
    if_returned,
    inflate_pfns,
    inflates,
    posts,
    reports,
    resets,
    returns,
    shows,
    target,
    unused,
)

__all__ = [
    "answers_again",
    "clean",
    "clean_pfns",
    "inflated",
    "inflated_pfns",
    "recovers",
    "recovers_pfns",
    "recovers_requests",
    "refreshes",
    "refreshes_before",
    "reports_all",
]


def clean() -> tuple[Step, ...]:
    """Have one page discarded through a plain message: a device that discards none at all fails here."""
    return (inflates("clean", "0x2c00"), *returns("clean"), discards("0x2c00"))


def clean_pfns() -> tuple[Step, ...]:
    """Have one page discarded through a plain array."""
    return (inflate_pfns("clean", "0x2c00"), *returns("clean"), discards("0x2c00"))


def recovers() -> tuple[Step, ...]:
    """After a malformed buffer: the next messages are served, at the latest after a reset."""
    return _recovers(inflates("good1", "0x2000"), inflates("good2", "0x2010"), deflates("good3", "0x2010"))


def recovers_pfns() -> tuple[Step, ...]:
    """After a malformed buffer: the next arrays are served, at the latest after a reset."""
    return _recovers(
        inflate_pfns("good1", "0x2000"), inflate_pfns("good2", "0x2010"), deflate_pfns("good3", "0x2010")
    )


def _recovers(first: Step, second: Step, third: Step) -> tuple[Step, ...]:
    # A deflate buffer that is held may have been held before as well: the step blames QUEUE-07, and the judge
    # SAFE-04 if one came back before the malformed buffer.
    return (
        *if_returned(shows("SAFE-05", first, returns("good1"), discards("0x2000"))),
        resets(),
        second,
        *shows("SAFE-04", returns("good2"), discards("0x2010")),
        third,
        *returns("good3"),
    )


def recovers_requests() -> tuple[Step, ...]:
    """After a malformed answer: following a reset, a request is made and answered."""
    return (resets(), *asks("r2", 0x22), done("u7", 0x22), *shows("SAFE-04", returns("u7")), posts("r3"))


def answers_again() -> tuple[Step, ...]:
    """A second request is made and answered."""
    return (*asks("r2", 0x21), done("u8", 0x21), *returns("u8"), posts("r3"))


def reports_all(request: str, answer: str) -> tuple[Step, ...]:
    """A control: a request is answered by all of a few unused pages. No requirement asks for all of them.

    They lie at the beginning of memory, apart from what a vector asks for after it.
    """
    return (
        unused("0x10", "0x18+3", "0x20"),
        *asks(request, 0x20),
        done(answer, 0x20, "0x10", "0x18+3", "0x20", match="equivalent"),
        *returns(answer),
    )


def inflated() -> tuple[Step, ...]:
    """The page at 0x1234 goes into the balloon, in a message."""
    return (*target(1), gives_up("0x1234"), inflates("m1", "0x1234"), *returns("m1"), DriverActual(1))


def inflated_pfns() -> tuple[Step, ...]:
    """The page at 0x1234 goes into the balloon, in an array, and is discarded."""
    return (
        *target(1),
        gives_up("0x1234"),
        inflate_pfns("m1", "0x1234"),
        *returns("m1"),
        discards("0x1234"),
        DriverActual(1),
    )


def refreshes(*entries: tuple[int, int]) -> tuple[Step, ...]:
    """Have two plain statistics buffers returned, s1 and s2, when the operator asks; s3 comes next.

    A device may hold a statistics buffer as long as it likes (STATS-09), and one that does so here is not
    judged by what comes after. ``entries`` are those of the whole session (STATS-05).
    """
    return _refreshes(("s1", "s2"), entries)


def refreshes_before() -> tuple[Step, ...]:
    """Do so in a session of its own, after a reset as well; then come a reset, and s4 with other entries."""
    return (resets(), *_refreshes(("s2", "s3"), ()), resets())


def _refreshes(names: tuple[str, ...], entries: tuple[tuple[int, int], ...]) -> tuple[Step, ...]:
    each = ((reports(name, *entries), OperatorStatistics(), *returns(name)) for name in names)
    return tuple(step for steps in each for step in steps)
