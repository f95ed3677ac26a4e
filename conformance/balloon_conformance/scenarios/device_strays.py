"""Messages that look like the end of an exchange. A device that is misled asks again too early."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from balloon_conformance.iut.contract import Buffer, Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.driving import Driving
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.chunk_transfer import response_message
from balloon_spec.families.chunk_transfer.chunk import Chunk
from balloon_spec.families.chunk_transfer.response_header import FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

_PAGE = PageSet([(0x2000, 1)])
_CONTROL = PageSet([(0x2010, 1)])
_EARLY = "early"
_QUIET_SECONDS = 0.05
_ID_BITS, _COMMAND_BITS = 16, 8
"""The widths of the fields of a response header."""
_REQUESTS = frozenset({"HOST_REQ_VQ"})
_BOTH = frozenset({"HOST_REQ_VQ", "CHUNK_TRANSFER"})


def _done(cmd: int, number: int, *chunks: Chunk) -> bytes:
    return response_message.build(response_message.message(list(chunks), cmd=cmd, flag=FLAG_DONE, id=number))


@dataclass(frozen=True, slots=True)
class _Open:
    """An open request, by its id of 16 bits. While it is open, the device must not make the next request."""

    driving: Driving
    number: int

    @classmethod
    def make(cls, session: DeviceSession, wish: int = 7) -> _Open | None:
        """Have the operator ask twice, with a request buffer available; return None if no request comes.

        The device is given twice the time it will have after a stray. If it gives a request up after a while
        (REQ-23), that shows here.
        """
        driving = Driving(session, _PAGE | _CONTROL)
        driving.begin()
        if not session.can(Capability.OPERATOR_UNUSED_PAGES):
            return None
        number = driving.requested(wish)
        if number is None:
            return None
        early = Buffer(_EARLY, writable_bytes=host_request.LENGTH_BYTES)
        session.make_available(session.index(HOST_REQUEST), early)
        session.operate(ev.OperatorAction.UNUSED_PAGES, 9)
        session.settle(2 * _QUIET_SECONDS)
        return cls(driving, number)

    def stray(self, queue: Queue, data: bytes) -> None:
        """Send a message that does not end the exchange, and give the device its time."""
        self.driving.session.make_available(self.driving.session.index(queue), Buffer("stray", data))
        self.driving.session.settle(_QUIET_SECONDS)

    def strays(self, messages: Iterable[bytes]) -> None:
        """Send these messages, each once the one before came back, and then give the device its time."""
        for at, data in enumerate(messages):
            if not self.driving.answered(f"stray-{at}", data):
                break
        self.driving.session.settle(_QUIET_SECONDS)

    @property
    def asked_again(self) -> bool:
        """Whether the device has already made the next request."""
        events = (one.event for one in self.driving.session.trace)
        return any(isinstance(one, ev.Used) and one.buffer == _EARLY for one in events)

    def end(self) -> None:
        """End the exchange. Now the device makes the next request, unless it made it too early."""
        session = self.driving.session
        if self.asked_again:
            return
        session.make_available(session.index(HOST_REQUEST), Buffer("done", _done(0, self.number)))
        session.settle(_QUIET_SECONDS)


@scenario(Side.DEVICE, "REQ-05", features=_REQUESTS, breaks=("REQ-17",))
def test_a_request_buffer_before_its_time(session: DeviceSession) -> None:
    """A request buffer that comes before DONE is left alone until the request is answered."""
    exchange = _Open.make(session)
    if exchange is not None:
        exchange.end()


@scenario(Side.DEVICE, "REQ-19", "REQ-05", features=_REQUESTS, breaks=("REQ-08", "REQ-09", "REQ-17"))
@pytest.mark.parametrize("of", ["another-id", "another-command", "neither"])
def test_a_done_of_another_exchange(session: DeviceSession, of: str) -> None:
    """A DONE with another id, or of another command, does not end the exchange."""
    exchange = _Open.make(session)
    if exchange is not None:
        cmd = 0 if of == "another-id" else 9
        number = exchange.number if of == "another-command" else exchange.number ^ 8
        exchange.stray(HOST_REQUEST, _done(cmd, number))
        exchange.end()


@scenario(Side.DEVICE, "REQ-19", "REQ-05", features=_REQUESTS, breaks=("REQ-08", "REQ-09", "REQ-17"))
@pytest.mark.parametrize("field", ["id", "command"])
def test_a_done_that_differs_in_one_bit(session: DeviceSession, field: str) -> None:
    """A DONE whose id, or whose command, differs in any one bit does not end the exchange."""
    exchange = _Open.make(session)
    if exchange is None:
        return
    if field == "id":
        exchange.strays(_done(0, exchange.number ^ 1 << bit) for bit in range(_ID_BITS))
    else:
        exchange.strays(_done(1 << bit, exchange.number) for bit in range(_COMMAND_BITS))
    exchange.end()


@scenario(Side.DEVICE, "REQ-19", "REQ-05", features=_REQUESTS, breaks=("REQ-08", "REQ-17"))
@pytest.mark.parametrize("of", ["the-message", "the-request"])
def test_an_id_of_zero_is_no_wild_card(session: DeviceSession, of: str) -> None:
    """A DONE with id 0 does not end the exchange of another id, nor one with another id that of id 0."""
    exchange = _Open.make(session, 7 if of == "the-message" else 0)
    if exchange is None:
        return
    if of == "the-request" and exchange.number:
        raise NotExercised("the device requests unused pages under another id than the operator's")
    # All ones is an id like every other.
    exchange.strays(_done(0, number) for number in (0, 0xFFFF) if number != exchange.number)
    exchange.end()


@scenario(Side.DEVICE, "REQ-25", "REQ-05", features=_REQUESTS, breaks=("REQ-10", "REQ-17"))
@pytest.mark.parametrize("flag", [2, 3, 0xFF])
def test_a_flag_that_is_neither(session: DeviceSession, flag: int) -> None:
    """A message whose flag is neither CONT nor DONE does not end the exchange."""
    exchange = _Open.make(session)
    if exchange is None:
        return
    data = bytearray(_done(0, exchange.number, Chunk(0x2000, 1)))
    data[1] = flag
    exchange.stray(HOST_REQUEST, bytes(data))
    if not any(isinstance(entry.event, ev.NeedsReset) for entry in session.trace):
        exchange.end()


@scenario(Side.DEVICE, "HDR-05", features=_BOTH, breaks=("HDR-04", "QUEUE-01", "REQ-17"))
@pytest.mark.parametrize("queue", [INFLATE, DEFLATE], ids=["inflate", "deflate"])
def test_a_done_on_a_queue_of_the_balloon(session: DeviceSession, queue: Queue) -> None:
    """An inflate or deflate message with the header of a DONE does not end the exchange."""
    exchange = _Open.make(session)
    if exchange is None:
        return
    if not exchange.driving.chunks:
        raise NotExercised("without CHUNK_TRANSFER the queues of the balloon carry no messages")
    driving = exchange.driving
    # First with an ordinary header: giving a request up for the balloon only goes against advice.
    driving.inflate(_CONTROL)
    if queue is DEFLATE and driving.drain():
        driving.inflate(_PAGE)
        if driving.drain():
            driving.deflate(_CONTROL)
    if not driving.drain():
        return
    session.settle(_QUIET_SECONDS)
    if exchange.asked_again:
        raise NotExercised("the device gives a request up for a buffer of the balloon")
    exchange.stray(queue, _done(0, exchange.number, *(Chunk(run.first, run.count) for run in _PAGE)))
    exchange.end()


@scenario(
    Side.DEVICE,
    *("SAFE-08", "SAFE-06"),
    features=_REQUESTS,
    breaks=("HDR-01", "HDR-02", "HDR-03", "REQ-11", "REQ-16", "REQ-17"),
)
@pytest.mark.parametrize("length_bytes", [2, 7, 9])
def test_a_done_that_is_malformed(session: DeviceSession, length_bytes: int) -> None:
    """A DONE that is cut within its header, or has a part of a chunk, does not end the exchange."""
    exchange = _Open.make(session)
    if exchange is None:
        return
    header = bytearray(_done(0, exchange.number))
    header[4:] = max(length_bytes - len(header), 0).to_bytes(4, "little")
    exchange.stray(HOST_REQUEST, bytes(header.ljust(length_bytes, b"\0")[:length_bytes]))
    if not any(isinstance(entry.event, ev.NeedsReset) for entry in session.trace):
        exchange.end()
