"""The requirements that a vector shows: an implementation that keeps to it is seen to keep them.

A vector shows a requirement in two ways: a rule of the judge decides it when the vector is read as a trace,
or a step that the implementation has to bring about names it. The subject of a vector shows nothing by
itself.
"""

from __future__ import annotations

from balloon_conformance.running.player import play_as_trace
from balloon_conformance.vectors import model
from balloon_spec.requirement import catalogue

__all__ = ["shown"]


def shown(vector: model.Vector) -> frozenset[str]:
    """Return the ids of the requirements of the judged sides that ``vector`` shows."""
    entries = catalogue()
    judge, _ = play_as_trace(vector)
    by_steps = {
        name for step in vector.steps for name in step.shows if entries[name].subject is step.awaited_of
    }
    return frozenset(name for name in {*judge.exercised, *by_steps} if entries[name].subject in vector.sides)
