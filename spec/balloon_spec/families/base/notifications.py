"""Notifications: whoever puts a buffer into a virtqueue tells the other side, if it wants that.

An event says so of its buffer where the transport shows it and the other side did not ask to be left alone.
One notification covers every buffer of the queue before it, and may come later than they do. So one
is missing only once its side was given its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from balloon_spec.events import Available, DriverOk, Event, Notified, Quiet, Side, Used
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

_OF: Final = {Side.DEVICE: "QUEUE-12", Side.DRIVER: "QUEUE-13"}
_WORDS: Final = {
    Side.DEVICE: ("a buffer was returned and the driver not notified", "a used buffer notification"),
    Side.DRIVER: (
        "a buffer was made available and the device not notified",
        "an available buffer notification",
    ),
}


@dataclass(frozen=True, slots=True)
class Unheard:
    """Buffers of which a notification is due: how many, and the name of the first."""

    first: str
    count: int = 1


@dataclass(slots=True, eq=False)
class Notifications(Ledger):
    """The notifications that are due and have not come."""

    unheard: dict[tuple[Side, int], Unheard] = field(default_factory=dict)
    """The buffers of either side, by queue, of which the other was due a notification."""

    def is_due(self, event: Available) -> bool:
        """Tell whether a driver that makes this buffer available has to notify the device of it.

        It must not before DRIVER_OK. If that cannot be seen, a driver is known to be past it only by pages
        that go into the balloon or out of it, and by what it does after the device returned a buffer.
        """
        session = self.exchange[Session]
        queue = session.queues.get(event.queue)
        past = queue in {INFLATE, DEFLATE} or event.queue in self.exchange[Buffers].returned_on
        return queue is not None and (session.driver_ok or past)

    def take(self, event: Event, buffer: InFlight | None) -> None:
        """Take in a buffer of which the other side has to hear, and what it heard."""
        match event:
            case Available() if event.notified or self.is_due(event):
                self._hear(Side.DRIVER, event)
            case Used() if buffer is not None:
                self._hear(Side.DEVICE, event)
            case Notified():
                self.unheard.pop((event.side, event.queue), None)
            case DriverOk():
                # What the driver did before it was not allowed to notify of.
                self._await_no_more_of(Side.DRIVER)
            case Quiet():
                self._await_no_more_of(event.side)
            case _:
                pass

    def _hear(self, side: Side, event: Available | Used) -> None:
        """Take in whether the other side was notified of a buffer; one notification covers all before it."""
        key = (side, event.queue)
        if event.notified:
            self.unheard.pop(key, None)
        elif event.notified is False:
            before = self.unheard.get(key)
            self.unheard[key] = (
                Unheard(event.buffer) if before is None else replace(before, count=before.count + 1)
            )

    def _await_no_more_of(self, side: Side) -> None:
        """Await no notification of ``side``: none was due, or it was decided that they did not come."""
        self.unheard = {key: one for key, one in self.unheard.items() if key[0] is not side}


@rule(Used, "QUEUE-12")
def a_return_is_notified(event: Used, scene: Scene) -> Iterator[Decision]:
    """The device notifies the driver with the return of a buffer."""
    if event.notified and scene.buffer is not None:
        yield kept("QUEUE-12")


@rule(Available, "QUEUE-13")
def a_buffer_is_notified(event: Available, scene: Scene) -> Iterator[Decision]:
    """The driver notifies the device with a buffer; before DRIVER_OK it must not, which is QUEUE-09."""
    if event.notified and scene[Notifications].is_due(event):
        yield kept("QUEUE-13")


@rule(Notified, "QUEUE-12", "QUEUE-13")
def a_notification_came_later(event: Notified, scene: Scene) -> Iterator[Decision]:
    """A notification that was due has come."""
    if (event.side, event.queue) in scene[Notifications].unheard:
        yield kept(_OF[event.side])


@rule(Quiet, "QUEUE-12", "QUEUE-13")
def no_notification_is_lost(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A side that was given its time has notified the other of every buffer."""
    session = scene[Session]
    if event.side is Side.DEVICE and session.needs_reset:
        return
    words, expected = _WORDS[event.side]
    for (side, queue), unheard in scene[Notifications].unheard.items():
        if side is event.side:
            more = f" and {unheard.count - 1} more" if unheard.count > 1 else ""
            yield broken(
                _OF[side],
                words,
                field=f"{session.queues.get(queue, queue)} queue",
                expected=expected,
                seen=f"none since {unheard.first}{more}",
            )
