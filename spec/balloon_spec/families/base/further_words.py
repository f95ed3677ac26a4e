"""The words that further features put behind ``actual``: that they are there.

What they mean, and who may write them, is said by the family of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from balloon_spec import events as ev
from balloon_spec.events import ConfigurationRead, ConfigurationWritten, Side
from balloon_spec.families.family import ConfigurationWord
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

__all__ = ["FurtherWords"]


@dataclass(slots=True, eq=False)
class FurtherWords(Ledger):
    """What the driver stored in those words of further features that are its own."""

    written: dict[str, bytes] = field(default_factory=dict)
    """The words that were written whole, by name, as they were written last."""

    @property
    def words(self) -> tuple[ConfigurationWord, ...]:
        """The driver's words that exist with the negotiated features."""
        accepted = self.exchange[Session].accepted
        there = () if accepted is None else self.exchange.profile.configuration_words(accepted)
        return tuple(word for word in there if word.feature is not None and word.written_by is Side.DRIVER)

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in what is stored; of a part of a word a device may take what it likes."""
        del buffer
        if isinstance(event, ev.Negotiated):
            self.written.clear()
        elif isinstance(event, ConfigurationWritten):
            for word in self.words:
                if word.is_touched(event.offset, len(event.data)):
                    self.written.pop(word.name, None)
                    if (data := word.within(event.offset, event.data)) is not None:
                        self.written[word.name] = data


@rule(ConfigurationRead, "CFG-15")
def the_space_has_every_word(event: ConfigurationRead, scene: Scene) -> Iterator[Decision]:
    """A word that the driver wrote does not read as what is not there."""
    ledger = scene[FurtherWords]
    for word in ledger.words:
        written, seen = ledger.written.get(word.name), word.within(event.offset, event.data)
        ones = b"\xff" * word.length_bytes
        if written is None or seen is None or written == ones:
            continue
        if seen == ones:
            yield broken(
                "CFG-15",
                f"the configuration space ends before {word.name}",
                field=word.name,
                expected=f"{word.end_bytes} bytes, with {written.hex(' ')} at {word.offset_bytes}",
                seen="all ones",
                data=event.data,
            )
        elif seen == written and any(seen):
            yield kept("CFG-15")
