"""What a ledger is: a part of what is remembered of an exchange, beside the rules that read it.

A family declares its ledgers, and the :class:`~balloon_spec.judge.exchange.Exchange` holds one of each. A
rule asks for a ledger by its class: ``scene[Balloon].held``. What a ledger holds is bounded by what is in
flight and by sets of pages, and never grows with the length of a trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from balloon_spec.events import Event
    from balloon_spec.judge.exchange import Exchange
    from balloon_spec.judge.in_flight import InFlight

__all__ = ["Ledger", "LedgerT"]


@dataclass(slots=True, eq=False)
class Ledger:
    """One part of what is remembered; its fields have defaults, which stand before the first event."""

    exchange: Exchange = field(repr=False)
    """The exchange, by which a ledger finds the others."""

    def take(self, event: Event, buffer: InFlight | None) -> None:
        """Take an event in, once the rules have seen it.

        ``buffer`` is the one that is made available or returned, None for other events and for the return of
        one that is not in flight. Ledgers take an event in by the order in which they are declared: one finds
        those before it as they are after the event, and those behind it as they were before.
        """

    def after_reset(self) -> Self:
        """Return the ledger with which the next session begins: an empty one, unless something is left.

        All ledgers are still as they were before the reset.
        """
        return type(self)(self.exchange)


LedgerT = TypeVar("LedgerT", bound=Ledger)
