"""vhost-user messages: their numbers, the header, and what each carries in which direction.

::

    header  le32 request, le32 flags (version 1 in bits 1 and 0, REPLY 2, NEED_REPLY 3), le32 size
    body    size bytes
    descriptors, as SCM_RIGHTS with the first byte of the header

One table a direction says what a message is called, what its body is, what is answered and how many
descriptors go with it. A request without an answer of its own is acknowledged when it asks for it and
REPLY_ACK was negotiated; the acknowledgement is a :class:`Number`, 0 for success.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag, StrEnum
from types import MappingProxyType
from typing import Any, Final

from construct import BitsInteger, BitStruct, ByteSwapped, Flag, Int32ul, Struct, Terminated

from balloon_conformance.vhost_user import bodies
from balloon_conformance.vhost_user.bodies import (
    CONFIGURATION_HEADER_BYTES,
    CONFIGURATION_LIMIT_BYTES,
    MEMORY_REGION_LIMIT,
    Body,
    ConfigurationSpace,
    MemoryRegion,
    MemoryTable,
    Nothing,
    Number,
    Raw,
    VringAddress,
    VringDescriptor,
    VringState,
)
from balloon_spec.wire.errors import WireError
from balloon_spec.wire.layout import check_length, check_range, read_layout

__all__ = [
    "BACKEND_REQUESTS",
    "BODY_LIMIT_BYTES",
    "CONFIGURATION_LIMIT_BYTES",
    "DESCRIPTOR_LIMIT",
    "FRONTEND_REQUESTS",
    "HEADER_BYTES",
    "PROTOCOL_FEATURES_BIT",
    "BackendRequest",
    "Body",
    "ConfigurationSpace",
    "Header",
    "MemoryRegion",
    "MemoryTable",
    "Message",
    "Nothing",
    "Number",
    "ProtocolFeature",
    "Raw",
    "Request",
    "Sender",
    "Shape",
    "VringAddress",
    "VringDescriptor",
    "VringState",
    "check_header",
    "descriptors_of",
    "name_of",
    "parse_body",
    "parse_header",
]

PROTOCOL_FEATURES_BIT: Final = 30
"""The feature bit by which a back-end offers protocol features. It is never shown to a driver."""
DESCRIPTOR_LIMIT: Final = MEMORY_REGION_LIMIT
"""The most descriptors that one message may have."""
BODY_LIMIT_BYTES: Final = 4096
"""The longest body that is accepted. The longest that a peer needs has 268 bytes."""

_VERSION: Final = 1


class Sender(StrEnum):
    """The two ends: the front-end has the driver and guest memory, the back-end is the device."""

    FRONTEND = "front-end"
    BACKEND = "back-end"


class Request(IntEnum):
    """What a front-end asks of a back-end."""

    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    SET_MEM_TABLE = 5
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    SET_VRING_ERR = 14
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    GET_QUEUE_NUM = 17
    SET_VRING_ENABLE = 18
    SET_BACKEND_REQ_FD = 21
    GET_CONFIG = 24
    SET_CONFIG = 25
    RESET_DEVICE = 34
    SET_STATUS = 39
    GET_STATUS = 40


class BackendRequest(IntEnum):
    """What a back-end asks of a front-end, over the channel of SET_BACKEND_REQ_FD."""

    CONFIG_CHANGE = 2
    VRING_CALL = 4
    VRING_ERR = 5


class ProtocolFeature(IntFlag):
    """The protocol features of vhost-user that a balloon can use."""

    MQ = 1 << 0
    REPLY_ACK = 1 << 3
    BACKEND_REQ = 1 << 5
    CONFIG = 1 << 9
    RESET_DEVICE = 1 << 13
    STATUS = 1 << 16


@dataclass(frozen=True, slots=True)
class Shape:
    """The name of a message, and its parts.

    ``reply`` is the body of the reply, None if there is only an acknowledgement. With ``descriptor`` the
    message has exactly one descriptor. The body of a memory table, and of a vring's descriptor, says how many
    there are.
    """

    name: str
    body: type[Body]
    reply: type[Body] | None = None
    descriptor: bool = False


FRONTEND_REQUESTS: Final[Mapping[int, Shape]] = MappingProxyType(
    {
        request: Shape(request.name, body, reply, request is Request.SET_BACKEND_REQ_FD)
        for request, body, reply in (
            (Request.GET_FEATURES, Nothing, Number),
            (Request.SET_FEATURES, Number, None),
            (Request.SET_OWNER, Nothing, None),
            (Request.SET_MEM_TABLE, MemoryTable, None),
            (Request.SET_VRING_NUM, VringState, None),
            (Request.SET_VRING_ADDR, VringAddress, None),
            (Request.SET_VRING_BASE, VringState, None),
            (Request.GET_VRING_BASE, VringState, VringState),
            (Request.SET_VRING_KICK, VringDescriptor, None),
            (Request.SET_VRING_CALL, VringDescriptor, None),
            (Request.SET_VRING_ERR, VringDescriptor, None),
            (Request.GET_PROTOCOL_FEATURES, Nothing, Number),
            (Request.SET_PROTOCOL_FEATURES, Number, None),
            (Request.GET_QUEUE_NUM, Nothing, Number),
            (Request.SET_VRING_ENABLE, VringState, None),
            (Request.SET_BACKEND_REQ_FD, Nothing, None),
            (Request.GET_CONFIG, ConfigurationSpace, ConfigurationSpace),
            (Request.SET_CONFIG, ConfigurationSpace, None),
            (Request.RESET_DEVICE, Nothing, None),
            (Request.SET_STATUS, Number, None),
            (Request.GET_STATUS, Nothing, Number),
        )
    }
)
"""The messages of a front-end by their number."""

BACKEND_REQUESTS: Final[Mapping[int, Shape]] = MappingProxyType(
    {
        BackendRequest.CONFIG_CHANGE: Shape("CONFIG_CHANGE", Nothing),
        BackendRequest.VRING_CALL: Shape("VRING_CALL", VringState),
        BackendRequest.VRING_ERR: Shape("VRING_ERR", VringState),
    }
)
"""The messages of a back-end by their number."""

_TABLES: Final[Mapping[Sender, Mapping[int, Shape]]] = MappingProxyType(
    {Sender.FRONTEND: FRONTEND_REQUESTS, Sender.BACKEND: BACKEND_REQUESTS}
)

HEADER: Final[Any] = Struct(
    "request" / Int32ul,
    "flags"
    / ByteSwapped(
        BitStruct(
            "reserved" / BitsInteger(28),
            "need_reply" / Flag,
            "reply" / Flag,
            "version" / BitsInteger(2),
        )
    ),
    "size" / Int32ul,
    Terminated,
)
_HEADER_LAYOUT = read_layout(HEADER)
HEADER_BYTES: Final = _HEADER_LAYOUT.fixed_bytes


@dataclass(frozen=True, slots=True)
class Header:
    """The twelve bytes before a body of ``size_bytes``; ``reserved`` are bits 4 and up of the flags."""

    request: int
    size_bytes: int
    reply: bool = False
    need_reply: bool = False
    version: int = _VERSION
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One message: a request, or with ``reply`` the answer to one.

    It carries ``descriptors``: the sender lends them for the time of sending, and the receiver owns them and
    has to close them.
    """

    request: int
    body: Body = Nothing()  # noqa: RUF009 - a frozen value without fields
    reply: bool = False
    need_reply: bool = False
    descriptors: tuple[int, ...] = ()

    def build(self, sender: Sender) -> bytes:
        """Build header and body as ``sender`` sends them; :class:`WireError` names message and field.

        ``sender`` is the end that sends the *request*: for a reply, the other end.
        """
        name = name_of(sender, self.request, reply=self.reply)
        body = bodies.build(name, self.body)
        flags = {"reserved": 0, "need_reply": self.need_reply, "reply": self.reply, "version": _VERSION}
        check_range(name, _HEADER_LAYOUT.fixed, {"request": self.request, "size": len(body), **flags})
        header: bytes = HEADER.build({"request": self.request, "flags": flags, "size": len(body)})
        return header + body


def name_of(sender: Sender, request: int, *, reply: bool = False) -> str:
    """Return the name of a message, or its number if it is unknown."""
    shape = _TABLES[sender].get(request)
    name = shape.name if shape else f"request {request} of the {sender}"
    return f"reply to {name}" if reply else name


def parse_header(data: bytes) -> Header:
    """Parse any twelve bytes; :class:`WireError` for any other length."""
    check_length("header", _HEADER_LAYOUT, len(data))
    parsed = HEADER.parse(data)
    flags = parsed.flags
    return Header(
        parsed.request, parsed.size, flags.reply, flags.need_reply, flags.version, flags.reserved << 4
    )


def check_header(sender: Sender, header: Header) -> None:
    """Refuse a header that nobody may send, before its body comes; :class:`WireError` names the field."""
    name = name_of(sender, header.request, reply=header.reply)
    if header.version != _VERSION:
        raise WireError(name, "flags.version", 4, f"{_VERSION}", f"{header.version}")
    if header.reserved:
        raise WireError(name, "flags.reserved", 4, "bits 4 to 31 clear", f"{header.reserved:#x}")
    if header.size_bytes > BODY_LIMIT_BYTES:
        raise WireError(name, "size", 8, f"{BODY_LIMIT_BYTES} bytes at most", f"{header.size_bytes}")


def parse_body(sender: Sender, header: Header, payload: bytes) -> Body:
    """Parse the bytes after a header; an unknown message gives :class:`Raw`.

    ``sender`` is the end that sends the request: for a reply, the other end. Raises :class:`WireError`.
    """
    shape = _TABLES[sender].get(header.request)
    name = name_of(sender, header.request, reply=header.reply)
    if shape is None:
        return Raw(payload)
    if not header.reply:
        body = bodies.parse(name, shape.body, payload)
        if shape.body is ConfigurationSpace and isinstance(body, Nothing):
            raise WireError(name, "offset", 0, f"{CONFIGURATION_HEADER_BYTES} bytes and more", "0")
        return body
    return bodies.parse(name, shape.reply or Number, payload)


def descriptors_of(sender: Sender, header: Header, body: Body) -> int | None:
    """Return how many descriptors a message has; None for an unknown message, which may have any number."""
    shape = _TABLES[sender].get(header.request)
    if shape is None:
        return None
    if header.reply:
        return 0
    if isinstance(body, MemoryTable):
        return len(body.regions)
    if isinstance(body, VringDescriptor):
        return int(body.has_descriptor)
    return int(shape.descriptor)
