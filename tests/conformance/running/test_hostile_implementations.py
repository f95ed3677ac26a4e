"""Implementations that put extreme values into every field: whatever they say is their fault, or nobody's."""

from __future__ import annotations

import zlib
from dataclasses import replace
from itertools import product

import pytest

from balloon_conformance.campaign.cases import cases
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.running.outcome import Fault, Status
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.pages import EMPTY, PFN_LIMIT, PageSet

EVERYTHING = PageSet([(0, PFN_LIMIT)])
LAST = PageSet([(PFN_LIMIT - 1, 1)])
INDICES = (0, 1, 3, 0xFFFF)
WORDS = (0, 1, 0xFFFFFFFF)
BYTES = (b"", b"\0", b"\xff" * 7, b"\xff" * 8, b"\xff" * 24, b"\0" * 4096)
NAMES = ("", "\0", "x" * 300, "m1")
FEATURES = (0, 1 << 63, (1 << 64) - 1, 8, 16, 24)

FIELDS = {
    ev.Used: {"queue": INDICES, "buffer": NAMES, "length_bytes": WORDS, "written": BYTES},
    ev.ConfigurationChanged: {"data": BYTES},
    ev.Available: {
        "queue": INDICES,
        "buffer": NAMES,
        "readable": BYTES,
        "writable_bytes": WORDS,
        "notified": (False,),
        "segments": (
            (ev.Segment(0),),
            (ev.Segment(0xFFFFFFFF), ev.Segment(1)),
            (ev.Segment(0, address=0),),
            (ev.Segment(0xFFFFFFFF, address=(1 << 64) - 1),),
            (ev.Segment(8, True, 0), ev.Segment(8)),
        ),
    },
    ev.ConfigurationWritten: {"offset": WORDS, "data": BYTES},
}
SIDES = {
    Side.DEVICE: (ReferenceDevice, (ev.Used, ev.ConfigurationChanged)),
    Side.DRIVER: (ReferenceDriver, (ev.Available, ev.ConfigurationWritten)),
}
UNASKED = {
    Side.DEVICE: (
        ev.Used(0, "nobody"),
        ev.Used(0xFFFF, "m1", 0xFFFFFFFF, b"\xff" * 16),
        ev.Used(3, "r0", 16, b"\xff" * 16),
        ev.NeedsReset(),
        ev.ConfigurationChanged(b""),
        ev.BufferAltered(0, "m1", b"", Side.DEVICE),
        ev.RingBroken(Side.DEVICE, 0xFFFF, "loop"),
    ),
    Side.DRIVER: (
        ev.Available(0xFFFF, "x", b"\xff" * 8, 0xFFFFFFFF),
        ev.Available(3, "done", b"\0\1" + b"\0" * 6),
        ev.Available(0, "far", b"\xff" * 24),
        ev.ConfigurationWritten(0xFFFFFFFF, b""),
        ev.ConfigurationWritten(4, b"\xff" * 9),
        ev.Memory(EMPTY),
        ev.Memory(EVERYTHING),
        ev.DriverOk(),
        ev.Reset(),
        ev.Guest(ev.GuestAction.USE, EVERYTHING),
        ev.BufferAltered(0, "inflate-0", b"", Side.DRIVER),
        ev.RingBroken(Side.DRIVER, 0xFFFF, "loop"),
    ),
}
ANSWERS = {
    (Side.DEVICE, "offered"): FEATURES,
    (Side.DEVICE, "accept"): (True, False),
    (Side.DEVICE, "ring_sizes"): (((0, 0),), ((0xFFFF, 0xFFFF),), tuple((index, 1) for index in range(4))),
    (Side.DEVICE, "read_configuration"): BYTES,
    (Side.DEVICE, "discarded"): ((EMPTY, EVERYTHING), (EVERYTHING, EVERYTHING), (LAST, EMPTY)),
    (Side.DRIVER, "negotiate"): (*FEATURES, None),
}


def telling(base, change):
    """Return an adapter that tells of each event what ``change`` makes of it and its number."""

    class Hostile(base):
        def start(self, setup):
            super().start(setup)
            self.count = 0

        def observe(self, deadline_seconds):
            told = []
            for event in super().observe(deadline_seconds):
                self.count += 1
                told += change(event, self.count)
            return told

    return Hostile


def with_field(base, kind, field, value, *, once):
    def change(event, number):
        wrong = isinstance(event, kind) and (number > 2) is once
        return [replace(event, **{field: value}) if wrong else event]

    return telling(base, change)


def with_unasked(base, extra):
    return telling(base, lambda event, number: [event, extra] if number < 20 else [event])


def with_answer(base, method, value):
    def answer(self, *arguments):
        getattr(base, method)(self, *arguments)
        return value

    return type("Hostile", (base,), {method: answer})


def hostile():
    """Yield the side, a name, and the adapter's class."""
    for side, (base, kinds) in SIDES.items():
        for kind in kinds:
            for field, values in FIELDS[kind].items():
                for value, once in product(values, (False, True)):
                    name = f"{kind.__name__}-{field}-{values.index(value)}-{'later' if once else 'first'}"
                    yield side, name, with_field(base, kind, field, value, once=once)
            twice = telling(base, lambda event, _, kind=kind: [event] * (1 + isinstance(event, kind)))
            yield side, f"{kind.__name__}-twice", twice
        for at, extra in enumerate(UNASKED[side]):
            yield side, f"{type(extra).__name__}-unasked-{at}", with_unasked(base, extra)
    for (side, method), values in ANSWERS.items():
        for at, value in enumerate(values):
            yield side, f"{method}-{at}", with_answer(SIDES[side][0], method, value)


def some(side, name):
    """Return a vector and a scenario for a side, others for each name and always the same."""
    every = list(cases(side).values())
    lots = [[one for one in every if one.is_vector is vector] for vector in (True, False)]
    return [lot[zlib.crc32(name.encode()) % len(lot)] for lot in lots]


HOSTILE = {f"{side}-{name}": (side, make) for side, name, make in hostile()}


@pytest.mark.untraced
@pytest.mark.parametrize("name", HOSTILE)
def test_what_an_implementation_says_is_no_fault_of_the_adapter_or_the_suite(name):
    side, make = HOSTILE[name]
    for case in some(side, name):
        outcome = case.play(make())
        assert outcome.status is not Status.ERROR, (case.id, outcome.fault, outcome.reason)


# Once found by the above, or in an implementation of somebody else's.
@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("driver-Reset-unasked-8", "a-fragmented-guest[1000]"),
        ("driver-Available-buffer-3-first", "pages-of-a-large-guest[isolated-over-2-gib]"),
        ("driver-ConfigurationWritten-twice", "want-of-memory-while-inflating[from-the-balloon]"),
        ("driver-ConfigurationWritten-data-4-first", "a-target-beyond-the-guest"),
        ("device-ring_sizes-2", "a-done-of-another-exchange[another-id]"),
    ],
)
def test_what_once_ended_as_a_fault_of_the_suite_does_not_any_more(name, case):
    side, make = HOSTILE[name]
    assert cases(side)[case].play(make()).status is not Status.ERROR


def test_memory_that_is_not_there_leaves_a_case_unplayed():
    small = type("Small", (ReferenceDevice,), {"memory": PageSet([(0, 1)])})
    for name in ("inflate-two-runs", "a-buffer-before-driver-ok"):
        outcome = cases(Side.DEVICE)[name].play(small())
        assert (outcome.status, "the guest has no pages" in outcome.reason) == (Status.NOT_EXERCISED, True)


@pytest.mark.parametrize(
    ("side", "told", "case"),
    [
        (Side.DRIVER, ev.ConfigurationRead(0, b"\xff" * 8), "inflate-one-page"),
        (Side.DEVICE, ev.BufferAltered(0, "m1", b"\xff", Side.DRIVER), "inflate-two-runs"),
    ],
)
def test_what_only_the_suite_can_have_done_is_known_better_and_the_adapter_is_wrong(side, told, case):
    outcome = cases(side)[case].play(with_unasked(SIDES[side][0], told)())
    assert (outcome.status, outcome.fault) == (Status.ERROR, Fault.ADAPTER)
    assert outcome.reason.startswith("the adapter tells of what the suite did not do: ")
