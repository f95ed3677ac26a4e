"""The step in which the driver says with what it fills pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from balloon_conformance.running.word_step import WordStep
from balloon_spec.events import ConfigurationWritten, Event
from balloon_spec.families.page_poison import POISON_VAL
from balloon_spec.judge.session import Session

if TYPE_CHECKING:
    from balloon_conformance.running.session import DeviceSession, DriverSession
    from balloon_spec.families.family import ConfigurationWord

__all__ = ["PoisonStep", "say_the_poison"]

_VALUE: Final = bytes.fromhex("04030201")
"""What the suite says as the driver where no vector says it: four bytes that differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonStep(WordStep):
    """The driver writes ``poison_val``. A driver that is judged may write any value."""

    word: ClassVar[ConfigurationWord] = POISON_VAL
    missing: ClassVar[str] = "POISON-02"
    otherwise: ClassVar[str] = "POISON-02"

    def play_driver(self, session: DriverSession) -> None:
        """Await a store, whatever its value, or as many as it takes to write all of the word."""
        missing = set(range(self.word.offset_bytes, self.word.end_bytes))
        while missing:
            store = session.wait_for(self.touches)
            if not isinstance(store, ConfigurationWritten):
                raise self._missing("no write" if len(missing) == self.word.length_bytes else "a part of it")
            missing -= set(range(store.offset, store.offset + len(store.data)))
        session.show(self.shows)

    def touches(self, event: Event) -> bool:
        """Tell whether the driver wrote to some byte of the word."""
        return isinstance(event, ConfigurationWritten) and self.word.is_touched(event.offset, len(event.data))


def say_the_poison(session: DeviceSession) -> None:
    """Write ``poison_val``, if page poison was negotiated."""
    if session.judge[Session].has("PAGE_POISON"):
        session.write_configuration(POISON_VAL.offset_bytes, _VALUE)
