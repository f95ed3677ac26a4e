"""The step in which the driver says with what it fills pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from balloon_conformance.running.word_step import WordStep
from balloon_spec.families.page_poison import POISON_VAL

if TYPE_CHECKING:
    from balloon_conformance.running.session import DriverSession
    from balloon_spec.families.family import ConfigurationWord

__all__ = ["PoisonStep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonStep(WordStep):
    """The driver writes ``poison_val``. A driver that is judged may write any value."""

    word: ClassVar[ConfigurationWord] = POISON_VAL
    missing: ClassVar[str] = "POISON-02"
    otherwise: ClassVar[str] = "POISON-02"

    def play_driver(self, session: DriverSession) -> None:
        """Await a store, whatever its value."""
        if session.wait_for(self.is_answered_by) is None:
            raise self._missing("no write")
        session.show(self.shows)
