"""Carries out the doctor's checks: all of them, or the few that precede every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final

from balloon_conformance.doctor.check import Advice, Check
from balloon_conformance.doctor.contract_checks import CONTRACT_CHECKS, ContractCheck, NotExamined
from balloon_conformance.doctor.diagnosis import PAGE, Diagnosis, Health
from balloon_conformance.doctor.examined_program import ExaminedProgram, ProgramSession
from balloon_conformance.doctor.program_checks import (
    PROGRAM_CHECKS,
    NamedCheck,
    negotiates,
    second_start,
    unknown_command,
    unknown_field,
)
from balloon_conformance.iut.contract import (
    AdapterError,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    Target,
)
from balloon_conformance.iut.stdio.program import Program
from balloon_conformance.iut.stdio.target import program_of
from balloon_spec.profiles import Profile

__all__ = ["examine", "examine_briefly", "examine_program"]

_CONTRACT: Final = "docs/test/adapters.md#the-contract"
_BRIEF_CHECKS: Final = (negotiates, unknown_command, unknown_field, second_start)
_IMPLEMENTATION_FAULTS: Final = (ImplementationCrashed, ImplementationHung, ImplementationViolation)


def examine_program(
    program: Program, profile: Profile, checks: Sequence[NamedCheck] = PROGRAM_CHECKS
) -> Iterator[Diagnosis]:
    """Examine the program of ``stdio:COMMAND`` under a profile; each check has a process of its own."""
    examined = ExaminedProgram.of(program, profile)
    introduction = examined.introduction
    can = ", ".join(sorted(introduction.capabilities)) or "nothing beyond what it must"
    yield Diagnosis(
        "it starts and introduces itself",
        Health.WELL,
        f"{introduction.description}, a {introduction.role}; version {introduction.protocol} of the protocol;"
        f" it can: {can}",
    )
    first_seen_by: dict[str, str] = {}
    for what, section, check in checks:

        def run_check(check: Check = check) -> str | None:
            with examined.session() as session:
                return check(session)

        diagnosis = _diagnose(what, f"{PAGE}#{section}", run_check)
        if diagnosis is None:
            continue
        if diagnosis.health is Health.MEND and diagnosis.text in first_seen_by:
            # A fault that stands in the way of several checks is reported once.
            diagnosis = Diagnosis(
                what, Health.OPEN, f"not seen: {first_seen_by[diagnosis.text]} is in the way"
            )
        elif diagnosis.health is Health.MEND:
            first_seen_by[diagnosis.text] = what
        yield diagnosis


def examine_briefly(target: Target, profile: Profile) -> str:
    """Examine a program in one process, as ``run`` does before it judges, and return what is to mend, or "".

    Other adapters are not examined: their first case shows the same. A program that ends or hangs during its
    first negotiation shows what its implementation does, and is judged.
    """
    if (program := program_of(target)) is None:
        return ""
    with ExitStack() as stack:
        session: ProgramSession | None = None
        for what, section, check in PROGRAM_CHECKS:
            if check not in _BRIEF_CHECKS:
                continue

            def run_check(check: Check = check) -> str | None:
                nonlocal session
                if session is None:
                    session = stack.enter_context(ExaminedProgram.of(program, profile).session())
                else:
                    session.start_again()
                return check(session)

            try:
                diagnosis = _diagnose(
                    what, f"{PAGE}#{section}", run_check, report_faults=check is not negotiates
                )
            except _IMPLEMENTATION_FAULTS:
                return ""
            if diagnosis and diagnosis.health is Health.MEND:
                return f"{what}: {diagnosis.text}; see {diagnosis.page}"
    return ""


def examine(target: Target, profile: Profile) -> Iterator[Diagnosis]:
    """Examine any adapter through its contract under a profile, and play cases that have to fail."""
    for what, check in CONTRACT_CHECKS:
        if diagnosis := _diagnose(what, _CONTRACT, partial(_without_blame, check, target, profile)):
            yield diagnosis


def _without_blame(check: ContractCheck, target: Target, profile: Profile) -> str | None:
    """Make the check. If the implementation ends or hangs, the check is open: that is judged elsewhere."""
    try:
        return check(target, profile)
    except _IMPLEMENTATION_FAULTS as fault:
        return NotExamined(f"the implementation ended or hung over this: {' '.join(str(fault).split())}")


def _diagnose(
    what: str, page: str, check: Callable[[], str | None], *, report_faults: bool = True
) -> Diagnosis | None:
    """Make the check; what it raises is to mend. Return None if there is nothing to check.

    If ``report_faults`` is false, an implementation that ends, hangs or violates the protocol is raised
    instead.
    """
    try:
        text = check()
    except AdapterError as error:
        return Diagnosis(what, Health.MEND, " ".join(str(error).split()), page)
    except _IMPLEMENTATION_FAULTS as fault:
        if not report_faults:
            raise
        return Diagnosis(
            what, Health.MEND, f"it ended or hung over this: {' '.join(str(fault).split())}", page
        )
    except Exception as error:  # noqa: BLE001 - an adapter under examination may raise anything
        reason = " ".join(str(error).split())
        return Diagnosis(what, Health.MEND, f"the adapter raised {type(error).__name__}: {reason}", page)
    if text is None:
        return None
    if isinstance(text, NotExamined):
        return Diagnosis(what, Health.OPEN, text, page)
    if isinstance(text, Advice):
        return Diagnosis(what, Health.ADVICE, text, page)
    return Diagnosis(what, Health.MEND if text else Health.WELL, text, page)
