"""Drivers that make buffers available without a notification, so a device that waits for one never looks."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.mutants.driver_parts import AltersBuffers
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver_state import DriverOptions, DriverOutput, DriverState, Flight
from balloon_spec.events import Available, Reset
from balloon_spec.families.base import INFLATE


@mutant("QUEUE-13")
class NeverNotifies(AltersBuffers):
    """Nothing that the driver gives up reaches a device that sleeps until it is notified."""

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Never notify."""
        return replace(event, notified=False)


@mutant("QUEUE-13", origin="a driver that notifies of the first buffer of a queue and counts on polling then")
class NotifiesOnce(AltersBuffers):
    """The first buffer of each queue is notified, and the device sleeps through all later ones."""

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self.told: set[int] = set()

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Notify each queue once."""
        if event.notified and event.queue in self.told:
            return replace(event, notified=False)
        self.told |= {event.queue} if event.notified else set()
        return event


@mutant("QUEUE-13")
class NotifiesOfInflationOnly(AltersBuffers):
    """The guest wants memory back, and the device learns of it with the next page that it is given."""

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Notify of one queue only."""
        return event if flight.queue is INFLATE else replace(event, notified=False)


@mutant("QUEUE-13")
class NotifiesNoMoreOnceStartedAnew(AltersBuffers):
    """After a reset of the device its driver fills the queues without notifications."""

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self.resets = 0

    def receive(self, given: object) -> tuple[DriverOutput, ...]:
        """Count the resets."""
        self.resets += isinstance(given, Reset)
        return super().receive(given)

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Notify before the first of them."""
        return replace(event, notified=False) if self.resets else event
