"""Memory that the suite shares with a device, in which discarded and overwritten pages can be found.

It is a memory file without a name, so nothing is left behind however the suite ends. Every page that a case
may name holds a pattern, which begins with the number of the page: no two pages are alike. A case may write
something else there. A device discards a page by punching a hole into the file. ``SEEK_HOLE`` finds the hole
without touching the page; reading it through a mapping would fill it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from fcntl import F_ADD_SEALS, F_SEAL_GROW, F_SEAL_SHRINK, fcntl

import numpy as np

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.page_contents import (
    BLOCK_PAGES,
    ROW_WORDS,
    Numbered,
    Pattern,
    Repeated,
    Words,
    changes,
)
from balloon_spec.events import Overwritten
from balloon_spec.pages import EMPTY, PAGE_SHIFT, PageSet

__all__ = ["SharedRam", "no_room"]


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
        self._pattern: Pattern = Numbered()
        self._laid = EMPTY
        """The pages to which the suite wrote since then: they cannot be told from overwritten ones."""
        self._written: dict[bytes, tuple[PageSet, Pattern]] = {}
        """What the suite wrote to whole pages, with the pages; all others hold the pattern."""
        self.changes: tuple[Overwritten, ...] = ()
        """The pages that the last look found overwritten, with what their bytes show."""
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
        self._store(address, data)

    def read(self, address: int, length_bytes: int) -> bytes:
        """Read bytes; a hole reads as zeros, and stays one."""
        return os.pread(self.descriptor, length_bytes, address)

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Write ``data`` into each of the nameable pages, over and over; its length divides that of a page.

        The pages hold it, and are brought back to it after each look, until they are written again or
        everything is restored.
        """
        pages &= self.nameable
        kept = {held: (there - pages, pattern) for held, (there, pattern) in self._written.items()}
        before, pattern = kept.get(data, (EMPTY, Repeated(data)))
        kept[data] = before | pages, pattern
        self._written = {held: (there, pattern) for held, (there, pattern) in kept.items() if there}
        self._laid -= pages
        self._fill(pages)

    def examine(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which were overwritten; then restore them.

        Only nameable pages are examined. :attr:`changes` tells what became of the overwritten ones.
        """
        discarded: list[tuple[int, int]] = []
        torn: dict[int, tuple[bytes, bytes]] = {}
        for first, end, hole in self._extents(pages & self.nameable):
            if hole:
                discarded.append((first, end - first))
                continue
            for pattern, there in self._held(PageSet([(first, end - first)]) - self._laid):
                for run in there:
                    torn.update(self._differing(run.first, run.end, pattern))
        found = PageSet(discarded), PageSet((page, 1) for page in torn)
        self.changes = tuple(changes(torn))
        self._fill(found[0] | found[1])
        self._laid -= found[0]
        return found

    def restore(self) -> None:
        """Bring every nameable page back to the pattern."""
        self.examine(self.nameable)
        left = PageSet.union((self._laid, *(there for there, _ in self._written.values())))
        self._written = {}
        self._fill(left)
        self._laid, self.changes = EMPTY, ()

    def _held(self, pages: PageSet) -> Iterator[tuple[Pattern, PageSet]]:
        """Yield what pages are to hold, with those that hold it."""
        for there, pattern in self._written.values():
            if both := pages & there:
                yield pattern, both
                pages -= both
        yield self._pattern, pages

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

    def _fill(self, pages: PageSet) -> None:
        """Write what the pages are to hold."""
        for pattern, there in self._held(pages):
            for run in there:
                page = run.first
                while page < run.end:
                    words = pattern.of(page, min(BLOCK_PAGES, run.end - page))
                    page += self._store(page << PAGE_SHIFT, words.data) >> PAGE_SHIFT

    def _store(self, address: int, data: bytes | memoryview) -> int:
        """Write bytes; return how many of them were written."""
        return os.pwrite(self.descriptor, data, address)
