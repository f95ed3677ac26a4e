"""The response header: eight bytes before the response data on the inflate, deflate and host request queues.

On the host request queue ``cmd`` and ``id`` answer a request and ``flag`` says whether more follows. On the
inflate and deflate queues the three mean nothing and are zero (HDR-04). ``data_len`` counts the bytes that
follow the header, without the header (HDR-02). Multi-byte fields are little-endian whatever the guest is.

Every message has a header, so :func:`parse` and :func:`build` read and write it by ``struct``, at twenty
times the speed of the schema and to the same effect.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from construct import Int8ul, Int16ul, Int32ul, Struct, Terminated

from balloon_spec.wire.layout import Buffer, check_length, check_range, read_layout

__all__ = [
    "CMD_GET_UNUSED_PAGES",
    "FLAG_CONT",
    "FLAG_DONE",
    "LAYOUT",
    "LENGTH_BYTES",
    "SCHEMA",
    "ResponseHeader",
    "build",
    "check",
    "parse",
    "to_numbers",
]

NAME: Final = "response-header"

CMD_GET_UNUSED_PAGES: Final = 0
"""The only command: name pages the guest does not use."""
FLAG_CONT: Final = 0
"""More messages of the same answer follow. The flags are values, not bit numbers."""
FLAG_DONE: Final = 1
"""The last message of an answer."""

LAYOUT: Final[Any] = Struct(
    "cmd" / Int8ul,
    "flag" / Int8ul,
    "id" / Int16ul,
    "data_len" / Int32ul,
)
"""The header, open at its end, for the message that contains it."""

SCHEMA: Final[Any] = Struct(*LAYOUT.subcons, Terminated)
LENGTH_BYTES: Final[int] = LAYOUT.sizeof()

_LAYOUT = read_layout(LAYOUT)
_FIELDS = struct.Struct("<BBHI")


@dataclass(frozen=True, slots=True)
class ResponseHeader:
    """``cmd`` and ``flag`` (8 bits), ``id`` (16 bits), and ``data_len`` in bytes (32 bits)."""

    cmd: int
    flag: int
    id: int
    data_len: int


def parse(data: Buffer) -> ResponseHeader:
    """Parse 8 bytes; :class:`.WireError` for any other length."""
    raw = bytes(data)
    if len(raw) != LENGTH_BYTES:
        check_length(NAME, _LAYOUT, len(raw))
    return ResponseHeader(*_FIELDS.unpack(raw))


def build(value: ResponseHeader) -> bytes:
    """Build 8 bytes; :class:`.WireError` for a field that does not fit its bits."""
    check(value)
    return _FIELDS.pack(value.cmd, value.flag, value.id, value.data_len)


def check(value: ResponseHeader, structure: str = NAME) -> None:
    """Refuse a field that does not fit its bits with :class:`.WireError`, in the name of ``structure``."""
    check_range(structure, _LAYOUT.fixed, to_numbers(value))


def to_numbers(value: ResponseHeader) -> dict[str, int]:
    """Return the fields by name, as the schema builds them."""
    return {"cmd": value.cmd, "flag": value.flag, "id": value.id, "data_len": value.data_len}
