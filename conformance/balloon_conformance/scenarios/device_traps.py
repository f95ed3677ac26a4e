"""Buffers on which devices of the field have come to grief, and the pages that show it."""

from __future__ import annotations

from balloon_conformance.iut.contract import Buffer, Capability
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.driving import Driving, encode
from balloon_conformance.session import DeviceSession
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue
from balloon_spec.wire import host_request, response_message
from balloon_spec.wire.response_header import FLAG_DONE

_PLAIN = PageSet([(0x1800, 1)])
_GOOD = PageSet([(0x2000, 1)])
_SIZE_WORD = PageSet([(0x1000, 1)])
"""The size of one page, 0x1000 bytes, read as a page frame number."""
_4_GIB = 1 << 20
"""4 GiB in pages."""
_QUIET_SECONDS = 0.05
_REQUESTS = frozenset({"HOST_REQ_VQ"})


@scenario(Side.DEVICE, "QUEUE-10", "QUEUE-07")
def test_a_buffer_before_driver_ok(session: DeviceSession) -> None:
    """An inflate buffer that is there at DRIVER_OK comes back after it and not before."""
    driving = Driving(session, _GOOD | _PLAIN)
    driving.begin(early=_GOOD)
    if "HOST_REQ_VQ" not in driving.features:
        # Only there does a device look for buffers that nobody notified it of (QUEUE-04).
        driving.inflate(_PLAIN)
    if driving.drain():
        driving.look(_GOOD)


@scenario(Side.DEVICE, "PFN-06", "SAFE-01", breaks=("PFN-04",))
def test_an_entry_4_gib_above_a_page(session: DeviceSession) -> None:
    """An array names a page outside memory whose number has the low 20 bits of one that is inside."""
    driving = Driving(session, _PLAIN)
    driving.begin(without=frozenset({"CHUNK_TRANSFER"}))
    driving.inflate(_PLAIN)
    if not driving.drain():
        return
    driving.look(_PLAIN)
    stray = PageSet([(0x2800 + _4_GIB, 1)])
    driving.send(Queue.INFLATE, encode([*_GOOD, *stray], chunks=False), _GOOD)
    session.settle(_QUIET_SECONDS)
    driving.look(_GOOD | PageSet([(0x2800, 1)]))


@scenario(Side.DEVICE, "INF-08", features=frozenset({"CHUNK_TRANSFER"}))
def test_a_message_that_would_do_for_an_array(session: DeviceSession) -> None:
    """The words of a message are no page frame numbers, though one of them could be."""
    driving = Driving(session, _GOOD)
    driving.begin()
    driving.inflate(_GOOD)
    if driving.drain():
        driving.look(_SIZE_WORD)


@scenario(Side.DEVICE, "REQ-05", features=_REQUESTS, breaks=("REQ-17",))
def test_a_request_buffer_before_its_time(session: DeviceSession) -> None:
    """A request buffer that comes before DONE is left alone until the request is answered."""
    _ask_twice(session, stray=False)


@scenario(Side.DEVICE, "REQ-05", "REQ-19", features=_REQUESTS, breaks=("REQ-08", "REQ-17"))
def test_a_done_of_another_exchange(session: DeviceSession) -> None:
    """A DONE with the id of another request does not end the exchange."""
    _ask_twice(session, stray=True)


def _ask_twice(session: DeviceSession, *, stray: bool) -> None:
    """Have the operator ask, and ask again, while the first request is unanswered."""
    driving = Driving(session, PageSet())
    driving.begin()
    if not session.can(Capability.OPERATOR_UNUSED_PAGES):
        return
    session.operate(ev.OperatorAction.UNUSED_PAGES, 7)
    asked = session.wait_for(lambda seen: isinstance(seen, ev.Used) and bool(seen.written))
    if asked is None:
        return
    if stray:
        done = response_message.build(response_message.message([], flag=FLAG_DONE, id=8))
        session.make_available(Queue.HOST_REQUEST.index, Buffer("stray", done))
    session.make_available(
        Queue.HOST_REQUEST.index, Buffer("early", writable_bytes=host_request.LENGTH_BYTES)
    )
    session.operate(ev.OperatorAction.UNUSED_PAGES, 9)
    session.settle(_QUIET_SECONDS)
