"""The parts of a split virtqueue both sides share: layout, flags, elements, errors (VIRTIO 1.2, 2.7).

::

    descriptor table  16 bytes each: le64 address, le32 length, le16 flags, le16 next
    available ring    le16 flags, le16 index, le16 head[size], le16 used_event
    used ring         le16 flags, le16 index, {le32 head, le32 length}[size], le16 available_event
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, StrEnum
from itertools import pairwise
from struct import Struct
from threading import Lock
from typing import Final

from balloon_conformance.virtio.memory import ADDRESS_LIMIT, GuestMemory, GuestMemoryError

__all__ = [
    "AVAILABLE_NO_INTERRUPT",
    "CHAIN_LIMIT_BYTES",
    "DESCRIPTOR",
    "DESCRIPTOR_BYTES",
    "QUEUE_SIZE_LIMIT",
    "USED_ELEMENT",
    "USED_ELEMENT_BYTES",
    "USED_NO_NOTIFY",
    "Descriptor",
    "DescriptorFlag",
    "Fence",
    "RingError",
    "RingFault",
    "RingLayout",
    "RingViews",
    "Segment",
    "UsedElement",
    "need_event",
]

DESCRIPTOR: Final = Struct("<QIHH")
USED_ELEMENT: Final = Struct("<II")
DESCRIPTOR_BYTES: Final = 16
USED_ELEMENT_BYTES: Final = 8
QUEUE_SIZE_LIMIT: Final = 32768
LEGACY_ALIGNMENT_BYTES: Final = 4096
"""What the used ring is aligned to with the legacy interface."""
CHAIN_LIMIT_BYTES: Final = 1 << 32
"""The most bytes one chain may hold in total (2.7.5)."""

AVAILABLE_NO_INTERRUPT: Final = 1
"""Flag of the available ring: the driver wants no used buffer notification (2.7.7)."""
USED_NO_NOTIFY: Final = 1
"""Flag of the used ring: the device wants no available buffer notification (2.7.10)."""


class DescriptorFlag(IntFlag):
    """Flags of a descriptor (2.7.5)."""

    NEXT = 1
    WRITE = 2
    INDIRECT = 4


class RingFault(StrEnum):
    """The kinds of faults of a ring, for a program; :class:`RingError` says the same to a person."""

    LAYOUT = "layout"
    AVAILABLE_JUMP = "available-jump"
    HEAD_OUT_OF_RANGE = "head-out-of-range"
    HEAD_IN_FLIGHT = "head-in-flight"
    NEXT_OUT_OF_RANGE = "next-out-of-range"
    LOOP = "loop"
    CHAIN_LENGTH = "chain-length"
    INDIRECT_NOT_NEGOTIATED = "indirect-not-negotiated"
    INDIRECT_WITH_NEXT = "indirect-with-next"
    INDIRECT_NESTED = "indirect-nested"
    INDIRECT_LENGTH = "indirect-length"
    READABLE_AFTER_WRITABLE = "readable-after-writable"
    OUTSIDE_MEMORY = "outside-memory"
    TOTAL_LENGTH = "total-length"
    USED_JUMP = "used-jump"
    USED_NOT_IN_FLIGHT = "used-not-in-flight"


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a buffer: ``length_bytes`` at guest ``address``, device-writable or device-readable."""

    address: int
    length_bytes: int
    writable: bool = False


@dataclass(frozen=True, slots=True)
class UsedElement:
    """One used buffer: the head of its chain, and how many bytes the device says it wrote (2.7.8)."""

    head: int
    length_bytes: int


class RingError(Exception):
    """The other side of a virtqueue broke its layout or its rules.

    ``fault`` is the kind of fault, for a program; ``place`` and ``detail`` tell a person where and what.
    ``head`` is the chain at fault, if it was taken from the ring and can still be given back as used.
    ``used`` holds the good elements that a poll collected before the bad one. ``queue`` is the index of the
    virtqueue; its owner sets it, because the queue does not know it.
    """

    queue: int | None = None

    def __init__(
        self,
        fault: RingFault,
        place: str,
        detail: str,
        head: int | None = None,
        used: tuple[UsedElement, ...] = (),
    ) -> None:
        super().__init__(fault, place, detail, head, used)
        self.fault = fault
        self.place = place
        self.detail = detail
        self.head = head
        self.used = used

    def __str__(self) -> str:
        return f"{self.place}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One descriptor as it lies in a table, legal or not: ``next`` is a slot of that table."""

    address: int
    length_bytes: int
    flags: int = 0
    next: int = 0

    def pack(self) -> bytes:
        """Return the 16 bytes (2.7.5); :class:`struct.error` for a field that does not fit its width."""
        return DESCRIPTOR.pack(self.address, self.length_bytes, self.flags, self.next)


@dataclass(frozen=True, slots=True)
class RingLayout:
    """The guest addresses of the three parts of a split virtqueue (2.7), and ``size`` in entries.

    Raises :class:`RingError` unless the size is a power of 2 up to 32768, the parts are aligned to 16, 2
    and 4 bytes, end below 2**64 and do not overlap. The bytes of the event fields are always counted.
    """

    size: int
    descriptors_address: int
    available_address: int
    used_address: int

    def __post_init__(self) -> None:
        if not 1 <= self.size <= QUEUE_SIZE_LIMIT or self.size & (self.size - 1):
            raise _layout_error(f"size {self.size} is not a power of 2 from 1 to {QUEUE_SIZE_LIMIT}")
        for name, address, length_bytes, alignment in self._parts():
            if address < 0 or address % alignment or address + length_bytes > ADDRESS_LIMIT:
                raise _layout_error(
                    f"the {name} at {address:#x} is not a 64-bit address aligned to {alignment}"
                )
        ordered = sorted(self._parts(), key=lambda part: part[1])
        for (name, address, length_bytes, _), (other, following, _, _) in pairwise(ordered):
            if following < address + length_bytes:
                raise _layout_error(f"the {name} at {address:#x} overlaps the {other} at {following:#x}")

    @classmethod
    def packed_at(cls, address: int, size: int) -> RingLayout:
        """Lay the three parts one behind the other from ``address`` on, which must be aligned to 16."""
        available_address = address + DESCRIPTOR_BYTES * size
        used_address = available_address + 6 + 2 * size
        return cls(size, address, available_address, used_address + -used_address % 4)

    @classmethod
    def legacy_at(cls, address: int, size: int) -> RingLayout:
        """Lay the parts out as the legacy interface has them (2.7.2), from a multiple of 4096 on."""
        available_address = address + DESCRIPTOR_BYTES * size
        used_address = available_address + 6 + 2 * size
        return cls(size, address, available_address, used_address + -used_address % LEGACY_ALIGNMENT_BYTES)

    @property
    def descriptors_bytes(self) -> int:
        """Length of the descriptor table."""
        return DESCRIPTOR_BYTES * self.size

    @property
    def available_bytes(self) -> int:
        """Length of the available ring with its used_event."""
        return 6 + 2 * self.size

    @property
    def used_bytes(self) -> int:
        """Length of the used ring with its available_event."""
        return 6 + USED_ELEMENT_BYTES * self.size

    @property
    def end_address(self) -> int:
        """One past the last byte of the part that lies highest."""
        return max(address + length_bytes for _, address, length_bytes, _ in self._parts())

    @property
    def used_event_address(self) -> int:
        """The address at which the driver writes the used index at which it wants a notification."""
        return self.available_address + 4 + 2 * self.size

    @property
    def available_event_address(self) -> int:
        """The address at which the device writes the available index at which it wants a notification."""
        return self.used_address + 4 + USED_ELEMENT_BYTES * self.size

    def _parts(self) -> tuple[tuple[str, int, int, int], ...]:
        return (
            ("descriptor table", self.descriptors_address, self.descriptors_bytes, 16),
            ("available ring", self.available_address, self.available_bytes, 2),
            ("used ring", self.used_address, self.used_bytes, 4),
        )


class RingViews:
    """One queue's three parts in guest memory.

    ``descriptors`` and ``used_elements`` are bytes, for the structs above; ``available`` and ``used`` are
    16-bit words, so that flags, indices and events are loaded and stored whole. In words, flags are 0, the
    index is 1, and the event of each ring is at ``used_event`` and ``available_event``.
    Raises :class:`RingError` when a part is not in guest memory, within one region.
    """

    __slots__ = (
        "available",
        "available_event",
        "descriptors",
        "layout",
        "used",
        "used_elements",
        "used_event",
    )

    def __init__(self, memory: GuestMemory, layout: RingLayout) -> None:
        try:
            self.descriptors = memory.view(layout.descriptors_address, layout.descriptors_bytes)
            self.available = memory.words(layout.available_address, layout.available_bytes)
            self.used = memory.words(layout.used_address, layout.used_bytes)
            self.used_elements = memory.view(layout.used_address + 4, USED_ELEMENT_BYTES * layout.size)
        except GuestMemoryError as error:
            raise RingError(RingFault.OUTSIDE_MEMORY, "ring layout", str(error)) from error
        self.layout = layout
        self.used_event = 2 + layout.size
        self.available_event = 2 + 4 * layout.size


class Fence:
    """Orders a store before the loads that follow it; call it between the two.

    Publishing an index and then reading whether the other side wants a notification needs this even on
    x86, where a load may pass an earlier store to another address: without it both sides can conclude
    that no notification is due. Python has no fence, but taking a lock is a locked instruction, which is
    one. (Stores among themselves stay in order on x86, and the interpreter does not reorder them.)
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = Lock()

    def __call__(self) -> None:
        """Take the lock and give it back."""
        with self._lock:
            pass


def need_event(event: int, new: int, old: int) -> bool:
    """Whether moving an index from ``old`` to ``new`` passed ``event``: vring_need_event, modulo 2**16."""
    return (new - event - 1) & 0xFFFF < (new - old) & 0xFFFF


def _layout_error(detail: str) -> RingError:
    return RingError(RingFault.LAYOUT, "ring layout", detail)
