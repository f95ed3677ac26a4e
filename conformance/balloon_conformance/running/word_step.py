"""A word of the configuration space that a family brings, as a step: driver or device gives it a value.

A family declares a subclass for each of its words, which names the word and what is broken if it does not
come. In a file the word stands under its name, as in ``driver: {pitch: 3}``. A device announces every change
of its word, and a driver writes its word with one store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from balloon_conformance.iut.sight import Fact
from balloon_conformance.running.mismatch import Mismatch
from balloon_conformance.running.not_exercised import NotExercised
from balloon_conformance.vectors.sequence import Drawing, Item, Lane
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import COUNT, schemas
from balloon_spec.events import ConfigurationChanged, ConfigurationWritten, Event, Side
from balloon_spec.families.family import ConfigurationWord

if TYPE_CHECKING:
    from balloon_conformance.running.session import DeviceSession, DriverSession
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["WordStep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordStep(Step):
    """The side that may change a word gives it a value.

    ``word`` is declared by the family, ``missing`` is the requirement that is broken if the word does not
    come, and ``otherwise`` the one if it comes with another value.
    """

    exported: ClassVar[Mapping[str, Schema]] = schemas(value=COUNT)
    word: ClassVar[ConfigurationWord]
    missing: ClassVar[str]
    otherwise: ClassVar[str]

    value: int

    def __init_subclass__(cls) -> None:
        name = cls.word.name
        cls.by = cls.word.written_by.value
        cls.action_name = name
        number = {"type": "integer", "minimum": 0, "maximum": (1 << 8 * cls.word.length_bytes) - 1}
        cls.forms = (Form(cls.by, name, {name: {"description": cls.word.meaning, **number}}),)

    @property
    def data(self) -> bytes:
        """The bytes of the word."""
        return self.value.to_bytes(self.word.length_bytes, "little")

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the value."""
        del reader, path
        return cls(value=value[cls.word.name], **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the value."""
        del writing
        yield f"{self.by}: {{{self.word.name}: {self.value}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow to the other side."""
        lanes = (Lane.DRIVER, Lane.DEVICE)
        ways = lanes if self.word.written_by is Side.DRIVER else lanes[::-1]
        yield drawing.arrow(self, ways, f"{self.word.name} = {self.value}")

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the value."""
        del exporting
        return {"value": self.value}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the store, or the change with the whole space."""
        tracing.words[self.word.offset_bytes] = self.data
        if self.word.written_by is Side.DRIVER:
            yield ConfigurationWritten(self.word.offset_bytes, self.data)
        else:
            yield ConfigurationChanged(tracing.space())

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        """Return the word."""
        del queue_index
        return {(self.by, self.word.name): self.data}

    @property
    def awaited_of(self) -> Side | None:
        """The side that may change the word."""
        return self.word.written_by

    def is_answered_by(self, event: Event) -> bool:
        """Tell whether the word was written, or some change announced."""
        if self.word.written_by is Side.DEVICE:
            return isinstance(event, ConfigurationChanged)
        return (
            isinstance(event, ConfigurationWritten) and self.word.within(event.offset, event.data) is not None
        )

    def play_device(self, session: DeviceSession) -> None:
        """Write the word as the driver, or await the device's announcement of it."""
        if self.word.written_by is Side.DRIVER:
            session.write_configuration(self.word.offset_bytes, self.data)
            return
        seen = session.wait_for(
            lambda event: (
                isinstance(event, ConfigurationChanged) and self.word.within(0, event.data) == self.data
            )
        )
        if seen is None and (hidden := session.unseen.get(Fact.CONFIGURATION_CHANGE)):
            raise NotExercised(hidden)
        if seen is None:
            raise self._missing("no notification of it")
        session.show(self.shows)

    def play_driver(self, session: DriverSession) -> None:
        """Await the driver's store, or announce the word as the device."""
        if self.word.written_by is Side.DEVICE:
            session.announce(self.word.offset_bytes, self.data)
            return
        seen = session.wait_for(self.is_answered_by)
        if seen is None:
            raise self._missing("no write")
        assert isinstance(seen, ConfigurationWritten)
        if self.word.within(seen.offset, seen.data) != self.data:
            raise Mismatch(
                f"{self.word.name} is not what the vector has",
                requirement=self.otherwise,
                field=self.word.name,
                expected=self.data.hex(" "),
                seen=seen.data.hex(" "),
                data=seen.data,
            )
        session.show(self.shows)

    def _missing(self, seen: str) -> Mismatch:
        verb = "written" if self.word.written_by is Side.DRIVER else "announced"
        return Mismatch(
            f"{self.word.name} was not {verb}",
            requirement=self.missing,
            field=self.word.name,
            expected=self.value,
            seen=seen,
        )
