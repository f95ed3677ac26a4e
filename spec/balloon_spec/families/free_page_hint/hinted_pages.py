"""Hinted pages: what a device may do with them in guest memory, and leave out of the copy it makes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from balloon_spec import events as ev
from balloon_spec.families.free_page_hint import DONE, END_HINTS, FIRST_ID, FREE_PAGE, HINT
from balloon_spec.families.free_page_hint.rounds import Rounds, command_of
from balloon_spec.judge.companion import Companion
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PageSet

__all__ = ["HintedPages"]


@dataclass(slots=True, eq=False)
class HintedPages(Companion):
    """Pages by what becomes of them. The first group is about guest memory, the second about the copy.

    It stands before the rounds: it sees them as they were before the event.
    """

    hinted: PageSet = EMPTY
    """Pages that the device may change: hinted under the current id, not written since that was published."""
    overridden: PageSet = EMPTY
    """Pages that were hinted so, and that the guest wrote since."""
    stale: PageSet = EMPTY
    """Pages that were hinted under no id, or another than the current one, and not under the current one."""
    unclear: PageSet = EMPTY
    """Pages of which nobody can tell under which id they were hinted, or that were hinted in part."""
    unseen: PageSet = EMPTY
    """Pages that it could change until DONE, and that nobody looked at since."""
    looked_at: PageSet = EMPTY
    """Those of them that the last look was at, while what it found is told of: it was done by then."""
    over: PageSet = EMPTY
    """Pages that were hinted before DONE, or before a reset."""
    written: PageSet = EMPTY
    """Pages that the guest wrote since the current id was published."""
    is_copied: bool = False
    """The copy is finished: DONE was published."""
    is_ending: bool = False
    """The operator ended it, or it is finished: what the guest writes now may be in it or not."""
    late: PageSet = EMPTY
    """Pages that the guest wrote since."""
    may_be_skipped: PageSet = EMPTY
    """Pages that may be missing in the copy."""
    should_be_skipped: PageSet = EMPTY
    """Those of them that were hinted without doubt, and whose hints came back."""
    must_be_copied: PageSet = EMPTY
    """Pages that were hinted, and written since the id was published."""
    stale_in_copy: PageSet = EMPTY
    """Pages that were hinted under no id, or another than the current one."""
    early: PageSet = EMPTY
    """Pages that were hinted since the copy was finished: they are stale in the next one."""

    def lets_go(self) -> PageSet:
        """Return the pages that a device may change in guest memory (HINT-18)."""
        return self.hinted | self.unclear | self.unseen

    def permits(self, event: ev.Overwritten) -> PageSet:
        """Return pages that the last look found overwritten, and that it could change until then."""
        return event.pages & self.looked_at

    def left_alone(self) -> Iterable[tuple[str, PageSet]]:
        """Yield the hinted pages that it may not change."""
        yield "HINT-19", self.overridden
        yield "HINT-20", self.over | self.looked_at
        yield "HINT-17", self.stale

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in hints, what the guest writes, and what the device publishes."""
        if not self.exchange[Session].has("FREE_PAGE_HINT"):
            return
        if not isinstance(event, ev.Overwritten):
            self.over |= self.looked_at
            self.looked_at = EMPTY
        match event:
            case ev.Available() if buffer is not None and buffer.queue is FREE_PAGE:
                self._available(buffer)
            case ev.Used() if buffer is not None and buffer.queue is FREE_PAGE:
                self.should_be_skipped |= buffer.content.pages & self.hinted & self.may_be_skipped
            case ev.Guest() if event.action is ev.GuestAction.USE:
                self._write(event.pages)
            case ev.ConfigurationRead() | ev.ConfigurationChanged():
                self._published(self.exchange[Rounds].published_by(event))
            case ev.Discarded():
                self.looked_at = self.unseen & event.looked
                self.unseen -= event.looked
            case ev.Operator() if event.action is HINT and self.is_ending:
                self._begin_copy()
            case ev.Operator() if event.action is END_HINTS:
                self.is_ending = True
            case _:
                pass

    def _available(self, buffer: InFlight) -> None:
        pages, parts = buffer.content.pages, buffer.content.intended - buffer.content.pages
        of_current = self.exchange[Rounds].is_of_current
        if command_of(buffer) is not None or of_current is None:
            pages, parts = EMPTY, pages | parts
        self.unclear |= parts
        self.may_be_skipped |= parts
        if not of_current:
            self.stale |= pages - self.hinted
            self.stale_in_copy |= pages - self.may_be_skipped
            self.early |= pages if self.is_copied else EMPTY
            return
        fresh, used = pages - self.written, pages & self.written
        self.hinted |= fresh
        self.overridden = (self.overridden - fresh) | used
        self.stale -= pages
        self.over -= pages
        self.unseen -= pages
        if not self.is_copied:
            self.may_be_skipped |= fresh
            self.must_be_copied = (self.must_be_copied - fresh) | used
            self.stale_in_copy -= pages

    def _write(self, pages: PageSet) -> None:
        self.overridden |= self.hinted & pages
        self.hinted -= pages
        self.over |= self.unseen & pages
        self.unseen -= pages
        self.written |= pages
        if self.is_ending:
            self.late |= pages
            return
        self.must_be_copied |= self.may_be_skipped & pages
        self.may_be_skipped -= pages
        self.should_be_skipped -= pages

    def _published(self, value: int | None) -> None:
        if value is None:
            return
        if value >= FIRST_ID:
            self.written = EMPTY
            if self.is_copied:
                self._begin_copy()
        elif value == DONE:
            self.unseen |= self.hinted | self.unclear
            self.over |= self.overridden
            self.hinted = self.overridden = self.unclear = EMPTY
            self.is_copied = self.is_ending = True

    def _begin_copy(self) -> None:
        self.is_copied = self.is_ending = False
        self.late = EMPTY
        self.may_be_skipped = self.should_be_skipped = self.must_be_copied = EMPTY
        self.stale_in_copy, self.early = self.early, EMPTY

    def after_reset(self) -> Self:
        """Leave the pages that were hinted, which are the guest's again, and the copy as it is."""
        over = (
            self.over
            | self.hinted
            | self.overridden
            | self.unclear
            | self.stale
            | self.unseen
            | self.looked_at
        )
        return type(self)(
            self.exchange,
            over=over,
            is_copied=self.is_copied,
            is_ending=self.is_ending,
            late=self.late,
            may_be_skipped=self.may_be_skipped,
            must_be_copied=self.must_be_copied,
            stale_in_copy=self.stale_in_copy,
            early=self.early,
        )
