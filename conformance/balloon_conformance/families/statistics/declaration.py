"""The statistics family, as the suite knows it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from balloon_conformance.families.statistics.buffers import (
    StatisticsBuffers,
    StatisticsQueue,
    comment_on_statistics,
)
from balloon_conformance.families.statistics.reference import StatisticsOfDevice, StatisticsOfDriver
from balloon_conformance.family import Additions, module_names
from balloon_conformance.running.blame import Lapse
from balloon_conformance.vectors.steps.parts import field
from balloon_conformance.vectors.steps.wishes import OperatorWish
from balloon_spec.events import OperatorAction
from balloon_spec.families.statistics import STATISTICS, statistics
from balloon_spec.families.statistics.declaration import FAMILY

__all__ = ["ADDITIONS"]

ADDITIONS: Final = Additions(
    family=FAMILY,
    device=StatisticsOfDevice,
    driver=StatisticsOfDriver,
    can_break=MappingProxyType(
        {
            Lapse.NOT_RETURNED: frozenset({"STATS-07", "STATS-08"}),
            Lapse.NOT_MADE_AVAILABLE: frozenset({"STATS-01", "STATS-03"}),
        }
    ),
    queues=(StatisticsQueue(STATISTICS),),
    comparisons=(StatisticsBuffers(statistics.NAME),),
    operator_wishes=(
        OperatorWish(
            action=OperatorAction.STATISTICS,
            key="statistics",
            schema=field("the statistics shall be refreshed", "yes"),
            text=lambda _: "true",
            label=lambda _: "statistics",
            value=lambda _: 0,
        ),
    ),
    mutants=(f"{__package__}.device_mutants", f"{__package__}.driver_mutants"),
    scenarios=(f"{__package__}.device_scenarios", f"{__package__}.driver_scenarios"),
    intents=module_names(f"{__package__}.intents"),
    comments=MappingProxyType({statistics.NAME: comment_on_statistics}),
    only_counts=MappingProxyType(
        {
            "statistics_are_returned": "It counts that STATS-07 and STATS-08 were kept; a vector misses "
            "the return where they are broken.",
        }
    ),
)
