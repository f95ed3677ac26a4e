"""What a vector shows: the requirements that an implementation keeping to it is seen to keep.

A vector shows a requirement if a rule of the judge decides it when the vector is taken for a trace, or if a
step that the implementation has to bring about names it. That a vector is about something shows nothing.
"""

from __future__ import annotations

from balloon_conformance.running.player import play_as_trace
from balloon_conformance.vectors import model
from balloon_spec.requirement import catalogue

__all__ = ["shown"]


def shown(vector: model.Vector) -> frozenset[str]:
    """Return the ids of the requirements that ``vector`` shows of the sides it judges."""
    entries = catalogue()
    judge, _ = play_as_trace(vector)
    by_steps = {
        name for step in vector.steps for name in step.shows if entries[name].subject is step.awaited_of
    }
    return frozenset(name for name in {*judge.exercised, *by_steps} if entries[name].subject in vector.sides)
