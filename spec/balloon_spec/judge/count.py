"""What ``actual`` has to count: the returns since the driver last wrote it."""

from __future__ import annotations

from dataclasses import dataclass

from balloon_spec import events as ev
from balloon_spec.judge.balloon import Balloon
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.configuration_space import Configuration
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.queues import Queue
from balloon_spec.wire import configuration

__all__ = ["Count"]


@dataclass(slots=True, eq=False)
class Count(Ledger):
    """What happened to the balloon since ``actual`` was last written, and what it counted so far."""

    changes: int = 0
    """Inflate and deflate buffers returned since."""
    changed_with_length: bool = False
    """One of those was returned with a used length."""
    changed_out_of_order: bool = False
    """One of those was returned before an older one of its queue."""
    most_pages: int = 0
    """The most pages the balloon held since."""
    deflate_floor: int | None = None
    """The least num_pages at which a deflate buffer was made available that ``actual`` does not count yet."""
    furthest_pages: int = 0
    """The largest ``actual`` since the reset: so many pages the driver can give up."""
    has_shrunk: bool = False
    """``actual`` became less since the reset: the driver takes pages back when it may."""

    @property
    def counted_pages(self) -> int:
        """What the balloon shrinks from: ``actual``, or more if it grew and shrank between two writes."""
        shrank = self.exchange[Balloon].held.pages < self.most_pages
        return max(self.exchange[Configuration].actual or 0, self.most_pages if shrank else 0)

    @property
    def least_pages(self) -> int:
        """What the balloon may shrink to without DEFLATE_ON_OOM; 0 if no target was seen (DEF-09)."""
        # A target that rose while the deflate buffer was with the device came too late.
        target = self.exchange[Configuration].num_pages or 0
        late = target if self.deflate_floor is None else self.deflate_floor
        return min(target, late, self.counted_pages)

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in a change of the balloon, and a write of ``actual`` that counts it."""
        match event:
            case ev.Available() if buffer is not None and buffer.queue is Queue.DEFLATE:
                target = self.exchange[Configuration].num_pages or 0
                self.deflate_floor = min(target, target if self.deflate_floor is None else self.deflate_floor)
            case ev.Used() if buffer is not None:
                self._used(event, buffer)
            case ev.ConfigurationWritten() if configuration.is_actual(event.offset, event.data):
                self._written(int.from_bytes(event.data, "little"))
            case _:
                pass

    def _used(self, event: ev.Used, buffer: InFlight) -> None:
        has_length = event.length_bytes > 0 and not buffer.event.writable_bytes
        self.changed_with_length |= has_length and buffer.queue is not Queue.STATISTICS
        if buffer.queue not in {Queue.INFLATE, Queue.DEFLATE}:
            return
        self.changes += 1
        self.changed_out_of_order |= self.exchange[Buffers].last_overtook
        if buffer.queue is Queue.INFLATE:
            self.most_pages = max(self.most_pages, self.exchange[Balloon].held.pages)

    def _written(self, pages: int) -> None:
        self.has_shrunk |= pages < (self.exchange[Configuration].actual or 0)
        self.furthest_pages = max(self.furthest_pages, pages)
        self.changes = 0
        self.changed_with_length = self.changed_out_of_order = False
        self.most_pages = self.exchange[Balloon].held.pages
        if not self.exchange[Balloon].on_the_way_out:
            self.deflate_floor = None
