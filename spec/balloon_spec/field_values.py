"""How the values of an event's fields stand in JSON, and how they are read: by their name and their type.

Reading is strict: a value of another type, or a number that its field cannot hold, is a :class:`ValueError`
or a :class:`TypeError` that says what was expected and what was found.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from functools import cache, partial
from types import MappingProxyType
from typing import Any, TypeAlias, get_type_hints

from balloon_spec import segments
from balloon_spec.events import Segment
from balloon_spec.pages import PageSet
from balloon_spec.words import Word

__all__ = ["Reader", "fields_of", "plain", "read_seconds", "reader", "shown"]

_FEATURE_FIELDS = frozenset({"offered", "accepted"})
_FEATURES = re.compile(r"(0x)?[0-9a-f]{1,32}", re.IGNORECASE)
"""A feature set: VIRTIO has feature bits 0 to 127 (VIRTIO 1.2, section 2.2)."""
_BITS: Mapping[str, int] = MappingProxyType(
    {
        "queue": 16,
        "offset": 32,
        "generation": 32,
        "writable_bytes": 32,
        "length_bytes": 32,
        "status": 32,
        "value": 64,
        "cut": 32,
    }
)
"""How many bits a number of that name has at most: rings, registers and wishes hold no more."""
_PAIR_BITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"ring_sizes": (16, 16), "extents": (64, 32), "entries": (16, 64), "spans": (64, 32)}
)
"""The same for pairs of numbers."""
_SHOWN = 40
_HEX = 'bytes as pairs of hex digits, as in "00 1f"'


def plain(name: str, value: object) -> object:
    """Return the value of a field as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, PageSet):
        return value.texts()
    if name in _FEATURE_FIELDS and isinstance(value, int):
        return hex(value)
    if isinstance(value, tuple):
        return [list(part) if isinstance(part, tuple) else part for part in value]
    return value.value if isinstance(value, StrEnum | Word) else value


def read_seconds(value: object) -> float:
    """Return a time in seconds; ValueError says what else was found."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if math.isfinite(value):
                return float(value)
    raise ValueError(f"expected a time in seconds, found {shown(value)}")


def shown(value: object) -> str:
    """Return a value as an error shows it: short, and in characters that any terminal can print."""
    text = (
        ascii(value) if not isinstance(value, int) else hex(value) if value.bit_length() > 64 else str(value)
    )
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


Reader: TypeAlias = Callable[[Any], object]
"""Turns one JSON value into what its field holds; ValueError or TypeError say what is wrong with it."""


@cache
def fields_of(kind: Any) -> Mapping[str, tuple[Reader, bool]]:
    """Return, by the name of each field of an event, how it is read and whether it must be there."""
    hints = get_type_hints(kind)
    return MappingProxyType(
        {
            one.name: (
                reader(one.name, hints[one.name]),
                one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING,
            )
            for one in dataclasses.fields(kind)
        }
    )


def reader(name: str, hint: object) -> Reader:
    """Return how the values of a field are read, by the type of the field."""
    if name in _FEATURE_FIELDS:
        return _read_features
    if isinstance(hint, type) and issubclass(hint, StrEnum | Word):
        return partial(_read_choice, hint)
    if hint in {int, int | None}:
        return partial(_read_whole, _BITS[name])
    if hint == tuple[int, ...]:
        return partial(_read_numbers, _BITS[name])
    plain = _READERS.get(hint)
    return plain if plain is not None else partial(_read_pairs, _PAIR_BITS[name])


def _read_bytes(value: Any) -> bytes:
    text: str = _of(str, value, _HEX)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"expected {_HEX}, found {shown(value)}") from None


def _read_pages(value: Any) -> PageSet:
    return PageSet.parse(*(_of(str, run, "runs as strings") for run in _of(list, value, "a list of runs")))


def _read_choice(choices: type[StrEnum | Word], value: Any) -> StrEnum | Word:
    try:
        return choices(value)
    except ValueError:
        raise ValueError(f"expected {' or '.join(choices)}, found {shown(value)}") from None


def _read_features(value: Any) -> int:
    if not _FEATURES.fullmatch(_of(str, value, "a feature set as a hex string")):
        raise ValueError(
            f'expected a feature set of 128 bits as a hex string, as in "0x1f", found {shown(value)}'
        )
    return int(value, 16)


def _read_seconds(value: Any) -> float:
    seconds = read_seconds(_of((int, float), value, "a number"))
    if seconds < 0:
        raise ValueError(f"expected a number of seconds from 0, found {shown(value)}")
    return seconds


def _read_whole(bits: int, value: Any) -> int:
    return _whole(_of(int, value, "a whole number"), bits)


def _read_numbers(bits: int, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(part) is int for part in value):
        raise ValueError("expected a list of numbers")
    return tuple(_whole(part, bits) for part in value)


def _read_pairs(bits: tuple[int, int], value: Any) -> tuple[tuple[int, int], ...]:
    pairs = _of(list, value, "a list of pairs of numbers")
    if not all(
        isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair) for pair in pairs
    ):
        raise ValueError("expected a list of pairs of numbers")
    left, right = bits
    return tuple((_whole(first, left), _whole(second, right)) for first, second in pairs)


def _whole(value: int, bits: int) -> int:
    if isinstance(value, bool) or value < 0:
        raise ValueError(f"expected a whole number from 0, found {shown(value)}")
    if value >> bits:
        raise ValueError(f"expected a whole number of {bits} bits, found {shown(value)}")
    return value


def _of(kind: type | tuple[type, ...], value: Any, words: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected {words}, found {shown(value)}")
    return value


_READERS: Mapping[object, Reader] = MappingProxyType(
    {
        bytes: _read_bytes,
        tuple[Segment, ...]: segments.read,
        PageSet: _read_pages,
        float: _read_seconds,
        bool: partial(_of, bool, words="true or false"),
        bool | None: partial(_of, bool, words="true or false"),
        str: partial(_of, str, words="a string"),
    }
)
"""How the values of a field are read whose type alone says it."""
