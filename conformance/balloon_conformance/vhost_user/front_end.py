"""A front-end's connection to a back-end, with two event descriptors for each virtqueue, and waiting.

Both the suite, when it judges a device, and the served reference driver use :class:`FrontEnd`. It raises the
errors of :mod:`balloon_conformance.vhost_user.errors`.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from balloon_conformance.vhost_user.connection import Connection
from balloon_conformance.vhost_user.errors import PeerBroke, PeerClosed
from balloon_conformance.vhost_user.frontend_session import (
    WANTED,
    Call,
    Exchange,
    FrontendSession,
    Status,
    Vring,
    perform,
)
from balloon_conformance.vhost_user.messages import (
    CONFIGURATION_LIMIT_BYTES,
    PROTOCOL_FEATURES_BIT,
    BackendRequest,
    Body,
    ConfigurationSpace,
    MemoryTable,
    Message,
    Number,
    ProtocolFeature,
    Request,
    Sender,
)

if TYPE_CHECKING:
    from balloon_conformance.virtio import RingLayout

__all__ = ["Activity", "FrontEnd"]

_T = TypeVar("_T")
_EVENT_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Activity:
    """What a back-end did: it notified of used buffers on ``queues``, or of a changed configuration."""

    queues: tuple[int, ...] = ()
    changed: bool = False


class _Session(FrontendSession):
    """A session in which a back-end may refuse features and writes of the configuration space."""

    @property
    def shows_refusal(self) -> bool:
        """Whether the back-end can show that it refuses a set of features."""
        return self.has(ProtocolFeature.STATUS) or self.has(ProtocolFeature.REPLY_ACK)

    def accept(self, features: int) -> Exchange[bool]:
        """Write the accepted features; return whether the back-end took them.

        Without STATUS there is no FEATURES_OK. Then a refusal is an acknowledgement other than 0, or the end
        of the connection, or both. An acknowledgement of 0 only says that the message arrived.
        """
        own = 1 << PROTOCOL_FEATURES_BIT if self._speaks_protocol else 0
        yield from self.set_status(Status.ACKNOWLEDGE | Status.DRIVER)
        if (yield from self._try(Request.SET_FEATURES, Number(features | own))):
            if not self.has(ProtocolFeature.STATUS):
                # It may hang up once it has said so, which an answer to a later message shows.
                yield from self.offered()
            return False
        if not (self.has(ProtocolFeature.STATUS) or self.has(ProtocolFeature.REPLY_ACK)):
            # An answer to a later message shows that the back-end did not hang up because of the features.
            yield from self.offered()
        yield from self.set_status(self.status | Status.FEATURES_OK)
        return bool((yield from self.read_status()) & Status.FEATURES_OK)

    def write_configuration(self, offset: int, data: bytes) -> Exchange[None]:
        """Write the configuration space; a back-end may refuse to store what is not the driver's to write."""
        yield from self._try(Request.SET_CONFIG, ConfigurationSpace(offset, data))

    def _try(self, request: Request, body: Body) -> Exchange[int]:
        """Send a request and return its acknowledgement, which is 0 if requests are not acknowledged."""
        ask = self.has(ProtocolFeature.REPLY_ACK)
        reply = yield Call(Message(request, body, need_reply=ask), ask)
        if reply is None:
            return 0
        if not reply.reply or reply.request != request or not isinstance(reply.body, Number):
            raise PeerBroke(f"the back-end sent something else instead of the reply to {request.name}")
        return reply.body.value


class FrontEnd:
    """One connection to the back-end at the other end of ``connection``, which this object owns.

    ``answer_seconds`` bounds each message and each reply; ``wanted`` are the protocol features to accept if
    they are offered. ``offered`` are the features for the driver. :meth:`fileno` can be polled: if it is
    readable, :meth:`take` has something to report.
    """

    def __init__(
        self, connection: socket.socket, answer_seconds: float, wanted: ProtocolFeature = WANTED
    ) -> None:
        self._answer_seconds = answer_seconds
        self._connection = Connection(connection, Sender.FRONTEND, "the back-end")
        self._channel: Connection | None = None
        self._epoll = select.epoll()
        self._kicks: dict[int, int] = {}
        self._calls: dict[int, int] = {}
        self._queue_of: dict[int, int] = {}
        self._session = _Session(wanted)
        try:
            self._epoll.register(self._connection.fileno(), select.EPOLLIN)
            self.offered = self._perform(self._session.connect())
            if self.has(ProtocolFeature.BACKEND_REQ):
                self._open_channel()
        except BaseException:
            self.close()
            raise

    @property
    def protocol_features(self) -> ProtocolFeature:
        """The protocol features that were negotiated."""
        return self._session.protocol_features

    @property
    def queue_limit(self) -> int | None:
        """How many queues the back-end has; None if it does not tell."""
        return self._session.queue_limit

    @property
    def shows_refusal(self) -> bool:
        """Whether the back-end can show that it refuses a set of features."""
        return self._session.shows_refusal

    def has(self, feature: ProtocolFeature) -> bool:
        """Tell whether a protocol feature was negotiated."""
        return self._session.has(feature)

    @property
    def has_channel(self) -> bool:
        """Whether the back-end can still make requests of its own."""
        return self._channel is not None

    def fileno(self) -> int:
        """Return a descriptor to poll."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Close everything; harmless if called twice."""
        self._close_rings()
        self._connection.close()
        if self._channel is not None:
            self._channel.close()
        self._epoll.close()

    def ask_offered(self) -> int:
        """Ask again what the back-end offers to a driver."""
        self.offered = self._perform(self._session.offered())
        return self.offered

    def accept(self, features: int) -> bool:
        """Write the accepted features; return whether the back-end took them, as far as can be seen."""
        return self._perform(self._session.accept(features))

    def share(self, table: MemoryTable, descriptors: Sequence[int]) -> None:
        """Share guest memory."""
        self._perform(self._session.share_memory(table.regions, descriptors))

    def make_kickable(self, index: int) -> None:
        """Make the two event descriptors of a queue; it can be kicked from here on."""
        if index not in self._kicks:
            self._kicks[index] = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._calls[index] = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._queue_of[self._calls[index]] = index
            self._epoll.register(self._calls[index], select.EPOLLIN)

    def start_queue(self, index: int, layout: RingLayout, user_base: int) -> None:
        """Hand a queue over. Its addresses in this process are its guest addresses plus ``user_base``."""
        self.make_kickable(index)
        vring = Vring(
            index,
            layout.size,
            user_base + layout.descriptors_address,
            user_base + layout.available_address,
            user_base + layout.used_address,
            self._kicks[index],
            self._calls[index],
        )
        self._perform(self._session.start_vring(vring))

    def driver_ok(self) -> None:
        """Set DRIVER_OK if the back-end has STATUS, and kick every queue once.

        A vhost-user ring starts with its first kick. Without one, the back-end does not take buffers that are
        in it.
        """
        self._perform(self._session.driver_ok())
        for index in self._kicks:
            self.kick(index)

    def kick(self, index: int) -> None:
        """Notify the back-end of available buffers."""
        os.eventfd_write(self._kicks[index], 1)

    def stop_queues(self, started: Sequence[int]) -> None:
        """Stop the queues that were handed over: the back-end no longer uses their memory."""
        for index in started:
            self._perform(self._session.stop_vring(index))
        self._close_rings()

    def reset(self) -> bool:
        """Reset the device, whose queues are stopped; return False if only a new connection resets it."""
        return self._perform(self._session.reset())

    def needs_reset(self) -> bool:
        """Read whether the back-end set DEVICE_NEEDS_RESET; False without STATUS."""
        return bool(self._perform(self._session.read_status()) & Status.NEEDS_RESET)

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space. Bytes beyond what one message carries are zeros."""
        within = max(min(length_bytes, CONFIGURATION_LIMIT_BYTES - offset), 0)
        data = self._perform(self._session.read_configuration(offset, within)) if within else b""
        return data.ljust(length_bytes, b"\0")

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space; the back-end has taken it when this returns."""
        self._perform(self._session.write_configuration(offset, data))
        if not self.has(ProtocolFeature.REPLY_ACK):
            # An answer to a later message shows that the back-end has seen the write.
            self._perform(self._session.offered())

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds`` until :meth:`take` has something to report; return whether it has."""
        return bool(self._epoll.poll(max(seconds, 0.0)))

    def take(self, seconds: float) -> Activity | None:
        """Wait up to ``seconds`` for the back-end to do something; return None if it does nothing.

        If it closes, or sends a message that must not come now, an error is raised.
        """
        ready = self._epoll.poll(max(seconds, 0.0))
        if not ready:
            return None
        queues: list[int] = []
        changed = False
        for descriptor, _ in ready:
            if (index := self._queue_of.get(descriptor)) is not None:
                with suppress(BlockingIOError):
                    os.read(descriptor, _EVENT_BYTES)
                queues.append(index)
            elif descriptor == self._connection.fileno():
                message = self._connection.receive(self._answer_seconds)
                raise PeerBroke(f"the back-end sent message {message.request} although nothing was asked")
            else:
                changed |= self._serve_channel()
        return Activity(tuple(queues), changed)

    def _serve_channel(self) -> bool:
        """Serve one request of the back-end; return whether it is about the configuration space."""
        if self._channel is None:
            raise AssertionError("only a channel that exists is polled")
        try:
            message = self._channel.receive(self._answer_seconds)
        except PeerClosed:
            # The back-end may close its channel. The main connection shows whether the back-end is still
            # there.
            self._epoll.unregister(self._channel.fileno())
            self._channel.close()
            self._channel = None
            return False
        request, reply = self._session.answer(message)
        if reply is not None:
            self._channel.send(reply, self._answer_seconds)
        return request is BackendRequest.CONFIG_CHANGE

    def _open_channel(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._channel = Connection(ours, Sender.BACKEND, "the back-end")
            self._perform(self._session.give_request_channel(theirs.fileno()))
        self._epoll.register(ours.fileno(), select.EPOLLIN)

    def _close_rings(self) -> None:
        for index, call in self._calls.items():
            with suppress(OSError, ValueError):
                self._epoll.unregister(call)
            os.close(call)
            os.close(self._kicks[index])
        self._calls.clear()
        self._kicks.clear()
        self._queue_of.clear()

    def _perform(self, exchange: Exchange[_T]) -> _T:
        return perform(self._connection, exchange, self._answer_seconds)
