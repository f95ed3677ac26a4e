"""Which structure a buffer carries: by its queue, its direction and the negotiated features."""

from __future__ import annotations

from collections.abc import Collection

from balloon_spec.queues import Queue
from balloon_spec.wire import host_request, pfn_array, response_message, statistics

__all__ = ["readable_structure", "written_structure"]


def readable_structure(queue: Queue, features: Collection[str]) -> str:
    """Return the name of the structure in the device-readable part of a buffer.

    ``features`` are the names of those accepted. Unused pages come as messages on the host request queue with
    CHUNK_TRANSFER and without (HDR-01).
    """
    if queue is Queue.STATISTICS:
        return statistics.NAME
    if queue is Queue.HOST_REQUEST or "CHUNK_TRANSFER" in features:
        return response_message.NAME
    return pfn_array.NAME


def written_structure(queue: Queue) -> str | None:
    """Return the name of the structure a device writes into a buffer; None where it writes nothing."""
    return host_request.NAME if queue is Queue.HOST_REQUEST else None
