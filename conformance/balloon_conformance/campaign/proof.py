"""Proves each *kept* of a run: a wrong implementation, played through the same cases, is found out.

A run may call a requirement kept only if it would have noticed the contrary. So every requirement that a run
decided is tested: a mutant that breaks it plays a case of the run that decided it. A veil hides from the
suite whatever the adapter of the run does not show. If the judge names the requirement, the mutant and the
case are the proof. If no mutant is found out, the run has not exercised the requirement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, zip_longest

from balloon_conformance.campaign.cases import MutantCase
from balloon_conformance.campaign.veil import Visibility, veiled
from balloon_conformance.mutants import mutants
from balloon_conformance.mutants.mutant import Mutant
from balloon_conformance.running.outcome import Outcome, Proof
from balloon_conformance.suite.whole_run import revised
from balloon_spec.events import Side
from balloon_spec.profiles import Profile
from balloon_spec.requirement import Level, catalogue

__all__ = ["prove"]

_MOST_PLAYS = 1000
"""How often mutants are played for one requirement before it counts as unproven."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A run to be proven: its cases, its profile, and what its adapter shows."""

    cases: Mapping[str, MutantCase]
    profile: Profile
    visibility: Visibility


def prove(
    outcomes: Iterable[Outcome],
    cases: Mapping[str, MutantCase],
    profile: Profile,
    side: Side,
    visibility: Visibility,
) -> Mapping[str, Proof]:
    """Return a proof for each requirement of ``side`` that the outcomes decided and that can be proven.

    ``cases`` are those of the run by their ids, ``visibility`` is what its adapter shows. A permission cannot
    be broken, so it needs no proof and gets none.
    """
    run = _Run(cases, profile, visibility)
    decided: dict[str, list[str]] = {}
    for outcome in outcomes:
        for name in outcome.exercised:
            decided.setdefault(name, []).append(outcome.case)
    entries = catalogue()
    wanted = [
        name
        for name, entry in entries.items()
        if name in decided and entry.subject is side and entry.level is not Level.MAY
    ]
    found: dict[str, Proof] = {}
    for name in wanted:
        if name not in found:
            # A case that finds a mutant out often also names what follows from the mutant's fault.
            found |= {other: one for other, one in _proofs(run, name, decided) if other not in found}
    return {name: found[name] for name in wanted if name in found}


def _proofs(run: _Run, name: str, decided: Mapping[str, list[str]]) -> Iterator[tuple[str, Proof]]:
    """Play mutants until one is blamed for ``name``; yield what that case proves.

    If no case alone is enough, the observations of all cases of a mutant are compared, as at the end of a
    run.
    """
    seen: dict[Mutant, list[Outcome]] = {}
    for mutant, case in islice(_attempts(run, name, decided[name]), _MOST_PLAYS):
        # Each set of arguments of a scenario is a case of its own.
        outcome = replace(case.play(veiled(mutant, run.visibility), run.profile), case=case.id, trace=())
        if name in _blamed(outcome):
            yield from _proven(mutant, outcome, decided)
            return
        seen.setdefault(mutant, []).append(outcome)
    for mutant, outcomes in seen.items():
        late = next((one for one in revised(outcomes) if name in _blamed(one)), None)
        if late is not None:
            yield from _proven(mutant, late, decided)
            return


def _blamed(outcome: Outcome) -> set[str]:
    return {one.requirement for one in (*outcome.findings, *outcome.advice)}


def _proven(
    mutant: Mutant, outcome: Outcome, decided: Mapping[str, list[str]]
) -> Iterator[tuple[str, Proof]]:
    """Yield what the outcome of a mutant's case proves."""
    for name in _blamed(outcome) & mutant.declared:
        if outcome.case in decided.get(name, ()):
            yield name, Proof(mutant.name, outcome.case)


def _attempts(run: _Run, name: str, decided_in: list[str]) -> Iterator[tuple[Mutant, MutantCase]]:
    """Yield mutants that break a requirement with cases that decided it, the likeliest first.

    A mutant begins with cases about all that it breaks, and each mutant has its turn.
    """
    suite = list(_in_turns(run.cases[case] for case in decided_in if case in run.cases))
    suite.sort(key=lambda case: name not in case.about)
    breakers = [one for one in mutants().values() if name in one.breaks]
    followers = [one for one in mutants().values() if name in one.also]
    for group in (breakers, followers):
        near = [sorted(suite, key=lambda case: -len(case.about & one.declared)) for one in group]
        for turn in zip(*near, strict=True):
            yield from zip(group, turn, strict=True)


def _in_turns(cases: Iterable[MutantCase]) -> Iterator[MutantCase]:
    """Yield vectors before scenarios and short cases before long ones, in turns of those about one thing.

    Cases about the same areas are much alike, and what one of them does not find the next hardly does.
    """
    entries = catalogue()
    alike: dict[frozenset[str], list[MutantCase]] = {}
    for case in sorted(cases, key=lambda case: (not case.is_vector, len(case.about))):
        alike.setdefault(frozenset(entries[name].area for name in case.about), []).append(case)
    for turn in zip_longest(*alike.values()):
        yield from (case for case in turn if case is not None)
