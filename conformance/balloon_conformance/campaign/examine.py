"""One mutant under examination: which cases notice it, and what they blame it for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from balloon_conformance.campaign.cases import MutantCase, cases
from balloon_conformance.mutants import mutants
from balloon_conformance.mutants.mutant import Mutant
from balloon_conformance.running.outcome import Outcome, Status
from balloon_conformance.suite.late import settled
from balloon_spec.requirement import catalogue

__all__ = ["Examined", "Sight", "Verdict", "examine", "look", "settles"]


class Verdict(StrEnum):
    """What came of a mutant."""

    KILLED = "killed"
    """It was noticed, and blamed for what it breaks and what follows, and for nothing else."""
    MISBLAMED = "misblamed"
    """It was noticed, but a requirement is named that it does not declare, or one it breaks is not."""
    SURVIVED = "survived"
    """No case noticed it."""
    ERROR = "error"
    """The suite could not play it."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one case said of one mutant.

    ``firsts`` are the first requirement found broken and the first one not followed as advised, where there
    are such; ``named`` is all that was named. ``rules`` are those of the judge that found something.
    ``error`` says why the case could not be played.
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
        """Tell whether the case noticed the mutant: failed, or gave advice."""
        return self.failed or bool(self.firsts)


@dataclass(frozen=True, slots=True)
class Examined:
    """A mutant and what the cases played against it said, in the order they were played."""

    mutant: Mutant
    sights: tuple[Sight, ...]

    @property
    def killings(self) -> tuple[Sight, ...]:
        """The sights of the cases that noticed it."""
        return tuple(one for one in self.sights if one.kills)

    @property
    def killer(self) -> Sight | None:
        """The first case that blames it first for what it breaks, or else the first that noticed it."""
        proper = (one for one in self.killings if not set(one.firsts).isdisjoint(self.mutant.breaks))
        return next(proper, next(iter(self.killings), None))

    @property
    def verdict(self) -> Verdict:
        """What came of it."""
        if any(one.error for one in self.sights):
            return Verdict.ERROR
        if not self.killings:
            return Verdict.SURVIVED
        return Verdict.MISBLAMED if any(self.faults()) else Verdict.KILLED

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with how it was noticed, a sentence each; nothing for a mutant well killed."""
        own = self.mutant
        errors = [sight for sight in self.sights if sight.error]
        for sight in errors:
            yield f"{sight.case}: {sight.error}"
        if not self.killings:
            if errors:
                return
            yield f"survives: none of {len(self.sights)} cases notices it"
            return
        strangers: dict[str, str] = {}
        suite = cases(own.side)
        for sight in self.killings:
            # A vector ends where the implementation leaves it. A scenario goes on with what there is then.
            blamed = sight.named if suite[sight.case].is_vector else frozenset(sight.firsts[:1])
            for name in sorted(blamed - own.declared):
                strangers.setdefault(name, sight.case)
            if not sight.named:
                yield f"{sight.case} fails and names no requirement"
        for name, case in strangers.items():
            yield f"is blamed for {name} in {case}, which it does not declare"
        first = {name for sight in self.killings for name in sight.firsts}
        for name in own.breaks:
            if name not in first:
                yield f"is nowhere blamed first for {name}, which it breaks"

    def idle(self) -> Iterator[str]:
        """Yield the requirements declared to follow that were not named, where every case was played."""
        named = frozenset().union(*(sight.named for sight in self.sights))
        yield from sorted(self.mutant.also - named)


@cache
def look(mutant: str, case: str) -> Sight:
    """Play a case against a fresh mutant."""
    return _sight(mutant, case, _outcome(mutant, case))


@cache
def _outcome(mutant: str, case: str) -> Outcome:
    one = mutants()[mutant]
    return replace(cases(one.side)[case].play(one.make()), trace=())


def _sight(mutant: str, case: str, outcome: Outcome) -> Sight:
    if outcome.status is Status.ERROR:
        return Sight(mutant, case, error=outcome.reason)
    found = (*outcome.findings, *outcome.advice)
    return Sight(
        mutant,
        case,
        outcome.status is Status.FAILED,
        tuple(group[0].requirement for group in (outcome.findings, outcome.advice) if group),
        frozenset(one.requirement for one in found),
        frozenset(one.rule for one in found if one.rule),
    )


def settles(mutant: Mutant, sights: Sequence[Sight]) -> bool:
    """Tell whether every requirement it breaks was named first somewhere."""
    return {name for sight in sights for name in sight.firsts}.issuperset(mutant.breaks)


def examine(name: str, *, everything: bool = False) -> tuple[Sight, ...]:
    """Play cases against a mutant until it is settled, or all there are."""
    mutant = mutants()[name]
    sights: list[Sight] = []
    for case in in_order(mutant, cases(mutant.side).values()):
        sights.append(look(mutant.name, case.id))
        if not everything and settles(mutant, sights):
            return tuple(sights)
    return tuple(_at_the_end(name, sights))


def _at_the_end(mutant: str, sights: Sequence[Sight]) -> Iterator[Sight]:
    """Yield the sights as they are when what the cases saw is held against one another."""
    late = {one.case: one for one in settled(_outcome(mutant, sight.case) for sight in sights)}
    for sight in sights:
        changed = late.get(sight.case)
        yield sight if changed is None else _sight(mutant, sight.case, changed)


def in_order(mutant: Mutant, suite: Iterable[MutantCase]) -> list[MutantCase]:
    """Return cases with those first that are about what the mutant breaks, or what follows from that.

    Of these the ones about few things come first: they are short.
    """
    breaks = frozenset(mutant.breaks)

    def rank(case: MutantCase) -> tuple[int, int, int]:
        nearness = 0 if case.about & breaks else 1 if case.about & mutant.also else 2
        return nearness, 0 if case.is_vector else 1, len(case.about) if nearness == 0 else 0

    return sorted(suite, key=rank)


def vector_counts(case: MutantCase, sight: Sight) -> bool:
    """Tell whether a sight shows that the vector bites: it failed, or advised where it can do no more."""
    entries = catalogue()
    is_advisory = not any(entries[name].level.binding for name in case.about)
    return sight.failed or (is_advisory and bool(sight.named & case.about))
