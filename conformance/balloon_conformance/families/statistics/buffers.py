"""Statistics buffers: what another one than a vector's breaks, and how one is written there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from balloon_conformance.running.blame import QueueBlame
from balloon_conformance.running.mismatch import Comparison
from balloon_conformance.vectors.comments import Line, RecordKind, records
from balloon_spec.families.statistics import statistics
from balloon_spec.queues import Queue

__all__ = ["StatisticsBuffers", "StatisticsQueue", "comment_on_statistics"]


class StatisticsQueue(QueueBlame):
    """The driver says how memory is used, and the device returns the buffer when it likes (STATS-09)."""

    def not_made_available(self, *, writable: bool, again: bool, was_reset: bool) -> str:
        """Blame a driver that makes no first buffer available, or none again."""
        del writable, was_reset
        return "STATS-03" if again else "STATS-01"

    def other_parts(self, *, writable: bool, is_empty: bool, absent: str) -> str:
        """Blame an empty buffer, or one that has a part to write to."""
        del writable
        return absent if is_empty else "QUEUE-03"


class StatisticsBuffers(Comparison):
    """Entries of a tag and a value."""

    absent = "STATS-10"

    def malformed(self, seen: bytes) -> str:
        """Blame an entry that is cut short."""
        return "STATS-04" if len(seen) % statistics.ENTRY_BYTES else ""

    def wrong_length(self) -> str:
        """Blame the choice of tags."""
        return "STATS-05"

    def wrong_field(self, name: str) -> str:
        """Blame a tag or a value."""
        return "STATS-05" if "tag" in name else "STATS-06"


def _say(record: bytes) -> str:
    ((tag, value),) = ((entry.tag, entry.value) for entry in statistics.parse(record).entries)
    names = {**{int(one): one.name for one in statistics.Tag}, **statistics.LINUX_TAG_NAMES}
    return f"tag {tag}{f' ({names[tag]})' if tag in names else ''}, value {value}"


_ENTRY: Final = RecordKind(length_bytes=statistics.ENTRY_BYTES, apart=2, name="a statistic", say=_say)


def comment_on_statistics(data: bytes, _queue: Queue) -> Iterator[Line]:
    """Write the entries of a statistics buffer."""
    return records(data, _ENTRY)
