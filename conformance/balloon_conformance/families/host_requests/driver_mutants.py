"""Drivers that are wrong about host requests and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import (
    Answering,
    AnswerInput,
    AnswerPhase,
    DriverOptions,
    DriverOutput,
    DriverState,
    Flight,
)
from balloon_spec.events import Available, Event
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.pages import EMPTY, PageSet

# -- the request buffer -----------------------------------------------------------------------------------


@mutant("REQ-01", also=("RESET-04",), origin="posted driver, D12: queue 3 is never primed")
class PostsNoRequestBuffer(Driver):
    """Migration is never told of unused pages, because no request can be made.

    It is not told after a reset either.
    """

    def set_up_requests(self, state: DriverState) -> Step:
        """Do nothing."""
        return state, ()


@mutant("REQ-02")
class PostsALargeRequestBuffer(Driver):
    """A device that fills the buffer it is given writes a request the driver cannot read."""

    def make_available(
        self, state: DriverState, flight: Flight, readable: bytes = b"", writable_bytes: int = 0
    ) -> Step:
        """Make room for 32 bytes."""
        return super().make_available(state, flight, readable, writable_bytes and 32)


@mutant("REQ-13")
class PostsTheRequestBufferOnce(Driver):
    """The second migration is never told of unused pages."""

    def exchange(self, kind: AnswerInput, state: DriverState, given: object = None) -> Step:
        """Do nothing after DONE."""
        return (state, ()) if kind is AnswerInput.DONE_RETURNED else super().exchange(kind, state, given)


@mutant("REQ-14", origin="posted driver, D11: an unknown command ends queue 3 until the reset")
class DropsUnknownRequests(Driver):
    """After one command of a newer host, no request is ever answered again."""

    def exchange(self, kind: AnswerInput, state: DriverState, given: object = None) -> Step:
        """Do nothing about an unknown command."""
        return (state, ()) if kind is AnswerInput.UNKNOWN else super().exchange(kind, state, given)


@mutant("REQ-14")
class AnswersUnknownRequests(Driver):
    """A newer host that asks something else gets unused pages as the answer."""

    def knows_command(self, cmd: int) -> bool:
        """Accept every command."""
        return True


@mutant("REQ-14")
class ReadsHalfOfTheCommand(Driver):
    """A newer host that asks something else gets unused pages, because its command has 16 bits."""

    def knows_command(self, cmd: int) -> bool:
        """Read the low byte of the command."""
        return super().knows_command(cmd & 0xFF)


class _MindsReservedWords(Driver):
    """Calls :meth:`refuse` for a request whose reserved words are not zero."""

    def exchange(self, kind: AnswerInput, state: DriverState, given: object = None) -> Step:
        """Check the reserved words of every request that would be answered."""
        if kind is AnswerInput.REQUEST and isinstance(given, HostRequest) and any(given.reserved):
            return self.refuse(state, given)
        return super().exchange(kind, state, given)

    def refuse(self, state: DriverState, request: HostRequest) -> Step:
        """Do nothing."""
        return state, ()


@mutant("REQ-24")
class DropsRequestsWithReservedWords(_MindsReservedWords):
    """A newer host that uses the reserved words gets no answer, and can never ask again."""


@mutant("REQ-24")
class RefusesRequestsWithReservedWords(_MindsReservedWords):
    """A newer host that uses the reserved words is told of no unused page."""

    def refuse(self, state: DriverState, request: HostRequest) -> Step:
        """Treat it as an unknown command."""
        return super().exchange(AnswerInput.UNKNOWN, state, request)


@mutant("REQ-15", origin="posted driver, D11: a wrong used length ends queue 3 until the reset")
class DropsUnreadableRequests(Driver):
    """After one request that was cut short, none is ever answered again."""

    def exchange(self, kind: AnswerInput, state: DriverState, given: object = None) -> Step:
        """Do nothing about an unreadable request."""
        return (state, ()) if kind is AnswerInput.UNREADABLE else super().exchange(kind, state, given)


@mutant("REQ-17")
class PostsTheRequestBufferAtOnce(Driver):
    """The next request comes before the last was answered, and nobody can tell their answers apart."""

    def answer(self, state: DriverState, request: HostRequest) -> Step:
        """Post the buffer first, then answer."""
        posted, outputs = self.make_available(state, Flight(HOST_REQUEST, is_request=True), writable_bytes=16)
        state, more = super().answer(posted, request)
        return state, (*outputs, *more)

    def post_request_buffer(self, state: DriverState, given: object) -> Step:
        """Post the buffer only at first."""
        if state.answering.phase is AnswerPhase.FINISHING:
            return replace(state, answering=Answering(phase=AnswerPhase.OFFERED)), ()
        return super().post_request_buffer(state, given)


@mutant("REQ-21")
class PostsTwoRequestBuffers(Driver):
    """Two requests can be made at once, and the driver answers only one."""

    def post_request_buffer(self, state: DriverState, given: object) -> Step:
        """Post twice."""
        state, first = super().post_request_buffer(state, given)
        state, second = super().post_request_buffer(state, given)
        return state, (*first, *second)


# -- the answer -------------------------------------------------------------------------------------------


# For the device, an exchange whose messages do not match continues (REQ-11, REQ-17).


@mutant("REQ-08", also=("REQ-11", "REQ-17"))
class AnswersWithIdZero(Driver):
    """The device takes the answer for a stray message, and waits for another."""

    def answer_id(self, state: DriverState) -> int:
        """Answer zero."""
        return 0


@mutant("REQ-08", also=("REQ-11", "REQ-17"))
class CutsTheIdTo8Bits(Driver):
    """From the 256th request on the device takes every answer for a stray message."""

    def answer_id(self, state: DriverState) -> int:
        """Answer the low byte."""
        return state.answering.param & 0xFF


@mutant("REQ-09", also=("REQ-11", "REQ-17"))
class AnswersWithAnotherCommand(Driver):
    """The device takes the answer for one to another command, and waits for its own."""

    def answer_cmd(self, state: DriverState) -> int:
        """Answer one."""
        return 1


@mutant("REQ-10")
class CountsMessagesInTheFlag(Driver):
    """The device finds an unknown flag in every message but the last."""

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(replace(options, capacity_bytes=16))

    def encode_answer(self, state: DriverState, pages: PageSet, is_last: bool) -> bytes:
        """Set the flag to two."""
        data = super().encode_answer(state, pages, is_last)
        return data if is_last else data[:1] + b"\x02" + data[2:]


class _SaysMore(Driver):
    """Sends one more message, which :meth:`extra` returns, at the place that :meth:`more` chooses."""

    def send_unused(self, state: DriverState, given: object) -> Step:
        """Send it besides the others."""
        state, outputs = super().send_unused(state, given)
        if not outputs:
            return state, outputs
        return state, self.more(outputs, Available(3, f"more-{state.buffers}", self.addition(state)))

    def addition(self, state: DriverState) -> bytes:
        """Return an empty DONE."""
        return self.encode_answer(state, EMPTY, is_last=True)

    def more(self, outputs: tuple[DriverOutput, ...], extra: Available) -> tuple[DriverOutput, ...]:
        """Put it last."""
        return (*outputs, extra)


@mutant("REQ-11", also=("REQ-17", "CONC-02"), origin="posted driver, D8: CONT without end")
class SendsNoDone(Driver):
    """Migration waits for the end of an answer that has none.

    The driver considers an exchange closed with the last page.
    """

    def encode_answer(self, state: DriverState, pages: PageSet, is_last: bool) -> bytes:
        """Say that more messages follow."""
        return super().encode_answer(state, pages, is_last=False)

    def send_unused(self, state: DriverState, given: object) -> Step:
        """Leave an empty message out."""
        state, outputs = super().send_unused(state, given)
        return state, tuple(one for one in outputs if not isinstance(one, Available) or len(one.readable) > 8)


# Nothing shows what it waits for, so it may be a buffer of the other kind (CONC-02, CONC-03).
@mutant("REQ-11", also=("CONC-02", "CONC-03"))
class KeepsQuietAboutNothing(Driver):
    """Migration of a guest without unused pages waits for an answer, and can never ask again."""

    def answer(self, state: DriverState, request: HostRequest) -> Step:
        """Answer only if there are pages."""
        return super().answer(state, request) if self.unused_pages(state) else (state, ())


@mutant("REQ-11")
class SendsTwoDones(_SaysMore):
    """The second end of an answer counts as the end of the next answer."""


@mutant("REQ-12")
class SendsAnEmptyCont(_SaysMore):
    """A message only says that more messages follow."""

    def addition(self, state: DriverState) -> bytes:
        """Return an empty CONT."""
        return self.encode_answer(state, EMPTY, is_last=False)

    def more(self, outputs: tuple[DriverOutput, ...], extra: Available) -> tuple[DriverOutput, ...]:
        """Put it first."""
        return (extra, *outputs)


@mutant("REQ-16", origin="RFC of March 2016: such a message made the device write through a null pointer")
class SpeaksUnasked(Driver):
    """A message of unused pages comes to a device that did not ask."""

    def set_up_requests(self, state: DriverState) -> Step:
        """Send one with the first buffer."""
        state, outputs = super().set_up_requests(state)
        if not outputs:
            return state, outputs
        data = self.encode_answer(state, EMPTY, is_last=True)
        return state, (*outputs, Available(3, "unasked", data, notified=False))


_LATE_SECONDS = 2.0


@mutant("REQ-22", origin="posted driver, D15: the answer waits for a lock")
class AnswersAfterTwoSeconds(ReferenceDriver):
    """Migration waits two seconds until the first unused page is named.

    A suite that waits only one second sees no answer, and blames the driver for that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.due = 0.0
        self.kept: list[Event] = []

    def reset(self) -> None:
        """Keep nothing."""
        self.kept = []
        super().reset()

    def use(self, queue: int, buffer: str, length_bytes: int, written: bytes) -> None:
        """Read the time of a request."""
        if queue == 3 and length_bytes:
            self.due = self.clock() + _LATE_SECONDS
        super().use(queue, buffer, length_bytes, written)

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return the messages of an answer when they are due, and everything else at once."""
        begun = self.clock()
        events = super().observe(0.0)
        self.kept += [one for one in events if self._is_message(one)]
        others = [one for one in events if not self._is_message(one)]
        if others or not self.kept:
            self.clock.wait(0.0 if others else deadline_seconds)
            return others
        if self.due > begun + deadline_seconds:
            self.clock.wait(deadline_seconds)
            return []
        self.clock.wait(max(self.due - begun, 0.0))
        kept, self.kept = self.kept, []
        return kept

    @staticmethod
    def _is_message(event: Event) -> bool:
        return isinstance(event, Available) and event.queue == 3 and bool(event.readable)


# -- unused pages -----------------------------------------------------------------------------------------


@mutant("UNUSED-02")
class ReportsTheBalloonUnused(Driver):
    """Pages that are already given up are named as unused, and a host that counts them counts them twice.

    This includes a page on its way out of the balloon, which is only not the guest's to leave unused.
    """

    def unused_pages(self, state: DriverState) -> PageSet:
        """Add the pages of the balloon."""
        return super().unused_pages(state) | state.ballooning.balloon

    def held(self, state: DriverState) -> PageSet:
        """Hold back nothing while an answer is under way."""
        return EMPTY if state.answering.left else super().held(state)


class _NamesItsBalloon(Driver):
    def unused_pages(self, state: DriverState) -> PageSet:
        is_resting = not self.in_flight(state, INFLATE, DEFLATE)
        return super().unused_pages(state) | (state.ballooning.balloon if is_resting else EMPTY)

    def send_unused(self, state: DriverState, given: object) -> Step:
        self.is_answering = True
        state, outputs = super().send_unused(state, given)
        self.is_answering = False
        return state, outputs

    def held(self, state: DriverState) -> PageSet:
        return EMPTY if self.is_answering else super().held(state)

    is_answering = False


@mutant("UNUSED-02")
class ReportsItsOwnBalloonUnused(ReferenceDriver):
    """Migration skips pages that the host has anyway, and a host that counts them counts them twice.

    The driver picks its own pages, and names those of its balloon whenever the balloon is at rest.
    """

    def __init__(self) -> None:
        super().__init__(_NamesItsBalloon, steered=False)


@mutant("UNUSED-10")
class ReportsThePageAfterUnused(Driver):
    """Migration leaves out a page after every unused run, which the guest uses and does not write again."""

    def unused_pages(self, state: DriverState) -> PageSet:
        """Add a page after each run."""
        pages = super().unused_pages(state)
        more = PageSet((run.end, 1) for run in pages)
        return pages | ((more & self.options.memory) - self.held(state))


@mutant("UNUSED-04", origin="posted driver, D8: a full message has the list read from its head again")
class ReportsPagesTwice(Driver):
    """Migration is told of the same pages twice in one answer."""

    def encode_answer(self, state: DriverState, pages: PageSet, is_last: bool) -> bytes:
        """Repeat every chunk."""
        data = self.encode_chunks(pages) * 2
        flag = 1 if is_last else 0
        return self.encode_header(self.answer_cmd(state), flag, self.answer_id(state), len(data)) + data


@mutant("UNUSED-05", also=("UNUSED-04",), origin="posted driver, D8: the same pages over and over")
class ReportsMorePagesThanThereAre(Driver):
    """The unused pages of one answer exceed the guest's memory, and migration walks through all of them."""

    def encode_answer(self, state: DriverState, pages: PageSet, is_last: bool) -> bytes:
        """Repeat the chunks until they name more pages than memory has."""
        data = self.encode_chunks(pages)
        if pages:
            data *= self.options.memory.pages // pages.pages + 1
        flag = 1 if is_last else 0
        return self.encode_header(self.answer_cmd(state), flag, self.answer_id(state), len(data)) + data
