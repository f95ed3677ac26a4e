"""Drivers that choose their own pages, in a modelled guest, and whose fault shows only there."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.iut.reference.free_driver import FreeReferenceDriver
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import DriverState, Flight, Freed
from balloon_spec.events import Reset, Used
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.pages import EMPTY, PageSet


class _NamesPagesBeside(Driver):
    """Names, in place of each page, the one after it."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Build chunks of the next pages."""
        return super().encode_chunks(PageSet((run.first + 1, run.count) for run in pages))


@mutant("INF-04", also=("CHUNK-05", "DEF-05"))
class NamesThePageAfter(FreeReferenceDriver):
    """The host discards a page at the end of each run that the guest never gave up, and continues to use.

    Nobody outside knows which page the driver chose, and the numbers are right. It shows if the guest fills
    its memory.
    """

    def __init__(self) -> None:
        super().__init__(_NamesPagesBeside)


class _DeflatesWhenAnswered(Driver):
    """Takes no pages back while a message of unused pages is with the device."""

    def pages_to_deflate(self, state: DriverState) -> PageSet:
        """Find no pages while a message is in flight."""
        messages = any(not one.is_request for one in self.in_flight(state, HOST_REQUEST))
        return EMPTY if messages else super().pages_to_deflate(state)

    def host_request_returned(self, state: DriverState, flight: Flight, used: Used) -> Step:
        """Check whether there is something to deflate now."""
        state, outputs = super().host_request_returned(state, flight, used)
        state, more = self.take_freed(state, Freed(EMPTY))
        return state, (*outputs, *more)


@mutant("CONC-04")
class DeflatesAfterTheAnswer(FreeReferenceDriver):
    """A guest whose operator gives memory back during a migration gets none of it before it ends."""

    def __init__(self) -> None:
        super().__init__(_DeflatesWhenAnswered)


class _ReportsAllMemory(Driver):
    """Names everything that is not in the balloon."""

    def unused_pages(self, state: DriverState) -> PageSet:
        """Return all of memory except the balloon."""
        return self.options.memory - self.held(state)


@mutant("UNUSED-10")
class ReportsWhatTheGuestUses(FreeReferenceDriver):
    """A migrated guest wakes up without data that it kept in memory and did not write meanwhile."""

    def __init__(self) -> None:
        super().__init__(_ReportsAllMemory)


class _KeepsItsBalloon(Driver):
    """Counts the pages of the balloon before a reset as pages of the new one."""

    def reset(self, state: DriverState, given: Reset) -> Step:
        """Keep the pages of the balloon."""
        after, outputs = super().reset(state, given)
        return replace(after, ballooning=replace(after.ballooning, balloon=state.ballooning.balloon)), outputs


@mutant("DEF-04")
class KeepsItsBalloonOverAReset(FreeReferenceDriver):
    """After a restart of the device the operator sees a balloon of which the host has no page."""

    def __init__(self) -> None:
        super().__init__(_KeepsItsBalloon)
