"""What a driver has to send for what the guest wants: the pages first, and the buffers from them.

The steps of a script say what a buffer holds. If the guest was steered, the pages alone decide that, through
the specification's canonical encoding: a second way to the same bytes. Each family says this of its own
queues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from balloon_conformance.generation.intents import model
from balloon_conformance.generation.intents.vocabulary import vocabularies
from balloon_conformance.second_encoder.structures import Run

__all__ = ["Burst", "Carrier", "bursts"]


@dataclass(slots=True)
class Burst:
    """The buffers in which a driver carries one wish of the guest.

    ``messages`` is the canonical encoding of the pages, ``steps`` the indices of the steps of the script that
    make the buffers available; there may be fewer, if the script ends before. ``exact`` False leaves the
    driver its choice of buffers, so that only the pages count. ``named`` returns the runs that a buffer
    names, and raises :class:`struct.error` for one that is malformed.
    """

    messages: Sequence[bytes]
    named: Callable[[bytes], Iterable[Run]]
    exact: bool = True
    steps: list[int] = field(default_factory=list)


class Carrier:
    """Which bursts of a session a family accounts for; there is a new one after every reset.

    ``feature`` has to be negotiated. One with a feature goes before one without, on the same queue.
    """

    feature: ClassVar[str] = ""

    def begin(self, step: model.Step) -> Mapping[model.Queue, Burst]:
        """Take a step of the script in; return the bursts that begin with it, by their queue."""
        raise NotImplementedError(f"{type(self).__name__}.begin")


def bursts(intent: model.Intent) -> list[Burst]:
    """Return every burst of an intent that steers a guest and judges its driver, in the order they begin."""
    if "driver" not in intent.sides:
        return []
    accepted = intent.features.accepted
    carriers = _carriers(accepted)
    # By queue: the wish that the next buffers on it carry.
    current: dict[model.Queue, Burst] = {}
    found: list[Burst] = []
    for index, step in enumerate(intent.script):
        if isinstance(step, model.Reset):
            current.clear()
            accepted = accepted if step.features is None else step.features.accepted
            carriers = _carriers(accepted)
        elif isinstance(step, model.DriverBuffer) and step.content is not None and step.queue in current:
            current[step.queue].steps.append(index)
            current[step.queue].exact &= step.match == "exact"
        begun: dict[model.Queue, Burst] = {}
        for carrier in carriers:
            begun.update(carrier.begin(step))
        current.update(begun)
        found += begun.values()
    return found


def _carriers(accepted: Sequence[str]) -> list[Carrier]:
    """Return new carriers for these features, those without a feature first."""
    kinds = [kind for one in vocabularies() for kind in one.carriers]
    kinds = [kind for kind in kinds if not kind.feature or kind.feature in accepted]
    return [kind() for kind in sorted(kinds, key=lambda kind: bool(kind.feature))]
