"""The device configuration space of the balloon (VIRTIO 1.2, section 5.5.4): two counts of 4 KiB pages.

Always little-endian, on the legacy interface too. The eight bytes are all there is in the base and the
chunk-transfer profiles; other features of the balloon put more fields behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from construct import Int32ul, Struct, Terminated

from balloon_spec.wire.layout import Buffer, check_length, check_range, read_layout

__all__ = [
    "ACTUAL_OFFSET",
    "LAYOUT",
    "LENGTH_BYTES",
    "NUM_PAGES_OFFSET",
    "SCHEMA",
    "Configuration",
    "build",
    "is_actual",
    "parse",
]

NAME: Final = "configuration"

LAYOUT: Final[Any] = Struct(
    "num_pages" / Int32ul,
    "actual" / Int32ul,
)
SCHEMA: Final[Any] = Struct(*LAYOUT.subcons, Terminated)
LENGTH_BYTES: Final[int] = LAYOUT.sizeof()

_LAYOUT = read_layout(LAYOUT)
NUM_PAGES_OFFSET: Final = _LAYOUT.word("num_pages").offset_bytes
"""Where the device keeps the target, in bytes."""
ACTUAL_OFFSET: Final = _LAYOUT.word("actual").offset_bytes
"""Where the driver writes the pages the balloon holds, in bytes."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """``num_pages``: the pages the device wants. ``actual``: the pages the balloon holds. 32 bits each."""

    num_pages: int
    actual: int


def parse(data: Buffer) -> Configuration:
    """Parse 8 bytes; :class:`.WireError` for any other length."""
    raw = bytes(data)
    check_length(NAME, _LAYOUT, len(raw))
    fields = SCHEMA.parse(raw)
    return Configuration(fields.num_pages, fields.actual)


def build(value: Configuration) -> bytes:
    """Build 8 bytes; :class:`.WireError` for a field that does not fit its bits."""
    numbers = {"num_pages": value.num_pages, "actual": value.actual}
    check_range(NAME, _LAYOUT.fixed, numbers)
    built: bytes = SCHEMA.build(numbers)
    return built


def is_actual(offset_bytes: int, data: bytes) -> bool:
    """Tell whether a store of ``data`` there is one of ``actual``, whole."""
    return offset_bytes == ACTUAL_OFFSET and len(data) == LENGTH_BYTES - ACTUAL_OFFSET
