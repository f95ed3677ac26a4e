"""Guest RAM that QEMU and the suite both map, in which discarded and overwritten pages can be found.

The RAM is a memory file without a name: nothing is left behind however the suite ends. Every page a case
may name is filled with a pattern. QEMU discards a page by punching a hole into the file, which
``SEEK_HOLE`` finds without touching the page; reading a hole through a mapping would fill it.
"""

from __future__ import annotations

import errno
import mmap
import os
from typing import TYPE_CHECKING, Final

import numpy as np

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.virtio import GuestMemory, Region
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT, PageSet

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FIRMWARE", "MAXIMUM_PAGES", "MINIMUM_PAGES", "RESERVED", "GuestRam"]

RESERVED: Final = PageSet([(0x40, 0xB0)])
"""Where the rings and buffers lie. It is low because RAM must end where a case says it ends: a page above
the last one has to be outside guest memory. On a PC part of this range is not RAM anyway."""
FIRMWARE: Final = PageSet([(0xF0, 0x10)])
"""Here the firmware's image lies over the RAM."""
MINIMUM_PAGES: Final = 0x200
MAXIMUM_PAGES: Final = 0xB0000
"""Beyond this microvm would put part of the RAM above 4 GiB."""

_PATTERN: Final = bytes(range(1, 256)) + b"\xa5"
_BLOCK_PAGES: Final = 256
_BLOCK: Final = _PATTERN * (_BLOCK_PAGES * PAGE_BYTES // len(_PATTERN))
_PAGE_WORDS: Final = np.frombuffer(_BLOCK[:PAGE_BYTES], dtype=np.uint64)
_BLOCKS_AT_ONCE: Final = 64


class GuestRam:
    """``pages`` pages of guest RAM from guest-physical address 0 on, in the file ``descriptor``.

    ``nameable`` are the pages that buffers may name; ``reserved`` is the rest of the RAM the suite uses.
    Raises :class:`AdapterError` when the machine lacks the memory.
    """

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.size_bytes = pages << PAGE_SHIFT
        self.nameable = PageSet([(0, pages)]) - RESERVED - FIRMWARE
        self.descriptor = os.memfd_create("guest-ram")
        try:
            os.ftruncate(self.descriptor, self.size_bytes)
            self._fill(self.nameable)
        except OSError as error:
            os.close(self.descriptor)
            if error.errno not in (errno.ENOMEM, errno.ENOSPC):
                raise
            raise AdapterError(
                f"no room for {self.size_bytes >> 20} MiB of guest RAM; free memory, or ask for less"
            ) from None
        (reserved,) = RESERVED.runs
        self.reserved_address = reserved.first << PAGE_SHIFT
        self.reserved_bytes = reserved.count << PAGE_SHIFT
        self._map = mmap.mmap(self.descriptor, self.reserved_bytes, offset=self.reserved_address)
        self.reserved = GuestMemory([Region(self.reserved_address, self._map)])
        self._closed = False

    def close(self) -> None:
        """Give the memory back; twice does no harm."""
        if not self._closed:
            self._closed = True
            self.reserved.release()
            self._map.close()
            os.close(self.descriptor)

    def examine(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which were overwritten; then restore them.

        Only nameable pages are looked at.
        """
        discarded: list[tuple[int, int]] = []
        overwritten: list[tuple[int, int]] = []
        for first, end, hole in self._extents(pages & self.nameable):
            if hole:
                discarded.append((first, end - first))
            else:
                overwritten.extend((page, 1) for page in self._differing(first, end))
        found = PageSet(discarded), PageSet(overwritten)
        self._fill(found[0] | found[1])
        return found

    def restore(self) -> None:
        """Bring every nameable page back to the pattern."""
        self.examine(self.nameable)

    def _extents(self, pages: PageSet) -> Iterator[tuple[int, int, bool]]:
        """Cut ``pages`` into (first, end, whether it is a hole)."""
        for run in pages:
            at, end = run.first << PAGE_SHIFT, run.end << PAGE_SHIFT
            while at < end:
                data = min(self._seek(at, os.SEEK_DATA), end)
                if data > at:
                    yield at >> PAGE_SHIFT, data >> PAGE_SHIFT, True
                if data < end:
                    at = min(self._seek(data, os.SEEK_HOLE), end)
                    yield data >> PAGE_SHIFT, at >> PAGE_SHIFT, False
                else:
                    at = end

    def _seek(self, offset_bytes: int, whence: int) -> int:
        try:
            return os.lseek(self.descriptor, offset_bytes, whence)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return self.size_bytes  # no data up to the end

    def _differing(self, first: int, end: int) -> Iterator[int]:
        """Yield the pages that do not hold the pattern."""
        expected, data = _BLOCK, bytearray(len(_BLOCK))
        for page in range(first, end, _BLOCK_PAGES):
            count = min(_BLOCK_PAGES, end - page)
            if count < _BLOCK_PAGES:
                expected, data = _BLOCK[: count << PAGE_SHIFT], bytearray(count << PAGE_SHIFT)
            # Into one buffer: a fresh one for each block would cost more than the reading.
            os.preadv(self.descriptor, [data], page << PAGE_SHIFT)
            if data != expected:
                words = np.frombuffer(data, dtype=np.uint64).reshape(count, -1)
                yield from (page + int(n) for n in np.flatnonzero((words != _PAGE_WORDS).any(axis=1)))

    def _fill(self, pages: PageSet) -> None:
        """Write the pattern."""
        for run in pages:
            at, end = run.first << PAGE_SHIFT, run.end << PAGE_SHIFT
            while at < end:
                blocks, rest = divmod(end - at, len(_BLOCK))
                pieces = [_BLOCK] * min(blocks, _BLOCKS_AT_ONCE) or [_BLOCK[:rest]]
                at += os.pwritev(self.descriptor, pieces, at)
