"""Statistics buffers by :mod:`struct` alone, for the second encoder."""

from __future__ import annotations

import struct
from collections.abc import Iterable

__all__ = ["statistics"]


def statistics(entries: Iterable[tuple[int, int]]) -> bytes:
    """Return a statistics buffer: 10 bytes an entry, of tag and value (STATS-04)."""
    return b"".join(struct.pack("<HQ", tag, value) for tag, value in entries)
