"""Random well-formed traffic, many buffers in flight, pages that go into the balloon and out again."""

from __future__ import annotations

from random import Random

import pytest

from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.driving import Driving
from balloon_spec.events import Side
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.pages import EMPTY, PageSet

_ARENA = PageSet([(0x1000, 768)])
_AROUND = PageSet([(0x0FF0, 768 + 32)])
_ROUNDS = 3
_MOST_PAGES = 24
_QUIET_SECONDS = 0.05

_SEEDS = pytest.mark.parametrize("seed", [1, 2])


@scenario(Side.DEVICE, "QUEUE-06", "QUEUE-07", "INF-08", "DEF-08", "PFN-05", "BUF-03", "BUF-04", "CFG-06")
@_SEEDS
def test_storm_of_pfn_arrays(session: DeviceSession, seed: int) -> None:
    """PFN arrays inflate and deflate pages in random order, the rings full."""
    driving = Driving(session, _ARENA)
    driving.begin(without=frozenset({"CHUNK_TRANSFER"}))
    _storm(driving, Random(seed))  # noqa: S311 - the same traffic on every run


@scenario(
    Side.DEVICE,
    *("QUEUE-06", "QUEUE-07", "INF-08", "DEF-08", "CHUNK-13", "BUF-03", "BUF-04", "CONC-06", "CFG-06"),
    features=frozenset({"CHUNK_TRANSFER"}),
)
@_SEEDS
def test_storm_of_chunks(session: DeviceSession, seed: int) -> None:
    """Messages of chunks inflate and deflate pages in random order, the rings full."""
    driving = Driving(session, _ARENA)
    driving.begin()
    _storm(driving, Random(seed))  # noqa: S311 - the same traffic on every run


def _storm(driving: Driving, random: Random) -> None:
    """Fill the rings and empty them in part, many times; ``random`` decides everything."""
    for _ in range(_ROUNDS):
        while _send_something(driving, random):
            pass
        flying = driving.in_flight(INFLATE) + driving.in_flight(DEFLATE)
        for _ in range(random.randint(0, flying)):
            if not driving.take_in():
                return
    if driving.drain():
        driving.tell_actual()
        session = driving.session
        session.read_whole_configuration()
        driving.look(_AROUND)
        session.settle(_QUIET_SECONDS)


def _send_something(driving: Driving, random: Random) -> bool:
    """Make a random buffer available; return False if the round is over or nothing more fits."""
    choices = [
        (queue, pages)
        for queue, pages in ((INFLATE, driving.free), (DEFLATE, driving.balloon))
        if pages and driving.has_room(queue)
    ]
    # Some rounds end although there is room left.
    if not choices or random.random() < 0.01:
        return False
    queue, pages = random.choice(choices)
    some = _pick(pages, random)
    if queue is INFLATE:
        driving.inflate(some)
    else:
        driving.deflate(some)
    return True


def _pick(pages: PageSet, random: Random) -> PageSet:
    """Return a few pages of a set, in runs of random lengths."""
    picked = EMPTY
    for _ in range(random.randint(1, 4)):
        run = random.choice(pages.runs)
        first = random.randrange(run.first, run.end)
        picked |= PageSet([(first, random.randint(1, min(_MOST_PAGES, run.end - first)))])
    return picked
