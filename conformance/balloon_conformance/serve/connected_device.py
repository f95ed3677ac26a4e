"""One front-end's connection, memory and rings, and the reference device that serves them."""

from __future__ import annotations

import os
import select
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import DeviceOptions, Overwrite
from balloon_conformance.reference.quick_device import QuickDevice
from balloon_conformance.serve.discard import HostMemory
from balloon_conformance.serve.loop import Loop
from balloon_conformance.serve.ring_device import RingDevice
from balloon_conformance.vhost_user import backend_actions as said
from balloon_conformance.vhost_user.backend_session import BackendSession
from balloon_conformance.vhost_user.connection import Connection, close_descriptors
from balloon_conformance.vhost_user.errors import PeerBroke
from balloon_conformance.vhost_user.frontend_session import Status
from balloon_conformance.vhost_user.memory import SharedMemory
from balloon_conformance.vhost_user.messages import (
    BackendRequest,
    Message,
    Number,
    ProtocolFeature,
    Request,
    Sender,
)
from balloon_conformance.virtio import DeviceQueue, RingError, RingLayout
from balloon_spec.events import Operator
from balloon_spec.families import registry
from balloon_spec.pages import PAGE_SHIFT, PageSet

__all__ = ["ConnectedDevice"]

_ANSWER_SECONDS: Final = 5.0
_EVENT: Final = (1).to_bytes(8, "little")
_EVENT_LIMIT_BYTES: Final = 4096
"""How many bytes of a notification are read: an event descriptor has 8, a pipe may have more."""

Guard = Callable[[Callable[[], object]], None]


@dataclass(slots=True)
class _Ring:
    """The addresses and descriptors of a virtqueue. Writing to a full call pipe may block."""

    kick: int | None = None
    call: int | None = None
    call_may_block: bool = False
    error: int | None = None
    started: said.VringStarted | None = None
    enabled: bool = False
    polled: bool = False


class ConnectedDevice:
    """Serves one front-end at a time within ``loop``; the device behind it stays the same.

    Without STATUS the front-end cannot say DRIVER_OK. The device then takes the first enabled virtqueue for
    it.
    """

    def __init__(
        self, options: DeviceOptions, loop: Loop, make: Callable[[DeviceOptions], Device] = QuickDevice
    ) -> None:
        self._loop = loop
        self._device = RingDevice(
            options,
            make=make,
            discard=self._discard,
            overwrite=self._overwrite,
            call=self._call,
            changed=self._changed,
            broken=self._broken,
        )
        self._connection: Connection | None = None
        self._session = self._fresh_session()
        self._guard: Guard = _unguarded
        self._memory: SharedMemory | None = None
        self._host: HostMemory | None = None
        self._rings: dict[int, _Ring] = {}
        self._channel: int | None = None
        self._refused = False

    @property
    def connected(self) -> bool:
        """Whether a front-end is connected."""
        return self._connection is not None

    def connect(self, connection: socket.socket, guard: Guard) -> None:
        """Serve a front-end. ``guard`` carries out each piece of work, and disconnects if one fails."""
        self._connection = Connection(connection, Sender.FRONTEND, "the front-end")
        self._session = self._fresh_session()
        self._guard = guard
        self._loop.add(self._connection.fileno(), lambda: guard(self._converse))

    def disconnect(self) -> None:
        """Hang up, release everything the front-end gave, and reset the device; harmless if called twice."""
        if self._connection is not None:
            self._loop.remove(self._connection.fileno())
            self._connection.close()
            self._connection = None
        self._device.reset()
        for index in list(self._rings):
            self._let_go(index)
        if self._channel is not None:
            close_descriptors([self._channel])
            self._channel = None
        self._unmap()

    def operate(self, wish: Operator) -> None:
        """Carry out an operator's request."""
        self._device.operate(wish)

    def _fresh_session(self) -> BackendSession:
        device = self._device.device
        return BackendSession(
            device.offer(),
            device.configuration(),
            queue_limit=max(device.options.profile.place(queue) for queue in registry.queues()) + 1,
            acceptable=device.allows,
        )

    # -- the connection -----------------------------------------------------------------------------------

    def _converse(self) -> None:
        """Receive one message and carry out what it asks for."""
        connection = self._connection
        if connection is None:
            return
        message = connection.receive(_ANSWER_SECONDS)
        self._session.configuration = self._device.configuration()
        for index in self._rings:
            if (at := self._device.next_available(index)) is not None:
                self._session.vrings[index].base = at
        self._refused = False
        try:
            actions = self._session.receive(message)
        except BaseException:
            close_descriptors(message.descriptors)
            raise
        for action in actions:
            self._do(connection, action)

    def _do(self, connection: Connection, action: said.Action) -> None:
        match action:
            case said.Reply():
                connection.send(self._acknowledgement(action.message), _ANSWER_SECONDS)
            case said.Accepted():
                self._refused = not self._device.accept(action.features)
            case said.MemoryShared():
                self._map(action)
            case said.VringKick():
                self._take_kick(action.index, action.descriptor)
            case said.VringCall():
                ring = self._ring(action.index)
                close_descriptors([ring.call] if ring.call is not None else [])
                ring.call = action.descriptor
                ring.call_may_block = ring.call is not None and stat.S_ISFIFO(os.fstat(ring.call).st_mode)
            case said.VringError():
                ring = self._ring(action.index)
                close_descriptors([ring.error] if ring.error is not None else [])
                ring.error = action.descriptor
            case said.VringStarted():
                # The next message says whether it is enabled.
                self._device.stop_queue(action.index)
                ring = self._ring(action.index)
                ring.started, ring.enabled = action, False
            case said.VringSwitched():
                self._switch(action.index, enabled=action.enabled)
            case said.VringStopped():
                self._let_go(action.index)
            case said.RequestChannel():
                close_descriptors([self._channel] if self._channel is not None else [])
                self._channel = action.descriptor
            case said.ConfigurationStored():
                self._device.write_configuration(action.offset, action.data)
            case said.Running():
                self._device.driver_ok()
            case said.ResetAsked():
                self._device.reset()
            case said.ConfigurationAsked() | said.GaveUp():
                pass

    def _acknowledgement(self, message: Message) -> Message:
        """Return the reply; it reports a failure if the device refused the features."""
        if self._refused and message.request == Request.SET_FEATURES:
            return Message(message.request, Number(1), reply=True)
        return message

    # -- memory -------------------------------------------------------------------------------------------

    def _map(self, shared: said.MemoryShared) -> None:
        """Map guest memory. Rings that are served continue in it at their current index."""
        bases = {index: self._device.next_available(index) for index in self._rings}
        for index in bases:
            self._device.stop_queue(index)
        self._unmap()
        try:
            self._host = HostMemory(shared.table.regions, shared.descriptors)
        except OSError:
            close_descriptors(shared.descriptors)
            raise
        self._memory = SharedMemory(shared.table, shared.descriptors)
        self._device.remember(self._memory.pages)
        for index, base in bases.items():
            if base is not None:
                self._attach(index, base)

    def _unmap(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        if self._host is not None:
            self._host.close()
            self._host = None

    def _discard(self, pages: PageSet) -> None:
        if self._host is not None:
            self._host.discard(pages)

    def _overwrite(self, change: Overwrite) -> None:
        if self._host is None:
            return
        if change.fill:
            self._host.fill(change.pages, change.fill)
        for address, length_bytes in change.spans or _whole(change):
            self._host.invert(address, length_bytes)

    # -- rings --------------------------------------------------------------------------------------------

    def _ring(self, index: int) -> _Ring:
        return self._rings.setdefault(index, _Ring())

    def _attach(self, index: int, base: int) -> None:
        """Hand a virtqueue to the device once it is enabled and all its parts are known."""
        ring = self._ring(index)
        self._device.stop_queue(index)
        if ring.started is None or not ring.enabled or self._memory is None:
            return
        names = self._device.device.options.profile.names(self._session.accepted or 0)
        address, size = ring.started.address, ring.started.size
        where = f"vring {index}"
        try:
            layout = RingLayout(
                size,
                self._memory.guest_address(address.descriptors_address, 16 * size, where),
                self._memory.guest_address(address.available_address, 6 + 2 * size, where),
                self._memory.guest_address(address.used_address, 6 + 8 * size, where),
            )
            queue = DeviceQueue(
                self._memory.guest,
                layout,
                indirect="INDIRECT_DESC" in names,
                event_index="EVENT_IDX" in names,
                next_available=base,
            )
        except RingError as error:
            raise PeerBroke(f"the front-end laid {where} wrongly: {error}") from None
        if ProtocolFeature.STATUS not in self._session.protocol_features and not self._device.running:
            self._device.driver_ok()
        self._device.start_queue(index, queue)

    def _switch(self, index: int, *, enabled: bool) -> None:
        self._ring(index).enabled = enabled
        if not enabled:
            self._device.stop_queue(index)
        elif self._device.next_available(index) is None:
            self._attach(index, self._session.vrings[index].base)

    def _take_kick(self, index: int, descriptor: int | None) -> None:
        ring = self._ring(index)
        self._drop_kick(ring)
        ring.kick, ring.polled = descriptor, descriptor is None
        if descriptor is not None:
            self._loop.add(descriptor, lambda: self._guard(lambda: self._kicked(index, descriptor)))
        self._watch_polled()

    def _kicked(self, index: int, descriptor: int) -> None:
        try:
            came = os.read(descriptor, _EVENT_LIMIT_BYTES)
        except BlockingIOError:
            return
        if not came:
            # The other end of a pipe is closed: the descriptor would count as readable for ever.
            self._loop.remove(descriptor)
        self._device.serve(index)

    def _watch_polled(self) -> None:
        """Look regularly at the rings without a kick descriptor, as long as there are any."""
        polled = [index for index, ring in self._rings.items() if ring.polled]
        self._loop.every_round = (lambda: self._guard(lambda: self._serve(polled))) if polled else None

    def _serve(self, indices: list[int]) -> None:
        for index in indices:
            self._device.serve(index)

    def _let_go(self, index: int) -> None:
        """Stop a virtqueue and close its descriptors."""
        self._device.stop_queue(index)
        ring = self._rings.pop(index, None)
        if ring is not None:
            self._drop_kick(ring)
            close_descriptors(one for one in (ring.call, ring.error) if one is not None)
            self._watch_polled()

    def _drop_kick(self, ring: _Ring) -> None:
        if ring.kick is not None:
            self._loop.remove(ring.kick)
            close_descriptors([ring.kick])
            ring.kick = None
        ring.polled = False

    # -- what the device does -----------------------------------------------------------------------------

    def _call(self, index: int) -> None:
        ring = self._rings.get(index)
        if ring is not None and ring.call is not None:
            _signal(ring.call, _EVENT, may_block=ring.call_may_block)

    def _changed(self) -> None:
        """Tell the front-end that the configuration changed. No reply is requested."""
        if self._channel is not None:
            message = Message(BackendRequest.CONFIG_CHANGE).build(Sender.BACKEND)
            _signal(self._channel, message, may_block=True)

    def _broken(self, index: int) -> None:
        """Tell the driver, as far as the protocol can, that the device needs a reset: a ring is unusable."""
        self._session.status |= Status.NEEDS_RESET
        self._changed()
        ring = self._rings.get(index)
        if ring is not None and ring.error is not None:
            _signal(ring.error, _EVENT, may_block=True)


def _whole(change: Overwrite) -> tuple[tuple[int, int], ...]:
    """Return the pages of a change as spans, if nothing is said of their bytes."""
    if change.fill:
        return ()
    return tuple((run.first << PAGE_SHIFT, run.count << PAGE_SHIFT) for run in change.pages)


def _unguarded(action: Callable[[], object]) -> None:
    action()


def _signal(descriptor: int, data: bytes, *, may_block: bool) -> None:
    """Write to a descriptor of the front-end, without waiting for a reader."""
    if may_block:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if not poll.poll(0):
            return
    with suppress(OSError):
        os.write(descriptor, data)
