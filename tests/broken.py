"""Implementations that break one thing on purpose, and the check that the suite blames them for it.

A broken device or driver is a reference with one method overridden, or its adapter with one. It declares the
requirements it breaks. Played through the packaged vectors it has to be found out, and for nothing else than
what it breaks and what follows of necessity.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from balloon_conformance.iut.contract import DeviceAdapter, DriverAdapter
from balloon_conformance.iut.reference import ReferenceDevice, ReferenceDriver
from balloon_conformance.report.outcome import Outcome, Status
from balloon_conformance.vectors.loader import load
from balloon_conformance.vectors.model import Vector
from balloon_conformance.vectors.player import play
from balloon_spec.events import Side
from balloon_spec.requirement import catalogue

VECTORS = Path(__file__).parents[1] / "vectors"

_Kind = TypeVar("_Kind", bound=type)


@functools.cache
def packaged_vectors() -> tuple[Vector, ...]:
    """Every vector of the repository, in the order of its path."""
    return tuple(load(path) for path in sorted(VECTORS.rglob("*.yaml")))


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken implementation: ``breaks`` is what it is to be blamed for, ``also`` what follows from that."""

    name: str
    side: Side
    make: Callable[[], DeviceAdapter | DriverAdapter]
    breaks: tuple[str, ...]
    also: frozenset[str]

    def __str__(self) -> str:
        return self.name

    def play(self) -> list[Outcome]:
        """Play every vector that judges the side, one after the other against one adapter, as a run does."""
        adapter = self.make()
        return [
            play(vector, adapter, self.side) for vector in packaged_vectors() if self.side in vector.sides
        ]


class BrokenOnes(list[Broken]):
    """The broken implementations of one side; :meth:`breaks` enters one."""

    def __init__(self, side: Side) -> None:
        super().__init__()
        self.side = side

    def breaks(self, *requirements: str, also: tuple[str, ...] = ()) -> Callable[[_Kind], _Kind]:
        """Enter the class below: a subclass of the reference, or of its adapter."""

        def enter(kind: _Kind) -> _Kind:
            adapter = ReferenceDevice if self.side is Side.DEVICE else ReferenceDriver
            make = kind if issubclass(kind, adapter) else functools.partial(adapter, kind)
            self.append(Broken(kind.__name__, self.side, make, requirements, frozenset(also)))
            return kind

        return enter


def assert_caught(broken: Broken) -> None:
    """Assert that each declared requirement is named, first of all somewhere, and that no other is."""
    outcomes = broken.play()
    errors = [f"{outcome.case}: {outcome.reason}" for outcome in outcomes if outcome.status is Status.ERROR]
    assert not errors, errors
    found = [finding for outcome in outcomes for finding in (*outcome.findings, *outcome.advice)]
    told = Counter(finding.requirement for finding in found)
    for name in broken.breaks:
        where = "findings" if catalogue()[name].level.binding else "advice"
        named = [
            outcome for outcome in outcomes if name in {one.requirement for one in getattr(outcome, where)}
        ]
        assert named, f"{name} is not found broken; found were {dict(told)}"
        firsts = {getattr(outcome, where)[0].requirement for outcome in named}
        if where == "findings":
            assert {outcome.status for outcome in named} == {Status.FAILED}
            assert {outcome.fault for outcome in named} == {f"{broken.side}-fault"}
        assert name in firsts, f"{name} comes first nowhere; first were {sorted(firsts)}"
    others = told.keys() - set(broken.breaks) - broken.also
    examples = {name: next(str(one) for one in found if one.requirement == name) for name in others}
    assert not others, f"blamed for more than {broken.breaks}: {examples}"
    idle = broken.also - told.keys()
    assert not idle, f"declared to follow and not found: {sorted(idle)}"
