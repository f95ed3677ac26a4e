"""Which cases apply to an implementation, and which of them say nothing about it.

A run has a profile, and so does a vector. A vector that needs features which the run's profile does not have
is reported as not exercised. If the run gives the vector's features other bit numbers, the vector is moved to
these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from operator import or_
from pathlib import Path

from balloon_conformance.iut.contract import Target
from balloon_conformance.running.case import Case
from balloon_conformance.scenarios import Scenario, scenarios
from balloon_conformance.vectors.loader import further, load_all
from balloon_conformance.vectors.model import FeatureSets, Vector
from balloon_conformance.vectors.steps import ResetStep
from balloon_spec.events import Side
from balloon_spec.profiles import Profile

__all__ = ["Plan", "case_ids", "move", "plan", "why_foreign"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The cases that judge one side: vectors in the order of their files, then scenarios."""

    vectors: tuple[Vector, ...]
    scenarios: tuple[Scenario, ...]

    def about(self) -> Mapping[str, tuple[str, ...]]:
        """Return the requirements that each case is about, by id; a scenario's id is without parameters."""
        cases: tuple[Case, ...] = (*self.vectors, *self.scenarios)
        return {case.id: case.requirements for case in cases}

    def needs(self) -> Mapping[str, frozenset[str]]:
        """Return the features that a case needs, by its id."""
        needs = {vector.id: vector.profile.names(_accepted(vector)) for vector in self.vectors}
        return needs | {one.id: one.features for one in self.scenarios}


def _accepted(vector: Vector) -> int:
    """Return the features that a vector has accepted at any time, in legal sets."""
    resets = [step.features for step in vector.steps if isinstance(step, ResetStep)]
    legal = [sets for sets in (vector.features, *resets) if sets.features_ok]
    return reduce(or_, (sets.accepted & sets.offered for sets in legal), 0)


def plan(side: Side, directory: Path | None = None) -> Plan:
    """Return the cases that judge ``side``: the suite's own, or the vectors below ``directory`` alone.

    Raises :class:`~balloon_conformance.vectors.loader.VectorError`.
    """
    return _plan(side, directory, further())


@lru_cache(maxsize=16)
def _plan(side: Side, directory: Path | None, _further: tuple[Path, ...]) -> Plan:
    vectors = tuple(vector for vector in load_all(directory) if side in vector.sides)
    if directory is not None:
        return Plan(vectors, ())
    return Plan(vectors, tuple(one for one in scenarios() if one.side is side))


def case_ids(directory: Path | None = None) -> frozenset[str]:
    """Return the ids of all cases: the suite's own for both sides, and the vectors below a directory.

    The id of a scenario is without its parameters.
    """
    places = {None, directory}
    return frozenset(name for side in Side for place in places for name in plan(side, place).about())


def why_foreign(profile: Profile, names: frozenset[str], target: Target) -> str:
    """Say why a case that needs the features ``names`` says nothing under ``profile``; empty if it does."""
    missing = sorted(names - profile.by_name.keys())
    if not missing:
        return ""
    note = target.stock_note if profile.name == target.default_profile else ""
    reason = f"profile {profile.name} has no {' and no '.join(missing)}"
    return f"{reason}: {note}" if note else reason


def move(vector: Vector, profile: Profile) -> Vector:
    """Return the vector with the bit and queue numbers of ``profile``, that of the run.

    A vector of another profile keeps that, with these numbers, unless queues have moved in ``profile``.
    Where it does not keep it, ``profile`` has every feature of the vector's.
    """
    own = vector.profile
    if own.name != profile.name and not profile.moved_places:
        bits = {name: profile.by_name[name].bit for name in own.by_name if name in profile.by_name}
        profile = own.with_bits(bits).with_numbering(profile.numbering)
    if own == profile:
        return vector

    def moved(sets: FeatureSets) -> FeatureSets:
        offered, accepted = (
            profile.mask(vector.profile.names(mask)) for mask in (sets.offered, sets.accepted)
        )
        return replace(sets, offered=offered, accepted=accepted)

    steps = tuple(
        replace(step, features=moved(step.features)) if isinstance(step, ResetStep) else step
        for step in vector.steps
    )
    return replace(vector, profile=profile, features=moved(vector.features), steps=steps)
