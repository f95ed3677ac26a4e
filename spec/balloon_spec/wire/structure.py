"""What a structure is to those who parse, build, explain and mend it; a family declares those it brings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from balloon_spec.wire.hint import Context, Hint
from balloon_spec.wire.layout import ByteOrder, Layout, read_layout

__all__ = ["Field", "Numbers", "Structure", "Words", "counted", "length"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a buffer, or the bytes that belong to none.

    ``offset`` is in bytes from the start of the buffer. The named bits of a word follow the word, at its
    offset and without bytes of their own, so that the ``raw`` of all fields, joined, are the buffer.
    ``value`` is None where the bytes are not all there. ``problem`` says what is wrong, and is None where
    nothing is.
    """

    offset: int
    raw: bytes
    name: str
    value: int | None
    meaning: str
    problem: str | None = None


Numbers: TypeAlias = Mapping[str, int]
"""The fields of one record that are whole, and its undivided words, by their names in the record."""

Words: TypeAlias = tuple[str, str | None]
"""What a number means, and what is wrong with it."""

Explainer: TypeAlias = Callable[[str, Numbers, Context], Words]
Checker: TypeAlias = Callable[[Iterable[Field], bytes, Context], Iterable[Field]]
Finder: TypeAlias = Callable[[bytes, Context], Iterator[Hint]]


def _as_they_are(fields: Iterable[Field], _raw: bytes, _context: Context) -> Iterable[Field]:
    return fields


def _no_mistakes(_raw: bytes, _context: Context) -> Iterator[Hint]:
    return iter(())


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """One structure: its schema, the two functions between bytes and value, and its explanation.

    ``schema`` is a construct schema closed against trailing bytes; ``big_endian`` the one of a big-endian
    guest on the legacy interface, None if there is none. ``explain`` says what a field before the array
    means, ``explain_element`` what one of its elements does, None if the same. ``check`` holds the fields
    against one another and against what is known beside the bytes. ``mistakes`` finds the classic ones.
    ``grows``: the words that other families declare for the configuration space may follow. ``is_part``: it
    never stands alone.
    """

    name: str
    title: str
    schema: Any
    parse: Callable[..., Any]
    build: Callable[..., bytes]
    explain: Explainer
    explain_element: Explainer | None = None
    check: Checker = _as_they_are
    mistakes: Finder = _no_mistakes
    big_endian: Any = None
    grows: bool = False
    is_part: bool = False

    def layout(self, byteorder: ByteOrder = "little") -> Layout:
        """Return offsets, widths and bits; structures without ``big_endian`` have only one order."""
        return _layout(self, byteorder)


@lru_cache(maxsize=64)
def _layout(structure: Structure, byteorder: ByteOrder) -> Layout:
    swaps = byteorder == "big" and structure.big_endian is not None
    return read_layout(structure.big_endian if swaps else structure.schema)


_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def counted(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def length(length_bytes: int) -> str:
    """Write a length in the largest unit in which it is a whole number."""
    number, unit = length_bytes, 0
    while number and number % 1024 == 0 and unit < len(_UNITS):
        number, unit = number // 1024, unit + 1
    return f"{number} {_UNITS[unit - 1]}" if unit else counted(number, "byte")
