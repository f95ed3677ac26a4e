"""The bodies of vhost-user messages: schemas, and typed values at the boundary.

The protocol uses the host's byte order. The suite runs only on little-endian machines, so the schemas say
little-endian. Every body is a frozen dataclass; :func:`parse` and :func:`build` take the name of the message,
so that an error names the message and the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, fields
from types import MappingProxyType
from typing import Any, Final

from construct import (
    BitsInteger,
    BitStruct,
    ByteSwapped,
    Flag,
    GreedyRange,
    Int32ul,
    Int64ul,
    Struct,
    Terminated,
)

from balloon_spec.wire.errors import WireError
from balloon_spec.wire.layout import Layout, check_length, check_range, read_layout

__all__ = [
    "CONFIGURATION_HEADER_BYTES",
    "CONFIGURATION_LIMIT_BYTES",
    "MEMORY_REGION_LIMIT",
    "Body",
    "ConfigurationSpace",
    "MemoryRegion",
    "MemoryTable",
    "Nothing",
    "Number",
    "Raw",
    "VringAddress",
    "VringDescriptor",
    "VringState",
    "build",
    "parse",
]

CONFIGURATION_LIMIT_BYTES: Final = 256
"""The longest piece of a configuration space that one message may carry."""
MEMORY_REGION_LIMIT: Final = 8
"""The most regions a memory table may hold: as many as descriptors go with one message."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No payload."""


@dataclass(frozen=True, slots=True)
class Raw:
    """The payload of an unknown message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Number:
    """One 64-bit number: feature bits, a status, a count, or the result of a request (0 means success)."""

    value: int


@dataclass(frozen=True, slots=True)
class VringState:
    """A 32-bit number of one vring: its size, its next available index, or whether it is enabled."""

    index: int
    number: int


@dataclass(frozen=True, slots=True)
class VringDescriptor:
    """The vring (0 to 255) to which the descriptor of the message belongs, or that the message has none."""

    index: int
    has_descriptor: bool = True


@dataclass(frozen=True, slots=True)
class VringAddress:
    """The parts of a vring, as addresses in the memory of the front-end's process."""

    index: int
    flags: int
    descriptors_address: int
    used_address: int
    available_address: int
    log_address: int = 0


@dataclass(frozen=True, slots=True)
class MemoryRegion:
    """``length_bytes`` of guest memory, at ``offset_bytes`` in the file whose descriptor is sent along.

    ``user_address`` is where the front-end's process maps it. The addresses of vrings are such addresses.
    """

    guest_address: int
    length_bytes: int
    user_address: int
    offset_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryTable:
    """All guest memory that is shared, with one descriptor for each region, in order."""

    regions: tuple[MemoryRegion, ...]


@dataclass(frozen=True, slots=True)
class ConfigurationSpace:
    """A piece of the device configuration space: ``data`` from ``offset`` on.

    A front-end that reads sends as many bytes as it wants back. ``flags`` is 1 for a write that restores a
    migrated device, and 0 for a driver's.
    """

    offset: int
    data: bytes
    flags: int = 0


Body = Nothing | Raw | Number | VringState | VringDescriptor | VringAddress | MemoryTable | ConfigurationSpace

NUMBER: Final[Any] = Struct("value" / Int64ul, Terminated)
VRING_STATE: Final[Any] = Struct("index" / Int32ul, "number" / Int32ul, Terminated)
VRING_DESCRIPTOR: Final[Any] = Struct(
    "vring"
    / ByteSwapped(BitStruct("reserved" / BitsInteger(55), "no_descriptor" / Flag, "index" / BitsInteger(8))),
    Terminated,
)
VRING_ADDRESS: Final[Any] = Struct(
    "index" / Int32ul,
    "flags" / Int32ul,
    "descriptors_address" / Int64ul,
    "used_address" / Int64ul,
    "available_address" / Int64ul,
    "log_address" / Int64ul,
    Terminated,
)
MEMORY_TABLE: Final[Any] = Struct(
    "count" / Int32ul,
    "padding" / Int32ul,
    "regions"
    / GreedyRange(
        Struct(
            "guest_address" / Int64ul,
            "length_bytes" / Int64ul,
            "user_address" / Int64ul,
            "offset_bytes" / Int64ul,
        )
    ),
    Terminated,
)
CONFIGURATION: Final[Any] = Struct("offset" / Int32ul, "size" / Int32ul, "flags" / Int32ul, Terminated)
"""The 32-bit words before the bytes of the space."""

_LAYOUTS: Final[Mapping[type, Layout]] = MappingProxyType(
    {
        Number: read_layout(NUMBER),
        VringState: read_layout(VRING_STATE),
        VringDescriptor: read_layout(VRING_DESCRIPTOR),
        VringAddress: read_layout(VRING_ADDRESS),
        MemoryTable: read_layout(MEMORY_TABLE),
        ConfigurationSpace: read_layout(CONFIGURATION),
    }
)
CONFIGURATION_HEADER_BYTES: Final = _LAYOUTS[ConfigurationSpace].fixed_bytes


def parse(message: str, kind: type[Body], payload: bytes) -> Body:
    """Parse the payload of ``message``, which has a body of ``kind``; :class:`WireError` names the field."""
    body: Body = _CODECS[kind][0](message, payload)
    return body


def build(message: str, body: Body) -> bytes:
    """Build the payload of ``message``; :class:`WireError` for a field that does not fit its bits."""
    return _CODECS[type(body)][1](message, body)


def _parse_nothing(message: str, payload: bytes) -> Nothing:
    if payload:
        raise WireError(message, "payload", 0, "no bytes", f"{len(payload)}")
    return Nothing()


def _parse_number(message: str, payload: bytes) -> Number:
    check_length(message, _LAYOUTS[Number], len(payload))
    return Number(NUMBER.parse(payload).value)


def _parse_state(message: str, payload: bytes) -> VringState:
    check_length(message, _LAYOUTS[VringState], len(payload))
    state = VRING_STATE.parse(payload)
    return VringState(state.index, state.number)


def _parse_descriptor(message: str, payload: bytes) -> VringDescriptor:
    check_length(message, _LAYOUTS[VringDescriptor], len(payload))
    vring = VRING_DESCRIPTOR.parse(payload).vring
    if vring.reserved:
        raise WireError(message, "reserved", 0, "bits 9 to 63 clear", f"{vring.reserved << 9:#x}")
    return VringDescriptor(vring.index, not vring.no_descriptor)


def _build_descriptor(message: str, body: VringDescriptor) -> bytes:
    numbers = {"reserved": 0, "no_descriptor": not body.has_descriptor, "index": body.index}
    check_range(message, _LAYOUTS[VringDescriptor].fixed, numbers)
    built: bytes = VRING_DESCRIPTOR.build({"vring": numbers})
    return built


def _parse_address(message: str, payload: bytes) -> VringAddress:
    check_length(message, _LAYOUTS[VringAddress], len(payload))
    parsed = VRING_ADDRESS.parse(payload)
    return VringAddress(**{field.name: parsed[field.name] for field in fields(VringAddress)})


def _parse_table(message: str, payload: bytes) -> MemoryTable:
    """Read as many regions as the table counts. The payload may hold more: Linux always sends two."""
    layout = _LAYOUTS[MemoryTable]
    check_length(message, layout, len(payload))
    parsed = MEMORY_TABLE.parse(payload)
    present = min(len(parsed.regions), MEMORY_REGION_LIMIT)
    if not 0 < parsed.count <= present:
        raise WireError(message, "count", 0, f"1 to {present} regions", f"{parsed.count}")
    return MemoryTable(
        tuple(
            MemoryRegion(**{field.name: region[field.name] for field in fields(MemoryRegion)})
            for region in parsed.regions[: parsed.count]
        )
    )


def _build_table(message: str, body: MemoryTable) -> bytes:
    layout = _LAYOUTS[MemoryTable]
    names = [field.name for field in fields(MemoryRegion)]
    regions = [dict(zip(names, astuple(region), strict=True)) for region in body.regions]
    for at, region in enumerate(regions):
        check_range(message, layout.entry(at), region)
    built: bytes = MEMORY_TABLE.build({"count": len(regions), "padding": 0, "regions": regions})
    return built


def _parse_configuration(message: str, payload: bytes) -> ConfigurationSpace | Nothing:
    if not payload:
        # In a reply this means that the back-end could not serve the read.
        return Nothing()
    header, data = payload[:CONFIGURATION_HEADER_BYTES], payload[CONFIGURATION_HEADER_BYTES:]
    check_length(message, _LAYOUTS[ConfigurationSpace], len(header))
    parsed = CONFIGURATION.parse(header)
    if parsed.size != len(data):
        raise WireError(message, "size", 4, f"{len(data)}, the bytes that follow", f"{parsed.size}")
    if not 0 < parsed.size <= CONFIGURATION_LIMIT_BYTES:
        raise WireError(message, "size", 4, f"1 to {CONFIGURATION_LIMIT_BYTES}", f"{parsed.size}")
    return ConfigurationSpace(parsed.offset, data, parsed.flags)


def _build_configuration(message: str, body: ConfigurationSpace) -> bytes:
    numbers = {"offset": body.offset, "size": len(body.data), "flags": body.flags}
    check_range(message, _LAYOUTS[ConfigurationSpace].fixed, numbers)
    built: bytes = CONFIGURATION.build(numbers)
    return built + body.data


def _words(schema: Any, kind: type[Body]) -> Callable[[str, Any], bytes]:
    """Return the builder of a body whose fields are the fields of its schema."""
    names = [field.name for field in fields(kind)]

    def build_words(message: str, body: Any) -> bytes:
        numbers = {name: getattr(body, name) for name in names}
        check_range(message, _LAYOUTS[kind].fixed, numbers)
        built: bytes = schema.build(numbers)
        return built

    return build_words


_CODECS: Final[Mapping[type, tuple[Callable[[str, bytes], Any], Callable[[str, Any], bytes]]]] = (
    MappingProxyType(
        {
            Nothing: (_parse_nothing, lambda _message, _body: b""),
            Raw: (lambda _message, payload: Raw(payload), lambda _message, body: body.data),
            Number: (_parse_number, _words(NUMBER, Number)),
            VringState: (_parse_state, _words(VRING_STATE, VringState)),
            VringDescriptor: (_parse_descriptor, _build_descriptor),
            VringAddress: (_parse_address, _words(VRING_ADDRESS, VringAddress)),
            MemoryTable: (_parse_table, _build_table),
            ConfigurationSpace: (_parse_configuration, _build_configuration),
        }
    )
)
