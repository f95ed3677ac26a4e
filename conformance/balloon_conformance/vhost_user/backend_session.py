"""The back-end's end of vhost-user without a socket: a front-end's messages go in, actions come out.

The session knows the protocol and what the front-end has said. Its owner maps the memory, serves the vrings,
and keeps ``configuration`` and each vring's ``base`` up to date. An unknown message, or one that must not
come now, raises :class:`~balloon_conformance.vhost_user.errors.PeerBroke`; the session is unusable after
that. Descriptors go from the message into the action; those of a refused message stay with the caller.
"""

# ruff: noqa: SLF001 - the table of rules stands below the class and names its methods

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

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
from balloon_conformance.vhost_user.errors import PeerBroke
from balloon_conformance.vhost_user.frontend_session import Status
from balloon_conformance.vhost_user.messages import (
    PROTOCOL_FEATURES_BIT,
    ConfigurationSpace,
    MemoryTable,
    Message,
    Number,
    ProtocolFeature,
    Request,
    Sender,
    VringAddress,
    VringDescriptor,
    VringState,
    name_of,
)

__all__ = ["RULES", "SERVED", "BackendSession", "Rule", "Vring"]

SERVED: Final = (
    ProtocolFeature.MQ
    | ProtocolFeature.REPLY_ACK
    | ProtocolFeature.BACKEND_REQ
    | ProtocolFeature.CONFIG
    | ProtocolFeature.RESET_DEVICE
    | ProtocolFeature.STATUS
)
"""The protocol features a session can serve."""

_PROTOCOL_FEATURES: Final = 1 << PROTOCOL_FEATURES_BIT
_SIZE_LIMIT: Final = 32768
_SET_UP: Final = frozenset(
    {
        Request.SET_MEM_TABLE,
        Request.SET_VRING_NUM,
        Request.SET_VRING_BASE,
        Request.SET_VRING_ADDR,
        Request.SET_VRING_CALL,
        Request.SET_VRING_ERR,
        Request.SET_VRING_KICK,
        Request.SET_VRING_ENABLE,
        Request.GET_VRING_BASE,
        Request.SET_STATUS,
    }
)
"""The requests after which the features stand: the front-end sets the driver up with them."""


@dataclass(slots=True)
class Vring:
    """The state of one vring as the front-end set it. The owner keeps ``base``, where it would go on."""

    size: int | None = None
    address: VringAddress | None = None
    base: int = 0
    kicks: bool = False
    started: bool = False
    enabled: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """How a request is served: ``serve`` carries it out, under two conditions.

    ``needs`` is the protocol feature that must be negotiated; ``after`` is the request that must come first.
    """

    serve: Callable[[BackendSession, Any, Message], tuple[Action, ...]]
    needs: ProtocolFeature = ProtocolFeature(0)  # noqa: RUF009 - a frozen value
    after: Request | None = None


class BackendSession:
    """One connection of a front-end, from its first message to its end.

    ``offered`` are the features for the driver, ``protocol`` those for the front-end. ``queue_limit`` is how
    many vrings there may be. ``acceptable`` decides whether FEATURES_OK stays for an accepted set.
    """

    def __init__(
        self,
        offered: int,
        configuration: bytes,
        *,
        protocol: ProtocolFeature = SERVED,
        queue_limit: int = 8,
        acceptable: Callable[[int], bool] = lambda _features: True,
    ) -> None:
        self.offered = offered
        self.configuration = configuration
        self.accepted: int | None = None
        self.has_begun = False
        """Whether the front-end has set anything up since the features were accepted."""
        self.enables_vrings = False
        """Whether it has to enable each vring, and can disable it: bit 30 is among the accepted features."""
        self.status = 0
        self.vrings = [Vring() for _ in range(queue_limit)]
        self._protocol_offered = protocol
        self._protocol = ProtocolFeature(0)
        self._speaks_protocol = False
        self._acceptable = acceptable
        self._memory = False
        self._heard: set[int] = set()

    @property
    def protocol_features(self) -> ProtocolFeature:
        """The protocol features that were negotiated."""
        return self._protocol

    @property
    def heard(self) -> frozenset[int]:
        """The requests that were served so far, each once."""
        return frozenset(self._heard)

    @property
    def serving(self) -> tuple[int, ...]:
        """The vrings that are started and enabled."""
        return tuple(at for at, vring in enumerate(self.vrings) if vring.started and vring.enabled)

    def waits_for_reply(self, message: Message) -> bool:
        """Tell whether the front-end waits for an answer to this message before it does anything else."""
        return message.need_reply and ProtocolFeature.REPLY_ACK in self._protocol

    def receive(self, message: Message) -> tuple[Action, ...]:
        """Serve one message. Carry the actions out in order; the acknowledgement comes last."""
        name = name_of(Sender.FRONTEND, message.request, reply=message.reply)
        rule = RULES.get(Request(message.request)) if message.request in _KNOWN else None
        if rule is None or message.reply:
            raise PeerBroke(f"the front-end sent {name}, which a back-end does not serve")
        if rule.needs & ~self._protocol:
            raise PeerBroke(f"the front-end sent {name} without protocol feature {rule.needs.name}")
        if rule.after is not None and rule.after not in self._heard:
            raise PeerBroke(f"the front-end sent {name} before {rule.after.name}")
        actions = rule.serve(self, message.body, message)
        self._heard.add(message.request)
        self.has_begun |= self.accepted is not None and message.request in _SET_UP
        answered = any(isinstance(action, Reply) for action in actions)
        if not answered and self.waits_for_reply(message):
            actions += (self._reply(message, Number(0)),)
        return actions

    # Each of the following methods serves one request; RULES says which.

    def _own(self, _body: Any, _message: Message) -> tuple[Action, ...]:
        return ()

    def _offer(self, _body: Any, message: Message) -> tuple[Action, ...]:
        return (self._reply(message, Number(self.offered | _PROTOCOL_FEATURES)),)

    def _offer_protocol(self, _body: Any, message: Message) -> tuple[Action, ...]:
        return (self._reply(message, Number(int(self._protocol_offered))),)

    def _accept_protocol(self, body: Number, _message: Message) -> tuple[Action, ...]:
        if extra := body.value & ~int(self._protocol_offered):
            raise PeerBroke(f"the front-end accepted protocol features {extra:#x}, which were not offered")
        self._protocol = ProtocolFeature(body.value)
        self._speaks_protocol = True
        return ()

    def _accept(self, body: Number, _message: Message) -> tuple[Action, ...]:
        if serving := self.serving:
            raise PeerBroke(f"the front-end sent SET_FEATURES while vring {serving[0]} is served")
        # A driver that negotiates again on the same connection begins anew. User-mode Linux does so when its
        # driver is bound again, and does not send a reset. If nothing was set up since, it has thought again:
        # Linux drops by another write the features that its driver cannot keep.
        again = self.accepted is not None and self.has_begun
        stopped = self._forget() if again else ()
        self.has_begun = False
        self._speaks_protocol |= bool(body.value & _PROTOCOL_FEATURES)
        self.accepted = body.value & ~_PROTOCOL_FEATURES
        # Without bit 30 among the features that were accepted last, vrings are enabled from the start.
        self.enables_vrings = bool(body.value & _PROTOCOL_FEATURES)
        for vring in self.vrings:
            vring.enabled = not self.enables_vrings
        return (*stopped, *((ResetAsked(),) if again else ()), Accepted(self.accepted))

    def _count_queues(self, _body: Any, message: Message) -> tuple[Action, ...]:
        return (self._reply(message, Number(len(self.vrings))),)

    def _take_channel(self, _body: Any, message: Message) -> tuple[Action, ...]:
        return (RequestChannel(message.descriptors[0]),)

    def _share(self, body: MemoryTable, message: Message) -> tuple[Action, ...]:
        self._memory = True
        return (MemoryShared(body, message.descriptors),)

    def _size(self, body: VringState, message: Message) -> tuple[Action, ...]:
        vring, stopped = self._halted(body, message)
        if not 1 <= body.number <= _SIZE_LIMIT or body.number & (body.number - 1):
            raise PeerBroke(
                f"SET_VRING_NUM: vring {body.index} of {body.number} entries;"
                f" split virtqueues have a power of 2 up to {_SIZE_LIMIT}"
            )
        vring.size = body.number
        return (*stopped, *self._consider(body.index))

    def _base(self, body: VringState, message: Message) -> tuple[Action, ...]:
        vring, stopped = self._halted(body, message)
        if body.number > 0xFFFF:
            raise PeerBroke(f"SET_VRING_BASE: vring {body.index} from index {body.number}, above 16 bits")
        vring.base = body.number
        return (*stopped, *self._consider(body.index))

    def _place(self, body: VringAddress, message: Message) -> tuple[Action, ...]:
        vring = self._vring(body, message)
        vring.address = body
        # A running vring may be given addresses again, e.g. when memory moved.
        vring.started = False
        return self._consider(body.index)

    def _take_kick(self, body: VringDescriptor, message: Message) -> tuple[Action, ...]:
        vring = self._vring(body, message)
        vring.kicks = True
        kick = VringKick(body.index, next(iter(message.descriptors), None))
        return (kick, *self._consider(body.index))

    def _take_call(self, body: VringDescriptor, message: Message) -> tuple[Action, ...]:
        self._vring(body, message)
        return (VringCall(body.index, next(iter(message.descriptors), None)),)

    def _take_error(self, body: VringDescriptor, message: Message) -> tuple[Action, ...]:
        self._vring(body, message)
        return (VringError(body.index, next(iter(message.descriptors), None)),)

    def _switch(self, body: VringState, message: Message) -> tuple[Action, ...]:
        vring = self._vring(body, message)
        if not self._speaks_protocol:
            raise PeerBroke("the front-end sent SET_VRING_ENABLE without the protocol features' feature bit")
        if body.number > 1:
            raise PeerBroke(f"SET_VRING_ENABLE: vring {body.index} set to {body.number}, not 0 or 1")
        vring.enabled = bool(body.number)
        return (VringSwitched(body.index, vring.enabled),) if vring.started else ()

    def _stop(self, body: VringState, message: Message) -> tuple[Action, ...]:
        vring = self._vring(body, message)
        base = vring.base
        # The vring is enabled by a message of its own, so that outlives the stop.
        self.vrings[body.index] = Vring(enabled=vring.enabled)
        return (VringStopped(body.index), self._reply(message, VringState(body.index, base)))

    def _read(self, body: ConfigurationSpace, message: Message) -> tuple[Action, ...]:
        length_bytes = len(body.data)
        data = self.configuration[body.offset : body.offset + length_bytes]
        # Return as many bytes as were asked for: Linux accepts nothing else. Bytes beyond the space read as
        # zero.
        space = ConfigurationSpace(body.offset, data.ljust(length_bytes, b"\0"), body.flags)
        return (ConfigurationAsked(body.offset, data), self._reply(message, space))

    def _write(self, body: ConfigurationSpace, _message: Message) -> tuple[Action, ...]:
        return (ConfigurationStored(body.offset, body.data),)

    def _set_status(self, body: Number, message: Message) -> tuple[Action, ...]:
        if body.value > 0xFF:
            raise PeerBroke(f"SET_STATUS: {body.value:#x} is more than 8 bits")
        if not body.value:
            return self._reset(body, message)
        fresh = body.value & ~self.status
        self.status = body.value
        if fresh & Status.FEATURES_OK and not self._acceptable(self.accepted or 0):
            self.status &= ~Status.FEATURES_OK
        if fresh & Status.FAILED:
            return (GaveUp(),)
        return (Running(),) if fresh & Status.DRIVER_OK else ()

    def _get_status(self, _body: Any, message: Message) -> tuple[Action, ...]:
        return (self._reply(message, Number(self.status)),)

    def _reset(self, _body: Any, _message: Message) -> tuple[Action, ...]:
        # The status is also written 0 before anything else happens; then there is nothing to forget.
        begun = self.accepted is not None
        stopped = self._forget()
        return (*stopped, ResetAsked()) if begun else ()

    def _forget(self) -> tuple[Action, ...]:
        fresh = Vring(enabled=self.accepted is not None and not self.enables_vrings)
        stopped = tuple(VringStopped(at) for at, vring in enumerate(self.vrings) if vring != fresh)
        self.vrings = [Vring() for _ in self.vrings]
        self.accepted, self.has_begun = None, False
        self.status = 0
        self._heard.discard(Request.SET_FEATURES)
        return stopped

    def _vring(self, body: VringState | VringAddress | VringDescriptor, message: Message) -> Vring:
        if body.index >= len(self.vrings):
            name = name_of(Sender.FRONTEND, message.request)
            raise PeerBroke(f"{name}: there is no vring {body.index}; there are {len(self.vrings)}")
        return self.vrings[body.index]

    def _halted(self, body: VringState, message: Message) -> tuple[Vring, tuple[Action, ...]]:
        """Return a vring that may be laid out anew; a disabled one is stopped first."""
        vring = self._vring(body, message)
        if not vring.started:
            return vring, ()
        if vring.enabled:
            name = name_of(Sender.FRONTEND, message.request)
            raise PeerBroke(f"{name}: vring {body.index} is served; stop it by GET_VRING_BASE first")
        self.vrings[body.index] = Vring()
        return self.vrings[body.index], (VringStopped(body.index),)

    def _consider(self, index: int) -> tuple[Action, ...]:
        """Start a vring once all its parts are known."""
        vring = self.vrings[index]
        if vring.started or not vring.kicks or vring.size is None or vring.address is None:
            return ()
        if not self._memory:
            raise PeerBroke(f"vring {index} would start before memory was shared by SET_MEM_TABLE")
        vring.started = True
        return (
            VringStarted(index, vring.size, vring.address, vring.base),
            VringSwitched(index, vring.enabled),
        )

    def _reply(self, message: Message, body: Number | VringState | ConfigurationSpace) -> Reply:
        return Reply(Message(message.request, body, reply=True))


_KNOWN: Final = frozenset(int(request) for request in Request)


RULES: Final[Mapping[Request, Rule]] = MappingProxyType(
    {
        Request.SET_OWNER: Rule(BackendSession._own),
        Request.GET_FEATURES: Rule(BackendSession._offer),
        Request.GET_PROTOCOL_FEATURES: Rule(BackendSession._offer_protocol, after=Request.GET_FEATURES),
        Request.SET_PROTOCOL_FEATURES: Rule(BackendSession._accept_protocol, after=Request.GET_FEATURES),
        Request.SET_FEATURES: Rule(BackendSession._accept, after=Request.GET_FEATURES),
        Request.GET_QUEUE_NUM: Rule(BackendSession._count_queues, ProtocolFeature.MQ),
        Request.SET_BACKEND_REQ_FD: Rule(BackendSession._take_channel, ProtocolFeature.BACKEND_REQ),
        Request.SET_MEM_TABLE: Rule(BackendSession._share),
        Request.SET_VRING_NUM: Rule(BackendSession._size),
        Request.SET_VRING_BASE: Rule(BackendSession._base),
        Request.SET_VRING_ADDR: Rule(BackendSession._place),
        Request.SET_VRING_CALL: Rule(BackendSession._take_call),
        Request.SET_VRING_ERR: Rule(BackendSession._take_error),
        Request.SET_VRING_KICK: Rule(BackendSession._take_kick, after=Request.SET_FEATURES),
        Request.SET_VRING_ENABLE: Rule(BackendSession._switch, after=Request.SET_FEATURES),
        Request.GET_VRING_BASE: Rule(BackendSession._stop, after=Request.SET_FEATURES),
        Request.GET_CONFIG: Rule(BackendSession._read, ProtocolFeature.CONFIG),
        Request.SET_CONFIG: Rule(BackendSession._write, ProtocolFeature.CONFIG),
        Request.SET_STATUS: Rule(BackendSession._set_status, ProtocolFeature.STATUS),
        Request.GET_STATUS: Rule(BackendSession._get_status, ProtocolFeature.STATUS),
        Request.RESET_DEVICE: Rule(BackendSession._reset, ProtocolFeature.RESET_DEVICE),
    }
)
"""Every request a session serves."""
