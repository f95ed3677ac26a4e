"""Memory that the suite shares with a device, in which discarded and overwritten pages can be found.

It is a memory file without a name, so nothing is left behind however the suite ends. Every page that a case
may name holds a pattern, which begins with the number of the page: no two pages are alike. A device discards
a page by punching a hole into the file. ``SEEK_HOLE`` finds the hole without touching the page; reading it
through a mapping would fill it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from fcntl import F_ADD_SEALS, F_SEAL_GROW, F_SEAL_SHRINK, fcntl
from typing import Final

import numpy as np
import numpy.typing as npt

from balloon_conformance.iut.contract import AdapterError
from balloon_spec.pages import EMPTY, PAGE_BYTES, PAGE_SHIFT, PageSet

__all__ = ["SharedRam", "no_room"]

_PATTERN: Final = bytes(range(1, 256)) + b"\xa5"
_WORD_BYTES: Final = 8
_MARK: Final = b"\xbaPFN"
"""The first bytes of each page of the pattern; the number of the page follows, 32 bits, little-endian."""
_BLOCK_PAGES: Final = 256


class _Block:
    """The pattern of some pages, written and compared many at once; one buffer serves all of them."""

    def __init__(self) -> None:
        self._words = np.frombuffer(
            bytearray(_PATTERN * (_BLOCK_PAGES * PAGE_BYTES // len(_PATTERN))), dtype="<u8"
        ).reshape(_BLOCK_PAGES, PAGE_BYTES // _WORD_BYTES)
        self._numbers = np.arange(_BLOCK_PAGES, dtype="<u8")

    def of(self, first: int, count: int) -> npt.NDArray[np.uint64]:
        """Return the words of up to a block of pages, one row a page, until the next call."""
        words = self._words[:count]
        words[:, 0] = (self._numbers[:count] + np.uint64(first) << np.uint64(32)) | _MARK_WORD
        return words


_MARK_WORD: Final = np.uint64(int.from_bytes(_MARK, "little"))


def no_room(size_bytes: int) -> AdapterError:
    """Return the error for a machine that lacks memory for a guest."""
    return AdapterError(f"no room for {size_bytes >> 20} MiB of guest RAM; free memory, or ask for less")


def _pages(address: int, length_bytes: int) -> PageSet:
    """Return the pages that some bytes lie in; none for no bytes."""
    if not length_bytes:
        return EMPTY
    first = address >> PAGE_SHIFT
    return PageSet([(first, ((address + length_bytes - 1) >> PAGE_SHIFT) - first + 1)])


class SharedRam:
    """``pages`` pages of guest RAM from guest-physical address 0 on, in the file ``descriptor``.

    ``nameable`` are the pages that buffers may name, by default all; only they hold the pattern. The file can
    neither shrink nor grow, so every mapping of it stays complete. Raises :class:`AdapterError` if the
    machine lacks the memory.
    """

    def __init__(self, pages: int, nameable: PageSet | None = None) -> None:
        self.pages = pages
        self.size_bytes = pages << PAGE_SHIFT
        self.nameable = PageSet([(0, pages)]) if nameable is None else nameable
        self.descriptor = os.memfd_create("guest-ram", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._closed = False
        self._block = _Block()
        self._laid = EMPTY
        """The pages to which the suite wrote since then: they cannot be told from overwritten ones."""
        try:
            os.ftruncate(self.descriptor, self.size_bytes)
            fcntl(self.descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)
            self._fill(self.nameable)
        except OSError as error:
            self.close()
            if error.errno not in (errno.ENOMEM, errno.ENOSPC):
                raise
            raise no_room(self.size_bytes) from None

    def close(self) -> None:
        """Give the memory back; harmless if called twice."""
        if not self._closed:
            self._closed = True
            os.close(self.descriptor)

    def contains(self, address: int, length_bytes: int) -> bool:
        """Tell whether ``length_bytes`` bytes from ``address`` on lie in pages that may be named."""
        return _pages(address, length_bytes) <= self.nameable

    def lay(self, address: int, data: bytes) -> None:
        """Write bytes of a buffer to pages that may be named; they do not count as overwritten then."""
        self._laid |= _pages(address, len(data))
        os.pwrite(self.descriptor, data, address)

    def read(self, address: int, length_bytes: int) -> bytes:
        """Read bytes; a hole reads as zeros, and stays one."""
        return os.pread(self.descriptor, length_bytes, address)

    def examine(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which were overwritten; then restore them.

        Only nameable pages are examined.
        """
        discarded: list[tuple[int, int]] = []
        overwritten: list[tuple[int, int]] = []
        for first, end, hole in self._extents(pages & self.nameable):
            if hole:
                discarded.append((first, end - first))
            else:
                overwritten.extend((page, 1) for page in self._differing(first, end))
        found = PageSet(discarded), PageSet(overwritten) - self._laid
        self._fill(found[0] | found[1])
        self._laid -= found[0]
        return found

    def restore(self) -> None:
        """Bring every nameable page back to the pattern."""
        self.examine(self.nameable)
        self._fill(self._laid)
        self._laid = EMPTY

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
        # One buffer serves all blocks: a fresh one for each would cost more than the reading.
        data = np.empty((min(_BLOCK_PAGES, end - first), PAGE_BYTES // _WORD_BYTES), dtype="<u8")
        for page in range(first, end, _BLOCK_PAGES):
            words = data[: end - page]
            os.preadv(self.descriptor, [words.data], page << PAGE_SHIFT)
            expected = self._block.of(page, len(words))
            different = words != expected
            if different.any():
                yield from (page + int(n) for n in np.flatnonzero(different.any(axis=1)))

    def _fill(self, pages: PageSet) -> None:
        """Write the pattern."""
        for run in pages:
            page = run.first
            while page < run.end:
                words = self._block.of(page, min(_BLOCK_PAGES, run.end - page))
                page += os.pwrite(self.descriptor, words.data, page << PAGE_SHIFT) >> PAGE_SHIFT
