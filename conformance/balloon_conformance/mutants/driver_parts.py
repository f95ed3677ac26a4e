"""What several mutant drivers share."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import BalloonPhase, DriverOptions, DriverState, Flight
from balloon_spec.events import Available
from balloon_spec.pages import PageSet

__all__ = ["AltersBuffers", "SendsSmallMessages", "is_deflating", "shifted"]


def is_deflating(state: DriverState) -> bool:
    """Tell whether the balloon operation under way is a deflation."""
    return state.ballooning.phase is BalloonPhase.DEFLATING


def shifted(pages: PageSet, by: int) -> PageSet:
    """Return every run moved up by ``by`` pages."""
    return PageSet((run.first + by, run.count) for run in pages)


class AltersBuffers(Driver):
    """A driver that passes every buffer through :meth:`alter` before it is made available."""

    def make_available(
        self, state: DriverState, flight: Flight, readable: bytes = b"", writable_bytes: int = 0
    ) -> Step:
        """Make the altered buffer available."""
        state, outputs = super().make_available(state, flight, readable, writable_bytes)
        return state, tuple(
            self.alter(state, flight, one) if isinstance(one, Available) else one for one in outputs
        )

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Return the buffer to make available in place of ``event``."""
        return event


class SendsSmallMessages(AltersBuffers):
    """A driver that puts one chunk into a message, so that several are in flight."""

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(replace(options, capacity_bytes=16))
