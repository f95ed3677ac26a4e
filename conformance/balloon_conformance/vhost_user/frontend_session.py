"""The front-end's end of vhost-user without a socket: which messages to send, and how to read the replies.

Every method is an :data:`Exchange`: a generator that yields the messages to send one by one, receives a reply
for each call with :attr:`Call.awaits_reply`, and returns the result. :func:`perform` carries one out over a
connection. A wrong reply raises :class:`~balloon_conformance.vhost_user.errors.PeerBroke`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from balloon_conformance.vhost_user.connection import Connection
from balloon_conformance.vhost_user.errors import PeerBroke
from balloon_conformance.vhost_user.messages import (
    BACKEND_REQUESTS,
    CONFIGURATION_LIMIT_BYTES,
    FRONTEND_REQUESTS,
    PROTOCOL_FEATURES_BIT,
    BackendRequest,
    Body,
    ConfigurationSpace,
    MemoryRegion,
    MemoryTable,
    Message,
    Nothing,
    Number,
    ProtocolFeature,
    Request,
    VringAddress,
    VringDescriptor,
    VringState,
)

__all__ = ["WANTED", "Call", "Exchange", "FrontendSession", "Status", "Vring", "perform"]

_T = TypeVar("_T")

WANTED: Final = (
    ProtocolFeature.MQ
    | ProtocolFeature.REPLY_ACK
    | ProtocolFeature.BACKEND_REQ
    | ProtocolFeature.CONFIG
    | ProtocolFeature.RESET_DEVICE
    | ProtocolFeature.STATUS
)
"""The protocol features that a balloon's front-end accepts if they are offered."""

_PROTOCOL_FEATURES: Final = 1 << PROTOCOL_FEATURES_BIT
_BACKEND: Final = "the back-end"


class Status:
    """Bits of the device status (VIRTIO 1.2, 2.1)."""

    ACKNOWLEDGE: Final = 1
    DRIVER: Final = 2
    DRIVER_OK: Final = 4
    FEATURES_OK: Final = 8
    NEEDS_RESET: Final = 64
    FAILED: Final = 128


@dataclass(frozen=True, slots=True)
class Call:
    """A message to send, and whether the back-end has to reply."""

    message: Message
    awaits_reply: bool


Exchange: TypeAlias = Generator[Call, Message | None, _T]
"""A generator of messages to send; see :func:`perform`."""


@dataclass(frozen=True, slots=True)
class Vring:
    """One virtqueue to hand over: ``size`` entries, its parts at addresses of this process, two descriptors.

    The back-end reads ``kick`` and writes to ``call``. ``base`` is the available index to go on from.
    """

    index: int
    size: int
    descriptors_address: int
    available_address: int
    used_address: int
    kick: int
    call: int
    base: int = 0


def perform(connection: Connection, exchange: Exchange[_T], seconds: float) -> _T:
    """Carry an exchange out; each message and each reply may take ``seconds``.

    Raises what the connection raises, and :class:`PeerBroke` for a wrong reply.
    """
    reply: Message | None = None
    try:
        while True:
            call = exchange.send(reply)
            connection.send(call.message, seconds)
            reply = connection.receive(seconds) if call.awaits_reply else None
    except StopIteration as end:
        returned: _T = end.value
        return returned
    finally:
        exchange.close()


class FrontendSession:
    """One connection to a back-end, from its first message to its end.

    ``wanted`` are the protocol features to accept if they are offered. A back-end starts afresh with each
    connection, so use another session for the next one.
    """

    def __init__(self, wanted: ProtocolFeature = WANTED) -> None:
        self._wanted = wanted
        self._protocol = ProtocolFeature(0)
        self._speaks_protocol = False
        self.queue_limit: int | None = None
        """How many queues the back-end has; None if it does not tell."""
        self.status = 0
        """The device status as last written or read. Without STATUS, the last value to write."""

    @property
    def protocol_features(self) -> ProtocolFeature:
        """The protocol features that were negotiated."""
        return self._protocol

    def has(self, feature: ProtocolFeature) -> bool:
        """Tell whether a protocol feature was negotiated."""
        return bool(self._protocol & feature)

    def connect(self) -> Exchange[int]:
        """Own the back-end and negotiate the protocol; returns the features offered to the driver."""
        yield from self._tell(Request.SET_OWNER)
        offered = yield from self._number(Request.GET_FEATURES)
        self._speaks_protocol = bool(offered & _PROTOCOL_FEATURES)
        if self._speaks_protocol:
            available = yield from self._number(Request.GET_PROTOCOL_FEATURES)
            # A front-end must not accept features it does not know. REPLY_ACK applies from this message on.
            self._protocol = ProtocolFeature(available & self._wanted)
            yield from self._tell(Request.SET_PROTOCOL_FEATURES, Number(int(self._protocol)), ask=False)
            if self.has(ProtocolFeature.MQ):
                self.queue_limit = yield from self._number(Request.GET_QUEUE_NUM)
        return offered & ~_PROTOCOL_FEATURES

    def offered(self) -> Exchange[int]:
        """Ask again what the back-end offers to a driver."""
        offered = yield from self._number(Request.GET_FEATURES)
        return offered & ~_PROTOCOL_FEATURES

    def give_request_channel(self, descriptor: int) -> Exchange[None]:
        """Hand over the channel for the back-end's own requests; BACKEND_REQ must be negotiated."""
        yield from self._tell(Request.SET_BACKEND_REQ_FD, descriptors=(descriptor,))

    def accept(self, features: int) -> Exchange[bool]:
        """Write the accepted features; return whether FEATURES_OK stayed, True if that cannot be seen."""
        own = _PROTOCOL_FEATURES if self._speaks_protocol else 0
        yield from self.set_status(Status.ACKNOWLEDGE | Status.DRIVER)
        yield from self._tell(Request.SET_FEATURES, Number(features | own))
        yield from self.set_status(self.status | Status.FEATURES_OK)
        return bool((yield from self.read_status()) & Status.FEATURES_OK)

    def share_memory(self, regions: Sequence[MemoryRegion], descriptors: Sequence[int]) -> Exchange[None]:
        """Share guest memory, with one descriptor for each region."""
        table = MemoryTable(tuple(regions))
        yield from self._tell(Request.SET_MEM_TABLE, table, descriptors=tuple(descriptors))

    def start_vring(self, vring: Vring) -> Exchange[None]:
        """Hand a virtqueue over and enable it."""
        index = vring.index
        yield from self._tell(Request.SET_VRING_NUM, VringState(index, vring.size))
        yield from self._tell(Request.SET_VRING_BASE, VringState(index, vring.base))
        yield from self._tell(
            Request.SET_VRING_ADDR,
            VringAddress(index, 0, vring.descriptors_address, vring.used_address, vring.available_address),
        )
        yield from self._tell(Request.SET_VRING_CALL, VringDescriptor(index), descriptors=(vring.call,))
        yield from self._tell(Request.SET_VRING_KICK, VringDescriptor(index), descriptors=(vring.kick,))
        yield from self.enable_vring(index, enabled=True)

    def enable_vring(self, index: int, *, enabled: bool) -> Exchange[None]:
        """Enable or disable a virtqueue. Without protocol features it is always enabled."""
        if self._speaks_protocol:
            yield from self._tell(Request.SET_VRING_ENABLE, VringState(index, int(enabled)))

    def stop_vring(self, index: int) -> Exchange[int]:
        """Stop a virtqueue; return the 16-bit available index at which the back-end would have gone on."""
        state = yield from self._ask(Request.GET_VRING_BASE, VringState(index, 0), VringState)
        if state.index != index or state.number > 0xFFFF:
            raise PeerBroke(
                f"{_BACKEND} answered GET_VRING_BASE of vring {index} with vring {state.index},"
                f" index {state.number}"
            )
        return state.number

    def driver_ok(self) -> Exchange[None]:
        """Set DRIVER_OK if STATUS was negotiated."""
        yield from self.set_status(self.status | Status.DRIVER_OK)

    def set_status(self, status: int) -> Exchange[None]:
        """Write the device status if STATUS was negotiated."""
        self.status = status
        if self.has(ProtocolFeature.STATUS):
            yield from self._tell(Request.SET_STATUS, Number(status))

    def read_status(self) -> Exchange[int]:
        """Read the device status. Without STATUS it is the one that was written last."""
        if self.has(ProtocolFeature.STATUS):
            self.status = yield from self._number(Request.GET_STATUS)
            if self.status > 0xFF:
                raise PeerBroke(f"{_BACKEND} answered GET_STATUS with {self.status:#x}, more than 8 bits")
        return self.status

    def read_configuration(self, offset: int, length_bytes: int) -> Exchange[bytes]:
        """Read at most 256 bytes of the configuration space; CONFIG must be negotiated.

        It reads from offset 0 on, as Linux does, because some back-ends serve only that.
        """
        end = offset + length_bytes
        if not 0 < end <= CONFIGURATION_LIMIT_BYTES:
            raise ValueError(f"{length_bytes} bytes at offset {offset} are not within the first 256")
        wanted = ConfigurationSpace(0, bytes(end))
        space = yield from self._ask(Request.GET_CONFIG, wanted, ConfigurationSpace)
        if (space.offset, len(space.data)) != (0, end):
            raise PeerBroke(
                f"{_BACKEND} answered GET_CONFIG of {end} bytes at offset 0 with {len(space.data)} bytes at"
                f" offset {space.offset}"
            )
        return space.data[offset:]

    def write_configuration(self, offset: int, data: bytes) -> Exchange[None]:
        """Write the configuration space as a driver does; CONFIG must be negotiated."""
        yield from self._tell(Request.SET_CONFIG, ConfigurationSpace(offset, data))

    def reset(self) -> Exchange[bool]:
        """Reset the device; return False if only a new connection resets it.

        With STATUS the reset is a write of 0, as a driver's; with RESET_DEVICE it is a message. Stop the
        vrings first.
        """
        if self.has(ProtocolFeature.STATUS):
            yield from self.set_status(0)
            return True
        self.status = 0
        if self.has(ProtocolFeature.RESET_DEVICE):
            yield from self._tell(Request.RESET_DEVICE)
            return True
        return False

    def answer(self, message: Message) -> tuple[BackendRequest, Message | None]:
        """Take a request of the back-end; return its kind, and the reply if one must be sent.

        VRING_CALL and VRING_ERR are refused: they are for peers that agreed on notifications without
        descriptors.
        """
        if message.request not in BACKEND_REQUESTS or message.reply:
            raise PeerBroke(f"{_BACKEND} sent request {message.request}, which a back-end does not have")
        request = BackendRequest(message.request)
        if request is not BackendRequest.CONFIG_CHANGE:
            raise PeerBroke(f"{_BACKEND} sent {request.name}, but in-band notifications were not negotiated")
        owed = message.need_reply and self.has(ProtocolFeature.REPLY_ACK)
        return request, Message(message.request, Number(0), reply=True) if owed else None

    def _tell(
        self,
        request: Request,
        body: Body | None = None,
        *,
        descriptors: tuple[int, ...] = (),
        ask: bool = True,
    ) -> Exchange[None]:
        """Send a request that has no reply, and await its acknowledgement if REPLY_ACK was negotiated."""
        ask = ask and self.has(ProtocolFeature.REPLY_ACK)
        message = Message(request, body or Nothing(), need_reply=ask, descriptors=descriptors)
        reply = yield Call(message, ask)
        if ask:
            body = _body_of(reply, request, Number)
            if body.value:
                raise PeerBroke(f"{_BACKEND} refused {request.name}: it answered {body.value:#x}, not 0")

    def _ask(self, request: Request, body: Body, kind: type[_T]) -> Exchange[_T]:
        """Send a request that has a reply."""
        reply = yield Call(Message(request, body), awaits_reply=True)
        return _body_of(reply, request, kind)

    def _number(self, request: Request) -> Exchange[int]:
        return (yield from self._ask(request, Nothing(), Number)).value


def _body_of(reply: Message | None, request: Request, kind: type[_T]) -> _T:
    """Return the body of a reply, after checking that it answers ``request``."""
    if reply is None:
        raise AssertionError("an awaited reply was not handed over")
    if not reply.reply or reply.request != request:
        shape = FRONTEND_REQUESTS.get(reply.request)
        name = shape.name if shape else f"request {reply.request}"
        what = "the reply to " if reply.reply else ""
        raise PeerBroke(f"{_BACKEND} sent {what}{name} instead of the reply to {request.name}")
    if not isinstance(reply.body, kind):
        raise PeerBroke(f"{_BACKEND} could not serve {request.name}")
    return reply.body
