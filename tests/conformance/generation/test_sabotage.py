"""A step that shows a requirement can fail: spoiling it breaks the requirement, and nothing else proves it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up import VECTORS

from balloon_conformance.generation.sabotage import cannot_fail
from balloon_conformance.vectors import steps
from balloon_spec.events import Side
from balloon_spec.families.base import INFLATE


def shows(vector, kind, place, *names):
    """The vector with one of its steps of ``kind``, counted from 0, showing ``names`` and no other step anything."""
    chosen = [step for step in vector.steps if isinstance(step, kind)][place]
    steps = [replace(step, shows=names if step is chosen else ()) for step in vector.steps]
    return replace(vector, steps=tuple(steps))


def idle(vector, side):
    return [name for _, name in cannot_fail(vector, side)]


@pytest.mark.parametrize(
    ("vector", "kind", "name"),
    [
        # A buffer that is held back, pages that stay, a page beside that is touched, a byte that reads otherwise.
        ("inflate-two-runs", steps.UsedStep, "QUEUE-07"),
        ("inflate-two-runs", steps.EffectStep, "INF-07"),
        ("inflate-two-runs", steps.EffectStep, "INF-08"),
        ("configuration-layout", steps.ConfigurationReadStep, "CFG-06"),
        ("configuration-layout", steps.ConfigurationStep, "CFG-07"),
    ],
)
def test_a_device_that_does_otherwise_breaks_what_the_step_shows(vector, kind, name):
    assert idle(shows(VECTORS[vector], kind, 0, name), Side.DEVICE) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (steps.BufferStep, "HDR-04"),
        (steps.BufferStep, "CHUNK-11"),
        (steps.ActualStep, "CFG-03"),
    ],
)
def test_a_driver_that_does_otherwise_breaks_what_the_step_shows(kind, name):
    vector = VECTORS["inflate-two-runs"]
    place = next(
        index
        for index, step in enumerate(step for step in vector.steps if isinstance(step, kind))
        if not isinstance(step, steps.BufferStep) or step.queue is INFLATE
    )
    assert idle(shows(vector, kind, place, name), Side.DRIVER) == []


def test_what_no_way_to_fail_breaks_is_not_shown():
    # A buffer that is held back says nothing of the byte order of the configuration space.
    assert idle(shows(VECTORS["inflate-two-runs"], steps.UsedStep, 0, "CFG-01"), Side.DEVICE) == ["CFG-01"]


def test_a_step_that_the_suite_performs_is_nobodys_to_break():
    vector = shows(VECTORS["inflate-two-runs"], steps.BufferStep, 0, "QUEUE-07")
    assert idle(vector, Side.DEVICE) == []


@pytest.mark.parametrize("vector", list(VECTORS)[::40])
def test_every_step_of_a_published_vector_that_shows_something_can_fail(vector):
    assert [idle(VECTORS[vector], side) for side in VECTORS[vector].sides] == [[]] * len(
        VECTORS[vector].sides
    )
