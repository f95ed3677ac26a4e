"""How the virtqueues of an implementation were numbered in a run, and who says so.

A numbering is a property of the implementation, and no failure by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from balloon_spec.queues import Numbering

__all__ = ["NumberingSource", "NumberingUsed"]


class NumberingSource(StrEnum):
    """Who says how an implementation numbers its virtqueues."""

    STATED = "stated"
    """The person who runs the suite, on the command line or in a file of targets."""
    IMPLEMENTATION = "implementation"
    """The adapter, or the program behind it."""
    DEFAULT = "default"
    """Nobody: the profile's own numbering is used."""


@dataclass(frozen=True, slots=True)
class NumberingUsed:
    """The numbering of a run, and who says that it is the implementation's."""

    used: Numbering = Numbering.FIXED
    source: NumberingSource = NumberingSource.DEFAULT

    def __str__(self) -> str:
        return f"{self.used} queue numbers ({_WORDS[self.source]})"

    def to_json(self) -> Mapping[str, str]:
        """Return what the header of a results file has."""
        return {"used": self.used.value, "source": self.source.value}

    @classmethod
    def from_json(cls, fields: Mapping[str, str] | None) -> NumberingUsed:
        """Read it back; a file that is older than this field used fixed numbers."""
        return cls() if fields is None else cls(Numbering(fields["used"]), NumberingSource(fields["source"]))


_WORDS: Mapping[NumberingSource, str] = {
    NumberingSource.STATED: "as stated",
    NumberingSource.IMPLEMENTATION: "as its adapter states",
    NumberingSource.DEFAULT: "the default",
}
