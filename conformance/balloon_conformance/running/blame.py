"""Which requirement a step breaks that does not come true: that which orders what did not happen.

What a vector is about has no part in it. A step may say what it ``shows``; that counts where such a
requirement can be broken in this way, and else the plain one does: a buffer that is not returned breaks
QUEUE-07 whatever its vector is there for. Where no requirement orders what the vector expects, the answer is
empty, and nobody is blamed. Each family declares the requirements, and what its queues expect of a buffer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto

from balloon_conformance import family
from balloon_spec.events import Available, Used
from balloon_spec.families import registry
from balloon_spec.judge import trials
from balloon_spec.queues import Queue

__all__ = ["Lapse", "QueueBlame", "blame", "blame_unasked", "can_break", "queue_blame", "unaccompanied"]


class Lapse(Enum):
    """How a step can fail to come true, apart from a buffer that is not as it must be."""

    NOT_RETURNED = auto()
    NOT_DISCARDED = auto()
    TOUCHED = auto()
    SPOKE = auto()
    """The device returned a buffer where it had to be silent."""
    READ_OTHERWISE = auto()
    NOT_MADE_AVAILABLE = auto()


class QueueBlame:
    """What a buffer of one queue breaks that is not as its vector has it.

    A family declares a subclass for each of its queues. What is said here holds for a queue of which nothing
    else is known. An answer is the id of a requirement, empty if nothing is broken.
    """

    unasked: frozenset[str] = frozenset()
    """What a driver may break that makes a buffer available where it has to be silent."""
    twice = ""
    """What a driver breaks that names a page twice in one buffer."""
    may_name_more = False
    """Whether a driver may name more pages than the vector."""
    may_name_fewer = False
    """Whether it may name fewer: it answers a device, and nothing asks it for all that it could report."""
    is_read_back = True
    """Whether what a device writes into a buffer says something to the driver. If not, rules judge it."""
    speaks_like: Queue | None = None
    """The queue whose buffers say what one here could say; None for this one."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue

    def not_returned(self, *, writable: bool) -> str:
        """Return what a device breaks that holds a well-formed buffer.

        It may hold one that it can write to until it has something to write.
        """
        return "" if self.queue.held or writable else "QUEUE-07"

    def not_made_available(self, *, writable: bool, again: bool, was_reset: bool) -> str:
        """Return what a driver breaks that makes no buffer available.

        ``writable`` tells that a buffer to write to was due, ``again`` that there was a buffer of the kind
        since the reset, ``was_reset`` that there was a reset.
        """
        del writable, again, was_reset
        return ""

    def means_nothing(self, event: Available) -> bool:
        """Tell whether a buffer may come at any time, also where the driver has to be silent."""
        del event
        return False

    def other_parts(self, *, writable: bool, is_empty: bool, absent: str) -> str:
        """Return what a driver breaks whose buffer has not the parts it must have.

        ``writable`` tells that a buffer to write to was due; ``is_empty`` that the buffer came without
        device-readable bytes, and ``absent`` what that breaks by the structure that they carry.
        """
        del writable, is_empty, absent
        return ""

    def other_written(self, wanted: Used, seen: Used) -> str:
        """Return what a device breaks that wrote something else into a buffer than the vector has.

        Raises :class:`~balloon_conformance.running.not_exercised.NotExercised` if the vector cannot be played
        on, although the device may do so.
        """
        del wanted, seen
        return ""

    def sent(self, readable: bytes, chosen: Mapping[int, int]) -> bytes:
        """Return what the suite sends in place of a vector's bytes.

        ``chosen`` are numbers that the device chose, by those that the vector has in their place.
        """
        del chosen
        return readable

    def example_written(self, writable_bytes: int) -> bytes:
        """Return something that a device may write into a buffer, as long as that at most."""
        return bytes(writable_bytes)


def queue_blame(queue: Queue) -> QueueBlame:
    """Return what its family says of a queue."""
    declared = (blame for one in family.additions() for blame in one.queues if blame.queue is queue)
    return next(declared, None) or QueueBlame(queue)


def blame(lapse: Lapse, shows: Iterable[str], plain: str) -> str:
    """Return the first of what the step shows that can be broken by the lapse, or else the plain one."""
    breakable = can_break(lapse)
    return next((name for name in shows if name in breakable), plain)


def can_break(lapse: Lapse) -> frozenset[str]:
    """Return every requirement that can be broken by the lapse: what families declare, and their trials."""
    known = trials.known()
    by_trials: Mapping[Lapse, Iterable[str]] = {
        Lapse.NOT_RETURNED: (*known.by_return, *known.by_return_of_malformed),
        Lapse.NOT_DISCARDED: known.by_discard,
        Lapse.TOUCHED: known.by_harm,
    }
    declared = {name for one in family.additions() for name in one.can_break.get(lapse, ())}
    barred = {name for one in family.additions() for name in one.cannot_break.get(lapse, ())}
    return frozenset({*declared, *by_trials.get(lapse, ())} - barred)


def blame_unasked(queue: Queue, event: Available, shows: Iterable[str]) -> str:
    """Return the first of what the step shows that a driver breaks by a buffer on the queue, or nothing."""
    declared = queue_blame(queue)
    if declared.means_nothing(event):
        return ""
    return next((name for name in shows if name in declared.unasked), "")


def unaccompanied(features: Iterable[str]) -> str:
    """Return what a driver breaks that accepts one of the features without those it requires."""
    chosen = set(features)
    declared = (one for each in registry.families() for one in each.prerequisites)
    return next((one.accepting for one in declared if one.feature in chosen), "")
