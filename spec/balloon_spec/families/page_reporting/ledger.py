"""What is to be remembered of reports: those in flight, what became of their pages, and what pages hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np

from balloon_spec import events as ev
from balloon_spec.families.base import INFLATE
from balloon_spec.families.base.guest_memory import GuestMemory
from balloon_spec.families.page_poison.poison_value import PoisonValue
from balloon_spec.families.page_reporting import REPORTING
from balloon_spec.families.page_reporting.report_content import ReportContent
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.companion import Companion
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.interpretation import all_pages
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PAGE_BYTES, PAGE_SHIFT, PageSet

__all__ = ["PageContents", "Reports", "content_of", "repeats"]

_MOST_FILLS: Final = 16
"""So many things that pages hold are told apart, the newest."""
_ENTRY_BYTES: Final = 4


def content_of(buffer: InFlight) -> ReportContent | None:
    """Return what a report says; None for any other buffer."""
    return buffer.content if isinstance(buffer.content, ReportContent) else None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What looks at memory showed of the pages of a report in flight."""

    looked: PageSet = EMPTY
    gone: PageSet = EMPTY
    written: PageSet = EMPTY


@dataclass(slots=True, eq=False)
class PageContents(Ledger):
    """What pages hold that the guest wrote or left, as far as somebody said. It stands before the rest."""

    fills: Mapping[bytes, PageSet] = field(default_factory=dict)
    """Pages by the bytes that each of them holds over and over, the newest last."""
    unlike: PageSet = EMPTY
    """Pages of which it is known that they hold nothing of the kind."""

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in what pages hold; of those that the guest uses or gives up, nothing is known any more."""
        match event:
            case ev.Contents():
                self._forget(event.pages)
                if event.fill:
                    self.fills = dict(
                        [*self.fills.items(), (event.fill, self.fills.get(event.fill, EMPTY) | event.pages)][
                            -_MOST_FILLS:
                        ]
                    )
                else:
                    self.unlike |= event.pages
            case ev.Guest(action=ev.GuestAction.USE | ev.GuestAction.HOLD):
                self._forget(event.pages)
            case ev.Available() if buffer is not None and buffer.queue is INFLATE:
                self._forget(buffer.content.pages)
            case _:
                pass

    def _forget(self, pages: PageSet) -> None:
        self.fills = {fill: left for fill, own in self.fills.items() if (left := own - pages)}
        self.unlike -= pages

    def holding(self, value: bytes) -> PageSet:
        """Return the pages that are known to hold ``value`` over and over."""
        return PageSet.union(own for fill, own in self.fills.items() if repeats(fill, value))

    @property
    def known(self) -> PageSet:
        """The pages of which it is known what they hold, or that nothing repeats there."""
        return PageSet.union((self.unlike, *self.fills.values()))

    def spelled(self, pages: PageSet) -> PageSet:
        """Return the pages whose numbers, 32 bits and little-endian, stand in these pages."""
        return PageSet.union(
            PageSet.from_pfns(np.frombuffer(fill, "<u4"))
            for fill, own in self.fills.items()
            if not len(fill) % _ENTRY_BYTES and not own.isdisjoint(pages)
        )

    def after_reset(self) -> Self:
        """Leave everything: the guest's memory is not reset."""
        return type(self)(self.exchange, fills=self.fills, unlike=self.unlike)


def repeats(fill: bytes, value: bytes) -> bool:
    """Tell whether a page that holds ``fill`` over and over holds ``value`` over and over."""
    return bool(fill) and _page_of(fill) == _page_of(value)


def _page_of(fill: bytes) -> bytes:
    return (fill * (PAGE_BYTES // len(fill) + 1))[:PAGE_BYTES]


@dataclass(slots=True, eq=False)
class Reports(Companion):
    """The reports in flight, and the pages of those that came back."""

    seen: dict[int, _Seen] = field(default_factory=dict)
    """What was seen of the pages of each report in flight, by the number of the buffer."""
    returned: PageSet = EMPTY
    """The pages of returned reports that the guest has not been seen to use since."""
    has_returned: bool = False
    """A sound report was returned, before a reset too: the device serves the queue."""
    relies: bool = False
    """The guest relies on free pages keeping a value."""

    # -- what others ask ----------------------------------------------------------------------------------

    def lets_go(self) -> PageSet:
        """Return the pages of the reports in flight."""
        return PageSet.union(content.pages for _, content in self.in_flight())

    def forbids(self, buffer: InFlight) -> Iterator[tuple[str, PageSet]]:
        """Yield the pages that the contents of reported pages spell."""
        content = content_of(buffer)
        if content is not None and content.touched:
            spelled = self.exchange[PageContents].spelled(content.touched)
            yield "REPORT-18", self.exchange[Session].existing(spelled) - content.touched

    def left_alone(self) -> Iterator[tuple[str, PageSet]]:
        """Yield everything, as long as no buffer came after a report with ranges, and no array is in flight.

        What is changed then, and may not be discarded, is changed on account of the report.
        """
        buffers = self.exchange[Buffers]
        content = None if buffers.newest is None else content_of(buffers.newest)
        if content is not None and content.ranges and not buffers.on(INFLATE):
            yield "REPORT-14", all_pages(self.exchange)

    def takes_back(self, buffer: InFlight) -> Iterator[tuple[str, PageSet]]:
        """Yield the pages of a report that is returned: they are the guest's again."""
        content = content_of(buffer)
        if content is not None and content.touched:
            yield "REPORT-13", content.touched

    def permits(self, event: ev.Overwritten) -> PageSet:
        """Return the pages that reports have in part, if no byte beside that part is known to change."""
        contents = [content for _, content in self.in_flight()]
        in_part = event.pages & PageSet.union(one.touched - one.pages for one in contents)
        if not in_part or event.fill:
            return EMPTY
        stray = (
            address >> PAGE_SHIFT
            for address, length_bytes in event.spans
            if not any(one.holds(address, length_bytes) for one in contents)
        )
        return in_part - PageSet((page, 1) for page in stray)

    def in_particular(
        self, requirement: str, buffer: InFlight | None = None, other: InFlight | None = None
    ) -> tuple[str, str] | None:
        """Return what is said of reports in particular: that they come back, and do not overlap."""
        if buffer is None or buffer.queue is not REPORTING:
            return None
        if requirement == "QUEUE-07":
            return "REPORT-16", "a report is not returned"
        if requirement == "BUF-05" and other is not None and other.queue is REPORTING:
            return "REPORT-09", "a page is reported that is in another report in flight"
        return None

    # -- what the rules ask -------------------------------------------------------------------------------

    def in_flight(self) -> Iterator[tuple[InFlight, ReportContent]]:
        """Yield the reports in flight with what they say, oldest first."""
        for buffer in self.exchange[Buffers].on(REPORTING):
            content = content_of(buffer)
            if content is not None:
                yield buffer, content

    @property
    def touched(self) -> PageSet:
        """The pages in which a report in flight has some byte."""
        return PageSet.union(content.touched for _, content in self.in_flight())

    @property
    def poison(self) -> bytes | None:
        """What the driver said it fills pages with, four bytes; None if that is not known."""
        ledger = self.exchange[PoisonValue]
        if ledger.is_untouched:
            return bytes(4)
        known = [one for one in ledger.value if one is not None]
        return bytes(known) if len(known) == len(ledger.value) else None

    def left(self, buffer: InFlight) -> tuple[PageSet, PageSet]:
        """Return the pages of a report that were looked at while it was in flight, and those still there."""
        content, seen = content_of(buffer), self.seen.get(buffer.number, _Seen())
        firm = EMPTY if content is None else content.firm
        return firm & seen.looked, (firm & seen.looked) - seen.gone

    def may_be_written(self, buffer: InFlight) -> bool:
        """Tell whether the device may have written into a report before it returned the report.

        It was seen to; or it may have filled the pages with the value that they hold already; or an inflate
        buffer names them too, so that they may have been discarded after that.
        """
        seen, content = self.seen.get(buffer.number, _Seen()), content_of(buffer)
        filled = self.exchange[Session].has("PAGE_POISON") and not seen.gone
        inflated = content is not None and not content.touched.isdisjoint(
            self.exchange[GuestMemory].may_be_discarded
        )
        return bool(seen.written) or filled or inflated

    # -- what is taken in ---------------------------------------------------------------------------------

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in a report, what became of its pages, and what the guest does with them."""
        match event:
            case ev.Discarded():
                for one, content in self.in_flight():
                    seen = self.seen.get(one.number, _Seen())
                    self.seen[one.number] = replace(
                        seen,
                        looked=seen.looked | (event.looked & content.touched),
                        gone=seen.gone | (event.pages & content.touched),
                    )
            case ev.Overwritten():
                for one, content in self.in_flight():
                    seen = self.seen.get(one.number, _Seen())
                    self.seen[one.number] = replace(
                        seen, written=seen.written | (event.pages & content.touched)
                    )
            case ev.Used() if buffer is not None and (reported := content_of(buffer)) is not None:
                self.seen.pop(buffer.number, None)
                self.returned |= reported.touched
                self.has_returned |= buffer.is_sound
            case ev.Guest(action=ev.GuestAction.USE | ev.GuestAction.HOLD):
                self.returned -= event.pages
            case ev.Guest(action=ev.GuestAction.RELY):
                self.relies = True
            case _:
                pass

    def after_reset(self) -> Self:
        """Leave what is known of the guest, and that the device serves the queue."""
        return type(self)(self.exchange, has_returned=self.has_returned, relies=self.relies)
