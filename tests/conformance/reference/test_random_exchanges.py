"""A thousand exchanges between the reference driver and the reference device, at random: none breaks anything."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from wires import MEMORY, NAMES, PAGES, WISHES, Wires

from balloon_spec.events import Operator, OperatorAction
from balloon_spec.pages import PageSet
from balloon_spec.requirement import Level, catalogue

_EXCHANGES, _GROUPS = 1000, 10
_STEPS = 60


def _pages(random: Random) -> PageSet:
    runs = [(random.randrange(PAGES), random.randint(1, 6)) for _ in range(random.randint(0, 6))]
    return PageSet(runs) & MEMORY


def _connected(random: Random) -> Wires:
    names = {name for name in NAMES if random.random() < 0.8}
    wires = Wires()
    wires.connect(
        names=names,
        capacity_bytes=random.choice([16, 32, 4096]),
        array_pages=random.choice([1, 3, 256]),
        in_flight=random.choice([None, 1, 2]),
        own=None,
        early=random.randint(0, PAGES),
    )
    return wires


def _step(wires: Wires, random: Random) -> None:
    """Let one thing happen; buffers move most of the time."""
    waiting = [queue for queue, buffers in wires.available.items() if buffers]
    kind = random.choices(
        ["take", "give back", "guest", "target", "ask", "statistics", "reset"],
        [4.0 * bool(waiting), 4.0 * bool(wires.used), 3.0, 1.0, 1.0, 0.5, 0.1],
    )[0]
    if kind == "take":
        wires.take(random.choice(waiting))
    elif kind == "give back":
        wires.give_back(random.randrange(len(wires.used)))
    elif kind == "guest":
        wires.wish(random.choice(WISHES), _pages(random))
    elif kind == "target":
        wires.aim(random.randint(0, PAGES + 8))
    elif kind == "ask":
        wires.ask()
    elif kind == "statistics":
        wires.to_device(Operator(OperatorAction.STATISTICS))
    else:
        wires.begin_anew(late=random.random() < 0.5)


@pytest.mark.untraced
@pytest.mark.parametrize("group", range(_GROUPS))
def test_the_references_break_nothing_in_random_well_formed_exchanges(group):
    """Every event of both sides is judged, and every finding an error: see Wires.see."""
    exercised: Counter[str] = Counter()
    for number in range(_EXCHANGES // _GROUPS):
        random = Random(group * _EXCHANGES + number)
        wires = _connected(random)
        for _ in range(_STEPS):
            _step(wires, random)
            wires.check()
        wires.come_to_rest()
        assert wires.judge is not None
        exercised += wires.judge.exercised
    # Most of what can be kept without a malformed buffer was put to the test, so the silence says something.
    binding = [name for name, entry in catalogue().items() if entry.level is not Level.MAY]
    assert sum(name in exercised for name in binding) > 75
