"""Joins the buffers a device returned, as the used rings tell, with the notifications that came.

A notification has no content: it says that something was returned on a queue before it was sent. So the rings
are looked at, then the notifications are taken, then the rings are looked at again::

    found before   a notification taken then came after the return, or none did and one is awaited
    taken
    found after    the notification taken may have been this return's: nothing is known of it
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from balloon_spec.events import Event, Notified, Side, Used

__all__ = ["Notifications"]


class Notifications:
    """What is awaited in one negotiation, of buffers that ``LentBuffers`` collects."""

    def __init__(self) -> None:
        self._awaited: set[int] = set()

    def join(self, before: Sequence[Event], taken: Collection[int], after: Sequence[Event]) -> list[Event]:
        """Return all the events, oldest first, each return with what is known of its notification.

        ``taken`` are the queues of which notifications were taken between ``before`` and ``after``.
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
        """Return the same where all queues share one notification; ``came`` is that it was taken.

        Where it was awaited on several queues it may not have been meant for each, and nothing is known.
        """
        if not came:
            return self.join(before, (), after)
        waiting = self._awaited | _awaited(before)
        queues = waiting | _awaited(after)
        if len(waiting) > 1:
            before = list(_settled(before, queues, notified=None))
        return self.join(before, queues, after)


def _awaited(events: Iterable[Event]) -> set[int]:
    """Return the queues with returns of which a notification is due and was not seen."""
    return {event.queue for event in events if isinstance(event, Used) and event.notified is False}


def _settled(events: Iterable[Event], taken: Collection[int], *, notified: bool | None) -> Iterator[Event]:
    """Yield the events, ``notified`` being known of those whose queue was ``taken``."""
    for event in events:
        if isinstance(event, Used) and event.notified is False and event.queue in taken:
            yield replace(event, notified=notified)
        else:
            yield event
