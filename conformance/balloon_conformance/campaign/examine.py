"""Examines one mutant: which cases notice it, and which requirements they blame it for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from balloon_conformance.campaign.cases import MutantCase, cases
from balloon_conformance.mutants import mutants
from balloon_conformance.mutants.mutant import Mutant
from balloon_conformance.running.outcome import Outcome, Status
from balloon_conformance.suite.whole_run import revised
from balloon_spec.requirement import catalogue

__all__ = ["Examined", "Reaction", "Verdict", "examine", "is_settled", "play_against"]


class Verdict(StrEnum):
    """The result of a mutant's examination."""

    KILLED = "killed"
    """It was noticed, and blamed for what it breaks and what follows, and for nothing else."""
    MISBLAMED = "misblamed"
    """It was noticed, but blamed for a requirement it does not declare, or not for one that it breaks."""
    SURVIVED = "survived"
    """No case noticed it."""
    ERROR = "error"
    """The suite could not play it."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """The result of one case against one mutant.

    ``firsts`` are the first requirement found broken and the first one not followed as advised, if there are
    such; ``named`` are all requirements that were named. ``rules`` are the rules of the judge that found
    something. ``error`` says why the case could not be played.
    """

    mutant: str
    case: str
    failed: bool = False
    firsts: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    error: str = ""

    @property
    def kills(self) -> bool:
        """Tell whether the case noticed the mutant: whether it failed or gave advice."""
        return self.failed or bool(self.firsts)


@dataclass(frozen=True, slots=True)
class Examined:
    """A mutant and the reactions of the cases played against it, in the order they were played."""

    mutant: Mutant
    reactions: tuple[Reaction, ...]

    @property
    def killings(self) -> tuple[Reaction, ...]:
        """The reactions of the cases that noticed it."""
        return tuple(one for one in self.reactions if one.kills)

    @property
    def killer(self) -> Reaction | None:
        """The first case that blames it first for what it breaks, or else the first case that noticed it."""
        proper = (one for one in self.killings if not set(one.firsts).isdisjoint(self.mutant.breaks))
        return next(proper, next(iter(self.killings), None))

    @property
    def verdict(self) -> Verdict:
        """The result of the examination."""
        if any(one.error for one in self.reactions):
            return Verdict.ERROR
        if not self.killings:
            return Verdict.SURVIVED
        return Verdict.MISBLAMED if any(self.faults()) else Verdict.KILLED

    def faults(self) -> Iterator[str]:
        """Yield one sentence for each fault in how it was noticed; nothing if it was properly killed."""
        own = self.mutant
        errors = [reaction for reaction in self.reactions if reaction.error]
        for reaction in errors:
            yield f"{reaction.case}: {reaction.error}"
        if not self.killings:
            if errors:
                return
            yield f"survives: none of {len(self.reactions)} cases notices it"
            return
        strangers: dict[str, str] = {}
        suite = cases(own.side)
        for reaction in self.killings:
            # A vector ends where the implementation departs from it. A scenario goes on with whatever is
            # there then.
            blamed = reaction.named if suite[reaction.case].is_vector else frozenset(reaction.firsts[:1])
            for name in sorted(blamed - own.declared):
                strangers.setdefault(name, reaction.case)
            if not reaction.named:
                yield f"{reaction.case} fails and names no requirement"
        for name, case in strangers.items():
            yield f"is blamed for {name} in {case}, which it does not declare"
        first = {name for reaction in self.killings for name in reaction.firsts}
        for name in own.breaks:
            if name not in first:
                yield f"is nowhere blamed first for {name}, which it breaks"

    def idle(self) -> Iterator[str]:
        """Yield the requirements declared to follow that no case named; every case must have been played."""
        named = frozenset().union(*(reaction.named for reaction in self.reactions))
        yield from sorted(self.mutant.also - named)


@cache
def play_against(mutant: str, case: str) -> Reaction:
    """Play a case against a fresh mutant."""
    return _reaction(mutant, case, _outcome(mutant, case))


@cache
def _outcome(mutant: str, case: str) -> Outcome:
    one = mutants()[mutant]
    return replace(cases(one.side)[case].play(one.make()), trace=())


def _reaction(mutant: str, case: str, outcome: Outcome) -> Reaction:
    if outcome.status is Status.ERROR:
        return Reaction(mutant, case, error=outcome.reason)
    found = (*outcome.findings, *outcome.advice)
    return Reaction(
        mutant,
        case,
        outcome.status is Status.FAILED,
        tuple(group[0].requirement for group in (outcome.findings, outcome.advice) if group),
        frozenset(one.requirement for one in found),
        frozenset(one.rule for one in found if one.rule),
    )


def is_settled(mutant: Mutant, reactions: Sequence[Reaction]) -> bool:
    """Tell whether some case named each requirement that the mutant breaks first."""
    return {name for reaction in reactions for name in reaction.firsts}.issuperset(mutant.breaks)


def examine(name: str, *, everything: bool = False) -> tuple[Reaction, ...]:
    """Play cases against a mutant until every requirement it breaks was named first, or none is left."""
    mutant = mutants()[name]
    reactions: list[Reaction] = []
    for case in in_order(mutant, cases(mutant.side).values()):
        reactions.append(play_against(mutant.name, case.id))
        if not everything and is_settled(mutant, reactions):
            return tuple(reactions)
    return tuple(_compared(name, reactions))


def _compared(mutant: str, reactions: Sequence[Reaction]) -> Iterator[Reaction]:
    """Yield the reactions after the observations of all cases were compared, as at the end of a run."""
    late = {one.case: one for one in revised(_outcome(mutant, reaction.case) for reaction in reactions)}
    for reaction in reactions:
        changed = late.get(reaction.case)
        yield reaction if changed is None else _reaction(mutant, reaction.case, changed)


def in_order(mutant: Mutant, suite: Iterable[MutantCase]) -> list[MutantCase]:
    """Return the cases; first those about what the mutant breaks, then those about what follows from it.

    Among the first, cases about few requirements come first: they are short. Cases of the areas of what it
    breaks come before all others, because many a rule decides what its case is not about.
    """
    breaks = frozenset(mutant.breaks)
    entries = catalogue()
    area = frozenset(one.id for name in breaks for one in entries.by_area(entries[name].area))

    def rank(case: MutantCase) -> tuple[int, int, int]:
        near = (case.about & breaks, case.about & mutant.also, case.about & area, True)
        nearness = next(at for at, one in enumerate(near) if one)
        return nearness, 0 if case.is_vector else 1, len(case.about) if nearness == 0 else 0

    return sorted(suite, key=rank)


def vector_works(case: MutantCase, reaction: Reaction) -> bool:
    """Tell whether a reaction shows that the vector works: it failed, or it advised and can do no more."""
    entries = catalogue()
    is_advisory = not any(entries[name].level.binding for name in case.about)
    return reaction.failed or (is_advisory and bool(reaction.named & case.about))
