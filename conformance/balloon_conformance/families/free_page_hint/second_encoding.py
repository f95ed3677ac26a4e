"""Command ids by :mod:`struct` alone, for the second encoder."""

from __future__ import annotations

import struct

__all__ = ["command_id"]


def command_id(number: int) -> bytes:
    """Return a command id: 32 bits, little-endian as the guests of the vectors are (HINT-30, HINT-31)."""
    return struct.pack("<I", number)
