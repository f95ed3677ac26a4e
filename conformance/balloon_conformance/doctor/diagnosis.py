"""What one examination found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["PAGE", "Diagnosis", "Health"]

PAGE = "docs/test/stdio-protocol.md"
"""The page of the protocol over standard streams, which most of what is to mend is explained on."""


class Health(StrEnum):
    """How grave what was found is."""

    WELL = "well"
    ADVICE = "advice"
    """Verdicts can be trusted; something costs time, or hides what could be judged."""
    MEND = "mend"
    """Verdicts cannot be trusted, or the adapter will be in the way."""
    OPEN = "open"
    """It could not be examined."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at: what it was, how it is, words with the remedy, and the page that explains it."""

    what: str
    health: Health
    words: str
    page: str = ""
