"""What a rule decides: that a requirement was kept, or broken and how."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from balloon_spec.events import Side
from balloon_spec.requirement import Level

__all__ = ["Decision", "Finding", "broken", "kept", "kept_if"]

_SHOWN_BYTES = 48


@dataclass(frozen=True, slots=True)
class Decision:
    """One rule's word on one requirement at one event.

    ``field`` names the field that is wrong, ``expected`` and ``seen`` what it should and does hold, ``data``
    the bytes it was read from; all empty where the requirement was kept.
    """

    requirement: str
    is_kept: bool
    words: str = ""
    field: str = ""
    expected: str = ""
    seen: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Finding:
    """A requirement that was broken: by what, where, in words.

    ``event`` is the number of the event in the trace, from 1. ``level`` and ``subject`` are those of the
    requirement's entry in the catalogue. ``rule`` is the rule that found it, empty where none did.
    """

    requirement: str
    level: Level
    subject: Side
    event: int
    words: str
    field: str = ""
    expected: str = ""
    seen: str = ""
    data: bytes = b""
    rule: str = ""

    def __str__(self) -> str:
        """One line: the requirement, what happened, and where."""
        place = f"event {self.event}" + (f", {self.field}" if self.field else "")
        sight = f" (expected {self.expected}, seen {self.seen})" if self.expected or self.seen else ""
        return f"{self.requirement} {self.subject} {self.level}: {self.words}{sight} [{place}]"

    @property
    def excerpt(self) -> str:
        """The first bytes of ``data`` in hex, for a report's one line."""
        more = " ..." if len(self.data) > _SHOWN_BYTES else ""
        return self.data[:_SHOWN_BYTES].hex(" ") + more


@cache
def kept(requirement: str) -> Decision:
    """Say that the requirement was exercised and kept."""
    return Decision(requirement, is_kept=True)


def broken(
    requirement: str,
    words: str,
    *,
    field: str = "",
    expected: object = "",
    seen: object = "",
    data: bytes = b"",
) -> Decision:
    """Say that the requirement was broken, in words that stand without the trace."""
    return Decision(requirement, False, words, field, str(expected), str(seen), data)


def kept_if(
    requirement: str,
    holds: object,
    words: str,
    *,
    field: str = "",
    expected: object = "",
    seen: object = "",
    data: bytes = b"",
) -> Decision:
    """Say that the requirement was kept, or broken with these words if ``holds`` is not true."""
    if holds:
        return kept(requirement)
    return broken(requirement, words, field=field, expected=expected, seen=seen, data=data)
