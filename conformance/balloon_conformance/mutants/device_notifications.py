"""Devices that return buffers without a notification, so the driver sleeps on or finds them by chance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import DeviceOptions, DeviceOutput
from balloon_conformance.reference.machine import Note
from balloon_spec.events import Operator, Reset, Used


class _ChoosesToNotify(Device, ABC):
    """A device that notifies only of the returns for which :meth:`notifies` returns True."""

    def __init__(self, options: DeviceOptions | None = None) -> None:
        super().__init__(options)
        self.returns = 0
        """How many buffers the device has returned since the reset."""
        self.resets = 0

    def receive(self, given: object) -> tuple[DeviceOutput, ...]:
        """Mark each return as notified or not."""
        if isinstance(given, Reset):
            self.returns, self.resets = 0, self.resets + 1
        outputs = super().receive(given)
        malformed = any(isinstance(one, Note) for one in outputs)
        chosen: list[DeviceOutput] = []
        for one in outputs:
            if isinstance(one, Used):
                chosen.append(replace(one, notified=self.notifies(given, malformed=malformed)))
                self.returns += 1
            else:
                chosen.append(one)
        return tuple(chosen)

    @abstractmethod
    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Tell whether the driver is notified of a return that ``given`` caused; it may be ``malformed``."""


@mutant("QUEUE-12")
class NeverNotifiesOfReturns(_ChoosesToNotify):
    """A driver that waits for its interrupt waits for ever, although every buffer came back long ago."""

    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Never."""
        return False


@mutant("QUEUE-12")
class NotifiesOfItsFirstReturnOnly(_ChoosesToNotify):
    """The first buffer comes back with a notification, and all later ones without."""

    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Notify once between two resets."""
        return not self.returns


@mutant("QUEUE-12", origin="back-ends that return early out of the function that handles a bad buffer")
class LosesTheNotificationOfABadBuffer(_ChoosesToNotify):
    """A malformed buffer comes back without a notification, so the driver waits on although it is there."""

    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Notify unless the buffer was malformed."""
        return not malformed


@mutant("QUEUE-12")
class NotifiesNoMoreAfterAReset(_ChoosesToNotify):
    """The second driver that is loaded never gets a notification of its buffers."""

    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Notify before the first reset."""
        return not self.resets


@mutant("QUEUE-12")
class LosesTheNotificationOfALateReturn(_ChoosesToNotify):
    """Buffers that are held until the operator asks come back without a notification."""

    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Notify if the return answers the driver at once."""
        return not isinstance(given, Operator)
