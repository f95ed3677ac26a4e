"""The classic mistakes in the words of chunks.

What the two words of a chunk can mean is decided over all chunks of a message together: who shifts one
address wrongly shifts all of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from balloon_spec.families.chunk_transfer import chunk
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT
from balloon_spec.wire.hint import Context, Hint, Mistake
from balloon_spec.wire.layout import swapped

__all__ = [
    "ADDRESS_NOT_SHIFTED",
    "PAGES_NOT_SHIFTED",
    "SHIFTED_TWICE",
    "SIZE_IN_BYTES",
    "SIZE_ZERO",
    "WRAP",
    "big_endian_hint",
    "chunk_hints",
    "reads_as_big_endian",
]

PAGES_NOT_SHIFTED: Final = Mistake.declare("pages-not-shifted")
"""``size`` holds the number of pages where bits 63 to 12 should."""
SHIFTED_TWICE: Final = Mistake.declare("shifted-twice")
"""Bits 63 to 12 of ``base`` hold a guest-physical address where the page frame number should stand."""
SIZE_IN_BYTES: Final = Mistake.declare("size-in-bytes")
"""Bits 63 to 12 of ``size`` hold a number of bytes where pages are meant."""
ADDRESS_NOT_SHIFTED: Final = Mistake.declare("address-not-shifted")
"""``base`` holds the page frame number where bits 63 to 12 should."""
SIZE_ZERO: Final = Mistake.declare("size-zero")
"""A chunk without pages."""
WRAP: Final = Mistake.declare("wrap")
"""A chunk that ends beyond the 64-bit address space."""

Words: TypeAlias = list[tuple[int, int]]
"""Base and size of every chunk, as they stand in the buffer."""

_ADDRESS_LIMIT: Final = 1 << 52
"""No processor has more physical address bits: what lies above is no guest memory."""
_LOW_ADDRESS: Final = 1 << 24
"""Where the two readings of a dirty base part: below, an address is in the first 16 MiB and a page frame
number below 64 GiB; above, the address is the likelier of the two."""
_FAR_OUTSIDE: Final = 16
"""How many times beyond memory a base must lie to be shifted twice; most are a thousand times beyond."""
_WORD_LIMIT: Final = 1 << 64


def reads_as_big_endian(words: Words, context: Context) -> bool:
    """Tell whether every chunk is a sound run of pages with the bytes of its words the other way round.

    Each must also be nearer to address 0 that way: small numbers are what the order of bytes shows in.
    """
    return bool(words) and all(
        _is_sound(swapped(base), swapped(size), context) and swapped(base) + swapped(size) < base + size
        for base, size in words
    )


def big_endian_hint(words: Words, start: int, context: Context) -> Hint | None:
    """Return the hint that the words of the chunks from byte ``start`` on are big-endian.

    Only where one of them at least cannot be meant as it stands.
    """
    if not reads_as_big_endian(words, context) or all(_is_sound(*pair, context) for pair in words):
        return None
    base, size = words[0]
    return Hint(
        Mistake.BYTE_ORDER,
        start,
        chunk.LENGTH_BYTES * len(words),
        _pack([(swapped(base), swapped(size)) for base, size in words]),
        f"base {base:#x} and size {size:#x} name no memory a guest can have",
        f"read as big-endian they are base {swapped(base):#x} and size {swapped(size):#x}, "
        "and words are little-endian",
    )


def chunk_hints(words: Words, start: int, context: Context) -> Iterator[Hint]:
    """Yield what is wrong with chunks that stand from byte ``start`` on in the right byte order.

    Each hint takes the ones before it for mended.
    """
    now = list(words)
    bases = _all_or(now, _indices(now, lambda base, _: _is_page_number(base, context)), 0)
    if bases:
        base = now[bases[0]][0]
        now, hint = _mended(
            ADDRESS_NOT_SHIFTED,
            now,
            start,
            {index: (now[index][0] << PAGE_SHIFT, now[index][1]) for index in bases},
            seen=f"{_places('base', bases)} is {base:#x}, below 16 MiB and no address of a page",
            why=f"it looks like page frame number {base:#x} in place of its guest-physical address, which is "
            "the number shifted left by 12",
        )
        yield hint
    twice = _shifted_twice(now, context)
    if twice:
        base = now[twice[0]][0]
        now, hint = _mended(
            SHIFTED_TWICE,
            now,
            start,
            {index: (now[index][0] >> PAGE_SHIFT, now[index][1]) for index in twice},
            seen=f"{_places('base', twice)} is {base:#x}, outside guest memory",
            why=f"{base >> PAGE_SHIFT:#x} looks like the guest-physical address, shifted left by 12 as only "
            "a page frame number is",
        )
        yield hint
    sizes = _all_or(now, _indices(now, lambda _, size: 0 < size < PAGE_BYTES), 1)
    if sizes:
        size = now[sizes[0]][1]
        now, hint = _mended(
            PAGES_NOT_SHIFTED,
            now,
            start,
            {index: (now[index][0], now[index][1] << PAGE_SHIFT) for index in sizes},
            seen=f"{_places('size', sizes)} is {size:#x}, less than one page",
            why=f"it looks like {size} pages, a number that belongs into bits 63 to 12",
        )
        yield hint
    dirty = _indices(now, lambda base, size: bool((base | size) & chunk.RESERVED_MASK))
    if dirty:
        now, hint = _reserved(now, dirty, start)
        yield hint
    yield from _size_hints(now, start, context)


def _size_hints(words: Words, start: int, context: Context) -> Iterator[Hint]:
    """Yield what is wrong with sizes whose low bits are zero."""
    empty = _indices(words, lambda _, size: size == 0)
    if empty:
        words, hint = _mended(
            SIZE_ZERO,
            words,
            start,
            {index: (words[index][0], PAGE_BYTES) for index in empty},
            seen=f"{_places('size', empty)} is zero",
            why="a chunk has at least one page, so it looks like a run that was ended before it began; leave "
            "the chunk out or, for one page",
        )
        yield hint
    if _is_in_bytes(words, context):
        size = words[0][1]
        pages = size >> PAGE_SHIFT
        _, hint = _mended(
            SIZE_IN_BYTES,
            words,
            start,
            {index: (base, size >> PAGE_SHIFT) for index, (base, size) in enumerate(words)},
            seen=f"{_places('size', range(len(words)))} is {size:#x}, that is {pages} pages, "
            "more than there is room for",
            why=f"{pages} looks like the length in bytes, shifted left by 12 as only a number of pages is",
        )
        yield hint
        return
    wrapped = _indices(words, lambda base, size: base + size > _WORD_LIMIT)
    if wrapped:
        base, size = words[wrapped[0]]
        _, hint = _mended(
            WRAP,
            words,
            start,
            {index: (words[index][0], _WORD_LIMIT - words[index][0]) for index in wrapped},
            seen=f"{_places('base', wrapped)} {base:#x} and size {size:#x} add up to {base + size:#x}",
            why="the sum wraps the 64-bit address space, which looks like a length that fell below zero or "
            "an end in place of a size; with all pages up to the last",
        )
        yield hint


def _reserved(words: Words, dirty: Sequence[int], start: int) -> tuple[Words, Hint]:
    """Say which reserved bits are set, in the first chunk that has any."""
    base, size = words[dirty[0]]
    name, word = ("base", base) if base & chunk.RESERVED_MASK else ("size", size)
    bits = [str(bit) for bit in range(PAGE_SHIFT) if word >> bit & 1]
    return _mended(
        Mistake.RESERVED_BITS,
        words,
        start,
        {index: (_clean(words[index][0]), _clean(words[index][1])) for index in dirty},
        seen=f"{'bit' if len(bits) == 1 else 'bits'} {', '.join(bits)} set in {_places(name, dirty)}",
        why="bits 11 to 0 are reserved and a driver leaves them zero; it looks like flags of another "
        "protocol, or a number that was not rounded to pages",
    )


def _is_sound(base: int, size: int, context: Context) -> bool:
    """Tell whether two words are a run of pages that a guest can have."""
    limit = _ADDRESS_LIMIT if context.memory_pages is None else context.memory_pages << PAGE_SHIFT
    return not (base | size) & chunk.RESERVED_MASK and 0 < size <= limit - base


def _is_page_number(base: int, context: Context) -> bool:
    """Tell whether a base is rather a page frame number: bits that no address has, and small."""
    limit = _LOW_ADDRESS if context.memory_pages is None else min(_LOW_ADDRESS, context.memory_pages)
    return bool(base & chunk.RESERVED_MASK) and PAGE_BYTES < base < limit


def _shifted_twice(words: Words, context: Context) -> list[int]:
    """Return every chunk where some base lies outside the memory in which all lie shifted back.

    Far outside, for a page just behind the last one is another mistake. Without the size of memory nothing
    can be said: an address of any length is one.
    """
    if context.memory_pages is None or not words:
        return []
    limit = context.memory_pages << PAGE_SHIFT
    back = [base >> PAGE_SHIFT for base, _ in words]
    if any(base & chunk.RESERVED_MASK or not 0 < base < limit for base in back):
        return []
    return list(range(len(words))) if max(back) << PAGE_SHIFT >= limit * _FAR_OUTSIDE else []


def _is_in_bytes(words: Words, context: Context) -> bool:
    """Tell whether the pages of every chunk are rather bytes: too many as pages, sound as bytes."""
    as_bytes = [(base, size >> PAGE_SHIFT) for base, size in words]
    if not all(_is_sound(*pair, context) for pair in as_bytes) or not _are_disjoint(as_bytes):
        return False
    return not all(_is_sound(*pair, context) for pair in words) or not _are_disjoint(words)


def _are_disjoint(words: Words) -> bool:
    ordered = sorted(words)
    return all(base + size <= following for (base, size), (following, _) in pairwise(ordered))


def _clean(word: int) -> int:
    return word & ~chunk.RESERVED_MASK


def _indices(words: Words, test: Callable[[int, int], bool]) -> list[int]:
    return [index for index, (base, size) in enumerate(words) if test(base, size)]


def _all_or(words: Words, indices: list[int], column: int) -> list[int]:
    """Return every chunk where some have a number that is not shifted and all have a small one.

    Who forgets to shift does so in every chunk, and a number may be without low bits by chance.
    """
    everywhere = indices and all(0 < pair[column] < _LOW_ADDRESS for pair in words)
    return list(range(len(words))) if everywhere else indices


def _places(word: str, indices: Sequence[int]) -> str:
    others = f" (and in {len(indices) - 1} more)" if len(indices) > 1 else ""
    return f"chunks[{indices[0]}].{word}{others}"


def _mended(
    mistake: Mistake,
    words: Words,
    start: int,
    right: dict[int, tuple[int, int]],
    *,
    seen: str,
    why: str,
) -> tuple[Words, Hint]:
    """Return the words with those in ``right`` put in, and the hint that does it to the bytes."""
    mended = [right.get(index, pair) for index, pair in enumerate(words)]
    first, last = min(right), max(right)
    span = mended[first : last + 1]
    at = start + chunk.LENGTH_BYTES * first
    return mended, Hint(mistake, at, chunk.LENGTH_BYTES * len(span), _pack(span), seen, why)


def _pack(words: Words) -> bytes:
    return struct.pack(f"<{2 * len(words)}Q", *(word for pair in words for word in pair))
