"""The bytes of a buffer as lines of a vector: hex pairs of one record, and beside them what they say.

What repeats is written once, in brackets with a count. The comments are read off the bytes, so that they are
true whatever an intent meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from balloon_spec.families.base import pfn_array
from balloon_spec.families.chunk_transfer import chunk, response_header, response_message
from balloon_spec.families.chunk_transfer.response_header import FLAG_CONT, FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.families.statistics import statistics
from balloon_spec.pages import PAGE_SHIFT
from balloon_spec.queues import Queue
from balloon_spec.wire.annotate import annotate
from balloon_spec.wire.carried import readable_structure

__all__ = ["comment_on_request", "comment_on_space", "inline", "readable_lines"]

Line: TypeAlias = tuple[str, str]
"""Hex pairs, and the comment beside them."""

_LONG = 32
"""From so many records on, several share a line."""
_PER_LINE = {chunk.LENGTH_BYTES: 4, pfn_array.ENTRY_BYTES: 8}
_REPEATED = 3
_LONGEST_PERIOD = 4
_FLAG_NAMES = {FLAG_CONT: "CONT", FLAG_DONE: "DONE"}


def readable_lines(queue: Queue, data: bytes, *, chunks: bool) -> list[str]:
    """Return the lines of a device-readable part; ``chunks`` as negotiated, for the balloon queues."""
    structure = readable_structure(queue, {"CHUNK_TRANSFER"} if chunks else ())
    if structure == response_message.NAME:
        lines = _message(data, named_flags=queue is HOST_REQUEST)
    elif structure in _ARRAYS:
        lines = _records(data, _ARRAYS[structure])
    else:
        lines = ((field.raw.hex(" "), field.name) for field in annotate(structure, data) if field.raw)
    pairs = list(lines)
    width = max(len(hexadecimal) for hexadecimal, _ in pairs)
    return [f"{hexadecimal:{width}}  # {comment}" for hexadecimal, comment in pairs]


def inline(data: bytes) -> str:
    """Write bytes in one line, set apart at every multiple of 8."""
    return _hex(data, 8)


def comment_on_request(data: bytes) -> str:
    """Say what a device wrote into a request buffer."""
    if len(data) != host_request.LENGTH_BYTES:
        return f"{_counted(len(data), 'byte')} of {host_request.LENGTH_BYTES}"
    request = host_request.parse(data)
    words = f"cmd {request.cmd}, param {request.param:#x}"
    if any(request.reserved):
        words += f", reserved words {', '.join(f'{word:#x}' for word in request.reserved)}"
    return words


def comment_on_space(offset_bytes: int, data: bytes) -> str:
    """Say which bytes of the configuration space these are."""
    value = int.from_bytes(data, "little")
    whole = {(0, 4): "num_pages", (4, 4): "actual"}
    if (offset_bytes, len(data)) in whole:
        return f"{whole[offset_bytes, len(data)]} {value}"
    if (offset_bytes, len(data)) == (0, 8):
        return f"num_pages {value & 0xFFFFFFFF}, actual {value >> 32}"
    last = offset_bytes + len(data) - 1
    return f"byte {offset_bytes}" if len(data) == 1 else f"bytes {offset_bytes} to {last}"


# -- records ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of record: its length, where its bytes are set apart, its name, and what one says."""

    length_bytes: int
    apart: int
    name: str

    def say(self, record: bytes) -> str:
        """Say what one record says."""
        match self.name:
            case "a chunk":
                return _say_chunk(record)
            case "a statistic":
                return _say_statistic(record)
            case _:
                return f"page {int.from_bytes(record, 'little'):#x}"

    def say_many(self, records: Sequence[bytes]) -> str:
        """Say briefly what several records say."""
        if self.name == "a chunk":
            named = [chunk.parse(record) for record in records]
            return "pages " + ", ".join(
                f"{one.pfn:#x}" if one.pages == 1 else f"{one.pfn:#x}+{one.pages}" for one in named
            )
        return "pages " + ", ".join(f"{int.from_bytes(record, 'little'):#x}" for record in records)


_CHUNK = _Kind(chunk.LENGTH_BYTES, 8, "a chunk")
_ENTRY = _Kind(pfn_array.ENTRY_BYTES, 4, "an entry")
_STATISTIC = _Kind(statistics.ENTRY_BYTES, 2, "a statistic")
_ARRAYS = {pfn_array.NAME: _ENTRY, statistics.NAME: _STATISTIC}
"""What an array is made of."""


def _message(data: bytes, *, named_flags: bool) -> Iterator[Line]:
    length = response_header.LENGTH_BYTES
    if len(data) < length:
        yield _hex(data, 4), f"{_counted(len(data), 'byte')} of the {length} of a header"
        return
    header = response_header.parse(data[:length])
    flag = f"flag {header.flag}"
    if named_flags:
        flag += f" ({_FLAG_NAMES.get(header.flag, 'unknown')})"
    yield _hex(data[:length], 4), f"cmd {header.cmd}, {flag}, id {header.id:#x}, data_len {header.data_len}"
    yield from _records(data[length:], _CHUNK, header.data_len)


def _records(data: bytes, kind: _Kind, end: int | None = None) -> Iterator[Line]:
    """Write whole records, then what is left of one; what lies beyond ``end`` bytes is said to."""
    whole = len(data) - len(data) % kind.length_bytes
    records = [data[at : at + kind.length_bytes] for at in range(0, whole, kind.length_bytes)]
    limit = len(data) if end is None else end
    inside = min(limit // kind.length_bytes, len(records))
    yield from _series(records[:inside], kind, "")
    yield from _series(records[inside:], kind, " (beyond data_len)")
    rest = data[whole:]
    if rest:
        beyond = " (beyond data_len)" if len(data) > limit else ""
        words = f"{_counted(len(rest), 'byte')} of the {kind.length_bytes} of {kind.name}"
        yield _hex(rest, kind.apart), words + beyond


def _series(records: Sequence[bytes], kind: _Kind, beyond: str) -> Iterator[Line]:
    at = 0
    plain: list[bytes] = []
    while at < len(records):
        period, times = _repetition(records, at)
        if times < _REPEATED:
            plain.append(records[at])
            at += 1
            continue
        yield from _plain(plain, kind, beyond)
        plain.clear()
        yield from _group(records[at : at + period], times, kind, beyond)
        at += period * times
    yield from _plain(plain, kind, beyond)


def _repetition(records: Sequence[bytes], at: int) -> tuple[int, int]:
    """Return the shortest period that repeats at a place, and how often."""
    for period in range(1, _LONGEST_PERIOD + 1):
        times = 1
        while records[at : at + period] == records[
            at + period * times : at + period * (times + 1)
        ] and at + period * (times + 1) <= len(records):
            times += 1
        if times >= _REPEATED:
            return period, times
    return 1, 1


def _group(records: Sequence[bytes], times: int, kind: _Kind, beyond: str) -> Iterator[Line]:
    for number, record in enumerate(records):
        first, last = number == 0, number == len(records) - 1
        hexadecimal = ("(" if first else " ") + _hex(record, kind.apart) + (f")*{times}" if last else "")
        again = f", {times} times" if last and len(records) == 1 else ""
        again = f"; these {len(records)} {times} times" if last and len(records) > 1 else again
        yield hexadecimal, kind.say(record) + again + beyond


def _plain(records: Sequence[bytes], kind: _Kind, beyond: str) -> Iterator[Line]:
    per_line = _PER_LINE.get(kind.length_bytes, 1) if len(records) >= _LONG else 1
    for at in range(0, len(records), per_line):
        part = records[at : at + per_line]
        words = kind.say(part[0]) if len(part) == 1 else kind.say_many(part)
        yield "  ".join(_hex(record, kind.apart) for record in part), words + beyond


def _say_chunk(record: bytes) -> str:
    named = chunk.parse(record)
    words = f"base: page {named.pfn:#x}; size: {_counted(named.pages, 'page')}"
    if named.base_reserved or named.size_reserved:
        words += f"; reserved bits {named.base_reserved:#x} and {named.size_reserved:#x}"
    if named.end_pfn > 1 << (64 - PAGE_SHIFT):
        words += "; ends beyond 2^64"
    return words


def _say_statistic(record: bytes) -> str:
    ((tag, value),) = ((entry.tag, entry.value) for entry in statistics.parse(record).entries)
    known = f" ({statistics.Tag(tag).name})" if tag in frozenset(statistics.Tag) else ""
    return f"tag {tag}{known}, value {value}"


def _hex(data: bytes, apart: int) -> str:
    """Write hex pairs; the first ``apart`` bytes stand apart from the others, 8 at a time after that."""
    parts = [data[:apart], *(data[at : at + 8] for at in range(apart, len(data), 8))]
    return "  ".join(part.hex(" ") for part in parts if part)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
