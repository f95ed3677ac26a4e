"""Compares a list of known failures with a run: what it excuses, and what is wrong with the list itself.

An entry excuses the failure that it pins, as long as it has a reason and a link and has not expired. If a run
shows that an entry is untrue, that is a complaint, and fails the run: a list that is not true is worse than
no list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum

from balloon_conformance.running.known_failure import KnownFailure
from balloon_conformance.running.outcome import Outcome, Status
from balloon_spec.judge import Finding

__all__ = ["Complaint", "KnownFailures", "Problem"]


class Problem(StrEnum):
    """What can be wrong with an entry."""

    PASSES = "passes"
    DIFFERS = "fails differently"
    NOT_RUN = "was not run"
    EXPIRED = "has expired"
    INCOMPLETE = "is not filled in"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with an entry, and a sentence that says so with the remedy."""

    entry: KnownFailure
    problem: Problem
    words: str


@dataclass(frozen=True, slots=True)
class KnownFailures:
    """The entries of one list, in its order; ``name`` is the file, empty if there is no list."""

    entries: tuple[KnownFailure, ...] = ()
    name: str = ""
    today: date = date.min

    @classmethod
    def of(cls, entries: Sequence[KnownFailure], name: str) -> KnownFailures:
        """Return the list as it applies today (UTC)."""
        return cls(tuple(entries), name, datetime.now(UTC).date())

    # -- what is excused ----------------------------------------------------------------------------------

    def _live(self) -> Iterator[KnownFailure]:
        return (one for one in self.entries if not one.incomplete() and not one.expired(self.today))

    def excuse(self, case: str, finding: Finding) -> KnownFailure | None:
        """Return the entry that excuses a finding."""
        return next((one for one in self._live() if one.pins(case, finding)), None)

    def mark(self, outcome: Outcome) -> Outcome:
        """Return the outcome with the entries that excuse it, if every failure in it is excused."""
        if outcome.status is not Status.FAILED:
            return outcome
        if outcome.findings:
            found = [self.excuse(outcome.case, finding) for finding in outcome.findings]
        else:
            ends = (one for one in self._live() if one.pins_end(outcome.case, outcome.reason))
            found = [next(ends, None)]
        entries = tuple(dict.fromkeys(one for one in found if one is not None))
        return replace(outcome, known=entries) if all(found) else outcome

    # -- what is wrong with the list ----------------------------------------------------------------------

    def complaints(self, outcomes: Sequence[Outcome], *, whole: bool) -> tuple[Complaint, ...]:
        """Return what the outcomes show to be wrong with the list, in its order.

        A run that was not ``whole`` says nothing about an entry whose case was not run. Nor does it say
        anything about an entry that names only a requirement: that may be broken in a case that was left out.
        """
        found = (self._complaint(one, outcomes, whole=whole) for one in self.entries)
        return tuple(one for one in found if one is not None)

    def _complaint(
        self, entry: KnownFailure, outcomes: Sequence[Outcome], *, whole: bool
    ) -> Complaint | None:
        if field := entry.incomplete():
            return self._say(entry, Problem.INCOMPLETE, f"has no {field}; write it")
        if entry.expired(self.today):
            return self._say(
                entry, Problem.EXPIRED, f"has expired on {entry.expires}; mend it, or set another day"
            )
        if self.happens(entry, outcomes):
            return None
        if not whole and not entry.case:
            return None
        seen = next(_others(entry, outcomes), "")
        if seen:
            return self._say(entry, Problem.DIFFERS, f"fails differently: {seen}; mend its finding")
        run = [one for one in outcomes if _exercises(entry, one)]
        if run:
            return self._say(entry, Problem.PASSES, "passes; remove it from the list")
        if whole:
            why = next((f": {one.reason}" for one in outcomes if entry.is_of(one.case) and entry.case), "")
            return self._say(entry, Problem.NOT_RUN, f"was not run{why}; remove it, or see why")
        return None

    def _say(self, entry: KnownFailure, problem: Problem, text: str) -> Complaint:
        pin = f" ({entry.finding!r})" if entry.finding else ""
        return Complaint(entry, problem, f"{self.name}:{entry.line}: {entry.name}{pin} {text}")

    def happens(self, entry: KnownFailure, outcomes: Sequence[Outcome]) -> bool:
        """Tell whether the failure an entry pins is among the outcomes."""
        return any(
            any(entry.pins(one.case, finding) for finding in (*one.findings, *one.advice))
            or (_ended(one) and entry.pins_end(one.case, one.reason))
            for one in outcomes
            if one.status is not Status.ERROR
        )


def _ended(outcome: Outcome) -> bool:
    """Tell whether a case failed without a finding."""
    return outcome.status is Status.FAILED and not outcome.findings


def _others(entry: KnownFailure, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield how the case or the requirement of an entry failed instead."""
    for one in outcomes:
        if one.status is Status.ERROR or not entry.is_of(one.case):
            continue
        for finding in (*one.findings, *one.advice):
            # A case that breaks another requirement fails differently; a case that only gives other advice
            # passes.
            if finding.requirement == entry.requirement or (entry.case and finding.level.binding):
                yield f"{finding.requirement} in {one.case}: {finding.words}"
        if _ended(one) and entry.case:
            yield f"{one.case}: {one.reason}"


def _exercises(entry: KnownFailure, outcome: Outcome) -> bool:
    """Tell whether a case exercised the case or the requirement of an entry."""
    if not entry.is_of(outcome.case) or outcome.status not in {Status.PASSED, Status.FAILED}:
        return False
    return not entry.requirement or bool(entry.case) or entry.requirement in outcome.exercised
