"""A small allocator of guest memory, for the buffers a driver lends to a device."""

from __future__ import annotations

from bisect import bisect

__all__ = ["Arena", "ArenaExhaustedError"]


class ArenaExhaustedError(Exception):
    """No free range of an arena is long enough; the message names the length asked for and what is left."""


class Arena:
    """Hands out guest addresses of one range: first fit, and neighbours merge when they are freed.

    It computes addresses and touches no memory.
    """

    __slots__ = ("_address", "_free", "_length_bytes", "_taken")

    def __init__(self, address: int, length_bytes: int) -> None:
        """Manage ``length_bytes`` bytes from guest ``address`` on."""
        if address < 0 or length_bytes <= 0:
            raise ValueError(f"an arena of {length_bytes} bytes at {address:#x} holds nothing")
        self._address = address
        self._length_bytes = length_bytes
        self._free = [(address, address + length_bytes)]
        self._taken: dict[int, int] = {}

    @property
    def free_bytes(self) -> int:
        """How many bytes are free, in however many pieces."""
        return sum(end - start for start, end in self._free)

    def allocate(self, length_bytes: int, alignment: int = 16) -> int:
        """Return the guest address of ``length_bytes`` bytes, a multiple of ``alignment`` (a power of 2).

        Raises :class:`ArenaExhaustedError` when no free range fits.
        """
        if length_bytes <= 0 or alignment <= 0 or alignment & (alignment - 1):
            raise ValueError(f"{length_bytes} bytes aligned to {alignment}: need a length and a power of 2")
        for index, (start, end) in enumerate(self._free):
            address = start + -start % alignment
            past = address + length_bytes
            if past <= end:
                self._free[index : index + 1] = [
                    (low, high) for low, high in ((start, address), (past, end)) if low < high
                ]
                self._taken[address] = length_bytes
                return address
        longest = max((end - start for start, end in self._free), default=0)
        raise ArenaExhaustedError(
            f"no room for {length_bytes} bytes aligned to {alignment} in the arena of"
            f" {self._length_bytes} bytes at {self._address:#x}: {self.free_bytes} bytes are free,"
            f" {longest} in the longest range; free buffers first, or give the arena more memory"
        )

    def free(self, address: int) -> None:
        """Take back what :meth:`allocate` returned; :class:`ValueError` for any other address."""
        if address not in self._taken:
            raise ValueError(f"{address:#x} was not allocated from this arena, or was freed already")
        start, end = address, address + self._taken.pop(address)
        index = bisect(self._free, (start, end))
        if index < len(self._free) and self._free[index][0] == end:
            end = self._free.pop(index)[1]
        if index and self._free[index - 1][1] == start:
            index -= 1
            start = self._free.pop(index)[0]
        self._free.insert(index, (start, end))
