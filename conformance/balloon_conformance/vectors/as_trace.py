"""A vector as a trace: every line taken for an event that happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from balloon_conformance.vectors import model
from balloon_spec import events as ev
from balloon_spec.families.base import configuration
from balloon_spec.pages import PageSet

__all__ = ["Tracing", "events", "located"]


def events(vector: model.Vector) -> Iterator[ev.Event]:
    """Yield the events of a vector in which both sides did as it says.

    A reaction is taken to be the return of the buffer. A side the vector judges owes nothing when it ends.
    """
    return (event for _, event in located(vector))


def located(vector: model.Vector) -> Iterator[tuple[int, ev.Event]]:
    """Yield :func:`events`, each with the line of its step; line 1 is that of what no step says."""
    tracing = Tracing(vector.memory)
    indices = vector.queue_indices()
    yield from ((1, event) for event in tracing.negotiation(vector.features))
    if vector.features.features_ok and not vector.sets_driver_ok:
        yield 1, ev.DriverOk()
    for place, step in enumerate(vector.steps):
        tracing.queue_index = indices.get(place, 0)
        yield from ((step.line, event) for event in step.trace(tracing))
    for side in sorted(vector.sides):
        yield 1, ev.Quiet(side)


@dataclass(slots=True)
class Tracing:
    """What is known while the steps of a vector become events, one after the other.

    ``queue_index`` is that of the step at hand, if it makes a buffer available; ``queues`` tells on which
    queue the buffer of a name is. ``num_pages`` is what the device announced last, ``actual`` the number of
    pages that the driver wrote last, and ``words`` what stands in the words of further features, by offset.
    """

    memory: PageSet
    queue_index: int = 0
    queues: dict[str, int] = field(default_factory=dict)
    num_pages: int = 0
    actual: int = 0
    words: dict[int, bytes] = field(default_factory=dict)

    def space(self) -> bytes:
        """Return the configuration space, as far as anything is known of it."""
        whole = configuration.build(configuration.Configuration(self.num_pages, self.actual))
        for offset, word in sorted(self.words.items()):
            whole = whole[:offset].ljust(offset, b"\0") + word + whole[offset + len(word) :]
        return whole

    def negotiation(self, sets: model.FeatureSets) -> Iterator[ev.Event]:
        """Yield the events of a negotiation."""
        self.words.clear()
        yield ev.Negotiated(sets.offered, sets.accepted, sets.features_ok)
        if sets.features_ok:
            yield ev.Memory(self.memory)
