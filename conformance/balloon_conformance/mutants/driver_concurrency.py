"""Drivers that mix up what must stay separate: buffers, the two kinds of pages, sessions across a reset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.mutants.driver_parts import AltersBuffers, SendsSmallMessages
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import (
    Answering,
    AnswerPhase,
    BalloonPhase,
    DriverOptions,
    DriverState,
    Flight,
)
from balloon_spec.events import Available, BufferAltered, Event, Reset, Segment, Side, Used
from balloon_spec.families.base import INFLATE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.pages import EMPTY, PageSet

_HEADER_BYTES = 8
_SHARED_ADDRESS = 0x5000

# -- the two kinds ----------------------------------------------------------------------------------------


class _AnswersLater(Driver):
    """Leaves a request unanswered while a balloon operation of :attr:`phase` is under way."""

    phase: ClassVar[BalloonPhase]

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self.kept: HostRequest | None = None

    def reset(self, state: DriverState, given: Reset) -> Step:
        """Keep nothing."""
        self.kept = None
        return super().reset(state, given)

    def answer(self, state: DriverState, request: HostRequest) -> Step:
        """Keep the request for later."""
        if state.ballooning.phase is self.phase:
            self.kept = request
            return state, ()
        return super().answer(state, request)

    def finish(self, state: DriverState) -> Step:
        """Answer it now."""
        state, outputs = super().finish(state)
        if self.kept is None or state.ballooning.phase is self.phase:
            return state, outputs
        kept, self.kept = self.kept, None
        state, more = super().answer(state, kept)
        return state, (*outputs, *more)


@mutant("CONC-02", origin="posted driver, D15: a host request waits for a whole inflation")
class AnswersAfterInflating(_AnswersLater):
    """A migration that begins while the balloon inflates waits until the inflation ends."""

    phase = BalloonPhase.INFLATING


@mutant("CONC-03", origin="posted driver, D15: one lock for everything")
class AnswersAfterDeflating(_AnswersLater):
    """A migration that begins while the balloon deflates waits until the deflation ends."""

    phase = BalloonPhase.DEFLATING


@mutant("CONC-04", origin="posted driver, D7 and D15: everything waits for the message to come back")
class InflatesAfterTheAnswer(Driver):
    """An operator who asks for memory during a migration gets none before it ends.

    It does not inflate while a message of unused pages is with the device.
    """

    def pages_to_inflate(self, state: DriverState) -> PageSet:
        """Find no pages while a message is in flight."""
        messages = any(not one.is_request for one in self.in_flight(state, HOST_REQUEST))
        return EMPTY if messages else super().pages_to_inflate(state)

    def host_request_returned(self, state: DriverState, flight: Flight, used: Used) -> Step:
        """Check whether there is something to inflate now."""
        state, outputs = super().host_request_returned(state, flight, used)
        if state.ballooning.phase is not BalloonPhase.RESTING:
            return state, outputs
        state, more = self.consider(state, None)
        return state, (*outputs, *more)


@mutant(
    "CONC-01",
    also=("BUF-05",),
    origin="posted driver: one buffer for both kinds of pages, as said in review on 5 April 2017",
)
class SharesTheMessageBuffer(AltersBuffers):
    """Pages that are merely unused are discarded, because they overwrote pages to inflate.

    One buffer serves inflate, deflate and unused-page messages; two messages of one kind share it as well.
    """

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Give every message the same address."""
        shares = event.readable and flight.queue is not STATISTICS
        return (
            replace(event, segments=(Segment(len(event.readable), address=_SHARED_ADDRESS),))
            if shares
            else event
        )


@mutant("CONC-05", also=("REQ-13", "CFG-04", "CONC-04", "DEF-05"))
class MatchesReturnsByOrder(Driver):
    """Pages that the device still has count as given up: the oldest buffer counts as the returned one.

    This is so whatever its queue is. The buffer that did come back stays in flight, and pages that are taken
    back may be used when some other buffer returns.
    """

    def take_back(self, state: DriverState, used: Used) -> Step:
        """Take back the oldest buffer that names pages."""
        flights = {
            name: one
            for name, one in state.flights.items()
            if one.queue is not STATISTICS and not one.is_request
        }
        if used.buffer in flights:
            name = next(iter(flights))
            used = replace(used, buffer=name, queue=self.index(state, flights[name].queue))
        return super().take_back(state, used)


# -- buffers ----------------------------------------------------------------------------------------------


@mutant("BUF-01", origin="viobaloon for Windows, commit 185f2823: after a second the table is used again")
class ChangesABufferInFlight(ReferenceDriver):
    """The device reads pages that were never given up, because the message changes while it is in flight."""

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Clear inflate buffers once they are available."""
        events: list[Event] = []
        for event in super().observe(deadline_seconds):
            events.append(event)
            if isinstance(event, Available) and event.queue == 0:
                events.append(BufferAltered(0, event.buffer, bytes(len(event.readable)), Side.DRIVER))
        return events


def _is_message(data: bytes) -> bool:
    return len(data) > _HEADER_BYTES and int.from_bytes(data[4:8], "little") == len(data) - _HEADER_BYTES


@mutant("BUF-01")
class FinishesABufferInFlight(ReferenceDriver):
    """The device reads reserved bits that are cleared a moment later.

    They are set when the buffer is read first, and cleared while it is in flight. The bits are not what is
    wrong.
    """

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Show inflate messages before the driver has completed them."""
        events: list[Event] = []
        for event in super().observe(deadline_seconds):
            if isinstance(event, Available) and event.queue == 0 and _is_message(event.readable):
                unfinished = bytearray(event.readable)
                unfinished[_HEADER_BYTES] |= 1
                events += [
                    replace(event, readable=bytes(unfinished)),
                    BufferAltered(0, event.buffer, event.readable, Side.DRIVER),
                ]
            else:
                events.append(event)
        return events


@mutant("BUF-05", origin="viobaloon for Windows, commit 185f2823: one table for all")
class UsesOneInflateBuffer(SendsSmallMessages):
    """The device reads the last of several messages several times, and the other pages stay."""

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Give inflate buffers the same address."""
        if flight.queue is not INFLATE:
            return event
        return replace(event, segments=(Segment(len(event.readable), address=_SHARED_ADDRESS),))


# -- reset ------------------------------------------------------------------------------------------------


@mutant("RESET-04")
class PostsNoRequestBufferAfterTheReset(Driver):
    """After suspend and resume, migration is never told of unused pages again."""

    def set_up_requests(self, state: DriverState) -> Step:
        """Post a request buffer once."""
        return super().set_up_requests(state) if state.buffers < 2 else (state, ())


@mutant("RESET-05")
class GoesOnAfterTheReset(Driver):
    """A device receives the answer to a request of the device before.

    The answer comes when the driver is initialised again.
    """

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self.owed: Answering | None = None

    def reset(self, state: DriverState, given: Reset) -> Step:
        """Remember the answer that is due."""
        is_open = state.answering.phase in {AnswerPhase.ANSWERING, AnswerPhase.FINISHING}
        self.owed = state.answering if is_open else None
        return super().reset(state, given)

    def set_up_requests(self, state: DriverState) -> Step:
        """Send it with the first buffers."""
        state, outputs = super().set_up_requests(state)
        if self.owed is None:
            return state, outputs
        data = self.encode_answer(replace(state, answering=self.owed), EMPTY, is_last=True)
        self.owed = None
        return state, (*outputs, Available(3, "owed", data, notified=False))
