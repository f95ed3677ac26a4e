"""The cases of the suite as functions of an adapter: every vector and scenario that judges a side."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

from balloon_conformance import scenarios
from balloon_conformance.iut.contract import DeviceAdapter, DriverAdapter
from balloon_conformance.running.case import Patience, carry_out
from balloon_conformance.running.outcome import Outcome
from balloon_conformance.running.player import play
from balloon_conformance.running.session import DeviceSession, DriverSession
from balloon_conformance.scenarios import Scenario
from balloon_conformance.suite.plan import Plan, move, plan
from balloon_conformance.vectors.loader import further
from balloon_conformance.vectors.model import Vector
from balloon_spec.events import Side
from balloon_spec.families import registry
from balloon_spec.profiles import CHUNK_TRANSFER, Profile
from balloon_spec.requirement import catalogue

__all__ = ["PATIENCE", "MutantCase", "cases", "cases_of"]

PATIENCE = Patience(deadline_seconds=3.0, quiet_seconds=0.2)
"""More than a second, so that REQ-22 can be told from REQ-11. That takes no time: see SimulatedClock."""


@dataclass(frozen=True, slots=True)
class MutantCase:
    """A vector, or a scenario with its arguments, for one side.

    ``about`` are the requirements of that side that it can decide; ``carry`` carries it out. ``home`` is a
    profile under which it says something.
    """

    id: str
    side: Side
    about: frozenset[str]
    is_vector: bool
    carry: Callable[[DeviceAdapter | DriverAdapter, Profile], Outcome]
    home: Profile = CHUNK_TRANSFER

    def play(self, adapter: DeviceAdapter | DriverAdapter, profile: Profile | None = None) -> Outcome:
        """Play the case against an adapter, under the profile of a run; without one, under its own."""
        return self.carry(adapter, self.home if profile is None else profile)


def cases(side: Side) -> Mapping[str, MutantCase]:
    """Return the cases that judge ``side``, by id: vectors in the order of their files, then scenarios."""
    return _cases(side, further())


@lru_cache(maxsize=4)
def _cases(side: Side, _further: tuple[Path, ...]) -> Mapping[str, MutantCase]:
    return cases_of(plan(side), side)


def cases_of(chosen: Plan, side: Side) -> Mapping[str, MutantCase]:
    """Return the cases of a plan for ``side``, by id."""
    found = [*_vectors(side, chosen.vectors), *_scenarios(side, chosen.scenarios)]
    return MappingProxyType({one.id: one for one in found})


def _vectors(side: Side, vectors: Iterable[Vector]) -> Iterator[MutantCase]:
    for vector in vectors:
        shown = {*vector.requirements, *(name for step in vector.steps for name in step.shows)}
        yield MutantCase(vector.id, side, _own(side, shown), True, partial(_play_vector, vector, side))


def _play_vector(
    vector: Vector, side: Side, adapter: DeviceAdapter | DriverAdapter, profile: Profile
) -> Outcome:
    return play(move(vector, profile), adapter, side, PATIENCE)


def _scenarios(side: Side, chosen: Sequence[Scenario]) -> Iterator[MutantCase]:
    wanted = {one.id: one for one in chosen}
    for module in dict.fromkeys(one.module for one in chosen):
        for function_name, function in vars(sys.modules[module]).items():
            if not function_name.startswith("test_") or not inspect.isfunction(function):
                continue
            one = scenarios.of(function)
            if one.id not in wanted:
                continue
            for name, arguments in _parameters(function):
                action = partial(_play_scenario, one, function, arguments)
                about = _own(side, one.requirements)
                yield MutantCase(f"{one.id}{name}", side, about, False, action, _home(one.features))


def _home(features: frozenset[str]) -> Profile:
    """Return the first profile that has the features of a scenario: chunk-transfer if it has them."""
    known = (CHUNK_TRANSFER, *registry.profiles().values())
    return next((one for one in known if features <= one.by_name.keys()), CHUNK_TRANSFER)


def _parameters(function: Callable[..., None]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a scenario's cases as pytest makes them from its marks: the brackets of the id, the arguments."""
    axes: list[list[tuple[str, dict[str, Any]]]] = []
    for mark in getattr(function, "pytestmark", ()):
        name, values = mark.args
        ids = mark.kwargs.get("ids") or [str(value) for value in values]
        axes.append([(one, {name: value}) for one, value in zip(ids, values, strict=True)])
    for chosen in product(*axes):
        brackets = f"[{'-'.join(one for one, _ in chosen)}]" if chosen else ""
        yield brackets, {name: value for _, pair in chosen for name, value in pair.items()}


def _play_scenario(
    one: Scenario,
    function: Callable[..., None],
    arguments: Mapping[str, Any],
    adapter: DeviceAdapter | DriverAdapter,
    profile: Profile,
) -> Outcome:
    kind: type[DeviceSession | DriverSession]
    kind = DeviceSession if one.side is Side.DEVICE else DriverSession
    session = kind(
        adapter,
        profile,
        deadline_seconds=PATIENCE.deadline_seconds,
        quiet_seconds=PATIENCE.quiet_seconds,
        memory_pages=one.memory_pages,
    )

    def action() -> Sequence[str]:
        function(session=session, **arguments)
        return ()

    return carry_out(one, session, action)


def _own(side: Side, names: Iterable[str]) -> frozenset[str]:
    entries = catalogue()
    return frozenset(name for name in names if entries[name].subject is side)
