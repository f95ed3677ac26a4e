"""The kinds of values in a message's fields, each with its schema and its reader.

A kind reads a JSON value into what the suite works with, and writes it back. Reading is strict. An error is a
:class:`BadValueError`, whose text follows the name of a field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from balloon_spec import segments
from balloon_spec.events import Overwritten, Segment
from balloon_spec.pages import PFN_LIMIT, PageSet
from balloon_spec.queues import Numbering

__all__ = [
    "ADDRESSES",
    "BITS_64",
    "BIT_NUMBERS",
    "BOOLEAN",
    "BYTES",
    "CHANGES",
    "LENGTHS",
    "MAYBE_BITS_64",
    "NAME",
    "NAMES",
    "NUMBERING",
    "PAGES",
    "PLACES",
    "RING_SIZES",
    "SEGMENTS",
    "STATISTICS",
    "TEXT",
    "UNSIGNED_16",
    "UNSIGNED_32",
    "WORDS",
    "BadValueError",
    "Kind",
    "choice",
    "names",
]

Schema = Mapping[str, Any]

_UNSIGNED_16 = (1 << 16) - 1
_UNSIGNED_32 = (1 << 32) - 1

_HEX_PAIRS = re.compile(r"(?:[0-9a-fA-F]{2})*")
_HEX_NUMBER = re.compile(r"0x[0-9a-f]{1,16}")


class BadValueError(ValueError):
    """A value is not of the kind its field needs: ``expected ..., found ...``."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value: its JSON Schema, how it is read, and how it is written."""

    schema: Schema
    read: Callable[[Any], Any]
    write: Callable[[Any], Any] = lambda value: value


def _fault(expected: str, found: object) -> BadValueError:
    shown = repr(found)
    return BadValueError(f"expected {expected}, found {shown if len(shown) <= 60 else shown[:60] + '...'}")


def _is_number(value: Any, most: int) -> bool:
    # true and 16.0 are no numbers here, although JSON Schema accepts 16.0 as an integer.
    return type(value) is int and 0 <= value <= most


def _unsigned(most: int) -> Kind:
    text = f"a whole number from 0 to {most}"

    def read(value: Any) -> int:
        if not _is_number(value, most):
            raise _fault(text, value)
        number: int = value
        return number

    return Kind({"type": "integer", "minimum": 0, "maximum": most}, read)


UNSIGNED_16 = _unsigned(_UNSIGNED_16)
"""A virtqueue index."""

UNSIGNED_32 = _unsigned(_UNSIGNED_32)
"""A length, an offset, or a count."""


def _read_bits(value: Any) -> int:
    if type(value) is not str or not _HEX_NUMBER.fullmatch(value):
        raise _fault('a 64-bit number as a string, as in "0x100000003"', value)
    return int(value, 16)


_BITS_SCHEMA: Schema = {"type": "string", "pattern": "^0x[0-9a-f]{1,16}$"}

BITS_64 = Kind(_BITS_SCHEMA, _read_bits, hex)
"""A number of 64 bits: JSON numbers are not exact beyond 2**53, so it is a string of hex digits."""

MAYBE_BITS_64 = Kind(
    {"oneOf": [_BITS_SCHEMA, {"type": "null"}]},
    lambda value: None if value is None else _read_bits(value),
    lambda value: None if value is None else hex(value),
)
"""A number of 64 bits, or null."""


def _read_boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _fault("true or false", value)
    return value


BOOLEAN = Kind({"type": "boolean"}, _read_boolean)


def _read_bytes(value: Any) -> bytes:
    # bytes.fromhex alone would accept spaces.
    if type(value) is not str or not _HEX_PAIRS.fullmatch(value):
        raise _fault("bytes as a string of hex pairs without spaces", value)
    return bytes.fromhex(value)


BYTES = Kind({"type": "string", "pattern": "^([0-9a-fA-F]{2})*$"}, _read_bytes, bytes.hex)
"""Bytes as pairs of hex digits, in the order they have in memory."""


def _text(least: int, most: int, text: str) -> Kind:
    def read(value: Any) -> str:
        if type(value) is not str or not least <= len(value) <= most:
            raise _fault(text, value)
        return value

    return Kind({"type": "string", "minLength": least, "maxLength": most}, read)


NAME = _text(1, 64, "a name of 1 to 64 characters")
"""The name of a buffer."""

TEXT = _text(0, 4096, "text of at most 4096 characters")


def _pairs(value: Any, text: str, valid: Callable[[Any, Any], bool]) -> list[Any]:
    if type(value) is list and all(
        type(pair) is list and len(pair) == 2 and valid(pair[0], pair[1]) for pair in value
    ):
        return value
    raise _fault(text, value)


def _pair_schema(first: Schema, second: Schema) -> Schema:
    return {
        "type": "array",
        "items": {"type": "array", "prefixItems": [first, second], "items": False, "minItems": 2},
    }


def _read_pages(value: Any) -> PageSet:
    text = "runs of pages as [first, count], as in [[4096, 16]]"
    pairs = _pairs(
        value,
        text,
        lambda first, count: _is_number(first, PFN_LIMIT - 1) and _is_number(count, PFN_LIMIT) and count > 0,
    )
    try:
        return PageSet(pairs)
    except ValueError as error:
        raise BadValueError(f"expected {text}: {error}") from None


PAGES = Kind(
    _pair_schema(
        {"type": "integer", "minimum": 0, "maximum": PFN_LIMIT - 1},
        {"type": "integer", "minimum": 1, "maximum": PFN_LIMIT},
    ),
    _read_pages,
    lambda pages: [[run.first, run.count] for run in pages],
)
"""A set of 4 KiB pages as runs [first page frame number, count], in any order."""


def _read_ring_sizes(value: Any) -> tuple[tuple[int, int], ...]:
    text = "ring sizes as [queue, descriptors], as in [[0, 256]]"
    pairs = _pairs(value, text, lambda queue, size: _is_number(queue, _UNSIGNED_16) and _is_size(size))
    return tuple((queue, size) for queue, size in pairs)


def _is_size(value: Any) -> bool:
    return _is_number(value, 1 << 15) and value > 0


RING_SIZES = Kind(
    _pair_schema(UNSIGNED_16.schema, {"type": "integer", "minimum": 1, "maximum": 1 << 15}),
    _read_ring_sizes,
    lambda sizes: [list(pair) for pair in sizes],
)
"""How many descriptors each queue has: [queue index, descriptors]."""


def _read_statistics(value: Any) -> tuple[tuple[int, int], ...]:
    text = 'statistics as [tag, value], as in [[4, "0x1000"]]'
    pairs = _pairs(
        value,
        text,
        lambda tag, number: (
            _is_number(tag, _UNSIGNED_16) and type(number) is str and bool(_HEX_NUMBER.fullmatch(number))
        ),
    )
    return tuple((tag, int(number, 16)) for tag, number in pairs)


STATISTICS = Kind(
    _pair_schema(UNSIGNED_16.schema, _BITS_SCHEMA),
    _read_statistics,
    lambda entries: [[tag, hex(value)] for tag, value in entries],
)
"""Statistics: [tag, value]."""


def _read_addresses(value: Any) -> tuple[tuple[int, int], ...]:
    text = 'descriptors as [address, length], as in [["0x1000", 24]]'
    pairs = _pairs(
        value,
        text,
        lambda address, length: (
            type(address) is str and bool(_HEX_NUMBER.fullmatch(address)) and _is_number(length, _UNSIGNED_32)
        ),
    )
    return tuple((int(address, 16), length) for address, length in pairs)


ADDRESSES = Kind(
    _pair_schema(_BITS_SCHEMA, UNSIGNED_32.schema),
    _read_addresses,
    lambda extents: [[hex(address), length] for address, length in extents],
)
"""The descriptors of a buffer: [guest-physical address, length in bytes]."""


def _read_segments(value: Any) -> tuple[Segment, ...]:
    try:
        return segments.read(value)
    except (ValueError, TypeError) as error:
        raise BadValueError(str(error)) from None


SEGMENTS = Kind(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "address": {"description": "the guest-physical address", **_BITS_SCHEMA},
                "length": {"description": "how many bytes", **UNSIGNED_32.schema},
                "writable": {
                    "description": "device-writable; device-readable when absent",
                    "type": "boolean",
                },
            },
            "required": ["length"],
            "additionalProperties": False,
        },
    },
    _read_segments,
    segments.objects,
)
"""The descriptors of a buffer: where each lies if that is known, how long it is, and for what."""


_CHANGE_FIELDS: Mapping[str, tuple[str, Kind]] = MappingProxyType(
    {
        "pages": ("the pages", PAGES),
        "fill": ("what each holds from its beginning to its end: these bytes, over and over", BYTES),
        "spans": ("the bytes that are not as they were, as [guest-physical address, length]", ADDRESSES),
    }
)


def _read_changes(value: Any) -> tuple[Overwritten, ...]:
    if type(value) is not list:
        raise _fault('a list of changes, as in [{"pages": [[4096, 1]], "fill": "00"}]', value)
    return tuple(map(_read_change, value))


def _read_change(value: Any) -> Overwritten:
    if type(value) is not dict or not {"pages"} <= value.keys() <= _CHANGE_FIELDS.keys():
        raise _fault("an object with pages, and fill or spans or neither", value)
    change = Overwritten(**{name: _CHANGE_FIELDS[name][1].read(one) for name, one in value.items()})
    if change.stray_span is not None:
        raise _fault("spans of one byte or more that lie in pages", value)
    return change


def _write_change(change: Overwritten) -> dict[str, Any]:
    said: dict[str, Any] = {"pages": PAGES.write(change.pages)}
    if change.fill:
        said["fill"] = BYTES.write(change.fill)
    if change.spans:
        said["spans"] = ADDRESSES.write(change.spans)
    return said


CHANGES = Kind(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                name: {"description": about, **kind.schema} for name, (about, kind) in _CHANGE_FIELDS.items()
            },
            "required": ["pages"],
            "additionalProperties": False,
        },
    },
    _read_changes,
    lambda changes: list(map(_write_change, changes)),
)
"""What became of the bytes of pages that were overwritten."""


def _list(item: Schema, text: str, valid: Callable[[Any], bool]) -> Kind:
    def read(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or not all(map(valid, value)):
            raise _fault(text, value)
        return tuple(value)

    return Kind({"type": "array", "items": item}, read, list)


LENGTHS = _list(
    UNSIGNED_32.schema, "a list of lengths in bytes", lambda value: _is_number(value, _UNSIGNED_32)
)
"""The lengths in bytes of the descriptors of a device-readable part."""

NAMES = _list(
    {"type": "string", "minLength": 1, "maxLength": 64},
    "a list of names",
    lambda value: type(value) is str and 1 <= len(value) <= 64,
)
"""Any names, known or not."""

WORDS = _list(
    {"oneOf": [{"type": "string", "minLength": 1, "maxLength": 64}, UNSIGNED_32.schema]},
    "a list of words and whole numbers",
    lambda value: _is_number(value, _UNSIGNED_32) or (type(value) is str and 1 <= len(value) <= 64),
)
"""A command to the guest, word by word."""


def choice(*options: str) -> Kind:
    """Return the kind of a value that is one of some words."""

    def read(value: Any) -> str:
        # A list cannot be looked up in a set.
        if type(value) is not str or value not in options:
            raise _fault(" or ".join(options), value)
        return value

    return Kind({"enum": list(options)}, read, str)


NUMBERING = replace(choice(*Numbering), read=lambda value: Numbering(choice(*Numbering).read(value)))
"""How virtqueues are numbered."""


def names(known: tuple[str, ...], what: str) -> Kind:
    """Return the kind of a list of different words out of ``known``; ``what`` names one of them."""

    def read(value: Any) -> frozenset[str]:
        if type(value) is not list or not all(type(word) is str for word in value):
            raise _fault(f"a list of names, each a {what}", value)
        if unknown := [word for word in value if word not in known]:
            raise BadValueError(f"there is no {what} {unknown[0]!r}; there are {', '.join(known)}")
        if len(set(value)) != len(value):
            raise _fault(f"each {what} once", value)
        return frozenset(value)

    schema = {"type": "array", "items": {"enum": list(known)}, "uniqueItems": True}
    return Kind(schema, read, lambda values: sorted(map(str, values)))


def _numbers_by_name(most: int, text: str) -> Kind:
    def read(value: Any) -> dict[str, int]:
        if type(value) is not dict or not all(_is_number(number, most) for number in value.values()):
            raise _fault(text, value)
        return dict(value)

    number = {"type": "integer", "minimum": 0, "maximum": most}
    return Kind({"type": "object", "additionalProperties": number}, read, dict)


BIT_NUMBERS = _numbers_by_name(63, 'bit numbers by feature name, as in {"STATS_VQ": 1}')
"""Feature names with their bit numbers."""

PLACES = _numbers_by_name(_UNSIGNED_16, 'places by the name of a virtqueue, as in {"inflate": 0}')
"""Names of virtqueues with their places."""
