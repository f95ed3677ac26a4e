"""A vector as a sequence diagram: lanes, and in order what passes between them. Pure data, for any renderer.

The lanes stand from left to right as in :class:`Lane`: the guest beside its driver, the operator beside the
device. Messages pass between neighbours only. Steps count from 1, in the order of the vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from balloon_conformance.vectors import model
from balloon_conformance.vectors.step import Step
from balloon_spec.profiles import Profile
from balloon_spec.queues import Queue

__all__ = ["Content", "Divider", "Drawing", "Item", "Lane", "Message", "Note", "Sequence", "sequence"]


class Lane(StrEnum):
    """Who takes part, from left to right."""

    GUEST = "guest"
    DRIVER = "driver"
    DEVICE = "device"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that pass: those of a buffer, or of the configuration space from byte ``offset`` on.

    ``structure`` names what they are said to be, well-formed or not; None where nothing says so.
    """

    data: bytes
    structure: str | None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """An arrow from one lane to its neighbour.

    ``label`` says what it is, ``details`` say more, each in a few words. ``queue`` and ``buffer`` are set
    where a buffer is made available or comes back. ``certain`` is False where the target may see something
    else. ``condition`` is that of the step.
    """

    step: int
    source: Lane
    target: Lane
    label: str
    details: tuple[str, ...] = ()
    queue: Queue | None = None
    buffer: str = ""
    content: Content | None = None
    certain: bool = True
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is so, over the lanes ``first`` to ``last``: ``lines`` in words."""

    step: int
    first: Lane
    last: Lane
    lines: tuple[str, ...]
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Divider:
    """A line across all lanes: a negotiation. ``step`` is 0 for the one before the first step."""

    step: int
    label: str
    details: tuple[str, ...]
    condition: str | None = None


Item = Message | Note | Divider


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a vector draws; ``lanes`` are those in which something happens, driver and device always."""

    title: str
    lanes: tuple[Lane, ...]
    items: tuple[Item, ...]

    @property
    def contents(self) -> tuple[Message, ...]:
        """The messages that carry bytes."""
        return tuple(item for item in self.items if isinstance(item, Message) and item.content is not None)


def sequence(vector: model.Vector) -> Sequence:
    """Return the sequence of a vector in which both sides do as it says."""
    items = tuple(Drawing(vector).items())
    ends = {lane for item in items if isinstance(item, Message) for lane in (item.source, item.target)}
    lanes = tuple(lane for lane in Lane if lane in ends | {Lane.DRIVER, Lane.DEVICE})
    return Sequence(vector.title, lanes, items)


_Way = tuple[Lane, Lane]


class Drawing:
    """Draws one vector; each step draws itself, with the help of what is known here.

    ``number`` is that of the step, ``features`` are the names of those that are negotiated, ``queues`` tells
    on which queue the buffer of a name is.
    """

    def __init__(self, vector: model.Vector) -> None:
        self._vector = vector
        self.number = 0
        self.features = vector.profile.names(vector.features.accepted)
        self.queues: dict[str, Queue] = {}

    def items(self) -> Iterator[Item]:
        """Yield everything, the negotiation before the first step first."""
        vector = self._vector
        details = self.negotiated(vector.features, driver_ok=not vector.sets_driver_ok)
        yield Divider(0, "negotiation", details)
        for self.number, step in enumerate(vector.steps, 1):
            yield from step.draw(self)

    def arrow(self, step: Step, way: _Way, label: str, content: Content | None = None) -> Message:
        """Return an arrow of the step at hand."""
        source, target = way
        return Message(self.number, source, target, label, content=content, condition=step.condition)

    def negotiated(self, sets: model.FeatureSets, *, driver_ok: bool = True) -> tuple[str, ...]:
        """Take a negotiation in, and return it in words; ``driver_ok`` tells whether DRIVER_OK follows."""
        self.features = self._vector.profile.names(sets.accepted)
        details = (*_negotiation(self._vector.profile, sets),)
        return (*details, "DRIVER_OK") if sets.features_ok and driver_ok else details


def _negotiation(profile: Profile, sets: model.FeatureSets) -> Iterator[str]:
    offered, accepted = (
        ", ".join(profile.names_by_bit(mask)) or "nothing" for mask in (sets.offered, sets.accepted)
    )
    yield f"offered {offered}"
    yield f"accepted {'all of it' if sets.offered == sets.accepted and sets.offered else accepted}"
    if not sets.features_ok:
        yield "FEATURES_OK refused"
