"""What a report says: ranges of guest memory, and the pages that lie in them.

A host gives back whole pages, so a device rounds each range inward. If two ranges of a report meet within a
page, a device may give that page back, and need not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from balloon_spec.events import Available
from balloon_spec.judge.content import Content
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.shape import Shape
from balloon_spec.pages import EMPTY, PAGE_BYTES, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import Range, inward, outward, writable_ranges

__all__ = ["REPORT_BUFFER", "ReportContent"]


@dataclass(frozen=True, slots=True)
class ReportContent(Content):
    """What a report says of pages.

    ``pages`` may change while the report is in flight, and ``firm`` of them lie in ranges that begin and end
    with pages: a device that gives memory back has no reason to leave these out. ``touched`` are all pages in
    which the report has some byte. ``ranges`` are the bytes, ascending and joined.
    """

    touched: PageSet = EMPTY
    ranges: tuple[Range, ...] = ()

    def holds(self, address: int, length_bytes: int) -> bool:
        """Tell whether bytes lie in the ranges that were reported."""
        return any(start <= address and address + length_bytes <= end for start, end in self.ranges)


def _joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    joined: list[Range] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def _form(event: Available) -> Decision:
    """Decide whether a buffer is made of what a device may write to, and of nothing else."""
    readable = sum(one.length_bytes for one in event.segments if not one.writable) or len(event.readable)
    if not readable and event.writable_bytes:
        return kept("REPORT-08")
    return broken(
        "REPORT-08",
        "a report has a device-readable part" if readable else "a report has no device-writable part",
        field="device-readable part" if readable else "device-writable part",
        expected="0 bytes" if readable else "the reported ranges",
        seen=f"{readable} bytes",
        data=event.readable,
    )


def _read(
    _queue: Queue,
    event: Available,
    memory: PageSet,
    _features: Collection[str],
    _meant: Sequence[PageSet],
) -> ReportContent:
    ranges = writable_ranges(event.segments)
    joined = _joined(ranges)
    even = (one for one in ranges if not (one[0] | one[1]) % PAGE_BYTES)
    pages, firm, touched = inward(joined) & memory, inward(even) & memory, outward(joined) & memory
    return ReportContent(
        pages=pages,
        intended=touched,
        firm=firm,
        decisions=(_form(event),),
        total=touched.pages,
        touched=touched,
        ranges=joined,
    )


def _is_no_report(event: Available, _content: Content, _queue: Queue) -> bool:
    return bool(event.readable) or not event.writable_bytes


REPORT_BUFFER: Final = Shape(
    "report",
    "report",
    "a report",
    names_pages=True,
    read=_read,
    decides=frozenset({"REPORT-08"}),
    is_malformed=_is_no_report,
)
"""A report of free pages."""
