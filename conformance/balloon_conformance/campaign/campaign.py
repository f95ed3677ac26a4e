"""The suite against its mutants: which survive, and which requirements, vectors and rules catch nothing.

First each mutant is examined alone, until each requirement that it breaks was blamed first. Vectors and rules
that have caught nothing by then are tried on further mutants, the likely ones first, until they catch one.
Every step is a task of its own, so the result does not depend on which process does which task, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field

from balloon_conformance.campaign.cases import MutantCase, cases
from balloon_conformance.campaign.examine import Examined, Reaction, examine, play_against, vector_works
from balloon_conformance.campaign.excuses import no_mutant, only_counts
from balloon_conformance.mutants import mutants
from balloon_conformance.mutants.mutant import Mutant
from balloon_conformance.processes import pool
from balloon_spec.events import Side
from balloon_spec.families import registry
from balloon_spec.requirement import Level, catalogue

__all__ = ["Campaign", "likely", "run_campaign"]

_Key = tuple[str, str]


@dataclass(slots=True)
class Campaign:
    """The result: the chosen mutants, the cases' reactions to each, and whether the suite itself is judged.

    ``is_whole`` is False for a selection of mutants, which says nothing about the suite.
    """

    chosen: tuple[Mutant, ...]
    is_whole: bool
    everything: bool
    reactions: dict[str, list[Reaction]] = field(default_factory=dict)

    def take(self, reactions: Iterable[Reaction]) -> None:
        """Keep the reactions, one for each case, however often the case was played."""
        for one in reactions:
            kept = self.reactions.setdefault(one.mutant, [])
            if all(other.case != one.case for other in kept):
                kept.append(one)

    @property
    def examined(self) -> tuple[Examined, ...]:
        """The chosen mutants, with the cases' reactions to each."""
        return tuple(Examined(one, tuple(self.reactions.get(one.name, ()))) for one in self.chosen)

    def all_reactions(self) -> Iterator[Reaction]:
        """Yield every reaction, mutant by mutant."""
        for one in self.chosen:
            yield from self.reactions.get(one.name, ())

    # -- what catches nothing -----------------------------------------------------------------------------

    def idle_vectors(self) -> list[MutantCase]:
        """Return the vectors that have caught no mutant so far, one for each side."""
        suite = [one for side in Side for one in cases(side).values() if one.is_vector]
        caught = set()
        for reaction in self.all_reactions():
            side = mutants()[reaction.mutant].side
            case = cases(side)[reaction.case]
            if case.is_vector and vector_works(case, reaction):
                caught.add((side, case.id))
        return [one for one in suite if (one.side, one.id) not in caught]

    def idle_rules(self) -> list[str]:
        """Return the rules that have found nothing broken so far, except those that only count."""
        spoken = self._effective_rules()
        return [
            one.name for one in registry.rules() if one.name not in spoken and one.name not in only_counts()
        ]

    def _effective_rules(self) -> frozenset[str]:
        return frozenset().union(*(reaction.rules for reaction in self.all_reactions()))

    # -- the verdict --------------------------------------------------------------------------------------

    def faults(self) -> Iterator[str]:
        """Yield one line for each fault of the mutants, requirements, vectors, rules and excuses."""
        for one in self.examined:
            for text in one.faults():
                yield f"mutant {one.mutant}: {text}"
            if self.everything:
                for name in one.idle():
                    yield f"mutant {one.mutant}: {name} is said to follow and is named in no case"
        if self.is_whole:
            yield from self._requirements()
            for case in self.idle_vectors():
                yield f"vector {case.id}: catches no {case.side} of {self._count(case.side)}"
            for name in self.idle_rules():
                yield f"rule {name}: finds nothing in any mutant"
            yield from self._excuses()

    def _count(self, side: Side) -> int:
        return sum(one.side is side for one in self.chosen)

    def _requirements(self) -> Iterator[str]:
        broken = {name for one in self.chosen for name in one.breaks}
        for name, entry in catalogue().items():
            excuse = name in no_mutant() or bool(entry.not_observable)
            if entry.level is not Level.MAY and name not in broken and not excuse:
                yield f"requirement {name}: no mutant breaks it, and nothing says why"
            if name in broken and name in no_mutant():
                yield f"requirement {name}: is said to have no mutant and has one; strike the excuse"
            if entry.not_observable and name in no_mutant():
                yield f"requirement {name}: its entry says why it has no mutant; strike the excuse"

    def _excuses(self) -> Iterator[str]:
        for name in no_mutant():
            if name not in catalogue():
                yield f"requirement {name}: is excused and does not exist"
        names, spoken = {one.name for one in registry.rules()}, self._effective_rules()
        for name in only_counts():
            if name not in names:
                yield f"rule {name}: is excused and does not exist"
            elif name in spoken:
                yield f"rule {name}: is said to find nothing and does; strike the excuse"


# -- tasks ------------------------------------------------------------------------------------------------


def _examine(name: str, everything: bool) -> Sequence[Reaction]:
    return examine(name, everything=everything)


def _try_vector(side: Side, case_id: str, tried: frozenset[str]) -> Sequence[Reaction]:
    """Play a vector against mutants until one is caught."""
    case = cases(side)[case_id]
    reactions = []
    for one in likely(side, case.about):
        if one.name not in tried:
            reactions.append(play_against(one.name, case_id))
            if vector_works(case, reactions[-1]):
                break
    return reactions


def _try_rule(name: str, tried: frozenset[_Key]) -> Sequence[Reaction]:
    """Play cases against mutants that break what a rule decides, until the rule finds something."""
    decides = next(one.decides for one in registry.rules() if one.name == name)
    reactions = []
    for one in mutants().values():
        if decides.isdisjoint(one.declared):
            continue
        suite = sorted(
            cases(one.side).values(), key=lambda case: (case.about.isdisjoint(decides), not case.is_vector)
        )
        for case in suite:
            if (one.name, case.id) not in tried:
                reactions.append(play_against(one.name, case.id))
                if name in reactions[-1].rules:
                    return reactions
    return reactions


def likely(side: Side, about: frozenset[str]) -> list[Mutant]:
    """Return the mutants of a side; those that break what a case is about come first."""

    def rank(one: Mutant) -> int:
        return 0 if not about.isdisjoint(one.breaks) else 1 if not about.isdisjoint(one.also) else 2

    return sorted((one for one in mutants().values() if one.side is side), key=rank)


# -- carrying it out --------------------------------------------------------------------------------------


class _Progress:
    """Counts tasks for a display of the progress."""

    def __init__(self, show: Callable[[int, str], None] | None) -> None:
        self._show = show
        self._total = 0

    def expect(self, tasks: int) -> None:
        """Add tasks to come."""
        self._total += tasks

    def step(self, text: str) -> None:
        """Count a task that was carried out."""
        if self._show is not None:
            self._show(self._total, text)


_Task = tuple[str, Callable[..., Sequence[Reaction]], tuple[object, ...]]
_Runner = Callable[[Sequence[_Task]], list[Sequence[Reaction]]]


def run_campaign(
    chosen: Sequence[Mutant],
    *,
    processes: int = 1,
    everything: bool = False,
    show: Callable[[int, str], None] | None = None,
) -> Campaign:
    """Examine mutants, and judge the suite by them if they are all the mutants there are.

    ``everything`` plays every case against every mutant. ``show`` is called after each task with the number
    of all tasks so far and the name of the task.
    """
    is_whole = len(chosen) == len(mutants())
    campaign = Campaign(tuple(chosen), is_whole, everything)
    progress = _Progress(show)
    with _runner(processes, progress) as run:
        for reactions in run([(one.name, _examine, (one.name, everything)) for one in chosen]):
            campaign.take(reactions)
        if is_whole and not everything:
            tasks: list[_Task] = []
            for case in campaign.idle_vectors():
                tried = frozenset(one.mutant for one in campaign.all_reactions() if one.case == case.id)
                tasks.append((case.id, _try_vector, (case.side, case.id, tried)))
            for reactions in run(tasks):
                campaign.take(reactions)
            known = frozenset((one.mutant, one.case) for one in campaign.all_reactions())
            for reactions in run([(name, _try_rule, (name, known)) for name in campaign.idle_rules()]):
                campaign.take(reactions)
    return campaign


@contextmanager
def _runner(processes: int, progress: _Progress) -> Iterator[_Runner]:
    """Yield a function that carries tasks out and returns their results in the order of the tasks."""
    if processes == 1:

        def one_by_one(tasks: Sequence[_Task]) -> list[Sequence[Reaction]]:
            progress.expect(len(tasks))
            results = []
            for name, function, arguments in tasks:
                results.append(function(*arguments))
                progress.step(name)
            return results

        yield one_by_one
        return
    with pool(processes, _begin) as workers:

        def side_by_side(tasks: Sequence[_Task]) -> list[Sequence[Reaction]]:
            progress.expect(len(tasks))
            futures = {workers.submit(function, *arguments): name for name, function, arguments in tasks}
            for future in as_completed(futures):
                progress.step(futures[future])
            return [future.result() for future in futures]

        yield side_by_side


def _begin() -> None:
    """Load what every task needs."""
    mutants()
    for side in Side:
        cases(side)
