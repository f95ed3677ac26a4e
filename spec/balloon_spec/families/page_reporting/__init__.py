"""The page-reporting family: the driver names ranges of free pages, and the device may give them back.

A report is a buffer of device-writable descriptors. Where they point, and how far, is all that it says.
"""

from __future__ import annotations

from typing import Final

from balloon_spec.events import GuestAction
from balloon_spec.feature import Feature
from balloon_spec.queues import Queue

__all__ = ["FEATURES", "REPORT", "REPORTING"]

FEATURES: Final = (
    Feature("PAGE_REPORTING", 5, meaning="the driver reports free pages on the reporting queue"),
)

REPORTING: Final = Queue("reporting", 4, feature="PAGE_REPORTING", ranges="report", names_pages=True)

REPORT: Final = GuestAction.declare("report")
"""The guest has exactly these pages free, and its driver may report them."""
