"""What a step of a vector is: one line of an exchange, declared once.

A step is an event before it happens, with what is expected of whoever is judged. Its class says everything
about it: how it stands in YAML and in which schema, how it is read and written, drawn and exported, which
events it is in a trace, which bytes it puts on the wire, which capabilities it needs, and who has to bring it
about. Whoever goes through a vector asks each step and knows no kinds of steps; the table of them is made
from the declarations (:func:`declared`).

Playing stays outside, with the sessions: :meth:`Step.play_device` and :meth:`Step.play_driver` are for steps
that the players do not know.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from balloon_conformance import family

if TYPE_CHECKING:
    from balloon_conformance.iut.contract import Capability
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.model import FeatureSets
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.sequence import Drawing, Item
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.events import Event, Side
    from balloon_spec.queues import Queue
    from balloon_spec.strict_yaml import Path

__all__ = ["Form", "Schema", "Step", "added", "declared", "steps"]

Schema = Mapping[str, Any]
"""A JSON schema, or a part of one."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind of step stands in a file: ``by: {key: ..., ...}``.

    ``by`` is the key of the step and ``key`` the field by which the kind is known; None if every mapping
    under ``by`` is one. ``fields`` are the schemas of what may stand there, in the order in which errors list
    them, ``beside`` which fields need which others. ``about`` describes a form without a key, and ``least``
    is how many of its fields there must be.
    """

    by: str
    key: str | None
    fields: Mapping[str, Schema]
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    about: str = ""
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(ABC):
    """What every step has, and what it can be asked.

    ``line`` is its line in the file. ``condition`` is None, or ``"returned"``: the step is played only when
    the buffer of the last reaction before it was returned. ``shows`` are the requirements that a mismatch at
    this step breaks, and that count as exercised when the implementation did what it says; empty leaves the
    blame to the field that differs, and the evidence to the judge's rules.
    """

    forms: ClassVar[tuple[Form, ...]]
    """The forms in which the step may be written, one for each key."""
    by: ClassVar[str]
    """Who does it, as exports say it."""
    action_name: ClassVar[str]
    """What it is called in exports."""
    exported: ClassVar[Mapping[str, Schema]] = MappingProxyType({})
    """The schemas of the fields that :meth:`export` returns."""
    not_always_exported: ClassVar[frozenset[str]] = frozenset()
    """Those of them that are left out if they have nothing to say."""
    sets_driver_ok: ClassVar[bool] = False
    """Whether DRIVER_OK is set here, and not before the first step."""

    line: int
    condition: str | None = None
    shows: tuple[str, ...] = ()

    @classmethod
    def all_forms(cls) -> tuple[Form, ...]:
        """Return :attr:`forms`, and those that families add."""
        return cls.forms

    @classmethod
    def all_exported(cls) -> Mapping[str, Schema]:
        """Return :attr:`exported`, with what families add to the schemas."""
        return cls.exported

    @classmethod
    @abstractmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Return the step that ``value`` at ``path`` says; ``common`` are the fields that every step has.

        The schema admits the value. What no schema can say is refused by :meth:`StepReader.refuse`.
        """

    @abstractmethod
    def write(self, writing: Writing) -> Iterator[str]:
        """Yield the lines of the step, which :meth:`read` reads."""

    @abstractmethod
    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Yield what a sequence diagram shows of the step."""

    @abstractmethod
    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the fields of the step beyond what all steps have, as :attr:`exported` describes them."""

    @abstractmethod
    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the events of the step, if both sides do as it says."""

    @classmethod
    def filled(cls, filling: Any, meant: Any, common: Mapping[str, Any]) -> Self:
        """Return the step that fills what an intent means, for one that only a family knows."""
        raise NotImplementedError(f"{cls.__name__}.filled")

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        """Return what it puts on the wire, by the way to the field that says it.

        A number is 4 bytes, little-endian. ``queue_index`` is the virtqueue index of a buffer.
        """
        del queue_index
        return {}

    @property
    def exported_by(self) -> str:
        """Who does it, as exports say it."""
        return self.by

    @property
    def lends(self) -> Queue | None:
        """The virtqueue on which the step makes a buffer available."""
        return None

    @property
    def negotiates(self) -> FeatureSets | None:
        """The features that are negotiated anew."""
        return None

    @property
    def awaited_of(self) -> Side | None:
        """The side that has to bring the step about, so that it can fail; None if the suite performs it."""
        return None

    @property
    def device_needs(self) -> frozenset[Capability]:
        """The capabilities without which a device cannot play it."""
        return frozenset()

    @property
    def driver_needs(self) -> frozenset[Capability]:
        """The capabilities without which a driver cannot play it."""
        return frozenset()

    def is_answered_by(self, event: Event) -> bool:
        """Tell whether an event of the implementation under test is the one that this step awaits."""
        del event
        return False

    def play_device(self, session: Any) -> str | None:
        """Play the step with a device under test, for a step that the player does not know.

        Return why it was left out, if it was and the rest can be played all the same.
        """
        del session
        return None

    def play_driver(self, session: Any) -> None:
        """Play the step with a driver under test, for a step that the player does not know."""
        del session


_Kind = TypeVar("_Kind", bound=type[Step])

_declared: list[type[Step]] = []


def declared(kind: _Kind) -> _Kind:
    """Enter a kind of step into the table, by which files are read and schemas made; a decorator.

    Raises :class:`ValueError` for a form that another kind has.
    """
    taken = {(form.by, form.key): other for other in _declared for form in other.forms}
    for form in kind.forms:
        if other := taken.get((form.by, form.key)):
            raise ValueError(f"{kind.__name__} and {other.__name__} are both written {form.by}: {form.key}")
    _declared.append(kind)
    return kind


@contextmanager
def added(kind: type[Step]) -> Iterator[None]:
    """Have a further kind of step in the table until the end of the block."""
    declared(kind)
    try:
        yield
    finally:
        _declared.remove(kind)


def steps() -> tuple[type[Step], ...]:
    """Return every kind of step, in the order of its declaration; then those of the families."""
    return (*_declared, *(kind for one in family.additions() for kind in one.steps))
