"""Carries one case out in a session, whatever happens in it, and says what came of it.

A case is a vector or a scenario. It ends in one of the ways of
:class:`~balloon_conformance.running.outcome.Status`; a fault is attributed to the implementation, to its
adapter or to the suite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Protocol

from balloon_conformance.iut.contract import (
    AdapterError,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    PeerAbsent,
    PeerLeft,
)
from balloon_conformance.iut.sight import NotVisible
from balloon_conformance.running.adapter_defect import defect_of, one_line
from balloon_conformance.running.mismatch import Mismatch
from balloon_conformance.running.not_exercised import NotExercised
from balloon_conformance.running.outcome import Fault, How, Outcome, Repeats, Status, choice_of
from balloon_conformance.running.session import DeviceSession, Ended, Session
from balloon_spec import trace
from balloon_spec.events import Negotiated, Side
from balloon_spec.families.base.consequences import causes
from balloon_spec.families.base.given_back import GivenBack
from balloon_spec.judge import Finding
from balloon_spec.requirement import catalogue

__all__ = [
    "DEFAULT_PATIENCE",
    "Case",
    "NotExercised",
    "Patience",
    "carry_out",
    "ended_after",
    "run_again",
]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the suite waits, in seconds: for what must come, and for what must not."""

    deadline_seconds: float = 1.0
    quiet_seconds: float = 0.2


DEFAULT_PATIENCE = Patience()


class Case(Protocol):
    """What is carried out: ``requirements`` are those it is about, ``breaks`` what the suite breaks in it."""

    @property
    def id(self) -> str:
        """The name of the case, unique in the suite."""

    @property
    def requirements(self) -> tuple[str, ...]:
        """The ids of the requirements the case is about."""

    @property
    def breaks(self) -> tuple[str, ...]:
        """The ids of the requirements the suite's own side breaks in it."""


def carry_out(case: Case, session: Session, action: Callable[[], Sequence[str]]) -> Outcome:
    """Bring the implementation up, carry ``action`` out, and end it.

    ``action`` returns the reasons why parts of the case were left out. A requirement counts as exercised if a
    rule decided it or a step showed it, and not because the case is about it.
    """
    end = _End(case, session)
    session.may_break = frozenset(case.breaks)
    try:
        with session:
            try:
                left_out = action()
            except (NotExercised, NotVisible):
                # What was played before is judged, once the device had its time.
                if isinstance(session, DeviceSession):
                    session.settle(session.deadline_seconds / _SHARE)
                _look_around(session)
                raise
            _look_around(session)
    except (NotExercised, NotVisible) as missing:
        return end.close(missed=str(missing))
    except Mismatch as mismatch:
        return end.close(mismatch=mismatch)
    except (Ended, ImplementationCrashed, ImplementationHung, ImplementationViolation) as ended:
        return end.close(ended=str(ended), how=_how(ended))
    except PeerAbsent as error:
        return end.fail(Fault.ADAPTER, one_line(error), How.ABSENT)
    except AdapterError as error:
        return end.fail(Fault.ADAPTER, one_line(error))
    except Exception as error:  # noqa: BLE001 - one case's defect shall not end the others
        return end.fail(Fault.SUITE, defect_of("suite", error))
    return end.close(left_out=left_out)


_SHARE = 5
"""A device that is left in the middle of a case gets the deadline divided by this."""


def _look_around(session: Session) -> None:
    """Look at all of memory at the end of a case: a device may have touched pages that no step names."""
    if isinstance(session, DeviceSession):
        session.look_at_all()


def _how(ended: Exception) -> How:
    """Return how an implementation ended."""
    fact = ended.__cause__ if isinstance(ended, Ended) else ended
    if isinstance(fact, PeerLeft):
        return How.ABSENT
    if isinstance(fact, ImplementationHung):
        return How.HANG
    return How.VIOLATION if isinstance(fact, ImplementationViolation) else How.CRASH


def run_again(first: Outcome, again: Outcome) -> Outcome:
    """Return the first outcome of a case that failed, with what a second run, alone, says about it."""
    hung = first.how is How.HANG
    if again.status is Status.ERROR:
        repeats, words = Repeats.UNKNOWN, f"it could not be run: {again.reason}"
    elif hung and again.how is How.HANG:
        repeats, words = Repeats.YES, "it hung again"
    elif hung and again.status is Status.FAILED:
        repeats, words = Repeats.NO, f"it did not hang, and failed: {again.reason}"
    elif again.status is Status.FAILED:
        same = again.how is first.how and _broken(again) == _broken(first)
        repeats = Repeats.YES if same else Repeats.NO
        words = "it failed in the same way" if same else f"it failed otherwise: {again.reason}"
    else:
        repeats, words = Repeats.NO, f"it {'passed' if again.status is Status.PASSED else again.reason}"
    return replace(first, reason=f"{first.reason}; run again alone, {words}", repeats=repeats)


def _broken(outcome: Outcome) -> set[str]:
    return {finding.requirement for finding in outcome.findings}


def ended_after(outcome: Outcome, error: Exception, side: Side) -> Outcome:
    """Return the outcome of a case after which the implementation could not be brought to rest."""
    words = f"after the case: {one_line(error)}"
    if outcome.status in {Status.FAILED, Status.ERROR}:
        return replace(outcome, reason=f"{outcome.reason}; {words}")
    fault = Fault.DEVICE if side is Side.DEVICE else Fault.DRIVER
    return replace(outcome, status=Status.FAILED, reason=words, fault=fault, how=_how(error))


@dataclass(frozen=True, slots=True)
class _End:
    """Turns the end of a case into its outcome."""

    case: Case
    session: Session

    def fail(self, fault: Fault, words: str, how: How | None = None) -> Outcome:
        """Make the outcome of a case in which the adapter or the suite could not do its part."""
        return Outcome(self.case.id, Status.ERROR, words, fault, how, trace=_lines(self.session))

    def close(
        self,
        *,
        mismatch: Mismatch | None = None,
        ended: str = "",
        how: How = How.VIOLATION,
        missed: str = "",
        left_out: Sequence[str] = (),
    ) -> Outcome:
        """Make the outcome of a case that was played, to its end or not."""
        case, session = self.case, self.session
        found = causes(session.findings, [entry.event for entry in session.trace])
        # A requirement whose finding another one explains was not decided.
        explained = Counter(one.requirement for one in session.findings)
        explained.subtract(one.requirement for one in found)
        if mismatch is not None:
            extra = self._finding(mismatch)
            # If a rule saw it too, its finding says more than the difference that followed.
            if not any(one.level.binding or one.requirement == extra.requirement for one in found):
                found.append(extra)
        findings = tuple(finding for finding in found if finding.level.binding)
        if findings and not ended and all(choice_of(finding.requirement) for finding in findings):
            how = How.AMBIGUOUS
        advice = tuple(finding for finding in found if not finding.level.binding)
        subjects = catalogue()
        exercised = {
            name: count
            for name, count in (session.exercised - explained).items()
            if subjects[name].subject is session.side
        }
        slips = _undeclared(session.slips, case.breaks, findings)
        fault: Fault | None = Fault.DEVICE if session.side is Side.DEVICE else Fault.DRIVER
        if slips:
            status, fault = Status.ERROR, Fault.SUITE
            reason = f"the suite's own side broke {slips[0]}"
            if slips[0] in session.told:
                fault = Fault.ADAPTER
                reason = f"the adapter tells of what the suite did not do: {slips[0]}"
        elif findings or ended:
            status, reason = Status.FAILED, ended or findings[0].words
        elif missed:
            status, reason, fault = Status.NOT_EXERCISED, missed, None
        else:
            status, fault = Status.PASSED, None
            reason = "; ".join([*left_out, *session.service_notes]) or (advice[0].words if advice else "")
        return Outcome(
            case.id,
            status,
            reason,
            fault,
            how if status is Status.FAILED else None,
            findings,
            advice,
            MappingProxyType(exercised),
            _lines(session) if status in {Status.FAILED, Status.ERROR} or advice else (),
            given_back=session.given_back if isinstance(session, DeviceSession) else GivenBack(),
            negotiated=_negotiated(session),
            malformed=bool(case.breaks),
            hidden=session.hidden_from(case.requirements),
            numberings=session.numberings,
        )

    def _finding(self, mismatch: Mismatch) -> Finding:
        """Make a finding of a difference no rule saw."""
        entry = catalogue()[mismatch.requirement]
        return Finding(
            entry.id,
            entry.level,
            entry.subject,
            len(self.session.trace),
            mismatch.words,
            mismatch.field,
            mismatch.expected,
            mismatch.seen,
            mismatch.data,
        )


def _undeclared(
    slips: Iterable[Finding], declared: Iterable[str], findings: Sequence[Finding]
) -> list[Finding]:
    """Return what the suite's own side broke although the case does not declare it; a SHOULD is its choice.

    What it broke after the implementation broke something is left out: no answer is right to a buffer that
    should not be there.
    """
    allowed = frozenset(declared)
    first = min((finding.event for finding in findings), default=None)
    return [
        slip
        for slip in slips
        if slip.level.binding and slip.requirement not in allowed and (first is None or slip.event < first)
    ]


def _negotiated(session: Session) -> tuple[str, ...]:
    """Return the features that were in force at any time, the lowest bit first."""
    events = (entry.event for entry in session.trace)
    masks = (event.accepted for event in events if isinstance(event, Negotiated) and event.features_ok)
    return tuple(session.profile.names_by_bit(reduce(or_, masks, 0)))


def _lines(session: Session) -> tuple[str, ...]:
    return tuple(trace.write(trace.Header(session.profile), session.trace))
