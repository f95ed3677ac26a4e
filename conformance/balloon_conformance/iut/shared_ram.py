"""Memory that the suite shares with a device, in which discarded and overwritten pages can be found.

It is a memory file without a name, so nothing is left behind however the suite ends. A device discards a page
by punching a hole into the file. ``SEEK_HOLE`` finds the hole without touching the page; reading it through a
mapping would fill it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from fcntl import F_ADD_SEALS, F_SEAL_GROW, F_SEAL_SHRINK, fcntl

import numpy as np

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.page_contents import BLOCK_PAGES, ROW_WORDS, Pattern, Words
from balloon_conformance.iut.patterned_ram import Differences, PatternedRam
from balloon_spec.pages import EMPTY, PAGE_SHIFT, PageSet

__all__ = ["SharedRam", "no_room"]


def no_room(size_bytes: int) -> AdapterError:
    """Return the error for a machine that lacks memory for a guest."""
    return AdapterError(f"no room for {size_bytes >> 20} MiB of guest RAM; free memory, or ask for less")


class SharedRam(PatternedRam):
    """``pages`` pages of guest RAM from guest-physical address 0 on, in the file ``descriptor``.

    ``nameable`` are the pages that buffers may name, by default all; only they hold the pattern. The file can
    neither shrink nor grow, so every mapping of it stays complete. Raises :class:`AdapterError` if the
    machine lacks the memory.
    """

    def __init__(self, pages: int, nameable: PageSet | None = None) -> None:
        super().__init__(PageSet([(0, pages)]) if nameable is None else nameable)
        self.pages = pages
        self.size_bytes = pages << PAGE_SHIFT
        self.descriptor = os.memfd_create("guest-ram", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._closed = False
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

    def read(self, address: int, length_bytes: int) -> bytes:
        """Read bytes; a hole reads as zeros, and stays one."""
        return os.pread(self.descriptor, length_bytes, address)

    def _gone(self, pages: PageSet) -> PageSet:
        return PageSet((first, end - first) for first, end, hole in self._extents(pages) if hole)

    def _look(self, pattern: Pattern, pages: PageSet) -> tuple[PageSet, Differences]:
        torn: Differences = {}
        for run in pages:
            torn.update(self._differing(run.first, run.end, pattern))
        return EMPTY, torn

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

    def _differing(self, first: int, end: int, pattern: Pattern) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
        """Yield the pages that do not hold what they are to hold, each with that and with what it holds."""
        # One buffer serves all blocks: a fresh one for each would cost more than the reading.
        data: Words = np.empty((min(BLOCK_PAGES, end - first), ROW_WORDS), dtype="<u8")
        for page in range(first, end, BLOCK_PAGES):
            words = data[: end - page]
            os.preadv(self.descriptor, [words.data], page << PAGE_SHIFT)
            expected = pattern.of(page, len(words))
            different = words != expected
            if different.any():
                for at in np.flatnonzero(different.any(axis=1)).tolist():
                    yield page + at, (expected[at].tobytes(), words[at].tobytes())

    def _lay(self, pattern: Pattern, pages: PageSet) -> None:
        for run in pages:
            page = run.first
            while page < run.end:
                words = pattern.of(page, min(BLOCK_PAGES, run.end - page))
                page += self._write(page << PAGE_SHIFT, words.data) >> PAGE_SHIFT

    def _store(self, address: int, data: bytes) -> None:
        self._write(address, data)

    def _write(self, address: int, data: bytes | memoryview) -> int:
        """Write bytes; return how many of them were written."""
        return os.pwrite(self.descriptor, data, address)
