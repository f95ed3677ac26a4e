"""A vector as a trace: every line taken for an event that happened."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_conformance.vectors import model
from balloon_spec import events as ev
from balloon_spec.pages import PageSet
from balloon_spec.wire import configuration

__all__ = ["events"]


def events(vector: model.Vector) -> Iterator[ev.Event]:
    """Yield the events of a vector in which both sides did as it says.

    A reaction is taken to be the return of the buffer. A side the vector judges owes nothing when it ends.
    """
    memory = PageSet([(0, vector.memory_pages)])
    own_driver_ok = any(isinstance(step, model.DriverOkStep) for step in vector.steps)
    queues: dict[str, int] = {}
    num_pages = actual = 0
    yield from _negotiation(vector.features, memory)
    if vector.features.features_ok and not own_driver_ok:
        yield ev.DriverOk()
    for step in vector.steps:
        match step:
            case model.OperatorStep():
                yield ev.Operator(step.action, step.value)
            case model.GuestStep():
                yield ev.Guest(step.action, step.pages)
            case model.BufferStep():
                queues[step.name] = step.queue.index
                yield ev.Available(
                    step.queue.index, step.name, step.readable, step.writable_bytes, step.notify, step.cut
                )
            case model.ActualStep():
                actual = step.pages
                yield ev.ConfigurationWritten(configuration.ACTUAL_OFFSET, actual.to_bytes(4, "little"))
            case model.ConfigurationWriteStep():
                yield ev.ConfigurationWritten(step.offset, step.data)
            case model.ConfigurationReadStep():
                yield ev.ConfigurationRead(step.offset, step.data)
            case model.DriverOkStep():
                yield ev.DriverOk()
            case model.SilentStep():
                yield ev.Quiet(step.side)
            case model.UsedStep():
                yield ev.Used(queues[step.name], step.name, step.length_bytes, step.written)
            case model.ReactionStep():
                yield ev.Used(queues[step.name], step.name)
            case model.ConfigurationStep():
                num_pages = step.num_pages
                space = configuration.Configuration(num_pages, actual)
                yield ev.ConfigurationChanged(configuration.build(space))
            case model.EffectStep():
                yield ev.Discarded(step.discarded, (step.discarded | step.kept) & memory)
            case model.ResetStep():
                yield ev.Reset()
                yield from _negotiation(step.features, memory)
                if step.features.features_ok:
                    yield ev.DriverOk()
    for side in sorted(vector.sides):
        yield ev.Quiet(side)


def _negotiation(sets: model.FeatureSets, memory: PageSet) -> Iterator[ev.Event]:
    yield ev.Negotiated(sets.offered, sets.accepted, sets.features_ok)
    if sets.features_ok:
        yield ev.Memory(memory)
