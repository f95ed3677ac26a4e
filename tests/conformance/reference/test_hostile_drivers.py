"""Devices that meet hostile descriptors and broken rings in ways that are right and that few have."""

import pytest

from balloon_conformance.campaign.cases import cases
from balloon_conformance.intents import broken_rings, hostile_descriptors
from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.running.outcome import Status
from balloon_spec.events import NeedsReset, RingBroken, Side, Used
from balloon_spec.segments import are_well_laid

RINGS = [one.id for one in broken_rings.INTENTS]
EVERY = [*RINGS, *(one.id for one in hostile_descriptors.INTENTS)]


class GivesUp(ReferenceDevice):
    """It serves no queue any more until the reset, and does not say so."""

    tells = False

    def start(self, setup):
        super().start(setup)
        self.gave_up = False

    def reset(self):
        self.gave_up = False
        super().reset()

    def give_up(self):
        if self.tells and not self.gave_up:
            self.log.events.append(NeedsReset())
        self.gave_up = True

    def break_ring(self, queue, breach):
        super().break_ring(queue, breach)
        self.give_up()

    def make_available(self, queue, buffer):
        if not are_well_laid(buffer.segments, len(buffer.readable), self.memory):
            self.give_up()
        if not self.gave_up:
            super().make_available(queue, buffer)


class AsksForAReset(GivesUp):
    """It asks for a reset, and serves nothing before."""

    tells = True


class StopsTheQueue(GivesUp):
    """It serves the other queues."""

    def start(self, setup):
        super().start(setup)
        self.stopped = set()

    def reset(self):
        self.stopped.clear()
        super().reset()

    def break_ring(self, queue, breach):
        ReferenceDevice.break_ring(self, queue, breach)
        self.stopped.add(queue)

    def make_available(self, queue, buffer):
        if not are_well_laid(buffer.segments, len(buffer.readable), self.memory):
            self.stopped.add(queue)
        if queue not in self.stopped:
            ReferenceDevice.make_available(self, queue, buffer)


class TakesOldBuffersAgain(ReferenceDevice):
    """It follows an index that jumped, and puts what it took for buffers into the used ring."""

    def break_ring(self, queue, breach):
        super().break_ring(queue, breach)
        self.log.events.append(RingBroken(Side.DEVICE, queue, "used-jump", "the index moved by 257"))


@pytest.mark.parametrize("kind", [GivesUp, AsksForAReset, StopsTheQueue, TakesOldBuffersAgain])
@pytest.mark.parametrize("case", EVERY)
def test_nothing_is_found_against_it(kind, case):
    outcome = cases(Side.DEVICE)[case].play(kind())
    assert (outcome.status, outcome.findings) == (Status.PASSED, ())
    # To go on after a malformed buffer is advised; after a broken ring it is not.
    advised = {one.requirement for one in outcome.advice}
    assert advised <= (set() if case in RINGS else {"SAFE-05"})
    assert outcome.exercised["SAFE-04"] > 0


def test_a_buffer_after_a_broken_ring_is_not_owed_and_one_after_the_reset_is():
    class NeverAgain(GivesUp):
        def reset(self):
            ReferenceDevice.reset(self)

    outcome = cases(Side.DEVICE)[RINGS[0]].play(NeverAgain())
    assert [one.requirement for one in outcome.findings] == ["SAFE-04"]


def test_a_device_that_breaks_a_used_ring_by_itself_is_blamed():
    class LosesCount(ReferenceDevice):
        def make_available(self, queue, buffer):
            super().make_available(queue, buffer)
            if buffer.name == "good1":
                self.log.events.append(RingBroken(Side.DEVICE, queue, "used-jump", "the index moved by 2"))

    outcome = cases(Side.DEVICE)[RINGS[0]].play(LosesCount())
    assert [one.requirement for one in outcome.findings] == ["BUF-04"]


def test_the_device_answers_when_nothing_came_back():
    outcome = cases(Side.DEVICE)[RINGS[0]].play(GivesUp())
    assert not any(isinstance(one.event, Used) and one.event.buffer == "after1" for one in outcome.trace)


def test_an_adapter_that_cannot_break_rings_leaves_these_cases_out():
    class WholeBuffers(ReferenceDevice):
        capabilities = ReferenceDevice.capabilities - {Capability.BROKEN_RINGS}

    for case in RINGS:
        assert cases(Side.DEVICE)[case].play(WholeBuffers()).status is Status.NOT_EXERCISED
