"""A buffer in flight, and a host request that is being answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from balloon_spec import events as ev
from balloon_spec.judge.content import Content
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.wire import chunk, host_request, statistics
from balloon_spec.wire.response_header import FLAG_CONT, FLAG_DONE

__all__ = ["InFlight", "Key", "Request", "Shape", "Unheard"]

Shape = Literal["message", "array", "wrong-message", "wrong-array", "statistics", "request", "none"]
"""What a buffer is, by its queue and the negotiated features; ``wrong-array`` is an array where messages
were negotiated, ``wrong-message`` the reverse. Neither is acted on in either reading."""

Key = tuple[int, str]

_REQUEST_BYTES = host_request.LENGTH_BYTES
_CHUNK_BYTES = chunk.LENGTH_BYTES
_ENTRY_BYTES = statistics.ENTRY_BYTES
_BALLOON = frozenset({Queue.INFLATE, Queue.DEFLATE})
_FLAGS = frozenset({FLAG_CONT, FLAG_DONE})
_MASKED = frozenset({"CHUNK-03"})
"""Faults of a message that every device looks past (CHUNK-06)."""
_PASSED_OVER = frozenset({"CHUNK-04", "CHUNK-05"})
"""Faults of single chunks, for which a device that does as it is advised leaves out those alone."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A buffer the driver made available and the device has not returned."""

    event: ev.Available
    queue: Queue | None
    shape: Shape
    content: Content
    number: int
    """How many buffers were made available before it since the reset."""
    early: bool
    """It was made available before DRIVER_OK and without a notification."""
    tests: frozenset[str] = frozenset()
    """The requirements of the device that this buffer puts to the test."""
    is_reachable: bool = True
    """Every descriptor points into guest memory, as far as that is known."""

    @property
    def is_sound(self) -> bool:
        """Tell whether the device has every reason to return the buffer."""
        return self.queue is not None and not self.is_malformed and self.shape in {"message", "array"}

    @property
    def is_malformed(self) -> bool:
        """Tell whether the buffer by itself breaks a requirement that a device may rely on.

        A message that answers no open request, and pages the balloon has or has not, are not malformed:
        what a device does with these has requirements of its own.
        """
        if (
            self.content.is_malformed
            or not self.is_reachable
            or self.shape in {"wrong-array", "wrong-message"}
        ):
            return True
        writable_bytes = self.event.writable_bytes
        if self.shape == "request":
            return writable_bytes != _REQUEST_BYTES
        if self.shape == "statistics":
            return (
                writable_bytes > 0 or not self.event.readable or len(self.event.readable) % _ENTRY_BYTES > 0
            )
        header = self.content.header
        is_last = self.queue is Queue.HOST_REQUEST and header is not None and header.flag == FLAG_DONE
        is_vague = self.queue is Queue.HOST_REQUEST and header is not None and header.flag not in _FLAGS
        is_empty = header is not None and header.data_len == 0 and not is_last
        return self.queue is not None and (writable_bytes > 0 or is_vague or is_empty)


@dataclass(frozen=True, slots=True)
class Unheard:
    """Buffers of which a notification is due: how many, and the name of the first."""

    first: str
    count: int = 1


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

    is_patient: bool = False
    """The device was given its time, a buffer and a wish, and did not ask again while this one is open."""
    strays: tuple[str, ...] = ()
    """What came since then and may not close it: the requirements that say so, the newest last."""
    plain: frozenset[int] = frozenset()
    """The queues of the balloon on which messages with an ordinary header came since then."""
    calm: frozenset[int] = frozenset()
    """Those of them whose messages the device had its time for, and did not ask again."""

    def close(self, buffer: InFlight) -> None:
        """Take in the DONE of the exchange."""
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
        if buffer.shape == "message" and buffer.queue in _BALLOON and not name:
            self.plain |= {queue}
        if name and (name != "HDR-05" or queue in self.calm):
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


def _why_without_effect(buffer: InFlight, request: Request) -> str:
    """Name the requirement by which a buffer has no effect on the open request; empty for one that has."""
    header, data = buffer.content.header, buffer.event.readable
    if buffer.event.queue in {Queue.INFLATE.index, Queue.DEFLATE.index}:
        # One with the id of the request is taken for a message on the wrong queue, and has none.
        is_message = buffer.shape == "message" or buffer.queue is None
        return "HDR-05" if is_message and data[1:2] == bytes([FLAG_DONE]) else ""
    if buffer.queue is not Queue.HOST_REQUEST or buffer.shape != "message":
        return ""
    if header is None:
        return "SAFE-08"
    if header.data_len % _CHUNK_BYTES:
        return "SAFE-06"
    belongs = header.id == request.parameter & 0xFFFF and header.cmd == request.command
    if not belongs:
        return "REQ-19"
    return "" if header.flag in _FLAGS else "REQ-25"
