"""The words of the statistics family in which intents are written.

The standard library only, as in :mod:`~balloon_conformance.generation.intents.model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from balloon_conformance.families.statistics import second_encoding
from balloon_conformance.generation.intents.model import Content, DriverBuffer, Match, OperatorWish, Step
from balloon_conformance.generation.intents.shorthand import negotiated, resets, returns
from balloon_conformance.generation.intents.vocabulary import Opening, Vocabulary

__all__ = [
    "STATS",
    "VOCABULARY",
    "Statistics",
    "refreshes",
    "refreshes_before",
    "reports",
    "wants_statistics",
]

STATS = negotiated("STATS_VQ")
_QUEUE = "statistics"


class _Entry(NamedTuple):
    tag: int
    value: int


class _Entries(NamedTuple):
    entries: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class Statistics(Content):
    """Entries of a tag (16 bits) and a value (64 bits), and ``tail``, the bytes of one that is cut short."""

    entries: tuple[tuple[int, int], ...]
    tail: bytes = b""

    def build(self, schemas: Any) -> bytes:
        """Return the whole entries through the schema of the buffer, and the tail."""
        entries = _Entries(tuple(_Entry(*one) for one in self.entries))
        whole: bytes = schemas["statistics"].build(entries)
        return whole + self.tail

    def encode(self) -> bytes:
        """Return the same by :mod:`struct`."""
        return second_encoding.statistics(self.entries) + self.tail


_OPENING = Statistics(((4, 1 << 24),))


def reports(
    name: str,
    *entries: tuple[int, int],
    tail: bytes = b"",
    match: Match = "exact",
    cut: tuple[int, ...] = (),
    writable_bytes: int = 0,
    notify: bool = True,
) -> DriverBuffer:
    """Make a statistics buffer available; without entries it is as at the start, and any will do."""
    content = Statistics(entries, tail)
    if not entries and not tail:
        content, match = _OPENING, "any"
    return DriverBuffer(_QUEUE, name, content, writable_bytes, match, cut, notify)


def wants_statistics() -> OperatorWish:
    """Let the operator want fresh statistics."""
    return OperatorWish("statistics")


def refreshes(*entries: tuple[int, int]) -> tuple[Step, ...]:
    """Have two plain statistics buffers returned, s1 and s2, when the operator asks; s3 comes next.

    A device may hold a statistics buffer as long as it likes (STATS-09), and one that does so here is not
    judged by what comes after. ``entries`` are those of the whole session (STATS-05).
    """
    return _refreshes(("s1", "s2"), entries)


def refreshes_before() -> tuple[Step, ...]:
    """Do so in a session of its own, after a reset as well; then come a reset, and s4 with other entries."""
    return (resets(), *_refreshes(("s2", "s3"), ()), resets())


def _refreshes(names: tuple[str, ...], entries: tuple[tuple[int, int], ...]) -> tuple[Step, ...]:
    each = ((reports(name, *entries), wants_statistics(), *returns(name)) for name in names)
    return tuple(step for steps in each for step in steps)


VOCABULARY: Final = Vocabulary(
    bits=MappingProxyType({"STATS_VQ": 1}),
    queues=MappingProxyType({_QUEUE: 2}),
    openings=(Opening("STATS_VQ", _QUEUE, "s", reports),),
)
