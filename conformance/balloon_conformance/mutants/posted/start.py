"""The posted driver's defects at setup: features that it gives up too late, and an early notification."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import DriverPhase, DriverState, Flight
from balloon_spec.events import Available
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.statistics import STATISTICS

__all__ = ["PostedGivesFeaturesUpTooLate", "PostedNotifiesEarly"]

_NEED_STATISTICS = frozenset({"CHUNK_TRANSFER", "HOST_REQ_VQ"})
_PRIMED = frozenset({STATISTICS, HOST_REQUEST})


@mutant(
    "NEG-03",
    "NEG-04",
    origin="posted driver, D12: the bits are cleared in the driver's own copy, after they were acknowledged",
)
class PostedGivesFeaturesUpTooLate(Driver):
    """A device without statistics is told that chunks come, and gets arrays of page frame numbers.

    It waits for a request buffer that is never made available. A device that reads the arrays as messages
    finds no page of the guest in them, or wrong ones.
    """

    def choose(self, offered: int) -> int:
        """Accept whatever is known, unless a family does without it."""
        chosen = offered & self.options.features
        for part in self.family_parts:
            chosen = part.choose(offered, chosen)
        return chosen

    def has(self, state: DriverState, feature: str) -> bool:
        """Tell whether the driver uses the feature, whatever it accepted."""
        if feature in _NEED_STATISTICS and not super().has(state, "STATS_VQ"):
            return False
        return super().has(state, feature)


@mutant(
    "QUEUE-09",
    origin="posted driver, D14: the queues are notified as they are set up",
)
class PostedNotifiesEarly(Driver):
    """The first buffers are notified before DRIVER_OK, when a device may not look yet.

    A device that forgets early notifications never sees the request buffer.
    """

    def make_available(
        self, state: DriverState, flight: Flight, readable: bytes = b"", writable_bytes: int = 0
    ) -> Step:
        """Make a buffer available, and notify at once."""
        primes = state.phase is DriverPhase.FRESH and flight.queue in _PRIMED
        state, outputs = super().make_available(state, flight, readable, writable_bytes)
        return state, tuple(
            replace(one, notified=True) if primes and isinstance(one, Available) else one for one in outputs
        )
