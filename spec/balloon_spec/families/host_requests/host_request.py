"""The host request: what a device writes into the 16-byte buffer a driver leaves on the host request queue.

All fields are little-endian whatever the guest is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from construct import Array, Int16ul, Int64ul, Struct, Terminated

from balloon_spec.wire.errors import WireError
from balloon_spec.wire.layout import Buffer, check_length, check_range, read_layout

__all__ = ["LAYOUT", "LENGTH_BYTES", "SCHEMA", "HostRequest", "build", "parse"]

NAME: Final = "host-request"

LAYOUT: Final[Any] = Struct(
    "cmd" / Int16ul,
    "reserved" / Array(3, Int16ul),
    "param" / Int64ul,
)
SCHEMA: Final[Any] = Struct(*LAYOUT.subcons, Terminated)
LENGTH_BYTES: Final[int] = LAYOUT.sizeof()

_LAYOUT = read_layout(LAYOUT)
_RESERVED_WORDS = 3


@dataclass(frozen=True, slots=True)
class HostRequest:
    """``cmd`` (16 bits), three reserved 16-bit words, ``param`` (64 bits).

    For GET_UNUSED_PAGES ``param`` is the id the device chose; its low 16 bits come back in the answer.
    """

    cmd: int
    reserved: tuple[int, int, int] = (0, 0, 0)
    param: int = 0


def parse(data: Buffer) -> HostRequest:
    """Parse 16 bytes; :class:`.WireError` for any other length."""
    raw = bytes(data)
    check_length(NAME, _LAYOUT, len(raw))
    fields = SCHEMA.parse(raw)
    first, second, third = fields.reserved
    return HostRequest(fields.cmd, (first, second, third), fields.param)


def build(value: HostRequest) -> bytes:
    """Build 16 bytes; :class:`.WireError` for a field that does not fit, or not three reserved words."""
    if len(value.reserved) != _RESERVED_WORDS:
        offset_bytes = _LAYOUT.word("reserved[0]").offset_bytes
        raise WireError(NAME, "reserved", offset_bytes, "3 words of 16 bits", f"{len(value.reserved)}")
    reserved = {f"reserved[{index}]": word for index, word in enumerate(value.reserved)}
    check_range(NAME, _LAYOUT.fixed, {"cmd": value.cmd, **reserved, "param": value.param})
    built: bytes = SCHEMA.build({"cmd": value.cmd, "reserved": list(value.reserved), "param": value.param})
    return built
