"""The command id: what the driver sends on the free-page queue before its hints, and after the last one.

It is little-endian; on the legacy interface it has the byte order of the guest (VIRTIO 1.2, section
5.5.6.5.3), hence the ``byteorder`` argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from construct import Int32ub, Int32ul, Struct, Terminated

from balloon_spec.wire.layout import Buffer, ByteOrder, check_length, check_range, read_layout

__all__ = ["LENGTH_BYTES", "SCHEMA", "SCHEMAS", "CommandId", "build", "parse"]

NAME: Final = "command-id"

SCHEMA: Final[Any] = Struct("cmd_id" / Int32ul, Terminated)
SCHEMAS: Final[Mapping[ByteOrder, Any]] = MappingProxyType(
    {"little": SCHEMA, "big": Struct("cmd_id" / Int32ub, Terminated)}
)

_LAYOUT = read_layout(SCHEMA)
LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class CommandId:
    """``cmd_id`` (32 bits): 0 ends a round, 2 and more begin the one that the device asked for."""

    cmd_id: int


def parse(data: Buffer, byteorder: ByteOrder = "little") -> CommandId:
    """Parse 4 bytes; :class:`.WireError` for any other length."""
    raw = bytes(data)
    check_length(NAME, _LAYOUT, len(raw))
    return CommandId(SCHEMAS[byteorder].parse(raw).cmd_id)


def build(value: CommandId, byteorder: ByteOrder = "little") -> bytes:
    """Build 4 bytes; :class:`.WireError` for a number that does not fit."""
    check_range(NAME, _LAYOUT.fixed, {"cmd_id": value.cmd_id})
    built: bytes = SCHEMAS[byteorder].build({"cmd_id": value.cmd_id})
    return built
