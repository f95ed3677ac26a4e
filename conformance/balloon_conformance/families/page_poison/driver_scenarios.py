"""``poison_val`` of a driver that runs freely: said before it gives pages up, or not at all."""

from __future__ import annotations

from typing import Final

from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting
from balloon_spec.events import Side

_FEATURES: Final = frozenset({"PAGE_POISON"})
_TIMES: Final = 2


def _move(hosting: Hosting) -> None:
    """Have the balloon grow and shrink again, more than once."""
    for _ in range(_TIMES):
        if not hosting.move_a_few():
            return
    hosting.session.settle()


@scenario(Side.DRIVER, "POISON-02", "POISON-03", features=_FEATURES)
def test_poison_and_a_balloon(session: DriverSession) -> None:
    """A driver with page poison has said its value before it gives pages up, and keeps to it."""
    hosting = Hosting(session)
    if "PAGE_POISON" not in hosting.begin():
        raise NotExercised("the driver did not accept PAGE_POISON")
    _move(hosting)


@scenario(Side.DRIVER, "POISON-08", features=_FEATURES)
def test_a_balloon_without_page_poison(session: DriverSession) -> None:
    """A driver that is not offered page poison leaves ``poison_val`` alone while its balloon moves."""
    hosting = Hosting(session)
    hosting.begin("PAGE_POISON")
    _move(hosting)
