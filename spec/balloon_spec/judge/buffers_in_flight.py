"""The buffers in flight, what came back, and what the driver did that a device need not put up with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from balloon_spec import events as ev
from balloon_spec.judge.in_flight import InFlight, Key
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.session import Session
from balloon_spec.queues import Queue

__all__ = ["Buffers"]

_MOST_STALE = 1024
"""So many buffers of before a reset are known by their names; who returns an older one returned none."""


@dataclass(slots=True, eq=False)
class Buffers(Ledger):
    """The buffers in flight and what is to be known of those that came back."""

    count: int = 0
    """How many buffers were made available since the reset."""
    in_flight: dict[Key, InFlight] = field(default_factory=dict)
    newest: InFlight | None = None
    """The buffer that was made available last."""
    latest: dict[Queue, int] = field(default_factory=dict)
    """By queue, the number of the last message or array made available there."""
    held_over: set[int] = field(default_factory=set)
    """The numbers of the buffers in flight that were so when DRIVER_OK was written again."""
    before_reset: Mapping[Key, None] = field(default_factory=dict)
    """Buffers that were in flight at a reset, the newest last."""
    missed: frozenset[int] = frozenset()
    """The numbers of buffers whose return was already found missing."""
    notified: set[Queue] = field(default_factory=set)
    """The queues on which the device was notified since DRIVER_OK."""
    returned_on: set[int] = field(default_factory=set)
    """The queues on which the device returned a buffer since the reset."""
    returned_early: str = ""
    """The first buffer that was returned while no DRIVER_OK had been seen."""
    malformed_came: bool = False
    """A malformed buffer was seen since the reset."""
    malformed_came_before: bool = False
    """One was seen before the last reset."""
    provoked: bool = False
    """The driver did to the queues what a device need not put up with."""
    broken_rings: set[int] = field(default_factory=set)
    """The queues that the driver broke. Until the reset a device owes nothing, on any queue."""

    def on(self, *queues: Queue) -> list[InFlight]:
        """Return the buffers in flight on the given queues, oldest first."""
        return [buffer for buffer in self.in_flight.values() if buffer.queue in queues]

    @property
    def is_misled(self) -> bool:
        """Whether the driver sent, since the reset, what a device need not put up with."""
        return self.malformed_came or self.provoked

    @property
    def was_ever_misled(self) -> bool:
        """Whether it ever did; what a device makes of a malformed buffer may show after a reset."""
        return self.is_misled or self.malformed_came_before

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in what becomes of buffers."""
        match event:
            case ev.Available() if buffer is not None:
                self._available(event, buffer)
            case ev.Used() if buffer is not None:
                self._used(event, buffer)
            case ev.Notified() if event.side is ev.Side.DRIVER:
                self._notified(event.queue)
            case ev.RingBroken(side=ev.Side.DRIVER):
                self.malformed_came = True
                self.broken_rings.add(event.queue)
            case ev.DriverOk() if self.exchange[Session].driver_ok:
                self.held_over.update(one.number for one in self.in_flight.values())
            case ev.Quiet() if event.side is ev.Side.DEVICE and self.exchange[Session].driver_ok:
                self.missed = frozenset(one.number for one in self.in_flight.values())
            case _:
                pass

    def _available(self, event: ev.Available, buffer: InFlight) -> None:
        self.in_flight[event.queue, event.buffer] = buffer
        self.newest = buffer
        self.count += 1
        self.malformed_came |= buffer.is_malformed
        if buffer.queue is None:
            return
        if event.notified and self.exchange[Session].driver_ok:
            self.notified.add(buffer.queue)
        if buffer.shape.names_pages:
            self.latest[buffer.queue] = buffer.number

    def _notified(self, index: int) -> None:
        session = self.exchange[Session]
        queue = session.queues.get(index)
        if queue is None:
            return
        if session.driver_ok:
            self.notified.add(queue)
            return
        for key, buffer in self.in_flight.items():
            if buffer.queue is queue:
                loud = replace(buffer.event, notified=True)
                self.in_flight[key] = replace(buffer, event=loud, early=False)

    def _used(self, event: ev.Used, buffer: InFlight) -> None:
        del self.in_flight[event.queue, event.buffer]
        self.held_over.discard(buffer.number)
        self.returned_on.add(event.queue)
        if not self.exchange[Session].driver_ok and not self.returned_early:
            self.returned_early = f"{event.buffer} on queue {event.queue}"

    def after_reset(self) -> Self:
        """Leave the names of the buffers in flight, and what the device was seen to cope with."""
        stale = [*self.before_reset, *self.in_flight][-_MOST_STALE:]
        return type(self)(
            self.exchange,
            before_reset=dict.fromkeys(stale),
            malformed_came_before=self.malformed_came or self.malformed_came_before,
        )
