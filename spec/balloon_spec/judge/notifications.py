"""Rules about notifications: whoever puts a buffer into a virtqueue tells the other side, if it wants that.

An event says so of its buffer where the transport shows it and the other side did not ask to be left alone.
One notification covers every buffer of the queue before it, and may come later than they do. So one
is missing only once its side was given its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from balloon_spec.events import Available, Notified, Quiet, Side, Used
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.rule import Scene, rule

_OF: Final = {Side.DEVICE: "QUEUE-12", Side.DRIVER: "QUEUE-13"}
_WORDS: Final = {
    Side.DEVICE: ("a buffer was returned and the driver not notified", "a used buffer notification"),
    Side.DRIVER: (
        "a buffer was made available and the device not notified",
        "an available buffer notification",
    ),
}


@rule(Used, "QUEUE-12")
def a_return_is_notified(event: Used, scene: Scene) -> Iterator[Decision]:
    """The device notifies the driver with the return of a buffer."""
    if event.notified and scene.buffer is not None:
        yield kept("QUEUE-12")


@rule(Available, "QUEUE-13")
def a_buffer_is_notified(event: Available, scene: Scene) -> Iterator[Decision]:
    """The driver notifies the device with a buffer; before DRIVER_OK it must not, which is QUEUE-09."""
    if event.notified and scene.exchange.is_due_notification(event):
        yield kept("QUEUE-13")


@rule(Notified, "QUEUE-12", "QUEUE-13")
def a_notification_came_later(event: Notified, scene: Scene) -> Iterator[Decision]:
    """A notification that was due has come."""
    if (event.side, event.queue) in scene.exchange.unheard:
        yield kept(_OF[event.side])


@rule(Quiet, "QUEUE-12", "QUEUE-13")
def no_notification_is_lost(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A side that was given its time has notified the other of every buffer."""
    exchange = scene.exchange
    if event.side is Side.DEVICE and exchange.needs_reset:
        return
    words, expected = _WORDS[event.side]
    for (side, queue), unheard in exchange.unheard.items():
        if side is event.side:
            more = f" and {unheard.count - 1} more" if unheard.count > 1 else ""
            yield broken(
                _OF[side],
                words,
                field=f"{exchange.queues.get(queue, queue)} queue",
                expected=expected,
                seen=f"none since {unheard.first}{more}",
            )
