"""What the rules of one family ask of all others, without knowing which there are.

A driver that waits for another queue need not be at its target; a device that is busy for its operator may
keep memory for a while. A family of which something like that can be said derives a ledger from
:class:`Companion` and answers. The exchange asks all companions of its profile (``exchange.companions``), so
no family is named in the rules of another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from balloon_spec.judge.ledger import Ledger
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

if TYPE_CHECKING:
    from balloon_spec.events import Overwritten
    from balloon_spec.judge.in_flight import InFlight

__all__ = ["Companion"]


@dataclass(slots=True, eq=False)
class Companion(Ledger):
    """A ledger that is asked by the rules of other families. Every answer has a default: nothing to say."""

    def free_pages(self) -> int | None:
        """Return how many pages the guest has free, by all it said; None if it did not say."""
        return None

    def keeps_memory(self) -> bool:
        """Tell whether the device has a reason of this family to leave for now the pages it was named."""
        return False

    def keeps_driver(self) -> bool:
        """Tell whether the driver waits for something of this family.

        A requirement of the family then judges what it does about its balloon meanwhile.
        """
        return False

    def dropped_a_wish(self) -> bool:
        """Tell whether a wish of the operator was not carried out when the device was reset (RESET-12)."""
        return False

    def lets_go(self) -> PageSet:
        """Return the pages that a device may discard on account of this family."""
        return EMPTY

    def forbids(self, buffer: InFlight) -> Iterable[tuple[str, PageSet]]:
        """Yield pages that a device must leave alone since a buffer came, with the requirement: a trial's."""
        del buffer
        return ()

    def left_alone(self) -> Iterable[tuple[str, PageSet]]:
        """Yield pages that a device must leave alone as of now, with the requirement: a trial's."""
        return ()

    def takes_back(self, buffer: InFlight) -> Iterable[tuple[str, PageSet]]:
        """Yield pages that are the guest's again once a buffer is returned, with the requirement: a trial's.

        A device that may discard them until then must leave them alone afterwards.
        """
        del buffer
        return ()

    def permits(self, event: Overwritten) -> PageSet:
        """Return the pages of which a device may have changed the bytes that it changed, and not all bytes.

        So are pages of which nobody knows what was changed in them.
        """
        del event
        return EMPTY

    def is_wanted_again(self, queue: Queue) -> bool:
        """Tell whether a device that returned buffers on the queue at its operator's wish has a wish again.

        It has to have done so twice since the reset: then it does not do so once only (QUEUE-14).
        """
        del queue
        return False

    def is_wanted_at_start(self, queue: Queue) -> bool:
        """Tell the same of a device that did so after an earlier reset, with the same features (QUEUE-04)."""
        del queue
        return False

    def in_particular(
        self, requirement: str, buffer: InFlight | None = None, other: InFlight | None = None
    ) -> tuple[str, str] | None:
        """Return the requirement that in this case says in particular what ``requirement`` says in general.

        With it come the words for what was broken, empty if the general ones say it. ``buffer`` is the one it
        is about, ``other`` another that has a part in it. None if there is no such requirement. What may be
        returned for which is declared in ``particulars`` of
        :class:`~balloon_spec.families.family.Family`.
        """
        del requirement, buffer, other
        return None

    def may_be_taken_back(self, buffer: InFlight) -> bool:
        """Tell whether the guest may use the memory of a buffer in flight before the buffer is returned."""
        del buffer
        return False
