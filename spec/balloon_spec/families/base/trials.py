"""What buffers of the base family put a device to the test of, and in which order blame tries it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from balloon_spec.families.base import BALLOON_QUEUES, DEFLATE, INFLATE
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.returns import Returns
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.session import Session
from balloon_spec.judge.trials import Trial

__all__ = ["TRIALS", "tests"]

TRIALS: Final = (
    Trial("SAFE-04", 10, "a well-formed buffer is not returned after a malformed one and a reset"),
    Trial("SAFE-05", 20, "a well-formed buffer is not returned after a malformed one"),
    Trial(
        "RESET-01",
        40,
        "a buffer in the form of the newly negotiated features is not returned",
        tests_discard=True,
    ),
    Trial("PFN-07", 100, harmed="an entry was read as a negative number, and had an effect"),
    Trial("PFN-09", 110, harmed="a partial entry of an array had an effect", tests_malformed=True),
    Trial(
        "DEF-07",
        180,
        "a deflate buffer that names pages outside the balloon is not returned",
        harmed="pages were changed that a deflate buffer names and that were never inflated",
        lasts=True,
        welcome=True,
    ),
    Trial("DEF-08", 190, harmed="pages that were taken back were changed", lasts=True),
    Trial("RESET-06", 200, harmed="pages named before the reset were changed after it", lasts=True),
    Trial("INF-06", 210, "an inflate buffer that names pages of the balloon is not returned"),
    Trial("QUEUE-05", 220, "a buffer cut into several descriptors is not returned", tests_discard=True),
    Trial("PFN-10", 290, tests_discard=True, finds_none=True),
    Trial("PFN-06", 300, tests_discard=True, passes_over=True),
    Trial("PFN-05", 310, tests_discard=True),
    Trial("QUEUE-06", 330, "a buffer is not returned while its queue has another in flight"),
)


def tests(exchange: Exchange, buffer: InFlight) -> Iterator[str]:
    """Name the trials to which a sound buffer puts the device after all that went before."""
    pages, flying = buffer.content.pages, exchange[Buffers]
    if buffer.queue in BALLOON_QUEUES:
        session, balloon = exchange[Session], exchange[Balloon]
        if buffer.queue is INFLATE and pages & balloon.named:
            yield "INF-06"
        if buffer.queue is DEFLATE and pages - balloon.named - balloon.deflating:
            yield "DEF-07"
        if session.resets and session.changed_format:
            yield "RESET-01"
        # A device that never returned a deflate buffer did not stop because of the malformed one.
        if buffer.queue is INFLATE or exchange[Returns].has_deflated:
            if flying.malformed_came:
                # After a broken ring a device owes nothing before the reset.
                if not flying.broken_rings:
                    yield "SAFE-05"
            elif session.resets and flying.malformed_came_before:
                yield "SAFE-04"
    if buffer.shape.names_pages and any(
        other.queue is buffer.queue and other.shape.names_pages for other in flying.in_flight.values()
    ):
        yield "QUEUE-06"
    # Where descriptors say which memory is meant, how many there are is no matter of cutting.
    is_of_ranges = buffer.queue is not None and buffer.queue.ranges is not None and not buffer.event.readable
    if not is_of_ranges and (len(buffer.event.cut) > 1 or len(buffer.event.extents) > 1):
        yield "QUEUE-05"
