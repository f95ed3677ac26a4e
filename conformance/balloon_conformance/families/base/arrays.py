"""Arrays of page frame numbers: what another array than a vector's breaks, and how one is written there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from balloon_conformance.running.mismatch import EVERY_PAGE, Comparison
from balloon_conformance.vectors.comments import Line, RecordKind, records
from balloon_spec.families.base import pfn_array
from balloon_spec.families.base.array_content import read_array
from balloon_spec.judge.content import Content
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

__all__ = ["PfnArrays", "comment_on_array"]


class PfnArrays(Comparison):
    """Arrays of page frame numbers. How the pages are ordered is the driver's choice."""

    absent = "PFN-02"
    numbers = frozenset({"PFN-03"})

    def read(self, data: bytes) -> Content:
        """Read every page that the array names."""
        return read_array(data, EVERY_PAGE)

    def malformed(self, seen: bytes) -> str:
        """Blame an entry that is cut short."""
        return "PFN-02" if len(seen) % pfn_array.ENTRY_BYTES else ""

    def wrong_field(self, _name: str) -> str:
        """Blame an entry."""
        return "PFN-03"

    def wrong_pages(self, _wanted: PageSet, _seen: PageSet) -> str:
        """Blame the entries."""
        return "PFN-03"


def _say(record: bytes) -> str:
    return f"page {int.from_bytes(record, 'little'):#x}"


def _say_many(several: Sequence[bytes]) -> str:
    return "pages " + ", ".join(f"{int.from_bytes(record, 'little'):#x}" for record in several)


_ENTRY: Final = RecordKind(
    length_bytes=pfn_array.ENTRY_BYTES, apart=4, name="an entry", say=_say, per_line=8, say_many=_say_many
)


def comment_on_array(data: bytes, _queue: Queue) -> Iterator[Line]:
    """Write an array of page frame numbers."""
    return records(data, _ENTRY)
