"""A driver behind a program: ``stdio:COMMAND`` if the program says that it is a driver."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import AdapterError, Capability, Setup
from balloon_conformance.iut.stdio.adapter import StdioAdapter
from balloon_conformance.iut.stdio.forms import ErrorKind
from balloon_conformance.iut.stdio.messages import Answer
from balloon_conformance.virtio.lent_pages import LentPages
from balloon_spec.events import Available, Contents, Event, GuestAction, Memory, Reset, Side
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

__all__ = ["StdioDriver"]

_GUEST_SECONDS: Final = 30.0
_FIRST_WISHES: Final = frozenset({GuestAction.INFLATE, GuestAction.DEFLATE, GuestAction.UNUSED})
"""The wishes that every program with the capability knows; families brought others later."""
_READ_BYTES: Final = 1 << 20
"""So many bytes of memory are asked for at once: a line has room for less than two of them."""


class _MemoryReader:
    """Guest memory as a program reads it, piece by piece."""

    def __init__(self, driver: StdioDriver) -> None:
        self._driver = driver

    def read(self, address: int, length_bytes: int) -> bytes:
        """Read guest memory."""
        starts = range(address, address + length_bytes, _READ_BYTES)
        lengths = (min(_READ_BYTES, address + length_bytes - start) for start in starts)
        return b"".join(map(self._driver.read_memory, starts, lengths))


class StdioDriver(StdioAdapter):
    """A :class:`~balloon_conformance.iut.contract.DriverAdapter`.

    If the program claims it, its guest takes commands
    (:class:`~balloon_conformance.iut.contract.SteersGuest`), and its memory can be read and written
    (:class:`~balloon_conformance.iut.contract.ReachesMemory`). Then the pages that a buffer lends the device
    are looked at when it comes, and before it is returned
    (:class:`~balloon_conformance.iut.contract.LooksAgain`).
    """

    _kind = sight.Kind.STDIO_DRIVER
    _side = Side.DRIVER
    _answer: str | AdapterError | None = None
    _setup: Setup | None = None
    _queues: Mapping[int, Queue] = MappingProxyType({})
    _lent_pages = LentPages()

    def start(self, setup: Setup) -> None:
        """Have the program begin anew; start a fresh one if there is none."""
        self._setup = setup
        super().start(setup)

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Offer features; return what the driver accepted."""
        assert self._setup is not None
        answer = self.program.ask("negotiate", offered=offered, configuration=configuration)
        accepted: int | None = answer.fields["accepted"]
        self._take_memory(answer)
        if accepted is not None:
            # It comes before the first buffer, whenever the program learned of it.
            self._events.append(Memory(self._memory))
            self._queues = self._setup.profile.queue_map(offered, accepted)
        self._take(answer)
        return accepted

    def look_again(self, queue: int, buffer: str) -> None:
        """Look at the pages of a buffer that is about to be returned."""
        seen = [*self._lent_pages.look_again(_MemoryReader(self), queue, buffer)]
        self._events.extend(seen)

    def use(self, queue: int, buffer: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver."""
        self._lent.pop((queue, buffer), None)
        self._lent_pages.forget(queue, [buffer])
        self._tell("used", queue=queue, buffer=buffer, length=length_bytes, written=written)

    def change_configuration(self, configuration: bytes) -> None:
        """Change the configuration space and notify the driver."""
        self._tell("configuration-change", data=configuration)

    def steer(self, action: GuestAction, pages: PageSet) -> None:
        """Carry out a guest's request; :class:`NotVisible` if the program says that it does not know it."""
        answer = self.program.ask_openly("guest", {"action": action, "pages": pages})
        if answer.error is ErrorKind.NOT_IMPLEMENTED and action not in _FIRST_WISHES:
            raise sight.NotVisible(f"the program cannot tell its guest to {action}")
        self.program.raise_error("guest", answer)
        self._take(answer)

    def guest_begin(self, command: str, *words: str | int) -> None:
        """Give the guest a command."""
        self._answer = None
        self._tell("guest-command", words=(command, *words))

    def guest_answer(self, deadline_seconds: float) -> str | None:
        """Return the guest's answer; None if there are events to observe first, or if none came."""
        if not self._events and self._answer is None:
            self._events = [*self.observe(deadline_seconds)]
        if self._events:
            return None
        if self._answer is None and self._synchronous:
            # Waiting would never end: nothing happens between commands.
            raise self.program.fault("did not answer the command to its guest, and has nothing to return")
        answer, self._answer = self._answer, None
        if isinstance(answer, AdapterError):
            raise answer
        return answer

    def guest(self, command: str, *words: str | int) -> str:
        """Give a command that needs no buffer returned, and await its answer."""
        self.guest_begin(command, *words)
        until = time.monotonic() + _GUEST_SECONDS
        while (answer := self._answer) is None:
            left_seconds = until - time.monotonic()
            if left_seconds <= 0 or self._synchronous:
                raise self.program.fault(f"did not answer the command {command} to its guest")
            self._take(self.program.observe(left_seconds))
        self._answer = None
        if isinstance(answer, AdapterError):
            raise answer
        return answer

    def read_memory(self, address: int, length_bytes: int) -> bytes:
        """Read guest memory."""
        data: bytes = self._tell("memory-read", address=address, length=length_bytes).fields["data"]
        if len(data) != length_bytes:
            raise self.program.fault(
                f"answered memory-read with {len(data)} bytes; {length_bytes} were asked for"
            )
        return data

    def write_memory(self, address: int, data: bytes) -> None:
        """Write guest memory."""
        self._tell("memory-write", address=address, data=data)

    def _take(self, answer: Answer) -> None:
        """Record events. The pages that a buffer lends are looked at before anything else is asked."""
        fresh = len(self._events)
        super()._take(answer)
        if Capability.GUEST_MEMORY not in self.capabilities:
            return
        told, self._events = self._events[fresh:], self._events[:fresh]
        seen: list[Event] = []
        for event in told:
            if isinstance(event, Contents):
                continue
            if isinstance(event, Available) and self._lends(event):
                seen.extend(self._lent_pages.take(_MemoryReader(self), self._memory, event))
            seen.append(event)
        # What the program told while it was asked came after.
        self._events[fresh:fresh] = seen

    def _lends(self, event: Available) -> bool:
        """Tell whether a buffer may lend pages that the guest leaves alone; hinted pages it may have back."""
        queue = self._queues.get(event.queue)
        return queue is not None and queue.names_pages and queue.written is None

    def _enter(self, event: Event) -> None:
        if isinstance(event, Available) and self._protocol > 1:
            self._check_lengths(event)
        super()._enter(event)
        if isinstance(event, Reset):
            self._lent.clear()
            self._lent_pages = LentPages()
        elif isinstance(event, Available) and self._rereads:
            self._lent[event.queue, event.buffer] = event.readable

    def _check_lengths(self, event: Available) -> None:
        """Refuse segments that are not those of the buffer; a part without any cannot be seen."""
        for writable, part, length in (
            (False, "device-readable", len(event.readable)),
            (True, "device-writable", event.writable_bytes),
        ):
            stated = [one.length_bytes for one in event.segments if one.writable is writable]
            if stated and sum(stated) != length:
                raise self.program.fault(
                    f"made {event.buffer} available with {length} {part} bytes and {part} segments of "
                    f"{sum(stated)}; state all segments of a part, or none"
                )

    def _take_other(self, name: str, told: Mapping[str, Any]) -> None:
        text = told["text"]
        self._answer = text if name == "guest-answer" else self.program.fault(f"says of its guest: {text}")

    def _look_again(self, deadline_seconds: float) -> None:  # noqa: ARG002 - the device's looks at it
        # Also before a buffer is returned: afterwards the driver may change it.
        self._reread_all(Side.DRIVER)

    def _forget(self) -> None:
        super()._forget()
        self._answer = None
        self._lent_pages = LentPages()
