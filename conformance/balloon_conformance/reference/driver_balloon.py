"""The balloon of the reference driver: one operation at a time, and what starts the next.

An operation takes all the pages it can at once and divides them among buffers. It has as many of these in
flight as it may (CONC-08), and writes ``actual`` when the last one came back (CFG-10).
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar

from balloon_conformance.reference.coalesce import lowest
from balloon_conformance.reference.driver_pages import PageWriter, Step
from balloon_conformance.reference.driver_state import (
    Ballooning,
    BalloonInput,
    BalloonPhase,
    DriverOutput,
    DriverState,
    Flight,
)
from balloon_conformance.reference.machine import Move, Refusal, Table
from balloon_spec.events import ConfigurationWritten, Guest, GuestAction
from balloon_spec.families.base import DEFLATE, INFLATE, configuration
from balloon_spec.pages import EMPTY, PageSet

__all__ = ["BALLOON", "BallooningDriver"]

_RESTING, _INFLATING, _DEFLATING = BalloonPhase

BALLOON: Table = MappingProxyType(
    {
        (_RESTING, BalloonInput.WISH): Move("consider", (_RESTING, _INFLATING, _DEFLATING)),
        (_RESTING, BalloonInput.INFLATE_RETURNED): Refusal("no inflate buffer is in flight"),
        (_RESTING, BalloonInput.DEFLATE_RETURNED): Refusal("no deflate buffer is in flight"),
        (_INFLATING, BalloonInput.WISH): Refusal("wishes wait until the pages on their way are counted"),
        (_INFLATING, BalloonInput.INFLATE_RETURNED): Move("inflated", (_INFLATING, _RESTING, _DEFLATING)),
        (_INFLATING, BalloonInput.DEFLATE_RETURNED): Refusal("no deflate buffer is in flight"),
        # DEF-03: operations do not overlap, so no page is deflated before its inflate buffer came back.
        (_DEFLATING, BalloonInput.WISH): Refusal("wishes wait until the pages on their way are counted"),
        (_DEFLATING, BalloonInput.INFLATE_RETURNED): Refusal("no inflate buffer is in flight"),
        (_DEFLATING, BalloonInput.DEFLATE_RETURNED): Move("deflated", (_DEFLATING, _RESTING, _INFLATING)),
    }
)
"""What happens to the balloon in every phase."""

_QUEUES = MappingProxyType({_INFLATING: INFLATE, _DEFLATING: DEFLATE})


class BallooningDriver(PageWriter):
    """The part of the driver that inflates and deflates."""

    balloon_table: ClassVar[Table] = BALLOON

    def balloon(self, kind: BalloonInput, state: DriverState, given: object = None) -> Step:
        """Take one step in the table of the balloon."""
        return self.follow(self.balloon_table, state.ballooning.phase, kind, state, given)

    # -- what to do next ----------------------------------------------------------------------------------

    def consider(self, state: DriverState, _given: object) -> Step:
        """Start an operation if the target or the guest asks for one."""
        pages = self.pages_to_inflate(state)
        if pages:
            return self.start_inflating(state, pages)
        pages = self.pages_to_deflate(state)
        if pages:
            return self.start_deflating(state, pages)
        return state, ()

    # INF-10: as many as num_pages asks for. INF-11: no page that is in the balloon.
    def pages_to_inflate(self, state: DriverState) -> PageSet:
        """Return the pages to inflate now: first those the guest gave up, then the driver's own."""
        room = state.num_pages - state.ballooning.balloon.pages
        free = self.nameable(state) - self.held(state)
        given = lowest(state.to_inflate & free, room)
        return given | lowest((state.pool & free) - given, room - given.pages)

    # DEF-04: only pages of the balloon. DEF-10: as soon as the balloon exceeds the target.
    def pages_to_deflate(self, state: DriverState) -> PageSet:
        """Return the pages to deflate now: first those the guest wants, then the excess."""
        balloon = state.ballooning.balloon
        excess = balloon.pages - state.num_pages
        wanted = lowest(state.to_deflate & balloon, self.most_wanted(state, excess))
        if self.options.own_memory is None:
            return wanted
        return wanted | lowest((balloon & self.options.own_memory) - wanted, excess - wanted.pages)

    # DEF-09: the balloon does not shrink below num_pages, unless DEFLATE_ON_OOM lets the guest decide.
    def most_wanted(self, state: DriverState, excess: int) -> int:
        """Return how many pages the guest may have back; ``excess`` counts the pages above the target."""
        return state.ballooning.balloon.pages if self.has(state, "DEFLATE_ON_OOM") else excess

    # -- inflate ------------------------------------------------------------------------------------------

    def start_inflating(self, state: DriverState, pages: PageSet) -> Step:
        """Take pages from the guest and make them available to the device."""
        # INF-04: from here on the guest does not use these pages, and no message calls them unused.
        state = replace(
            state,
            to_inflate=state.to_inflate - pages,
            pool=state.pool - pages,
            unused=state.unused - pages,
            ballooning=replace(state.ballooning, phase=_INFLATING, left=self.split(state, pages)),
        )
        return self.send_pages(state)

    # INF-03, DEF-11: every page of the operation is in one of the buffers.
    def send_pages(self, state: DriverState) -> Step:
        """Make buffers of the operation available while there is room."""
        queue = _QUEUES[state.ballooning.phase]
        outputs: tuple[DriverOutput, ...] = ()
        while state.ballooning.left and self.has_room(state, queue):
            pages, *left = state.ballooning.left
            state = replace(state, ballooning=replace(state.ballooning, left=tuple(left)))
            # QUEUE-03: these buffers have no device-writable part.
            state, more = self.make_available(state, Flight(queue, pages), self.encode_pages(state, pages))
            outputs += more
        return state, outputs

    # INF-05: a page counts once its buffer came back.
    def inflated(self, state: DriverState, flight: Flight) -> Step:
        """Put the pages of a returned buffer into the balloon."""
        balloon = state.ballooning.balloon | flight.pages
        state = replace(state, ballooning=replace(state.ballooning, balloon=balloon))
        return self.go_on(state)

    # -- deflate ------------------------------------------------------------------------------------------

    def start_deflating(self, state: DriverState, pages: PageSet) -> Step:
        """Tell the device which pages are taken back."""
        # A request for pages that are not in the balloon is already fulfilled: the guest has them.
        wanted = state.to_deflate & state.ballooning.balloon
        ballooning = replace(
            state.ballooning, phase=_DEFLATING, left=self.split(state, pages), promised=wanted & pages
        )
        return self.send_pages(replace(state, to_deflate=wanted - pages, ballooning=ballooning))

    # DEF-05: the guest has its pages once the deflate buffer came back, with or without MUST_TELL_HOST
    # (DEF-06).
    def deflated(self, state: DriverState, flight: Flight) -> Step:
        """Take the pages of a returned buffer out of the balloon, and give them to the guest."""
        ballooning = state.ballooning
        promised, own = flight.pages & ballooning.promised, flight.pages - ballooning.promised
        state = replace(
            state,
            pool=state.pool | own,
            ballooning=replace(ballooning, balloon=ballooning.balloon - flight.pages),
        )
        state, outputs = self.go_on(state)
        return state, (*self.let_use(promised), *outputs)

    def let_use(self, pages: PageSet) -> tuple[DriverOutput, ...]:
        """Let the guest use pages it asked for."""
        return (Guest(GuestAction.USE, pages),) if pages else ()

    # -- both ---------------------------------------------------------------------------------------------

    def go_on(self, state: DriverState) -> Step:
        """Send what is left of the operation, or end it if every buffer came back."""
        state, outputs = self.send_pages(state)
        if state.ballooning.left or self.in_flight(state, _QUEUES[state.ballooning.phase]):
            return state, outputs
        state, ending = self.finish(state)
        return state, outputs + ending

    # CFG-04: actual follows every change of the balloon.
    def finish(self, state: DriverState) -> Step:
        """End the operation: write actual, and start the next one if there is one."""
        ballooning = Ballooning(balloon=state.ballooning.balloon, promised=EMPTY)
        state = replace(state, ballooning=ballooning)
        written = self.write_actual(self.count(state))
        state, outputs = self.balloon(BalloonInput.WISH, state)
        return state, (*written, *outputs)

    # CFG-05: the pages of the balloon and no others.
    def count(self, state: DriverState) -> int:
        """Return the value of ``actual``."""
        return state.ballooning.balloon.pages

    # CFG-02, CFG-03: one store of four bytes; num_pages is left alone.
    def write_actual(self, pages: int) -> tuple[DriverOutput, ...]:
        """Write ``actual``, little-endian."""
        space = configuration.build(configuration.Configuration(0, pages))
        return (ConfigurationWritten(configuration.ACTUAL_OFFSET, space[configuration.ACTUAL_OFFSET :]),)
