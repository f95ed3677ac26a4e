"""The reference driver: negotiation, what comes back from the device, and what the guest asks for.

A reset ends every operation: the guest has the pages of the balloon back, and the next device starts with an
empty balloon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from balloon_conformance.reference.driver_balloon import BallooningDriver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_requests import AnsweringDriver
from balloon_conformance.reference.driver_state import (
    Accepted,
    AnswerInput,
    BalloonInput,
    DriverOptions,
    DriverOutput,
    DriverPhase,
    DriverState,
    Flight,
    Freed,
    Offer,
)
from balloon_conformance.reference.machine import Move, Note, Refusal, Refused, Table
from balloon_conformance.reference.parts import DriverPart, driver_parts
from balloon_spec.events import (
    ConfigurationChanged,
    ConfigurationRead,
    DriverOk,
    Guest,
    GuestAction,
    Memory,
    Reset,
    Used,
)
from balloon_spec.families.base import DEFLATE, INFLATE, configuration
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

__all__ = ["DRIVER", "RETURNS", "WISHES", "Driver"]

_FRESH, _RUNNING = DriverPhase

DRIVER: Table = MappingProxyType(
    {
        (_FRESH, Offer): Move("negotiate", (_RUNNING,)),
        (_FRESH, Used): Refusal("the buffer is from before the reset"),
        (_FRESH, ConfigurationChanged): Refusal("the driver is bound to no device"),
        (_FRESH, Guest): Move("remember", (_FRESH,)),
        (_FRESH, Freed): Move("put_aside", (_FRESH,)),
        (_FRESH, Reset): Move("reset", (_FRESH,)),
        (_RUNNING, Offer): Refusal("features are negotiated once between two resets"),
        (_RUNNING, Used): Move("take_back", (_RUNNING,)),
        (_RUNNING, ConfigurationChanged): Move("read_target", (_RUNNING,)),
        (_RUNNING, Guest): Move("wish", (_RUNNING,)),
        (_RUNNING, Freed): Move("take_freed", (_RUNNING,)),
        (_RUNNING, Reset): Move("reset", (_FRESH,), ("RESET-05",)),
    }
)
"""What happens in every phase."""

RETURNS: Mapping[Queue, str] = MappingProxyType(
    {
        INFLATE: "inflate_returned",
        DEFLATE: "deflate_returned",
    }
)
"""The method that takes a buffer of each queue of the base family back; other families have their parts."""

WISHES: Mapping[GuestAction, str] = MappingProxyType(
    {
        GuestAction.INFLATE: "give_up",
        GuestAction.DEFLATE: "want_back",
        GuestAction.USE: "use",
        GuestAction.HOLD: "use",
    }
)
"""The method that takes each request of the guest that is about the balloon."""


class Driver(BallooningDriver, AnsweringDriver):
    """A driver that keeps every requirement; :data:`DRIVER` lists what it answers.

    It has the parts that the families of its profile declare; ``parts`` take the place of those of their
    families.
    """

    table = DRIVER

    def __init__(self, options: DriverOptions | None = None, parts: Sequence[type[DriverPart]] = ()) -> None:
        self.options = options or DriverOptions()
        self.state = DriverState(pool=self.options.own_memory or EMPTY)
        self.family_parts = driver_parts(self, self.options.profile.families, parts)

    # -- negotiation --------------------------------------------------------------------------------------

    # NEG-03, NEG-04: without STATS_VQ neither CHUNK_TRANSFER nor HOST_REQ_VQ, decided before FEATURES_OK.
    # NEG-05: a subset of the offer. NEG-10: MUST_TELL_HOST is accepted like every other feature.
    def choose(self, offered: int) -> int:
        """Return the features to accept: all that are supported and legal together."""
        profile = self.options.profile
        chosen = offered & self.options.features
        while missing := profile.missing_requirements(chosen):
            chosen &= ~profile.mask(feature for feature, _ in missing)
        for part in self.family_parts:
            chosen = part.choose(offered, chosen)
        return chosen

    def negotiate(self, state: DriverState, given: Offer) -> Step:
        """Accept features, set up the queues, set DRIVER_OK, and read the target."""
        state = replace(state, offered=given.offered, accepted=self.choose(given.offered))
        outputs: tuple[DriverOutput, ...] = (Accepted(state.accepted), Memory(self.options.memory))
        for part in self.family_parts:
            state, more = part.set_up(state)
            outputs += more
        state = replace(state, phase=DriverPhase.RUNNING)
        state, more = self.read_target(state, ConfigurationChanged(given.configuration))
        return state, (*outputs, DriverOk(), *more)

    # REQ-01: the request buffer is there at DRIVER_OK.
    def set_up_requests(self, state: DriverState) -> Step:
        """Make the request buffer available if the queue exists (QUEUE-02)."""
        return self.exchange(AnswerInput.START, state) if self.has(state, "HOST_REQ_VQ") else (state, ())

    # RESET-05: no exchange outlives the device; nor do the balloon and the guest's requests.
    def reset(self, state: DriverState, _given: Reset) -> Step:
        """Begin anew. No buffer name is used again, so a late return is not taken for another buffer's."""
        fresh = DriverState(pool=self.pool_after_reset(state), buffers=state.buffers)
        for part in self.family_parts:
            fresh = part.reset(state, fresh)
        return fresh, ()

    def pool_after_reset(self, state: DriverState) -> PageSet:
        """Return the free pages: those that were free, and those of the balloon that are the driver's own."""
        back = self.held(state)
        for pages in state.ballooning.left:
            back |= pages
        back -= state.to_deflate | state.ballooning.promised
        return state.pool | (back & (self.options.own_memory or EMPTY))

    def held(self, state: DriverState) -> PageSet:
        """Return the pages that the guest may not use: those of the balloon, and those that parts keep."""
        pages = super().held(state)
        for part in self.family_parts:
            pages |= part.keeps(state)
        return pages

    # -- the device ---------------------------------------------------------------------------------------

    # CONC-05: a buffer is known by its name, in whatever order buffers come back.
    def take_back(self, state: DriverState, used: Used) -> Step:
        """Take a returned buffer back."""
        flight = state.flights.get(used.buffer)
        if flight is None or self.index(state, flight.queue) != used.queue:
            return state, (Note("BUF-04", f"{used.buffer} was returned and is not in flight"),)
        flights = MappingProxyType(
            {name: kept for name, kept in state.flights.items() if name != used.buffer}
        )
        state = replace(state, flights=flights)
        for part in self.family_parts:
            if flight.queue in part.family.queues:
                return part.returned(state, flight, used)
        step: Step = getattr(self, RETURNS[flight.queue])(state, flight, used)
        return step

    # BUF-06: the used length of a device-readable buffer is ignored.
    def inflate_returned(self, state: DriverState, flight: Flight, _used: Used) -> Step:
        """Take an inflate buffer back."""
        return self.balloon(BalloonInput.INFLATE_RETURNED, state, flight)

    def deflate_returned(self, state: DriverState, flight: Flight, _used: Used) -> Step:
        """Take a deflate buffer back."""
        return self.balloon(BalloonInput.DEFLATE_RETURNED, state, flight)

    def host_request_returned(self, state: DriverState, flight: Flight, used: Used) -> Step:
        """Take a request buffer or a message back."""
        if flight.is_request:
            return self.take_request_buffer(state, used)
        kind = AnswerInput.DONE_RETURNED if flight.is_done else AnswerInput.CONT_RETURNED
        return self.exchange(kind, state)

    def read_target(self, state: DriverState, changed: ConfigurationChanged) -> Step:
        """Read num_pages, little-endian, and act on it."""
        data = changed.data[configuration.NUM_PAGES_OFFSET :][:4]
        if len(data) < 4:
            return state, (Note("CFG-01", f"the configuration space has {len(changed.data)} bytes"),)
        state = replace(state, num_pages=self.target(data))
        state, outputs = self.balloon(BalloonInput.WISH, state)
        for part in self.family_parts:
            state, more = part.changed(state, changed.data)
            outputs += more
        return state, (ConfigurationRead(configuration.NUM_PAGES_OFFSET, data), *outputs)

    # CFG-01, CFG-11: little-endian, in 4 KiB pages.
    def target(self, data: bytes) -> int:
        """Read num_pages from its 4 bytes."""
        return int.from_bytes(data, "little")

    # -- the guest ----------------------------------------------------------------------------------------

    def remember(self, state: DriverState, given: Guest) -> Step:
        """Keep a request of the guest while there is no device."""
        for part in self.family_parts:
            if given.action in part.wishes:
                return part.remember_wish(state, given.action, given.pages), ()
        if given.action not in WISHES:
            return state, (Refused(f"{given.action}", "no family of the profile takes it"),)
        changed: DriverState = getattr(self, WISHES[given.action])(state, given)
        return changed, ()

    def wish(self, state: DriverState, given: Guest) -> Step:
        """Take a request of the guest and act on it."""
        state, outputs = self.remember(state, given)
        for part in self.family_parts:
            if given.action in part.wishes:
                state, more = part.act(state)
                outputs += more
        state, more = self.balloon(BalloonInput.WISH, state)
        return state, outputs + more

    def put_aside(self, state: DriverState, given: Freed) -> Step:
        """Remember pages that became free."""
        return replace(state, pool=state.pool | (given.pages & (self.options.own_memory or EMPTY))), ()

    # INF-10: the target may have asked for them before they were free.
    def take_freed(self, state: DriverState, given: Freed) -> Step:
        """Remember pages that became free, and inflate with them if the target asks for it."""
        state, _ = self.put_aside(state, given)
        return self.balloon(BalloonInput.WISH, state)

    def give_up(self, state: DriverState, given: Guest) -> DriverState:
        """The guest gives pages up. The guest's last request about a page counts."""
        return replace(
            state, to_inflate=state.to_inflate | given.pages, to_deflate=state.to_deflate - given.pages
        )

    def want_back(self, state: DriverState, given: Guest) -> DriverState:
        """The guest wants pages back. The driver may no longer take them as free pages."""
        return replace(
            state,
            to_deflate=state.to_deflate | given.pages,
            to_inflate=state.to_inflate - given.pages,
            pool=state.pool - given.pages,
        )

    def use(self, state: DriverState, given: Guest) -> DriverState:
        """The guest uses pages: they are no longer unused or free."""
        return replace(
            state,
            unused=state.unused - given.pages,
            to_inflate=state.to_inflate - given.pages,
            pool=state.pool - given.pages,
        )
