"""What decides each requirement (rules of the judge, vectors, scenarios, or nothing), and what breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from balloon_conformance.mutants import mutants
from balloon_conformance.scenarios import scenarios
from balloon_conformance.vectors.loader import load_all
from balloon_spec.families import registry
from balloon_spec.requirement import Requirement, catalogue

__all__ = ["DecidedBy", "deciders"]


@dataclass(frozen=True, slots=True)
class DecidedBy:
    """The names of the rules, vectors and scenarios that can decide one requirement.

    ``mutants`` are the names of the mutants that break it.
    """

    requirement: Requirement
    rules: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    mutants: tuple[str, ...] = ()

    @property
    def by_kind(self) -> Mapping[str, tuple[str, ...]]:
        """The names by kind, in the order in which they are shown."""
        return {
            "rules": self.rules,
            "vectors": self.vectors,
            "scenarios": self.scenarios,
            "mutants": self.mutants,
        }

    def __str__(self) -> str:
        """Say briefly how many of each kind there are."""
        counts = (
            (len(self.rules), "rule"),
            (len(self.vectors), "vector"),
            (len(self.scenarios), "scenario"),
        )
        words = [f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in counts if number]
        if words:
            return ", ".join(words)
        return "not observable" if self.requirement.not_observable else "nothing yet"


def deciders() -> dict[str, DecidedBy]:
    """Return what decides each requirement, by id and in the order of the specification."""
    vectors, plays, broken_ones = load_all(), scenarios(), mutants().values()
    return {
        name: DecidedBy(
            requirement,
            tuple(rule.name for rule in registry.rules() if name in rule.decides),
            tuple(vector.id for vector in vectors if name in vector.requirements),
            tuple(one.id for one in plays if name in one.requirements),
            tuple(one.name for one in broken_ones if name in one.breaks),
        )
        for name, requirement in catalogue().items()
    }
