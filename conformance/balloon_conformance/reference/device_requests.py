"""The host request queue of the reference device: requests, and the messages that answer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar, TypeAlias

from balloon_conformance.reference.device_pages import BufferContent, PageReader
from balloon_conformance.reference.device_state import (
    DeviceOptions,
    DeviceOutput,
    DeviceState,
    Expire,
    Hint,
    RequestInput,
    RequestPhase,
)
from balloon_conformance.reference.machine import Machine, Move, Note, Refusal, Table
from balloon_spec.events import Available, Used
from balloon_spec.families.chunk_transfer.response_header import (
    CMD_GET_UNUSED_PAGES,
    FLAG_CONT,
    FLAG_DONE,
    ResponseHeader,
)
from balloon_spec.families.host_requests import host_request
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.pages import EMPTY

__all__ = ["REQUESTS", "RequestingDevice", "Step"]

Step: TypeAlias = tuple[DeviceState, tuple[DeviceOutput, ...]]

_ID_MASK = (1 << 64) - 1
_ABSENT, _EMPTY, _READY, _OPEN = RequestPhase
_NOT_NEGOTIATED = Refusal("the host request queue is not negotiated, or the driver is not running")

REQUESTS: Table = MappingProxyType(
    {
        (_ABSENT, RequestInput.START): Move("open_queue", (_EMPTY,)),
        (_ABSENT, RequestInput.BUFFER): _NOT_NEGOTIATED,
        (_ABSENT, RequestInput.WISH): _NOT_NEGOTIATED,
        (_ABSENT, RequestInput.CONT): _NOT_NEGOTIATED,
        (_ABSENT, RequestInput.DONE): _NOT_NEGOTIATED,
        (_ABSENT, RequestInput.STRAY): _NOT_NEGOTIATED,
        (_ABSENT, RequestInput.EXPIRE): _NOT_NEGOTIATED,
        (_EMPTY, RequestInput.START): Refusal("the queue was opened at DRIVER_OK"),
        (_EMPTY, RequestInput.BUFFER): Move("keep_buffer", (_READY, _OPEN)),
        (_EMPTY, RequestInput.WISH): Move("keep_wish", (_EMPTY,)),
        (_EMPTY, RequestInput.CONT): Move("return_stray", (_EMPTY,), ("REQ-20",)),
        (_EMPTY, RequestInput.DONE): Move("return_stray", (_EMPTY,), ("REQ-20",)),
        (_EMPTY, RequestInput.STRAY): Move("return_stray", (_EMPTY,), ("REQ-19",)),
        (_EMPTY, RequestInput.EXPIRE): Refusal("no request is open"),
        (_READY, RequestInput.START): Refusal("the queue was opened at DRIVER_OK"),
        (_READY, RequestInput.BUFFER): Move("keep_buffer", (_READY,)),
        (_READY, RequestInput.WISH): Move("keep_wish", (_OPEN,)),
        (_READY, RequestInput.CONT): Move("return_stray", (_READY,), ("REQ-20",)),
        (_READY, RequestInput.DONE): Move("return_stray", (_READY,), ("REQ-20",)),
        (_READY, RequestInput.STRAY): Move("return_stray", (_READY,), ("REQ-19",)),
        (_READY, RequestInput.EXPIRE): Refusal("no request is open"),
        (_OPEN, RequestInput.START): Refusal("the queue was opened at DRIVER_OK"),
        # REQ-05: a buffer or an operator's request that comes early waits until the open request is answered.
        (_OPEN, RequestInput.BUFFER): Move("keep_buffer", (_OPEN,), ("REQ-05",)),
        (_OPEN, RequestInput.WISH): Move("keep_wish", (_OPEN,), ("REQ-05",)),
        (_OPEN, RequestInput.CONT): Move("take_unused_pages", (_OPEN,)),
        (_OPEN, RequestInput.DONE): Move("take_last_unused_pages", (_EMPTY, _READY, _OPEN), ("REQ-20",)),
        (_OPEN, RequestInput.STRAY): Move("return_stray", (_OPEN,), ("REQ-19",)),
        (_OPEN, RequestInput.EXPIRE): Move("go_on_without", (_EMPTY, _READY, _OPEN), ("REQ-23",)),
    }
)
"""What happens to a host request in every phase."""

_FLAGS: Mapping[int, RequestInput] = MappingProxyType(
    {FLAG_CONT: RequestInput.CONT, FLAG_DONE: RequestInput.DONE}
)


class RequestingDevice(PageReader, Machine[DeviceState, DeviceOutput]):
    """The part of the device that asks for unused pages."""

    options: DeviceOptions
    requests_table: ClassVar[Table] = REQUESTS

    def request(self, kind: RequestInput, state: DeviceState, given: object) -> Step:
        """Take one step in the table of host requests."""
        return self.follow(self.requests_table, state.requests.phase, kind, state, given)

    # -- buffers ------------------------------------------------------------------------------------------

    def take_host_request_buffer(self, state: DeviceState, buffer: Available) -> Step:
        """Tell a request buffer from a message, and serve it; return a buffer that is neither."""
        if buffer.readable and not buffer.writable_bytes:
            return self.take_unused_message(state, buffer)
        if not buffer.readable and buffer.writable_bytes >= host_request.LENGTH_BYTES:
            return self.request(RequestInput.BUFFER, state, buffer)
        # SAFE-03: a buffer that is neither is returned untouched.
        note = Note(
            "REQ-02",
            f"{len(buffer.readable)} readable and {buffer.writable_bytes} writable bytes on one buffer",
        )
        return state, (note, self.return_buffer(buffer))

    def open_queue(self, state: DeviceState, _given: object) -> Step:
        """Take DRIVER_OK: request buffers may come from here on."""
        return self._now(state, RequestPhase.EMPTY)

    def keep_buffer(self, state: DeviceState, buffer: Available) -> Step:
        """Hold a request buffer until the operator asks."""
        requests = replace(state.requests, buffers=(*state.requests.buffers, buffer))
        return self._settle(replace(state, requests=requests))

    def keep_wish(self, state: DeviceState, identifier: int) -> Step:
        """Hold the operator's request until it can be made."""
        requests = replace(state.requests, wishes=(*state.requests.wishes, identifier))
        return self._settle(replace(state, requests=requests))

    def _settle(self, state: DeviceState) -> Step:
        """Make the next request if one is wanted and a buffer is held; otherwise set the phase."""
        requests = state.requests
        if requests.phase is RequestPhase.OPEN and not self.may_ask_again(state):
            return state, ()
        if requests.buffers and requests.wishes:
            return self.ask(state)
        return self._now(state, RequestPhase.READY if requests.buffers else RequestPhase.EMPTY)

    @staticmethod
    def _now(state: DeviceState, phase: RequestPhase) -> Step:
        return replace(state, requests=replace(state.requests, phase=phase)), ()

    # REQ-05: one request at a time.
    def may_ask_again(self, _state: DeviceState) -> bool:
        """Tell whether a request may be made while another is open."""
        return False

    # UNUSED-07: dirty tracking starts before the buffer is used; the operator starts it before it asks.
    def ask(self, state: DeviceState) -> Step:
        """Use the oldest request buffer for the oldest wish."""
        requests = state.requests
        buffer, identifier = requests.buffers[0], requests.wishes[0]
        data = self.encode_request(identifier)
        asked = replace(
            requests,
            phase=RequestPhase.OPEN,
            buffers=requests.buffers[1:],
            wishes=requests.wishes[1:],
            request=identifier,
            hints=EMPTY,
        )
        used = Used(buffer.queue, buffer.buffer, self.request_length_bytes(data), data)
        return replace(state, requests=asked), (used,)

    # REQ-04: reserved words are zero. REQ-06, REQ-07: the operator chooses the id.
    def encode_request(self, identifier: int) -> bytes:
        """Build the 16 bytes of a request for unused pages."""
        return host_request.build(HostRequest(CMD_GET_UNUSED_PAGES, (0, 0, 0), identifier))

    # REQ-03, BUF-07: the used length is what was written: 16 bytes, in a longer buffer too.
    def request_length_bytes(self, data: bytes) -> int:
        """Return the used length to report for a request."""
        return len(data)

    def want_unused_pages(self, state: DeviceState, identifier: int) -> Step:
        """Request unused pages with the operator's id, now or as soon as it is possible."""
        return self.request(RequestInput.WISH, state, identifier & _ID_MASK)

    # -- answers ------------------------------------------------------------------------------------------

    def take_unused_message(self, state: DeviceState, buffer: Available) -> Step:
        """Tell whether a message belongs to the open request, and serve it accordingly."""
        content = self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        kind = RequestInput.STRAY
        if content.header is not None and self.matches(state, content.header):
            kind = _FLAGS[content.header.flag]
        after, outputs = self.request(kind, state, (buffer, content))
        return after, (*content.notes, *outputs)

    # REQ-19: cmd, id and flag must be those of the exchange; the table knows whether it is open. The id comes
    # back in 16 bits.
    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Tell whether a message belongs to the last request."""
        is_answer = header.cmd == CMD_GET_UNUSED_PAGES and header.flag in _FLAGS
        return is_answer and header.id == state.requests.request & 0xFFFF

    def take_unused_pages(self, state: DeviceState, given: tuple[Available, BufferContent]) -> Step:
        """Keep the pages of a message as hints and return it."""
        buffer, content = given
        # UNUSED-03: pages named twice, and pages of the balloon, are hints like any other.
        requests = replace(state.requests, hints=state.requests.hints | content.pages)
        outputs = self.act_on_unused(state.requests.request, content)
        return replace(state, requests=requests), (*outputs, self.return_buffer(buffer))

    # UNUSED-01: an unused page is a hint for migration. The guest may use it again at any moment.
    def act_on_unused(self, request: int, content: BufferContent) -> tuple[DeviceOutput, ...]:
        """Return what the device does with reported pages."""
        return (Hint(request, content.pages),) if content.pages else ()

    # REQ-18: DONE may come without chunks. REQ-20: no message of this exchange follows it.
    def take_last_unused_pages(self, state: DeviceState, given: tuple[Available, BufferContent]) -> Step:
        """Keep the pages of the last message, close the exchange, and make the next request if one waits."""
        state, outputs = self.take_unused_pages(state, given)
        state, closing = self.close(state)
        return state, outputs + closing

    def close(self, state: DeviceState) -> Step:
        """Close the exchange, and make the next request if one waits."""
        return self._settle(replace(state, requests=replace(state.requests, phase=RequestPhase.EMPTY)))

    # REQ-23: nothing else waited for the answer, so the device only has to stop expecting it.
    def go_on_without(self, state: DeviceState, _given: Expire) -> Step:
        """Give up an unanswered request. Messages that answer it later are stray."""
        return self.close(state)

    def return_stray(self, state: DeviceState, given: tuple[Available, BufferContent]) -> Step:
        """Return a message that belongs to no open request, without effect."""
        buffer, content = given
        notes = () if content.header is None else (Note("REQ-16", "the message answers no open request"),)
        return state, (*notes, self.return_buffer(buffer))

    # BUF-02, BUF-03, BUF-07: nothing is written to a device-readable part, and the used length says so.
    def return_buffer(self, buffer: Available) -> Used:
        """Return a buffer into which nothing was written."""
        return Used(buffer.queue, buffer.buffer, 0, b"")
