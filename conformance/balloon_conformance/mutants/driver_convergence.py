"""Drivers that come to rest at a wrong size; most of them pick their own pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.iut.sight import Fact
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.coalesce import lowest
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import BalloonPhase, DriverOutput, DriverState
from balloon_spec.events import ConfigurationChanged, DriverOk, Event
from balloon_spec.pages import EMPTY, PageSet

_A_FEW = 16
_BUFFERFUL = 256
_OVER_AND_OVER = 20


class _Free(ReferenceDriver):
    """A driver that picks its own pages. Its class says how."""

    kind: type[Driver]

    def __init__(self) -> None:
        super().__init__(self.kind, steered=False)


# -- upwards ----------------------------------------------------------------------------------------------


class _HoldsAFew(Driver):
    def pages_to_inflate(self, state: DriverState) -> PageSet:
        room = _A_FEW - state.ballooning.balloon.pages
        return lowest(super().pages_to_inflate(state), max(room, 0))


@mutant("INF-10", also=("INF-13",))
class HoldsAFewPagesAtTheMost(_Free):
    """The operator asks for gigabytes and gets sixteen pages."""

    kind = _HoldsAFew


class _Rounds(Driver):
    def pages_to_inflate(self, state: DriverState) -> PageSet:
        pages = super().pages_to_inflate(state)
        short = -pages.pages % _BUFFERFUL
        return pages | lowest(state.pool - self.held(state) - pages, short)

    def pages_to_deflate(self, state: DriverState) -> PageSet:
        excess = state.ballooning.balloon.pages - state.num_pages
        return super().pages_to_deflate(state) if excess >= _BUFFERFUL else EMPTY


@mutant("INF-12", also=("DEF-12", "INF-13"))
class InflatesWholeBuffers(_Free):
    """A guest that is asked for one page gives up 256, and does not get them back.

    Its buffers have a multiple of 256 pages, whatever the target; it takes back no fewer.
    """

    kind = _Rounds


# -- downwards --------------------------------------------------------------------------------------------


class _KeepsAll(Driver):
    def pages_to_deflate(self, state: DriverState) -> PageSet:
        return EMPTY


@mutant("DEF-12", also=("INF-13",), origin="Hermit: it deflates for want of memory and for nothing else")
class NeverDeflates(_Free):
    """A guest never gets back the pages that it gave up."""

    kind = _KeepsAll


class _TakesAQuarter(Driver):
    has_deflated = False

    def read_target(self, state: DriverState, changed: ConfigurationChanged) -> Step:
        self.has_deflated = False
        return super().read_target(state, changed)

    def pages_to_deflate(self, state: DriverState) -> PageSet:
        pages = super().pages_to_deflate(state)
        return EMPTY if self.has_deflated else lowest(pages, -(-pages.pages // 4))

    def start_deflating(self, state: DriverState, pages: PageSet) -> Step:
        self.has_deflated = True
        return super().start_deflating(state, pages)


@mutant("DEF-12", also=("INF-13",))
class TakesAQuarterBackAndRests(_Free):
    """The guest takes back only one in four of the pages that it may have."""

    kind = _TakesAQuarter


class _TakesMoreThanItSays(Driver):
    taken_at = 0
    is_silent = False

    def finish(self, state: DriverState) -> Step:
        state, outputs = super().finish(state)
        self.is_silent = False
        balloon, target = state.ballooning.balloon, state.num_pages
        at_rest = state.ballooning.phase is BalloonPhase.RESTING and balloon.pages == target
        if not at_rest or self.has(state, "DEFLATE_ON_OOM") or target in {0, self.taken_at}:
            return state, outputs
        self.taken_at, self.is_silent = target, True
        state, more = self.start_deflating(state, lowest(balloon, 8))
        return state, (*outputs, *more)

    def write_actual(self, pages: int) -> tuple[DriverOutput, ...]:
        return () if self.is_silent else super().write_actual(pages)


@mutant("DEF-09")
class TakesMoreOnceItIsAtItsTarget(_Free):
    """The host has fewer pages than it asks for each time the driver has reported that it is done.

    The driver reports that the target is reached, takes back eight pages more without a report, and gives
    them up again.
    """

    kind = _TakesMoreThanItSays


class _TakesAndStays(_TakesMoreThanItSays):
    def pages_to_inflate(self, state: DriverState) -> PageSet:
        return EMPTY if self.taken_at == state.num_pages else super().pages_to_inflate(state)


@mutant("CFG-04", also=("DEF-09",))
class TakesMoreBehindAHiddenStatus(_Free):
    """A host that cannot see the driver's status lacks eight pages, and is never told.

    DRIVER_OK is not shown, as over a vhost-user connection without STATUS.
    """

    kind = _TakesAndStays
    unseen = MappingProxyType({**ReferenceDriver.unseen, Fact.DRIVER_OK: "DRIVER_OK is not shown"})

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Leave DRIVER_OK out."""
        return [event for event in super().observe(deadline_seconds) if not isinstance(event, DriverOk)]


# -- a target that moves ----------------------------------------------------------------------------------


class _ReadsAtRestOnly(Driver):
    def read_target(self, state: DriverState, changed: ConfigurationChanged) -> Step:
        is_at_rest = state.ballooning.phase is BalloonPhase.RESTING
        return super().read_target(state, changed) if is_at_rest else (state, ())


@mutant("INF-13")
class LosesATargetThatMoves(_Free):
    """The balloon stays at a size that nobody wants, because the target changed at a busy moment.

    A change that is announced while a buffer is with the device is never read.
    """

    kind = _ReadsAtRestOnly


# -- want of memory ---------------------------------------------------------------------------------------


@mutant("DEF-13")
class InflatesAgainWhatWasTakenBack(Driver):
    """A guest out of memory spends its time on a balloon that shrinks and grows and never rests.

    It gives up the pages that it has just got back, lacks them again, and wants them back.
    """

    rounds = 0
    wanted = EMPTY

    def finish(self, state: DriverState) -> Step:
        """Reverse at the end of each operation."""
        ballooning = state.ballooning
        below = ballooning.balloon.pages < state.num_pages
        if ballooning.phase is BalloonPhase.INFLATING:
            state = replace(state, to_deflate=state.to_deflate | self.wanted)
        elif below and ballooning.promised and self.rounds < _OVER_AND_OVER:
            self.rounds += 1
            self.wanted = ballooning.promised
            state = replace(state, to_inflate=state.to_inflate | ballooning.promised)
        return super().finish(state)
