"""Messages of chunks by :mod:`struct` alone, for the second encoder.

All fields are little-endian and without padding, whatever the guest is (HDR-06, CHUNK-11).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from balloon_conformance.second_encoder.structures import Run, maximal_runs, parts

__all__ = [
    "MESSAGE_CHUNKS",
    "balloon_messages",
    "chunk",
    "header",
    "message",
    "pages_named",
    "response_data",
]

MESSAGE_CHUNKS = 2048
"""The chunks of a filled message: 32768 bytes of response data."""


def header(cmd: int, flag: int, identifier: int, data_len: int) -> bytes:
    """Return the 8 bytes of a response header (HDR-01)."""
    return struct.pack("<BBHI", cmd, flag, identifier, data_len)


def chunk(first: int, count: int, *, base_low: int = 0, size_low: int = 0) -> bytes:
    """Return the 16 bytes of a chunk (CHUNK-01, CHUNK-02).

    The page frame number and the number of pages stand above 12 reserved bits, ``base_low`` and ``size_low``.
    """
    return struct.pack("<QQ", first << 12 | base_low, count << 12 | size_low)


def response_data(runs: Iterable[Run]) -> bytes:
    """Return a chunk for each run, in the order given."""
    return b"".join(chunk(first, count) for first, count in runs)


def message(data: bytes, *, cmd: int = 0, flag: int = 0, identifier: int = 0) -> bytes:
    """Return response data behind its header; data_len counts the data alone (HDR-02)."""
    return header(cmd, flag, identifier, len(data)) + data


def balloon_messages(runs: Iterable[Run]) -> list[bytes]:
    """Return inflate or deflate messages for the pages, each but the last filled.

    Their cmd, flag and id are zero (HDR-04).
    """
    return [message(response_data(part)) for part in parts(maximal_runs(runs), MESSAGE_CHUNKS)]


def pages_named(data: bytes) -> list[Run]:
    """Return the pages that a message names, as maximal runs; :class:`struct.error` for part of a chunk."""
    return maximal_runs((base >> 12, size >> 12) for base, size in struct.iter_unpack("<QQ", data[8:]))
