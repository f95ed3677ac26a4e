"""Drivers and devices that are right about page poison in an unusual way stay clean, and half a word is not a word."""

from __future__ import annotations

from functools import partial

import pytest

from balloon_conformance.families.page_poison.reference import VALUE, PoisonOfDevice, PoisonOfDriver, store_of
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.reference import Device, Driver
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_conformance.vectors.loader import load_all
from balloon_spec.events import ConfigurationWritten, Side

VECTORS = {one.id: one for one in load_all() if one.profile.name == "mainline"}
WHOLE = store_of(VALUE).data


def stores(*places):
    """A driver that writes these pieces of the word, each (first byte, one behind the last, what)."""

    class Stores(PoisonOfDriver):
        def set_up(self, state):
            if not self.driver.has(state, "PAGE_POISON"):
                return state, ()
            return state, tuple(
                ConfigurationWritten(12 + first, data[first:end]) for first, end, data in places
            )

    return Stores


def judged(vector, part, side):
    make = partial(Driver if side is Side.DRIVER else Device, parts=(part,))
    return play(VECTORS[vector], (ReferenceDriver if side is Side.DRIVER else ReferenceDevice)(make), side)


@pytest.mark.parametrize(
    "places",
    [
        pytest.param([(0, 4, bytes(4)), (0, 4, WHOLE)], id="twice"),
        pytest.param([(0, 2, WHOLE), (2, 4, WHOLE)], id="in halves"),
        pytest.param([(at, at + 1, WHOLE) for at in (3, 2, 1, 0)], id="byte by byte, from the last"),
    ],
)
def test_a_driver_may_take_as_many_stores_as_it_likes(places):
    outcome = judged("driver-says-poison-val-in-time", stores(*places), Side.DRIVER)
    assert (outcome.status, outcome.findings) == (Status.PASSED, ())
    assert outcome.exercised["POISON-02"]


def test_a_part_of_the_word_is_not_the_word():
    outcome = judged("driver-says-poison-val-in-time", stores((0, 1, WHOLE)), Side.DRIVER)
    assert {finding.requirement for finding in outcome.findings} == {"POISON-02"}


def test_a_driver_may_write_the_same_again():
    class Again(PoisonOfDriver):
        def changed(self, state, _space):
            return state, (store_of(VALUE),)

    outcome = judged("driver-says-poison-val-in-time", Again, Side.DRIVER)
    assert (outcome.status, outcome.findings) == (Status.PASSED, ())
    assert outcome.exercised["POISON-03"]


@pytest.mark.parametrize("vector", sorted(name for name, one in VECTORS.items() if Side.DEVICE in one.sides))
def test_a_device_may_leave_a_store_that_comes_too_late(vector):
    class Leaves(PoisonOfDevice):
        def store(self, state, name, value):
            late = state.phase == "running"
            return (state, ()) if late else super().store(state, name, value)

    outcome = judged(vector, Leaves, Side.DEVICE)
    assert (outcome.status, outcome.findings) == (Status.PASSED, ())
