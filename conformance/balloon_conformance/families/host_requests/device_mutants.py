"""Devices that are wrong about host requests and their answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import BufferContent
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import (
    DeviceOptions,
    DeviceOutput,
    DeviceState,
    RequestInput,
    RequestPhase,
)
from balloon_spec.events import Available, Reset, Used
from balloon_spec.families.chunk_transfer.response_header import ResponseHeader
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.host_requests.host_request import HostRequest, build
from balloon_spec.pages import EMPTY

# -- the request ------------------------------------------------------------------------------------------


@mutant("REQ-03")
class WritesHalfARequest(Device):
    """The driver receives half a request, and cannot answer it."""

    def encode_request(self, identifier: int) -> bytes:
        """Leave the id out."""
        return super().encode_request(identifier)[:8]


@mutant("BUF-07", also=("REQ-03",))
class ReportsALongRequest(Device):
    """The driver is told that more bytes were written than the buffer has, and reads beyond it."""

    def request_length_bytes(self, data: bytes) -> int:
        """Report 24 bytes."""
        return len(data) + 8


@mutant("REQ-28")
class AsksByAnotherCommand(Device):
    """No driver ever names an unused page, because none knows the request's command."""

    def encode_request(self, identifier: int) -> bytes:
        """Set the command to 1."""
        return (1).to_bytes(2, "little") + super().encode_request(identifier)[2:]


@mutant("REQ-26")
class RequestsInShortBuffers(Device):
    """A part of a request reaches the driver, and the device waits for an answer to the whole."""

    def take_host_request_buffer(self, state: DeviceState, buffer: Available) -> Step:
        """Take every device-writable buffer."""
        if buffer.writable_bytes and not buffer.readable:
            return self.request(RequestInput.BUFFER, state, buffer)
        return super().take_host_request_buffer(state, buffer)

    def ask(self, state: DeviceState) -> Step:
        """Write as much as fits."""
        room = state.requests.buffers[0].writable_bytes
        state, (used,) = super().ask(state)
        if not isinstance(used, Used):
            raise TypeError(used)
        return state, (replace(used, length_bytes=min(16, room), written=used.written[:room]),)


@mutant("REQ-03")
class FillsLongBuffers(Device):
    """The used length is the buffer's length, so no driver reads a request in it."""

    def ask(self, state: DeviceState) -> Step:
        """Write zeros after the request."""
        room = state.requests.buffers[0].writable_bytes
        state, (used,) = super().ask(state)
        if not isinstance(used, Used):
            raise TypeError(used)
        return state, (replace(used, length_bytes=room, written=used.written.ljust(room, b"\0")),)


@mutant("REQ-04")
class FillsReservedWords(Device):
    """Reserved words of a request hold junk, which misleads a later driver that uses them."""

    def encode_request(self, identifier: int) -> bytes:
        """Set the last of them."""
        return build(HostRequest(0, (0, 0, 1), identifier))


@mutant(
    "REQ-06", origin="Wei Wang's QEMU tree, 2017: reports have no id, so old ones count for the next round"
)
class RequestsUnderOneId(Device):
    """Late messages that answer one request count as answers to the next."""

    def encode_request(self, identifier: int) -> bytes:
        """Write the same id each time."""
        return super().encode_request(0x41)


@mutant("REQ-07", origin="posted driver, D13: it answers with the low 16 bits")
class RequestsUnderWideIds(Device):
    """Two requests look alike in the 16 bits of the id that come back."""

    def encode_request(self, identifier: int) -> bytes:
        """Set bit 32."""
        return super().encode_request(identifier | 1 << 32)


@mutant("REQ-05")
class RequestsBeforeTheAnswer(Device):
    """A second request is made while the first is open, and its driver has to answer two at once."""

    def may_ask_again(self, _state: DeviceState) -> bool:
        """Ask whenever there is a buffer."""
        return True


# -- the answer -------------------------------------------------------------------------------------------


@mutant("REQ-18", also=("SAFE-03", "REQ-19"))
class HoldsEmptyMessages(Device):
    """The answer of a guest without unused pages never ends.

    An empty CONT, which is malformed, is held too, and so is an empty DONE that nobody asked for.
    """

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Hold messages without chunks."""
        if len(buffer.readable) == 8:
            return state, ()
        return super().take_unused_message(state, buffer)


@mutant(
    "REQ-19",
    also=("SAFE-03",),
    origin="Wei Wang's QEMU tree, 2017: elements of an unknown class are neither completed nor freed",
)
class HoldsStrayMessages(Device):
    """A message that nobody asked for is held for ever, and a guest can have the host hold any number.

    Messages that it cannot read are held too.
    """

    def return_stray(self, state: DeviceState, given: tuple[Available, BufferContent]) -> Step:
        """Hold it."""
        return state, ()


@mutant(
    "REQ-19",
    origin="RFC QEMU, March 2016: the state becomes done without a look whether a request is open",
)
class TakesAnyIdForTheAnswer(Device):
    """A late answer to an old request counts as the answer to the new one, and migration loses pages.

    It shows when the next request comes before the answer.
    """

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Compare everything except the id."""
        return super().matches(state, replace(header, id=state.requests.request & 0xFFFF))


@mutant("REQ-19")
class ComparesIdsInEightBits(Device):
    """One in 256 late answers counts as the answer to the open request."""

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Compare the low byte of the id."""
        low = state.requests.request & 0xFF00 | header.id & 0xFF
        return super().matches(state, replace(header, id=low))


@mutant("REQ-19")
class TakesIdZeroForEveryId(Device):
    """A driver that leaves the id out ends any exchange."""

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Accept a message without an id."""
        return super().matches(state, replace(header, id=header.id or state.requests.request & 0xFFFF))


@mutant("REQ-19")
class TakesEveryIdForZero(Device):
    """A request with id 0 is closed by any answer, even a late one."""

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Do not compare the id of a request with id 0."""
        own = state.requests.request & 0xFFFF
        return super().matches(state, replace(header, id=header.id if own else 0))


@mutant("REQ-19")
class TakesAnyCommandForTheAnswer(Device):
    """The end of an answer of another kind closes the request for unused pages."""

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Compare everything except the command."""
        return super().matches(state, replace(header, cmd=0))


@mutant("REQ-25")
class TakesAnyFlagForDone(Device):
    """A later driver's flag besides CONT and DONE ends the exchange, and the rest of its answer is lost."""

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Read every flag except CONT as DONE."""
        return super().take_unused_message(state, _with_flag(buffer, lambda flag: int(flag > 0)))


@mutant("REQ-25")
class TakesTheFlagForABit(Device):
    """A flag with the lowest bit set ends the exchange, whatever its other bits are."""

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Test bit 0."""
        return super().take_unused_message(state, _with_flag(buffer, lambda flag: flag & 1))


def _with_flag(buffer: Available, change: Callable[[int], int]) -> Available:
    """Return a buffer with another flag in its header, if it has one."""
    data = buffer.readable
    return replace(buffer, readable=data[:1] + bytes(map(change, data[1:2])) + data[2:])


class _ClosesEarly(Device, ABC):
    """Treats the messages for which :meth:`ends` is true as the answer's end, and the exchange goes on."""

    @abstractmethod
    def ends(self, state: DeviceState, buffer: Available) -> bool:
        """Tell whether a buffer looks like the end of the answer."""

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Close an exchange that is open before such a buffer and after it."""
        was_open = state.requests.phase is RequestPhase.OPEN
        state, outputs = super().take(state, buffer)
        if not (was_open and state.requests.phase is RequestPhase.OPEN and self.ends(state, buffer)):
            return state, outputs
        state, more = self.close(state)
        return state, (*outputs, *more)


@mutant("HDR-05", origin="posted driver, D4: its deflate header carries flag 1 and the id of the request")
class TakesADeflationForTheAnswer(_ClosesEarly):
    """A deflate message whose header says DONE ends a migration that has begun."""

    def ends(self, state: DeviceState, buffer: Available) -> bool:
        """Read the header of deflate messages."""
        return buffer.queue == 1 and self.has(state, "CHUNK_TRANSFER") and buffer.readable[:2] == b"\0\1"


@mutant("HDR-05")
class TakesAnInflationForTheAnswer(_ClosesEarly):
    """An inflate message whose header says DONE ends a migration that has begun."""

    def ends(self, state: DeviceState, buffer: Available) -> bool:
        """Read the header of inflate messages."""
        return buffer.queue == 0 and self.has(state, "CHUNK_TRANSFER") and buffer.readable[:2] == b"\0\1"


@mutant("SAFE-08")
class TakesHalfAHeaderForTheAnswer(_ClosesEarly):
    """A message that is cut after its flag ends the exchange, and the rest of the answer is lost."""

    def ends(self, state: DeviceState, buffer: Available) -> bool:
        """Read the flag whatever the length is."""
        data = buffer.readable
        return self.queue(state, buffer.queue) is HOST_REQUEST and len(data) < 8 and data[1:2] == b"\1"


@mutant("SAFE-06")
class TakesHalfAChunkForTheAnswer(_ClosesEarly):
    """A DONE with an impossible length ends the exchange like a valid one."""

    def ends(self, state: DeviceState, buffer: Available) -> bool:
        """Read the header whatever its length field says."""
        data = buffer.readable
        is_done = self.queue(state, buffer.queue) is HOST_REQUEST and len(data) > 8 and data[1] == 1
        return is_done and len(data) % 16 != 8


@mutant("REQ-20")
class RequestsOnce(Device):
    """The second migration is never told of unused pages."""

    def close(self, state: DeviceState) -> Step:
        """Leave the exchange open."""
        return state, ()


@mutant("REQ-20")
class NeverClosesHighIds(Device):
    """After request number 32768 no migration is told of unused pages any more.

    The id is held in a signed number.
    """

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Accept no answer to an id with the highest bit set."""
        return super().matches(state, header) and header.id < 0x8000


@mutant("REQ-27")
class LeavesAnExchangeOpenAtABadChunk(Device):
    """After one page outside memory at the end of an answer, no request is ever made again."""

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Return a message with a skipped chunk, and read no further."""
        content = self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        if any(note.clause == "CHUNK-05" for note in content.notes):
            return state, (*content.notes, self.return_buffer(buffer))
        return super().take_unused_message(state, buffer)


@mutant("UNUSED-03")
class HoldsRepeatedHints(Device):
    """A message that names a page twice, or a page of the balloon, never comes back."""

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Hold messages that name known pages."""
        content = self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        known = state.balloon | (state.requests.hints if state.requests.phase is RequestPhase.OPEN else EMPTY)
        return (state, ()) if content.pages & known else super().take_unused_message(state, buffer)


@mutant("UNUSED-01")
class DiscardsUnusedPages(Device):
    """Memory that the guest has used since it reported it is discarded."""

    def act_on_unused(self, request: int, content: BufferContent) -> tuple[DeviceOutput, ...]:
        """Discard the pages."""
        return (*super().act_on_unused(request, content), *self.discard(content.pages))


@mutant("UNUSED-01")
class DiscardsWhateverIsReported(Device):
    """A message that nobody asked for discards the pages that it names, without a request or an operator."""

    def take_host_request_buffer(self, state: DeviceState, buffer: Available) -> Step:
        """Treat every message as one of the inflate queue."""
        content = self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        state, outputs = super().take_host_request_buffer(state, buffer)
        return state, (*self.discard(content.pages), *outputs)


@mutant(
    "REQ-23",
    also=("SAFE-03",),
    origin="RFC QEMU, March 2016, and Wei Wang's tree, 2017: the guest can hold migration up without end",
)
class BalloonsAfterTheAnswer(Device):
    """A guest that does not answer a request stops its own balloon, and the host gets no memory back.

    The device does not take inflate and deflate buffers while a request is open.
    """

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.kept: list[Available] = []

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Keep nothing."""
        self.kept = []
        return super().reset(state, given)

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Keep the buffers that come in between."""
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
