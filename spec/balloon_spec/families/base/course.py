"""The course of a balloon from target to target: what it takes to judge where a driver comes to rest.

All numbers are pages of 4 KiB.
"""

from __future__ import annotations

from dataclasses import dataclass

from balloon_spec import events as ev
from balloon_spec.families.base import DEFLATE, INFLATE, configuration
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.configuration_space import Configuration
from balloon_spec.families.base.guest_wishes import GuestWishes
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PageSet

__all__ = ["ROUNDS_WITHOUT_END", "Course"]

ROUNDS_WITHOUT_END = 3
"""So often a driver inflates again what it took back, without a rest, before that is called endless."""

_LARGEST_GUEST_PAGE = 64
"""The largest page that guests are built with, 256 KiB: a driver of such a guest rounds a target to it."""


@dataclass(slots=True, eq=False)
class Course(Ledger):
    """What happened since ``num_pages`` last changed, or the driver last rested; see each field.

    The first ledger: it sees all others as they were before the event.
    """

    least_num_pages: int | None = None
    """The least ``num_pages`` since the driver last rested; a later one it may not have seen yet."""
    most_num_pages: int | None = None
    """The greatest, likewise."""
    moved_in_flight: bool = False
    """``num_pages`` changed while an inflate or deflate buffer was with the device, and no rest since."""
    grew: bool = False
    """An inflate buffer came back since the last rest."""
    shrank: bool = False
    """A deflate buffer came back since the last rest."""
    overshot: bool = False
    """The last inflate buffer named more than ``num_pages`` asked for, which has not changed since."""
    told: bool = False
    """Where the driver rests was judged, and nothing has happened since."""
    below: int | None = None
    """What a deflate buffer had to leave and did not, where it may be that the driver gives its device up."""
    for_memory: bool = False
    """The last deflate buffer came when ``num_pages`` asked for every page of the balloon."""
    took_back: bool = False
    """``actual`` fell below ``num_pages`` by DEFLATE_ON_OOM since that changed."""
    has_fallen: bool = False
    """It did so, and has not grown since."""
    taken_back: PageSet = EMPTY
    """The pages of deflate buffers that came for want of memory; not those given up since."""
    gives_again: bool = False
    """The last inflate buffer named pages that the driver, and not the guest, chose to give again."""
    rounds: int = 0
    """How often it grew again after that, without a rest between."""
    owed_to_deflate: PageSet = EMPTY
    """The pages the guest wants back and finds in no deflate buffer."""
    guest_page: int = 0
    """The largest page of the guest that explains every inflate buffer; 0 before the first."""

    @property
    def driver_chooses(self) -> bool:
        """Whether the driver picks its own pages: it was seen to, if nobody said."""
        if self.exchange.steered is not None:
            return not self.exchange.steered
        wishes = self.exchange[GuestWishes]
        return wishes.to_inflate is None and wishes.to_deflate is None and self.guest_page > 0

    def free_now(self) -> int | None:
        """Return how many pages the guest has free, by all it said; None if it did not say."""
        answers = (one.free_pages() for one in self.exchange.companions)
        return next((free for free in answers if free is not None), None)

    def limit(self) -> int:
        """Return what a deflate buffer has to leave in the balloon without DEFLATE_ON_OOM (DEF-09)."""
        return min(self.least(), self.exchange[Configuration].actual or 0)

    def left(self, pages: PageSet) -> int:
        """Return how many pages a deflate buffer that takes ``pages`` leaves, as the driver counts."""
        # Pages that actual counts and no inflate buffer named are INF-03's; the driver has them all the same.
        told = (self.exchange[Balloon].named | self.exchange[Balloon].deflating).pages
        return (self.exchange[Balloon].named - pages).pages + max(
            (self.exchange[Configuration].actual or 0) - told, 0
        )

    def least(self) -> int:
        """Return the least ``num_pages`` that the driver may go by."""
        return (
            self.exchange[Configuration].num_pages if self.least_num_pages is None else self.least_num_pages
        ) or 0

    def slack(self) -> int:
        """Return by how much a balloon of whole guest pages may exceed its target."""
        return min(self.guest_page, _LARGEST_GUEST_PAGE) - 1 if self.guest_page else 0

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take an event in."""
        match event:
            case ev.Available() if buffer is not None:
                self._available(buffer)
            case ev.Used():
                self._used(buffer)
            case ev.ConfigurationRead() | ev.ConfigurationChanged():
                self._target(event)
            case ev.ConfigurationWritten():
                self._written(event)
            case ev.Guest():
                self._guest(event)
            case ev.Quiet() if event.side is ev.Side.DRIVER:
                self._rested()
            case _:
                pass

    def _available(self, buffer: InFlight) -> None:
        pages = buffer.content.intended
        if buffer.queue is INFLATE:
            self.told = False
            self.below = None
            named = (self.exchange[Balloon].named | pages).pages
            self.gives_again = self.driver_chooses or bool(pages & self.taken_back)
            self.guest_page = _page_size(pages, self.guest_page)
            self.overshot = self.most_num_pages is not None and named > self.most_num_pages + self.slack()
        elif buffer.queue is DEFLATE:
            self.told = False
            self.owed_to_deflate -= pages
            self.for_memory = self.exchange[Balloon].named.pages <= self.least()
            self.taken_back |= pages if self.for_memory else EMPTY
            limit = self.limit()
            if self.left(pages) < limit:
                self.below = limit

    def _used(self, buffer: InFlight | None) -> None:
        if buffer is not None and buffer.queue is INFLATE:
            self.grew = True
        elif buffer is not None and buffer.queue is DEFLATE:
            self.shrank = True

    def _target(self, event: ev.ConfigurationRead | ev.ConfigurationChanged) -> None:
        offset = event.offset if isinstance(event, ev.ConfigurationRead) else 0
        if offset != configuration.NUM_PAGES_OFFSET or len(event.data) < 4:
            return
        seen = int.from_bytes(event.data[:4], "little")
        if isinstance(event, ev.ConfigurationRead) and seen == self.exchange[Configuration].num_pages_before:
            return
        self.least_num_pages = seen if self.least_num_pages is None else min(self.least_num_pages, seen)
        self.most_num_pages = seen if self.most_num_pages is None else max(self.most_num_pages, seen)
        if seen != self.exchange[Configuration].num_pages:
            self.told = self.took_back = self.has_fallen = self.overshot = False
            self.rounds, self.taken_back = 0, EMPTY
            if self.exchange[Buffers].on(INFLATE, DEFLATE):
                self.moved_in_flight = True

    def _written(self, event: ev.ConfigurationWritten) -> None:
        if event.offset != configuration.ACTUAL_OFFSET or len(event.data) != 4:
            return
        actual, before = int.from_bytes(event.data, "little"), self.exchange[Configuration].actual or 0
        self.below = None
        if actual < before and self.for_memory and self.exchange[Session].has("DEFLATE_ON_OOM"):
            self.took_back = self.has_fallen = True
        elif actual > before and self.has_fallen:
            self.has_fallen = False
            self.rounds += self.gives_again
        if actual > before and actual == self.exchange[Configuration].num_pages:
            # It grew to this target, so it has seen it.
            self.least_num_pages = actual

    def _guest(self, event: ev.Guest) -> None:
        if event.action is ev.GuestAction.DEFLATE:
            self.told = False
            self.owed_to_deflate |= event.pages
        elif event.action is ev.GuestAction.INFLATE:
            self.told = False
            self.owed_to_deflate -= event.pages
            self.taken_back -= event.pages

    def _rested(self) -> None:
        self.rounds, self.taken_back = 0, EMPTY
        if self.exchange[Buffers].on(INFLATE, DEFLATE):
            return
        self.told = True
        self.moved_in_flight = self.grew = self.shrank = False
        self.below = None
        self.least_num_pages = self.most_num_pages = self.exchange[Configuration].num_pages


def _page_size(pages: PageSet, before: int) -> int:
    """Return the largest power of two that every run begins and ends at, ``before`` at the most if not 0."""
    bounds = [run.first | run.count for run in pages]
    sizes = [one & -one for one in bounds] + ([before] if before else [])
    return min(sizes, default=0)
