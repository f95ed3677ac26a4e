"""Page reporting in the references: a device that gives memory back, a driver that tells which is free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from balloon_conformance.families.page_poison.reference import VALUE
from balloon_conformance.reference.coalesce import split_at_runs
from balloon_conformance.reference.device_requests import Step as DeviceStep
from balloon_conformance.reference.device_state import DeviceOutput, DeviceState, Discard, Overwrite
from balloon_conformance.reference.driver_pages import Step as DriverStep
from balloon_conformance.reference.driver_state import BalloonInput, DriverOutput, DriverState, Fill, Flight
from balloon_conformance.reference.machine import Note
from balloon_conformance.reference.parts import DevicePart, DriverPart
from balloon_spec.events import Available, Guest, GuestAction, Segment, Used
from balloon_spec.families.page_poison import POISON_VAL
from balloon_spec.families.page_reporting import REPORT, REPORTING
from balloon_spec.families.page_reporting.declaration import FAMILY
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import inward, over, writable_ranges

__all__ = ["MOST_RANGES", "Free", "PageReportingOfDevice", "PageReportingOfDriver", "free_in"]

MOST_RANGES: Final = 32
"""So many ranges the driver puts into one report, as Linux does."""
_OWN_REPORT: Final = 64
"""So many of its own pages a driver reports that nobody tells which are free."""


class PageReportingOfDevice(DevicePart):
    """A device that discards what is reported, and then returns the report."""

    family = FAMILY

    # REPORT-16: every report comes back. REPORT-17: with a used length of 0. REPORT-13: nothing comes after.
    def take(self, state: DeviceState, _queue: Queue, buffer: Available) -> DeviceStep:
        """Give the pages of a report back to the host, and return it."""
        returned = self.device.return_buffer(buffer)
        if buffer.readable or any(not one.writable for one in buffer.segments):
            return state, (Note("REPORT-08", "the report has a device-readable part"), returned)
        return state, (*self.give_back(state, self.pages(buffer.segments)), returned)

    # REPORT-18: where the descriptors point is what counts. REPORT-14: each range is rounded inward, and
    # clipped to guest memory.
    def pages(self, segments: Sequence[Segment]) -> PageSet:
        """Return the pages that lie in a range from their first byte to their last."""
        return inward(writable_ranges(segments)) & self.device.options.memory

    # REPORT-11, REPORT-15: without page poison, and with poison_val 0, the pages may hold zeros.
    # REPORT-12: with another value they hold that value afterwards.
    def give_back(self, state: DeviceState, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Return what becomes of the pages of a report."""
        if not pages or self.device.options.inhibited:
            return ()
        fill = self.poison(state)
        return (Overwrite(pages, fill),) if any(fill) else (Discard(pages),)

    def poison(self, state: DeviceState) -> bytes:
        """Return ``poison_val``, four bytes; zeros if page poison was not negotiated."""
        if not self.device.has(state, "PAGE_POISON"):
            return bytes(POISON_VAL.length_bytes)
        return self.device.configuration(state)[POISON_VAL.offset_bytes : POISON_VAL.end_bytes]


@dataclass(frozen=True, slots=True)
class Free:
    """What a driver remembers: the free pages to report, and whether it did so by itself."""

    pages: PageSet = EMPTY
    was_reported: bool = False
    relies: bool = False
    """The guest relies on what it left in its free pages."""


_NOTHING: Final = Free()


def free_in(state: DriverState) -> Free:
    """Return what a driver in this state remembers."""
    free: Free = state.parts.get(FAMILY.name, _NOTHING)
    return free


class PageReportingOfDriver(DriverPart):
    """A driver that fills free pages if it said so, reports them, and leaves them alone until the return."""

    family = FAMILY
    wishes = frozenset({REPORT, GuestAction.RELY})

    # REPORT-01.
    def choose(self, _offered: int, chosen: int) -> int:
        """Leave reporting out if the guest relies on free pages, and the device is not told their value."""
        profile = self.driver.options.profile
        names = profile.names(chosen)
        if free_in(self.driver.state).relies and "PAGE_POISON" not in names:
            return chosen & ~profile.mask(name for name in names if name == "PAGE_REPORTING")
        return chosen

    def remember_wish(self, state: DriverState, action: GuestAction, pages: PageSet) -> DriverState:
        """Take in which pages are free, or that the guest relies on what they hold."""
        free = free_in(state)
        if action is GuestAction.RELY:
            return self.remember(state, replace(free, relies=True))
        return self.remember(state, replace(free, pages=free.pages | pages))

    def act(self, state: DriverState) -> DriverStep:
        """Report the free pages while there is a device that takes reports."""
        if not self.driver.has(state, "PAGE_REPORTING"):
            return state, ()
        free = free_in(state)
        # REPORT-09: what is in the balloon, or with the device already, is not free.
        pages = (free.pages & self.driver.options.memory) - self.driver.held(state)
        state = self.remember(state, replace(free, pages=EMPTY))
        state = replace(state, pool=state.pool - pages)
        outputs: tuple[DriverOutput, ...] = self.prepare(state, pages)
        for part in split_at_runs(pages, MOST_RANGES):
            state, more = self.driver.lend(state, Flight(REPORTING, part), self.segments(part))
            outputs += more
        return state, outputs

    # REPORT-03.
    def prepare(self, state: DriverState, pages: PageSet) -> tuple[Fill, ...]:
        """Fill pages before they are reported, if the device was told with what."""
        if not pages or not self.driver.has(state, "PAGE_POISON"):
            return ()
        return (Fill(pages, VALUE.to_bytes(POISON_VAL.length_bytes, "little")),)

    # REPORT-06: one range for each run, as long as it is. REPORT-08, REPORT-10.
    def segments(self, pages: PageSet) -> tuple[Segment, ...]:
        """Return the descriptors of a report."""
        return over(pages)

    # REPORT-04.
    def keeps(self, state: DriverState) -> PageSet:
        """Return the pages of the reports in flight: nobody may use them."""
        return PageSet.union(one.pages for one in self.driver.in_flight(state, REPORTING))

    def returned(self, state: DriverState, flight: Flight, _used: Used) -> DriverStep:
        """Let the guest have the pages of a report again."""
        own = self.driver.options.own_memory
        if own is None:
            return state, (Guest(GuestAction.USE, flight.pages),)
        state = replace(state, pool=state.pool | (flight.pages & own))
        return self.driver.balloon(BalloonInput.WISH, state)

    # REPORT-05.
    def changed(self, state: DriverState, _space: bytes) -> DriverStep:
        """Report some of the driver's own pages, once, if nobody tells it which are free."""
        free = free_in(state)
        if self.driver.options.own_memory is None or free.was_reported:
            return state, ()
        pages = _last(state.pool, _OWN_REPORT)
        return self.act(self.remember(state, replace(free, pages=pages, was_reported=True)))

    def reset(self, before: DriverState, fresh: DriverState) -> DriverState:
        """Keep what is known of the guest."""
        return self.remember(fresh, replace(free_in(before), was_reported=False))


def _last(pages: PageSet, count: int) -> PageSet:
    """Return the ``count`` highest pages of the last run, as far as it has them."""
    if not pages:
        return EMPTY
    run = pages.runs[-1]
    first = max(run.first, run.end - count)
    return PageSet([(first, run.end - first)])
