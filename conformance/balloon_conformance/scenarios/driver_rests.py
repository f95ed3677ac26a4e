"""Where a driver comes to rest: at each target, after a moving one, and when the guest wants memory back.

Every target is held until the driver was silent for a whole deadline, so the judge sees the final state.
Before that the statistics are asked for: only the guest can say whether it could have given more.
"""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.pages import PageSet

_FIRST_PAGE = 0x1000
_PAGES = 512
_UNEVEN_PAGES = 500
"""Not a multiple of any usual unit, so that a driver which rounds its targets can be told from the others."""
_WANTED = 64
_RESTING_SECONDS = 10.0
_PAUSE_SECONDS = 0.3

_ABOUT = ("INF-03", "INF-05", "INF-10", "INF-12", "DEF-03", "DEF-04", "DEF-12", "CFG-04", "CFG-05")


def _rest(hosting: Hosting) -> None:
    """Serve the driver to its target, ask for its statistics, and give it the whole deadline."""
    session = hosting.session
    hosting.serve_on_its_way(_RESTING_SECONDS, _PAUSE_SECONDS)
    statistics = session.wait_for(
        lambda seen: isinstance(seen, ev.Available) and session.queue(seen.queue) is STATISTICS, 0.0
    )
    if isinstance(statistics, ev.Available):
        session.use(statistics.queue, statistics.buffer, 0, b"")
    hosting.serve_for(_RESTING_SECONDS, session.deadline_seconds)


def _run(pages: int) -> PageSet:
    return PageSet([(_FIRST_PAGE, pages)])


def _aim(hosting: Hosting, target: int) -> None:
    """Set the target. The guest of a steered driver is told to give up, or to want back, the difference."""
    before = hosting.target
    up, down = _run(target) - _run(before), _run(before) - _run(target)
    hosting.aim(target, inflate=up, deflate=down)


@scenario(Side.DRIVER, *_ABOUT, "DEF-09")
@pytest.mark.parametrize(
    "without",
    [[], ["DEFLATE_ON_OOM"], ["CHUNK_TRANSFER"]],
    ids=["all-features", "without-oom", "pfn-arrays"],
)
def test_rest_at_each_target(session: DriverSession, without: list[str]) -> None:
    """Small and large targets, upwards and downwards, each held until the driver rests."""
    hosting = Hosting(session)
    hosting.begin(*without)
    for target in (1, 300, _PAGES, 255, 1, 0):
        _aim(hosting, target)
        _rest(hosting)


@scenario(Side.DRIVER, *_ABOUT, "INF-13", "DEF-09")
@pytest.mark.parametrize("held", ["inflate", "deflate"])
@pytest.mark.parametrize("target", [_UNEVEN_PAGES * 2, _UNEVEN_PAGES // 4], ids=["rises", "falls"])
def test_a_target_that_moves_while_a_buffer_is_held(session: DriverSession, target: int, held: str) -> None:
    """The target rises or falls while a buffer is held back. It is announced once, and counts."""
    hosting = Hosting(session)
    hosting.begin()
    _aim(hosting, _UNEVEN_PAGES)
    if held == "deflate":
        _rest(hosting)
        _aim(hosting, _UNEVEN_PAGES // 2)
    if not hosting.take_in() or not hosting.held:
        return
    _aim(hosting, target)
    _rest(hosting)
    _aim(hosting, 0)
    _rest(hosting)


@scenario(Side.DRIVER, "DEF-09", "DEF-13", *_ABOUT)
@pytest.mark.parametrize("without", [[], ["DEFLATE_ON_OOM"]], ids=["with-oom", "without-oom"])
def test_a_guest_that_wants_pages_at_the_target(session: DriverSession, without: list[str]) -> None:
    """The balloon is at its target and the guest wants some of it back: DEFLATE_ON_OOM decides.

    With it the driver may give pages back, and does not take them again. Without it the balloon stays as it
    is.
    """
    session.need(Capability.STEER_PAGES)
    hosting = Hosting(session)
    hosting.begin(*without)
    _aim(hosting, _PAGES)
    _rest(hosting)
    session.steer(ev.GuestAction.DEFLATE, _run(_WANTED))
    _rest(hosting)
    hosting.aim(0, deflate=_run(_PAGES))
    _rest(hosting)


@scenario(Side.DRIVER, "DEF-09", *_ABOUT)
@pytest.mark.parametrize("without", [[], ["DEFLATE_ON_OOM"]], ids=["with-oom", "without-oom"])
def test_a_guest_out_of_memory_at_the_target(session: DriverSession, without: list[str]) -> None:
    """The balloon is at its target and the guest runs out of memory: DEFLATE_ON_OOM decides."""
    session.need(Capability.STEER_GUEST)
    hosting = Hosting(session)
    hosting.begin(*without)
    hosting.aim(_PAGES)
    _rest(hosting)
    hosting.command("oom")
    _rest(hosting)
    hosting.aim(0)
    _rest(hosting)
