"""Buffers put together with struct alone, for tests of code that has schemas."""

from __future__ import annotations

import struct


def message(*runs: tuple[int, int], cmd: int = 0, flag: int = 0, identifier: int = 0) -> bytes:
    """A well-formed response message: runs are (first page frame number, pages)."""
    data = b"".join(struct.pack("<QQ", first << 12, count << 12) for first, count in runs)
    return struct.pack("<BBHI", cmd, flag, identifier, len(data)) + data


def array(*pfns: int) -> bytes:
    """An array of page frame numbers."""
    return struct.pack(f"<{len(pfns)}I", *pfns)


def request(cmd: int, param: int) -> bytes:
    """The 16 bytes of a host request."""
    return struct.pack("<HHHHQ", cmd, 0, 0, 0, param)


def space(num_pages: int, actual: int = 0) -> bytes:
    """The configuration space."""
    return struct.pack("<II", num_pages, actual)


def statistics(*entries: tuple[int, int]) -> bytes:
    """A statistics buffer of (tag, value)."""
    return b"".join(struct.pack("<HQ", tag, value) for tag, value in entries)
