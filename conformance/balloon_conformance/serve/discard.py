"""Gives guest memory back to the host, in the way that fits the kind of memory, or changes what it holds.

A shared mapping of a file keeps its pages when MADV_DONTNEED is applied, so a hole has to be punched into the
file. Memory that is not a file with holes gets MADV_DONTNEED.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Iterator, Sequence
from typing import Final

from balloon_conformance.vhost_user.connection import close_descriptors
from balloon_conformance.vhost_user.messages import MemoryRegion
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT, PageSet

__all__ = ["HostMemory", "punch_hole"]

_KEEP_SIZE: Final = 0x01
_PUNCH_HOLE: Final = 0x02
_HAS_NO_HOLES: Final = (errno.EOPNOTSUPP, errno.ENODEV, errno.ESPIPE, errno.ENOSYS)

_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_fallocate.restype = ctypes.c_int


def punch_hole(descriptor: int, offset_bytes: int, length_bytes: int) -> None:
    """Discard a range of a file, in every mapping of it; :class:`OSError` if the file system has no holes."""
    if _fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, offset_bytes, length_bytes):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _spans(pages: PageSet) -> Iterator[tuple[int, int]]:
    """Yield (guest address, length in bytes) of each run of pages."""
    bounds = pages.bounds
    for first, past in zip(bounds[0::2], bounds[1::2], strict=True):
        yield first << PAGE_SHIFT, (past - first) << PAGE_SHIFT


class HostMemory:
    """The host's view of guest memory: the files of its regions, one copied descriptor each."""

    def __init__(self, regions: Sequence[MemoryRegion], descriptors: Sequence[int]) -> None:
        self._regions = tuple(regions)
        self._descriptors: list[int] = []
        self._mappings: dict[int, mmap.mmap] = {}
        try:
            for descriptor in descriptors:
                self._descriptors.append(os.dup(descriptor))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Release the memory; harmless if called twice."""
        for mapping in self._mappings.values():
            mapping.close()
        close_descriptors(self._descriptors)
        self._mappings.clear()
        self._descriptors.clear()

    def discard(self, pages: PageSet) -> None:
        """Give pages back to the host. Pages that are in no region are ignored.

        Raises :class:`OSError` if the memory cannot be given back at all.
        """
        for start, length_bytes in _spans(pages):
            for at, offset_bytes, there in self._places(start, length_bytes):
                self._discard(at, offset_bytes, there)

    def fill(self, pages: PageSet, data: bytes) -> None:
        """Write ``data`` into each page, over and over; its length divides that of a page."""
        for start, length_bytes in _spans(pages):
            for at, offset_bytes, there in self._places(start, length_bytes):
                os.pwrite(self._descriptors[at], data * (there // len(data)), offset_bytes)

    def invert(self, address: int, length_bytes: int) -> None:
        """Change every byte of a range of guest memory."""
        for at, offset_bytes, there in self._places(address, length_bytes):
            held = os.pread(self._descriptors[at], there, offset_bytes)
            os.pwrite(self._descriptors[at], bytes(byte ^ 0xFF for byte in held), offset_bytes)

    def _places(self, address: int, length_bytes: int) -> Iterator[tuple[int, int, int]]:
        """Yield (region, offset in its file, length in bytes) of each part of a range that exists."""
        for at, region in enumerate(self._regions):
            low = max(address, region.guest_address)
            high = min(address + length_bytes, region.guest_address + region.length_bytes)
            if low < high:
                yield at, region.offset_bytes + low - region.guest_address, high - low

    def _discard(self, at: int, offset_bytes: int, length_bytes: int) -> None:
        try:
            punch_hole(self._descriptors[at], offset_bytes, length_bytes)
        except OSError as error:
            if error.errno not in _HAS_NO_HOLES:
                raise
            begin = self._regions[at].offset_bytes // PAGE_BYTES * PAGE_BYTES
            self._mapping(at, begin).madvise(mmap.MADV_DONTNEED, offset_bytes - begin, length_bytes)

    def _mapping(self, at: int, begin: int) -> mmap.mmap:
        if at not in self._mappings:
            region = self._regions[at]
            length_bytes = region.offset_bytes - begin + region.length_bytes
            self._mappings[at] = mmap.mmap(self._descriptors[at], length_bytes, offset=begin)
        return self._mappings[at]
