"""What a device did since somebody looked last: returns, changes of the configuration, a wish for a reset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from balloon_conformance.iut.machine.transport import Status
from balloon_conformance.iut.notifications import Notifications
from balloon_spec.events import ConfigurationChanged, NeedsReset

if TYPE_CHECKING:
    from balloon_conformance.iut.lent_buffers import LentBuffers
    from balloon_conformance.iut.machine.transport import Transport
    from balloon_spec.events import Event

__all__ = ["Watch"]


@dataclass(slots=True)
class Watch:
    """Looks at a device between two resets. ``configuration`` is the space as of its last change."""

    configuration: bytes = b""
    _needs_reset: bool = False
    _notifications: Notifications = field(default_factory=Notifications)

    def awaits(self, queue: int) -> bool:
        """Tell whether an interrupt of the queue is due and has not come."""
        return self._notifications.awaits(queue)

    def look(
        self, device: Transport, lent: LentBuffers | None, read_space: Callable[[], bytes]
    ) -> list[Event]:
        """Collect everything that the device may have done; ``read_space`` reads its configuration space."""
        before = [] if lent is None else lent.collect()
        interrupts, status = device.take_interrupts(), device.status()
        data, more = b"", interrupts
        while more.configuration:
            # What can be read was announced by then. Another announcement that waits is of this very change:
            # left for later, it would be taken for one of what is there then.
            data, more = read_space(), device.take_interrupts()
            interrupts |= more
        after = [] if lent is None else lent.collect()
        if interrupts.queues:
            events = self._notifications.join(before, interrupts.queues, after)
        else:
            events = self._notifications.join_shared(before, after, came=interrupts.used)
        broken = Status.DEVICE_NEEDS_RESET in status and not self._needs_reset
        if interrupts.configuration:
            # The same interrupt announces DEVICE_NEEDS_RESET (2.1.2). Then only a changed space shows that
            # the interrupt also meant a change of the configuration.
            if not broken or data != self.configuration:
                events.append(ConfigurationChanged(data))
            self.configuration = data
        if broken:
            self._needs_reset = True
            events.append(NeedsReset())
        return events
