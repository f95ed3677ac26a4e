"""Targets that wander, and buffers that are held back; the driver chooses how to follow."""

from __future__ import annotations

from random import Random

import pytest

from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting
from balloon_spec.events import Side
from balloon_spec.pages import EMPTY, PageSet

_STEPS = 200
_MOST_PAGES = 40
_MANY_PAGES = 4096
_SINGLE_PAGES = 140
_QUIET_SECONDS = 0.05
_FIRST_PAGE = 0x1000

_ABOUT = ("INF-03", "INF-05", "DEF-03", "DEF-04", "CFG-03", "CFG-04", "CFG-05", "QUEUE-02", "QUEUE-03")


@scenario(Side.DRIVER, *_ABOUT)
@pytest.mark.parametrize(
    "without", [["MUST_TELL_HOST"], ["CHUNK_TRANSFER"], []], ids=["untold", "pfn-arrays", "all-features"]
)
def test_walk_by_single_pages(session: DriverSession, without: list[str]) -> None:
    """The target goes up and down by one page at a time."""
    hosting = Hosting(session)
    hosting.begin(*without)
    random = Random(_STEPS)  # noqa: S311 - the same walk on every run
    balloon = EMPTY
    for _ in range(_STEPS):
        up = balloon.pages == 0 or (balloon.pages < _MOST_PAGES and random.random() < 0.55)
        if up:
            # Only every second page, so that no two pages make a run.
            page = PageSet([(_FIRST_PAGE + 2 * random.randrange(_MOST_PAGES * 2), 1)])
            while page <= balloon:
                page = PageSet([(_FIRST_PAGE + 2 * random.randrange(_MOST_PAGES * 2), 1)])
            balloon |= page
            hosting.aim(hosting.target + 1, inflate=page)
        else:
            page = PageSet([(random.choice(balloon.runs).first, 1)])
            balloon -= page
            hosting.aim(hosting.target - 1, deflate=page)
        if not hosting.serve():
            return
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, *_ABOUT, "DEF-11", "DEF-05", "INF-10")
@pytest.mark.parametrize("way", ["up", "down"])
def test_one_page_at_a_time(session: DriverSession, way: str) -> None:
    """The target moves by one page many times, upwards, or downwards from a balloon that was filled at once.

    The pages are likely to be neighbours, so the number of one of them is a multiple of 64.
    """
    hosting = Hosting(session)
    hosting.begin()
    pages = PageSet([(_FIRST_PAGE, _SINGLE_PAGES)])
    if way == "down":
        hosting.aim(pages.pages, inflate=pages)
        if not hosting.serve():
            return
    for step in range(1, _SINGLE_PAGES + 1):
        page = PageSet([(_FIRST_PAGE + step - 1, 1)])
        if way == "up":
            hosting.aim(step, inflate=page)
        else:
            hosting.aim(_SINGLE_PAGES - step, deflate=page)
        if not hosting.serve():
            return
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, *_ABOUT, "CONC-05")
@pytest.mark.parametrize("without", [["CHUNK_TRANSFER"], []], ids=["pfn-arrays", "all-features"])
def test_buffers_held_back(session: DriverSession, without: list[str]) -> None:
    """A large target and then none. Buffers are held back until no more come, and returned newest first.

    Before that the driver has shown that it goes on if they come back in order.
    """
    hosting = Hosting(session)
    hosting.begin(*without)
    if not hosting.move_a_few():
        return
    pages = PageSet([(_FIRST_PAGE, _MANY_PAGES)])
    hosting.aim(_MANY_PAGES, inflate=pages)
    if not _serve_newest_first(hosting):
        return
    hosting.aim(0, deflate=pages)
    if _serve_newest_first(hosting):
        session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "BUF-06", *_ABOUT, breaks=("BUF-03",))
def test_pages_returned_with_a_length(session: DriverSession) -> None:
    """A driver counts the pages of a buffer whose used length is that of its message, and goes on."""
    hosting = Hosting(session)
    hosting.begin()
    if not hosting.move_a_few():
        return
    hosting.tells_lengths = True
    if hosting.move_a_few():
        hosting.move_a_few()
    session.settle(_QUIET_SECONDS)


def _serve_newest_first(hosting: Hosting) -> bool:
    """Let the driver reach the target; return False if it stops before."""
    while hosting.actual != hosting.target or hosting.held:
        if not hosting.held and not hosting.take_in():
            return False
        while hosting.held and hosting.take_in(_QUIET_SECONDS):
            pass
        while hosting.held:
            hosting.give_back(-1)
    return True
