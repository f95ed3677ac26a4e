"""What came of one case: a vector or a scenario played against one implementation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from balloon_conformance.running import given_back_json
from balloon_conformance.running.known_failure import KnownFailure
from balloon_spec.events import Side
from balloon_spec.families.base.given_back import GivenBack
from balloon_spec.judge import Finding
from balloon_spec.numberings import ALL, Numberings
from balloon_spec.queues import Numbering
from balloon_spec.requirement import Choice, Level, catalogue

__all__ = [
    "MOST_ABSENCES",
    "Fault",
    "How",
    "Outcome",
    "Proof",
    "Repeats",
    "Status",
    "absences",
    "choice_of",
    "choice_words",
    "finding_to_json",
]


class Status(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_EXERCISED = "not exercised"
    ERROR = "error"
    """The adapter or the suite could not do its part; says nothing about the implementation."""


class Fault(StrEnum):
    """Whose fault a case that did not pass is."""

    DEVICE = "device-fault"
    DRIVER = "driver-fault"
    ADAPTER = "adapter-fault"
    SUITE = "suite-fault"


class How(StrEnum):
    """How a case failed, or how it came to say nothing."""

    VIOLATION = "violation"
    CRASH = "crash"
    HANG = "hang"
    ABSENT = "absent"
    """Nobody was at the other end; an implementation that took part before is gone for good."""
    AMBIGUOUS = "ambiguous"
    """Every requirement that was broken is one the sources leave open: the reading is this project's choice.

    The implementation does not do what is specified here, so the case fails; but its author may hold the
    reading that was not taken, and object to the specification.
    """
    FOREIGN = "foreign"
    """The case was not played: it needs a feature that the profile of the run does not have."""


class Repeats(StrEnum):
    """What became of a case that failed when it was run again, alone and from a fresh start."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """The adapter or the suite could not run it again."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That *kept* was earned: ``mutant`` breaks the requirement, and ``case`` of the run finds it out."""

    mutant: str
    case: str

    def to_json(self) -> dict[str, str]:
        """Return it as plain data."""
        return {"mutant": self.mutant, "case": self.case}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case's end.

    ``reason`` says in a sentence why a case failed, erred or was not exercised. ``how`` is given for a
    failure, for an error if nobody was there, and for a case of another profile. ``findings`` break a MUST or
    MUST NOT, ``advice`` a SHOULD or SHOULD NOT. ``exercised`` counts decisions by requirement, the
    implementation's side only. ``trace`` are the JSON lines of the exchange, kept if something was found.
    ``repeats`` is given after a hang, and after a failure of an implementation that had served other cases.
    ``known`` are the entries of a list of known failures that excuse all of a failure. ``said`` are the last
    lines that the implementation's program wrote to its standard error in a case that did not pass, and the
    complaints in any case of an implementation that outlives its cases. ``given_back`` is what the case saw
    of the memory that a device gave back, as far as the case alone does not decide it. ``negotiated`` are the
    names of the features that were in force at any time. ``malformed`` tells that the suite broke something
    in the case on purpose. ``hidden`` are requirements that the case had to do with and the transport does
    not let anybody decide, each with the reason. ``rests_on`` names the other cases without which a
    requirement would not be broken. ``numberings`` are those that explain the virtqueue indices that were
    seen.
    """

    case: str
    status: Status
    reason: str = ""
    fault: Fault | None = None
    how: How | None = None
    findings: tuple[Finding, ...] = ()
    advice: tuple[Finding, ...] = ()
    exercised: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    trace: tuple[str, ...] = ()
    repeats: Repeats | None = None
    known: tuple[KnownFailure, ...] = ()
    said: tuple[str, ...] = ()
    given_back: GivenBack = GivenBack()  # noqa: RUF009 - it is frozen
    negotiated: tuple[str, ...] = ()
    malformed: bool = False
    hidden: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rests_on: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    numberings: Numberings = ALL

    def selected(self, requirement: str = "") -> str:
        """Return the expression for ``-k`` that finds again what was found against ``requirement``."""
        return " or ".join((self.case, *self.rests_on.get(requirement, ())))

    @property
    def fails(self) -> bool:
        """Whether it makes a run fail: it failed, and not as it is known to."""
        return self.status is Status.FAILED and not self.known

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as plain data (the ``case`` lines of a results file)."""
        data: dict[str, Any] = {
            "case": self.case,
            "status": self.status.value,
            "reason": self.reason,
            "fault": self.fault.value if self.fault else None,
            "how": self.how.value if self.how else "",
            "findings": [finding_to_json(finding) for finding in self.findings],
            "advice": [finding_to_json(finding) for finding in self.advice],
            "exercised": dict(sorted(self.exercised.items())),
            "trace": list(self.trace),
        }
        if self.repeats:
            data["repeats"] = self.repeats.value
        if self.known:
            data["known"] = [one.to_json() for one in self.known]
        if self.said:
            data["said"] = list(self.said)
        if self.given_back != GivenBack():
            data["given_back"] = given_back_json.to_json(self.given_back)
        if self.negotiated:
            data["negotiated"] = list(self.negotiated)
        if self.malformed:
            data["malformed"] = True
        if self.hidden:
            data["hidden"] = dict(sorted(self.hidden.items()))
        if self.rests_on:
            data["rests_on"] = {name: list(cases) for name, cases in sorted(self.rests_on.items())}
        if self.numberings != ALL:
            data["numberings"] = [one.value for one in Numbering if one in self.numberings]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Read an outcome back from :meth:`to_json`."""
        return cls(
            data["case"],
            Status(data["status"]),
            data["reason"],
            Fault(data["fault"]) if data["fault"] else None,
            How(data["how"]) if data["how"] else None,
            tuple(_finding_from_json(one) for one in data["findings"]),
            tuple(_finding_from_json(one) for one in data["advice"]),
            MappingProxyType(dict(data["exercised"])),
            tuple(data["trace"]),
            Repeats(data["repeats"]) if "repeats" in data else None,
            tuple(KnownFailure.from_json(one) for one in data.get("known", ())),
            tuple(data.get("said", ())),
            given_back_json.from_json(data["given_back"]) if "given_back" in data else GivenBack(),
            tuple(data.get("negotiated", ())),
            data.get("malformed", False),
            MappingProxyType(dict(data.get("hidden", {}))),
            MappingProxyType({name: tuple(cases) for name, cases in data.get("rests_on", {}).items()}),
            frozenset(map(Numbering, data.get("numberings", ALL))),
        )


MOST_ABSENCES = 2
"""After so many cases in a row in which nobody was there a run ends: the others would wait as long."""


def absences(before: int, outcome: Outcome) -> int:
    """Return in how many cases in a row nobody was there, after one more; one not exercised says nothing."""
    if outcome.status is Status.NOT_EXERCISED:
        return before
    return before + 1 if outcome.how is How.ABSENT else 0


def choice_of(requirement: str) -> Choice | None:
    """Return the reading a requirement takes where its sources leave a question open."""
    return catalogue()[requirement].source.choice


def choice_words(choice: Choice) -> str:
    """Say in a sentence what was chosen, for a person who may object."""
    return (
        f"the sources leave this open, and this project chose: {choice.reading} "
        f"The reading not taken: {choice.not_taken}"
    )


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain data: its fields by name, bytes in hex, and the choice it stands on."""
    choice = choice_of(finding.requirement)
    readings = {"choice": {"reading": choice.reading, "not_taken": choice.not_taken}} if choice else {}
    return {
        "requirement": finding.requirement,
        "level": finding.level.value,
        "subject": finding.subject.value,
        "event": finding.event,
        "words": finding.words,
        "field": finding.field,
        "expected": finding.expected,
        "seen": finding.seen,
        "data": finding.data.hex(),
        "rule": finding.rule,
        **readings,
    }


def _finding_from_json(data: Mapping[str, Any]) -> Finding:
    return Finding(
        **{
            **{name: value for name, value in data.items() if name != "choice"},
            "level": Level(data["level"]),
            "subject": Side(data["subject"]),
            "data": bytes.fromhex(data["data"]),
        }
    )
