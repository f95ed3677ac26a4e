"""Requests for unused pages to a driver that runs freely: besides other buffers, unknown, repeated."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.reference.modelled_guest import pattern
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import (
    FRAGMENTED_GUEST_PAGES,
    FRAGMENTS,
    Hosting,
    isolated,
)
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.chunk_transfer import chunk, response_header
from balloon_spec.families.chunk_transfer.response_header import CMD_GET_UNUSED_PAGES
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.pages import EMPTY, PAGE_BYTES, PageSet
from balloon_spec.wire.errors import WireError

_FEATURES = frozenset({"HOST_REQ_VQ"})
_BALLOON = PageSet([(0x1000, 512)])
_UNUSED = PageSet([(0x2000, 64), (0x2100, 8)])
_KEPT = "kept"
_KEPT_PAGES = 256
_SMALL_GUEST_PAGES = 0x1000
"""The size of a guest whose memory is searched."""
_READ_PAGES = 64
_QUIET_SECONDS = 0.05

_ABOUT = ("REQ-08", "REQ-09", "REQ-10", "REQ-11", "REQ-13", "UNUSED-02", "UNUSED-05")


class _Asking:
    """A device that asks for unused pages and reads the answers."""

    def __init__(self, session: DriverSession) -> None:
        self.hosting = Hosting(session)
        self._session = session
        if not self.hosting.begin() >= _FEATURES:
            raise NotExercised("the driver did not accept HOST_REQ_VQ")
        if session.can(Capability.STEER_PAGES):
            session.steer(ev.GuestAction.UNUSED, _UNUSED)
        self._held: list[ev.Available] = []

    def next_buffer(self) -> ev.Available | None:
        """Await a buffer on the host request queue, a request buffer or a message; None if none comes."""
        event = self._session.wait_for(
            lambda seen: isinstance(seen, ev.Available) and self._session.queue(seen.queue) is HOST_REQUEST
        )
        return event if isinstance(event, ev.Available) else None

    def ask(self, param: int, *, command: int = 0, length_bytes: int = host_request.LENGTH_BYTES) -> bool:
        """Write a request into the request buffer; return False if the driver has made none available.

        A message that nobody asked for is no request buffer, and neither is a buffer that the request does
        not fit. The rules find both.
        """
        buffer = self.next_buffer()
        if buffer is None or buffer.writable_bytes < length_bytes or buffer.readable:
            return False
        written = host_request.build(HostRequest(command, (0, 0, 0), param))[:length_bytes]
        if command == CMD_GET_UNUSED_PAGES:
            self._session.operate(ev.OperatorAction.UNUSED_PAGES, param)
        self._session.use(buffer.queue, buffer.buffer, length_bytes, written)
        return True

    def answer(self, *, hold: int = 0) -> bool:
        """Read messages until DONE, with ``hold`` of them unanswered at a time; return False if no DONE came.

        It also returns False if there are more chunks than the guest has pages. That is no answer
        (UNUSED-05), and may never end.
        """
        room_bytes = self.hosting.memory_pages * chunk.LENGTH_BYTES
        while room_bytes >= 0:
            message = self.next_buffer()
            if message is None:
                return False
            self._held.append(message)
            room_bytes -= max(len(message.readable), chunk.LENGTH_BYTES)
            done = _is_done(message.readable)
            while len(self._held) > (0 if done else hold):
                # The newest first: a driver may not rely on the order of returns.
                returned = self._held.pop()
                self._session.use(returned.queue, returned.buffer, 0, b"")
            if done:
                return True
        return False


def _is_done(data: bytes) -> bool:
    try:
        return response_header.parse(data[: response_header.LENGTH_BYTES]).flag == response_header.FLAG_DONE
    except WireError:
        return True


@scenario(Side.DRIVER, *_ABOUT, "REQ-01", "REQ-02", features=_FEATURES)
def test_one_request_after_another(session: DriverSession) -> None:
    """Twenty requests with new ids are each answered up to DONE."""
    asking = _Asking(session)
    for identifier in range(1, 21):
        if not asking.ask(identifier) or not asking.answer():
            return
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "REQ-14", "REQ-13", features=_FEATURES)
@pytest.mark.parametrize("command", [9, 0x100, 0xFFFF])
def test_an_unknown_command(session: DriverSession, command: int) -> None:
    """A driver does not answer an unknown command, and serves the next request."""
    asking = _Asking(session)
    if asking.ask(1, command=command) and asking.ask(2):
        asking.answer()
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "REQ-15", "REQ-13", features=_FEATURES, breaks=("REQ-03",))
@pytest.mark.parametrize("length_bytes", [0, 8, 15])
def test_a_request_that_is_not_whole(session: DriverSession, length_bytes: int) -> None:
    """A driver serves the next request after a request buffer that came back with a length other than 16."""
    asking = _Asking(session)
    if asking.ask(1, length_bytes=length_bytes) and asking.ask(2):
        asking.answer()
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "REQ-08", "REQ-11", "REQ-13", features=_FEATURES)
def test_an_id_of_more_than_16_bits(session: DriverSession) -> None:
    """A device that, against advice, uses more bits of the id finds the low 16 in the answer."""
    asking = _Asking(session)
    for identifier in (0x11234, 0xFFFF_0000_0000_4321):
        if not asking.ask(identifier) or not asking.answer():
            return
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "HDR-04", "REQ-13", "INF-03", "DEF-11", features=_FEATURES)
def test_a_request_before_the_first_inflation(session: DriverSession) -> None:
    """The headers of inflate and deflate messages hold nothing of a request that was answered before."""
    asking = _Asking(session)
    if asking.ask(0x1234) and asking.answer():
        asking.hosting.move_a_few()
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, *_ABOUT, features=_FEATURES)
def test_a_request_with_the_id_of_the_one_before(session: DriverSession) -> None:
    """A device that repeats an id, against advice, is answered all the same."""
    asking = _Asking(session)
    for identifier in (7, 7, 0xFFFF):
        if not asking.ask(identifier) or not asking.answer():
            return
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "CONC-02", "CONC-03", *_ABOUT, features=_FEATURES)
@pytest.mark.parametrize("queue", ["inflate", "deflate"])
def test_a_request_beside_an_unanswered_buffer(session: DriverSession, queue: str) -> None:
    """A request is answered up to DONE while an inflate or a deflate buffer is held back.

    Whether or not it was answered, the driver goes on when it gets the buffer back.
    """
    asking = _Asking(session)
    hosting = asking.hosting
    hosting.aim(_BALLOON.pages, inflate=_BALLOON)
    if queue == "deflate":
        if not hosting.serve():
            return
        hosting.aim(0, deflate=_BALLOON)
    if not hosting.take_in() or not hosting.held:
        return
    if asking.ask(3):
        asking.answer(hold=1)
        hosting.serve()
    session.settle(_QUIET_SECONDS)


@scenario(
    Side.DRIVER,
    *_ABOUT,
    *("UNUSED-04", "CHUNK-03", "CHUNK-04", "CHUNK-05", "INF-03", "DEF-11"),
    features=_FEATURES,
    memory_pages=FRAGMENTED_GUEST_PAGES,
)
@pytest.mark.parametrize("blocks", [*FRAGMENTS, 2048, 2049])
def test_many_isolated_unused_pages(session: DriverSession, blocks: int) -> None:
    """A guest with many isolated unused pages answers up to DONE, and can still inflate and deflate.

    2048 pages fill a message of 32 KiB; more than 4096 exceed its number of words. A guest that chooses by
    itself has other unused pages too.
    """
    asking = _Asking(session)
    if session.can(Capability.STEER_GUEST):
        asking.hosting.command("fragment", "holes", blocks)
    else:
        session.need(Capability.STEER_PAGES)
        session.steer(ev.GuestAction.UNUSED, isolated(blocks))
    if asking.ask(6) and asking.answer():
        asking.hosting.move_a_few()
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "CONC-04", features=_FEATURES)
def test_inflating_beside_an_unanswered_message(session: DriverSession) -> None:
    """A driver inflates and deflates while a message of unused pages is held back.

    It has done both before, so it is able to. Whether or not it does, it goes on when it gets the message
    back.
    """
    asking = _Asking(session)
    hosting = asking.hosting
    if not hosting.move(_BALLOON) or not asking.ask(4):
        return
    message = asking.next_buffer()
    if message is None:
        return
    hosting.move(_BALLOON)
    session.use(message.queue, message.buffer, 0, b"")
    hosting.serve()
    if not _is_done(message.readable):
        asking.answer()
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "UNUSED-10", *_ABOUT, features=_FEATURES, memory_pages=_SMALL_GUEST_PAGES)
def test_a_request_while_the_guest_keeps_data(session: DriverSession) -> None:
    """Pages in which the guest keeps data from before the request until after the answer are not unused."""
    session.need(Capability.STEER_GUEST, Capability.GUEST_MEMORY)
    asking = _Asking(session)
    asking.hosting.command("allocate", _KEPT, _KEPT_PAGES)
    if not _look_for_kept(session):
        raise NotExercised("what the guest keeps was not found in its memory")
    if asking.ask(10) and asking.answer():
        _look_for_kept(session)
    asking.hosting.command("release", _KEPT)
    session.settle(_QUIET_SECONDS)


def _look_for_kept(session: DriverSession) -> PageSet:
    """Find the pages in which the guest keeps its data. Content that is there twice cannot be located."""
    wanted = {pattern(_KEPT, page): page for page in range(_KEPT_PAGES)}
    places: dict[int, list[int]] = {}
    for run in session.judge.memory or EMPTY:
        for first in range(run.first, run.end, _READ_PAGES):
            count = min(_READ_PAGES, run.end - first)
            data = session.read_memory(first * PAGE_BYTES, count * PAGE_BYTES)
            for at in range(count):
                page = wanted.get(data[at * PAGE_BYTES : (at + 1) * PAGE_BYTES])
                if page is not None:
                    places.setdefault(page, []).append(first + at)
    held = PageSet((found[0], 1) for found in places.values() if len(found) == 1)
    session.record(ev.Guest(ev.GuestAction.HOLD, held))
    return held


@scenario(Side.DRIVER, "UNUSED-02", "REQ-11", "REQ-13", features=_FEATURES)
def test_a_request_to_a_balloon_at_rest(session: DriverSession) -> None:
    """A request while nothing moves, with the balloon full and later half empty."""
    asking = _Asking(session)
    hosting = asking.hosting
    half = PageSet([(0x1000, 256)])
    hosting.aim(_BALLOON.pages, inflate=_BALLOON)
    for identifier, target in ((8, half.pages), (9, 0)):
        if not hosting.serve() or not asking.ask(identifier) or not asking.answer():
            return
        hosting.aim(target, deflate=half if target else _BALLOON - half)
    hosting.serve()
    session.settle(_QUIET_SECONDS)
