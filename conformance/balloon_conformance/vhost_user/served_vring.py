"""One virtqueue that a driver laid out: its buffers are taken, watched while they are held, and given back.

The readable bytes of a buffer are copied once, when it is taken; every later statement about the buffer is
about this copy. While the buffer is held, the copy is compared with guest memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from balloon_conformance.vhost_user.backend_actions import VringStarted
from balloon_conformance.vhost_user.errors import PeerBroke
from balloon_conformance.vhost_user.memory import SharedMemory
from balloon_conformance.virtio import Chain, DeviceQueue, RingError, RingLayout
from balloon_conformance.virtio.ring import QUEUE_SIZE_LIMIT
from balloon_spec.events import Available, BufferAltered, Segment, Side

__all__ = ["BUFFER_LIMIT_BYTES", "ServedVring"]

BUFFER_LIMIT_BYTES: Final = 1 << 24
"""The longest readable part that is read. Descriptors may overlap, so a small guest can name 4 GiB."""

_PARTS: Final = (("descriptor table", 16, 0), ("available ring", 2, 6), ("used ring", 8, 6))
"""For each part of a vring: its name, the bytes of an entry, and the bytes that are not entries."""


@dataclass(slots=True)
class _Held:
    """A buffer that the device holds. ``readable`` is what it contained at the last comparison."""

    chain: Chain
    readable: bytes


class ServedVring:
    """The vring that ``started`` describes, in ``memory``; a fault of its rings raises :class:`RingError`.

    ``enabled`` says whether the vring may be used. While it may not, its buffers belong to the driver.
    """

    def __init__(
        self, memory: SharedMemory, started: VringStarted, *, indirect: bool, event_index: bool
    ) -> None:
        self.index = started.index
        self.enabled = False
        self.kicked = False
        """Whether the driver has notified the device since buffers were last taken."""
        self._reach: tuple[int, int] | None = None
        """The indices to which the available ring was filled before and after a notification was taken."""
        self._indirect = indirect
        self._event_index = event_index
        self._held: dict[str, _Held] = {}
        self._memory = memory
        self._queue = self._attach(memory, started, started.base)

    @property
    def next_available(self) -> int:
        """The 16-bit available index of the next buffer. Held buffers count as consumed."""
        return self._queue.next_available

    @property
    def size(self) -> int:
        """How many descriptors the vring has."""
        return self._queue.layout.size

    @property
    def held(self) -> frozenset[str]:
        """The names of the buffers that are held."""
        return frozenset(self._held)

    @property
    def filled(self) -> int:
        """The 16-bit available index up to which the driver has filled the ring, if it is enabled."""
        self._memory.check()
        return self._queue.available_index

    @property
    def waits(self) -> bool:
        """Whether the ring has a buffer that was not taken yet."""
        return self.filled != self.next_available

    def hear(self, filled: int | None) -> None:
        """Take in a notification. ``filled`` is :attr:`filled` just before it, None if unreadable."""
        self.kicked = True
        self._reach = None if filled is None else (filled, self.filled)

    def move(self, memory: SharedMemory, started: VringStarted) -> None:
        """Continue the vring at another place or in other memory, and keep the held buffers."""
        self._queue = self._attach(memory, started, self.next_available)
        self._memory = memory

    def take(
        self, names: Iterator[str], *, due: bool = False, unheard: bool | None = None
    ) -> Iterator[Available]:
        """Take every available buffer, each under the next of ``names``.

        ``unheard`` is the value of ``notified`` for a buffer for which no notification was taken. ``due``
        means that the driver owes one, unless the device suppressed notifications (2.7.10.1).
        """
        kicked, self.kicked = self.kicked, False
        reach, self._reach = self._reach, None
        self._memory.check()
        sure = True
        while True:
            position = self.next_available
            if (chain := self._pop()) is None:
                return
            if chain.readable_bytes > BUFFER_LIMIT_BYTES:
                raise PeerBroke(
                    f"vring {self.index}: the buffer at head {chain.head} has {chain.readable_bytes} readable"
                    f" bytes, more than the {BUFFER_LIMIT_BYTES} any buffer of a balloon needs"
                )
            name = next(names)
            notified = _was_notified(position, reach, unheard) if kicked else unheard
            if due and not sure:
                # The driver may have read avail_event before it was stored anew.
                notified = None
            sure = not self._event_index
            readable = self._queue.read(chain)
            self._held[name] = _Held(chain, readable)
            yield Available(
                self.index,
                name,
                readable,
                chain.writable_bytes,
                notified,
                tuple(
                    Segment(one.length_bytes, one.writable, one.address)
                    for one in (*chain.readable, *chain.writable)
                ),
            )

    def take_early(self, names: Iterator[str]) -> Iterator[Available]:
        """Take what is available at DRIVER_OK. A notification taken by now may have come after that."""
        kicked, self.kicked = self.kicked, False
        reach, self._reach = self._reach, None
        yield from self.take(names, unheard=None if kicked else False)
        self.kicked, self._reach = kicked, reach

    def alterations(self) -> Iterator[BufferAltered]:
        """Report held buffers whose content changed since the last comparison (BUF-01)."""
        if self.enabled and self._held:
            self._memory.check()
            for name, held in self._held.items():
                yield from self._alteration(name, held)

    def give_back(self, name: str, length_bytes: int, written: bytes) -> Iterator[BufferAltered]:
        """Write to a held buffer and return it; the used ring says ``length_bytes``.

        First report whether the driver altered it. Bytes beyond the writable part are not written.
        """
        self._memory.check()
        held = self._held.pop(name)
        yield from self._alteration(name, held)
        self._queue.write(held.chain, written)
        head = held.chain.head
        # After the vring moved, its queue does not know the buffers that were taken before.
        if head in self._queue.in_flight:
            self._queue.push(head, length_bytes)
        else:
            self._queue.push_raw(head, length_bytes)

    def wants_call(self) -> bool:
        """Tell whether the driver wants a notification of the buffers returned since the last call."""
        return self._queue.needs_interrupt()

    def _pop(self) -> Chain | None:
        with self._named():
            return self._queue.pop()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Add the number of the vring to a fault of its rings."""
        try:
            yield
        except RingError as error:
            error.queue = self.index
            raise

    def _alteration(self, name: str, held: _Held) -> Iterator[BufferAltered]:
        now = self._queue.read(held.chain)
        if now != held.readable:
            held.readable = now
            yield BufferAltered(self.index, name, now, by=Side.DRIVER)

    def _attach(self, memory: SharedMemory, started: VringStarted, base: int) -> DeviceQueue:
        memory.check()
        address = started.address
        users = (address.descriptors_address, address.available_address, address.used_address)
        guests = (
            memory.guest_address(
                user, entry_bytes * started.size + other_bytes, f"vring {self.index}, {part}"
            )
            for user, (part, entry_bytes, other_bytes) in zip(users, _PARTS, strict=True)
        )
        with self._named():
            return DeviceQueue(
                memory.guest,
                RingLayout(started.size, *guests),
                indirect=self._indirect,
                event_index=self._event_index,
                next_available=base,
            )


def _was_notified(position: int, reach: tuple[int, int] | None, unheard: bool | None) -> bool | None:
    """Tell whether the notification that was taken came after the entry at this available index."""
    if reach is None or 0 < (reach[0] - position) & 0xFFFF <= QUEUE_SIZE_LIMIT:
        return True
    # An entry that came while the notification was taken may have come after it.
    return None if 0 < (reach[1] - position) & 0xFFFF <= QUEUE_SIZE_LIMIT else unheard
