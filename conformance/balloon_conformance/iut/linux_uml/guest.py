"""One running guest: its serial line and its driver's vhost-user connection, served together.

The kernel stands still while it waits for a reply on the connection. So whoever waits for an answer on the
serial line also serves the connection.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung, Setup
from balloon_conformance.iut.linux_uml.console import Console
from balloon_conformance.iut.linux_uml.options import UmlOptions
from balloon_conformance.iut.linux_uml.process import GuestKernel, result
from balloon_conformance.iut.sight import Kind
from balloon_conformance.iut.vhost_user.driver import VhostUserDriver, driver_faults
from balloon_conformance.vhost_user.back_end import BackEnd
from balloon_spec.events import Available, Event, Reset

__all__ = ["Guest"]

_SLICE_SECONDS: Final = 0.005
"""How long the connection is served before the serial line is read again."""
_ENDING_SECONDS: Final = 1.0
"""A kernel that panics closes its connections this long before it ends."""


class Guest:
    """A booted kernel with the driver loaded, and no device yet. Raises :class:`AdapterError`."""

    def __init__(self, options: UmlOptions) -> None:
        self._seconds = options.answer_seconds
        self._kernel = GuestKernel(options)
        self._wire = _Wire(self._kernel, self._seconds)
        self._command = ""
        self._bound = False
        self._events: list[Event] = []
        self._in_flight: dict[tuple[int, str], Available] = {}
        # What the kernel complains of at every boot belongs to no case.
        self._kernel.console.forget()
        try:
            # Loading without a device tells a module that does not fit the kernel from a driver that fails.
            self._kernel.ask("load")
            self.relies = bool(self._kernel.ask("relies"))
            """Whether the guest relies on finding in free pages what it left there."""
        except BaseException:
            self._kernel.stop()
            raise

    @property
    def pid(self) -> int:
        """The kernel's process id."""
        return self._kernel.pid

    @property
    def console(self) -> Console:
        """The kernel's console."""
        return self._kernel.console

    @property
    def wire(self) -> VhostUserDriver:
        """The connection to the driver."""
        return self._wire

    def stop(self) -> None:
        """End the kernel and hang up; harmless if called twice."""
        self._kernel.stop()
        self._wire.stop()

    def renew(self, setup: Setup) -> None:
        """Bring the guest back to its state after the boot. Any fault that prevents it is raised."""
        self.unbind()
        with self._witness():
            self._kernel.ask("clear")
        self._wire.start(setup)

    def bind(self, offered: int, configuration: bytes) -> int | None:
        """Give the guest a device; return what its driver accepts of ``offered``, None if it refuses."""
        with self._witness():
            self._begin("bind")
            self._bound = True
            accepted = self._wire.negotiate(offered, configuration)
            if self._wire.answered:
                self._command = ""
        return accepted

    def unbind(self) -> None:
        """Take the device away, and load the driver anew.

        The buffers that it waits for are returned. What it does meanwhile is not reported.
        """
        if self._bound:
            if self._command:
                # The result of a command that nobody awaited is ignored.
                with suppress(AdapterError):
                    self._serve_alone()
            self._begin("unbind")
            self._serve_alone()
            self._bound = False
            with self._witness():
                self._kernel.ask("reload")
        self._wire.reset()
        self._events.clear()
        self._in_flight.clear()

    def command(self, line: str) -> None:
        """Give the guest a command, after the answer to the one before."""
        if self._command == "bind":
            # The guest reports the start of its driver, which nobody had to wait for.
            self.finish()
        if self._command:
            raise AdapterError(f"the guest is still at {self._command!r}; await its answer first")
        self._begin(line)

    def answer(self, deadline_seconds: float) -> str | None:
        """Return the answer to the command; None if there are events, or if it does not come in time."""
        if not self._command:
            raise AdapterError("the guest was given no command; give it one first")
        with self._witness():
            until = time.monotonic() + deadline_seconds
            while True:
                line = self._kernel.answer(0 if self._bound else max(until - time.monotonic(), 0.0))
                if line is not None:
                    command, self._command = self._command, ""
                    return result(command, line)
                left_seconds = until - time.monotonic()
                if self._take(min(max(left_seconds, 0.0), _SLICE_SECONDS)) or left_seconds <= 0:
                    return None

    def finish(self) -> str:
        """Await the answer to a command that needs no buffer returned.

        Raises :class:`ImplementationHung` if it does not come.
        """
        until = time.monotonic() + self._seconds
        kept: list[Event] = []
        try:
            while (answer := self.answer(_SLICE_SECONDS)) is None:
                kept += self._events
                self._events.clear()
                if time.monotonic() >= until:
                    raise self._silence()
        finally:
            self._events[:0] = kept
        return answer

    def is_setting_up(self) -> bool:
        """Tell whether the driver has its device and has not enabled its virtqueues yet."""
        with self._witness():
            return self._bound and self._wire.is_setting_up()

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the driver did since the last call."""
        with self._witness():
            if not self._events:
                self._take(deadline_seconds)
            events, self._events = self._events, []
            return events

    def look_again(self, queue: int, buffer: str) -> None:
        """Look at the pages of a buffer that is about to be returned."""
        with self._witness():
            self._wire.look_again(queue, buffer)

    def use(self, queue: int, buffer: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver."""
        with self._witness():
            self._wire.use(queue, buffer, length_bytes, written)
            self._in_flight.pop((queue, buffer), None)

    def change_configuration(self, configuration: bytes) -> None:
        """Change the configuration space and notify the driver."""
        with self._witness():
            self._wire.change_configuration(configuration)

    def _silence(self) -> ImplementationHung:
        return ImplementationHung(self._kernel.silence(self._command))

    def _begin(self, line: str) -> None:
        with self._witness():
            self._kernel.send(line)
            self._command = line

    def _take(self, seconds: float) -> bool:
        """Serve the connection and keep what the driver did; return whether anything is kept."""
        if not self._bound:
            return False
        events = self._wire.observe(seconds)
        if not events and self._kernel.ended(0):
            # Processes that the kernel left behind may hold its end of the connection open.
            raise ImplementationCrashed(f"the kernel ended: {self._kernel.last_words()}")
        for event in events:
            self._events.append(event)
            if isinstance(event, Available):
                self._in_flight[event.queue, event.buffer] = event
            elif isinstance(event, Reset):
                self._in_flight.clear()
        return bool(self._events)

    def _serve_alone(self) -> None:
        """Await the end of a command, and return every buffer that the driver may wait for."""
        until = time.monotonic() + self._seconds
        while True:
            for (queue, name), buffer in list(self._in_flight.items()):
                if self._is_awaited(buffer):
                    self.use(queue, name, 0, b"")
            if self.answer(_SLICE_SECONDS) is not None:
                return
            self._events.clear()
            if time.monotonic() >= until:
                raise self._silence()

    def _is_awaited(self, buffer: Available) -> bool:
        """Tell whether a driver waits for the return of this buffer before it leaves.

        It answers the return of a held buffer by another, and one that is written to is the device's to keep.
        """
        queue = self._wire.back_end.queue(buffer.queue)
        if queue is None:
            return True
        waits_to_write = queue.written is not None and buffer.writable_bytes > 0
        return not queue.held and not waits_to_write

    @contextmanager
    def _witness(self) -> Iterator[None]:
        """Add to the error of a connection that ended how the kernel ended."""
        try:
            yield
        except ImplementationCrashed as error:
            # An error that reports the kernel's end says so already.
            if error.__cause__ is None or not self._kernel.ended(_ENDING_SECONDS):
                raise
            raise ImplementationCrashed(f"{error}; {self._kernel.last_words()}") from error


class _Wire(VhostUserDriver):
    """The connection to the driver of one kernel.

    ``answered`` says that the guest's answer to ``bind`` was read. A guest that has its device and accepted
    nothing has refused it, so the answer is awaited together with the features. The kernel is its own
    front-end, so that the driver is offered what the suite offers.
    """

    _kind = Kind.LINUX_UML

    def __init__(self, kernel: GuestKernel, seconds: float) -> None:
        super().__init__(
            kernel.socket, connect_seconds=seconds, negotiate_seconds=seconds, answer_seconds=seconds
        )
        self.answered = False
        self._kernel = kernel
        self._seconds = seconds

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Await the guest's driver."""
        self.answered = False
        return super().negotiate(offered, configuration)

    def _hung_up(self, back_end: BackEnd) -> Sequence[Event]:
        """Treat the end of the connection as the loss of the device if the kernel cannot disable vrings.

        After a second write of the features it leaves out bit 30, and unbinds a device by hanging up.
        """
        if back_end.session.enables_vrings or self._kernel.ended(_ENDING_SECONDS):
            return super()._hung_up(back_end)
        self.reset()
        self._ended = True
        return (Reset(),)

    def _await_features(self, back_end: BackEnd) -> int | None:
        until = time.monotonic() + self._seconds
        with driver_faults():
            while back_end.is_negotiating(self._seconds):
                if self.answered:
                    break
                # Everything that the driver sent before the guest's answer was served before it.
                if (line := self._kernel.answer(0)) is not None:
                    self.answered = True
                    result("bind", line)
                elif time.monotonic() > until:
                    raise ImplementationHung(self._kernel.silence("bind"))
                back_end.pump(_SLICE_SECONDS)
        return back_end.conclude()
