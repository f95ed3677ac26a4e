"""Wishes: what the operator of the host wants of the device, and the guest of its driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from balloon_conformance.iut.contract import Capability
from balloon_conformance.vectors.sequence import Drawing, Item, Lane
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import COUNT, RUNS, choice, field, schemas
from balloon_spec.events import Event, Guest, GuestAction, Operator, OperatorAction
from balloon_spec.pages import PageSet

if TYPE_CHECKING:
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["OPERATOR_CAPABILITIES", "GuestStep", "OperatorStep"]

OPERATOR_CAPABILITIES: Final[Mapping[OperatorAction, Capability]] = MappingProxyType(
    {
        OperatorAction.TARGET: Capability.OPERATOR_TARGET,
        OperatorAction.UNUSED_PAGES: Capability.OPERATOR_UNUSED_PAGES,
        OperatorAction.STATISTICS: Capability.OPERATOR_STATISTICS,
    }
)
"""What a device must be able to do for each wish of its operator."""

_BY_KEY: Final[Mapping[str, OperatorAction]] = MappingProxyType(
    {
        "target": OperatorAction.TARGET,
        "unused_pages": OperatorAction.UNUSED_PAGES,
        "statistics": OperatorAction.STATISTICS,
    }
)
_GUEST_WISHES: Final = (GuestAction.INFLATE, GuestAction.DEFLATE, GuestAction.UNUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorStep(Step):
    """The operator of the host makes a wish known; ``value`` as in :class:`~balloon_spec.events.Operator`."""

    forms: ClassVar = (
        Form(
            "operator", "target", schemas(target=field("how many pages the balloon shall hold", "pageCount"))
        ),
        Form(
            "operator",
            "unused_pages",
            schemas(
                unused_pages={
                    "description": "the id of a request for unused pages",
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 18446744073709551615,
                }
            ),
        ),
        Form("operator", "statistics", schemas(statistics=field("the statistics shall be refreshed", "yes"))),
    )
    by: ClassVar = "operator"
    action_name: ClassVar = "wish"
    exported: ClassVar[Mapping[str, Schema]] = schemas(wish=choice(*OperatorAction), value=COUNT)

    action: OperatorAction
    value: int = 0

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the one wish there is."""
        del reader, path
        ((key, number),) = value.items()
        action = _BY_KEY[key]
        return cls(action=action, value=0 if action is OperatorAction.STATISTICS else number, **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the wish: a target as a number, an id in hex."""
        del writing
        match self.action:
            case OperatorAction.TARGET:
                yield f"operator: {{target: {self.value}}}"
            case OperatorAction.UNUSED_PAGES:
                yield f"operator: {{unused_pages: {self.value:#x}}}"
            case OperatorAction.STATISTICS:
                yield "operator: {statistics: true}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow from the operator to the device."""
        match self.action:
            case OperatorAction.TARGET:
                label = f"target {self.value}"
            case OperatorAction.UNUSED_PAGES:
                label = f"unused pages, id {self.value:#x}"
            case OperatorAction.STATISTICS:
                label = "statistics"
        yield drawing.arrow(self, (Lane.OPERATOR, Lane.DEVICE), label)

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the wish and its number."""
        del exporting
        return {"wish": self.action.value, "value": self.value}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the wish."""
        del tracing
        yield Operator(self.action, self.value)

    @property
    def device_needs(self) -> frozenset[Capability]:
        """Somebody who can carry the wish to the device."""
        return frozenset({OPERATOR_CAPABILITIES[self.action]})


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStep(Step):
    """The guest makes a wish known to its driver."""

    forms: ClassVar = (
        Form("guest", "inflate", schemas(inflate=field("the pages the guest gives up", "someRuns"))),
        Form("guest", "deflate", schemas(deflate=field("the pages the guest wants back", "someRuns"))),
        Form(
            "guest", "unused", schemas(unused=field("the pages the guest does not use; may be none", "runs"))
        ),
    )
    by: ClassVar = "guest"
    action_name: ClassVar = "wish"
    exported: ClassVar[Mapping[str, Schema]] = schemas(wish=choice(*_GUEST_WISHES), pages=RUNS)

    action: GuestAction
    pages: PageSet

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the one wish there is."""
        ((action, _),) = value.items()
        return cls(action=GuestAction(action), pages=reader.pages((*path, action)), **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the pages."""
        yield f"guest: {{{self.action}: {writing.pages(self.pages)}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow from the guest to its driver."""
        yield drawing.arrow(self, (Lane.GUEST, Lane.DRIVER), f"{self.action} {self.pages}")

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the wish and its pages."""
        return {"wish": self.action.value, "pages": exporting.pages(self.pages)}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the wish."""
        del tracing
        yield Guest(self.action, self.pages)

    @property
    def driver_needs(self) -> frozenset[Capability]:
        """A guest that can be told which pages."""
        return frozenset({Capability.STEER_PAGES})
