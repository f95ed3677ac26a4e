"""Scenarios of the invented family."""

from __future__ import annotations

from balloon_conformance.iut.contract import Buffer
from balloon_conformance.scenarios import scenario
from balloon_spec.events import Side


@scenario(Side.DEVICE, "ECHO-01", features=frozenset({"ECHO"}))
def test_many_calls(session):
    """Whatever is called comes back."""
    session.negotiate(session.profile.mask(["VERSION_1", "ECHO"]), session.offered())
    session.driver_ok()
    for number in range(9):
        session.make_available(5, Buffer(f"m{number}", bytes([number, 0, 0, 0]), 4))
    session.settle(0.1)
