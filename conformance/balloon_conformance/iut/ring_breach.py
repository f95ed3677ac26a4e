"""Virtqueues that no driver may lay: what is wrong with them, and how it is laid.

A breach leaves the buffers of the queue alone: its chains have slots of their own. Whatever a device reads of
it, also one that ignores the flag of an indirect descriptor, names no page that exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from balloon_conformance.virtio import Descriptor, DescriptorFlag, DriverQueue

__all__ = ["RingBreach", "lay"]

_NO_PAGE: Final = 0x7FFF_FFFF
"""A page beyond any memory."""
_LENGTH: Final = 4
"""The length of every descriptor of a breach: one entry of an array, or a message that is too short."""
_NOWHERE: Final = 0x7F00_0000_0000
_INDEX_BITS: Final = 0xFFFF
_DESCRIPTOR_BYTES: Final = 16
_NEXT, _INDIRECT = DescriptorFlag.NEXT, DescriptorFlag.INDIRECT


class RingBreach(StrEnum):
    """What is wrong with a virtqueue, so that no device can take what the driver put there."""

    NEXT_TO_ITSELF = "next-to-itself"
    """A descriptor is followed by itself."""
    NEXT_TO_HEAD = "next-to-head"
    """The third descriptor of a chain is followed by the first."""
    NEXT_BEYOND_TABLE = "next-beyond-table"
    """A descriptor is followed by the first one behind the table."""
    NEXT_FAR_BEYOND = "next-far-beyond"
    """A descriptor is followed by number 65535."""
    HEAD_BEYOND_TABLE = "head-beyond-table"
    """The chain begins with the first descriptor behind the table."""
    HEAD_FAR_BEYOND = "head-far-beyond"
    """The chain begins with descriptor number 65535."""
    INDEX_AHEAD = "index-ahead"
    """The available index moves by one more than the queue has entries."""
    INDEX_BEHIND = "index-behind"
    """The available index moves back by one."""
    INDIRECT_UNASKED = "indirect-unasked"
    """A descriptor is indirect, and INDIRECT_DESC is not negotiated."""
    INDIRECT_EMPTY = "indirect-empty"
    """An indirect table has no bytes."""
    INDIRECT_ODD = "indirect-odd"
    """An indirect table has one descriptor and a half."""
    INDIRECT_NESTED = "indirect-nested"
    """A descriptor of an indirect table is indirect."""
    INDIRECT_LOOP = "indirect-loop"
    """The second descriptor of an indirect table is followed by the first."""
    INDIRECT_NEXT_BEYOND = "indirect-next-beyond"
    """A descriptor of an indirect table is followed by the first one behind the table."""
    INDIRECT_WITH_NEXT = "indirect-with-next"
    """An indirect descriptor is followed by another."""
    INDIRECT_LONGER = "indirect-longer"
    """An indirect table has one descriptor more than the queue has entries."""
    INDIRECT_NOWHERE = "indirect-nowhere"
    """An indirect table lies where no memory is."""

    @property
    def needs_indirect(self) -> bool:
        """Whether it is a breach of INDIRECT_DESC, which has to be negotiated."""
        return self in _TABLES


def _table(size: int, data: int) -> Mapping[RingBreach, tuple[Descriptor, ...]]:
    """Return the indirect table of each breach that has one; ``data`` is the address of the bytes."""
    last = Descriptor(data, _LENGTH)
    longer = tuple(Descriptor(data, _LENGTH, _NEXT, at + 1) for at in range(size))
    return {
        # A device that does not know the flag reads this as an array. No word of it names a page that exists.
        RingBreach.INDIRECT_UNASKED: (Descriptor(_NO_PAGE << 32 | _NO_PAGE, _NO_PAGE, 0, _NO_PAGE >> 16),),
        RingBreach.INDIRECT_EMPTY: (last,),
        RingBreach.INDIRECT_ODD: (Descriptor(data, _LENGTH, _NEXT, 1), last),
        RingBreach.INDIRECT_NESTED: (Descriptor(data, _DESCRIPTOR_BYTES, _INDIRECT),),
        RingBreach.INDIRECT_LOOP: tuple(Descriptor(data, _LENGTH, _NEXT, at) for at in (1, 0)),
        RingBreach.INDIRECT_NEXT_BEYOND: tuple(Descriptor(data, _LENGTH, _NEXT, at) for at in (1, 2)),
        RingBreach.INDIRECT_WITH_NEXT: (last,),
        RingBreach.INDIRECT_LONGER: (*longer, last),
        RingBreach.INDIRECT_NOWHERE: (last,),
    }


_TABLES: Final = frozenset(_table(1, 0)) - {RingBreach.INDIRECT_UNASKED}
_LENGTHS: Final[Mapping[RingBreach, int]] = MappingProxyType(
    {RingBreach.INDIRECT_EMPTY: 0, RingBreach.INDIRECT_ODD: 24}
)
"""The lengths of indirect tables that are not those of their descriptors."""


def lay(breach: RingBreach, queue: DriverQueue, put: Callable[[bytes], int]) -> None:
    """Lay a breach into a queue.

    ``put`` stores bytes in guest memory and returns their address; they stay there until the queue is laid
    anew. Raises :class:`ValueError` if no three descriptors in a row are free.
    """
    size = queue.layout.size
    match breach:
        case RingBreach.HEAD_BEYOND_TABLE:
            queue.add_raw((), size)
        case RingBreach.HEAD_FAR_BEYOND:
            queue.add_raw((), _INDEX_BITS)
        case RingBreach.INDEX_AHEAD:
            queue.overwrite_available_index((queue.available_index + size + 1) & _INDEX_BITS)
        case RingBreach.INDEX_BEHIND:
            queue.overwrite_available_index((queue.available_index - 1) & _INDEX_BITS)
        case _:
            base = queue.free_run(3)
            queue.add_raw(_chain(breach, size, base, put), base)


def _chain(breach: RingBreach, size: int, base: int, put: Callable[[bytes], int]) -> tuple[Descriptor, ...]:
    """Return the descriptors of a chain from slot ``base`` on; an indirect table is put into memory."""
    data = put(_NO_PAGE.to_bytes(_LENGTH, "little") * (_DESCRIPTOR_BYTES // _LENGTH))
    direct = {
        RingBreach.NEXT_TO_ITSELF: (base,),
        RingBreach.NEXT_TO_HEAD: (base + 1, base + 2, base),
        RingBreach.NEXT_BEYOND_TABLE: (size,),
        RingBreach.NEXT_FAR_BEYOND: (_INDEX_BITS,),
    }
    if breach in direct:
        return tuple(Descriptor(data, _LENGTH, _NEXT, following) for following in direct[breach])
    entries = _table(size, data)[breach]
    address = put(b"".join(one.pack() for one in entries))
    if breach is RingBreach.INDIRECT_NOWHERE:
        address = _NOWHERE
    table_bytes = _LENGTHS.get(breach, _DESCRIPTOR_BYTES * len(entries))
    if breach is RingBreach.INDIRECT_WITH_NEXT:
        return (Descriptor(address, table_bytes, _INDIRECT | _NEXT, base + 1), Descriptor(data, _LENGTH))
    return (Descriptor(address, table_bytes, _INDIRECT),)
