"""The device's side of a split virtqueue: takes available buffers, gives them back used (VIRTIO 1.2, 2.7).

The driver may be broken or hostile, and it may write to shared memory at any time. So everything read from
the rings is checked, and nothing is read twice: each index and each descriptor is copied once, a whole
indirect table at once, and only the copies are used. A violation is a
:class:`~balloon_conformance.virtio.ring.RingError`, which is the driver's fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from balloon_conformance.virtio.memory import GuestMemory, GuestMemoryError
from balloon_conformance.virtio.ring import (
    AVAILABLE_NO_INTERRUPT,
    CHAIN_LIMIT_BYTES,
    DESCRIPTOR,
    DESCRIPTOR_BYTES,
    QUEUE_SIZE_LIMIT,
    USED_ELEMENT,
    USED_ELEMENT_BYTES,
    USED_NO_NOTIFY,
    DescriptorFlag,
    Fence,
    RingError,
    RingFault,
    RingLayout,
    RingViews,
    Segment,
    need_event,
)

__all__ = ["Chain", "DeviceQueue"]

_NEXT: Final = int(DescriptorFlag.NEXT)
_WRITE: Final = int(DescriptorFlag.WRITE)
_INDIRECT: Final = int(DescriptorFlag.INDIRECT)

_Entry = tuple[int, int, int, int]
"""A descriptor that was read: its slot, address, length in bytes, flags."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One available buffer, checked: every segment is in guest memory, readable ones come first."""

    head: int
    readable: tuple[Segment, ...]
    writable: tuple[Segment, ...]

    @property
    def readable_bytes(self) -> int:
        """How many bytes the device may read."""
        return sum(segment.length_bytes for segment in self.readable)

    @property
    def writable_bytes(self) -> int:
        """How many bytes the device may write."""
        return sum(segment.length_bytes for segment in self.writable)


class DeviceQueue:
    """The device's side of one virtqueue that a driver has laid out.

    One thread at a time may use it. If guest memory is replaced, or the queue is stopped and started, create
    another with ``next_available`` of the old one.
    """

    def __init__(
        self,
        memory: GuestMemory,
        layout: RingLayout,
        *,
        indirect: bool = False,
        event_index: bool = False,
        next_available: int = 0,
    ) -> None:
        """Attach to the queue; the flags say that VIRTIO_F_INDIRECT_DESC and _EVENT_IDX were negotiated.

        ``next_available`` is the available index to go on from; the used index goes on from the one in
        memory. Raises :class:`RingError` when the layout is not in guest memory.
        """
        self._memory = memory
        self._ring = RingViews(memory, layout)
        self._size = layout.size
        self._indirect = indirect
        self._event_index = event_index
        self._in_flight: set[int] = set()
        # These count without bound; their low 16 bits are the index in the used ring.
        self._used = self._ring.used[1]
        # None: nobody knows what was signalled before this object existed.
        self._signalled: int | None = 0 if self._used == 0 else None
        self._notifications = True
        self._fence = Fence()
        self._ring.used[0] = 0
        self.next_available = next_available

    @property
    def layout(self) -> RingLayout:
        """The addresses and the size of the queue."""
        return self._ring.layout

    @property
    def in_flight(self) -> frozenset[int]:
        """The heads that were taken and not given back yet."""
        return frozenset(self._in_flight)

    @property
    def next_available(self) -> int:
        """The 16-bit index of the available entry that is taken next; vhost-user's vring base."""
        return self._next_available

    @next_available.setter
    def next_available(self, index: int) -> None:
        if not 0 <= index <= 0xFFFF:
            raise ValueError(f"available index {index} is not a 16-bit number")
        self._next_available = index
        self._ask_at_next()

    @property
    def available_index(self) -> int:
        """The 16-bit index up to which the driver has filled the available ring; it is not checked."""
        return self._ring.available[1]

    @property
    def used_index(self) -> int:
        """The 16-bit index of the used entry that is filled next."""
        return self._used & 0xFFFF

    def pop(self) -> Chain | None:
        """Take the next available buffer, or None when there is none.

        Segments of zero bytes are kept; their addresses are not checked. Raises :class:`RingError`. The
        faulty entry is consumed, so that the next pop goes on behind it, and the error's ``head`` is in
        flight when it names one. An index that jumped is no entry: each later pop raises again.
        """
        position = self._next_available
        available = self._ring.available
        index = available[1]
        if index == position:
            if not (self._event_index and self._notifications):
                return None
            # The driver may have added before it could see the event that the last pop stored.
            self._fence()
            index = available[1]
            if index == position:
                return None
        pending = (index - position) & 0xFFFF
        if pending > self._size:
            raise RingError(
                RingFault.AVAILABLE_JUMP,
                f"available ring, index {index}",
                f"the index is {pending} ahead of {position}; the queue has {self._size} entries",
            )
        entry = position & (self._size - 1)
        head = available[2 + entry]
        self._next_available = (position + 1) & 0xFFFF
        self._ask_at_next()
        if head >= self._size:
            raise RingError(
                RingFault.HEAD_OUT_OF_RANGE,
                f"available ring entry {entry}, index {position}",
                f"head {head} is not below the queue size {self._size}",
            )
        if head in self._in_flight:
            raise RingError(
                RingFault.HEAD_IN_FLIGHT,
                f"available ring entry {entry}, index {position}",
                f"head {head} was made available again before it was used",
            )
        self._in_flight.add(head)
        return self._chain(head)

    def read(self, chain: Chain, *, limit_bytes: int | None = None) -> bytes:
        """Return the readable bytes of a chain, each read once; ``limit_bytes`` stops there.

        Segments may overlap, so a small guest can offer 4 GiB: set a limit where that matters.
        """
        if len(chain.readable) == 1:
            only = chain.readable[0]
            taken_bytes = only.length_bytes if limit_bytes is None else min(only.length_bytes, limit_bytes)
            return self._memory.read(only.address, taken_bytes)
        left_bytes = chain.readable_bytes if limit_bytes is None else limit_bytes
        parts = []
        for segment in chain.readable:
            taken_bytes = min(left_bytes, segment.length_bytes)
            parts.append(self._memory.read(segment.address, taken_bytes))
            left_bytes -= taken_bytes
        return b"".join(parts)

    def write(self, chain: Chain, data: bytes | bytearray | memoryview) -> int:
        """Store ``data`` (bytes) in the writable segments and return how many bytes fitted."""
        written = 0
        for segment in chain.writable:
            part = data[written : written + segment.length_bytes]
            self._memory.write(segment.address, part)
            written += len(part)
        return written

    def push(self, head: int, length_bytes: int) -> None:
        """Give a buffer back as used; ``length_bytes`` is how many bytes were written to it, from its start.

        Raises :class:`ValueError` for a head that is not in flight. The length is not judged.
        """
        if head not in self._in_flight:
            raise ValueError(f"head {head} is not in flight; push each chain once, after it was popped")
        self._in_flight.remove(head)
        self.push_raw(head, length_bytes)

    def push_raw(self, element_id: int, length_bytes: int) -> None:
        """Put any 32-bit id and length in the used ring, as a broken device would; nothing leaves flight."""
        entry = self._used & (self._size - 1)
        USED_ELEMENT.pack_into(self._ring.used_elements, USED_ELEMENT_BYTES * entry, element_id, length_bytes)
        self._used += 1
        # The index is the last store: whoever sees it also sees the element and the data. x86 keeps stores
        # in program order, and each of these is a call of its own to the interpreter.
        self._ring.used[1] = self._used & 0xFFFF

    def needs_interrupt(self) -> bool:
        """Whether the driver wants to hear of the buffers pushed since this was last asked (2.7.7).

        Ask once after each batch of :meth:`push`, and notify the driver when it is true.
        """
        self._fence()
        signalled, self._signalled = self._signalled, self._used
        if signalled == self._used:
            return False
        if not self._event_index:
            return not self._ring.available[0] & AVAILABLE_NO_INTERRUPT
        if signalled is None or self._used - signalled > 0xFFFF:
            return True
        return need_event(self._ring.available[self._ring.used_event], self._used, signalled)

    def suppress_notifications(self) -> None:
        """Ask the driver for no available buffer notifications (2.7.10); it may send some nevertheless."""
        self._notifications = False
        if not self._event_index:
            self._ring.used[0] = USED_NO_NOTIFY

    def enable_notifications(self) -> bool:
        """Ask for notifications again; true when buffers are available, so pop before waiting."""
        self._notifications = True
        if self._event_index:
            self._ask_at_next()
        else:
            self._ring.used[0] = 0
        self._fence()
        return bool(self._ring.available[1] != self._next_available)

    def _ask_at_next(self) -> None:
        if self._event_index and self._notifications:
            self._ring.used[self._ring.available_event] = self._next_available

    def _chain(self, head: int) -> Chain:
        """Read and check the chain at ``head``."""
        address, length_bytes, flags, _ = DESCRIPTOR.unpack_from(
            self._ring.descriptors, DESCRIPTOR_BYTES * head
        )
        if not flags & ~_WRITE and self._memory.contains(address, length_bytes):
            # Most buffers are one descriptor with nothing wrong. Every other chain is read anew below.
            segments = (Segment(address, length_bytes, bool(flags)),)
            return Chain(head, (), segments) if flags else Chain(head, segments, ())
        entries = self._walk(self._ring.descriptors, self._size, head, head, None)
        readable: list[Segment] = []
        writable: list[Segment] = []
        slot, address, length_bytes, flags = entries[-1]
        if flags & _INDIRECT:
            del entries[-1]
            self._sort(entries, head, None, readable, writable)
            table = self._table(slot, address, length_bytes, head)
            inner = self._walk(table, length_bytes // DESCRIPTOR_BYTES, 0, head, address)
            self._sort(inner, head, address, readable, writable)
        else:
            self._sort(entries, head, None, readable, writable)
        if len(readable) + len(writable) > self._size:
            raise RingError(
                RingFault.CHAIN_LENGTH,
                f"chain at head {head}",
                f"{len(readable) + len(writable)} descriptors; the queue has {self._size} entries",
                head,
            )
        chain = Chain(head, tuple(readable), tuple(writable))
        total_bytes = chain.readable_bytes + chain.writable_bytes
        if total_bytes > CHAIN_LIMIT_BYTES:
            raise RingError(
                RingFault.TOTAL_LENGTH,
                f"chain at head {head}",
                f"{total_bytes} bytes in total are more than 2**32",
                head,
            )
        return chain

    def _walk(
        self, table: memoryview | bytes, count: int, first: int, head: int, table_address: int | None
    ) -> list[_Entry]:
        """Follow a chain through a table of ``count`` entries, to its end or to an indirect descriptor."""
        entries: list[_Entry] = []
        slot = first
        while True:
            address, length_bytes, flags, following = DESCRIPTOR.unpack_from(table, DESCRIPTOR_BYTES * slot)
            entries.append((slot, address, length_bytes, flags))
            if not flags & (_NEXT | _INDIRECT):
                return entries
            place = _place(slot, head, table_address)
            if flags & _INDIRECT:
                if table_address is not None:
                    raise RingError(
                        RingFault.INDIRECT_NESTED, place, "INDIRECT is set inside an indirect table", head
                    )
                if not self._indirect:
                    raise RingError(
                        RingFault.INDIRECT_NOT_NEGOTIATED,
                        place,
                        "INDIRECT is set, but VIRTIO_F_INDIRECT_DESC was not negotiated",
                        head,
                    )
                if flags & _NEXT:
                    raise RingError(
                        RingFault.INDIRECT_WITH_NEXT, place, "INDIRECT and NEXT are both set", head
                    )
                return entries
            if following >= count:
                raise RingError(
                    RingFault.NEXT_OUT_OF_RANGE,
                    place,
                    f"next {following} is not below the {count} entries of the table",
                    head,
                )
            # A walk that goes on after as many steps as the table has entries must meet an entry twice.
            if len(entries) == count:
                raise RingError(RingFault.LOOP, place, f"the chain loops; next is {following}", head)
            slot = following

    def _table(self, slot: int, address: int, length_bytes: int, head: int) -> bytes:
        """Copy an indirect table out of guest memory."""
        place = _place(slot, head, None)
        # More entries than the largest queue cannot be a legal chain, and the copy needs a bound.
        if not 0 < length_bytes <= DESCRIPTOR_BYTES * QUEUE_SIZE_LIMIT or length_bytes % DESCRIPTOR_BYTES:
            raise RingError(
                RingFault.INDIRECT_LENGTH,
                place,
                f"an indirect table of {length_bytes} bytes is not one of 1 to {QUEUE_SIZE_LIMIT} descriptors"
                f" of {DESCRIPTOR_BYTES} bytes",
                head,
            )
        try:
            return self._memory.read(address, length_bytes)
        except GuestMemoryError as error:
            raise RingError(
                RingFault.OUTSIDE_MEMORY, place, f"the indirect table is outside: {error}", head
            ) from error

    def _sort(
        self,
        entries: list[_Entry],
        head: int,
        table_address: int | None,
        readable: list[Segment],
        writable: list[Segment],
    ) -> None:
        """Check descriptors that were read and append them to the segments of their direction."""
        for slot, address, length_bytes, flags in entries:
            if length_bytes and not self._memory.contains(address, length_bytes):
                raise RingError(
                    RingFault.OUTSIDE_MEMORY,
                    _place(slot, head, table_address),
                    f"{length_bytes} bytes at {address:#x} are not all in guest memory",
                    head,
                )
            if flags & _WRITE:
                writable.append(Segment(address, length_bytes, writable=True))
            elif writable:
                raise RingError(
                    RingFault.READABLE_AFTER_WRITABLE,
                    _place(slot, head, table_address),
                    "a device-readable descriptor follows a device-writable one",
                    head,
                )
            else:
                readable.append(Segment(address, length_bytes))


def _place(slot: int, head: int, table_address: int | None) -> str:
    table = "" if table_address is None else f" of the indirect table at {table_address:#x}"
    return f"descriptor {slot}{table}, chain at head {head}"
