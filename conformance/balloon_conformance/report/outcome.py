"""What came of one case: a vector or a scenario played against one implementation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from balloon_spec.events import Side
from balloon_spec.judge import Finding
from balloon_spec.requirement import Level

__all__ = ["Fault", "Outcome", "Status", "finding_to_json"]


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case's end. ``findings`` break a MUST or MUST NOT, ``advice`` a SHOULD or SHOULD NOT.

    ``exercised`` counts decisions by requirement, the implementation's side only. ``how`` is ``violation``,
    ``crash`` or ``hang`` for a failure. ``reason`` says in a sentence why a case failed, erred or was not
    exercised. ``trace`` are the JSON lines of the exchange, kept where something was found.
    """

    case: str
    status: Status
    reason: str = ""
    fault: Fault | None = None
    how: str = ""
    findings: tuple[Finding, ...] = ()
    advice: tuple[Finding, ...] = ()
    exercised: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    trace: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as plain data (the ``case`` lines of a results file)."""
        return {
            "case": self.case,
            "status": self.status.value,
            "reason": self.reason,
            "fault": self.fault.value if self.fault else None,
            "how": self.how,
            "findings": [finding_to_json(finding) for finding in self.findings],
            "advice": [finding_to_json(finding) for finding in self.advice],
            "exercised": dict(sorted(self.exercised.items())),
            "trace": list(self.trace),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Read an outcome back from :meth:`to_json`."""
        return cls(
            data["case"],
            Status(data["status"]),
            data["reason"],
            Fault(data["fault"]) if data["fault"] else None,
            data["how"],
            tuple(_finding_from_json(one) for one in data["findings"]),
            tuple(_finding_from_json(one) for one in data["advice"]),
            MappingProxyType(dict(data["exercised"])),
            tuple(data["trace"]),
        )


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain data: its fields by name, bytes in hex."""
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
    }


def _finding_from_json(data: Mapping[str, Any]) -> Finding:
    return Finding(
        **{
            **data,
            "level": Level(data["level"]),
            "subject": Side(data["subject"]),
            "data": bytes.fromhex(data["data"]),
        }
    )
