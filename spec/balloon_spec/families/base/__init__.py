"""The base family: pages into the balloon and out of it, and the configuration space.

Every implementation of the balloon device has it.
"""

from __future__ import annotations

from typing import Final

from balloon_spec.feature import Feature
from balloon_spec.queues import Queue

__all__ = ["BALLOON_QUEUES", "DEFLATE", "FEATURES", "INFLATE"]

FEATURES: Final = (
    Feature("MUST_TELL_HOST", 0, meaning="a page is told to the device before the guest uses it again"),
    Feature("DEFLATE_ON_OOM", 2, meaning="the driver may take pages back when the guest runs out of memory"),
)

INFLATE: Final = Queue("inflate", 0, readable="pfn-array", names_pages=True)
DEFLATE: Final = Queue("deflate", 1, readable="pfn-array", names_pages=True)
BALLOON_QUEUES: Final = frozenset({INFLATE, DEFLATE})
"""The queues on which pages go into the balloon and out of it."""
