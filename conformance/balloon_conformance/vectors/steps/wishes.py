"""Wishes: what the operator of the host wants of the device, and the guest of its driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from balloon_conformance import family
from balloon_conformance.iut.contract import Capability, operator_capability
from balloon_conformance.vectors.sequence import Drawing, Item, Lane
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import COUNT, RUNS, choice, schemas
from balloon_spec.events import Event, Guest, GuestAction, Operator, OperatorAction
from balloon_spec.pages import PageSet

if TYPE_CHECKING:
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["GuestStep", "GuestWish", "OperatorStep", "OperatorWish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorWish:
    """How one wish of the operator stands in vectors; the family that brings the wish declares it.

    ``key`` is the field by which it is known, and ``schema`` that of the field. ``text`` writes the value of
    the wish into the field, and ``value`` reads it from there. ``label`` says the wish in a drawing. If it is
    ``told_from_before``, only what the configuration space held before tells whether it was carried out.
    """

    action: OperatorAction
    key: str
    schema: Schema
    text: Callable[[int], str]
    label: Callable[[int], str]
    value: Callable[[Any], int] = int
    told_from_before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestWish:
    """How one wish of the guest stands in vectors: its pages, under the text of its action."""

    action: GuestAction
    schema: Schema


def _operator_wishes() -> Mapping[OperatorAction, OperatorWish]:
    """Return every wish that a vector may have, in the order in which they were declared."""
    declared = {wish.action: wish for one in family.additions() for wish in one.operator_wishes}
    return {action: declared[action] for action in OperatorAction if action in declared}


def _guest_wishes() -> Mapping[GuestAction, GuestWish]:
    declared = {wish.action: wish for one in family.additions() for wish in one.guest_wishes}
    return {action: declared[action] for action in GuestAction if action in declared}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorStep(Step):
    """The operator of the host makes a wish known; ``value`` as in :class:`~balloon_spec.events.Operator`."""

    forms: ClassVar = ()
    by: ClassVar = "operator"
    action_name: ClassVar = "wish"

    action: OperatorAction
    value: int = 0

    @classmethod
    def all_forms(cls) -> tuple[Form, ...]:
        """Return a form for each wish."""
        wishes = _operator_wishes().values()
        return tuple(Form("operator", wish.key, {wish.key: wish.schema}) for wish in wishes)

    @classmethod
    def all_exported(cls) -> Mapping[str, Schema]:
        """Return the schemas of the wish and its value."""
        return schemas(wish=choice(*_operator_wishes()), value=COUNT)

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the one wish there is."""
        del reader, path
        ((key, number),) = value.items()
        wish = next(one for one in _operator_wishes().values() if one.key == key)
        return cls(action=wish.action, value=wish.value(number), **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the wish, as its declaration says."""
        del writing
        wish = _operator_wishes()[self.action]
        yield f"operator: {{{wish.key}: {wish.text(self.value)}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow from the operator to the device."""
        label = _operator_wishes()[self.action].label(self.value)
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
    def told_from_before(self) -> bool:
        """Whether the configuration space is read before the wish is made known."""
        return _operator_wishes()[self.action].told_from_before

    @property
    def device_needs(self) -> frozenset[Capability]:
        """Somebody who can carry the wish to the device."""
        return frozenset({operator_capability(self.action)})


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStep(Step):
    """The guest makes a wish known to its driver."""

    forms: ClassVar = ()
    by: ClassVar = "guest"
    action_name: ClassVar = "wish"

    action: GuestAction
    pages: PageSet

    @classmethod
    def all_forms(cls) -> tuple[Form, ...]:
        """Return a form for each wish."""
        wishes = _guest_wishes().values()
        return tuple(Form("guest", wish.action, {wish.action: wish.schema}) for wish in wishes)

    @classmethod
    def all_exported(cls) -> Mapping[str, Schema]:
        """Return the schemas of the wish and its pages."""
        return schemas(wish=choice(*_guest_wishes()), pages=RUNS)

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
