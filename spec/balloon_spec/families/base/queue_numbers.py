"""How either side numbers its virtqueues, and whether a device serves those behind a gap: ledger and rules.

How a peer numbers them is a property of it and breaks nothing by itself; that it does so in one way is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from balloon_spec import events as ev
from balloon_spec.events import Available, Negotiated, Quiet, Side, Used
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.numberings import ALL, Numberings, numberings, numberings_of_device
from balloon_spec.queues import Numbering, Queue

__all__ = ["QueueNumbers"]


@dataclass(slots=True, eq=False)
class QueueNumbers(Ledger):
    """The numberings that explain what was seen of either side, before a reset too."""

    of_driver: Numberings = ALL
    of_device: Numberings = ALL
    served: frozenset[tuple[Queue, frozenset[Queue]]] = frozenset()
    """Queues of which the device returned a buffer, each with those before it that were missing."""

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in which indices are used or missing, and which queues are served."""
        session = self.exchange[Session]
        if isinstance(event, Negotiated):
            self.of_device &= self.by_absence(event)
        elif isinstance(event, Available):
            self.of_driver &= self.by_use(event)
        elif isinstance(event, Used) and buffer is not None:
            queue = buffer.queue
            if queue is not None and queue.feature is not None:
                self.served |= {(queue, _missing_before(session, queue))}

    def is_served_with_more(self, queue: Queue) -> bool:
        """Tell whether the device served a queue while fewer before it were missing."""
        missing = _missing_before(self.exchange[Session], queue)
        return any(one is queue and fewer < missing for one, fewer in self.served)

    def by_absence(self, event: Negotiated) -> Numberings:
        """Return the numberings under which a device that lacks some indices has all its queues."""
        absent = [index for index, size in event.ring_sizes if not size]
        if not event.features_ok or not absent:
            return ALL
        return numberings_of_device(self.exchange.profile, event.offered, event.accepted, absent)

    def by_use(self, event: Available) -> Numberings:
        """Return the numberings under which a driver may use the index; all if none does (QUEUE-02)."""
        session = self.exchange[Session]
        if session.offered is None or session.accepted is None or not session.queues:
            return ALL
        seen = numberings(self.exchange.profile, session.offered, session.accepted, {event.queue})
        return seen or ALL

    def after_reset(self) -> Self:
        """Leave everything: a reset changes no habits."""
        return type(self)(
            self.exchange, of_driver=self.of_driver, of_device=self.of_device, served=self.served
        )


def _missing_before(session: Session, queue: Queue) -> frozenset[Queue]:
    """Return the queues before this one in the standard's list that do not exist."""
    profile = session.exchange.profile
    before = {one for one in profile.queues if profile.place(one) < profile.place(queue)}
    return frozenset(before - set(session.queues.values()))


def _decision(requirement: str, before: Numberings, now: Numberings, words: str) -> Iterator[Decision]:
    """Decide whether what is seen now goes together with what was seen before."""
    if not before & now:
        yield broken(
            requirement,
            words,
            field="virtqueue indices",
            expected=_names(before),
            seen=_names(now) or "no numbering",
        )
    elif now != ALL:
        yield kept(requirement)


def _names(numbers: Iterable[Numbering]) -> str:
    chosen = frozenset(numbers)
    return " or ".join(one.value for one in Numbering if one in chosen)


@rule(Negotiated, "MQ-01")
def a_device_numbers_its_queues_in_one_way(event: Negotiated, scene: Scene) -> Iterator[Decision]:
    """The indices at which a device has no queue are explained by one numbering, in every session."""
    ledger = scene[QueueNumbers]
    words = "the device lacks queues at indices that no one numbering explains"
    yield from _decision("MQ-01", ledger.of_device, ledger.by_absence(event), words)


@rule(Available, "MQ-03")
def a_driver_numbers_its_queues_in_one_way(event: Available, scene: Scene) -> Iterator[Decision]:
    """The indices that a driver uses are explained by one numbering, in every session."""
    ledger = scene[QueueNumbers]
    words = "the driver uses indices that no one numbering explains"
    yield from _decision("MQ-03", ledger.of_driver, ledger.by_use(event), words)


@rule(Used, "MQ-02")
def a_queue_behind_a_gap_is_served(_event: Used, scene: Scene) -> Iterator[Decision]:
    """A buffer comes back on a queue although one before it does not exist."""
    buffer = scene.buffer
    if buffer is None or buffer.queue is None or buffer.queue.feature is None or not buffer.is_sound:
        return
    if _missing_before(scene[Session], buffer.queue):
        yield kept("MQ-02")


@rule(Quiet, "MQ-02")
def no_queue_behind_a_gap_is_forgotten(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A device that serves a queue under other features serves it here, too."""
    session, flying, ledger = scene[Session], scene[Buffers], scene[QueueNumbers]
    if event.side is not Side.DEVICE or session.needs_reset or not session.driver_ok:
        return
    for buffer in flying.in_flight.values():
        queue = buffer.queue
        if queue is None or queue.held or buffer.number in flying.missed or not buffer.is_sound:
            continue
        unseen = buffer.early and queue not in flying.notified
        if not unseen and ledger.is_served_with_more(queue):
            yield broken(
                "MQ-02",
                f"the {queue} queue is served only beside one before it that is missing now",
                field=f"{queue} queue",
                expected=f"{buffer.event.buffer} returned",
                seen="in flight",
                data=buffer.event.readable,
            )
            return
