"""A vector as a sequence diagram: lanes, and in order what passes between them. Pure data, for any renderer.

The lanes stand from left to right as in :class:`Lane`: the guest beside its driver, the operator beside the
device. Messages pass between neighbours only. Steps count from 1, in the order of the vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from balloon_conformance.vectors import model
from balloon_spec.events import OperatorAction, Segment, Side
from balloon_spec.features import Profile
from balloon_spec.queues import Queue
from balloon_spec.wire import configuration
from balloon_spec.wire.carried import readable_structure, written_structure

__all__ = ["Content", "Divider", "Item", "Lane", "Message", "Note", "Sequence", "sequence"]


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
    items = tuple(_Drawing(vector).items())
    ends = {lane for item in items if isinstance(item, Message) for lane in (item.source, item.target)}
    lanes = tuple(lane for lane in Lane if lane in ends | {Lane.DRIVER, Lane.DEVICE})
    return Sequence(vector.title, lanes, items)


_Way = tuple[Lane, Lane]
_LANES = {Side.DRIVER: Lane.DRIVER, Side.DEVICE: Lane.DEVICE}


class _Drawing:
    """Draws one vector, step by step; remembers what was negotiated and where each buffer is."""

    def __init__(self, vector: model.Vector) -> None:
        self._vector = vector
        self._features = vector.profile.names(vector.features.accepted)
        self._queues: dict[str, Queue] = {}

    def items(self) -> Iterator[Item]:
        vector = self._vector
        own_driver_ok = any(isinstance(step, model.DriverOkStep) for step in vector.steps)
        details = (*_negotiation(vector.profile, vector.features),)
        if vector.features.features_ok and not own_driver_ok:
            details += ("DRIVER_OK",)
        yield Divider(0, "negotiation", details)
        for number, step in enumerate(vector.steps, 1):
            yield from self._step(number, step)

    def _step(self, number: int, step: model.Step) -> Iterator[Item]:
        match step:
            case model.OperatorStep():
                yield self._arrow(number, step, (Lane.OPERATOR, Lane.DEVICE), _wish(step))
            case model.GuestStep():
                yield self._arrow(number, step, (Lane.GUEST, Lane.DRIVER), f"{step.action} {step.pages}")
            case model.BufferStep():
                yield self._buffer(number, step)
            case model.UsedStep():
                yield self._used(number, step)
            case model.ReactionStep():
                yield Message(
                    number,
                    Lane.DEVICE,
                    Lane.DRIVER,
                    f"{step.name}: {' or '.join(sorted(step.allowed))}",
                    queue=self._queues[step.name],
                    buffer=step.name,
                    certain=False,
                    condition=step.condition,
                )
            case model.ActualStep():
                yield self._arrow(number, step, (Lane.DRIVER, Lane.DEVICE), f"actual = {step.pages}")
            case model.ConfigurationStep():
                yield self._arrow(number, step, (Lane.DEVICE, Lane.DRIVER), f"num_pages = {step.num_pages}")
            case model.ConfigurationWriteStep():
                label = f"configuration write at {step.offset}"
                content = Content(step.data, configuration.NAME, step.offset)
                yield self._arrow(number, step, (Lane.DRIVER, Lane.DEVICE), label, content)
            case model.ConfigurationReadStep():
                label = f"configuration read at {step.offset}"
                content = Content(step.data, configuration.NAME, step.offset)
                yield self._arrow(number, step, (Lane.DRIVER, Lane.DEVICE), label)
                yield self._arrow(number, step, (Lane.DEVICE, Lane.DRIVER), step.data.hex(" "), content)
            case model.DriverOkStep():
                yield self._arrow(number, step, (Lane.DRIVER, Lane.DEVICE), "DRIVER_OK")
            case model.SilentStep():
                lane = _LANES[step.side]
                yield Note(number, lane, lane, (f"the {lane} does nothing more",), step.condition)
            case model.EffectStep():
                lines = [f"discarded {step.discarded}"] if step.discarded else []
                lines += [f"kept {step.kept}"] if step.kept else []
                said = (f"guest memory: {lines[0]}", *lines[1:])
                yield Note(number, Lane.DRIVER, Lane.DEVICE, said, step.condition)
            case model.ResetStep():
                self._features = self._vector.profile.names(step.features.accepted)
                details = (*_negotiation(self._vector.profile, step.features),)
                if step.features.features_ok:
                    details += ("DRIVER_OK",)
                yield Divider(number, "reset", details, step.condition)

    @staticmethod
    def _arrow(
        number: int, step: model.Step, way: _Way, label: str, content: Content | None = None
    ) -> Message:
        source, target = way
        return Message(number, source, target, label, content=content, condition=step.condition)

    def _buffer(self, number: int, step: model.BufferStep) -> Message:
        self._queues[step.name] = step.queue
        details = [f"{len(step.readable)} bytes"] if step.readable else []
        details += [f"{step.writable_bytes} writable"] if step.writable_bytes else []
        details += [f"cut {'+'.join(map(_segment, step.segments))}"] if step.segments else []
        details += [] if step.match is model.Match.EXACT else [f"match {step.match}"]
        details += [] if step.notify else ["not notified"]
        content = None
        if step.readable:
            content = Content(step.readable, readable_structure(step.queue, self._features))
        return Message(
            number,
            Lane.DRIVER,
            Lane.DEVICE,
            f"{step.queue} {step.name}",
            tuple(details),
            step.queue,
            step.name,
            content,
            condition=step.condition,
        )

    def _used(self, number: int, step: model.UsedStep) -> Message:
        queue = self._queues[step.name]
        return Message(
            number,
            Lane.DEVICE,
            Lane.DRIVER,
            f"used {step.name}",
            (f"length {step.length_bytes}",) if step.length_bytes else (),
            queue,
            step.name,
            Content(step.written, written_structure(queue)) if step.written else None,
            condition=step.condition,
        )


def _segment(segment: Segment) -> str:
    place = "" if segment.address is None else f" at {segment.address:#x}"
    return f"{segment.length_bytes}{' writable' if segment.writable else ''}{place}"


def _wish(step: model.OperatorStep) -> str:
    match step.action:
        case OperatorAction.TARGET:
            return f"target {step.value}"
        case OperatorAction.UNUSED_PAGES:
            return f"unused pages, id {step.value:#x}"
        case OperatorAction.STATISTICS:
            return "statistics"


def _negotiation(profile: Profile, sets: model.FeatureSets) -> Iterator[str]:
    offered, accepted = (
        ", ".join(profile.names_by_bit(mask)) or "nothing" for mask in (sets.offered, sets.accepted)
    )
    yield f"offered {offered}"
    yield f"accepted {'all of it' if sets.offered == sets.accepted and sets.offered else accepted}"
    if not sets.features_ok:
        yield "FEATURES_OK refused"
