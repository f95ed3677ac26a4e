"""Guest memory that a front-end shares, mapped from the descriptors of its memory table.

A driver under test may share less than it says. Reading a mapping beyond the end of its file would kill this
process. So every file is measured before it is mapped, and again at each :meth:`SharedMemory.check`.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from balloon_conformance.vhost_user.connection import close_descriptors
from balloon_conformance.vhost_user.errors import PeerBroke
from balloon_conformance.vhost_user.messages import MemoryRegion, MemoryTable
from balloon_conformance.virtio import GuestMemory, GuestMemoryError, Region
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT, PageSet

__all__ = ["SharedMemory"]

_ADDRESS_LIMIT: Final = 1 << 64


class SharedMemory:
    """The regions of ``table``, mapped. It owns ``descriptors``, and closes them even if it fails.

    ``guest`` is the memory by guest-physical address. Raises :class:`PeerBroke` for regions that overlap,
    exceed 64-bit addresses, or are longer than their files.
    """

    def __init__(self, table: MemoryTable, descriptors: Sequence[int]) -> None:
        self.regions = table.regions
        self._descriptors = tuple(descriptors)
        self._maps: list[mmap.mmap] = []
        self._views: list[memoryview] = []
        try:
            self.check()
            _refuse_overlap("guest", ((region.guest_address, region) for region in self.regions))
            _refuse_overlap("user", ((region.user_address, region) for region in self.regions))
            backed = [
                Region(region.guest_address, self._map(region, descriptor))
                for region, descriptor in zip(self.regions, self._descriptors, strict=True)
            ]
            self.guest = GuestMemory(backed)
        except GuestMemoryError as error:
            self._unmap()
            raise PeerBroke(f"the memory table is invalid: {error}") from None
        except BaseException:
            self._unmap()
            raise

    @property
    def pages(self) -> PageSet:
        """The whole pages that are shared."""
        runs = []
        for region in self.regions:
            first = -(-region.guest_address >> PAGE_SHIFT)
            end = region.guest_address + region.length_bytes >> PAGE_SHIFT
            runs.append((first, max(end - first, 0)))
        return PageSet(runs)

    def check(self) -> None:
        """Raise :class:`PeerBroke` if the file of a region is, or has become, shorter than the region."""
        for at, (region, descriptor) in enumerate(zip(self.regions, self._descriptors, strict=True)):
            end, size_bytes = region.offset_bytes + region.length_bytes, os.fstat(descriptor).st_size
            if end > size_bytes:
                raise PeerBroke(
                    f"memory region {at} ends at byte {end:#x} of its file, which has {size_bytes:#x} bytes"
                )

    def guest_address(self, user_address: int, length_bytes: int, what: str) -> int:
        """Return the guest address of ``length_bytes`` bytes at an address of the front-end's process.

        Raises :class:`PeerBroke` with ``what`` in its text if they are not all within one region.
        """
        for region in self.regions:
            offset = user_address - region.user_address
            if offset >= 0 and offset + length_bytes <= region.length_bytes:
                return region.guest_address + offset
        known = ", ".join(
            f"{region.user_address:#x} to {region.user_address + region.length_bytes:#x}"
            for region in self.regions
        )
        raise PeerBroke(
            f"{what}: {length_bytes} bytes at user address {user_address:#x} are not all in one region of the"
            f" memory table ({known})"
        )

    def close(self) -> None:
        """Unmap everything and close the descriptors; harmless if called twice."""
        self.guest.release()
        self._unmap()

    def _map(self, region: MemoryRegion, descriptor: int) -> memoryview:
        # A mapping begins at a page of the file; a region may begin anywhere.
        skipped_bytes = region.offset_bytes % PAGE_BYTES
        try:
            mapping = mmap.mmap(
                descriptor, skipped_bytes + region.length_bytes, offset=region.offset_bytes - skipped_bytes
            )
        except (OSError, ValueError, OverflowError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            raise PeerBroke(
                f"memory region at guest address {region.guest_address:#x} cannot be mapped: {reason}"
            ) from None
        self._maps.append(mapping)
        view = memoryview(mapping)[skipped_bytes:]
        self._views.append(view)
        return view

    def _unmap(self) -> None:
        for view in self._views:
            view.release()
        for mapping in self._maps:
            mapping.close()
        close_descriptors(self._descriptors)
        self._views.clear()
        self._maps.clear()
        self._descriptors = ()
        self.regions = ()


def _refuse_overlap(what: str, placed: Iterable[tuple[int, MemoryRegion]]) -> None:
    """Raise :class:`PeerBroke` for regions that share an address, are empty, or exceed the address space."""
    ordered = sorted(placed, key=lambda pair: pair[0])
    for address, region in ordered:
        if not region.length_bytes or address + region.length_bytes > _ADDRESS_LIMIT:
            raise PeerBroke(
                f"a memory region has {region.length_bytes:#x} bytes at {what} address {address:#x};"
                " it must hold something and end within 64 bits"
            )
    for (address, region), (following, _) in pairwise(ordered):
        if following < address + region.length_bytes:
            raise PeerBroke(f"memory regions at {what} addresses {address:#x} and {following:#x} overlap")
