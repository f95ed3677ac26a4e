"""An exchange between a driver and a device, as far as it is remembered: a ledger for each part of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from balloon_spec.events import Event, Reset
from balloon_spec.judge.companion import Companion
from balloon_spec.judge.ledger import Ledger, LedgerT
from balloon_spec.judge.trials import Trials, of_families
from balloon_spec.profile import Profile

if TYPE_CHECKING:
    from balloon_spec.judge.in_flight import InFlight
    from balloon_spec.judge.interpretation import Interpreter

__all__ = ["Exchange"]


class Exchange:
    """What is known of one exchange; ``exchange[Balloon]`` is its ledger of the kind.

    ``companions`` are the ledgers that answer what families ask of all others, ``trials`` those of the
    families of the profile, and ``interpreters`` what they know about buffers. ``now_seconds`` and ``event``
    are the time and the number of the event that is judged. ``steered`` says whether the guest is told which
    pages to give up; None if nobody said, as for a recorded trace.
    """

    def __init__(self, profile: Profile, ledgers: Iterable[type[Ledger]]) -> None:
        self.profile = profile
        self.trials: Trials = of_families(profile.families)
        self.interpreters: tuple[Interpreter, ...] = tuple(
            one.interpreter for one in profile.families if one.interpreter is not None
        )
        self.now_seconds: float | None = None
        self.event = 0
        self.steered: bool | None = None
        self.companions: tuple[Companion, ...] = ()
        self._ledgers: dict[type[Ledger], Any] = {}
        self._open({kind: kind(self) for kind in ledgers})

    def __getitem__(self, kind: type[LedgerT]) -> LedgerT:
        """Return the ledger of a kind; an empty one if no family of the profile has it."""
        found: LedgerT | None = self._ledgers.get(kind)
        return kind(self) if found is None else found

    def take(self, event: Event, buffer: InFlight | None) -> None:
        """Let every ledger take an event in; after a reset each begins anew with what it leaves."""
        for ledger in self._ledgers.values():
            ledger.take(event, buffer)
        if isinstance(event, Reset):
            self._open({kind: ledger.after_reset() for kind, ledger in self._ledgers.items()})

    def _open(self, ledgers: dict[type[Ledger], Any]) -> None:
        self._ledgers = ledgers
        self.companions = tuple(one for one in ledgers.values() if isinstance(one, Companion))

    def in_particular(
        self, requirement: str, buffer: InFlight | None = None, other: InFlight | None = None
    ) -> tuple[str, str] | None:
        """Return the first answer of a companion; see :meth:`.Companion.in_particular`."""
        answers = (one.in_particular(requirement, buffer, other) for one in self.companions)
        return next((one for one in answers if one is not None), None)

    def may_be_taken_back(self, buffer: InFlight) -> bool:
        """Tell whether a companion says so; see :meth:`.Companion.may_be_taken_back`."""
        return any(one.may_be_taken_back(buffer) for one in self.companions)
