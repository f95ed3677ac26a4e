"""Command ids and hints: what others than a vector's break, and how one is written there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from balloon_conformance.running.blame import QueueBlame
from balloon_conformance.running.not_exercised import NotExercised
from balloon_spec.events import Available
from balloon_spec.families.free_page_hint import DONE, FIRST_ID, STOP
from balloon_spec.families.free_page_hint.command_id import LENGTH_BYTES

__all__ = ["FreePageQueue"]

_LIMIT: Final = 1 << 8 * LENGTH_BYTES


class FreePageQueue(QueueBlame):
    """The driver says which round it is in, and names pages by where its buffers lie."""

    unasked = frozenset({"HINT-03"})
    is_read_back = False

    def not_returned(self, *, writable: bool) -> str:
        """Blame a device that holds a command or a hint."""
        del writable
        return "HINT-22"

    def means_nothing(self, event: Available) -> bool:
        """Let a driver say once more that no round is under way: no requirement is about that."""
        return len(event.readable) == LENGTH_BYTES and not any(event.readable)

    def other_parts(self, *, writable: bool, is_empty: bool, absent: str) -> str:
        """Leave to the judge a hint where a command is due: it may be late, or of no round."""
        del absent, writable, is_empty
        raise NotExercised("the driver hints where the vector has a command id, as it may in a round")

    def sent(self, readable: bytes, chosen: Mapping[int, int]) -> bytes:
        """Count a command id on from the one that the device chose in place of the vector's."""
        number = int.from_bytes(readable[:LENGTH_BYTES].ljust(LENGTH_BYTES, b"\0"), "little")
        if not chosen or number in {STOP, DONE}:
            return readable
        example = number if number in chosen else next(reversed(chosen))
        mine = chosen[example] + number - example
        if not FIRST_ID <= mine < _LIMIT:
            mine = FIRST_ID + (mine - FIRST_ID) % (_LIMIT - FIRST_ID)
        return (mine.to_bytes(LENGTH_BYTES, "little") + readable[LENGTH_BYTES:])[: len(readable)]
