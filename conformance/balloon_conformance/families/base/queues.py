"""What buffers of the inflate and the deflate queue break that are not as a vector has them."""

from __future__ import annotations

from balloon_conformance.running.blame import QueueBlame
from balloon_spec.families.base import INFLATE

__all__ = ["DeflateQueue", "InflateQueue"]


class _BalloonQueue(QueueBlame):
    def other_parts(self, *, writable: bool, is_empty: bool, absent: str) -> str:
        """Blame an empty buffer for what it does not carry, and any other for a part that may not be."""
        del writable
        return absent if is_empty else "QUEUE-03"


class InflateQueue(_BalloonQueue):
    """Pages go into the balloon."""

    twice = "INF-11"

    def not_made_available(self, *, writable: bool, again: bool, was_reset: bool) -> str:
        """Blame a driver that does not reach its target."""
        del writable, again, was_reset
        return "INF-10"


class DeflateQueue(_BalloonQueue):
    """Pages come out of the balloon. A driver may keep them (DEF-10), and take back more than it must."""

    unasked = frozenset({"DEF-03", "DEF-09"})
    may_name_more = True
    speaks_like = INFLATE
