"""What the buffers of the statistics queue are."""

from __future__ import annotations

from typing import Final

from balloon_spec.events import Available
from balloon_spec.families.statistics import statistics
from balloon_spec.judge.content import Content
from balloon_spec.judge.shape import Shape
from balloon_spec.queues import Queue

__all__ = ["BUFFER"]


def _is_malformed(event: Available, _content: Content, _queue: Queue) -> bool:
    """Tell whether a buffer has a part to be written, nothing to be read, or no whole entries."""
    return event.writable_bytes > 0 or not event.readable or len(event.readable) % statistics.ENTRY_BYTES > 0


BUFFER: Final = Shape("statistics", statistics.NAME, "a statistics buffer", is_malformed=_is_malformed)
