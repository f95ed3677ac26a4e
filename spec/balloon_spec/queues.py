"""The virtqueues that exist for a negotiated feature set, and what each may carry.

Queue indices are fixed: the host request queue is index 3 even where the statistics queue were absent
(QUEUE-01). A feature set without STATS_VQ has no host request queue at all, because HOST_REQ_VQ requires it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from balloon_spec.features import Profile

__all__ = ["INDICES", "Queue", "queue_count", "queue_map"]


class Queue(StrEnum):
    """The four virtqueues, by the names vectors and traces use."""

    INFLATE = "inflate"
    DEFLATE = "deflate"
    STATISTICS = "statistics"
    HOST_REQUEST = "host-request"

    @property
    def index(self) -> int:  # type: ignore[override]  # a queue's name is no sequence to search
        """The virtqueue index, the same for every feature set."""
        return INDICES[self]


INDICES: Mapping[Queue, int] = MappingProxyType(
    {Queue.INFLATE: 0, Queue.DEFLATE: 1, Queue.STATISTICS: 2, Queue.HOST_REQUEST: 3}
)

_GATES: Mapping[Queue, str] = MappingProxyType(
    {Queue.STATISTICS: "STATS_VQ", Queue.HOST_REQUEST: "HOST_REQ_VQ"}
)
"""Queues that exist only when a feature is negotiated; the others always do."""


@lru_cache(maxsize=256)
def queue_map(profile: Profile, accepted: int) -> Mapping[int, Queue]:
    """Return index to queue for the accepted feature bits, lowest index first (QUEUE-01, QUEUE-02)."""
    names = profile.names(accepted)
    return MappingProxyType(
        {queue.index: queue for queue in Queue if queue not in _GATES or _GATES[queue] in names}
    )


def queue_count(profile: Profile, accepted: int) -> int:
    """Return how many queues a driver sets up: one more than the highest index in use."""
    return max(queue_map(profile, accepted)) + 1
