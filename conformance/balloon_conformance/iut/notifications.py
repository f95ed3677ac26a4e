"""Combines the buffers that a device returned, as the used rings show, with the notifications that came.

A notification has no content. It only says that something was returned on a queue before it was sent. So the
rings are read, then the notifications are taken, then the rings are read again::

    found before   if a notification was taken, it came after the return; otherwise one is awaited
    taken
    found after    the notification that was taken may belong to this return: nothing is known
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from balloon_spec.events import Event, Notified, Side, Used

__all__ = ["Notifications"]


class Notifications:
    """The notifications awaited in one negotiation, for buffers that ``LentBuffers`` collects."""

    def __init__(self) -> None:
        self._awaited: set[int] = set()

    def awaits(self, queue: int) -> bool:
        """Tell whether a notification of the queue is due and has not come."""
        return queue in self._awaited

    def join(self, before: Sequence[Event], taken: Collection[int], after: Sequence[Event]) -> list[Event]:
        """Return all the events, oldest first, each return with what is known of its notification.

        ``taken`` are the queues whose notifications were taken between ``before`` and ``after``.
        """
        late = (self._awaited & set(taken)) - _awaited(before)
        self._awaited -= set(taken)
        events = [
            *_settled(before, taken, notified=True),
            *(Notified(Side.DEVICE, queue) for queue in sorted(late)),
            *_settled(after, taken, notified=None),
        ]
        self._awaited |= _awaited(events)
        return events

    def join_shared(self, before: Sequence[Event], after: Sequence[Event], *, came: bool) -> list[Event]:
        """Return the same if all queues share one notification; ``came`` says that it was taken.

        If several queues awaited it, it may belong to any of them, and nothing is known.
        """
        if not came:
            return self.join(before, (), after)
        waiting = self._awaited | _awaited(before)
        queues = waiting | _awaited(after)
        if len(waiting) > 1:
            before = list(_settled(before, queues, notified=None))
        return self.join(before, queues, after)


def _awaited(events: Iterable[Event]) -> set[int]:
    """Return the queues with returns that require a notification which was not seen."""
    return {event.queue for event in events if isinstance(event, Used) and event.notified is False}


def _settled(events: Iterable[Event], taken: Collection[int], *, notified: bool | None) -> Iterator[Event]:
    """Yield the events; returns on a queue in ``taken`` get the value ``notified``."""
    for event in events:
        if isinstance(event, Used) and event.notified is False and event.queue in taken:
            yield replace(event, notified=notified)
        else:
            yield event
