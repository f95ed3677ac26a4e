"""Devices that return buffers and do not tell: the driver sleeps on, or finds them by chance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import DeviceOptions, DeviceOutput
from balloon_conformance.reference.machine import Note
from balloon_spec.events import Operator, Reset, Used


class _ChoosesToNotify(Device, ABC):
    """A device that notifies of the returns for which :meth:`notifies` says so, and of no other."""

    def __init__(self, options: DeviceOptions | None = None) -> None:
        super().__init__(options)
        self.returns = 0
        """How many buffers it returned since the reset."""
        self.resets = 0

    def receive(self, given: object) -> tuple[DeviceOutput, ...]:
        """Say of each return whether the driver is notified of it."""
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
        """Tell whether the driver is notified of a return; ``given`` led to it, ``malformed`` or not."""


@mutant("QUEUE-12")
class NeverNotifiesOfReturns(_ChoosesToNotify):
    """A driver that waits for its interrupt waits for ever, though every buffer came back long ago."""

    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Never."""
        return False


@mutant("QUEUE-12")
class NotifiesOfItsFirstReturnOnly(_ChoosesToNotify):
    """The first buffer comes back with a notification, and all that follow without one."""

    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Once between two resets."""
        return not self.returns


@mutant("QUEUE-12", origin="back-ends that return early out of the function that handles a bad buffer")
class LosesTheNotificationOfABadBuffer(_ChoosesToNotify):
    """A malformed buffer comes back and the driver is not told, so it waits for a buffer that is there."""

    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Not where there was something to complain of."""
        return not malformed


@mutant("QUEUE-12")
class NotifiesNoMoreAfterAReset(_ChoosesToNotify):
    """The driver that is loaded second never hears of its buffers."""

    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Before the first reset."""
        return not self.resets


@mutant("QUEUE-12")
class LosesTheNotificationOfALateReturn(_ChoosesToNotify):
    """Buffers that are held until the operator asks come back in silence, so one refresh is the last."""

    def notifies(self, given: object, *, malformed: bool) -> bool:
        """Where the return answers the driver at once."""
        return not isinstance(given, Operator)
