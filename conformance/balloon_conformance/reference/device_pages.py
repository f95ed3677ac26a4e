"""How the reference device reads buffers that name pages. Any bytes give a set of pages.

Everything is checked before it is used, nothing is read again after the buffer was returned (BUF-08), and a
note records what is not acted on. No bytes end or stop the device, so the next buffer is served like any
other (SAFE-02, SAFE-05, SAFE-12) and nothing needs a reset (SAFE-04, SAFE-10).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from balloon_conformance.reference.machine import Note
from balloon_spec.families.base import pfn_array
from balloon_spec.families.chunk_transfer import chunk, response_header
from balloon_spec.families.chunk_transfer.response_header import ResponseHeader
from balloon_spec.pages import EMPTY, PAGE_SHIFT, PageSet

__all__ = ["BufferContent", "PageReader"]

_SHIFT = np.uint64(PAGE_SHIFT)
_RESERVED = np.uint64(chunk.RESERVED_MASK)
_PFN_SPACE = np.uint64(1 << (64 - PAGE_SHIFT))

Words = NDArray[np.uint64]
Chosen = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BufferContent:
    """The content of a buffer: the pages to act on, the header of a well-formed message, and notes."""

    pages: PageSet = EMPTY
    header: ResponseHeader | None = None
    notes: tuple[Note, ...] = ()


class PageReader:
    """Reads messages and arrays of page frame numbers; each method keeps what its comment names."""

    def read_message(self, data: bytes, memory: PageSet, max_data_bytes: int) -> BufferContent:
        """Read a response message. If it is malformed as a whole, its header is None."""
        # SAFE-08: a buffer shorter than a header names no pages.
        if len(data) < response_header.LENGTH_BYTES:
            return BufferContent(notes=(Note("HDR-01", f"a message of {len(data)} bytes"),))
        header = response_header.parse(data[: response_header.LENGTH_BYTES])
        body = data[response_header.LENGTH_BYTES :]
        if not self.accepts_data_len(header.data_len):
            return BufferContent(notes=(Note("HDR-03", f"data_len is {header.data_len}"),))
        # HDR-07: this much is accepted. A longer message is more than a device has to accept (HDR-08).
        if min(header.data_len, len(body)) > max_data_bytes:
            return BufferContent(notes=(Note("HDR-08", f"{len(body)} bytes of response data"),))
        short = () if header.data_len == len(body) else (Note("HDR-02", f"data_len is {header.data_len}"),)
        pages, notes = self.read_chunks(self.response_data(header, body), memory)
        return BufferContent(pages, header, short + notes)

    # SAFE-06: if data_len is not a multiple of 16, nobody knows which chunk is broken.
    def accepts_data_len(self, data_len: int) -> bool:
        """Tell whether a message with this data_len is acted on."""
        return data_len % chunk.LENGTH_BYTES == 0

    # SAFE-07: bytes beyond data_len, or beyond the buffer, are no response data.
    def response_data(self, header: ResponseHeader, body: bytes) -> bytes:
        """Return the whole chunks of ``body``, the bytes after the header."""
        length_bytes = min(header.data_len, len(body))
        return body[: length_bytes - length_bytes % chunk.LENGTH_BYTES]

    # CHUNK-10, CHUNK-13: the result is a set of pages, so order, cut and repetition make no difference.
    def read_chunks(self, data: bytes, memory: PageSet) -> tuple[PageSet, tuple[Note, ...]]:
        """Return the pages that whole chunks name and that may be acted on, with notes on the others."""
        words = self.chunk_words(data)
        first, count = self.chunk_pages(words)
        chosen = self.choose_chunks(first, count, memory)
        notes = []
        # CHUNK-07: a later feature may define the reserved bits. Today a set bit is an error of the driver.
        dirty = int(((words & _RESERVED) != 0).any(axis=1).sum())
        if dirty:
            notes.append(Note("CHUNK-03", f"{dirty} chunks have reserved bits set"))
        if not chosen.all():
            # CHUNK-08: the other chunks are acted on.
            notes.append(Note("CHUNK-05", f"{int((~chosen).sum())} chunks are left out"))
        return PageSet.from_bounds(first[chosen], count[chosen]), tuple(notes)

    def chunk_words(self, data: bytes) -> Words:
        """Return base and size of every chunk, shape (n, 2)."""
        return chunk.decode(data)

    # CHUNK-06: bits 11 to 0 make no difference.
    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Return first page frame number and page count of every chunk."""
        return words[:, 0] >> _SHIFT, words[:, 1] >> _SHIFT

    def choose_chunks(self, first: Words, count: Words, memory: PageSet) -> Chosen:
        """Tell for each chunk whether it is acted on."""
        chosen: Chosen = self.is_not_empty(count) & self.is_not_wrapped(first, count)
        chosen[chosen] = self.is_inside(first[chosen], count[chosen], memory)
        return chosen

    # CHUNK-09: a chunk of zero pages changes nothing.
    def is_not_empty(self, count: Words) -> Chosen:
        """Tell for each chunk whether it has pages."""
        chosen: Chosen = count != 0
        return chosen

    # SAFE-09: base plus size stays within 2^64. Both numbers have 52 bits, so the sum cannot wrap here.
    def is_not_wrapped(self, first: Words, count: Words) -> Chosen:
        """Tell for each chunk whether it ends within the address space."""
        ends: Words = first + count
        return ends <= _PFN_SPACE

    # SAFE-11: a chunk that lies partly outside guest memory is skipped, not clipped.
    def is_inside(self, first: Words, count: Words, memory: PageSet) -> Chosen:
        """Tell for each chunk whether all its pages exist: whether one run of memory holds it."""
        if not memory:
            return np.zeros(len(first), np.bool_)
        starts, ends = (column.view(np.uint64) for column in memory.table)
        at = np.searchsorted(starts, first, side="right") - 1
        inside: Chosen = (at >= 0) & (first + count <= ends[at])
        return inside

    # PFN-05, PFN-07: every entry counts, and is an unsigned number.
    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Read an array of 32-bit page frame numbers, little-endian."""
        notes = []
        # PFN-09: no partial entry is acted on.
        whole = data[: len(data) - len(data) % pfn_array.ENTRY_BYTES]
        if not whole or len(whole) != len(data):
            notes.append(Note("PFN-02", f"an array of {len(data)} bytes"))
        if not whole:
            return BufferContent(notes=tuple(notes))
        named = PageSet.from_pfns(pfn_array.decode(whole))
        # PFN-06: an entry outside guest memory does not spoil the others.
        pages = named & memory
        if pages != named:
            notes.append(Note("PFN-04", f"{named.pages - pages.pages} pages lie outside guest memory"))
        return BufferContent(pages, notes=tuple(notes))
