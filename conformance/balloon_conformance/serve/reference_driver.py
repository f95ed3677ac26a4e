"""The reference driver as a real vhost-user front-end: it connects to a back-end and is its guest."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from balloon_conformance.iut.contract import AdapterError, Buffer
from balloon_conformance.iut.lent_buffers import LentBuffers
from balloon_conformance.iut.vhost_user.front_end_memory import (
    RINGS_ADDRESS,
    RINGS_BYTES,
    FrontEndMemory,
    user_address,
)
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_state import Accepted, DriverOptions, DriverOutput, Fill, Offer
from balloon_conformance.serve.complaints import Complaints
from balloon_conformance.serve.control import Control, guest_wish
from balloon_conformance.serve.errors import ServeError
from balloon_conformance.serve.loop import Loop
from balloon_conformance.vhost_user.errors import PeerBroke, PeerError
from balloon_conformance.vhost_user.front_end import FrontEnd
from balloon_conformance.vhost_user.listening import check_path
from balloon_conformance.vhost_user.messages import ProtocolFeature
from balloon_conformance.virtio import RingLayout
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationWritten,
    DriverOk,
    Guest,
    Reset,
    Side,
    Used,
)
from balloon_spec.pages import EMPTY, PAGE_BYTES, PAGE_SHIFT, PageSet

__all__ = ["serve_driver"]

_ANSWER_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.01
_GUEST_BYTES: Final = b"used by the guest".ljust(32, b".") * (PAGE_BYTES // 32)
"""The content of a page once the guest uses it again."""


def serve_driver(
    path: str,
    options: DriverOptions,
    *,
    make: Callable[[DriverOptions], Driver] = Driver,
    control: str = "",
    once: bool = False,
    say: Callable[[str], None],
) -> None:
    """Connect to the back-end at ``path`` and be its driver until SIGINT or SIGTERM.

    It waits until somebody listens at ``path``. With ``once`` it ends with the first connection, otherwise it
    connects again as a fresh driver. ``make`` builds it from its options; ``say`` receives one line for each
    thing that happens. Raises :class:`ServeError`, or
    :class:`~balloon_conformance.vhost_user.errors.SocketError` for a path that no socket can have.
    """
    check_path(path)
    with ExitStack() as stack:
        loop = stack.enter_context(Loop())
        try:
            memory = FrontEndMemory(options.memory.pages, EMPTY)
        except AdapterError as error:
            raise ServeError(str(error)) from error
        stack.callback(memory.close)
        server = _DriverServer(path, make(options), memory, loop, say)
        stack.callback(server.hang_up)
        if control:
            stack.callback(Control(control, loop, server.carry_out).close)
        say(f"the reference driver connects to {path}")
        while not loop.ended:
            if not server.connected:
                if once and server.was_connected:
                    break
                if not server.connect():
                    loop.wait(_PAUSE_SECONDS)
                continue
            loop.wait(None)


class _DriverServer:
    """One driver, and its connection if it has one."""

    def __init__(
        self,
        path: str,
        driver: Driver,
        memory: FrontEndMemory,
        loop: Loop,
        say: Callable[[str], None],
    ) -> None:
        self._path = path
        self._memory = memory
        self._loop = loop
        self._complain = Complaints(say)
        self._driver = driver
        self._front_end: FrontEnd | None = None
        self._lent: LentBuffers | None = None
        self._layouts: dict[int, RingLayout] = {}
        self.was_connected = False

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._front_end is not None

    def carry_out(self, wish: dict[str, Any]) -> None:
        """Carry out a guest's request from the control socket."""
        self._guarded(lambda: self._tell(guest_wish(wish)))

    def connect(self) -> bool:
        """Connect and negotiate if somebody listens; return whether somebody does."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            return False
        self.was_connected = True

        def negotiate() -> None:
            front_end = self._front_end = FrontEnd(connection, _ANSWER_SECONDS)
            if not front_end.has(ProtocolFeature.CONFIG):
                raise PeerBroke("the back-end has no protocol feature CONFIG, and so no target to read")
            self._loop.add(front_end.fileno(), lambda: self._guarded(self._serve))
            self._tell(Offer(front_end.offered, self._read_space()))

        self._guarded(negotiate)
        return True

    def hang_up(self) -> None:
        """Close the connection if there is one; the driver begins anew."""
        if self._front_end is not None:
            self._loop.remove(self._front_end.fileno())
            self._front_end.close()
            self._front_end = None
        self._lent = None
        self._layouts = {}
        self._driver.receive(Reset())

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do something on the connection. An error of the other end ends only this connection."""
        try:
            action()
        except (PeerError, AdapterError) as error:
            self._complain(error)
            self.hang_up()

    def _serve(self) -> None:
        if self._front_end is None:
            return
        activity = self._front_end.take(0.0)
        if activity is None:
            return
        if activity.queues and self._lent is not None:
            for event in self._lent.collect():
                if isinstance(event, Used):
                    self._tell(event)
        if activity.changed and self._front_end is not None:
            self._tell(ConfigurationChanged(self._read_space()))

    def _read_space(self) -> bytes:
        """Read the configuration space up to the end of the last word that the device writes."""
        front_end = self._connection()
        words = self._driver.options.profile.configuration_words(front_end.offered)
        told = max(word.end_bytes for word in words if word.written_by is Side.DEVICE)
        return front_end.read_configuration(0, told)

    def _tell(self, given: object) -> None:
        for output in self._driver.receive(given):
            self._act(output)

    def _act(self, output: DriverOutput) -> None:
        match output:
            case Accepted():
                self._set_up(output.features)
            case DriverOk():
                self._begin()
            case Available():
                self._make_available(output)
            case ConfigurationWritten():
                self._connection().write_configuration(output.offset, output.data)
            case Fill():
                self._write(output.pages, output.data * (PAGE_BYTES // len(output.data)))
            case Guest():
                self._write(output.pages, _GUEST_BYTES)
            case _:
                # Nothing to do: the queues share the memory, reads were made before, and notes are for a log.
                pass

    def _write(self, pages: PageSet, data: bytes) -> None:
        """Write the contents of a page into each of the pages."""
        for run in pages:
            for page in range(run.first, run.end):
                os.pwrite(self._memory.ram.descriptor, data, page << PAGE_SHIFT)

    def _set_up(self, features: int | None) -> None:
        """Accept features and lay their queues out."""
        front_end = self._connection()
        if features is None or not front_end.accept(features):
            raise PeerBroke("driver and device do not agree on features")
        profile = self._driver.options.profile
        names = profile.names(features)
        self._lent = LentBuffers(
            self._memory.rings,
            RINGS_ADDRESS,
            RINGS_BYTES,
            ram=self._memory.ram,
            event_index="EVENT_IDX" in names,
            indirect="INDIRECT_DESC" in names,
        )
        for index in profile.queue_map(self._driver.state.offered, features):
            self._layouts[index] = self._lent.set_up(index, self._driver.options.ring_size)

    def _begin(self) -> None:
        """Hand memory and queues over. The back-end finds the buffers that are in them already."""
        front_end = self._connection()
        front_end.share(self._memory.table, self._memory.descriptors)
        for index, layout in self._layouts.items():
            front_end.start_queue(index, layout, user_address(0))
        front_end.driver_ok()

    def _make_available(self, buffer: Available) -> None:
        if self._lent is None:
            raise AssertionError("queues are set up with the features")
        self._lent.lend(
            buffer.queue, Buffer(buffer.buffer, buffer.readable, buffer.writable_bytes, buffer.segments)
        )
        if buffer.notified:
            self._connection().kick(buffer.queue)

    def _connection(self) -> FrontEnd:
        if self._front_end is None:
            raise PeerBroke("the connection has ended")
        return self._front_end
