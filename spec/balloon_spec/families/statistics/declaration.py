"""The statistics family, declared."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from balloon_spec.families.family import AreaFile, Chapter, Family
from balloon_spec.families.statistics import FEATURES, STATISTICS, host_statistics, statistics_queue
from balloon_spec.families.statistics import structures as own
from balloon_spec.families.statistics.ledger import Statistics
from balloon_spec.families.statistics.shapes import BUFFER
from balloon_spec.judge.rule import rules_in

__all__ = ["FAMILY"]

_AREAS: Final = files(__package__) / "requirements"

FAMILY: Final = Family(
    "statistics",
    features=FEATURES,
    queues=(STATISTICS,),
    structures=(own.STATISTICS,),
    areas=(AreaFile(_AREAS / "statistics.yaml", Chapter.OF_THE_GUEST, excuses_devices=True),),
    rules=rules_in(host_statistics, statistics_queue),
    ledgers=(Statistics,),
    shapes=(BUFFER,),
)
