"""An exchange between a driver and a device, as far as it is remembered: a ledger for each part of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from balloon_spec.events import Event, Reset
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger, LedgerT
from balloon_spec.profile import Profile

__all__ = ["Exchange"]


class Exchange:
    """What is known of one exchange; ``exchange[Balloon]`` is its ledger of the kind.

    ``now_seconds`` and ``event`` are the time and the number of the event that is judged. ``steered`` says
    whether the guest is told which pages to give up; None if nobody said, as for a recorded trace.
    """

    def __init__(self, profile: Profile, ledgers: Iterable[type[Ledger]]) -> None:
        self.profile = profile
        self.now_seconds: float | None = None
        self.event = 0
        self.steered: bool | None = None
        self._ledgers: dict[type[Ledger], Any] = {kind: kind(self) for kind in ledgers}

    def __getitem__(self, kind: type[LedgerT]) -> LedgerT:
        """Return the ledger of a kind; an empty one if no family of the profile has it."""
        found: LedgerT | None = self._ledgers.get(kind)
        return kind(self) if found is None else found

    def take(self, event: Event, buffer: InFlight | None) -> None:
        """Let every ledger take an event in; after a reset each begins anew with what it leaves."""
        for ledger in self._ledgers.values():
            ledger.take(event, buffer)
        if isinstance(event, Reset):
            self._ledgers = {kind: ledger.after_reset() for kind, ledger in self._ledgers.items()}
