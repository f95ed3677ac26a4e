"""The bytes of a buffer as lines of a vector: hex pairs of one record, and beside them what they say.

What repeats is written once, in brackets with a count. The comments are read off the bytes, so that they are
true whatever an intent meant. Each family declares how its structures are written; any other is written field
by field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from balloon_conformance import family
from balloon_spec.families.family import ConfigurationWord
from balloon_spec.queues import Queue
from balloon_spec.wire.annotate import annotate
from balloon_spec.wire.carried import readable_structure, written_structure
from balloon_spec.wire.structure import counted

__all__ = [
    "Comment",
    "Line",
    "RecordKind",
    "WrittenComment",
    "apart",
    "comment_on_space",
    "comment_on_written",
    "inline",
    "readable_lines",
    "records",
]

Line: TypeAlias = tuple[str, str]
"""Hex pairs, and the comment beside them."""
Comment: TypeAlias = Callable[[bytes, Queue], Iterator[Line]]
"""How the device-readable part of a buffer on a queue is written."""
WrittenComment: TypeAlias = Callable[[bytes], str]
"""What a device wrote into a buffer, in words."""

_LONG = 32
"""From so many records on, several share a line."""
_PLAIN = 32
"""Of bytes that say nothing, so many share a line."""
_REPEATED = 3
_LONGEST_PERIOD = 4


def readable_lines(queue: Queue, data: bytes, features: Collection[str]) -> list[str]:
    """Return the lines of a device-readable part; ``features`` are the names of those accepted."""
    structure = readable_structure(queue, features)
    if structure is None:
        rows = (data[at : at + _PLAIN] for at in range(0, len(data), _PLAIN))
        return [f"{row.hex(' ')}  # says nothing here" for row in rows]
    declared = (one.comments[structure] for one in family.additions() if structure in one.comments)
    pairs = list(next(declared, _field_by_field(structure))(data, queue))
    width = max(len(hexadecimal) for hexadecimal, _ in pairs)
    return [f"{hexadecimal:{width}}  # {comment}" for hexadecimal, comment in pairs]


def _field_by_field(structure: str) -> Comment:
    def lines(data: bytes, _queue: Queue) -> Iterator[Line]:
        return ((field.raw.hex(" "), field.name) for field in annotate(structure, data) if field.raw)

    return lines


def inline(data: bytes) -> str:
    """Write bytes in one line, set apart at every multiple of 8."""
    return apart(data, 8)


def comment_on_written(queue: Queue, data: bytes) -> str:
    """Say what a device wrote into a buffer of the queue."""
    structure = written_structure(queue)
    if structure is None:
        return counted(len(data), "byte")
    declared = (
        one.written_comments[structure] for one in family.additions() if structure in one.written_comments
    )
    say = next(declared, None)
    if say is not None:
        return say(data)
    return ", ".join(f"{field.name} {field.value}" for field in annotate(structure, data) if field.raw)


def comment_on_space(offset_bytes: int, data: bytes, words: Collection[ConfigurationWord]) -> str:
    """Say which bytes of the configuration space these are; ``words`` are those of the profile."""
    end = offset_bytes + len(data)
    there = [one for one in words if one.is_touched(offset_bytes, len(data))]
    if there and sum(one.length_bytes for one in there) == len(data):
        raw = ((one, one.offset_bytes - offset_bytes) for one in there)
        values = ((one, int.from_bytes(data[at : at + one.length_bytes], "little")) for one, at in raw)
        return ", ".join(f"{one.name} {value}" for one, value in values)
    return f"byte {offset_bytes}" if len(data) == 1 else f"bytes {offset_bytes} to {end - 1}"


# -- records ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordKind:
    """One kind of record: its length, where its bytes are set apart, its name, and what one says.

    Of many records, ``per_line`` share a line, and ``say_many`` says briefly what several say.
    """

    length_bytes: int
    apart: int
    name: str
    say: Callable[[bytes], str]
    per_line: int = 1
    say_many: Callable[[Sequence[bytes]], str] = lambda several: counted(len(several), "record")


def records(data: bytes, kind: RecordKind, end: int | None = None) -> Iterator[Line]:
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
        words = f"{counted(len(rest), 'byte')} of the {kind.length_bytes} of {kind.name}"
        yield apart(rest, kind.apart), words + beyond


def _series(records: Sequence[bytes], kind: RecordKind, beyond: str) -> Iterator[Line]:
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


def _group(records: Sequence[bytes], times: int, kind: RecordKind, beyond: str) -> Iterator[Line]:
    for number, record in enumerate(records):
        first, last = number == 0, number == len(records) - 1
        hexadecimal = ("(" if first else " ") + apart(record, kind.apart) + (f")*{times}" if last else "")
        again = f", {times} times" if last and len(records) == 1 else ""
        again = f"; these {len(records)} {times} times" if last and len(records) > 1 else again
        yield hexadecimal, kind.say(record) + again + beyond


def _plain(records: Sequence[bytes], kind: RecordKind, beyond: str) -> Iterator[Line]:
    per_line = kind.per_line if len(records) >= _LONG else 1
    for at in range(0, len(records), per_line):
        part = records[at : at + per_line]
        words = kind.say(part[0]) if len(part) == 1 else kind.say_many(part)
        yield "  ".join(apart(record, kind.apart) for record in part), words + beyond


def apart(data: bytes, first_bytes: int) -> str:
    """Write hex pairs; the first ``first_bytes`` stand apart from the others, 8 at a time after that."""
    parts = [data[:first_bytes], *(data[at : at + 8] for at in range(first_bytes, len(data), 8))]
    return "  ".join(part.hex(" ") for part in parts if part)
