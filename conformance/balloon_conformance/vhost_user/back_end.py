"""Turns one front-end's connection, its memory and its virtqueues into events.

:class:`BackEnd` is the device's end of the connection without a device. It reports what the driver does as
events; its owner decides when a buffer is returned and what the configuration space holds. It raises the
errors of :mod:`balloon_conformance.vhost_user.errors`, and :class:`~balloon_conformance.virtio.RingError` if
the driver broke the rings.
"""

from __future__ import annotations

import math
import os
import select
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Final

from balloon_conformance.vhost_user.backend_actions import (
    Accepted,
    Action,
    ConfigurationAsked,
    ConfigurationStored,
    GaveUp,
    MemoryShared,
    Reply,
    RequestChannel,
    ResetAsked,
    Running,
    VringCall,
    VringError,
    VringKick,
    VringStarted,
    VringStopped,
    VringSwitched,
)
from balloon_conformance.vhost_user.backend_session import SERVED, BackendSession
from balloon_conformance.vhost_user.configuration_writes import driver_writes
from balloon_conformance.vhost_user.connection import Connection, close_descriptors
from balloon_conformance.vhost_user.errors import PeerBroke, PeerClosed, PeerError, PeerSilent
from balloon_conformance.vhost_user.frontend_session import Status
from balloon_conformance.vhost_user.memory import SharedMemory
from balloon_conformance.vhost_user.messages import BackendRequest, Message, ProtocolFeature, Sender
from balloon_conformance.vhost_user.served_vring import ServedVring
from balloon_conformance.vhost_user.signals import write_all
from balloon_conformance.vhost_user.vring_descriptors import VringDescriptors
from balloon_conformance.virtio import GuestMemory
from balloon_conformance.virtio.lent_pages import LentPages
from balloon_spec.events import (
    Available,
    ConfigurationRead,
    ConfigurationWritten,
    DriverOk,
    Event,
    Memory,
    Negotiated,
    Notified,
    Reset,
    Side,
)
from balloon_spec.profiles import Profile
from balloon_spec.queues import Queue

__all__ = ["BackEnd"]

_LOOK_SECONDS: Final = 0.01
"""How often the vrings are checked without a notification, so that a lost notification loses no buffer."""
_LEAST_QUEUES: Final = 8
"""How many vrings a front-end may lay out at least, whatever queues the profile has."""


class BackEnd:
    """Serves the front-end at the other end of ``connection``, and owns the connection from here on.

    ``offered`` are the driver's features, ``protocol`` the protocol features, and ``space`` is the
    configuration space; ``answer_seconds`` bounds every message. ``accepted`` is None until the driver
    accepted features; ``gave_up`` tells whether it set FAILED.
    """

    def __init__(
        self,
        connection: socket.socket,
        profile: Profile,
        offered: int,
        space: bytes,
        *,
        answer_seconds: float = 5.0,
        protocol: ProtocolFeature = SERVED,
    ) -> None:
        self._profile = profile
        self._connection = Connection(connection, Sender.FRONTEND, "the front-end")
        self._session = BackendSession(
            offered,
            space,
            protocol=protocol,
            queue_limit=max(_LEAST_QUEUES, *(profile.place(queue) + 1 for queue in profile.queues)),
            acceptable=self._may_accept,
        )
        self._answer_seconds = answer_seconds
        self._events: list[Event] = []
        self._memory: SharedMemory | None = None
        self._vrings: dict[int, ServedVring] = {}
        self._descriptors = VringDescriptors()
        self._withdrawn: set[tuple[int, str]] = set()
        self._lent = LentPages()
        self._channel: int | None = None
        self._shown = {space}
        self._numbers = count(1)
        self._told = False
        self._assumed = False
        self._found: set[int] = set()
        """The vrings in which buffers were found without a notification."""
        self._unheard: set[int] = set()
        """The vrings for which a notification is due and has not come."""
        self.accepted: int | None = None
        self.gave_up = False
        self._accepted_at = 0.0
        self.heard_at = time.monotonic()
        """When the last message came or, if none did, the connection was made (monotonic seconds)."""

    @property
    def session(self) -> BackendSession:
        """The session of the connection, which knows what the front-end has said."""
        return self._session

    @property
    def guest_memory(self) -> GuestMemory:
        """The driver's memory; :class:`PeerBroke` if its files have shrunk, or if none was shared."""
        if self._memory is None:
            raise PeerBroke("the driver has shared no memory")
        self._memory.check()
        return self._memory.guest

    @property
    def serving(self) -> tuple[int, ...]:
        """The virtqueues that are being served."""
        return self._session.serving

    @property
    def has_channel(self) -> bool:
        """Whether the front-end can be told that the configuration changed."""
        return self._channel is not None

    @property
    def may_give_channel(self) -> bool:
        """Whether the front-end negotiated that it may be told so, by a request channel."""
        return ProtocolFeature.BACKEND_REQ in self._session.protocol_features

    @property
    def gives_kicks(self) -> bool:
        """Whether every started virtqueue has a descriptor through which the driver notifies."""
        return self._descriptors.all_have_kicks

    @property
    def getting_ready(self) -> bool:
        """Whether the driver accepted features and has not said DRIVER_OK. Without STATUS this is False."""
        session = self._session
        if session.accepted is None or ProtocolFeature.STATUS not in session.protocol_features:
            return False
        return not self._assumed and not session.status & (Status.DRIVER_OK | Status.FAILED)

    @property
    def is_assumed(self) -> bool:
        """Whether the driver counts as running although it never said DRIVER_OK."""
        return self._assumed

    @property
    def _queues(self) -> Mapping[int, Queue]:
        return self._profile.queue_map(self._session.offered, self.accepted or 0)

    def queue(self, index: int) -> Queue | None:
        """Return the queue with this virtqueue index, None if there is none."""
        return self._queues.get(index)

    @property
    def missing(self) -> tuple[int, ...]:
        """The virtqueues of the accepted features that are not served yet; empty before acceptance."""
        if self.accepted is None or not self._may_accept(self.accepted):
            return ()
        serving = self.serving
        return tuple(index for index in self._queues if index not in serving)

    def assume_running(self) -> None:
        """Serve a driver that has not said DRIVER_OK yet. A later DRIVER_OK is not reported."""
        self._assumed = True

    def is_negotiating(self, patience_seconds: float) -> bool:
        """Tell whether other features may still be accepted than those that were, if any.

        They stand once the front-end sets something up, or has set up nothing for so long.
        """
        if self.accepted is None:
            return not self.gave_up
        return not self._session.has_begun and time.monotonic() < self._accepted_at + patience_seconds

    def conclude(self) -> int | None:
        """Return the features that were accepted; from here on another acceptance is an event."""
        self._told = self.accepted is not None
        return self.accepted

    @property
    def waiting(self) -> bool:
        """Whether a message, or the end of the connection, is ready to be served."""
        return self._connection.waiting(0)

    def close(self) -> None:
        """Hang up, unmap the driver's memory and close every descriptor; harmless if called twice."""
        self._connection.close()
        self._descriptors.close()
        if self._channel is not None:
            close_descriptors([self._channel])
            self._channel = None
        self._vrings.clear()
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def take_events(self) -> list[Event]:
        """Return what the driver did since the last call, oldest first."""
        for vring in self._vrings.values():
            self._events.extend(vring.alterations())
        events, self._events = self._events, []
        return events

    def expect_anew(self, offered: int, space: bytes) -> None:
        """Treat the next negotiation on this connection as one that the suite asked for.

        A front-end learns the new offer only if it asks for it again. Linux does not ask.
        """
        self._session.offered = offered
        self._session.configuration = space
        self._shown = {space}
        self._events.clear()
        self._told = False
        self.accepted = None

    def pump(self, seconds: float) -> None:
        """Wait up to ``seconds`` until the driver does something, and serve what it did.

        At most one message is served, so a driver that never stops sending does not keep this call.
        """
        if self._wait_and_look(seconds):
            message = self._connection.receive(self._answer_seconds)
            if self._session.waits_for_reply(message):
                # The driver does nothing before it has its reply, so what is in its rings came first.
                self.settle()
            self._serve(message)
        self._take()

    def _wait_and_look(self, seconds: float) -> bool:
        """Wait for a message, a kick, or a buffer without a notification; tell whether a message came."""
        until = time.monotonic() + seconds
        while True:
            left_seconds = until - time.monotonic()
            looks = any(map(self._may_look, self._vrings.values()))
            if self._wait(min(left_seconds, _LOOK_SECONDS) if looks else left_seconds):
                return True
            if any(vring.kicked and vring.enabled for vring in self._vrings.values()):
                return False
            self._found = {
                vring.index for vring in self._vrings.values() if self._may_look(vring) and vring.waits
            }
            if self._found:
                # A message that was sent before the buffer came has arrived by now, and comes first.
                return self._wait(0)
            if left_seconds <= 0:
                return False

    def _may_look(self, vring: ServedVring) -> bool:
        """Tell whether a vring is checked without a notification: its driver runs and can send one."""
        return vring.enabled and not self.getting_ready and vring.index not in self._descriptors.dead

    def check_kicks(self) -> None:
        """Raise :class:`PeerBroke` if buffers wait whose notification could not come.

        Call this only if the driver is silent. A driver that is ending closes its descriptors before it says
        so, and has nothing left in its rings to take.
        """
        for index in sorted(self._descriptors.dead):
            vring = self._vrings.get(index)
            if vring is not None and vring.enabled and [*vring.take(f"lost-{one}" for one in self._numbers)]:
                raise PeerBroke(
                    f"the kick descriptor of vring {index} is of no use: it was at its end when it was read,"
                    " and buffers wait"
                )

    def settle(self) -> None:
        """Take buffers that were kicked before the connection ended; serve no message."""
        self._wait(0)
        self._take()

    def look_again(self, index: int, name: str) -> None:
        """Look once more at the pages that a buffer in flight lends; :meth:`take_events` tells of them."""
        self._events.extend(self._lent.look_again(self.guest_memory, index, name))

    def use(self, index: int, name: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver; do nothing if the driver took it back by itself.

        Raises :class:`KeyError` for a buffer that never existed.
        """
        if (index, name) in self._withdrawn:
            return
        vring = self._vrings.get(index)
        if vring is None or name not in vring.held:
            raise KeyError(name)
        if not vring.enabled:
            # The driver may have given the memory to something else.
            return
        self._lent.forget(index, [name])
        self._events.extend(vring.give_back(name, length_bytes, written))
        if vring.wants_call():
            self._descriptors.call(index)

    def change_configuration(self, space: bytes) -> bool:
        """Replace the configuration space and tell the driver; return False if it cannot be told."""
        self._session.configuration = space
        self._shown.add(space)
        if self._channel is None:
            return False
        # Never with NEED_REPLY: if the channel is a pipe, nothing can come back through it.
        data = Message(BackendRequest.CONFIG_CHANGE).build(Sender.BACKEND)
        try:
            write_all(self._channel, data, self._answer_seconds)
        except TimeoutError as error:
            raise PeerSilent(f"the front-end did not take CONFIG_CHANGE: {error}") from None
        except OSError:
            # The main connection shows whether the front-end is still there.
            close_descriptors([self._channel])
            self._channel = None
            return False
        return True

    def _may_accept(self, features: int) -> bool:
        return self._profile.may_accept(self._session.offered, features)

    def _wait(self, seconds: float) -> bool:
        """Wait for a message or a kick, and take the kicks; return whether there is a message."""
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLIN)
        for descriptor in self._descriptors.kicks.values():
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(math.ceil(max(seconds, 0.0) * 1000))}
        for index, descriptor in list(self._descriptors.kicks.items()):
            if descriptor in ready:
                self._hear(index)
        return self._connection.fileno() in ready

    def _hear(self, index: int) -> None:
        vring = self._vrings.get(index)
        filled = vring.filled if vring is not None and vring.enabled else None
        if not self._descriptors.hear(index):
            return
        if vring is None:
            self._descriptors.remember_early(index)
            return
        vring.hear(filled)
        if index in self._unheard:
            self._unheard.discard(index)
            self._events.append(Notified(Side.DRIVER, index))

    def _take(self) -> None:
        """Take the buffers of every vring that may be served, if it was kicked or a check found buffers."""
        found, self._found = self._found, set()
        for index, vring in self._vrings.items():
            if vring.enabled and (vring.kicked or index in found):
                self._take_from(
                    vring, due=not self.getting_ready and not self._descriptors.has_no_kick(index)
                )

    def _take_early(self) -> None:
        """Take the buffers that were in the rings at DRIVER_OK."""
        for vring in self._vrings.values():
            if vring.enabled:
                names = (f"q{vring.index}-{number}" for number in self._numbers)
                for event in vring.take_early(names):
                    self._tell(event)

    def _take_from(self, vring: ServedVring, *, due: bool) -> None:
        """Take every buffer of a vring; ``due`` says that the driver owes a notification for them."""
        unheard = False if due or self.getting_ready else None
        names = (f"q{vring.index}-{number}" for number in self._numbers)
        for event in vring.take(names, due=due, unheard=unheard):
            self._tell(event)
            if due and event.notified is False:
                self._unheard.add(vring.index)

    def _tell(self, event: Available) -> None:
        """Keep a buffer that came, after what it lends. Hinted pages the guest may have back at any time."""
        queue = self.queue(event.queue)
        lends = queue is not None and queue.names_pages and queue.written is None
        if self._memory is not None and lends:
            self._events.extend(self._lent.take(self._memory.guest, self._memory.pages, event))
        self._events.append(event)

    def _serve(self, message: Message) -> None:
        self.heard_at = time.monotonic()
        for index, vring in self._vrings.items():
            self._session.vrings[index].base = vring.next_available
        try:
            actions = self._session.receive(message)
        except PeerError:
            close_descriptors(message.descriptors)
            raise
        for action in actions:
            self._carry_out(action)
        self._told |= self._session.has_begun

    def _carry_out(self, action: Action) -> None:
        match action:
            case Reply(message):
                # A front-end may leave before its last replies. What it sent before still counts.
                with suppress(PeerClosed):
                    self._connection.send(message, self._answer_seconds)
            case Accepted(features):
                self._accept(features)
            case MemoryShared():
                self._share(action)
            case VringKick(index, descriptor):
                self._descriptors.keep_kick(index, descriptor)
            case VringCall(index, descriptor):
                self._descriptors.keep_call(index, descriptor)
            case VringError(index, descriptor):
                self._descriptors.keep_error(index, descriptor)
            case VringStarted():
                self._start(action)
            case VringSwitched(index, enabled):
                self._switch(self._vrings[index], enabled=enabled)
            case VringStopped(index):
                self._stop(index)
            case RequestChannel(descriptor):
                os.set_blocking(descriptor, False)
                if self._channel is not None:
                    close_descriptors([self._channel])
                self._channel = descriptor
            case ConfigurationAsked(offset, data):
                if data:
                    self._events.append(ConfigurationRead(offset, data))
            case ConfigurationStored():
                self._store(action)
            case Running():
                if not self._assumed:
                    self._take_early()
                    self._events.append(DriverOk())
            case GaveUp():
                self.gave_up = True
            case ResetAsked():
                if self._told:
                    self._events.append(Reset())

    def _accept(self, features: int) -> None:
        self.accepted = features
        self._accepted_at = time.monotonic()
        self._assumed = False
        if self._told:
            # The driver began anew by itself, and nothing else will report that.
            legal = self._may_accept(features)
            shown = ProtocolFeature.STATUS in self._session.protocol_features
            self._events.append(Negotiated(self._session.offered, features, legal, shown=shown))
            if self._memory is not None:
                self._events.append(Memory(self._memory.pages))

    def _share(self, action: MemoryShared) -> None:
        before, self._memory = self._memory, SharedMemory(action.table, action.descriptors)
        self._events.append(Memory(self._memory.pages))
        for index, vring in self._vrings.items():
            said = self._session.vrings[index]
            if said.address is None or said.size is None:
                raise AssertionError("a started vring has both")
            vring.move(self._memory, VringStarted(index, said.size, said.address, said.base))
        if before is not None:
            before.close()

    def _start(self, action: VringStarted) -> None:
        if self._memory is None:
            raise AssertionError("the session starts no vring without memory")
        index = action.index
        if index in self._vrings:
            self._vrings[index].move(self._memory, action)
            return
        names = self._profile.names(self.accepted or 0)
        vring = ServedVring(
            self._memory,
            action,
            indirect="INDIRECT_DESC" in names,
            event_index="EVENT_IDX" in names,
        )
        vring.kicked = self._descriptors.take_early(index)
        self._vrings[index] = vring

    def _switch(self, vring: ServedVring, *, enabled: bool) -> None:
        vring.enabled = enabled
        if enabled:
            # A driver fills some queues before they may be served, and does not notify again (QUEUE-04).
            self._wait(0)
            # A running driver may have notified an earlier back-end of the buffers it put there before.
            self._take_from(vring, due=False)

    def _stop(self, index: int) -> None:
        vring = self._vrings.pop(index, None)
        if vring is not None:
            self._withdrawn.update((index, name) for name in vring.held)
            self._lent.forget(index, vring.held)
        self._descriptors.forget(index)
        self._found.discard(index)
        self._unheard.discard(index)

    def _store(self, action: ConfigurationStored) -> None:
        space = bytearray(self._session.configuration)
        words = self._profile.configuration_words(self.accepted or 0)
        # Writes to the device's words have no effect.
        own = {
            at
            for word in words
            if word.written_by is Side.DRIVER
            for at in range(word.offset_bytes, min(word.end_bytes, len(space)))
        }
        for offset, data in driver_writes(action.offset, action.data, words, bytes(space), self._shown):
            self._events.append(ConfigurationWritten(offset, data))
            for at, byte in enumerate(data, offset):
                if at in own:
                    space[at] = byte
        self._session.configuration = bytes(space)
