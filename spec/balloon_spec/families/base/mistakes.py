"""The classic mistakes in page frame numbers and in the counts of the configuration space."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from balloon_spec.families.base import configuration, pfn_array
from balloon_spec.pages import PAGE_SHIFT
from balloon_spec.wire.hint import NOTHING_KNOWN, Context, Hint, Mistake

__all__ = [
    "BYTE_ADDRESSES",
    "WIDE_ENTRIES",
    "array_mistakes",
    "configuration_mistakes",
    "different_pages",
    "wide_pages",
]

WIDE_ENTRIES: Final = Mistake.declare("wide-entries")
"""A PFN array with entries of 8 bytes."""
BYTE_ADDRESSES: Final = Mistake.declare("byte-addresses")
"""A PFN array of guest-physical addresses."""

_LOW_BITS: Final = (1 << PAGE_SHIFT) - 1
_PFN_LIMIT: Final = 1 << 28
"""Page frame numbers from here on lie beyond 1 TiB, more than the guests that balloon today have."""
_FAR_APART: Final = 1 << 12
"""How many times wider an array must be spread as it stands than the other way round to be swapped."""
_A_ROW: Final = 4
"""How many pages one behind the other are no chance."""


def array_mistakes(raw: bytes, context: Context) -> Iterator[Hint]:
    """Yield what explains an array of page frame numbers that cannot be meant as it stands."""
    if pfns := wide_pages(raw):
        yield Hint(
            WIDE_ENTRIES,
            0,
            len(raw),
            struct.pack(f"<{len(pfns)}I", *pfns),
            f"every other entry of {len(raw) // pfn_array.ENTRY_BYTES} is 0",
            f"it looks like {len(pfns)} entries of 8 bytes, as the page frame numbers of a 64-bit guest are, "
            "and on the wire an entry has 4",
        )
    elif len(raw) % pfn_array.ENTRY_BYTES == 0:
        swapped = tuple(_swapped_words(raw, 4, context, "page frame number"))
        yield from swapped or _address_hints(raw, context)


def different_pages(raw: bytes, entry_bytes: int, context: Context) -> Sequence[int]:
    """Read entries that are page frame numbers of a guest, each named once and none 0; empty if not."""
    if len(raw) % entry_bytes:
        return ()
    pfns = [int.from_bytes(raw[at : at + entry_bytes], "little") for at in range(0, len(raw), entry_bytes)]
    limit = _PFN_LIMIT if context.memory_pages is None else context.memory_pages
    return pfns if all(0 < pfn < limit for pfn in pfns) and len(set(pfns)) == len(pfns) else ()


def wide_pages(raw: bytes) -> Sequence[int]:
    """Read entries of 8 bytes whose upper halves are all zero: at least two, so that 0 stands twice."""
    pfns = different_pages(raw, 8, NOTHING_KNOWN)
    return pfns if len(pfns) > 1 else ()


def _address_hints(raw: bytes, context: Context) -> Iterator[Hint]:
    pfns = _byte_addresses(raw, context)
    if pfns:
        yield Hint(
            BYTE_ADDRESSES,
            0,
            len(raw),
            struct.pack(f"<{len(pfns)}I", *pfns),
            f"every entry is a multiple of {1 << PAGE_SHIFT:#x}, the first {pfns[0] << PAGE_SHIFT:#x}",
            "they look like guest-physical addresses, and an entry is a page frame number, which is the "
            "address shifted right by 12",
        )


def _byte_addresses(raw: bytes, context: Context) -> Sequence[int]:
    """Return the pages where entries are rather addresses: multiples of a page's length, every one of them.

    They must be so many pages in a row, or one of them beyond the memory in which as addresses all lie.
    """
    if not raw:
        return ()
    entries = pfn_array.decode(raw).tolist()
    if any(entry & _LOW_BITS for entry in entries):
        return ()
    pages = [entry >> PAGE_SHIFT for entry in entries]
    distinct = sorted(set(pages))
    in_a_row = len(distinct) >= _A_ROW and distinct[-1] - distinct[0] == len(distinct) - 1
    limit = context.memory_pages
    beyond = limit is not None and max(entries) >= limit > max(pages)
    return pages if distinct[0] and (in_a_row or beyond) else ()


def _swapped_words(raw: bytes, word_bytes: int, context: Context, noun: str) -> Iterator[Hint]:
    """Recognise page numbers or counts that make sense only as big-endian."""
    pieces = [raw[at : at + word_bytes] for at in range(0, len(raw), word_bytes)]
    little = [int.from_bytes(piece, "little") for piece in pieces]
    big = [int.from_bytes(piece, "big") for piece in pieces]
    limit = _PFN_LIMIT if context.memory_pages is None else context.memory_pages
    if not raw or max(big) >= limit:
        return
    spread = max(little) - min(little)
    # A run of pages in the wrong order of bytes is spread over all there is.
    if min(little) < limit and (len(raw) == word_bytes or (max(big) - min(big) + 1) * _FAR_APART > spread):
        return
    yield Hint(
        Mistake.BYTE_ORDER,
        0,
        len(raw),
        struct.pack(f"<{len(big)}I", *big),
        f"the first {noun} is {little[0]:#x}"
        + (f", and they are spread over {spread:#x} pages" if spread else ""),
        f"read as big-endian the first is {big[0]:#x}, and words are little-endian except for a big-endian "
        "guest on the legacy interface",
    )


def configuration_mistakes(raw: bytes, context: Context) -> Iterator[Hint]:
    """Yield what explains a configuration space that cannot be meant as it stands."""
    if len(raw) == configuration.LENGTH_BYTES and any(raw):
        yield from _swapped_words(raw, 4, context, "count")
