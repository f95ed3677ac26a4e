"""From the outcomes of cases to a verdict on each requirement: kept, broken, or not exercised and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import reduce
from itertools import chain, combinations
from operator import and_
from typing import Any

from balloon_conformance.known_failures.ledger import KnownFailures
from balloon_conformance.report.negotiated import ExerciseRequest, never_negotiated
from balloon_conformance.report.ranking import Cause, nearest_first, rank
from balloon_conformance.running.known_failure import KnownFailure
from balloon_conformance.running.outcome import How, Outcome, Proof, Status
from balloon_conformance.suite.whole_run import revised
from balloon_spec.events import Side
from balloon_spec.judge import Finding
from balloon_spec.numberings import ALL, Numberings
from balloon_spec.profiles import Profile
from balloon_spec.queues import Numbering
from balloon_spec.requirement import Level, Requirement, catalogue

__all__ = ["Exit", "RequirementResult", "Results", "Verdict", "applies"]

_FEW = 2
"""How many reasons are given if cases were not played for several reasons."""


class Verdict(StrEnum):
    """What a run says about one requirement."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_EXERCISED = "not exercised"


class Exit(IntEnum):
    """The exit codes of ``run``."""

    WELL = 0
    BROKEN = 1
    USAGE = 2
    FAULT = 3
    """The adapter or the suite could not do its part."""
    NOTHING = 5
    """Nothing was exercised, or nothing that the run was told to exercise."""
    INTERRUPTED = 130
    TERMINATED = 143
    """Interrupted by SIGTERM."""


@dataclass(frozen=True, slots=True)
class RequirementResult:
    """The verdict on one requirement.

    ``decisions`` counts how often it was exercised. ``reason`` says why it was not. ``broken_by`` are the
    cases that broke it, each with its first finding. ``known`` are the entries of a list of known failures,
    if they excuse every finding against it. ``proof`` names a mutant that the run would have found out, for a
    requirement that was kept and can be broken.
    """

    requirement: Requirement
    verdict: Verdict
    decisions: int = 0
    reason: str = ""
    broken_by: Mapping[str, Finding] = field(default_factory=dict)
    known: tuple[KnownFailure, ...] = ()
    proof: Proof | None = None

    @property
    def is_broken(self) -> bool:
        """Whether a MUST or MUST NOT was broken, and not only as the list of known failures says."""
        return self.verdict is Verdict.BROKEN and self.requirement.level.binding and not self.known

    @property
    def is_advice(self) -> bool:
        """Whether a SHOULD was broken, which an implementation may have reasons for."""
        return self.verdict is Verdict.BROKEN and not self.requirement.level.binding and not self.known

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain data (the ``requirement`` lines of a results file)."""
        known = {"known": [one.to_json() for one in self.known]} if self.known else {}
        proof = {"proof": self.proof.to_json()} if self.proof else {}
        return {
            "requirement": self.requirement.id,
            "area": self.requirement.area,
            "level": self.requirement.level.value,
            "verdict": self.verdict.value,
            "decisions": self.decisions,
            "reason": self.reason,
            "broken_by": list(self.broken_by),
            **known,
            **proof,
        }


def applies(requirement: Requirement, profile: Profile) -> bool:
    """Tell whether the requirement binds under some set of the profile's features that may be negotiated."""
    if requirement.about is not None and not requirement.about.holds(frozenset(profile.by_name)):
        return False
    names = requirement.when.names & profile.by_name.keys()
    own = {need for name in names for need in profile.by_name[name].requires} | names
    return any(
        requirement.when.holds(subset) for subset in _subsets(own) if profile.may_offer(profile.mask(subset))
    )


def _subsets(names: Collection[str]) -> Iterator[frozenset[str]]:
    """Yield every subset."""
    sizes = range(len(names) + 1)
    return map(frozenset, chain.from_iterable(combinations(sorted(names), size) for size in sizes))


class Results:
    """What a run against one implementation has shown so far.

    ``about`` are the requirements that each case of the suite is about, by the case's id; ``known`` are the
    known failures, ``requested`` what the run was told to exercise.
    """

    def __init__(
        self,
        side: Side,
        profile: Profile,
        about: Mapping[str, tuple[str, ...]],
        known: KnownFailures = KnownFailures(),  # noqa: B008 - it is frozen
        requested: ExerciseRequest = ExerciseRequest(),  # noqa: B008 - so is it
    ) -> None:
        self.side = side
        self.profile = profile
        self.outcomes: dict[str, Outcome] = {}
        self.faults: list[str] = []
        """Faults of the suite that belong to no case."""
        self.interrupted = False
        self.terminated = False
        """Whether SIGTERM interrupted the run."""
        self.complaints: tuple[str, ...] = ()
        """The errors in the list of known failures, once the run is over."""
        self.holes: tuple[RequirementResult, ...] = ()
        """The requirements that had to be exercised and were not, once the run is over."""
        self.proofs: Mapping[str, Proof] | None = None
        """The proof that a requirement was kept, by its id; None until proofs were looked for."""
        self.unprovable: Mapping[str, str] = {}
        """Why a requirement can have no proof, by its id, if that is known."""
        self._about = about
        self._known = known
        self._requested = requested

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of a case. If a case has an error after it ended, it counts as an error."""
        known = self.outcomes.get(outcome.case)
        if known is None or outcome.status is Status.ERROR:
            self.outcomes[outcome.case] = outcome

    def settle(self) -> tuple[Outcome, ...]:
        """Compare the outcomes when all have come; return those that change by it."""
        changed = tuple(self._known.mark(one) for one in revised(self.outcomes.values()))
        self.outcomes.update({one.case: one for one in changed})
        return changed

    # -- verdicts -----------------------------------------------------------------------------------------

    def requirements(self) -> tuple[RequirementResult, ...]:
        """Return the verdict on each requirement that binds the side, in the order of the specification."""
        decisions: Counter[str] = Counter()
        broken: dict[str, list[tuple[str, Finding]]] = {}
        for outcome in self._sound():
            decisions.update(outcome.exercised)
            for finding in (*outcome.findings, *outcome.advice):
                broken.setdefault(finding.requirement, []).append((outcome.case, finding))
        results = []
        for one in catalogue().by_subject(self.side):
            count = decisions[one.id]
            if one.id in broken:
                results.append(self._broken(one, max(count, 1), broken[one.id]))
            elif count and self._is_earned(one):
                proof = (self.proofs or {}).get(one.id)
                results.append(RequirementResult(one, Verdict.KEPT, count, proof=proof))
            elif count:
                results.append(
                    RequirementResult(one, Verdict.NOT_EXERCISED, reason=self._unproven(one, count))
                )
            else:
                results.append(RequirementResult(one, Verdict.NOT_EXERCISED, reason=self._why_not(one)))
        return tuple(results)

    def _is_earned(self, requirement: Requirement) -> bool:
        """Tell whether *kept* is justified: a breach would have been seen, or none is possible."""
        if self.proofs is None or requirement.level is Level.MAY:
            return True
        return requirement.id in self.proofs

    def _unproven(self, requirement: Requirement, count: int) -> str:
        times = "once" if count == 1 else f"{count} times"
        why = self._hidden(requirement) or self.unprovable.get(requirement.id, "")
        return f"it was decided {times}, but no breach would be seen here{': ' if why else ''}{why}"

    def _hidden(self, requirement: Requirement) -> str:
        """Say why the adapter cannot show what the requirement depends on; empty if it can."""
        reasons = (one.hidden.get(requirement.id, "") for one in self.outcomes.values())
        return "; ".join(dict.fromkeys(filter(None, reasons)))

    def _broken(
        self, requirement: Requirement, decisions: int, found: Sequence[tuple[str, Finding]]
    ) -> RequirementResult:
        # Reversed, so that the first finding of each case stays.
        first = dict(reversed(found))
        by = dict(nearest_first([(case, first[case]) for case in dict(found)], self.outcomes))
        entries = [self._known.excuse(case, finding) for case, finding in found]
        known = tuple(dict.fromkeys(one for one in entries if one is not None)) if all(entries) else ()
        return RequirementResult(requirement, Verdict.BROKEN, decisions, broken_by=by, known=known)

    def causes(self, *, binding: bool) -> tuple[Cause, ...]:
        """Return what was broken, or not followed as advised; the nearest to the cause comes first."""
        group = [one for one in self.requirements() if (one.is_broken if binding else one.is_advice)]
        return rank({one.requirement.id: one.broken_by for one in group}, self.outcomes)

    def places(self) -> dict[str, dict[str, Any]]:
        """Return as plain data the place among the causes of each requirement that was broken."""
        places: dict[str, dict[str, Any]] = {}
        for binding in (True, False):
            for number, cause in enumerate(self.causes(binding=binding), 1):
                places[cause.requirement] = {"rank": number}
                for name in cause.consequences:
                    places[name] = {"rank": number, "follows_from": cause.requirement}
        return places

    def unexercised(self, levels: Collection[Level]) -> tuple[RequirementResult, ...]:
        """Return what binds the side under the profile at one of the levels and was not exercised.

        Requirements that nothing outside an implementation can decide, or that no mutant can break, are left
        out.
        """
        return tuple(
            one
            for one in self.requirements()
            if one.verdict is Verdict.NOT_EXERCISED
            and one.requirement.level in levels
            and one.requirement.not_observable is None
            and one.requirement.id not in self.unprovable
            and applies(one.requirement, self.profile)
        )

    def out_of_sight(self) -> Mapping[str, str]:
        """Return the requirements that apply, and that no run of this implementation can exercise; and why.

        A permission that it does not use is one of them, and what binds only with features that it did not
        negotiate in any case that is about it. A case that is missing in the suite is no such reason.
        """
        seen = frozenset(name for one in self._sound() for name in one.negotiated)
        reasons: dict[str, str] = {}
        for one in self.requirements():
            entry = one.requirement
            if one.verdict is not Verdict.NOT_EXERCISED or not applies(entry, self.profile):
                continue
            why = entry.not_observable or self._hidden(entry) or self.unprovable.get(entry.id, "")
            if not why and entry.level is Level.MAY:
                why = "it is a permission, and no use of it was seen"
            if not why and self._was_tried(entry) and not _may_bind(entry, seen):
                why = f"it binds when {entry.when}, and no case negotiated that"
            if why:
                reasons[entry.id] = why
        return reasons

    def _was_tried(self, requirement: Requirement) -> bool:
        """Tell whether a case was carried out that is about the requirement."""
        about = (case for case, names in self._about.items() if requirement.id in names)
        played = {Status.PASSED, Status.FAILED, Status.NOT_EXERCISED}
        return any(
            one.status in played and one.how is not How.FOREIGN for case in about for one in self._of(case)
        )

    def _sound(self) -> Iterator[Outcome]:
        """Yield the outcomes that say something about the implementation."""
        return (outcome for outcome in self.outcomes.values() if outcome.status is not Status.ERROR)

    def _why_not(self, requirement: Requirement) -> str:
        if not applies(requirement, self.profile):
            binds = (
                f"it is about {requirement.about}"
                if requirement.about
                else f"it binds when {requirement.when}"
            )
            return f"profile {self.profile.name}: {binds}"
        if requirement.not_observable:
            return f"cannot be observed: {requirement.not_observable}"
        if hidden := self._hidden(requirement) or self.unprovable.get(requirement.id, ""):
            return hidden
        cases = [case for case, names in self._about.items() if requirement.id in names]
        if not cases:
            return "no case of the suite is about it, and no rule saw an occasion"
        known = [outcome for case in cases for outcome in self._of(case)]
        if not known:
            return f"not run: {_listed(cases)}"
        if played := [outcome.case for outcome in known if outcome.status is Status.PASSED]:
            return f"no occasion arose in {_listed(played)}"
        reasons: dict[str, None] = {}
        for outcome in known:
            if outcome.status is Status.ERROR:
                reasons[f"{outcome.case} ended in an error"] = None
            elif outcome.status is Status.FAILED:
                reasons[f"{outcome.case} failed before it came to this"] = None
            else:
                reasons[outcome.reason] = None
        return _listed(list(reasons), "; ")

    def _of(self, case: str) -> Iterator[Outcome]:
        """Yield the outcomes of a case. A scenario with parameters has several."""
        for name, outcome in self.outcomes.items():
            if name == case or name.startswith(f"{case}["):
                yield outcome

    # -- the whole ----------------------------------------------------------------------------------------

    def exit_code(self, *, strict: bool = False) -> Exit:
        """Return the exit code; with ``strict`` a broken SHOULD counts as broken."""
        outcomes = self.outcomes.values()
        verdicts = self.requirements()
        if self.interrupted:
            return Exit.TERMINATED if self.terminated else Exit.INTERRUPTED
        if any(outcome.fails for outcome in outcomes):
            return Exit.BROKEN
        if self.has_faults:
            return Exit.FAULT
        if all(one.verdict is Verdict.NOT_EXERCISED for one in verdicts) or self.never_negotiated:
            return Exit.NOTHING
        if self.complaints or self.holes:
            return Exit.BROKEN
        return Exit.BROKEN if strict and any(one.is_advice for one in verdicts) else Exit.WELL

    @property
    def never_negotiated(self) -> str:
        """The features that were to be exercised and never negotiated, in a sentence with the remedy."""
        return never_negotiated(self.side, self.profile, self._requested, self.outcomes.values())

    @property
    def has_faults(self) -> bool:
        """Whether the adapter or the suite could not do its part in some case."""
        return bool(self.faults) or any(one.status is Status.ERROR for one in self.outcomes.values())

    @property
    def numberings(self) -> Numberings:
        """What explains every virtqueue index that was seen of the implementation."""
        return reduce(and_, (one.numberings for one in self._sound()), ALL)

    def summary(self) -> dict[str, Any]:
        """Return the counts of the run as plain data (the last line of a results file)."""
        verdicts = self.requirements()
        statuses = Counter(outcome.status for outcome in self.outcomes.values())
        # Without the count nobody looked for proofs. A count of 0 says that none was found.
        proven = {} if self.proofs is None else {"proven": sum(one.proof is not None for one in verdicts)}
        return {
            "binding": (binding := sum(applies(one.requirement, self.profile) for one in verdicts)),
            "observable": binding - len(self.out_of_sight()),
            "exercised": sum(one.verdict is not Verdict.NOT_EXERCISED for one in verdicts),
            "kept": sum(one.verdict is Verdict.KEPT for one in verdicts),
            **proven,
            "broken": sum(one.is_broken for one in verdicts),
            "advice": sum(one.is_advice for one in verdicts),
            "known": sum(bool(one.known) for one in verdicts),
            "cases": {status.value: statuses[status] for status in Status},
            "foreign_cases": sum(outcome.how is How.FOREIGN for outcome in self.outcomes.values()),
            "known_cases": sum(bool(outcome.known) for outcome in self.outcomes.values()),
            "known_failures": list(self.complaints),
            "unexercised": [one.requirement.id for one in self.holes],
            "never_negotiated": self.never_negotiated,
            "numberings": [one.value for one in Numbering if one in self.numberings],
            "faults": list(self.faults),
            "interrupted": self.interrupted,
        }


def _may_bind(requirement: Requirement, features: frozenset[str]) -> bool:
    """Tell whether the requirement binds with some of these features."""
    return any(map(requirement.when.holds, _subsets(requirement.when.names & features)))


def _listed(words: list[str], mark: str = ", ") -> str:
    more = len(words) - _FEW
    return mark.join(words[:_FEW]) + (f"{mark}and {more} more" if more > 0 else "")
