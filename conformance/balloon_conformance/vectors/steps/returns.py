"""The device's answers to a buffer: it is returned, or reacted to if it is malformed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from balloon_conformance.vectors.model import Kind, Reaction
from balloon_conformance.vectors.sequence import Content, Drawing, Item, Lane, Message
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import BYTES, COUNT, NAME, choice, field, schemas, word
from balloon_spec.events import Event, Side, Used
from balloon_spec.wire.carried import written_structure

if TYPE_CHECKING:
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["ReactionStep", "UsedStep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedStep(Step):
    """The device returns a buffer; ``length_bytes`` as in the used ring, ``written`` what it wrote there."""

    forms: ClassVar = (
        Form(
            "device",
            "used",
            schemas(
                used=field("the buffer of this name is returned", "bufferName"),
                written=field("what the device wrote into it", "bytes"),
                length=field("the length in the used ring; without it that of written", "lengthBytes"),
            ),
            {"written": ("used",), "length": ("used",)},
        ),
    )
    by: ClassVar = "device"
    action_name: ClassVar = "used"
    exported: ClassVar[Mapping[str, Schema]] = schemas(
        buffer=NAME, queue_index=COUNT, length_bytes=COUNT, written=BYTES
    )

    name: str
    written: bytes = b""
    length_bytes: int = 0

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read a return: the buffer is in flight and has room for what is written."""
        flight = reader.take((*path, "used"), value["used"], "was returned", common)
        written = reader.bytes((*path, "written"), value.get("written", ""))
        length = value.get("length", len(written))
        if len(written) > flight.writable_bytes:
            reader.refuse(
                (*path, "written"),
                f"{len(written)} bytes do not fit the {flight.writable_bytes} writable ones",
                f"shorten it, or raise writable on line {flight.line}",
            )
        if length > flight.writable_bytes and reader.kind is Kind.EXCHANGE:
            reader.refuse(
                (*path, "length"),
                f"{length} is above the {flight.writable_bytes} writable bytes of {value['used']}",
                "lower it, or make the vector malformed",
            )
        return cls(name=value["used"], written=written, length_bytes=length, **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the return in one line."""
        fields = [f"used: {self.name}"]
        fields += [f'written: "{writing.inline(self.written)}"'] if self.written else []
        fields += [f"length: {self.length_bytes}"] if self.length_bytes != len(self.written) else []
        comment = f"  # {writing.comment_on_written(self.name, self.written)}" if self.written else ""
        yield f"device: {{{', '.join(fields)}}}{comment}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow back to the driver."""
        queue = drawing.queues[self.name]
        yield Message(
            drawing.number,
            Lane.DEVICE,
            Lane.DRIVER,
            f"used {self.name}",
            (f"length {self.length_bytes}",) if self.length_bytes else (),
            queue,
            self.name,
            Content(self.written, written_structure(queue)) if self.written else None,
            condition=self.condition,
        )

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return which buffer, and what was written."""
        return {
            "buffer": self.name,
            "queue_index": exporting.queues[self.name],
            "length_bytes": self.length_bytes,
            "written": self.written.hex(),
        }

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the return."""
        yield Used(tracing.queues[self.name], self.name, self.length_bytes, self.written)

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        """Return what was written, and the used length."""
        del queue_index
        return {("device", "written"): self.written, ("device", "length"): word(self.length_bytes)}

    @property
    def awaited_of(self) -> Side | None:
        """The device."""
        return Side.DEVICE

    def is_answered_by(self, event: Event) -> bool:
        """Tell whether the buffer came back."""
        return isinstance(event, Used) and event.buffer == self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionStep(Step):
    """The device reacts to the malformed buffer ``name`` in one of the ways that are ``allowed``."""

    forms: ClassVar = (
        Form(
            "device",
            "reaction",
            schemas(
                reaction=field("the malformed buffer the device reacts to", "bufferName"),
                allowed={
                    "description": "every reaction the device may choose",
                    "type": "array",
                    "minItems": 1,
                    "uniqueItems": True,
                    "items": choice(*Reaction),
                },
            ),
            {"reaction": ("allowed",), "allowed": ("reaction",)},
        ),
    )
    by: ClassVar = "device"
    action_name: ClassVar = "reaction"
    exported: ClassVar[Mapping[str, Schema]] = schemas(
        buffer=NAME, allowed={"type": "array", "items": choice(*Reaction)}
    )

    name: str
    allowed: frozenset[Reaction]

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read a reaction; steps after it may have the condition that the buffer came back."""
        if reader.kind is Kind.EXCHANGE or Side.DEVICE not in reader.sides:
            reader.refuse(
                (*path, "reaction"),
                "only a malformed buffer of the driver leaves the device a choice",
                "write used, or kind: malformed with sides: [device]",
            )
        reader.take((*path, "reaction"), value["reaction"], "was reacted to", common)
        allowed = frozenset(Reaction(word) for word in value["allowed"])
        reader.is_returnable = Reaction.RETURNED in allowed
        return cls(name=value["reaction"], allowed=allowed, **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the reactions in their own order."""
        del writing
        words = ", ".join(reaction for reaction in Reaction if reaction in self.allowed)
        yield f"device: {{reaction: {self.name}, allowed: [{words}]}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow that may be another one."""
        yield Message(
            drawing.number,
            Lane.DEVICE,
            Lane.DRIVER,
            f"{self.name}: {' or '.join(sorted(self.allowed))}",
            queue=drawing.queues[self.name],
            buffer=self.name,
            certain=False,
            condition=self.condition,
        )

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return which buffer, and what is allowed."""
        del exporting
        return {"buffer": self.name, "allowed": sorted(self.allowed)}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the return of the buffer: the reaction that every device may choose."""
        yield Used(tracing.queues[self.name], self.name)

    @property
    def awaited_of(self) -> Side | None:
        """The device."""
        return Side.DEVICE

    def is_answered_by(self, event: Event) -> bool:
        """Tell whether the buffer came back."""
        return isinstance(event, Used) and event.buffer == self.name
