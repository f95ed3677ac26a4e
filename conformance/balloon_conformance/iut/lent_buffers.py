"""The driver's queues and the buffers lent to the device: laid out, watched, collected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.ring_breach import RingBreach, lay
from balloon_conformance.virtio import (
    Arena,
    ArenaExhaustedError,
    Descriptor,
    DescriptorFlag,
    DriverQueue,
    QueueFullError,
    RingError,
    RingLayout,
    Segment,
)
from balloon_conformance.virtio.ring import CHAIN_LIMIT_BYTES
from balloon_spec import events as ev
from balloon_spec.events import BufferAltered, RingBroken, Side, Used
from balloon_spec.pages import PAGE_BYTES
from balloon_spec.segments import Range

if TYPE_CHECKING:
    from collections.abc import Iterable

    from balloon_conformance.iut.contract import Buffer
    from balloon_conformance.virtio import GuestMemory, UsedElement
    from balloon_spec.events import Event

__all__ = ["LentBuffers", "Ram"]

_GAP_BYTES: Final = 16
"""The gap after each piece. A device that reads beyond the end of a descriptor finds foreign bytes there."""
_GAP: Final = b"\xee" * _GAP_BYTES
_DESCRIPTOR_BYTES: Final = 16


class Ram(Protocol):
    """The guest memory beside that of the queues, in which a segment may be stated to lie."""

    def contains(self, address: int, length_bytes: int) -> bool:
        """Tell whether all of these bytes are there."""

    def lay(self, address: int, data: bytes) -> None:
        """Write bytes that are there."""

    def read(self, address: int, length_bytes: int) -> bytes:
        """Read bytes that are there."""


@dataclass(slots=True)
class _Lent:
    """A buffer in flight: ``segments`` are its descriptors, ``allocated`` the addresses to free."""

    buffer: Buffer
    segments: tuple[Segment, ...]
    allocated: tuple[int, ...]
    readable_now: bytes
    is_reached: bool
    """Whether all of the device-readable part lies in memory."""


def _segments(buffer: Buffer) -> tuple[ev.Segment, ...]:
    """Return the segments of a buffer in their order; a part of which none is stated is one.

    Raises :class:`AdapterError` for segments that do not make up the buffer.
    """
    stated = {one.writable for one in buffer.segments}
    segments = buffer.segments
    if False not in stated and (buffer.readable or not (buffer.writable_bytes or segments)):
        segments = (ev.Segment(len(buffer.readable)), *segments)
    if True not in stated and buffer.writable_bytes:
        segments = (*segments, ev.Segment(buffer.writable_bytes, writable=True))
    readable = tuple(one.length_bytes for one in segments if not one.writable)
    writable = tuple(one.length_bytes for one in segments if one.writable)
    last = next((one for one in reversed(segments) if not one.writable), None)
    beyond = last is not None and last.address is not None and sum(readable) > len(buffer.readable)
    parts = (("readable", readable, len(buffer.readable)), ("writable", writable, buffer.writable_bytes))
    for name, lengths, length_bytes in parts:
        fits = sum(lengths) == length_bytes or (beyond and lengths is readable)
        if not fits or min(lengths, default=0) < 0:
            raise AdapterError(
                f"buffer {buffer.name}: a cut into {lengths} does not fit {length_bytes} {name} bytes"
            )
    return segments


def _is_legal(segments: tuple[Segment, ...]) -> bool:
    """Tell whether a driver may lay these: none is empty, device-readable ones come first, 4 GiB at most."""
    writable = [one.writable for one in segments]
    total_bytes = sum(one.length_bytes for one in segments)
    is_ordered = writable == sorted(writable)
    return all(one.length_bytes for one in segments) and is_ordered and total_bytes <= CHAIN_LIMIT_BYTES


def _split(address: int, data: bytes) -> tuple[bytes, bytes]:
    """Cut bytes in two at the next end of a page."""
    room = PAGE_BYTES - address % PAGE_BYTES
    return data[:room], data[room:]


class LentBuffers:
    """The split virtqueues of one negotiation, laid into ``length_bytes`` bytes from ``address`` on.

    ``ram`` is the guest memory beside ``memory``; segments that say their address may lie there too.
    """

    def __init__(
        self,
        memory: GuestMemory,
        address: int,
        length_bytes: int,
        *,
        ram: Ram,
        event_index: bool = False,
        indirect: bool = False,
    ) -> None:
        self._memory = memory
        self._ram = ram
        self._arena = Arena(address, length_bytes)
        self._event_index = event_index
        self._indirect = indirect
        self._queues: dict[int, DriverQueue] = {}
        self._lent: dict[int, dict[int, _Lent]] = {}
        self._lost: set[int] = set()
        self._broken: set[int] = set()
        """The queues that the suite broke: what comes back there need not be a buffer."""

    @property
    def ring_sizes(self) -> tuple[tuple[int, int], ...]:
        """(queue index, descriptors) of each queue that was set up."""
        return tuple((index, queue.layout.size) for index, queue in sorted(self._queues.items()))

    def set_up(self, index: int, size: int, *, is_legacy: bool = False) -> RingLayout:
        """Lay an empty queue of ``size`` descriptors into memory; return where.

        With ``is_legacy`` it has the form of the legacy interface.
        """
        lay = RingLayout.legacy_at if is_legacy else RingLayout.packed_at
        layout = lay(self._allocate(lay(0, size).end_address, PAGE_BYTES if is_legacy else 16), size)
        self._queues[index] = DriverQueue(self._memory, layout, event_index=self._event_index)
        self._lent[index] = {}
        return layout

    def in_flight(self, index: int) -> int:
        """Return how many buffers queue ``index`` has in flight; 0 if it was not set up."""
        return len(self._lent.get(index, ()))

    def lend(self, index: int, buffer: Buffer) -> None:
        """Lay ``buffer`` out with one descriptor for each piece and gaps between them, and make it available.

        Raises :class:`AdapterError` if the queue was not set up, or has no room for the buffer.
        """
        queue = self.queue(index)
        wanted = _segments(buffer)
        allocated: list[int] = []
        try:
            # From the last to the first: reading beyond a piece must not find the next one.
            segments = tuple(reversed([self._placed(one, allocated) for one in reversed(wanted)]))
            taken = 0
            for segment, chosen in zip(segments, wanted, strict=True):
                data = b""
                if not segment.writable:
                    data = buffer.readable[taken : taken + segment.length_bytes]
                    taken += segment.length_bytes
                if chosen.address is None:
                    self._memory.write(segment.address, data.ljust(segment.length_bytes, b"\0") + _GAP)
                else:
                    self._lay(segment.address, data)
            head = self._add(queue, segments, allocated)
        except (AdapterError, QueueFullError, ValueError) as error:
            for address in allocated:
                self._arena.free(address)
            raise AdapterError(f"buffer {buffer.name}, queue {index}: {error}") from None
        self._lent[index][head] = _Lent(
            buffer,
            segments,
            tuple(allocated),
            buffer.readable,
            all(segment.writable or self._reaches(segment) for segment in segments),
        )

    def break_ring(self, index: int, breach: RingBreach) -> None:
        """Lay what no driver may into queue ``index``; what comes back of it is no buffer and not reported.

        Raises :class:`AdapterError` if the queue was not set up, or has no room.
        """
        queue = self.queue(index)
        self._broken.add(index)
        try:
            lay(breach, queue, self._put)
        except ValueError as error:
            raise AdapterError(f"queue {index}: {error}") from None

    def rings(self, index: int) -> tuple[Range, Range, Range]:
        """Return where descriptor table, available ring and used ring of queue ``index`` lie."""
        layout = self.queue(index).layout
        return (
            (layout.descriptors_address, layout.descriptors_address + layout.descriptors_bytes),
            (layout.available_address, layout.available_address + layout.available_bytes),
            (layout.used_address, layout.used_address + layout.used_bytes),
        )

    def queue(self, index: int) -> DriverQueue:
        """Return a queue that was set up; :class:`AdapterError` if it was not."""
        if index not in self._queues:
            raise AdapterError(f"queue {index} was not set up; accept its feature")
        return self._queues[index]

    def collect(self, indices: Iterable[int] | None = None) -> list[Event]:
        """Return the buffers that the device returned, and those whose readable part it changed.

        A return that requires a notification is marked as not notified; whoever receives notifications
        corrects that. ``indices`` are the queues to look at, by default all. A queue that was not set up has
        nothing.
        """
        events: list[Event] = []
        for index in self._queues if indices is None else indices:
            queue = self._queues.get(index)
            if queue is None or index in self._lost:
                continue
            try:
                elements, broken = queue.poll(), None
            except RingError as error:
                elements = list(error.used)
                broken = RingBroken(Side.DEVICE, index, error.fault, str(error))
                self._lost.add(index)
            for at, element in enumerate(elements):
                events += self._take_back(index, element, due=queue.is_due(at))
            if broken is not None:
                events.append(broken)
            for lent in self._lent[index].values():
                events += self._alterations(index, lent)
        return events

    def _add(self, queue: DriverQueue, segments: tuple[Segment, ...], allocated: list[int]) -> int:
        if _is_legal(segments):
            if self._indirect and len(segments) > 1:
                table = self._allocate(_DESCRIPTOR_BYTES * len(segments))
                allocated.append(table)
                return queue.add(segments, indirect=table)
            return queue.add(segments)
        # What no driver lays is laid without the usual checks.
        head = queue.free_run(len(segments))
        descriptors = [
            Descriptor(
                segment.address,
                segment.length_bytes,
                (DescriptorFlag.WRITE if segment.writable else 0)
                | (DescriptorFlag.NEXT if following < len(segments) else 0),
                head + following if following < len(segments) else 0,
            )
            for following, segment in enumerate(segments, 1)
        ]
        queue.add_raw(descriptors, head)
        return head

    def _take_back(self, index: int, element: UsedElement, *, due: bool) -> list[Event]:
        lent = self._lent[index].pop(element.head, None)
        if lent is None and index in self._broken:
            return []
        assert lent is not None
        events = self._alterations(index, lent)
        written = self._written(lent.segments, min(element.length_bytes, lent.buffer.writable_bytes))
        for address in lent.allocated:
            self._arena.free(address)
        notified = False if due else None
        events.append(Used(index, lent.buffer.name, element.length_bytes, written, notified))
        return events

    def _alterations(self, index: int, lent: _Lent) -> list[Event]:
        if not lent.is_reached:
            return []
        now = b"".join(
            [
                self._read(segment.address, segment.length_bytes)
                for segment in lent.segments
                if not segment.writable
            ]
        )
        if now == lent.readable_now:
            return []
        lent.readable_now = now
        return [BufferAltered(index, lent.buffer.name, now, by=Side.DEVICE)]

    def _placed(self, wanted: ev.Segment, allocated: list[int]) -> Segment:
        """Return a segment with an address: the stated one, or one that is added to ``allocated``."""
        if wanted.address is not None:
            return Segment(wanted.address, wanted.length_bytes, wanted.writable)
        allocated.append(self._allocate(wanted.length_bytes + _GAP_BYTES))
        return Segment(allocated[-1], wanted.length_bytes, wanted.writable)

    def _reaches(self, segment: Segment) -> bool:
        where = (segment.address, segment.length_bytes)
        return self._memory.contains(*where) or self._ram.contains(*where)

    def _lay(self, address: int, data: bytes) -> None:
        """Write as much of the bytes as lies in memory, page by page."""
        while data:
            piece, data = _split(address, data)
            if self._memory.contains(address, len(piece)):
                self._memory.write(address, piece)
            elif self._ram.contains(address, len(piece)):
                self._ram.lay(address, piece)
            address += len(piece)

    def _read(self, address: int, length_bytes: int) -> bytes:
        if self._memory.contains(address, length_bytes):
            return self._memory.read(address, length_bytes)
        return self._ram.read(address, length_bytes)

    def _written(self, segments: tuple[Segment, ...], length_bytes: int) -> bytes:
        """Read the start of the device-writable part, as far as it lies in memory."""
        written = b""
        for segment in segments:
            left = length_bytes - len(written)
            if not segment.writable or not left:
                continue
            if not self._reaches(segment):
                break
            written += self._read(segment.address, min(left, segment.length_bytes))
        return written

    def _put(self, data: bytes) -> int:
        address = self._allocate(len(data))
        self._memory.write(address, data)
        return address

    def _allocate(self, length_bytes: int, alignment_bytes: int = 16) -> int:
        try:
            # Whole lines of 16 bytes: no buffer could use a smaller rest.
            return self._arena.allocate(length_bytes + -length_bytes % 16, alignment_bytes)
        except ArenaExhaustedError as error:
            raise AdapterError(str(error)) from None
