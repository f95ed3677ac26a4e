"""The requirements in executable form: events in, findings out, as they come.

:class:`Judge` is the whole of it for most users. The rules stand in the modules of this package by what they
are about; :mod:`balloon_spec.judge.rule` says how one is written.
"""

# Importing a module of rules registers them.
from balloon_spec.judge import (
    accounting,
    answers,
    buffers,
    convergence,
    effects,
    host_statistics,
    kept_over_reset,
    life_cycle,
    negotiation,
    notifications,
    pages_named,
    requests,
    rings,
    statistics_queue,
    without_effect,
)
from balloon_spec.judge.decision import Decision, Finding
from balloon_spec.judge.judge import Judge, Weighed
from balloon_spec.judge.rule import RULES, Rule

__all__ = [
    "RULES",
    "Decision",
    "Finding",
    "Judge",
    "Rule",
    "Weighed",
    "accounting",
    "answers",
    "buffers",
    "convergence",
    "effects",
    "host_statistics",
    "kept_over_reset",
    "life_cycle",
    "negotiation",
    "notifications",
    "pages_named",
    "requests",
    "rings",
    "statistics_queue",
    "without_effect",
]
