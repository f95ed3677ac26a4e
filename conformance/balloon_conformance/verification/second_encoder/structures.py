"""Every structure of the protocol as bytes, from the numbers in it; nothing is looked up elsewhere.

All fields are little-endian and without padding: those of messages and of the configuration always (HDR-06,
CHUNK-11, CFG-01), arrays of page frame numbers and statistics because the guests of the vectors are
little-endian even where VERSION_1 is not accepted (PFN-08, STATS-06).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

__all__ = [
    "ARRAY_ENTRIES",
    "BITS",
    "MESSAGE_CHUNKS",
    "QUEUES",
    "Run",
    "balloon_messages",
    "chunk",
    "feature_bits",
    "header",
    "maximal_runs",
    "message",
    "page_frame_arrays",
    "page_frame_numbers",
    "request",
    "response_data",
    "statistics",
    "unused_page_messages",
    "word",
]

Run = tuple[int, int]
"""The first page frame number of a run of 4 KiB pages, and how many pages it has."""

MESSAGE_CHUNKS = 2048
"""The chunks of a filled message: 32768 bytes of response data."""

ARRAY_ENTRIES = 256
"""The page frame numbers of a filled array: 1 MiB of guest memory."""

QUEUES: Mapping[str, int] = MappingProxyType({"inflate": 0, "deflate": 1, "statistics": 2, "host-request": 3})
"""The index of every virtqueue (QUEUE-01)."""

_CONT, _DONE = 0, 1

BITS: Mapping[str, int] = MappingProxyType(
    {
        "MUST_TELL_HOST": 0,
        "STATS_VQ": 1,
        "DEFLATE_ON_OOM": 2,
        "CHUNK_TRANSFER": 3,
        "HOST_REQ_VQ": 4,
        "INDIRECT_DESC": 28,
        "EVENT_IDX": 29,
        "VERSION_1": 32,
        "IN_ORDER": 35,
    }
)

_Item = TypeVar("_Item")


def feature_bits(names: Iterable[str], bits: Mapping[str, int] = BITS) -> int:
    """Return the feature bits of ``names`` as one number; :class:`KeyError` for a name without a bit."""
    word = 0
    for name in names:
        word |= 1 << bits[name]
    return word


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


def maximal_runs(runs: Iterable[Run]) -> list[Run]:
    """Return the same pages in ascending order, each run as long as it can be."""
    merged: list[Run] = []
    for first, count in sorted(runs):
        if merged and first <= sum(merged[-1]):
            start, _ = merged[-1]
            merged[-1] = (start, max(sum(merged[-1]), first + count) - start)
        else:
            merged.append((first, count))
    return merged


def balloon_messages(runs: Iterable[Run]) -> list[bytes]:
    """Return inflate or deflate messages for the pages, each but the last filled.

    Their cmd, flag and id are zero (HDR-04).
    """
    return [message(response_data(part)) for part in _parts(maximal_runs(runs), MESSAGE_CHUNKS)]


def unused_page_messages(runs: Iterable[Run], param: int, cmd: int = 0) -> list[bytes]:
    """Return the messages that answer a request: filled CONTs, and DONE with the rest, which may be empty.

    Each carries the command and the low 16 bits of ``param`` (REQ-08 to REQ-12).
    """
    parts = _parts(maximal_runs(runs), MESSAGE_CHUNKS) or [()]
    flags = [_CONT] * (len(parts) - 1) + [_DONE]
    return [
        message(response_data(part), cmd=cmd, flag=flag, identifier=param % 65536)
        for part, flag in zip(parts, flags, strict=True)
    ]


def page_frame_arrays(runs: Iterable[Run]) -> list[bytes]:
    """Return ascending page frame numbers in arrays, each but the last filled (PFN-01 to PFN-03)."""
    numbers = [number for first, count in maximal_runs(runs) for number in range(first, first + count)]
    return [page_frame_numbers(part) for part in _parts(numbers, ARRAY_ENTRIES)]


def page_frame_numbers(numbers: Sequence[int]) -> bytes:
    """Return page frame numbers of 32 bits as they come."""
    return struct.pack(f"<{len(numbers)}I", *numbers)


def statistics(entries: Iterable[tuple[int, int]]) -> bytes:
    """Return a statistics buffer: 10 bytes an entry, of tag and value (STATS-04)."""
    return b"".join(struct.pack("<HQ", tag, value) for tag, value in entries)


def request(cmd: int, param: int, reserved: tuple[int, int, int] = (0, 0, 0)) -> bytes:
    """Return the 16 bytes of a host request (REQ-03, REQ-04)."""
    return struct.pack("<HHHHQ", cmd, *reserved, param)


def word(number: int) -> bytes:
    """Return 32 bits: num_pages, actual (CFG-01), or a length of the rings."""
    return struct.pack("<I", number)


def _parts(whole: Sequence[_Item], most: int) -> list[Sequence[_Item]]:
    return [whole[at : at + most] for at in range(0, len(whole), most)]
