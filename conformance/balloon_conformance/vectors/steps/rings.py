"""The step in which the driver breaks a virtqueue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.ring_breach import RingBreach
from balloon_conformance.vectors.model import Kind
from balloon_conformance.vectors.sequence import Drawing, Item, Lane
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import COUNT, choice, schemas
from balloon_spec.events import Event, RingBroken, Side
from balloon_spec.families import registry
from balloon_spec.queues import Queue

if TYPE_CHECKING:
    from balloon_conformance.running.session import DeviceSession
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["BrokenRingStep"]

_BREACHES = tuple(one for one in RingBreach if not one.needs_indirect)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRingStep(Step):
    """The driver lays what no driver may into a virtqueue; no buffer comes of it, and nothing names a page.

    A device that went on with the queue, one that stopped it, and one that asks for a reset are all right.
    """

    forms: ClassVar = (
        Form(
            "driver",
            "ring",
            schemas(
                ring={
                    "description": "the driver breaks the rings of this virtqueue",
                    "$ref": "#/$defs/queueName",
                },
                breach={"description": "what is wrong with them", **choice(*_BREACHES)},
            ),
            {"ring": ("breach",), "breach": ("ring",)},
        ),
    )
    by: ClassVar = "driver"
    action_name: ClassVar = "ring"
    exported: ClassVar[Mapping[str, Schema]] = schemas(
        queue={"$ref": "#/$defs/queueName"}, queue_index=COUNT, breach=choice(*_BREACHES)
    )

    queue: Queue
    breach: RingBreach

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the queue and the breach; only a driver that the suite plays breaks a ring."""
        queue = registry.queue(value["ring"])
        reader.check_queue((*path, "ring"), queue)
        if reader.kind is Kind.EXCHANGE or Side.DEVICE not in reader.sides:
            reader.refuse(
                (*path, "ring"), "a ring is broken on purpose", "write kind: malformed with sides: [device]"
            )
        return cls(queue=queue, breach=RingBreach(value["breach"]), **common)

    @classmethod
    def filled(cls, filling: Any, meant: Any, common: Mapping[str, Any]) -> Self:
        """Return the step for what is meant; the reference goes on as if nothing had been there."""
        del filling
        return cls(queue=registry.queue(meant.queue), breach=RingBreach(meant.breach), **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the queue and the breach."""
        del writing
        yield f"driver: {{ring: {self.queue}, breach: {self.breach}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow to the device."""
        yield drawing.arrow(
            self, (Lane.DRIVER, Lane.DEVICE), f"breaks the rings of {self.queue}: {self.breach}"
        )

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the queue and the breach."""
        return {
            "queue": self.queue.name,
            "queue_index": exporting.queue_index,
            "breach": self.breach.value,
        }

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield that the ring was broken."""
        yield RingBroken(Side.DRIVER, tracing.queue_index, self.breach.value)

    @property
    def lends(self) -> Queue | None:
        """The queue; what lies there is no buffer."""
        return self.queue

    @property
    def device_needs(self) -> frozenset[Capability]:
        """Rings that the suite may break."""
        return frozenset({Capability.BROKEN_RINGS})

    def play_device(self, session: DeviceSession) -> None:
        """Break the ring."""
        session.break_ring(session.index(self.queue), self.breach)
