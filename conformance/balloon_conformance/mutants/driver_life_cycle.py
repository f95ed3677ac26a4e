"""Drivers that continue without a device."""

from __future__ import annotations

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import DriverState
from balloon_spec.events import Available, ConfigurationWritten, Guest, GuestAction
from balloon_spec.families.base import INFLATE, configuration


@mutant("RESET-09", also=("QUEUE-02",))
class InflatesWithoutADevice(Driver):
    """Pages that are given up while the device is away go to a queue that no longer exists, and are lost."""

    def remember(self, state: DriverState, given: Guest) -> Step:
        """Send them as page frame numbers, the only form that needs no features."""
        state, outputs = super().remember(state, given)
        if self.state.phase is not self.state.phase.FRESH or given.action is not GuestAction.INFLATE:
            return state, outputs
        data = b"".join(run.first.to_bytes(4, "little") for run in given.pages)
        return state, (*outputs, Available(self.index(state, INFLATE), "stray", data))


@mutant("RESET-09")
class CountsWithoutADevice(Driver):
    """The size of a balloon that no longer exists overwrites that of the next driver."""

    def remember(self, state: DriverState, given: Guest) -> Step:
        """Write actual when the guest wants pages back."""
        state, outputs = super().remember(state, given)
        if self.state.phase is not self.state.phase.FRESH or given.action is not GuestAction.DEFLATE:
            return state, outputs
        return state, (*outputs, ConfigurationWritten(configuration.ACTUAL_OFFSET, bytes(4)))
