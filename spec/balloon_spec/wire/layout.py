"""Offsets, widths and bits, read off a construct schema instead of being written a second time.

A schema of this package is a sequence of words, each a little- or big-endian integer, some of them divided
into named bits. It may end in an array of equal elements. :func:`read_layout` turns it into plain values,
which the checks before parsing and building use, and which explain and draw a structure.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from construct import Array, FormatField, GreedyRange, Renamed, Struct, Terminated, Transformed
from construct.lib import swapbytes

from balloon_spec.wire.errors import WireError

__all__ = [
    "Bits",
    "Buffer",
    "ByteOrder",
    "Layout",
    "Record",
    "Word",
    "check_length",
    "check_range",
    "read_layout",
    "swapped",
]

Buffer: TypeAlias = bytes | bytearray | memoryview
ByteOrder: TypeAlias = Literal["little", "big"]


def swapped(word: int, word_bytes: int = 8) -> int:
    """Return a word of so many bytes with its bytes in the other order.

    A number that was counted or wished for may be too large for the word; swap what was read, and compare.
    """
    return int.from_bytes(word.to_bytes(word_bytes, "little"), "big")


@dataclass(frozen=True, slots=True)
class Bits:
    """Named bits of a word: ``width`` bits from bit ``low`` up; bit 0 is the least significant."""

    name: str
    low: int
    width: int

    @property
    def high(self) -> int:
        """The most significant bit."""
        return self.low + self.width - 1

    def of(self, word: int) -> int:
        """Take these bits out of a word."""
        return word >> self.low & (1 << self.width) - 1


@dataclass(frozen=True, slots=True)
class Word:
    """One integer at a fixed place; ``bits`` is empty where the word is one number."""

    name: str
    offset_bytes: int
    length_bytes: int
    byteorder: ByteOrder
    bits: tuple[Bits, ...] = ()

    @property
    def end_bytes(self) -> int:
        """One past the last byte."""
        return self.offset_bytes + self.length_bytes

    @property
    def fields(self) -> tuple[Bits, ...]:
        """The fields in the word, highest first: its named bits, or all of it under its own name."""
        return self.bits or (Bits(self.name, 0, 8 * self.length_bytes),)


@dataclass(frozen=True, slots=True)
class Record:
    """Words that stand together in a buffer: all those before the array, or one element of it.

    ``start_bytes`` is where the record stands in the buffer; the offsets of ``words`` count from there.
    """

    name: str
    start_bytes: int
    words: tuple[Word, ...]

    def path(self, field: str) -> str:
        """Return the full name of a field of the record."""
        return ".".join(filter(None, (self.name, field)))


@dataclass(frozen=True, slots=True)
class Layout:
    """The words of a structure in order; ``element`` holds those of one element of the array at its end.

    Offsets of ``words`` count from the start of the structure, those of ``element`` from the start of the
    element. ``array`` is the array's name, empty for a structure of fixed length.
    """

    words: tuple[Word, ...]
    array: str = ""
    element: tuple[Word, ...] = ()

    @property
    def fixed_bytes(self) -> int:
        """The length of the structure without the array."""
        return self.words[-1].end_bytes if self.words else 0

    @property
    def element_bytes(self) -> int:
        """The length of one element of the array; 0 without an array."""
        return self.element[-1].end_bytes if self.element else 0

    @property
    def fixed(self) -> Record:
        """The words before the array, as the record they are in every buffer."""
        return Record("", 0, self.words)

    def entry(self, index: int) -> Record:
        """One element of the array, where it is in every buffer."""
        return Record(f"{self.array}[{index}]", self.fixed_bytes + index * self.element_bytes, self.element)

    def word(self, name: str) -> Word:
        """Return the word called ``name`` outside the array; :class:`KeyError` if there is none."""
        for word in self.words:
            if word.name == name:
                return word
        raise KeyError(name)

    def records(self, length_bytes: int) -> Iterator[Record]:
        """Yield the records of a buffer this long, in order; the last one may reach beyond its end.

        The words before the array are always there; elements come as long as their first byte is there.
        """
        if self.words:
            yield self.fixed
        if self.element:
            count = -((self.fixed_bytes - length_bytes) // self.element_bytes)
            yield from (self.entry(index) for index in range(count))


def read_layout(schema: Any) -> Layout:
    """Read the layout off a construct ``Struct`` made of the parts this package uses.

    Raises :class:`TypeError` for a part that it does not know.
    """
    words: list[Word] = []
    offset_bytes = 0
    for part in schema.subcons:
        if part is Terminated:
            continue
        inner = part.subcon
        # An array with a constant count is words one after another; any other ends the structure.
        if isinstance(inner, GreedyRange) or (isinstance(inner, Array) and callable(inner.count)):
            return Layout(tuple(words), part.name, tuple(_words("", inner.subcon, 0)))
        words += _words(part.name, inner, offset_bytes)
        offset_bytes += inner.sizeof()
    return Layout(tuple(words))


def _words(name: str, part: Any, offset_bytes: int) -> Iterator[Word]:
    """Yield the words of one part of a schema."""
    if isinstance(part, Renamed):
        yield from _words(part.name, part.subcon, offset_bytes)
    elif isinstance(part, Struct):
        for inner in part.subcons:
            yield from _words(inner.name, inner, offset_bytes)
            offset_bytes += inner.sizeof()
    elif isinstance(part, Array):
        for index in range(part.count):
            yield from _words(f"{name}[{index}]", part.subcon, offset_bytes + index * part.subcon.sizeof())
    elif isinstance(part, FormatField):
        order: ByteOrder = "little" if part.fmtstr.startswith("<") else "big"
        yield Word(name, offset_bytes, part.sizeof(), order)
    elif isinstance(part, Transformed):
        order = "little" if part.decodefunc is swapbytes else "big"
        yield Word(name, offset_bytes, part.sizeof(), order, tuple(_bits(part)))
    else:
        raise TypeError(f"no layout for {name}: {type(part).__name__} is not a part of these schemas")


def _bits(part: Any) -> Iterator[Bits]:
    """Yield the named bits of a word, which a schema lays out from the most significant down."""
    top = 8 * part.sizeof()
    while isinstance(part, Transformed):
        part = part.subcon
    for field in part.subcons:
        top -= field.sizeof()
        yield Bits(field.name, top, field.sizeof())


def check_length(structure: str, layout: Layout, length_bytes: int) -> None:
    """Refuse a length the layout cannot have: a word cut short, or bytes after the end.

    construct would pass over both: a greedy array stops at a broken tail without a word. Raises
    :class:`.WireError` naming the first word that is not whole, or the trailing bytes.
    """
    whole = (length_bytes - layout.fixed_bytes) % layout.element_bytes == 0 if layout.element else True
    if length_bytes < layout.fixed_bytes or not whole:
        *_, record = layout.records(length_bytes)
        left_bytes = length_bytes - record.start_bytes
        cut = next(word for word in record.words if word.end_bytes > left_bytes)
        raise WireError(
            structure,
            record.path(cut.name),
            record.start_bytes + cut.offset_bytes,
            f"{cut.length_bytes} bytes",
            f"{left_bytes - cut.offset_bytes}",
        )
    if not layout.element and length_bytes > layout.fixed_bytes:
        raise WireError(
            structure,
            "trailing bytes",
            layout.fixed_bytes,
            f"{layout.fixed_bytes} bytes in all",
            f"{length_bytes}",
        )


def check_range(structure: str, record: Record, numbers: Mapping[str, Any]) -> None:
    """Refuse a number that is not an integer or does not fit its bits.

    ``numbers`` holds one for each field of ``record``, by its name in there. Raises
    :class:`.WireError` naming the field.
    """
    for word in record.words:
        for field in word.fields:
            number = numbers[field.name]
            try:
                fits = 0 <= operator.index(number) < 1 << field.width
            except TypeError:
                fits = False
            if not fits:
                raise WireError(
                    structure,
                    record.path(field.name),
                    record.start_bytes + word.offset_bytes,
                    f"an integer from 0 to {(1 << field.width) - 1:#x}",
                    f"{number:#x}" if isinstance(number, int) else repr(number),
                )
