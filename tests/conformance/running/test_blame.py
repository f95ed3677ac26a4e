"""Whatever step does not come true, and however: its own requirement is named, never the vector's topic."""

from __future__ import annotations

from itertools import product

import pytest

from balloon_conformance.campaign.cases import PATIENCE
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.running.blame import (
    Lapse,
    blame,
    blame_unasked,
    can_break,
    queue_blame,
    unaccompanied,
)
from balloon_conformance.running.mismatch import Mismatch
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_conformance.suite.plan import plan
from balloon_conformance.vectors import steps
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import CHUNK_TRANSFER
from balloon_spec.requirement import Level, catalogue

DEVICE_LAPSES = (Lapse.NOT_RETURNED, Lapse.NOT_DISCARDED, Lapse.TOUCHED, Lapse.SPOKE, Lapse.READ_OTHERWISE)
BOTH = (False, True)


def test_a_mismatch_cannot_be_made_without_a_requirement():
    with pytest.raises(TypeError, match="requirement"):
        Mismatch("it differs")


@pytest.mark.parametrize("lapse", Lapse)
def test_what_a_lapse_can_break_is_the_sides_own(lapse):
    side = Side.DEVICE if lapse in DEVICE_LAPSES else Side.DRIVER
    for name in can_break(lapse):
        assert catalogue()[name].subject is side
        assert catalogue()[name].level is not Level.MAY


def named_by_tables():
    """Yield every requirement that is named where a step says nothing itself, with the side."""
    for queue, one, two, three in product(CHUNK_TRANSFER.queues, BOTH, BOTH, BOTH):
        declared = queue_blame(queue)
        yield Side.DEVICE, declared.not_returned(writable=one)
        yield Side.DRIVER, declared.not_made_available(writable=one, again=two, was_reset=three)
        yield Side.DRIVER, declared.other_parts(writable=one, is_empty=two, absent="PFN-02")
        yield from ((Side.DRIVER, name) for name in declared.unasked)


def test_what_is_named_by_itself_is_a_requirement_of_the_side_or_nothing():
    for side, name in named_by_tables():
        assert not name or (catalogue()[name].subject is side and catalogue()[name].level is not Level.MAY)


@pytest.mark.parametrize(
    ("lapse", "shows", "plain", "named"),
    [
        (Lapse.NOT_RETURNED, ("UNUSED-01",), "QUEUE-07", "QUEUE-07"),
        (Lapse.NOT_RETURNED, ("NEG-01", "STATS-07"), "", "STATS-07"),
        (Lapse.NOT_RETURNED, ("QUEUE-05", "REQ-20"), "QUEUE-07", "QUEUE-05"),
        (Lapse.TOUCHED, ("SAFE-04",), "INF-08", "INF-08"),
        (Lapse.TOUCHED, ("PFN-07", "SAFE-01"), "INF-08", "SAFE-01"),
        (Lapse.NOT_DISCARDED, ("DEF-08",), "INF-07", "INF-07"),
        (Lapse.NOT_MADE_AVAILABLE, ("REQ-08",), "REQ-11", "REQ-11"),
        (Lapse.NOT_MADE_AVAILABLE, ("REQ-14",), "REQ-13", "REQ-14"),
    ],
)
def test_a_step_names_what_it_shows_only_where_that_can_be_broken_so(lapse, shows, plain, named):
    assert blame(lapse, shows, plain) == named


@pytest.mark.parametrize(
    ("queue", "shows", "named"),
    [
        (DEFLATE, ("INF-10", "DEF-09"), "DEF-09"),
        (DEFLATE, ("REQ-16",), ""),
        (HOST_REQUEST, ("DEF-03", "REQ-16"), "REQ-16"),
        (INFLATE, ("INF-10",), ""),
    ],
)
def test_a_buffer_out_of_silence_breaks_what_its_queue_says(queue, shows, named):
    assert blame_unasked(queue, ev.Available(queue.place, "b", b"\1\0\0\0"), shows) == named


def test_a_feature_without_what_it_requires_breaks_its_own_requirement():
    assert unaccompanied({"CHUNK_TRANSFER", "HOST_REQ_VQ"}) == "NEG-03"
    assert unaccompanied({"HOST_REQ_VQ"}) == "NEG-04"
    assert unaccompanied({"STATS_VQ"}) == ""
    assert all(unaccompanied({one.name}) for one in CHUNK_TRANSFER.features if one.requires)


# -- over every vector ------------------------------------------------------------------------------------


def held_back(queue):
    """Return a device that returns no buffer of a queue, requests excepted."""

    class Holds(ReferenceDevice):
        def observe(self, deadline_seconds):
            return [one for one in super().observe(deadline_seconds) if not self.is_held(one)]

        def is_held(self, event):
            return isinstance(event, ev.Used) and event.queue == queue.place and not event.written

    return Holds


class KeepsMemory(ReferenceDevice):
    """A device that discards a page elsewhere, and none that was named."""

    def discarded(self, pages):
        gone, _ = super().discarded(pages)
        return EMPTY, PageSet([(pages.runs[0].first, 1)]) - gone if pages else EMPTY


class SaysNothing(ReferenceDriver):
    """A driver of which no buffer of some queue is seen."""

    queue = INFLATE

    def observe(self, deadline_seconds):
        events = super().observe(deadline_seconds)
        return [
            one for one in events if not (isinstance(one, ev.Available) and one.queue == self.queue.place)
        ]


def silent_on(queue):
    return type("Silent", (SaysNothing,), {"queue": queue})


@pytest.mark.untraced
@pytest.mark.parametrize("queue", [INFLATE, DEFLATE, HOST_REQUEST])
def test_a_buffer_that_is_not_returned_is_never_the_topic_of_its_vector(queue):
    make, failed = held_back(queue), 0
    for vector in plan(Side.DEVICE).vectors:
        if not any(isinstance(step, steps.BufferStep) and step.queue is queue for step in vector.steps):
            continue
        outcome = play(vector, make(), Side.DEVICE, PATIENCE)
        assert outcome.status is not Status.ERROR, (vector.id, outcome.reason)
        assert {one.requirement for one in outcome.findings} <= can_break(Lapse.NOT_RETURNED), (
            vector.id,
            outcome.findings,
        )
        failed += outcome.status is Status.FAILED
    assert failed > 20


@pytest.mark.parametrize(
    ("queue", "named"),
    [
        (STATISTICS, {"STATS-01", "STATS-03"}),
        (HOST_REQUEST, {"REQ-01", "REQ-11", "REQ-13", "RESET-04"}),
    ],
)
def test_a_buffer_that_does_not_come_is_never_the_topic_of_its_vector(queue, named):
    failed = 0
    for vector in plan(Side.DRIVER).vectors:
        outcome = play(vector, silent_on(queue)(), Side.DRIVER, PATIENCE)
        assert outcome.status is not Status.ERROR, (vector.id, outcome.reason)
        assert {one.requirement for one in outcome.findings} <= named, (vector.id, outcome.findings)
        failed += outcome.status is Status.FAILED
    assert failed > 20


@pytest.mark.untraced
def test_a_page_that_is_changed_is_never_the_topic_of_its_vector():
    for vector in plan(Side.DEVICE).vectors:
        outcome = play(vector, KeepsMemory(), Side.DEVICE, PATIENCE)
        found = {one.requirement for one in outcome.findings}
        assert found <= can_break(Lapse.TOUCHED), (vector.id, found)
