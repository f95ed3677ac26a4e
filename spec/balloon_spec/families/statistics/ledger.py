"""What is remembered of statistics buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from balloon_spec.events import (
    Available,
    Event,
    Operator,
    OperatorAction,
    Used,
)
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.buffers import is_looked_for
from balloon_spec.families.statistics import STATISTICS, statistics
from balloon_spec.families.statistics.events import StatisticsRead
from balloon_spec.judge.companion import Companion
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.session import Session
from balloon_spec.pages import PAGE_SHIFT
from balloon_spec.queues import Queue
from balloon_spec.wire.errors import WireError

__all__ = ["Statistics"]

_AGAIN: Final = 2
"""A device that did so twice does not do it once only."""


@dataclass(slots=True, eq=False)
class Statistics(Companion):
    """The statistics buffers that came and went, and what the operator wants of them."""

    tags: tuple[int, ...] | None = None
    """Those of the first buffer, sorted."""
    posts: int = 0
    """How many buffers were made available since the reset."""
    is_owed: bool = False
    """A buffer was returned, and the driver has not made one available since."""
    returned: tuple[bytes, ...] = ()
    """What stood in the buffers that were returned, the last two at the most, the newest first."""
    host_tags: frozenset[int] = frozenset()
    """The statistics that the host was seen to know, before a reset too."""
    wanted: bool = False
    """The operator asked for statistics, and none came since."""
    refreshes: int = 0
    """How often the device returned a buffer when its operator asked, since the reset."""
    refreshed_before: bool = False
    """It did so twice in an earlier session after a reset, and looks at the queue by itself (QUEUE-04)."""
    dropped_wish: bool = False
    """A wish for statistics was not carried out when the device was reset."""
    free: int | None = None
    """The pages that the last statistics said are free; None where they did not say."""
    named_then: int = 0
    """The pages named in inflate buffers when they said so."""

    def free_pages(self) -> int | None:
        """Return how many pages the guest has free: what it said, without what it gave up since."""
        if self.free is None:
            return None
        return self.free - max(self.exchange[Balloon].named.pages - self.named_then, 0)

    def dropped_a_wish(self) -> bool:
        """Tell whether a wish for statistics was not carried out when the device was reset."""
        return self.dropped_wish

    def is_wanted_again(self, queue: Queue) -> bool:
        """Tell whether a device that returned two buffers when it was asked is asked again."""
        return queue is STATISTICS and self.wanted and self.refreshes >= _AGAIN

    def is_wanted_at_start(self, queue: Queue) -> bool:
        """Tell the same of a device that returned them in an earlier session."""
        return queue is STATISTICS and self.wanted and self.refreshed_before

    def take(self, event: Event, buffer: InFlight | None) -> None:
        """Take in a buffer, the operator's wish, or what the host read."""
        match event:
            case Available() if buffer is not None and buffer.queue is STATISTICS:
                self.posts += 1
                self.is_owed = False
                self.free, self.named_then = _free_pages(event.readable), self.exchange[Balloon].named.pages
                if self.tags is None:
                    self.tags = _tags(event.readable)
            case Used() if buffer is not None and buffer.queue is STATISTICS:
                self.is_owed = True
                if not buffer.is_malformed:
                    self.returned = (buffer.event.readable, *self.returned[:1])
                self.refreshes += self.wanted
                self.wanted = False
            case Operator() if event.action is OperatorAction.STATISTICS:
                self.wanted = True
            case StatisticsRead():
                self.host_tags |= {tag for tag, _ in event.entries}
            case _:
                pass

    def after_reset(self) -> Self:
        """Leave what the host knows, and whether the device returns buffers when it is asked."""
        session = self.exchange[Session]
        refreshed = (
            session.resets > 0 and self.refreshes >= _AGAIN and is_looked_for(self.exchange, STATISTICS)
        )
        return type(self)(
            self.exchange,
            host_tags=self.host_tags,
            refreshed_before=self.refreshed_before or refreshed,
            dropped_wish=self.wanted,
        )


def _tags(data: bytes) -> tuple[int, ...] | None:
    try:
        return tuple(sorted(entry.tag for entry in statistics.parse(data).entries))
    except WireError:
        return None


def _free_pages(data: bytes) -> int | None:
    try:
        values = {entry.tag: entry.value for entry in statistics.parse(data).entries}
    except WireError:
        return None
    free = values.get(statistics.Tag.MEMFREE, values.get(statistics.Tag.AVAIL))
    return None if free is None else free >> PAGE_SHIFT
