"""Drivers that are wrong about reports: which pages, in which form, and when the guest has them again."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.families.page_poison.reference import VALUE
from balloon_conformance.families.page_reporting.reference import PageReportingOfDriver, free_in
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.coalesce import lowest
from balloon_conformance.reference.driver_pages import Step as DriverStep
from balloon_conformance.reference.driver_state import DriverOutput, DriverState, Fill, Flight
from balloon_spec.events import Available, Guest, GuestAction, Segment, Used
from balloon_spec.families.page_reporting import REPORTING
from balloon_spec.pages import PAGE_BYTES, PageSet


@mutant("REPORT-01", origin="Linux before May 2020: reporting is used although page poisoning cannot be told")
class ReportsWhatTheGuestReliesOn(PageReportingOfDriver):
    """A guest that poisons its free pages finds something else in them."""

    def choose(self, _offered: int, chosen: int) -> int:
        """Accept reporting whatever the guest does with its pages."""
        return chosen


@mutant("REPORT-03")
class FillsReportedPagesBigEndian(PageReportingOfDriver):
    """The device leaves pages as the driver said, and the guest finds its poison turned round."""

    def prepare(self, state: DriverState, pages: PageSet) -> tuple[Fill, ...]:
        """Fill the pages with the bytes in the wrong order."""
        return tuple(Fill(one.pages, one.data[::-1]) for one in super().prepare(state, pages))


@mutant("REPORT-03")
class FillsTheFirstPageOfAReport(PageReportingOfDriver):
    """What the guest left in its pages comes back as if it were poison."""

    def prepare(self, state: DriverState, pages: PageSet) -> tuple[Fill, ...]:
        """Fill one page, and leave the others as they are."""
        filled = super().prepare(state, pages)
        if not filled:
            return ()
        first = PageSet([(pages.runs[0].first, 1)])
        return Fill(first, VALUE.to_bytes(4, "little")), Fill(pages - first, b"LEFTOVER")


@mutant("REPORT-04")
class UsesReportedPagesAtOnce(PageReportingOfDriver):
    """The guest writes to a page that it reported, and the host discards it with what was written."""

    def act(self, state: DriverState) -> DriverStep:
        """Let the guest have the pages as soon as they are reported."""
        state, outputs = super().act(state)
        pages = self.keeps(state)
        return state, (*outputs, Guest(GuestAction.USE, pages)) if pages else outputs

    def returned(self, state: DriverState, _flight: Flight, _used: object) -> DriverStep:
        """Do nothing: the guest has them already."""
        return state, ()


@mutant(
    "QUEUE-09",
    origin="Linux, Hutchings 2022-06: buffers are made available before DRIVER_OK",
)
class ReportsBeforeDriverOk(PageReportingOfDriver):
    """The device is told of reports before it may look at them."""

    def set_up(self, state: DriverState) -> DriverStep:
        """Report a page, and notify the device."""
        if not self.driver.has(state, "PAGE_REPORTING"):
            return state, ()
        state, outputs = self.driver.lend(
            state, Flight(REPORTING, PageSet([(1, 1)])), [Segment(PAGE_BYTES, True, PAGE_BYTES)]
        )
        return state, tuple(
            replace(one, notified=True) if isinstance(one, Available) else one for one in outputs
        )


@mutant("REPORT-08")
class ReportsPagesToBeRead(PageReportingOfDriver):
    """The device may not touch what is reported, and wins nothing."""

    def segments(self, pages: PageSet) -> tuple[Segment, ...]:
        """Make the descriptors device-readable."""
        return tuple(replace(one, writable=False) for one in super().segments(pages))


@mutant("REPORT-08")
class PutsAHeaderBeforeAReport(PageReportingOfDriver):
    """The device finds bytes to be read before the ranges."""

    def segments(self, pages: PageSet) -> tuple[Segment, ...]:
        """Begin with a device-readable descriptor."""
        return (Segment(8, False, 0x2_0000), *super().segments(pages))


@mutant("REPORT-09")
class ReportsItsBalloon(PageReportingOfDriver):
    """Pages that the driver gave up are reported as free."""

    def act(self, state: DriverState) -> DriverStep:
        """Report whatever the guest calls free, and what is in the balloon beside it."""
        free = free_in(state)
        around = PageSet((max(run.first - 1, 0), run.count + 2) for run in free.pages)
        state, outputs = super().act(state)
        again = around & state.ballooning.balloon
        if not again or not self.driver.has(state, "PAGE_REPORTING"):
            return state, outputs
        state, more = self.driver.lend(state, Flight(REPORTING, again), self.segments(again))
        return state, outputs + more

    def returned(self, state: DriverState, flight: Flight, used: Used) -> DriverStep:
        """Count what was given up meanwhile in, if nobody tells the driver what is free."""
        state, outputs = super().returned(state, flight, used)
        again = lowest(state.ballooning.balloon - self.keeps(state), 1)
        if self.driver.options.own_memory is None or not again:
            return state, outputs
        outputs += self.prepare(state, again)
        state, more = self.driver.lend(state, Flight(REPORTING, again), self.segments(again))
        return state, outputs + more


@mutant("REPORT-09")
class ReportsPagesThatAreReported(PageReportingOfDriver):
    """A page is with the device twice, and the guest has it when the first report is back."""

    def act(self, state: DriverState) -> DriverStep:
        """Report what is on its way too."""
        if not self.driver.has(state, "PAGE_REPORTING"):
            return state, ()
        free = free_in(state)
        state = self.remember(state, replace(free, pages=PageSet()))
        pages = free.pages - state.ballooning.balloon
        outputs: tuple[DriverOutput, ...] = self.prepare(state, pages)
        if not pages:
            return state, ()
        state, more = self.driver.lend(state, Flight(REPORTING, pages), self.segments(pages))
        return state, outputs + more

    def returned(self, state: DriverState, flight: Flight, _used: object) -> DriverStep:
        """Let the guest have what is in no other report."""
        back = flight.pages - self.keeps(state)
        return state, (Guest(GuestAction.USE, back),) if back else ()


@mutant("REPORT-10")
class ReportsPartsOfPages(PageReportingOfDriver):
    """The host cannot give back the first and the last page of a range."""

    def segments(self, pages: PageSet) -> tuple[Segment, ...]:
        """Begin and end within a page."""
        return tuple(
            Segment(one.length_bytes - 512, True, (one.address or 0) + 256) for one in super().segments(pages)
        )
