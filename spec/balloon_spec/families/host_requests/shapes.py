"""What the buffers of the host request queue are, beside messages of chunks."""

from __future__ import annotations

from typing import Final

from balloon_spec.events import Available
from balloon_spec.families.host_requests import host_request
from balloon_spec.judge.content import Content
from balloon_spec.judge.shape import Shape
from balloon_spec.queues import Queue

__all__ = ["REQUEST"]


def _has_another_length(event: Available, _content: Content, _queue: Queue) -> bool:
    return event.writable_bytes != host_request.LENGTH_BYTES


REQUEST: Final = Shape("request", host_request.NAME, "a request buffer", is_malformed=_has_another_length)
"""A buffer for a host request."""
