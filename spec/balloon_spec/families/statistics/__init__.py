"""The statistics family: a driver says how the guest's memory is used, as often as it is asked."""

from __future__ import annotations

from typing import Final

from balloon_spec.feature import Feature
from balloon_spec.queues import Queue

__all__ = ["FEATURES", "STATISTICS"]

FEATURES: Final = (Feature("STATS_VQ", 1, meaning="the statistics queue exists"),)

STATISTICS: Final = Queue("statistics", 2, feature="STATS_VQ", readable="statistics", held=True)
