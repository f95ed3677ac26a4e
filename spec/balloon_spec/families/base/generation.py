"""The generation of the configuration space, by which a driver knows that what it read is of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from balloon_spec import events as ev
from balloon_spec.events import ConfigurationRead, Side
from balloon_spec.families.family import ConfigurationWord
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

__all__ = ["Generations"]


@dataclass(slots=True, eq=False)
class Generations(Ledger):
    """What the driver read last of each word that is the device's own, and in which generation."""

    read: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    """By the name of the word; one that the driver wrote to is left out until it is read again."""

    @property
    def words(self) -> tuple[ConfigurationWord, ...]:
        """The device's words that exist with the negotiated features."""
        accepted = self.exchange[Session].accepted
        there = () if accepted is None else self.exchange.profile.configuration_words(accepted)
        return tuple(word for word in there if word.written_by is Side.DEVICE)

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in what is read and stored."""
        del buffer
        if isinstance(event, ConfigurationRead) and event.generation is not None:
            for word in self.words:
                if (seen := word.within(event.offset, event.data)) is not None:
                    self.read[word.name] = seen, event.generation
        elif isinstance(event, ev.ConfigurationWritten):
            for word in self.words:
                if word.is_touched(event.offset, len(event.data)):
                    self.read.pop(word.name, None)


@rule(ConfigurationRead, "CFG-16")
def what_changed_is_of_another_generation(event: ConfigurationRead, scene: Scene) -> Iterator[Decision]:
    """A word of the device that reads otherwise than before is read in another generation."""
    ledger = scene[Generations]
    for word in ledger.words if event.generation is not None else ():
        before, seen = ledger.read.get(word.name), word.within(event.offset, event.data)
        if before is None or seen is None or seen == before[0]:
            continue
        if event.generation != before[1]:
            yield kept("CFG-16")
            continue
        yield broken(
            "CFG-16",
            f"{word.name} changed from {before[0].hex(' ')} to {seen.hex(' ')} within one generation",
            field="generation",
            expected=f"not {event.generation}",
            seen=event.generation,
            data=event.data,
        )
