"""The life of an exchange: DRIVER_OK, a reset, and a side that does nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from balloon_conformance.vectors.model import FeatureSets
from balloon_conformance.vectors.sequence import Divider, Drawing, Item, Lane, Note
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import field, schemas
from balloon_spec.events import DriverOk, Event, Quiet, Reset, Side

if TYPE_CHECKING:
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["DriverOkStep", "ResetStep", "SilentStep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverOkStep(Step):
    """The driver sets DRIVER_OK here. A vector without this step has it before the first step."""

    forms: ClassVar = (Form("driver", "ok", schemas(ok=field("the driver sets DRIVER_OK", "yes"))),)
    by: ClassVar = "driver"
    action_name: ClassVar = "ok"
    sets_driver_ok: ClassVar = True

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the step; there is one in a vector."""
        del value
        reader.set_driver_ok((*path, "ok"), common)
        return cls(**common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the step."""
        del writing
        yield "driver: {ok: true}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow to the device."""
        yield drawing.arrow(self, (Lane.DRIVER, Lane.DEVICE), "DRIVER_OK")

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return nothing more."""
        del exporting
        return {}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield DRIVER_OK."""
        del tracing
        yield DriverOk()


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentStep(Step):
    """One side does nothing more until the next step."""

    forms: ClassVar = tuple(
        Form(
            side, "silent", schemas(silent=field(f"the {side} does nothing more until the next step", "yes"))
        )
        for side in Side
    )
    by: ClassVar = ""
    action_name: ClassVar = "silent"

    side: Side

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the step; the key it stands under says which side."""
        del reader, value
        return cls(side=Side(str(path[-1])), **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the step."""
        del writing
        yield f"{self.side}: {{silent: true}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw a note over the lane of the side."""
        lane = Lane(self.side.value)
        yield Note(drawing.number, lane, lane, (f"the {lane} does nothing more",), self.condition)

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return nothing more."""
        del exporting
        return {}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield that the side was given its time."""
        del tracing
        yield Quiet(self.side)

    @property
    def exported_by(self) -> str:
        """The side."""
        return self.side.value

    @property
    def awaited_of(self) -> Side | None:
        """The side."""
        return self.side


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetStep(Step):
    """The device is reset, ``features`` are negotiated, and unless they are refused DRIVER_OK is set."""

    forms: ClassVar = (
        Form(
            "reset",
            None,
            schemas(
                offered={"$ref": "#/$defs/featureNames"},
                accepted={"$ref": "#/$defs/featureNames"},
                features_ok={"$ref": "#/$defs/featuresOk"},
            ),
            {
                "offered": ("accepted",),
                "accepted": ("offered",),
                "features_ok": ("offered", "accepted"),
            },
            about="the device is reset and features are negotiated anew: the sets given, or those of before",
        ),
    )
    by: ClassVar = "driver"
    action_name: ClassVar = "reset"
    exported: ClassVar[Mapping[str, Schema]] = schemas(
        features=MappingProxyType({"$ref": "#/$defs/features"})
    )

    features: FeatureSets

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read a reset, which drops what is in flight; without features it negotiates those of before."""
        return cls(features=reader.reset(path, has_features=bool(value), common=common), **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the features, if they are not those of before."""
        same = self.features == writing.features
        writing.features = self.features
        yield f"reset: {{{'' if same else writing.sets(self.features)}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw a line across all lanes."""
        yield Divider(drawing.number, "reset", drawing.negotiated(self.features), self.condition)

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the features."""
        return {"features": exporting.features(self.features)}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the reset, the negotiation after it, and DRIVER_OK."""
        yield Reset()
        yield from tracing.negotiation(self.features)
        if self.features.features_ok:
            yield DriverOk()

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        """Return the features."""
        del queue_index
        return self.features.wire("reset")

    @property
    def negotiates(self) -> FeatureSets | None:
        """The features."""
        return self.features

    @property
    def awaited_of(self) -> Side | None:
        """The driver."""
        return Side.DRIVER
