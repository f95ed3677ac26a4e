"""Drivers whose virtqueues are invalid."""

from __future__ import annotations

from collections.abc import Sequence

from balloon_conformance.iut.contract import ImplementationViolation
from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.mutants.mutant import mutant
from balloon_spec.events import Available, Event, RingBroken, Side


@mutant("QUEUE-11", also=("INF-11",))
class MakesABufferAvailableTwice(ReferenceDriver):
    """A device finds the same inflate buffer a second time while it still has it."""

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Report each buffer of pages twice."""
        events = super().observe(deadline_seconds)
        return [one for one in events for _ in range(1 + (isinstance(one, Available) and one.queue == 0))]


@mutant("QUEUE-11")
class LaysChainsInACircle(ReferenceDriver):
    """A device that follows the chain of an inflate message reads the same descriptor for ever.

    It is reported as a transport with rings reports it: nothing can be exchanged after that.
    """

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Report events up to the first buffer of pages."""
        events = super().observe(deadline_seconds)
        bad = next((one for one in events if isinstance(one, Available) and one.queue == 0), None)
        if bad is not None:
            ring = RingBroken(Side.DRIVER, bad.queue, "loop", "descriptor 1: the chain loops; next is 0")
            raise ImplementationViolation("the driver laid a broken ring (loop)", ring)
        return events
