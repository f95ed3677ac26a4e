"""One failure that is known: what it is pinned to, why it is there, and where that is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from balloon_spec.judge import Finding

__all__ = ["KnownFailure"]


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """An entry of a list of known failures.

    ``requirement`` and ``case`` say where it is expected; one of the two may be empty, which is anywhere. A
    case named without the brackets of its parameters is every one of them. ``finding`` is the pin: literal
    text that stands in the words, the field or what was seen of a finding, or in the reason of a case that
    ended without one. ``line`` is where the entry stands in its file.
    """

    requirement: str
    case: str
    finding: str
    reason: str
    link: str
    expires: date | None = None
    line: int = 0

    @property
    def name(self) -> str:
        """What errors call the entry."""
        return " in ".join(filter(None, (self.requirement, self.case)))

    @property
    def key(self) -> tuple[str, str, str]:
        """What no other entry of a list has: where it is expected, and the pin."""
        return self.requirement, self.case, self.finding

    def incomplete(self) -> str:
        """Name the field that is still to be filled in; empty where none is."""
        return next((name for name in ("reason", "link") if not getattr(self, name)), "")

    def expired(self, today: date) -> bool:
        """Tell whether the last day on which it excuses is over."""
        return self.expires is not None and self.expires < today

    def is_of(self, case: str) -> bool:
        """Tell whether the entry speaks of a case."""
        return self.case in {"", case} or case.startswith(f"{self.case}[")

    def is_about(self, case: str, finding: Finding) -> bool:
        """Tell whether the entry speaks of findings like this one, whatever the pin."""
        return self.requirement in {"", finding.requirement} and self.is_of(case)

    def pins(self, case: str, finding: Finding) -> bool:
        """Tell whether this is the finding it expects."""
        return self.is_about(case, finding) and any(
            self.finding in text for text in (finding.words, finding.field, finding.seen)
        )

    def pins_end(self, case: str, reason: str) -> bool:
        """Tell whether it expects a case to end for this reason, without a finding."""
        return not self.requirement and self.is_of(case) and self.finding in reason

    def to_json(self) -> dict[str, Any]:
        """Return what a report says of it, as plain data."""
        return {
            "requirement": self.requirement,
            "case": self.case,
            "finding": self.finding,
            "reason": self.reason,
            "link": self.link,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> KnownFailure:
        """Read it back from :meth:`to_json`."""
        return cls(**data)

    def __str__(self) -> str:
        """Return why the failure is there."""
        return f"{self.reason} ({self.link})"
