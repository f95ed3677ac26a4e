"""A vector as a trace: every line taken for an event that happened."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_conformance.vectors import model
from balloon_spec import events as ev
from balloon_spec.pages import PageSet
from balloon_spec.wire import configuration

__all__ = ["events", "located"]


def events(vector: model.Vector) -> Iterator[ev.Event]:
    """Yield the events of a vector in which both sides did as it says.

    A reaction is taken to be the return of the buffer. A side the vector judges owes nothing when it ends.
    """
    return (event for _, event in located(vector))


def located(vector: model.Vector) -> Iterator[tuple[int, ev.Event]]:
    """Yield :func:`events`, each with the line of its step; line 1 is that of what no step says."""
    memory = vector.memory
    own_driver_ok = any(isinstance(step, model.DriverOkStep) for step in vector.steps)
    queues: dict[str, int] = {}
    indices = vector.queue_indices()
    num_pages = actual = 0
    yield from ((1, event) for event in _negotiation(vector.features, memory))
    if vector.features.features_ok and not own_driver_ok:
        yield 1, ev.DriverOk()
    for place, step in enumerate(vector.steps):
        match step:
            case model.OperatorStep():
                yield step.line, ev.Operator(step.action, step.value)
            case model.GuestStep():
                yield step.line, ev.Guest(step.action, step.pages)
            case model.BufferStep():
                index = indices[place]
                queues[step.name] = index
                yield (
                    step.line,
                    ev.Available(
                        index, step.name, step.readable, step.writable_bytes, step.notify, step.segments
                    ),
                )
            case model.ActualStep():
                actual = step.pages
                yield (
                    step.line,
                    ev.ConfigurationWritten(configuration.ACTUAL_OFFSET, actual.to_bytes(4, "little")),
                )
            case model.ConfigurationWriteStep():
                yield step.line, ev.ConfigurationWritten(step.offset, step.data)
            case model.ConfigurationReadStep():
                yield step.line, ev.ConfigurationRead(step.offset, step.data)
            case model.DriverOkStep():
                yield step.line, ev.DriverOk()
            case model.SilentStep():
                yield step.line, ev.Quiet(step.side)
            case model.UsedStep():
                yield step.line, ev.Used(queues[step.name], step.name, step.length_bytes, step.written)
            case model.ReactionStep():
                yield step.line, ev.Used(queues[step.name], step.name)
            case model.ConfigurationStep():
                num_pages = step.num_pages
                space = configuration.Configuration(num_pages, actual)
                yield step.line, ev.ConfigurationChanged(configuration.build(space))
            case model.EffectStep():
                yield step.line, ev.Discarded(step.discarded, (step.discarded | step.kept) & memory)
            case model.ResetStep():
                yield step.line, ev.Reset()
                yield from ((step.line, event) for event in _negotiation(step.features, memory))
                if step.features.features_ok:
                    yield step.line, ev.DriverOk()
    for side in sorted(vector.sides):
        yield 1, ev.Quiet(side)


def _negotiation(sets: model.FeatureSets, memory: PageSet) -> Iterator[ev.Event]:
    yield ev.Negotiated(sets.offered, sets.accepted, sets.features_ok)
    if sets.features_ok:
        yield ev.Memory(memory)
