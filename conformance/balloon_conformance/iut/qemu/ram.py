"""Guest RAM that QEMU and the suite both map: the pages that a case may name, and the place of the rings."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.shared_ram import SharedRam
from balloon_conformance.iut.sight import NotVisible
from balloon_conformance.virtio import GuestMemory, Region
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT, PageSet

__all__ = ["MICROVM_MAP", "PC_MAP", "Q35_MAP", "GuestRam", "MemoryMap"]


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """What of the guest-physical addresses is RAM on a machine.

    ``reserved`` is the place of the rings and buffers. It is low because RAM must end where a case says it
    ends, so that the page after the last one is outside guest memory. ``hidden`` are the pages behind it at
    which something else covers the RAM. With more than ``maximum_pages``, the machine would put a part of the
    RAM above 4 GiB.
    """

    reserved: PageSet
    hidden: PageSet
    maximum_pages: int

    def ram_pages(self, case_pages: int, least_mib: int) -> int:
        """Return how many pages the guest gets. QEMU needs an even number.

        Raises :class:`NotVisible` for a case, and :class:`AdapterError` for an option, that asks for too
        many.
        """
        if case_pages > self.maximum_pages:
            raise NotVisible(
                f"QEMU's machine has {self.maximum_pages} pages in a row at most, not {case_pages}"
            )
        pages = max(case_pages, least_mib << 8, _MINIMUM_PAGES)
        pages += pages & 1
        if pages > self.maximum_pages:
            raise AdapterError(
                f"{pages} pages of guest memory are too many; ask for {self.maximum_pages} at most"
            )
        return pages


_MINIMUM_PAGES: Final = 0x200
MICROVM_MAP: Final = MemoryMap(PageSet([(0x40, 0xB0)]), PageSet([(0xF0, 0x10)]), 0xB0000)
"""The firmware's image covers the last 64 KiB of the first MiB."""
PC_MAP: Final = MemoryMap(PageSet([(0x40, 0x60)]), PageSet([(0xA0, 0x60)]), 0xB0000)
"""A PC has no RAM from 640 KiB to 1 MiB, where its display and its firmware are."""
Q35_MAP: Final = MemoryMap(PC_MAP.reserved, PC_MAP.hidden, 0xAFFFE)


class GuestRam(SharedRam):
    """``pages`` pages of guest RAM from guest-physical address 0 on, in the file ``descriptor``.

    ``reserved`` is the mapped part that the suite uses itself; no page of it may be named. Its last page is
    at ``messages_address``, and the ``reserved_bytes`` before it are for rings and buffers. While there is a
    ``writer``, everything else is written through it, address and bytes, so that QEMU sees what is written.
    Raises :class:`AdapterError` if the machine lacks the memory.
    """

    writer: Callable[[int, bytes], None] | None = None

    def __init__(self, pages: int, memory_map: MemoryMap = MICROVM_MAP) -> None:
        super().__init__(pages, PageSet([(0, pages)]) - memory_map.reserved - memory_map.hidden)
        (reserved,) = memory_map.reserved.runs
        self.reserved_address = reserved.first << PAGE_SHIFT
        self.messages_address = (reserved.end - 1) << PAGE_SHIFT
        self.reserved_bytes = self.messages_address - self.reserved_address
        self._map = mmap.mmap(self.descriptor, self.reserved_bytes + PAGE_BYTES, offset=self.reserved_address)
        self.reserved = GuestMemory([Region(self.reserved_address, self._map)])

    def _write(self, address: int, data: bytes | memoryview) -> int:
        if self.writer is None:
            return super()._write(address, data)
        self.writer(address, bytes(data))
        return data.nbytes if isinstance(data, memoryview) else len(data)

    def close(self) -> None:
        """Give the memory back; harmless if called twice."""
        # If the machine lacked memory for the file, the part was never mapped.
        if hasattr(self, "reserved"):
            self.reserved.release()
            self._map.close()
        super().close()
