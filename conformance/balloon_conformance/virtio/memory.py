"""Guest memory: regions of guest-physical addresses over buffers the suite can write.

A region's buffer may be a bytearray, an ``mmap`` or a memoryview of either. Nothing here copies more than
the bytes asked for, so a region may be as large as the guest.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from dataclasses import dataclass
from mmap import mmap
from typing import TYPE_CHECKING, Final, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

__all__ = ["ADDRESS_LIMIT", "GuestMemory", "GuestMemoryError", "Region", "WritableBuffer"]

ADDRESS_LIMIT: Final = 1 << 64
"""One past the highest guest-physical address."""

WritableBuffer = bytearray | memoryview | mmap


class GuestMemoryError(Exception):
    """An access or a region that guest memory cannot serve.

    ``address`` is guest-physical, ``length_bytes`` is the length asked for, and ``regions`` are the (first
    address, length in bytes) pairs that exist.
    """

    def __init__(
        self, detail: str, address: int, length_bytes: int, regions: tuple[tuple[int, int], ...] = ()
    ) -> None:
        super().__init__(detail, address, length_bytes, regions)
        self.detail = detail
        self.address = address
        self.length_bytes = length_bytes
        self.regions = regions

    def __str__(self) -> str:
        known = ", ".join(f"{first:#x} to {first + length:#x}" for first, length in self.regions)
        return (
            f"{self.length_bytes} bytes at guest address {self.address:#x}: {self.detail}"
            f" (guest memory is {known or 'empty'})"
        )


@dataclass(frozen=True, slots=True)
class Region:
    """Guest-physical addresses from ``guest_address`` on, backed by every byte of ``data``.

    Raises :class:`GuestMemoryError` for a buffer that is read-only, empty, not contiguous, or that
    passes the end of the 64-bit address space.
    """

    guest_address: int
    data: WritableBuffer

    def __post_init__(self) -> None:
        with memoryview(self.data) as view:
            length_bytes, usable = view.nbytes, not view.readonly and view.c_contiguous
        if not usable:
            raise GuestMemoryError(
                "the buffer must be writable and contiguous", self.guest_address, length_bytes
            )
        if not length_bytes:
            raise GuestMemoryError("a region must not be empty", self.guest_address, length_bytes)
        if self.guest_address < 0 or self.guest_address + length_bytes > ADDRESS_LIMIT:
            raise GuestMemoryError(
                "a region must lie within 64-bit addresses", self.guest_address, length_bytes
            )

    @property
    def length_bytes(self) -> int:
        """How many bytes the region holds."""
        with memoryview(self.data) as view:
            return view.nbytes


class GuestMemory:
    """A guest's memory: regions in ascending order, which may touch and must not overlap.

    Accesses may span regions that touch. Every access outside raises :class:`GuestMemoryError`; an access
    of zero bytes touches nothing and is inside at any address. While this object lives it keeps its
    buffers exported, so an ``mmap`` can be closed only after :meth:`release`; use it as a context manager
    or call that method.
    """

    __slots__ = ("_ends", "_handed_out", "_released", "_starts", "_views")

    def __init__(self, regions: Iterable[Region]) -> None:
        """Take regions in any order; raises :class:`GuestMemoryError` when two overlap or none is given."""
        ordered = sorted(regions, key=lambda region: region.guest_address)
        if not ordered:
            raise GuestMemoryError("guest memory needs at least one region", 0, 0)
        self._starts = [region.guest_address for region in ordered]
        self._ends = [region.guest_address + region.length_bytes for region in ordered]
        for start, end, following in zip(self._starts, self._ends, self._starts[1:], strict=False):
            if following < end:
                raise self._error(f"this region overlaps the one at {following:#x}", start, end - start)
        self._views = [memoryview(region.data).cast("B") for region in ordered]
        self._handed_out: dict[tuple[int, int, str], memoryview] = {}
        self._released = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"GuestMemory({', '.join(f'{first:#x}+{length:#x}' for first, length in self.ranges)})"

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The regions as (first guest address, length in bytes), ascending."""
        return tuple((start, end - start) for start, end in zip(self._starts, self._ends, strict=True))

    def contains(self, address: int, length_bytes: int) -> bool:
        """Whether every one of ``length_bytes`` bytes from ``address`` on is in some region."""
        if length_bytes <= 0:
            return length_bytes == 0
        end = address + length_bytes
        index = bisect_right(self._starts, address) - 1
        while 0 <= index < len(self._starts) and self._starts[index] <= address < self._ends[index]:
            if end <= self._ends[index]:
                return True
            address = self._ends[index]
            index += 1
        return False

    def read(self, address: int, length_bytes: int) -> bytes:
        """Return a copy of ``length_bytes`` bytes; each byte of guest memory is read once."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and 0 <= length_bytes <= self._ends[index] - address and not self._released:
            offset = address - self._starts[index]
            return bytes(self._views[index][offset : offset + length_bytes])
        return b"".join(bytes(view[low:high]) for view, low, high in self._pieces(address, length_bytes))

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Store ``data`` (bytes) from ``address`` on. Nothing is stored when any byte would fall outside."""
        length_bytes = len(data)
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and length_bytes <= self._ends[index] - address and not self._released:
            offset = address - self._starts[index]
            self._views[index][offset : offset + length_bytes] = data
            return
        taken = 0
        for view, low, high in self._pieces(address, length_bytes):
            view[low:high] = data[taken : taken + high - low]
            taken += high - low

    def view(self, address: int, length_bytes: int) -> memoryview:
        """Return the bytes themselves, not a copy, as a view that :meth:`release` ends.

        Raises :class:`GuestMemoryError` when they do not lie within one region: a view cannot span two.
        """
        return self._hand_out(address, length_bytes, "B")

    def words(self, address: int, length_bytes: int) -> memoryview:
        """Return the little-endian 16-bit words at ``address`` as a view that :meth:`release` ends.

        Storing an item of the view is one 16-bit store, as an index that another thread or process reads
        must be. ``struct.pack_into`` is unfit for it: it clears the bytes before it fills them, so the
        other side may see an index of zero in between.
        Raises :class:`GuestMemoryError` as :meth:`view` does, and on a big-endian machine.
        """
        if sys.byteorder != "little":
            raise self._error("rings need a little-endian machine", address, length_bytes)
        return self._hand_out(address, length_bytes, "H")

    def release(self) -> None:
        """Give every buffer back; each later access raises. Views that were handed out end as well."""
        self._released = True
        for view in [*self._handed_out.values(), *self._views]:
            view.release()
        self._handed_out.clear()

    def _hand_out(self, address: int, length_bytes: int, code: Literal["B", "H"]) -> memoryview:
        # Kept by address and length, so setting up a queue again after a reset costs nothing more.
        key = (address, length_bytes, code)
        if key not in self._handed_out:
            pieces = list(self._pieces(address, length_bytes))
            if len(pieces) != 1:
                raise self._error("this must lie within one region", address, length_bytes)
            view, low, high = pieces[0]
            self._handed_out[key] = view[low:high].cast(code)
        return self._handed_out[key]

    def _pieces(self, address: int, length_bytes: int) -> Iterator[tuple[memoryview, int, int]]:
        """Cut a range into (view, low, high), after checking that all of it is inside."""
        if self._released:
            raise self._error("guest memory was released", address, length_bytes)
        if not self.contains(address, length_bytes):
            raise self._error("this is not all in guest memory", address, length_bytes)
        end = address + length_bytes
        index = bisect_right(self._starts, address) - 1
        while address < end:
            start, high = self._starts[index], min(end, self._ends[index])
            yield self._views[index], address - start, high - start
            address = high
            index += 1

    def _error(self, detail: str, address: int, length_bytes: int) -> GuestMemoryError:
        return GuestMemoryError(detail, address, length_bytes, self.ranges)
