"""The host request that is being answered, and what either side owes on the host request queue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from balloon_spec import events as ev
from balloon_spec.families.base import BALLOON_QUEUES, DEFLATE, INFLATE
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.guest_wishes import GuestWishes
from balloon_spec.families.chunk_transfer import chunk
from balloon_spec.families.chunk_transfer.message_content import MESSAGE, header_of
from balloon_spec.families.chunk_transfer.response_header import FLAG_CONT, FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.families.host_requests.shapes import REQUEST
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.companion import Companion
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

__all__ = ["Request", "Requests"]

_AGAIN: Final = 2
"""A device that did so twice does not do it once only."""
_FLAGS: Final = frozenset({FLAG_CONT, FLAG_DONE})
_MASKED: Final = frozenset({"CHUNK-03"})
"""Faults of a message that every device looks past (CHUNK-06)."""
_PASSED_OVER: Final = frozenset({"CHUNK-04", "CHUNK-05"})
"""Faults of single chunks, for which a device that does as it is advised leaves out those alone."""


@dataclass(slots=True)
class Request:
    """The host request that is being answered, or that can have no answer."""

    used: ev.Used
    at_seconds: float | None
    is_whole: bool
    """The device wrote sixteen bytes and said so; anything else is no request the driver can read."""
    command: int
    parameter: int
    """Those of the request; zero where it is not whole."""
    messages: int = 0
    reported: PageSet = EMPTY
    total: int = 0
    is_done: bool = False
    is_vague: bool = False
    """The DONE it ended with is malformed, so that a device may go on waiting for one that is not."""
    passes_over: bool = False
    """No more is wrong with that DONE than chunks that are to be passed over (REQ-27)."""
    was_unused: PageSet | None = None
    """The pages the guest left unused at some moment since the request; None for one that is not steered."""
    was_free: PageSet = EMPTY
    """Other pages that may have been free meanwhile: those it gave up, or on their way out of the balloon."""
    held_by_guest: PageSet = EMPTY
    """The pages in which the guest was seen to keep data when the request was made."""
    named_throughout: PageSet = EMPTY
    """The pages that were in the balloon at the request, or on their way into it, and still are."""
    beside: frozenset[Queue] = frozenset()
    """The queues of balloon pages on which a buffer was unanswered when the request was made."""

    device_waited: bool = False
    """The device was given its time, a buffer and a wish, and did not ask again while this one is open."""
    strays: tuple[str, ...] = ()
    """The requirements by which what came since then may not close it, each once, the newest last."""
    ordinary: frozenset[int] = frozenset()
    """The queues of the balloon on which messages with an ordinary header came since then."""
    waited_on: frozenset[int] = frozenset()
    """Those of them whose messages the device had its time for, and did not ask again."""

    def take(self, buffer: InFlight) -> bool:
        """Take in a message that belongs to the request, and tell whether it is its DONE."""
        self.messages += 1
        self.reported |= buffer.content.pages
        self.total += buffer.content.total
        header = header_of(buffer.content)
        if header is None or header.flag != FLAG_DONE:
            return False
        self._close(buffer)
        return True

    def heard_of(self, action: ev.GuestAction, pages: PageSet) -> None:
        """Note pages that may be free by now."""
        if action is ev.GuestAction.INFLATE:
            self.was_free |= pages
        elif action is ev.GuestAction.UNUSED and self.was_unused is not None:
            self.was_unused |= pages

    def _close(self, buffer: InFlight) -> None:
        faults = buffer.content.faults - _MASKED
        self.is_done = True
        self.is_vague = bool(faults) or buffer.event.writable_bytes > 0
        self.passes_over = self.is_vague and faults <= _PASSED_OVER and not buffer.event.writable_bytes

    def let_go(self, pages: PageSet) -> None:
        """Note pages that leave the balloon: on their way back to the guest they may be free."""
        self.named_throughout -= pages
        self.was_free |= pages

    def may_not_close(self, buffer: InFlight) -> None:
        """Note a buffer that has the look of a DONE and is none of this request.

        A device may give a request up for the balloon; only if it does not is HDR-05 put to the test.
        """
        name = _why_without_effect(buffer, self)
        queue = buffer.event.queue
        if buffer.shape is MESSAGE and buffer.queue in BALLOON_QUEUES and not name:
            self.ordinary |= {queue}
        if name and (name != "HDR-05" or queue in self.waited_on):
            self.strays = (*(one for one in self.strays if one != name), name)

    @property
    def has_answer(self) -> bool:
        """Tell whether the driver owes messages: the request is whole and its command is known."""
        return self.is_whole and self.command == 0

    @property
    def is_open(self) -> bool:
        """Tell whether the driver still owes messages."""
        return self.has_answer and not self.is_done

    @property
    def closes_by(self) -> str:
        """The requirement by which the device takes the exchange for closed; empty where it need not."""
        if self.is_vague:
            return "REQ-27" if self.passes_over else ""
        return "REQ-20" if self.is_done else ""

    @property
    def is_marked(self) -> bool:
        """Tell whether the device left something in the reserved words (REQ-04), which changes nothing."""
        return self.is_whole and any(host_request.parse(self.used.written).reserved)


@dataclass(slots=True, eq=False)
class Requests(Companion):
    """The request in hand, the operator's wish behind it, and the request buffers."""

    request: Request | None = None
    last_id: int | None = None
    """The id of the last request, before a reset too."""
    wanted: int | None = None
    """The id of a request that the operator wants and the device has not made."""
    made: int = 0
    """How often the device made a request for which the operator's wish was known, since the reset."""
    posts: int = 0
    """How many request buffers were made available since the reset."""
    owed: str | None = None
    """Why the driver owes a request buffer: the requirement that says so."""
    answered: frozenset[bool] = frozenset()
    """Whether the guest was said to have unused pages, of requests with zero in the reserved words that were
    answered."""
    left_unused: PageSet | None = None
    """The pages that the guest leaves unused; None for one that is not steered."""
    keeps: PageSet = EMPTY
    """The pages in which the guest was seen to keep data."""
    was_asked: bool = False
    """A request was open at the last reset."""
    dropped_wish: bool = False
    """A wish for unused pages was not carried out when the device was reset."""

    @property
    def is_asked(self) -> bool:
        """Whether a request is open."""
        return self.request is not None and self.request.is_open

    @property
    def could_ask(self) -> bool:
        """Whether nothing keeps the device from the next request but the open one, which REQ-05 advises."""
        waits = self.wanted is not None and bool(self.request_buffers())
        return waits and self.request is not None and (self.request.is_open or self.request.is_vague)

    @property
    def unused(self) -> PageSet | None:
        """The pages that an answer may name, None for a guest that is not steered.

        It may be of any moment since the request: it takes time, and the guest goes on meanwhile.
        """
        return self.request.was_unused if self.request else self.left_unused

    def messages(self) -> list[InFlight]:
        """Return the unused-page messages in flight."""
        return [one for one in self.exchange[Buffers].on(HOST_REQUEST) if one.shape is MESSAGE]

    def request_buffers(self) -> list[InFlight]:
        """Return the request buffers in flight."""
        return [one for one in self.exchange[Buffers].on(HOST_REQUEST) if one.shape is REQUEST]

    def matches(self, buffer: InFlight) -> bool:
        """Tell whether a buffer is an unused-page message of the open request (REQ-19)."""
        header, request = header_of(buffer.content), self.request
        if header is None or request is None or buffer.queue is not HOST_REQUEST:
            return False
        if not (request.is_open or request.is_vague):
            return False
        return header.id == request.parameter & 0xFFFF and header.cmd == request.command

    def keeps_memory(self) -> bool:
        """Tell whether a request is open, as while the guest is moved elsewhere."""
        return self.is_asked

    def keeps_driver(self) -> bool:
        """Tell whether unused-page messages are with the device: CONC-04 judges who waits for them."""
        return bool(self.messages())

    def dropped_a_wish(self) -> bool:
        """Tell whether a wish for unused pages was not carried out when the device was reset."""
        return self.dropped_wish

    def forbids(self, buffer: InFlight) -> Iterable[tuple[str, PageSet]]:
        """Return the pages of an unused-page message."""
        is_message = buffer.queue is HOST_REQUEST and buffer.shape is MESSAGE
        return (("UNUSED-01", buffer.content.pages),) if is_message else ()

    def is_wanted_again(self, queue: Queue) -> bool:
        """Tell whether a device that made a request that was answered has a wish for the next."""
        closed = self.request is not None and not self.request.is_open
        return queue is HOST_REQUEST and self.wanted is not None and closed and self.made >= _AGAIN

    def in_particular(
        self, requirement: str, buffer: InFlight | None = None, other: InFlight | None = None
    ) -> tuple[str, str] | None:
        """Return the requirement on the two kinds of pages beside one another, if both are concerned."""
        match requirement:
            case "CFG-04" if self.messages():
                return "CONC-04", "actual waits for the return of an unused-page message"
            case "BUF-05" if buffer is not None and other is not None and _are_of_both_kinds(buffer, other):
                return "CONC-01", ""
            case "QUEUE-07" if buffer is not None and self._is_beside(buffer):
                return "CONC-06", self.exchange.trials.of("CONC-06").not_returned
            case _:
                return None

    def _is_beside(self, buffer: InFlight) -> bool:
        """Tell whether another queue had something to do while the buffer was in flight.

        That is a message or an array, returned since or not, or a request that the driver has not answered.
        """
        if not self.exchange[Session].has("HOST_REQ_VQ"):
            return False
        if self.is_asked and buffer.queue is not HOST_REQUEST:
            return True
        flying = self.exchange[Buffers]
        if any(queue is not buffer.queue and last > buffer.number for queue, last in flying.latest.items()):
            return True
        return any(
            other.queue is not buffer.queue and other.shape.names_pages for other in flying.in_flight.values()
        )

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in a request, what answers it, and what the guest does meanwhile."""
        match event:
            case ev.Available() if buffer is not None:
                self._available(buffer)
            case ev.Used() if buffer is not None and buffer.shape is REQUEST:
                self._made(event)
            case ev.Quiet() if event.side is ev.Side.DEVICE and self.exchange[Session].driver_ok:
                if self.could_ask and self.request is not None:
                    self.request.device_waited = True
                    self.request.waited_on |= self.request.ordinary
            case ev.Operator() if event.action is ev.OperatorAction.UNUSED_PAGES:
                self.wanted = event.value
            case ev.Guest():
                self._heard(event.action, self.exchange[Session].existing(event.pages))
            case _:
                pass

    def _available(self, buffer: InFlight) -> None:
        if self.request is not None and self.request.device_waited:
            self.request.may_not_close(buffer)
        if buffer.queue is DEFLATE and self.request is not None:
            self.request.let_go(buffer.content.intended)
        elif buffer.shape is REQUEST:
            self.posts += 1
            self.owed = None
        elif self.request is not None and self.matches(buffer) and self.request.take(buffer):
            self.owed = "REQ-13"
            if not self.request.is_marked:
                self.answered |= {bool(self.request.was_unused)}

    def _heard(self, action: ev.GuestAction, pages: PageSet) -> None:
        if action is ev.GuestAction.UNUSED:
            self.left_unused = pages
        elif action is ev.GuestAction.HOLD:
            self.keeps = pages
        if self.request is not None:
            self.request.heard_of(action, pages)

    def _made(self, event: ev.Used) -> None:
        balloon = self.exchange[Balloon]
        whole = event.length_bytes == len(event.written) == host_request.LENGTH_BYTES
        busy = frozenset(one.queue for one in self.exchange[Buffers].on(*BALLOON_QUEUES) if one.queue)
        asked = host_request.parse(event.written if whole else bytes(host_request.LENGTH_BYTES))
        request = Request(
            event,
            self.exchange.now_seconds,
            whole,
            asked.cmd,
            asked.param,
            was_unused=self.left_unused,
            was_free=self.exchange[GuestWishes].given_up | balloon.deflating,
            held_by_guest=self.keeps,
            named_throughout=balloon.named,
            beside=busy,
        )
        self.made += self.wanted is not None and request.has_answer
        if not whole or asked.cmd == 0 or asked.param == self.wanted:
            self.wanted = None
        if whole:
            self.last_id = asked.param
        self.request = request
        if not request.has_answer:
            self.owed = "REQ-14" if whole else "REQ-15"

    def after_reset(self) -> Self:
        """Leave the id of the last request, and that one was open or wanted."""
        return type(self)(
            self.exchange,
            last_id=self.last_id,
            was_asked=self.is_asked,
            dropped_wish=self.wanted is not None,
        )


def _are_of_both_kinds(one: InFlight, other: InFlight) -> bool:
    """Tell whether one buffer is of the balloon, and the other an unused-page message."""
    kinds = {_kind(one), _kind(other)}
    return kinds == {"balloon", "unused"}


def _kind(buffer: InFlight) -> str:
    if buffer.queue in BALLOON_QUEUES:
        return "balloon"
    return "unused" if buffer.queue is HOST_REQUEST and buffer.shape is MESSAGE else "other"


def _why_without_effect(buffer: InFlight, request: Request) -> str:
    """Name the requirement by which a buffer has no effect on the open request; empty for one that has."""
    header, data = header_of(buffer.content), buffer.event.readable
    # Both queues always exist, so their places are their numbers in every numbering.
    if buffer.event.queue in {INFLATE.place, DEFLATE.place}:
        # One with the id of the request is taken for a message on the wrong queue, and has none.
        is_message = buffer.shape is MESSAGE or buffer.queue is None
        return "HDR-05" if is_message and data[1:2] == bytes([FLAG_DONE]) else ""
    if buffer.queue is not HOST_REQUEST or buffer.shape is not MESSAGE:
        return ""
    if header is None:
        return "SAFE-08"
    if header.data_len % chunk.LENGTH_BYTES:
        return "SAFE-06"
    belongs = header.id == request.parameter & 0xFFFF and header.cmd == request.command
    if not belongs:
        return "REQ-19"
    return "" if header.flag in _FLAGS else "REQ-25"
