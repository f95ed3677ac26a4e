"""Devices that do what they may and few do: no case finds anything against them."""

from dataclasses import replace

import pytest

from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.reference import ReferenceDevice
from balloon_conformance.mutants.cases import cases
from balloon_conformance.reference.device import Device
from balloon_conformance.report.outcome import Status
from balloon_spec.events import Available, ConfigurationChanged, Side


class AnnouncesEveryWish(Device):
    """It notifies the driver of every wish of its operator, also of one that changes nothing."""

    def operate(self, state, given):
        state, outputs = super().operate(state, given)
        if any(isinstance(one, ConfigurationChanged) for one in outputs):
            return state, outputs
        return state, (*outputs, ConfigurationChanged(self.configuration(state)))

    def remember(self, state, given):
        state, outputs = super().remember(state, given)
        return state, (*outputs, ConfigurationChanged(self.configuration(state)))


class AnnouncesWhateverComes(Device):
    """It notifies the driver of a change of the configuration with every buffer it takes."""

    def take(self, state, buffer):
        state, outputs = super().take(state, buffer)
        return state, (*outputs, ConfigurationChanged(self.configuration(state)))


class HasATargetFromTheStart(Device):
    """Its target is 40 pages before anybody asks, and survives whatever the driver writes there."""

    def __init__(self, options):
        super().__init__(options)
        self.state = replace(self.state, num_pages=40)


class HasNoMoreThanThereIs(Device):
    """Of a target beyond guest memory it makes all of guest memory."""

    def target_pages(self, value):
        return min(super().target_pages(value), self.options.memory.pages)


class RefusesLargeTargets(Device):
    """It leaves its target alone if its operator wants more than there is."""

    def change_target(self, state, value):
        return (state, ()) if value > self.options.memory.pages else super().change_target(state, value)


class ReturnsStatisticsOfItself(Device):
    """It returns the first statistics buffer of a driver although nobody asked for statistics."""

    def begin(self, state, given):
        state, outputs = super().begin(state, given)
        if not state.statistics:
            return state, outputs
        state, more = self.return_statistics(state)
        return state, (*outputs, *more)


class WithoutAnOperator(ReferenceDevice):
    """Nobody can tell it a target."""

    capabilities = ReferenceDevice.capabilities - {
        Capability.OPERATOR_TARGET,
        Capability.OPERATOR_UNUSED_PAGES,
        Capability.OPERATOR_STATISTICS,
    }


def findings(adapter):
    return {
        (one.id, str(finding))
        for one in cases(Side.DEVICE).values()
        for finding in one.play(adapter).findings
    }


@pytest.mark.parametrize(
    "adapter",
    [
        ReferenceDevice(AnnouncesEveryWish),
        ReferenceDevice(AnnouncesWhateverComes),
        ReferenceDevice(ReturnsStatisticsOfItself),
        WithoutAnOperator(HasATargetFromTheStart),
    ],
    ids=[
        "announces-every-wish",
        "announces-whatever-comes",
        "returns-statistics",
        "has-a-target-from-the-start",
    ],
)
def test_nothing_is_found_against_an_unusual_device(adapter):
    assert findings(adapter) == set()


@pytest.mark.parametrize("kind", [HasNoMoreThanThereIs, RefusesLargeTargets])
def test_a_device_need_not_carry_out_a_target_beyond_guest_memory(kind):
    case = cases(Side.DEVICE)["targets-beyond-guest-memory"].play(ReferenceDevice(kind))
    assert (case.status, case.findings, case.advice) == (Status.PASSED, (), ())
    assert case.exercised["SAFE-13"] > 0


class KnowsSmallTargetsAlone(ReferenceDevice):
    """Its operator cannot ask for more than there is."""

    largest_target = 0x100


def test_a_target_that_its_operator_cannot_have_is_asked_of_no_device():
    case = cases(Side.DEVICE)["targets-beyond-guest-memory"].play(KnowsSmallTargetsAlone())
    assert (case.status, case.reason) == (
        Status.NOT_EXERCISED,
        "the operator of this device can have 256 pages at the most",
    )


class GivesUpEveryRequest(Device):
    """It waits for no answer: as soon as it has a buffer and a wish it asks again (REQ-05 is advice)."""

    def may_ask_again(self, state):
        return True


def test_a_device_that_asks_again_at_once_is_advised_and_not_blamed_for_a_stray():
    adapter = ReferenceDevice(GivesUpEveryRequest)
    names = [name for name in cases(Side.DEVICE) if name.startswith("a-done-")]
    outcomes = [cases(Side.DEVICE)[name].play(adapter) for name in names]
    assert len(names) == 8
    assert [outcome.findings for outcome in outcomes] == [()] * 8
    assert all("REQ-05" in {one.requirement for one in outcome.advice} for outcome in outcomes)


class WorksUntilTheResetIsComplete(ReferenceDevice):
    """It discards what was offered to it, without a return, at the very moment it is reset."""

    def make_available(self, queue, buffer):
        if buffer.notify or queue:
            super().make_available(queue, buffer)
        else:
            self.late = buffer

    late = None

    def reset(self):
        if self.late is not None and self.device.state.accepted:
            pages = self.device.read_pages(self.device.state, Available(0, "late", self.late.readable)).pages
            self._discarded |= pages
        self.late = None
        super().reset()


def test_what_a_device_discards_until_the_reset_is_complete_is_not_after_it():
    adapter = WorksUntilTheResetIsComplete()
    names = [name for name in cases(Side.DEVICE) if name.startswith("a-reset-drops-what-waits")]
    assert len(names) == 4
    assert [cases(Side.DEVICE)[name].play(adapter).findings for name in names] == [()] * 4


class HasNoStatus(ReferenceDevice):
    """Nobody reads its status, as over standard streams."""

    capabilities = ReferenceDevice.capabilities - {Capability.REGISTERS}


def test_what_rests_on_the_status_is_not_exercised_without_it():
    names = [
        "a-notification-between-sessions",
        "driver-ok-is-written-again",
        "a-reset-leaves-a-device-that-serves",
    ]
    outcomes = [cases(Side.DEVICE)[name].play(HasNoStatus()) for name in names]
    assert [outcome.reason for outcome in outcomes[:2]] == ["the adapter lacks registers"] * 2
    assert outcomes[2].findings == ()
    assert "RESET-07" not in outcomes[2].exercised
    assert "RESET-08" in outcomes[2].exercised
