"""What the guest wants of its driver, as far as somebody steers it and says so."""

from __future__ import annotations

from dataclasses import dataclass

from balloon_spec import events as ev
from balloon_spec.families.base import INFLATE
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

__all__ = ["GuestWishes"]


@dataclass(slots=True, eq=False)
class GuestWishes(Ledger):
    """The pages that the guest gave up, or wants back."""

    to_inflate: PageSet | None = None
    """Every page the guest gave up since the reset; None for a guest that is not steered."""
    to_deflate: PageSet | None = None
    """Likewise every page that it wants back."""
    given_up: PageSet = EMPTY
    """The pages the guest gave up and has not asked back: outside the balloon they are free."""
    owed_to_inflate: PageSet = EMPTY
    """The pages the guest gave up, has not asked back, and finds in no inflate buffer."""

    def on(self, queue: Queue) -> PageSet | None:
        """Return the pages the guest wants named on a queue of the balloon, None if it is not steered."""
        return self.to_inflate if queue is INFLATE else self.to_deflate

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in a wish, or an inflate buffer that carries one out."""
        if isinstance(event, ev.Guest):
            self._guest(event.action, self.exchange[Session].existing(event.pages))
        elif isinstance(event, ev.Available) and buffer is not None and buffer.queue is INFLATE:
            self.owed_to_inflate -= buffer.content.intended

    def _guest(self, action: ev.GuestAction, pages: PageSet) -> None:
        match action:
            case ev.GuestAction.INFLATE:
                self.to_inflate = (self.to_inflate or EMPTY) | pages
                self.owed_to_inflate |= pages - self.exchange[Balloon].named
                self.given_up |= pages
            case ev.GuestAction.DEFLATE:
                self.to_deflate = (self.to_deflate or EMPTY) | pages
                self.owed_to_inflate -= pages
                self.given_up -= pages
            case ev.GuestAction.USE:
                # Pages the guest uses it does not give up.
                self.owed_to_inflate -= pages
                self.given_up -= pages
            case _:
                pass
