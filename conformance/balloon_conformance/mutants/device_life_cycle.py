"""Devices that are wrong about what begins and ends a session."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from balloon_conformance.iut.contract import ImplementationCrashed
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import DEVICE, Device
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import (
    Accept,
    DeviceOptions,
    DevicePhase,
    DeviceState,
    RequestPhase,
)
from balloon_conformance.reference.machine import Move
from balloon_spec.events import ConfigurationChanged, DriverOk, Operator, OperatorAction, Reset


@mutant(
    "RESET-07",
    also=("RESET-08", "NEG-07", "NEG-09"),
    origin="crosvm, commit 313f64127: no support for a reset",
)
class DoesNothingAtAReset(Device):
    """A guest that reboots finds the device as the one before left it, and no features to negotiate."""

    def reset(self, state: DeviceState, _given: Reset) -> Step:
        """Keep everything."""
        return state, ()


@mutant("RESET-08", also=("NEG-07", "NEG-09"))
class RefusesAfterAReset(Device):
    """A guest that suspends has no balloon when it resumes, because every set of features is refused."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.dead = False

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Refuse from here on."""
        self.dead = self.dead or state.phase is not DevicePhase.FRESH
        return super().reset(state, given)

    def accept(self, state: DeviceState, given: Accept) -> Step:
        """Clear FEATURES_OK if there was a reset."""
        return super().accept(state, replace(given, features=1 << 63) if self.dead else given)


@mutant("SAFE-13")
class DiesOfANotificationBetweenSessions(ReferenceDevice):
    """A driver that notifies too early crashes the device, because there is no queue yet."""

    def notify(self, queue: int) -> None:
        """Crash if nothing is negotiated."""
        if self.device.state.phase is DevicePhase.FRESH:
            raise ImplementationCrashed(f"no queue {queue}")


@mutant("QUEUE-14", origin="QEMU: each write of DRIVER_OK looks for a statistics buffer anew")
class StartsAgainAtEachDriverOk(Device):
    """A driver that writes its status again never gets its statistics buffer back.

    The request buffer that was there is not used for a request either.
    """

    table = MappingProxyType(
        {**DEVICE, (DevicePhase.RUNNING, DriverOk): Move("begin", (DevicePhase.RUNNING,))}
    )

    def begin(self, state: DeviceState, given: DriverOk) -> Step:
        """Hold nothing at first."""
        if state.phase is DevicePhase.RUNNING:
            fresh = DeviceState(num_pages=state.num_pages, actual=state.actual, accepted=state.accepted)
            state = replace(fresh, balloon=state.balloon)
        return super().begin(state, given)


class _GoesOnAtEachDriverOk(Device):
    """Continues as before if DRIVER_OK is written again, except for what :meth:`go_on` does."""

    table = MappingProxyType(
        {**DEVICE, (DevicePhase.RUNNING, DriverOk): Move("go_on", (DevicePhase.RUNNING,))}
    )

    def go_on(self, state: DeviceState, _given: DriverOk) -> Step:
        """Change nothing."""
        return state, ()


@mutant("CFG-08")
class ForgetsActualAtEachDriverOk(_GoesOnAtEachDriverOk):
    """The host sees an empty balloon after the driver wrote its status again."""

    def go_on(self, state: DeviceState, given: DriverOk) -> Step:
        """Count from zero."""
        state, outputs = super().go_on(state, given)
        return replace(state, actual=0), outputs


@mutant("CFG-11")
class ForgetsTheTargetAtEachDriverOk(_GoesOnAtEachDriverOk):
    """An operator's waiting request is lost when the driver writes its status again."""

    def go_on(self, state: DeviceState, given: DriverOk) -> Step:
        """Drop all requests."""
        state, outputs = super().go_on(state, given)
        return replace(state, num_pages=0), outputs


@mutant("REQ-05")
class ClosesTheExchangeAtEachDriverOk(_GoesOnAtEachDriverOk):
    """An exchange ends halfway when the driver writes its status again."""

    def go_on(self, state: DeviceState, given: DriverOk) -> Step:
        """Go on to the next request."""
        state, outputs = super().go_on(state, given)
        if state.requests.phase is not RequestPhase.OPEN:
            return state, outputs
        state, closing = self.close(state)
        return state, (*outputs, *closing)


@mutant("RESET-10", origin="devices that make themselves anew at a reset, the operator's wish included")
class ForgetsTheTarget(Device):
    """A guest that boots again gets memory that the host has promised to another."""

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Begin as at power-on."""
        super().reset(state, given)
        return DeviceState(), ()


@mutant("RESET-11")
class TakesTheTargetForTheBalloon(Device):
    """The tools of a guest that boots show a balloon that nobody filled."""

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Count the target, and one page more."""
        state, outputs = super().reset(state, given)
        return replace(state, actual=state.num_pages + 1), outputs


@mutant("CFG-13", origin="crosvm: the configuration interrupt is raised whatever the status")
class AnnouncesToNobody(Device):
    """A driver that is not ready is notified, and may take the device for broken."""

    def remember(self, state: DeviceState, given: Operator) -> Step:
        """Notify of a new target once features are negotiated."""
        state, outputs = super().remember(state, given)
        if given.action is not OperatorAction.TARGET or state.phase is not DevicePhase.NEGOTIATED:
            return state, outputs
        return state, (*outputs, ConfigurationChanged(self.configuration(state)))


@mutant("CFG-07")
class DropsATargetBeforeItsTime(Device):
    """The operator's requests are lost while a guest boots."""

    def remember(self, state: DeviceState, given: Operator) -> Step:
        """Do nothing."""
        return state, ()
