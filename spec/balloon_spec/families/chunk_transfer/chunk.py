"""The chunk: a run of 4 KiB pages as two 64-bit words (CHUNK-01).

Bits 63 to 12 of ``base`` are the first page frame number, bits 63 to 12 of ``size`` the number of pages.
Bits 11 to 0 of both are reserved. Because both are shifted left by 12, the words read directly as a
guest-physical byte address and a length in bytes. They are little-endian whatever the guest is.

Thousands of chunks go through numpy (:func:`decode`, :func:`encode`), at hundreds of times the speed of the
schema.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from construct import BitsInteger, BitStruct, ByteSwapped, Struct, Terminated
from numpy.typing import NDArray

from balloon_spec.pages import PAGE_SHIFT
from balloon_spec.wire.errors import WireError
from balloon_spec.wire.layout import Buffer, Record, check_length, check_range, read_layout

__all__ = [
    "LAYOUT",
    "LENGTH_BYTES",
    "RESERVED_MASK",
    "SCHEMA",
    "Chunk",
    "build",
    "check",
    "decode",
    "encode",
    "from_array",
    "parse",
    "to_array",
]

NAME: Final = "chunk"

LAYOUT: Final[Any] = Struct(
    "base" / ByteSwapped(BitStruct("pfn" / BitsInteger(52), "base_reserved" / BitsInteger(12))),
    "size" / ByteSwapped(BitStruct("pages" / BitsInteger(52), "size_reserved" / BitsInteger(12))),
)
"""One chunk, open at its end, for the structures that contain chunks."""

SCHEMA: Final[Any] = Struct(*LAYOUT.subcons, Terminated)
LENGTH_BYTES: Final[int] = LAYOUT.sizeof()
RESERVED_MASK: Final = (1 << PAGE_SHIFT) - 1
"""The reserved bits of ``base`` and of ``size``."""

_LAYOUT = read_layout(LAYOUT)
_ROW = np.dtype("<u8")


@dataclass(frozen=True, slots=True)
class Chunk:
    """``pages`` 4 KiB pages from page frame number ``pfn`` (both 52 bits), and the reserved bits.

    A driver leaves both reserved fields zero (CHUNK-03).
    """

    pfn: int
    pages: int
    base_reserved: int = 0
    size_reserved: int = 0

    @classmethod
    def from_words(cls, base: int, size: int) -> Chunk:
        """Split the two words as they stand on the wire."""
        return cls(base >> PAGE_SHIFT, size >> PAGE_SHIFT, base & RESERVED_MASK, size & RESERVED_MASK)

    @property
    def base(self) -> int:
        """The first word: the guest-physical address of the first byte, and its reserved bits."""
        return self.pfn << PAGE_SHIFT | self.base_reserved

    @property
    def size(self) -> int:
        """The second word: the length in bytes, and its reserved bits."""
        return self.pages << PAGE_SHIFT | self.size_reserved

    @property
    def end_pfn(self) -> int:
        """One past the last page frame number; more than 2**52 for a chunk that leaves the address space."""
        return self.pfn + self.pages


def parse(data: Buffer) -> Chunk:
    """Parse 16 bytes; :class:`.WireError` for any other length."""
    raw = bytes(data)
    check_length(NAME, _LAYOUT, len(raw))
    words = SCHEMA.parse(raw)
    return Chunk(words.base.pfn, words.size.pages, words.base.base_reserved, words.size.size_reserved)


def build(value: Chunk) -> bytes:
    """Build 16 bytes; :class:`.WireError` for a field that does not fit its bits."""
    check(value)
    built: bytes = SCHEMA.build(
        {
            "base": {"pfn": value.pfn, "base_reserved": value.base_reserved},
            "size": {"pages": value.pages, "size_reserved": value.size_reserved},
        }
    )
    return built


def check(value: Chunk, structure: str = NAME, record: Record = _LAYOUT.fixed) -> None:
    """Refuse a field that does not fit its bits with :class:`.WireError`.

    ``structure`` and ``record`` place the chunk inside a structure that contains it.
    """
    numbers = {
        "pfn": value.pfn,
        "base_reserved": value.base_reserved,
        "pages": value.pages,
        "size_reserved": value.size_reserved,
    }
    check_range(structure, record, numbers)


def decode(data: Buffer) -> NDArray[np.uint64]:
    """View any number of chunks as an array of ``<u8`` and shape (n, 2): base and size, as on the wire.

    The array is read-only and shares the memory of ``data``. Raises :class:`.WireError` for a length that is
    not a multiple of 16 bytes.
    """
    length_bytes = memoryview(data).nbytes
    if length_bytes % LENGTH_BYTES:
        start_bytes = length_bytes - length_bytes % LENGTH_BYTES
        raise WireError(
            NAME,
            f"chunks[{start_bytes // LENGTH_BYTES}]",
            start_bytes,
            f"{LENGTH_BYTES} bytes",
            f"{length_bytes - start_bytes}",
        )
    words = np.frombuffer(data, _ROW).reshape(-1, 2)
    words.flags.writeable = False
    return words


def encode(array: NDArray[np.integer]) -> bytes:
    """Build the bytes of an integer array of shape (n, 2) in :func:`decode`'s form, of either byte order.

    Raises :class:`.WireError` for another shape, another kind of number, or a negative one.
    """
    if array.ndim != 2 or array.shape[1] != 2:
        raise WireError(NAME, "chunks", None, "an array of shape (n, 2)", f"shape {array.shape}")
    if array.dtype.kind not in "iu":
        raise WireError(NAME, "chunks", None, "an array of integers", f"{array.dtype}")
    negative = np.argwhere(array < 0)
    if len(negative):
        row, column = (int(index) for index in negative[0])
        field = f"chunks[{row}].{'size' if column else 'base'}"
        offset_bytes = LENGTH_BYTES * row + 8 * column
        raise WireError(NAME, field, offset_bytes, "an integer from 0", str(int(array[row, column])))
    return array.astype(_ROW).tobytes()


def to_array(chunks: Iterable[Chunk]) -> NDArray[np.uint64]:
    """Return the words of ``chunks`` in :func:`decode`'s form; every field fits its bits already."""
    return np.array([(chunk.base, chunk.size) for chunk in chunks], _ROW).reshape(-1, 2)


def from_array(words: NDArray[np.uint64]) -> tuple[Chunk, ...]:
    """Return the chunks of an array in :func:`decode`'s form."""
    return tuple(Chunk.from_words(base, size) for base, size in words.tolist())
