"""Which requirement a step breaks that does not come true: that which orders what did not happen.

What a vector is about has no part in it. A step may say what it ``shows``; that counts where such a
requirement can be broken in this way, and else the plain one does: a buffer that is not returned breaks
QUEUE-07 whatever its vector is there for. Where no requirement orders what the vector expects, the answer is
empty, and nobody is blamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from types import MappingProxyType

from balloon_spec.families.base import BALLOON_QUEUES, INFLATE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.judge import trials
from balloon_spec.queues import Queue

__all__ = ["Lapse", "blame", "not_made_available", "not_returned", "other_parts"]


class Lapse(Enum):
    """How a step can fail to come true, apart from a field of a buffer that is wrong."""

    NOT_RETURNED = auto()
    NOT_DISCARDED = auto()
    TOUCHED = auto()
    SPOKE = auto()
    """The device returned a buffer where it had to be silent."""
    READ_OTHERWISE = auto()
    NOT_MADE_AVAILABLE = auto()
    DEFLATED = auto()
    """The driver made a deflate buffer available where it had to be silent."""
    ANSWERED = auto()
    """So it did on the host request queue."""


_CAN_BREAK: Mapping[Lapse, frozenset[str]] = MappingProxyType(
    {
        Lapse.NOT_RETURNED: frozenset(
            {
                *(*trials.BY_RETURN, *trials.BY_RETURN_OF_MALFORMED, "QUEUE-07", "SAFE-03", "INF-09"),
                *("NEG-09", "QUEUE-04", "HDR-05", "CHUNK-06", "CHUNK-08", "PFN-05", "PFN-06"),
                *("STATS-07", "STATS-08", "REQ-20", "RESET-03"),
            }
        ),
        Lapse.NOT_DISCARDED: frozenset({*trials.BY_DISCARD, "INF-07"}),
        # The judge knows the pages by which PFN-07 is broken. Another page says nothing about a sign.
        Lapse.TOUCHED: frozenset({*trials.BY_HARM, "INF-08", "SAFE-01", "SAFE-08", "QUEUE-10"} - {"PFN-07"}),
        Lapse.SPOKE: frozenset({"QUEUE-10", "REQ-05", "REQ-25", "RESET-02", "RESET-03"}),
        Lapse.DEFLATED: frozenset({"DEF-03", "DEF-09"}),
        Lapse.ANSWERED: frozenset({"REQ-16", "RESET-05"}),
        Lapse.READ_OTHERWISE: frozenset({"CFG-01", "CFG-06", "CFG-08", "CFG-09", "CFG-11", "RESET-10"}),
        Lapse.NOT_MADE_AVAILABLE: frozenset(
            {
                *("STATS-01", "STATS-03", "REQ-01", "REQ-11", "REQ-13", "REQ-14", "REQ-15", "REQ-24"),
                *("CONC-02", "CONC-03", "CONC-04", "CONC-05", "BUF-06", "INF-10", "RESET-04"),
            }
        ),
    }
)


_further: list[Mapping[Lapse, frozenset[str]]] = []


@contextmanager
def added(can_break: Mapping[Lapse, frozenset[str]]) -> Iterator[None]:
    """Take in what else can be broken by each lapse, the requirements of a further family, for the block."""
    _further.append(can_break)
    try:
        yield
    finally:
        _further.remove(can_break)


def blame(lapse: Lapse, shows: Iterable[str], plain: str) -> str:
    """Return the first of what the step shows that can be broken by the lapse, or else the plain one."""
    tables = (_CAN_BREAK, *_further)
    return next((name for name in shows if any(name in one.get(lapse, ()) for one in tables)), plain)


def not_returned(queue: Queue, *, writable: bool) -> str:
    """Return what a device breaks that holds a well-formed buffer; empty where it may.

    It returns a statistics buffer when it likes (STATS-09), and a request buffer when it has a request.
    """
    return "" if queue.held or writable else "QUEUE-07"


def not_made_available(queue: Queue, *, writable: bool, again: bool, was_reset: bool) -> str:
    """Return what a driver breaks that makes no buffer available on the queue; empty where it need not.

    ``writable`` tells that it is a request buffer, ``again`` that there was a buffer of the kind since the
    reset, ``was_reset`` that there was a reset. It may keep its balloon (DEF-10).
    """
    if queue is STATISTICS:
        return "STATS-03" if again else "STATS-01"
    if queue is HOST_REQUEST and writable:
        return "REQ-13" if again else "RESET-04" if was_reset else "REQ-01"
    return {HOST_REQUEST: "REQ-11", INFLATE: "INF-10"}.get(queue, "")


def other_parts(queue: Queue, *, is_request: bool, is_empty: bool, chunks: bool) -> str:
    """Return what a driver breaks whose buffer has not the parts it must have.

    ``is_request`` tells that a request buffer was due; ``is_empty`` that the buffer came without
    device-readable bytes, ``chunks`` that inflate and deflate buffers are messages.
    """
    if queue is HOST_REQUEST:
        # Without DONE the request buffer came too early; a message that is written to is no request buffer.
        return "REQ-17" if is_empty and not is_request else "REQ-02"
    if queue not in {*BALLOON_QUEUES, STATISTICS}:
        return ""
    if not is_empty:
        return "QUEUE-03"
    if queue is STATISTICS:
        return "STATS-10"
    return "HDR-01" if chunks else "PFN-02"
