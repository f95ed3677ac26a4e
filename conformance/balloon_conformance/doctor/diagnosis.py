"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["PAGE", "Diagnosis", "Health"]

PAGE = "docs/test/stdio-protocol.md"
"""The page of the protocol over standard streams. It explains most of what is to mend."""


class Health(StrEnum):
    """How serious a result is."""

    WELL = "well"
    ADVICE = "advice"
    """Verdicts can be trusted; something costs time, or hides what could be judged."""
    MEND = "mend"
    """Verdicts cannot be trusted, or the adapter will get in the way."""
    OPEN = "open"
    """The check could not be made."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check: its subject, how serious it is, a sentence with the remedy, a page."""

    what: str
    health: Health
    text: str
    page: str = ""
