"""Devices that return buffers wrongly, or not at all."""

from __future__ import annotations

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceState
from balloon_spec.events import Available


@mutant("BUF-04")
class ReturnsABufferTwice(Device):
    """Every deflate buffer comes back a second time, and the driver takes it for one it sent since."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Return it, and return it again."""
        state, outputs = super().take_deflate(state, buffer)
        return state, (*outputs, self.return_buffer(buffer))
