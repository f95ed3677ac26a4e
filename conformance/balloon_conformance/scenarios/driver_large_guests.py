"""Guests of many GiB that are told which pages to give up: numbers beyond 32 bits, and wide gaps."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.pages import EMPTY, PageSet

_PAGES_PER_GIB = 1 << 18
_GUEST_PAGES = 40 * _PAGES_PER_GIB
_QUIET_SECONDS = 0.05

_ABOVE_4_GIB = PageSet([(4 * _PAGES_PER_GIB + 0x1000, 1), (5 * _PAGES_PER_GIB + 0x2000, 16)])
_OVER_2_GIB = PageSet((0x1000 + page * (2 * _PAGES_PER_GIB // 2500), 1) for page in range(2500))
"""More isolated pages than a message of 32 KiB holds, so that two messages are needed."""
_OVER_33_GIB = PageSet([(0x1000, 4), (33 * _PAGES_PER_GIB, 4)])

_OVER_256_MIB = PageSet([(8 * _PAGES_PER_GIB, (1 << 16) + 16)])
"""A balloon whose size needs more than 16 bits."""

_ABOUT = ("CHUNK-01", "CHUNK-02", "CHUNK-05", "INF-03", "INF-05", "DEF-04", "CFG-04", "CFG-05")


@scenario(Side.DRIVER, *_ABOUT, "INF-10", memory_pages=_GUEST_PAGES)
@pytest.mark.parametrize(
    "pages",
    [_ABOVE_4_GIB, _OVER_2_GIB, _OVER_33_GIB, _OVER_256_MIB],
    ids=["above-4-gib", "isolated-over-2-gib", "two-runs-over-33-gib", "a-run-over-256-mib"],
)
def test_pages_of_a_large_guest(session: DriverSession, pages: PageSet) -> None:
    """Pages beyond 4 GiB, and pages far apart, go into the balloon and come back."""
    session.need(Capability.STEER_PAGES)
    hosting = Hosting(session)
    hosting.begin()
    session.collect()
    if not pages <= _memory(session):
        raise NotExercised(f"the guest has less than {_GUEST_PAGES // _PAGES_PER_GIB} GiB")
    hosting.aim(pages.pages, inflate=pages)
    if hosting.serve():
        hosting.aim(0, deflate=pages)
        hosting.serve()
    session.settle(_QUIET_SECONDS)


def _memory(session: DriverSession) -> PageSet:
    """The guest pages that exist, as the driver reported them."""
    seen = [entry.event.pages for entry in session.trace if isinstance(entry.event, ev.Memory)]
    return seen[-1] if seen else EMPTY
