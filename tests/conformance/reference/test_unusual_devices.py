"""Devices that do what they may and few do: no case finds anything against them."""

from dataclasses import replace
from functools import partial
from types import MappingProxyType

import pytest

from balloon_conformance.campaign.cases import cases
from balloon_conformance.families.statistics.reference import StatisticsOfDevice, held_by
from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.iut.sight import Fact
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import DevicePhase, RequestPhase, StatisticsReport
from balloon_conformance.reference.machine import Note
from balloon_conformance.running.outcome import Status
from balloon_spec.events import Available, ConfigurationChanged, NeedsReset, Side, Used
from balloon_spec.families.host_requests import host_request
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.profiles import CHUNK_TRANSFER


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


class AnnouncesMoreThanItNeeds(Device):
    """It notifies of a configuration change at DRIVER_OK, after each write, and twice of each target."""

    def begin(self, state, given):
        state, outputs = super().begin(state, given)
        return state, (ConfigurationChanged(self.configuration(state)), *outputs)

    def configure(self, state, given):
        after, outputs = super().configure(state, given)
        if after.phase is not DevicePhase.RUNNING:
            return after, outputs
        return after, (*outputs, ConfigurationChanged(self.configuration(after)))

    def change_target(self, state, value):
        state, outputs = super().change_target(state, value)
        return state, (*outputs, *outputs)


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
        if not held_by(state).buffers:
            return state, outputs
        (part,) = (one for one in self.family_parts if isinstance(one, StatisticsOfDevice))
        state, more = part.return_held(state)
        return state, (*outputs, *more)


class WithoutAnOperator(ReferenceDevice):
    """Nobody can tell it a target."""

    capabilities = ReferenceDevice.capabilities - {
        Capability.OPERATOR_TARGET,
        Capability.OPERATOR_UNUSED_PAGES,
        Capability.OPERATOR_STATISTICS,
    }


def findings(adapter):
    """Return what is found against the adapter, and the cases that err: a device is never the suite's fault."""
    found = set()
    for one in cases(Side.DEVICE).values():
        outcome = one.play(adapter)
        found |= {(one.id, str(finding)) for finding in outcome.findings}
        if outcome.status is Status.ERROR:
            found.add((one.id, outcome.reason))
    return found


@pytest.mark.untraced
@pytest.mark.parametrize(
    "adapter",
    [
        ReferenceDevice(AnnouncesEveryWish),
        ReferenceDevice(AnnouncesWhateverComes),
        ReferenceDevice(AnnouncesMoreThanItNeeds),
        ReferenceDevice(ReturnsStatisticsOfItself),
        WithoutAnOperator(HasATargetFromTheStart),
    ],
    ids=[
        "announces-every-wish",
        "announces-whatever-comes",
        "announces-more-than-it-needs",
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
    # Two of the three are cut to what stands there.
    assert case.exercised["CFG-14"] == (3 if kind is RefusesLargeTargets else 2)


class KnowsSmallTargetsAlone(ReferenceDevice):
    """Its operator cannot ask for more than there is."""

    largest_target = 0x100


def test_a_target_that_its_operator_cannot_have_is_asked_of_no_device():
    case = cases(Side.DEVICE)["targets-beyond-guest-memory"].play(KnowsSmallTargetsAlone())
    assert (case.status, case.reason) == (
        Status.NOT_EXERCISED,
        "the operator of this device can have 256 pages at the most",
    )


class OffersLessAfterAReset(Device):
    """After its first reset it offers neither messages nor host requests."""

    def __init__(self, options):
        super().__init__(options)
        self.less = 0

    def offer(self):
        return super().offer() & ~self.less

    def reset(self, state, given):
        profile = self.options.profile
        self.less = profile.mask({"CHUNK_TRANSFER", "HOST_REQ_VQ"} & profile.by_name.keys())
        return super().reset(state, given)


def test_a_device_that_offers_less_after_a_reset_is_advised_and_no_fault_of_the_suite():
    names = [name for name in cases(Side.DEVICE) if "subset" in name or "reset" in name or "stays" in name]
    outcomes = [cases(Side.DEVICE)[name].play(ReferenceDevice(OffersLessAfterAReset)) for name in names]
    assert len(names) > 20
    assert {one.status for one in outcomes} == {Status.PASSED, Status.NOT_EXERCISED}
    assert {one.requirement for outcome in outcomes for one in outcome.advice} == {"RESET-08"}
    by_name = dict(zip(names, outcomes, strict=True))
    assert by_name["reset-takes-up-chunk-transfer"].reason == "the device does not offer CHUNK_TRANSFER"


class AsksSomethingOfItsOwn(Device):
    """It uses the first request buffer for a command of its own, with an id that nobody gave it."""

    def __init__(self, options):
        super().__init__(options)
        self.asked = False

    def keep_buffer(self, state, buffer):
        if self.asked:
            return super().keep_buffer(state, buffer)
        self.asked = True
        return state, (
            Used(buffer.queue, buffer.buffer, 16, host_request.build(HostRequest(1, (0, 0, 0), 3))),
        )

    def reset(self, state, given):
        self.asked = False
        return super().reset(state, given)


def test_a_device_with_a_command_of_its_own_is_neither_blamed_nor_a_fault_of_the_suite():
    about = [name for name, one in cases(Side.DEVICE).items() if any("REQ" in each for each in one.about)]
    outcomes = [cases(Side.DEVICE)[name].play(ReferenceDevice(AsksSomethingOfItsOwn)) for name in about]
    assert len(outcomes) > 30
    assert [(one.case, one.reason) for one in outcomes if one.findings or one.status is Status.ERROR] == []


class InsistsOnVersion1(Device):
    """It has no legacy interface, and refuses a driver that wants one (VIRTIO 1.2, 6.2)."""

    def allows(self, features):
        return super().allows(features) and self.modern(features)

    def modern(self, features):
        return bool(self.options.profile.mask(["VERSION_1"]) & features)


class DoesNothingForLegacyDrivers(InsistsOnVersion1):
    """So does this, and nobody sees its refusal: it returns no buffer and takes no write."""

    allows = Device.allows

    def take(self, state, buffer):
        return super().take(state, buffer) if self.modern(state.accepted) else (state, ())

    def configure(self, state, given):
        return super().configure(state, given) if self.modern(state.accepted) else (state, ())

    def operate(self, state, given):
        return super().operate(state, given) if self.modern(state.accepted) else (state, ())


class WithoutARefusal(ReferenceDevice):
    """Nobody sees whether FEATURES_OK stayed, as over vhost-user without STATUS."""

    unseen = MappingProxyType({Fact.REFUSAL: "FEATURES_OK is not seen"})


class _IgnoresTheFirst(StatisticsOfDevice):
    def report(self, data):
        self.buffers = getattr(self, "buffers", 0) + 1
        legacy = not self.device.has(self.device.state, "VERSION_1")
        return StatisticsReport(()) if legacy and self.buffers == 1 else super().report(data)


def ignores_the_first_statistics(options):
    """A device that knows that old drivers do not fill the first buffer."""
    return Device(options, (_IgnoresTheFirst,))


LEGACY = [name for name in cases(Side.DEVICE) if "without-version-1" in name or "legacy-guest" in name]


@pytest.mark.parametrize(
    ("adapter", "reason"),
    [
        (ReferenceDevice(InsistsOnVersion1), "the device insists on VERSION_1, which it may"),
        (
            WithoutARefusal(DoesNothingForLegacyDrivers),
            "ambiguous: the device may insist on VERSION_1, and FEATURES_OK is not seen",
        ),
        (ReferenceDevice(ignores_the_first_statistics), ""),
        (ReferenceDevice(offered=CHUNK_TRANSFER.mask(["STATS_VQ", "CHUNK_TRANSFER", "HOST_REQ_VQ"])), ""),
    ],
    ids=["insists", "insists in silence", "ignores first statistics", "has nothing but the legacy interface"],
)
def test_a_device_without_a_legacy_interface_is_not_blamed_for_that(adapter, reason):
    outcomes = [cases(Side.DEVICE)[name].play(adapter) for name in LEGACY]
    assert len(outcomes) == 6
    assert [outcome.findings for outcome in outcomes] == [()] * 6
    if reason:
        assert {outcome.reason for outcome in outcomes} == {reason}


class GivesUpEveryRequest(Device):
    """It waits for no answer: as soon as it has a buffer and a wish it asks again (REQ-05 is advice)."""

    def may_ask_again(self, state):
        return True


def test_a_device_that_asks_again_at_once_is_advised_and_not_blamed_for_a_stray():
    adapter = ReferenceDevice(GivesUpEveryRequest)
    names = [name for name in cases(Side.DEVICE) if name.startswith("a-done-")]
    outcomes = [cases(Side.DEVICE)[name].play(adapter) for name in names]
    assert len(names) == 10
    assert [outcome.findings for outcome in outcomes] == [()] * 10
    assert all("REQ-05" in {one.requirement for one in outcome.advice} for outcome in outcomes)


class AsksForAResetOnReservedBits(Device):
    """A message that is malformed by its reserved bits alone it takes for an error after which it serves no more."""

    def __init__(self, options):
        super().__init__(options)
        self.stuck = False

    def take(self, state, buffer):
        if self.stuck:
            return state, ()
        after, outputs = super().take(state, buffer)
        if not any(isinstance(one, Note) and one.clause == "CHUNK-03" for one in outputs):
            return after, outputs
        self.stuck = True
        return state, (NeedsReset(),)

    def reset(self, state, given):
        self.stuck = False
        return super().reset(state, given)


def test_a_device_may_ask_for_a_reset_on_account_of_reserved_bits():
    names = [name for name, one in cases(Side.DEVICE).items() if "CHUNK-06" in one.about and one.is_vector]
    names = [name for name in names if "reserved-bit" in name]
    outcomes = [cases(Side.DEVICE)[name].play(ReferenceDevice(AsksForAResetOnReservedBits)) for name in names]
    assert len(names) > 30
    assert {(one.status, one.findings) for one in outcomes} == {(Status.NOT_EXERCISED, ())}
    assert {one.reason for one in outcomes} == {
        "the device asked for a reset on account of malformed input (SAFE-10)"
    }
    assert all(one.exercised["SAFE-10"] for one in outcomes)


class GivesARequestUpForTheBalloon(Device):
    """As soon as an inflate buffer comes it waits no longer for the answer to a request."""

    def take_inflate(self, state, buffer):
        state, outputs = super().take_inflate(state, buffer)
        if state.requests.phase is RequestPhase.OPEN:
            state, more = self.close(state)
            outputs = (*outputs, *more)
        return state, outputs


@pytest.mark.parametrize("queue", ["inflate", "deflate"])
def test_a_device_that_gives_a_request_up_for_the_balloon_has_not_read_a_header(queue):
    case = cases(Side.DEVICE)[f"a-done-on-a-queue-of-the-balloon[{queue}]"]
    outcome = case.play(ReferenceDevice(GivesARequestUpForTheBalloon))
    assert (outcome.status, outcome.findings) == (Status.NOT_EXERCISED, ())
    assert outcome.reason == "the device gives a request up for a buffer of the balloon"
    assert {one.requirement for one in outcome.advice} == {"REQ-05"}


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


class HoldsStatistics(StatisticsOfDevice):
    """It returns no statistics buffer, however often its operator asks (STATS-09)."""

    def return_held(self, state):
        return state, ()


class ServesOneWishForStatistics(StatisticsOfDevice):
    """It returns the first statistics buffer of each session, and holds the next for ever."""

    def __init__(self, device):
        super().__init__(device)
        self.served = False

    def return_held(self, state):
        if self.served:
            return state, ()
        self.served = True
        return super().return_held(state)

    def reset(self, before, fresh):
        self.served = False
        return super().reset(before, fresh)


ABOUT_STATISTICS = {
    name: one
    for name, one in cases(Side.DEVICE).items()
    if any(each.startswith(("STATS-", "QUEUE-")) for each in one.about) or "statistics" in name
}
HELD = "the device holds buffer {} of the statistics queue, as it may (STATS-09)"


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("kind", "held"), [(HoldsStatistics, ("s1", "s2")), (ServesOneWishForStatistics, ("s2", "s3"))]
)
def test_a_device_may_hold_every_statistics_buffer(kind, held):
    adapter = ReferenceDevice(partial(Device, parts=(kind,)))
    outcomes = {name: one.play(adapter) for name, one in ABOUT_STATISTICS.items()}
    assert len(outcomes) > 100
    found = {name: one.reason for name, one in outcomes.items() if one.findings or one.advice}
    assert found == {}
    assert {one.status for one in outcomes.values()} == {Status.PASSED, Status.NOT_EXERCISED}
    one_session, another = (HELD.format(name) for name in held)
    assert outcomes["statistics-cut-within-the-tag"].reason == one_session
    assert outcomes["statistics-in-any-order"].reason == one_session
    assert outcomes["statistics-unknown-tags"].reason == another
    found_at_driver_ok = outcomes["statistics-are-found-at-driver-ok"]
    assert found_at_driver_ok.reason == "the device holds the statistics buffer, as it may (STATS-09)"


class RefusesWhatIsMalformed(Device):
    """It returns an array or a message without effect if an entry or a chunk of it is to be passed over."""

    def take(self, state, buffer):
        after, outputs = super().take(state, buffer)
        clauses = {one.clause for one in outputs if isinstance(one, Note)}
        if buffer.queue == 0 and clauses & {"PFN-02", "PFN-04", "CHUNK-04", "CHUNK-05"}:
            return state, (self.return_buffer(buffer),)
        return after, outputs


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("pfn-80000000-beside-a-good-one", {"PFN-06"}),
        ("pfn-fffff000-beside-a-good-one", {"PFN-06"}),
        ("pfn-ffffffff-beside-a-good-one", {"PFN-06"}),
        ("pfn-array-of-7-bytes", set()),
        ("chunk-of-zero-pages-beside-a-good-one", {"CHUNK-08"}),
        ("chunk-outside-memory-beside-a-good-one", {"CHUNK-08"}),
    ],
)
def test_a_buffer_of_which_a_part_is_to_be_passed_over_may_be_passed_over_whole(name, advice):
    outcome = cases(Side.DEVICE)[name].play(ReferenceDevice(RefusesWhatIsMalformed))
    assert outcome.findings == ()
    assert {one.requirement for one in outcome.advice} == advice


class HandsARequestBufferBack(Device):
    """It returns the first request buffer of each session at once, with no request in it."""

    def __init__(self, options):
        super().__init__(options)
        self.handed = False

    def keep_buffer(self, state, buffer):
        if self.handed:
            return super().keep_buffer(state, buffer)
        self.handed = True
        return state, (Used(buffer.queue, buffer.buffer),)

    def reset(self, state, given):
        self.handed = False
        return super().reset(state, given)


def test_a_request_buffer_may_come_back_without_a_request():
    adapter = ReferenceDevice(HandsARequestBufferBack)
    about = {
        name: one for name, one in cases(Side.DEVICE).items() if any(a.startswith("REQ-") for a in one.about)
    }
    outcomes = {name: one.play(adapter) for name, one in about.items()}
    assert {name: one.findings for name, one in outcomes.items() if one.findings} == {}
    assert {name: one.reason for name, one in outcomes.items() if one.status is Status.ERROR} == {}
    assert outcomes["request-id-0"].reason == (
        "the device hands the request buffer back without a request, as it may (REQ-03)"
    )


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
