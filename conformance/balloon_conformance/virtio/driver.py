"""The driver's side of a split virtqueue: makes buffers available, collects used ones (VIRTIO 1.2, 2.7).

The device may be broken: what it writes to the used ring is read once and checked, and a violation is a
:class:`~balloon_conformance.virtio.ring.RingError`, which is the device's fault.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from balloon_conformance.virtio.memory import ADDRESS_LIMIT
from balloon_conformance.virtio.ring import (
    AVAILABLE_NO_INTERRUPT,
    CHAIN_LIMIT_BYTES,
    DESCRIPTOR,
    DESCRIPTOR_BYTES,
    USED_ELEMENT,
    USED_ELEMENT_BYTES,
    USED_NO_NOTIFY,
    Descriptor,
    DescriptorFlag,
    Fence,
    RingError,
    RingFault,
    RingLayout,
    RingViews,
    Segment,
    UsedElement,
    need_event,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from balloon_conformance.virtio.memory import GuestMemory

__all__ = ["DriverQueue", "QueueFullError"]

_NEXT: Final = int(DescriptorFlag.NEXT)
_WRITE: Final = int(DescriptorFlag.WRITE)
_INDIRECT: Final = int(DescriptorFlag.INDIRECT)


class QueueFullError(Exception):
    """Too few descriptors are free; poll for used buffers, then add again."""


class DriverQueue:
    """The driver's side of one virtqueue. It clears the rings, so create it before the device reads them.

    One thread at a time may use it; the device may run in another thread or process on the same memory.
    """

    def __init__(self, memory: GuestMemory, layout: RingLayout, *, event_index: bool = False) -> None:
        """Lay an empty queue into ``memory``; ``event_index`` says VIRTIO_F_EVENT_IDX was negotiated.

        Raises :class:`RingError` when the layout is not in guest memory.
        """
        self._memory = memory
        self._ring = RingViews(memory, layout)
        self._size = layout.size
        self._event_index = event_index
        memory.write(layout.descriptors_address, bytes(layout.descriptors_bytes))
        memory.write(layout.available_address, bytes(layout.available_bytes))
        memory.write(layout.used_address, bytes(layout.used_bytes))
        self._free = list(range(layout.size - 1, -1, -1))
        self._chains: dict[int, Sequence[int]] = {}
        # Heads made available by a raw chain that owns no slot, or a second time.
        self._unowned: Counter[int] = Counter()
        # Counts of all buffers ever; their low 16 bits are the indices in the rings.
        self._added = 0
        self._asked = 0
        self._collected = 0
        self._interrupts = True
        self._unsure = False
        self._due = False
        self._fence = Fence()

    @property
    def layout(self) -> RingLayout:
        """The addresses and the size of the queue."""
        return self._ring.layout

    @property
    def free_descriptors(self) -> int:
        """How many descriptors of the table are free."""
        return len(self._free)

    @property
    def available_index(self) -> int:
        """The 16-bit index that the available ring shows now."""
        return self._ring.available[1]

    def free_run(self, count: int) -> int:
        """Return the first of ``count`` neighbouring free slots; :class:`ValueError` if there are none."""
        free = set(self._free)
        for first in range(self._size - count + 1):
            if free.issuperset(range(first, first + count)):
                return first
        raise ValueError(f"no {count} neighbouring descriptors are free; poll for used buffers first")

    @property
    def in_flight(self) -> frozenset[int]:
        """The heads that were made available and did not come back yet."""
        return frozenset(self._chains) | frozenset(self._unowned)

    def add(self, segments: Sequence[Segment], *, indirect: int | None = None) -> int:
        """Make one buffer available and return the head of its chain.

        ``segments``: device-readable ones first, each of 1 to 2**32-1 bytes, 2**32 in total at most, and no
        more of them than the queue has entries. With ``indirect``, a guest address, their descriptors are
        written there as an indirect table (16 bytes each; it must stay untouched until the buffer is used)
        and the chain takes one entry; that VIRTIO_F_INDIRECT_DESC was negotiated is the caller's care.
        Whether the addresses are guest memory is not checked.

        Raises :class:`QueueFullError`, and :class:`ValueError` for what the protocol forbids: use
        :meth:`add_raw` to lay that on purpose.
        """
        count = len(segments)
        self._check(segments, count)
        free = self._free
        if indirect is not None:
            if not free:
                raise self._full(1)
            table = b"".join(
                DESCRIPTOR.pack(
                    segment.address,
                    segment.length_bytes,
                    (_WRITE if segment.writable else 0) | (_NEXT if following < count else 0),
                    following if following < count else 0,
                )
                for following, segment in enumerate(segments, 1)
            )
            self._memory.write(indirect, table)
            head = free.pop()
            self._chains[head] = (head,)
            DESCRIPTOR.pack_into(
                self._ring.descriptors, DESCRIPTOR_BYTES * head, indirect, len(table), _INDIRECT, 0
            )
        else:
            if count > len(free):
                raise self._full(count)
            chain = free[-count:]
            del free[-count:]
            # Laid from the tail, so that each descriptor knows the one that follows it.
            flags = following = 0
            for slot, segment in zip(chain, reversed(segments), strict=True):
                DESCRIPTOR.pack_into(
                    self._ring.descriptors,
                    DESCRIPTOR_BYTES * slot,
                    segment.address,
                    segment.length_bytes,
                    flags | _WRITE if segment.writable else flags,
                    following,
                )
                flags, following = _NEXT, slot
            head = chain[-1]
            self._chains[head] = chain
        self._publish(head)
        return head

    def add_raw(self, descriptors: Sequence[Descriptor], head: int) -> None:
        """Make a chain available exactly as given, however illegal.

        ``descriptors`` go to the slots ``head``, ``head`` + 1 and on; their ``next`` fields are slots of the
        table. ``head`` is any 16-bit number. With no descriptors only the head is made available: one
        outside the table, or one in flight already. The device may give a head back once for each time it
        was made available.

        Raises :class:`ValueError` when a slot is outside the table or belongs to another buffer in flight.
        """
        slots = range(head, head + len(descriptors))
        busy = [slot for slot in slots if slot not in self._free]
        if busy or not 0 <= head <= 0xFFFF:
            raise ValueError(
                f"cannot lay descriptors from slot {head} on: {busy} are in flight or outside the table"
            )
        if descriptors:
            table = b"".join(descriptor.pack() for descriptor in descriptors)
            first = DESCRIPTOR_BYTES * head
            self._ring.descriptors[first : first + len(table)] = table
            self._free = [slot for slot in self._free if slot not in slots]
            self._chains[head] = slots
        else:
            self._unowned[head] += 1
        self._publish(head)

    def overwrite_available_index(self, index: int) -> None:
        """Store any 16-bit index in the available ring, as a broken driver would; it ends the queue."""
        self._ring.available[1] = index

    def needs_notification(self) -> bool:
        """Whether the device wants to hear of the buffers added since this was last asked (2.7.10).

        Ask once after each batch of :meth:`add`, and notify the device when it is true.
        """
        self._fence()
        added = self._added - self._asked
        self._asked = self._added
        if not added:
            return False
        if not self._event_index:
            return not self._ring.used[0] & USED_NO_NOTIFY
        if added > 0xFFFF:
            return True
        return need_event(
            self._ring.used[self._ring.available_event], self._added & 0xFFFF, self._added - added
        )

    def poll(self) -> list[UsedElement]:
        """Collect every buffer the device used since the last poll, in its order, and free its descriptors.

        ``length_bytes`` is as the device wrote it, unjudged: it may exceed the buffer.

        Raises :class:`RingError` if the used index exceeds the buffers in flight, or an element names no head
        in flight. The error holds the good elements before that, and every later poll raises again.
        """
        ring = self._ring
        elements: list[UsedElement] = []
        self._due, self._unsure = self._interrupts and not self._unsure, False
        if ring.used[1] == self._collected & 0xFFFF and not self._event_index:
            return elements
        while True:
            index = ring.used[1]
            advance = (index - self._collected) & 0xFFFF
            if advance > self._added - self._collected:
                raise RingError(
                    RingFault.USED_JUMP,
                    f"used ring, index {index}",
                    f"the index moved by {advance} from {self._collected & 0xFFFF},"
                    f" but {self._added - self._collected} buffers were in flight",
                    None,
                    tuple(elements),
                )
            for _ in range(advance):
                elements.append(self._collect(elements))
            if not self._event_index or not self._interrupts:
                return elements
            ring.available[ring.used_event] = self._collected & 0xFFFF
            # The device may have used a buffer before it could see the new event, so look once more.
            self._fence()
            if ring.used[1] == self._collected & 0xFFFF:
                return elements

    def is_due(self, at: int) -> bool:
        """Tell whether the device owes a notification of element ``at`` of the last poll (2.7.7.2).

        With VIRTIO_F_EVENT_IDX only that of the first is certain: the device may have looked at used_event
        before it was stored anew.
        """
        return self._due and (at == 0 or not self._event_index)

    def suppress_interrupts(self) -> None:
        """Ask the device for no used buffer notifications (2.7.7); it may send some nevertheless."""
        self._interrupts = False
        if self._event_index:
            # The index just behind is the one the device reaches last.
            self._ring.available[self._ring.used_event] = (self._collected - 1) & 0xFFFF
        else:
            self._ring.available[0] = AVAILABLE_NO_INTERRUPT

    def enable_interrupts(self) -> bool:
        """Ask for notifications again; true when buffers were used meanwhile, so poll before waiting."""
        self._interrupts = True
        if self._event_index:
            self._ring.available[self._ring.used_event] = self._collected & 0xFFFF
        else:
            self._ring.available[0] = 0
        self._fence()
        # No notification is due for buffers that were used meanwhile.
        self._unsure = self._ring.used[1] != self._collected & 0xFFFF
        return self._unsure

    def _check(self, segments: Sequence[Segment], count: int) -> None:
        if not 1 <= count <= self._size:
            raise ValueError(f"a buffer of {count} segments does not fit a queue of {self._size} entries")
        writable, total_bytes = False, 0
        for segment in segments:
            if writable and not segment.writable:
                raise ValueError("a device-readable segment follows a device-writable one; order them")
            if not 0 <= segment.address < ADDRESS_LIMIT:
                raise ValueError(f"address {segment.address:#x} does not fit 64 bits")
            if not 1 <= segment.length_bytes <= 0xFFFFFFFF:
                raise ValueError(
                    f"a segment of {segment.length_bytes} bytes is not one of 1 to 2**32-1 bytes"
                )
            writable = segment.writable
            total_bytes += segment.length_bytes
        if total_bytes > CHAIN_LIMIT_BYTES:
            raise ValueError(f"a buffer of {total_bytes} bytes is longer than 2**32 bytes; cut it")

    def _full(self, needed: int) -> QueueFullError:
        return QueueFullError(
            f"the buffer needs {needed} descriptors and {len(self._free)} of {self._size} are free;"
            " poll for used buffers first"
        )

    def _publish(self, head: int) -> None:
        available = self._ring.available
        available[2 + (self._added & (self._size - 1))] = head
        self._added += 1
        # The index is the last store: whoever sees it also sees the entry and the descriptors. x86 keeps
        # stores in program order, and each of these is a call of its own to the interpreter.
        available[1] = self._added & 0xFFFF

    def _collect(self, before: list[UsedElement]) -> UsedElement:
        entry = self._collected & (self._size - 1)
        head, length_bytes = USED_ELEMENT.unpack_from(self._ring.used_elements, USED_ELEMENT_BYTES * entry)
        if head in self._unowned:
            self._unowned[head] -= 1
            self._unowned += Counter()  # drops the heads that reached zero
        elif head in self._chains:
            self._free.extend(self._chains.pop(head))
        else:
            raise RingError(
                RingFault.USED_NOT_IN_FLIGHT,
                f"used ring entry {entry}, index {self._collected & 0xFFFF}",
                f"id {head} is not the head of a buffer in flight",
                None,
                tuple(before),
            )
        self._collected += 1
        return UsedElement(head, length_bytes)
