"""Guest memory of a front-end: RAM from address 0 on, and the rings and buffers in a region of their own.

The RAM ends where a case says that guest memory ends, so the page after it is outside. The rings are far
above, where no case names a page.
"""

from __future__ import annotations

import mmap
import os
from fcntl import F_ADD_SEALS, F_SEAL_GROW, F_SEAL_SHRINK, fcntl
from typing import Final

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.shared_ram import SharedRam, no_room
from balloon_conformance.vhost_user.messages import MemoryRegion, MemoryTable
from balloon_conformance.virtio import GuestMemory, Region
from balloon_spec.pages import EMPTY, PAGE_SHIFT, PageSet

__all__ = ["MAXIMUM_PAGES", "RINGS_ADDRESS", "RINGS_BYTES", "FrontEndMemory", "user_address"]

MAXIMUM_PAGES: Final = 0x400_0000
RINGS_ADDRESS: Final = 0x7F_0000_0000
"""Above any guest memory. The pages here exist for the device, but nobody may name them."""
RINGS_BYTES: Final = 1 << 24
_USER_BASE: Final = 0x7F00_0000_0000


def user_address(guest_address: int) -> int:
    """Return the user address that this front-end gives to ``guest_address``.

    The two differ, so a back-end that confuses them is found out.
    """
    return _USER_BASE + guest_address


class FrontEndMemory:
    """``pages`` pages of RAM and the rings; those in ``patterned`` hold the pattern of :class:`SharedRam`.

    The pages of ``holes`` are in no region that a back-end is told of, and hold no pattern. Raises
    :class:`AdapterError` if the pages do not fit below the rings, or exceed the machine's memory.
    """

    def __init__(self, pages: int, patterned: PageSet | None = None, holes: PageSet = EMPTY) -> None:
        if not 0 < pages <= MAXIMUM_PAGES:
            raise AdapterError(f"{pages} pages of guest memory: ask for 1 to {MAXIMUM_PAGES}")
        self._existing = PageSet([(0, pages)]) - holes
        self.ram = SharedRam(pages, self._existing if patterned is None else patterned - holes)
        try:
            self._descriptor = os.memfd_create("rings", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:
            self.ram.close()
            raise
        try:
            os.ftruncate(self._descriptor, RINGS_BYTES)
            fcntl(self._descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)
            self._map = mmap.mmap(self._descriptor, RINGS_BYTES)
        except OSError:
            os.close(self._descriptor)
            self.ram.close()
            raise no_room(RINGS_BYTES) from None
        self.rings = GuestMemory([Region(RINGS_ADDRESS, self._map)])
        self._closed = False

    @property
    def existing(self) -> PageSet:
        """The pages of RAM that a back-end is told of."""
        return self._existing

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The files of the regions, in the order of :attr:`table`."""
        return (*(self.ram.descriptor for _ in self._existing), self._descriptor)

    @property
    def table(self) -> MemoryTable:
        """The regions as a back-end is told of them."""
        return MemoryTable(
            (
                *(_region(run.first << PAGE_SHIFT, run.count << PAGE_SHIFT) for run in self._existing),
                MemoryRegion(RINGS_ADDRESS, RINGS_BYTES, user_address(RINGS_ADDRESS), 0),
            )
        )

    def close(self) -> None:
        """Give the memory back; harmless if called twice."""
        if not self._closed:
            self._closed = True
            self.rings.release()
            self._map.close()
            os.close(self._descriptor)
            self.ram.close()


def _region(address: int, size_bytes: int) -> MemoryRegion:
    """Return a region of RAM; each page has the same offset in its file as in the guest."""
    return MemoryRegion(address, size_bytes, user_address(address), address)
