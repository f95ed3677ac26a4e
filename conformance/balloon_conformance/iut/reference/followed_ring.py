"""Rings that only a broken driver lays, followed by a device that keeps every requirement."""

from __future__ import annotations

from typing import Final

from balloon_conformance.iut.lent_buffers import LentBuffers
from balloon_conformance.iut.ring_breach import RingBreach
from balloon_conformance.virtio import DeviceQueue, GuestMemory, Region, RingError
from balloon_spec.segments import Range

__all__ = ["follow", "places"]

_SIZE: Final = 128
_BYTES: Final = 1 << 16
_ADDRESS: Final = 0x7F_0000_0000
"""Above any guest memory, and below what a page frame number can name."""


class _NoRam:
    """No guest memory beside that of the rings."""

    def contains(self, address: int, length_bytes: int) -> bool:
        """Tell that nothing is there."""
        del address, length_bytes
        return False

    def lay(self, address: int, data: bytes) -> None:
        """Do nothing; nobody asks for it."""

    def read(self, address: int, length_bytes: int) -> bytes:
        """Return nothing; nobody asks for it."""
        del address, length_bytes
        return b""


def places(queue: int) -> tuple[Range, Range, Range]:
    """Return where the three parts of a queue would lie if buffers came in rings."""
    lent = LentBuffers(GuestMemory([Region(0, bytearray(_BYTES))]), 0, _BYTES, ram=_NoRam())
    lent.set_up(0, _SIZE)
    base = _ADDRESS + queue * _BYTES
    first, second, third = ((base + start, base + end) for start, end in lent.rings(0))
    return first, second, third


def follow(breach: RingBreach, *, indirect: bool) -> int:
    """Lay the breach into rings of its own and take what is there; return how many buffers could be taken.

    ``indirect`` tells whether INDIRECT_DESC is negotiated.
    """
    memory = GuestMemory([Region(0, bytearray(_BYTES))])
    lent = LentBuffers(memory, 0, _BYTES, ram=_NoRam(), indirect=indirect)
    layout = lent.set_up(0, _SIZE)
    lent.break_ring(0, breach)
    queue = DeviceQueue(memory, layout, indirect=indirect)
    taken = 0
    try:
        while queue.pop() is not None:
            taken += 1
    except RingError:
        # The device skips the chain, or leaves the queue alone until the reset.
        pass
    memory.release()
    return taken
