"""The pages of the balloon, and those on their way into it and out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from balloon_spec import events as ev
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.base.pages_in_flight import PagesInFlight
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.pages import EMPTY, PageSet

__all__ = ["Balloon"]


@dataclass(slots=True, eq=False)
class Balloon(Ledger):
    """The pages of the balloon. A page is held, on its way in, or on its way out."""

    held: PageSet = EMPTY
    """The pages whose inflate buffer was returned, and that no deflate buffer has named since."""
    named: PageSet = EMPTY
    """The pages of the balloon, whether or not the inflate buffers that name them were returned."""
    on_the_way_in: PagesInFlight = field(default_factory=PagesInFlight)
    on_the_way_out: PagesInFlight = field(default_factory=PagesInFlight)

    @property
    def inflating(self) -> PageSet:
        """The pages of inflate buffers in flight."""
        return self.on_the_way_in.all

    @property
    def deflating(self) -> PageSet:
        """The pages of deflate buffers in flight that came out of the balloon."""
        return self.on_the_way_out.all

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in an inflate or deflate buffer that is made available or returned."""
        if buffer is None:
            return
        key = (buffer.event.queue, buffer.event.buffer)
        if isinstance(event, ev.Available):
            meant = buffer.content.intended
            if buffer.queue is INFLATE:
                if self.on_the_way_in.put(key, meant - self.held):
                    # It took the place of another, whose pages nobody may name any more.
                    self.named = self.held | self.inflating
                self.named |= meant
            elif buffer.queue is DEFLATE:
                self.on_the_way_out.put(key, meant & self.held)
                self.held -= meant
                self.named -= meant - self.inflating
        elif isinstance(event, ev.Used):
            if buffer.queue is INFLATE:
                self.held |= self.on_the_way_in.take(key)
            elif buffer.queue is DEFLATE:
                self.on_the_way_out.take(key)
