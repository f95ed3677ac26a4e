"""The statistics queue of a driver that runs freely."""

from __future__ import annotations

from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.statistics import STATISTICS

_ROUNDS = 20

_ABOUT = ("STATS-01", "STATS-02", "STATS-03", "STATS-04", "STATS-05", "STATS-06", "STATS-10")


def _next(session: DriverSession) -> ev.Available | None:
    event = session.wait_for(
        lambda seen: isinstance(seen, ev.Available) and session.queue(seen.queue) is STATISTICS
    )
    return event if isinstance(event, ev.Available) else None


@scenario(Side.DRIVER, *_ABOUT, features=frozenset({"STATS_VQ"}))
def test_statistics_again_and_again(session: DriverSession) -> None:
    """Each return of the statistics buffer brings a fresh one with the same statistics."""
    hosting = Hosting(session)
    if "STATS_VQ" not in hosting.begin():
        raise NotExercised("the driver did not accept STATS_VQ")
    for _ in range(_ROUNDS):
        buffer = _next(session)
        if buffer is None:
            return
        session.use(buffer.queue, buffer.buffer, 0, b"")
    _next(session)


@scenario(Side.DRIVER, "BUF-06", "STATS-03", features=frozenset({"STATS_VQ"}), breaks=("BUF-03",))
def test_statistics_returned_with_a_length(session: DriverSession) -> None:
    """A driver goes on after a used length which says that something was written."""
    hosting = Hosting(session)
    if "STATS_VQ" not in hosting.begin():
        raise NotExercised("the driver did not accept STATS_VQ")
    for _ in range(_ROUNDS):
        buffer = _next(session)
        if buffer is None:
            return
        session.use(buffer.queue, buffer.buffer, len(buffer.readable), b"")
    _next(session)
