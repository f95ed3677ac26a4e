"""Devices that are wrong about host requests, their answers, or a reset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from balloon_conformance.iut.contract import Buffer, Setup
from balloon_conformance.iut.reference import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import Reading
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import (
    Accept,
    DeviceOptions,
    DeviceOutput,
    DeviceState,
    Discard,
    RequestInput,
    RequestPhase,
)
from balloon_spec.events import Available, DriverOk, Reset, Used
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.wire.host_request import HostRequest, build
from balloon_spec.wire.response_header import ResponseHeader

# -- the request ------------------------------------------------------------------------------------------


@mutant("REQ-03")
class WritesHalfARequest(Device):
    """The driver finds half a request, and cannot answer it."""

    def encode_request(self, identifier: int) -> bytes:
        """Leave the id out."""
        return super().encode_request(identifier)[:8]


@mutant("BUF-07", also=("REQ-03",))
class ReportsALongRequest(Device):
    """The driver is told of more bytes than the buffer has, and reads beyond it."""

    def request_length_bytes(self, data: bytes) -> int:
        """Report 24 bytes."""
        return len(data) + 8


@mutant("REQ-26")
class RequestsInShortBuffers(Device):
    """A part of a request reaches the driver, and the device waits for an answer to the whole."""

    def take_host_request_buffer(self, state: DeviceState, buffer: Available) -> Step:
        """Take every device-writable buffer."""
        if buffer.writable_bytes and not buffer.readable:
            return self.request(RequestInput.BUFFER, state, buffer)
        return super().take_host_request_buffer(state, buffer)

    def ask(self, state: DeviceState) -> Step:
        """Write what there is room for."""
        room = state.requests.buffers[0].writable_bytes
        state, (used,) = super().ask(state)
        if not isinstance(used, Used):
            raise TypeError(used)
        return state, (replace(used, length_bytes=min(16, room), written=used.written[:room]),)


@mutant("REQ-03")
class FillsLongBuffers(Device):
    """The used length is that of the buffer, and no driver takes what it finds for a request."""

    def ask(self, state: DeviceState) -> Step:
        """Write zeros behind the request."""
        room = state.requests.buffers[0].writable_bytes
        state, (used,) = super().ask(state)
        if not isinstance(used, Used):
            raise TypeError(used)
        return state, (replace(used, length_bytes=room, written=used.written.ljust(room, b"\0")),)


@mutant("REQ-04")
class FillsReservedWords(Device):
    """Reserved words of a request hold junk, and a driver that gives them a meaning later is misled."""

    def encode_request(self, identifier: int) -> bytes:
        """Set the last of them."""
        return build(HostRequest(0, (0, 0, 1), identifier))


@mutant(
    "REQ-06", origin="Wei Wang's QEMU tree, 2017: reports have no id, so old ones count for the next round"
)
class RequestsUnderOneId(Device):
    """What comes late of one request is taken for the answer to the next."""

    def encode_request(self, identifier: int) -> bytes:
        """Write the same id each time."""
        return super().encode_request(0x41)


@mutant("REQ-07", origin="posted driver, D13: it answers with the low 16 bits")
class RequestsUnderWideIds(Device):
    """Two requests look alike in the 16 bits that come back."""

    def encode_request(self, identifier: int) -> bytes:
        """Set bit 32."""
        return super().encode_request(identifier | 1 << 32)


@mutant("REQ-05")
class RequestsBeforeTheAnswer(Device):
    """A second request is made while the first is open, and its driver has two to answer at once."""

    def may_ask_again(self, _state: DeviceState) -> bool:
        """Ask whenever there is a buffer."""
        return True


# -- the answer -------------------------------------------------------------------------------------------


@mutant("REQ-18", also=("SAFE-03", "REQ-19"))
class HoldsEmptyMessages(Device):
    """A guest with no unused page is never done with its answer.

    An empty CONT too is held, which is malformed, and an empty DONE that nobody asked for.
    """

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Hold what has no chunks."""
        if len(buffer.readable) == 8:
            return state, ()
        return super().take_unused_message(state, buffer)


@mutant(
    "REQ-19",
    also=("SAFE-03",),
    origin="Wei Wang's QEMU tree, 2017: elements of an unknown class are neither completed nor freed",
)
class HoldsStrayMessages(Device):
    """A message nobody asked for is held for ever, and a guest can have the host hold as many as it likes.

    Those it cannot read are no answers either.
    """

    def return_stray(self, state: DeviceState, given: tuple[Available, Reading]) -> Step:
        """Hold it."""
        return state, ()


@mutant(
    "REQ-19",
    origin="RFC QEMU, March 2016: the state becomes done without a look whether a request is open",
)
class TakesAnyIdForTheAnswer(Device):
    """The late answer to an old request is taken for that to the new one, and migration loses pages.

    What is seen of it is that the next request comes before the answer.
    """

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Look at everything but the id."""
        return super().matches(state, replace(header, id=state.requests.request & 0xFFFF))


@mutant("REQ-19")
class ComparesIdsInEightBits(Device):
    """Of 256 late answers one is taken for that to the open request."""

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Look at the low byte of the id alone."""
        low = state.requests.request & 0xFF00 | header.id & 0xFF
        return super().matches(state, replace(header, id=low))


@mutant("REQ-19")
class TakesIdZeroForEveryId(Device):
    """A driver that leaves the id out ends whatever exchange there is."""

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Let a message without an id pass."""
        return super().matches(state, replace(header, id=header.id or state.requests.request & 0xFFFF))


@mutant("REQ-19")
class TakesEveryIdForZero(Device):
    """Whoever asks under id 0 takes any answer, also a late one."""

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Compare no id with that of a request that has none."""
        own = state.requests.request & 0xFFFF
        return super().matches(state, replace(header, id=header.id if own else 0))


@mutant("REQ-19")
class TakesAnyCommandForTheAnswer(Device):
    """The end of an answer of another kind ends the wait for unused pages."""

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Look at everything but the command."""
        return super().matches(state, replace(header, cmd=0))


@mutant("REQ-25")
class TakesAnyFlagForDone(Device):
    """What a later driver says beside CONT and DONE ends the exchange, and the rest of its answer is lost."""

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Read every flag but CONT as DONE."""
        return super().take_unused_message(state, _with_flag(buffer, lambda flag: int(flag > 0)))


@mutant("REQ-25")
class TakesTheFlagForABit(Device):
    """A flag that has the lowest bit set ends the exchange, whatever else it says."""

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Look at bit 0 alone."""
        return super().take_unused_message(state, _with_flag(buffer, lambda flag: flag & 1))


def _with_flag(buffer: Available, change: Callable[[int], int]) -> Available:
    """Return a buffer with another flag in its header, if it has one."""
    data = buffer.readable
    return replace(buffer, readable=data[:1] + bytes(map(change, data[1:2])) + data[2:])


@mutant("HDR-05", origin="posted driver, D4: its deflate header carries flag 1 and the id of the request")
class TakesADeflationForTheAnswer(Device):
    """Whoever deflates after a migration began ends it, for its header says DONE."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Close the exchange at the header of a DONE."""
        state, outputs = super().take_deflate(state, buffer)
        return _closed_by(self, state, buffer, outputs)


@mutant("HDR-05")
class TakesAnInflationForTheAnswer(Device):
    """Whoever inflates after a migration began ends it, for its header says DONE."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Close the exchange at the header of a DONE."""
        state, outputs = super().take_inflate(state, buffer)
        return _closed_by(self, state, buffer, outputs)


def _closed_by(
    device: Device, state: DeviceState, buffer: Available, outputs: tuple[DeviceOutput, ...]
) -> Step:
    """Close an open exchange if the first two bytes of a message are those of a DONE."""
    says_done = device.has(state, "CHUNK_TRANSFER") and buffer.readable[:2] == b"\0\1"
    if not says_done or state.requests.phase is not RequestPhase.OPEN:
        return state, outputs
    state, more = device.close(state)
    return state, (*outputs, *more)


@mutant("SAFE-08")
class TakesHalfAHeaderForTheAnswer(Device):
    """A message that is cut after its flag ends the exchange, and what should follow is lost."""

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Read the flag whatever the length."""
        is_open = state.requests.phase is RequestPhase.OPEN
        state, outputs = super().take_unused_message(state, buffer)
        if not is_open or len(buffer.readable) >= 8 or buffer.readable[1:2] != b"\1":
            return state, outputs
        state, more = self.close(state)
        return state, (*outputs, *more)


@mutant("SAFE-06")
class TakesHalfAChunkForTheAnswer(Device):
    """A DONE whose length cannot be right ends the exchange as if it were whole."""

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Read the header whatever it says of the length."""
        is_open = state.requests.phase is RequestPhase.OPEN
        state, outputs = super().take_unused_message(state, buffer)
        data = buffer.readable
        ends = len(data) > 8 and len(data) % 16 != 8 and data[1] == 1
        if not is_open or not ends or state.requests.phase is not RequestPhase.OPEN:
            return state, outputs
        state, more = self.close(state)
        return state, (*outputs, *more)


@mutant("REQ-20")
class RequestsOnce(Device):
    """The second migration is never told of unused pages."""

    def close(self, state: DeviceState) -> Step:
        """Leave the exchange open."""
        return state, ()


@mutant("REQ-20")
class NeverClosesHighIds(Device):
    """After the request number 32768 no migration is told of unused pages any more.

    The id is held in a signed number.
    """

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Know no answer to an id with the highest bit set."""
        return super().matches(state, header) and header.id < 0x8000


@mutant("REQ-27")
class LeavesAnExchangeOpenAtABadChunk(Device):
    """One page outside memory at the end of an answer, and no request is ever made again."""

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Return a message with a chunk that is passed over, and look no further."""
        reading = self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        if any(note.clause == "CHUNK-05" for note in reading.notes):
            return state, (*reading.notes, self.return_buffer(buffer))
        return super().take_unused_message(state, buffer)


@mutant("UNUSED-03")
class HoldsRepeatedHints(Device):
    """A message that names a page twice, or one of the balloon, never comes back."""

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Hold what is known already."""
        reading = self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        known = state.balloon | (state.requests.hints if state.requests.phase is RequestPhase.OPEN else EMPTY)
        return (state, ()) if reading.pages & known else super().take_unused_message(state, buffer)


@mutant("UNUSED-01")
class DiscardsUnusedPages(Device):
    """Memory the guest has taken into use since it reported it is emptied under its feet."""

    def act_on_unused(self, request: int, reading: Reading) -> tuple[DeviceOutput, ...]:
        """Discard the pages."""
        return (*super().act_on_unused(request, reading), *self.discard(reading.pages))


@mutant("UNUSED-01")
class DiscardsWhateverIsReported(Device):
    """A message that nobody asked for empties the pages it names: it needs no request, and no operator."""

    def take_host_request_buffer(self, state: DeviceState, buffer: Available) -> Step:
        """Take every message for one of the inflate queue."""
        reading = self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        state, outputs = super().take_host_request_buffer(state, buffer)
        return state, (*self.discard(reading.pages), *outputs)


@mutant(
    "REQ-23",
    also=("SAFE-03",),
    origin="RFC QEMU, March 2016, and Wei Wang's tree, 2017: the guest can hold migration up without end",
)
class BalloonsAfterTheAnswer(Device):
    """A guest that does not answer a request stops its own balloon, and the host has no memory back.

    It leaves inflate and deflate buffers alone while a request is open.
    """

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.kept: list[Available] = []

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Keep nothing."""
        self.kept = []
        return super().reset(state, given)

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Keep what comes in between."""
        if buffer.queue < 2 and state.requests.phase is RequestPhase.OPEN:
            self.kept.append(buffer)
            return state, ()
        state, outputs = super().take(state, buffer)
        if state.requests.phase is not RequestPhase.OPEN:
            kept, self.kept = self.kept, []
            for one in kept:
                state, more = super().take(state, one)
                outputs += more
        return state, outputs


# -- reset ------------------------------------------------------------------------------------------------


@mutant(
    "RESET-01",
    also=("INF-08",),
    origin="crosvm, candidate C11 (read in source): accepted features add up over resets",
)
class KeepsTheFeatures(Device):
    """After a reboot the guest's buffers are read in the form of the one before, and come to nothing.

    The form of the first messages stays, whatever is accepted later. A message that is read as an array names
    pages that nobody gave up.
    """

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.first: int | None = None

    def accept(self, state: DeviceState, given: Accept) -> Step:
        """Remember the first set."""
        state, outputs = super().accept(state, given)
        self.first = self.first if self.first is not None else state.accepted
        return state, outputs

    def read_pages(self, state: DeviceState, buffer: Available) -> Reading:
        """Read by the first set."""
        return super().read_pages(replace(state, accepted=self.first or 0), buffer)


@mutant("RESET-02", origin="crosvm, commit 313f64127: no support for a reset")
class ReturnsOldBuffers(Device):
    """A rebooted guest is handed a buffer it never made available, in memory it uses for something else."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.held: tuple[Available, ...] = ()

    def begin(self, state: DeviceState, given: DriverOk) -> Step:
        """Return what was held."""
        held, self.held = self.held, ()
        state, outputs = super().begin(state, given)
        return state, (*(self.return_buffer(one) for one in held), *outputs)

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Hold the statistics over."""
        self.held = state.statistics
        return super().reset(state, given)


@mutant("RESET-03", origin="crosvm, commit 313f64127: no support for a reset")
class KeepsTheOpenRequest(Device):
    """After a reboot in the middle of a migration no request is ever made again."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.was_open = False

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Remember that an answer is owed."""
        self.was_open = state.requests.phase is RequestPhase.OPEN
        return super().reset(state, given)

    def ask(self, state: DeviceState) -> Step:
        """Await that answer first."""
        return (state, ()) if self.was_open else super().ask(state)


@mutant("RESET-06", also=("INF-07",))
class InflatesAfterTheReset(Device):
    """Pages of a rebooted guest vanish, because the one before had given them up.

    It discards late, when the next driver starts.
    """

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.late = EMPTY

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Keep the pages for later."""
        self.late |= pages
        return ()

    def begin(self, state: DeviceState, given: DriverOk) -> Step:
        """Discard them now."""
        state, outputs = super().begin(state, given)
        late, self.late = self.late, EMPTY
        return state, ((Discard(late), *outputs) if late else outputs)


@mutant("RESET-06")
class EmptiesTheOldBalloonAgain(Device):
    """Pages that a guest uses since its reboot vanish, because they were in the balloon before it.

    They were given back at the time; it makes sure of that once more when the next driver starts.
    """

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.old = EMPTY

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Remember the balloon."""
        self.old |= state.balloon
        return super().reset(state, given)

    def begin(self, state: DeviceState, given: DriverOk) -> Step:
        """Discard it."""
        state, outputs = super().begin(state, given)
        old, self.old = self.old, EMPTY
        return state, (*outputs, *self.discard(old))


@mutant("RESET-02", also=("RESET-06",), origin="crosvm, commit 313f64127: no support for a reset")
class KeepsWhatWaitedOverAReset(Device):
    """What a driver prepared and then gave up is carried out for the next one, and returned to it."""

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Keep the buffers that came before DRIVER_OK."""
        after, outputs = super().reset(state, given)
        return replace(after, waiting=state.waiting), outputs


@mutant("RESET-06")
class CarriesOutWhatWaitedOverAReset(Device):
    """Pages that a driver offered and then gave up with the device are lost to the next one."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.early: tuple[Available, ...] = ()

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Remember the buffers that came before DRIVER_OK."""
        self.early = state.waiting
        return super().reset(state, given)

    def begin(self, state: DeviceState, given: DriverOk) -> Step:
        """Discard the pages they name, and return nothing."""
        state, outputs = super().begin(state, given)
        early, self.early = self.early, ()
        pages = PageSet.union([self.read_pages(state, one).pages for one in early if one.queue == 0])
        return state, (*outputs, *self.discard(pages))


@mutant("RESET-02", also=("RESET-06", "QUEUE-04"))
class KeepsWhatWasNotNotified(ReferenceDevice):
    """What the driver before did not notify it of comes back with the first notification of the next.

    It looks for buffers when it is notified and at no other time, so that early ones wait for that too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quiet: list[tuple[int, Buffer]] = []

    def start(self, setup: Setup) -> None:
        """Start with nothing that waits."""
        super().start(setup)
        self.quiet = []

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Keep inflate and deflate buffers until the queue is notified."""
        if not buffer.notify and queue < 2:
            self.quiet.append((queue, buffer))
            return
        for one, waiting in self.quiet if queue < 2 else ():
            super().make_available(one, waiting)
        self.quiet = self.quiet if queue >= 2 else []
        super().make_available(queue, buffer)
