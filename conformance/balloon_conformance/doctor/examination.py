"""Goes through everything the doctor looks at, in the whole or in the short form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final

from balloon_conformance.doctor.contract_looks import CONTRACT_LOOKS, Unsaid
from balloon_conformance.doctor.diagnosis import PAGE, Diagnosis, Health
from balloon_conformance.doctor.look import Advice, Look
from balloon_conformance.doctor.looks import (
    LOOKS,
    NamedLook,
    negotiates,
    second_start,
    unknown_command,
    unknown_field,
)
from balloon_conformance.doctor.patient import Patient, Room
from balloon_conformance.iut.contract import (
    AdapterError,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    Target,
)
from balloon_conformance.iut.stdio.program import Program
from balloon_conformance.iut.stdio.target import program_of

__all__ = ["examine", "examine_briefly", "examine_program"]

_CONTRACT: Final = "docs/test/adapters.md#the-contract"
_BRIEF: Final = (negotiates, unknown_command, unknown_field, second_start)
_FACTS: Final = (ImplementationCrashed, ImplementationHung, ImplementationViolation)


def examine_program(program: Program, looks: Sequence[NamedLook] = LOOKS) -> Iterator[Diagnosis]:
    """Examine the program of ``stdio:COMMAND``, every look in a process of its own."""
    patient = Patient.of(program)
    introduction = patient.introduction
    can = ", ".join(sorted(introduction.capabilities)) or "nothing beyond what it must"
    yield Diagnosis(
        "it starts and introduces itself",
        Health.WELL,
        f"{introduction.description}, a {introduction.role}; it can: {can}",
    )
    told: dict[str, str] = {}
    for what, section, look in looks:

        def looked(look: Look = look) -> str | None:
            with patient.room() as room:
                return look(room)

        diagnosis = _look(what, f"{PAGE}#{section}", looked)
        if diagnosis is None:
            continue
        if diagnosis.health is Health.MEND and diagnosis.words in told:
            # One thing to mend is told once, however many looks it is in the way of.
            diagnosis = Diagnosis(what, Health.OPEN, f"not seen: {told[diagnosis.words]} is in the way")
        elif diagnosis.health is Health.MEND:
            told[diagnosis.words] = what
        yield diagnosis


def examine_briefly(target: Target) -> str:
    """Examine a program in one process, as ``run`` does before it judges; say what is to mend, if anything.

    Of other adapters there is nothing to examine that the first case would not show. A program that ends or
    hangs over its first negotiation shows what its implementation does, and is judged.
    """
    if (program := program_of(target)) is None:
        return ""
    with ExitStack() as stack:
        room: Room | None = None
        for what, section, look in LOOKS:
            if look not in _BRIEF:
                continue

            def looked(look: Look = look) -> str | None:
                nonlocal room
                if room is None:
                    room = stack.enter_context(Patient.of(program).room())
                else:
                    room.start_again()
                return look(room)

            try:
                diagnosis = _look(what, f"{PAGE}#{section}", looked, mends_facts=look is not negotiates)
            except _FACTS:
                return ""
            if diagnosis and diagnosis.health is Health.MEND:
                return f"{what}: {diagnosis.words}; see {diagnosis.page}"
    return ""


def examine(target: Target) -> Iterator[Diagnosis]:
    """Examine any adapter by what the contract asks of it, and play cases that it has to fail."""
    for what, look in CONTRACT_LOOKS:
        if diagnosis := _look(what, _CONTRACT, partial(_spared, look, target)):
            yield diagnosis


def _spared(look: Callable[[Target], str | None], target: Target) -> str | None:
    """Look; an implementation that ends or hangs is judged elsewhere, and hides what was looked for."""
    try:
        return look(target)
    except _FACTS as fact:
        return Unsaid(f"the implementation ended or hung over this: {' '.join(str(fact).split())}")


def _look(
    what: str, page: str, look: Callable[[], str | None], *, mends_facts: bool = True
) -> Diagnosis | None:
    """Look, and take what is raised for what is to mend; None where there was nothing to look at.

    Without ``mends_facts`` the end of the implementation, or its silence, is raised.
    """
    try:
        words = look()
    except AdapterError as error:
        return Diagnosis(what, Health.MEND, " ".join(str(error).split()), page)
    except _FACTS as fact:
        if not mends_facts:
            raise
        return Diagnosis(
            what, Health.MEND, f"it ended or hung over this: {' '.join(str(fact).split())}", page
        )
    except Exception as error:  # noqa: BLE001 - an adapter under examination may raise anything
        said = " ".join(str(error).split())
        return Diagnosis(what, Health.MEND, f"the adapter raised {type(error).__name__}: {said}", page)
    if words is None:
        return None
    if isinstance(words, Unsaid):
        return Diagnosis(what, Health.OPEN, words, page)
    if isinstance(words, Advice):
        return Diagnosis(what, Health.ADVICE, words, page)
    return Diagnosis(what, Health.MEND if words else Health.WELL, words, page)
