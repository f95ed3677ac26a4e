"""A driver whose virtqueues cannot be what they are is caught by the requirement that says so."""

from __future__ import annotations

import pytest
from broken import BrokenOnes, assert_caught

from balloon_conformance.iut.contract import ImplementationViolation
from balloon_conformance.iut.reference import ReferenceDriver
from balloon_spec.events import Available, RingBroken, Side

DRIVERS = BrokenOnes(Side.DRIVER)


@DRIVERS.breaks("QUEUE-11")
class ChainsInACircle(ReferenceDriver):
    """Its first message of pages is a chain that never ends, as a transport with rings reports it."""

    def observe(self, deadline_seconds):
        events = super().observe(deadline_seconds)
        bad = next((one for one in events if isinstance(one, Available) and one.queue == 0), None)
        if bad is not None:
            broken = RingBroken(Side.DRIVER, bad.queue, "loop", "descriptor 1: the chain loops; next is 0")
            raise ImplementationViolation("the driver laid a broken ring (loop)", broken)
        return events


@pytest.mark.parametrize("broken", DRIVERS, ids=str)
def test_a_broken_driver_is_caught(broken):
    assert_caught(broken)
