"""The host-requests family: a device asks for unused pages, and the driver answers in messages of chunks."""

from __future__ import annotations

from typing import Final

from balloon_spec.feature import Feature
from balloon_spec.queues import Queue

__all__ = ["FEATURES", "HOST_REQUEST"]

FEATURES: Final = (Feature("HOST_REQ_VQ", 4, frozenset({"STATS_VQ"}), "the host request queue exists"),)

HOST_REQUEST: Final = Queue(
    "host-request",
    3,
    feature="HOST_REQ_VQ",
    readable="response-message",
    written="host-request",
    names_pages=True,
    recognised=True,
)
