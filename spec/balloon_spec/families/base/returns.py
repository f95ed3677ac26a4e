"""What is to be known of the buffers that came back, until the driver does something after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from balloon_spec import events as ev
from balloon_spec.families.base import BALLOON_QUEUES, DEFLATE, configuration
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger

__all__ = ["Returns"]


@dataclass(slots=True, eq=False)
class Returns(Ledger):
    """The last returns, and what was unusual about them. It stands behind the buffers in flight."""

    last: int | None = None
    """The number of the buffer returned last, None once the driver did something after that."""
    last_overtook: bool = False
    """That buffer was returned before an older one that it could be taken for."""
    out_of_order: bool = False
    """A buffer was returned before an older one it could be taken for, and the driver did nothing since."""
    with_length: bool = False
    """A buffer was returned with a used length that means nothing, and the driver did nothing since."""
    has_deflated: bool = False
    """A sound deflate buffer was returned, before a reset too: the device serves that queue."""

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in a return, and what the driver does after it."""
        match event:
            case ev.Available() if buffer is not None:
                self.last = None
                self.out_of_order = self.with_length = False
            case ev.Used() if buffer is not None:
                self._used(event, buffer)
            case ev.ConfigurationWritten() if configuration.is_actual(event.offset, event.data):
                self.last = None
            case _:
                pass

    def _used(self, event: ev.Used, buffer: InFlight) -> None:
        self.last = buffer.number
        self.last_overtook = any(
            other.number < buffer.number and other.queue in {buffer.queue, *BALLOON_QUEUES}
            for other in self.exchange[Buffers].in_flight.values()
        )
        self.out_of_order |= self.last_overtook
        self.with_length |= event.length_bytes > 0 and not buffer.event.writable_bytes
        self.has_deflated |= buffer.queue is DEFLATE and not buffer.is_malformed

    def after_reset(self) -> Self:
        """Leave whether the device was seen to return deflate buffers."""
        return type(self)(self.exchange, has_deflated=self.has_deflated)
