"""Guest RAM that QEMU and the suite both map: the pages that a case may name, and the place of the rings."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Final

from balloon_conformance.iut.shared_ram import SharedRam
from balloon_conformance.virtio import GuestMemory, Region
from balloon_spec.pages import PAGE_SHIFT, PageSet

__all__ = ["FIRMWARE", "MAXIMUM_PAGES", "MINIMUM_PAGES", "RESERVED", "GuestRam"]

RESERVED: Final = PageSet([(0x40, 0xB0)])
"""The place of the rings and buffers.

It is low because RAM must end where a case says it ends, so that the page after the last one is outside guest
memory. On a PC part of this range is not RAM anyway.
"""
FIRMWARE: Final = PageSet([(0xF0, 0x10)])
"""The firmware's image covers the RAM here."""
MINIMUM_PAGES: Final = 0x200
MAXIMUM_PAGES: Final = 0xB0000
"""Beyond this microvm would put part of the RAM above 4 GiB."""


class GuestRam(SharedRam):
    """``pages`` pages of guest RAM from guest-physical address 0 on, in the file ``descriptor``.

    ``reserved`` is the mapped part that the suite uses itself; no page of it may be named. While there is a
    ``writer``, everything else is written through it, address and bytes, so that QEMU sees what is written.
    Raises :class:`AdapterError` if the machine lacks the memory.
    """

    writer: Callable[[int, bytes], None] | None = None

    def __init__(self, pages: int) -> None:
        super().__init__(pages, PageSet([(0, pages)]) - RESERVED - FIRMWARE)
        (reserved,) = RESERVED.runs
        self.reserved_address = reserved.first << PAGE_SHIFT
        self.reserved_bytes = reserved.count << PAGE_SHIFT
        self._map = mmap.mmap(self.descriptor, self.reserved_bytes, offset=self.reserved_address)
        self.reserved = GuestMemory([Region(self.reserved_address, self._map)])

    def _store(self, address: int, data: bytes | memoryview) -> int:
        if self.writer is None:
            return super()._store(address, data)
        self.writer(address, bytes(data))
        return data.nbytes if isinstance(data, memoryview) else len(data)

    def close(self) -> None:
        """Give the memory back; harmless if called twice."""
        # If the machine lacked memory for the file, the part was never mapped.
        if hasattr(self, "reserved"):
            self.reserved.release()
            self._map.close()
        super().close()
