"""The reference device as a real vhost-user back-end: it listens, and serves one front-end after another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import DeviceOptions
from balloon_conformance.reference.quick_device import QuickDevice
from balloon_conformance.serve.complaints import Complaints
from balloon_conformance.serve.connected_device import ConnectedDevice
from balloon_conformance.serve.control import Control, operator_wish
from balloon_conformance.serve.loop import Loop
from balloon_conformance.vhost_user.errors import PeerError
from balloon_conformance.vhost_user.listening import Listening

__all__ = ["serve_device"]


def serve_device(
    path: str,
    options: DeviceOptions,
    *,
    make: Callable[[DeviceOptions], Device] = QuickDevice,
    control: str = "",
    once: bool = False,
    say: Callable[[str], None],
) -> None:
    """Serve the device at ``path`` until SIGINT or SIGTERM, or with ``once`` until the first front-end left.

    A front-end that connects finds the device as after a reset: the operator's target outlives the driver.
    ``make`` builds it from its options; ``say`` receives one line for each thing that happens. Raises
    :class:`~balloon_conformance.vhost_user.errors.SocketError`.
    """
    with ExitStack() as stack:
        loop = stack.enter_context(Loop())
        listening = stack.enter_context(Listening(path))
        server = _DeviceServer(listening, ConnectedDevice(options, loop, make), loop, say, once=once)
        stack.callback(server.hang_up)
        if control:
            stack.callback(Control(control, loop, server.carry_out).close)
        say(f"the reference device listens at {path}")
        loop.run()


class _DeviceServer:
    """The device and the front-end that is connected, if any. Other front-ends wait their turn."""

    def __init__(
        self,
        listening: Listening,
        connected: ConnectedDevice,
        loop: Loop,
        say: Callable[[str], None],
        *,
        once: bool,
    ) -> None:
        self._listening = listening
        self._connected = connected
        self._loop = loop
        self._complain = Complaints(say)
        self._once = once
        self._loop.add(listening.socket.fileno(), self._accept)

    def carry_out(self, wish: dict[str, Any]) -> None:
        """Carry out an operator's request from the control socket."""
        self._guarded(lambda: self._connected.operate(operator_wish(wish)))

    def hang_up(self) -> None:
        """Close the connection if there is one."""
        self._connected.disconnect()

    def _accept(self) -> None:
        connection = self._listening.accept()
        if connection is None:
            return
        self._loop.remove(self._listening.socket.fileno())
        self._connected.connect(connection, self._guarded)

    def _guarded(self, action: Callable[[], object]) -> None:
        """Do something on the connection. An error of the other end ends only this connection."""
        try:
            action()
        except (PeerError, OSError) as error:
            self._complain(error)
            if not self._connected.connected:
                return
            self._connected.disconnect()
            if self._once:
                self._loop.end()
            else:
                self._loop.add(self._listening.socket.fileno(), self._accept)
