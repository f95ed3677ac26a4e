"""What comes of playing a vector: passed, failed and on what ground, not exercised and why, or whose fault."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from made_up import MESSAGE, ONE, VECTORS, changed, inflate, made_up, mismatch

from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    ImplementationCrashed,
    ImplementationHung,
)
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.driver import Driver
from balloon_conformance.running.outcome import Fault, Outcome, Status
from balloon_conformance.running.player import play, play_as_trace
from balloon_spec.events import Side
from balloon_spec.pages import PageSet
from balloon_spec.requirement import catalogue

# -- the packaged vectors ---------------------------------------------------------------------------------


@pytest.mark.untraced
@pytest.mark.parametrize("side", Side)
def test_the_references_pass_every_vector_that_judges_them(side):
    adapter = ReferenceDevice() if side is Side.DEVICE else ReferenceDriver()
    for vector in VECTORS.values():
        outcome = play(vector, adapter, side)
        if side in vector.sides:
            assert (outcome.status, outcome.reason) == (Status.PASSED, ""), vector.id
            own = {name for name in vector.requirements if catalogue()[name].subject is side}
            # A device that returns everything at once never has buffers on two queues to serve.
            assert own <= outcome.exercised.keys() | {"CONC-06"}, vector.id
            assert outcome.trace == ()
        else:
            assert outcome.status is Status.NOT_EXERCISED
            assert outcome.reason == f"the vector judges a {side.other}"


def test_as_a_trace_every_vector_breaks_what_it_says_and_no_more():
    for vector in VECTORS.values():
        _, found = play_as_trace(vector)
        broken = {finding.requirement for finding in found}
        binding = {finding.requirement for finding in found if finding.level.binding}
        assert binding <= set(vector.breaks) <= broken, vector.id


# -- whose fault ------------------------------------------------------------------------------------------


def test_a_requirement_the_suite_breaks_undeclared_is_the_fault_of_the_suite():
    dirty = made_up(inflate(data=MESSAGE.replace("00 00 00 01", "01 00 00 01")), "device: {used: m1}")
    outcome = play(dirty, ReferenceDevice(), Side.DEVICE)
    assert (outcome.status, outcome.fault, outcome.how) == (Status.ERROR, Fault.SUITE, None)
    assert outcome.reason.startswith("the suite's own side broke CHUNK-03 driver MUST")
    assert outcome.findings == ()
    assert json.loads(outcome.trace[0])["trace"] == "virtio-balloon"


def test_what_the_suite_should_not_do_and_does_is_its_free_choice():
    twice = made_up(inflate(), "device: {used: m1}", inflate("m2"), "device: {used: m2}")
    assert play(twice, ReferenceDevice(), Side.DEVICE).status is Status.PASSED


class _Fails(ReferenceDevice):
    """It raises what it was given when a buffer comes."""

    def __init__(self, error):
        super().__init__()
        self.error, self.stopped = error, 0

    def make_available(self, queue, buffer):
        if queue == 0:
            raise self.error
        super().make_available(queue, buffer)

    def stop(self):
        self.stopped += 1
        super().stop()


def test_an_adapter_that_gives_up_is_at_fault_itself_and_is_stopped():
    adapter = _Fails(AdapterError("the socket is gone;\n start the device again"))
    outcome = play(ONE, adapter, Side.DEVICE)
    assert (outcome.status, outcome.fault) == (Status.ERROR, Fault.ADAPTER)
    assert outcome.reason == "the socket is gone; start the device again"
    assert outcome.trace
    assert adapter.stopped == 1


@pytest.mark.parametrize("error", [ValueError("no such queue"), KeyError("m1"), AssertionError("impossible")])
def test_any_exception_of_an_adapter_is_a_defect_of_the_adapter(error):
    outcome = play(ONE, _Fails(error), Side.DEVICE)
    assert (outcome.status, outcome.fault) == (Status.ERROR, Fault.ADAPTER)
    assert outcome.reason.startswith(f"the adapter raised {type(error).__name__}: ")
    assert outcome.reason.endswith("; this is a defect of the adapter")


def test_an_adapter_that_lacks_a_method_is_at_fault_itself():
    class Incomplete:
        capabilities = ReferenceDevice.capabilities
        description = "an adapter that was begun"
        memory = PageSet([(0, 0x4000)])

        def start(self, setup):
            pass

    outcome = play(ONE, Incomplete(), Side.DEVICE)
    assert (outcome.status, outcome.fault) == (Status.ERROR, Fault.ADAPTER)
    assert "no attribute 'status'" in outcome.reason


@pytest.mark.parametrize(
    ("error", "how", "requirement", "words"),
    [
        (ImplementationCrashed("exit status 139"), "crash", "SAFE-13", "the device ended: exit status 139"),
        (ImplementationHung("no answer"), "hang", "SAFE-13", "the device does not answer: no answer"),
    ],
)
def test_a_device_that_ends_or_hangs_is_at_fault(error, how, requirement, words):
    adapter = _Fails(error)
    outcome = play(ONE, adapter, Side.DEVICE)
    assert (outcome.status, outcome.fault, outcome.how) == (Status.FAILED, Fault.DEVICE, how)
    assert [finding.requirement for finding in outcome.findings] == [requirement]
    assert outcome.reason == words
    assert json.loads(outcome.trace[-1])["event"] == "failed"
    assert adapter.stopped == 1


@pytest.mark.parametrize(
    ("error", "how"),
    [(ImplementationCrashed("exit status 1"), "crash"), (ImplementationHung("late"), "hang")],
)
def test_a_driver_that_ends_or_hangs_is_at_fault_though_no_requirement_says_so(error, how):
    class Fails(ReferenceDriver):
        def use(self, queue, buffer, length_bytes, written):
            raise error

    outcome = play(VECTORS["inflate-one-page"], Fails(), Side.DRIVER)
    assert (outcome.status, outcome.fault, outcome.how) == (Status.FAILED, Fault.DRIVER, how)
    assert outcome.findings == ()
    assert str(error) in outcome.reason


def test_an_implementation_that_does_not_start_is_at_fault():
    class Fails(ReferenceDevice):
        def start(self, setup):
            raise ImplementationCrashed("exit status 127")

    assert play(ONE, Fails(), Side.DEVICE).fault is Fault.DEVICE


# -- what an adapter cannot do ----------------------------------------------------------------------------


def without(*lacking):
    class Poor(ReferenceDevice):
        capabilities = ReferenceDevice.capabilities - frozenset(lacking)

        def operate(self, action, value):
            assert Capability(f"operator-{action}") in self.capabilities
            super().operate(action, value)

        def discarded(self, pages):
            assert Capability.DISCARDS in self.capabilities
            return super().discarded(pages)

    return Poor()


@pytest.mark.parametrize(
    ("vector", "capability"),
    [
        ("request-id-0", Capability.OPERATOR_UNUSED_PAGES),
        ("statistics-return-and-repost", Capability.OPERATOR_STATISTICS),
        ("header-cut-in-the-middle", Capability.DESCRIPTORS),
        ("device-refuses-chunk-transfer-without-stats", Capability.RAW_FEATURES),
        ("chunk-across-a-memory-hole", Capability.MEMORY_HOLES),
    ],
)
def test_a_vector_that_needs_more_than_a_device_adapter_can_do_names_the_capability(vector, capability):
    outcome = play(VECTORS[vector], without(capability), Side.DEVICE)
    assert outcome == Outcome(vector, Status.NOT_EXERCISED, f"the adapter lacks {capability}")


def test_a_driver_that_cannot_be_steered_is_not_exercised_by_what_steers():
    outcome = play(VECTORS["inflate-one-page"], ReferenceDriver(steered=False), Side.DRIVER)
    assert outcome == Outcome("inflate-one-page", Status.NOT_EXERCISED, "the adapter lacks steer-pages")


class AcceptsAnything(Driver):
    """A driver that accepts whatever it is offered, with what it needs or without."""

    def choose(self, offered):
        return offered & self.options.features


@pytest.mark.parametrize(
    ("vector", "requirement"),
    [
        ("refuse-chunk-transfer-offered-without-stats", "NEG-03"),
        ("refuse-host-req-offered-without-stats", "NEG-04"),
    ],
)
def test_a_driver_that_cannot_be_steered_is_shown_an_offer_that_may_not_be_made(vector, requirement):
    right = play(VECTORS[vector], ReferenceDriver(steered=False), Side.DRIVER)
    assert (right.status, right.findings) == (Status.PASSED, ())
    assert right.reason == "the adapter lacks steer-pages: played as far as the negotiation"
    assert requirement in right.exercised
    assert "PFN-01" not in right.exercised
    wrong = play(VECTORS[vector], ReferenceDriver(AcceptsAnything, steered=False), Side.DRIVER)
    assert [finding.requirement for finding in wrong.findings] == [requirement]


def test_without_a_view_of_memory_all_but_the_effects_is_played():
    outcome = play(VECTORS["chunks-highest-first"], without(Capability.DISCARDS), Side.DEVICE)
    assert outcome.status is Status.PASSED
    assert outcome.reason.count("the adapter lacks discards") == 2
    assert "QUEUE-07" in outcome.exercised
    # What the vector lists as shown, and no rule saw, is not counted then.
    assert "CHUNK-13" not in outcome.exercised
    assert "CHUNK-13" in play(VECTORS["chunks-highest-first"], ReferenceDevice(), Side.DEVICE).exercised


def test_without_a_target_to_set_the_rest_is_played_and_num_pages_is_not_compared():
    vector = VECTORS["configuration-with-chunk-transfer"]
    outcome = play(vector, without(Capability.OPERATOR_TARGET), Side.DEVICE)
    assert outcome.status is Status.PASSED
    assert "the adapter lacks operator-target" in outcome.reason
    assert "CFG-07" not in outcome.exercised
    reads = made_up(
        "operator: {target: 5}",
        "device: {configuration: {num_pages: 5}}",
        'driver: {read: {offset: 0, length: 4}, data: "05 00 00 00"}',
    )
    outcome = play(reads, without(Capability.OPERATOR_TARGET), Side.DEVICE)
    assert "the target cannot be set, so num_pages is not known" in outcome.reason


# -- negotiation ------------------------------------------------------------------------------------------


def test_a_device_that_does_not_offer_what_a_vector_accepts_is_not_exercised():
    device = ReferenceDevice(offered=1 << 32 | 2)
    outcome = play(ONE, device, Side.DEVICE)
    assert (outcome.status, outcome.reason) == (
        Status.NOT_EXERCISED,
        "the device does not offer CHUNK_TRANSFER",
    )


@pytest.mark.parametrize("more", [1 << 35, 1 << 35 | 1 << 32 | 1 << 29 | 1 << 28])
@pytest.mark.parametrize("keeps", [False, True])
def test_a_bit_that_is_not_offered_is_found_whatever_a_device_offers(more, keeps):
    """IN_ORDER stands for it in the vector, and another is taken where a device offers that."""
    vector = VECTORS["base-device-refuses-a-bit-not-offered"]
    adapter = ReferenceDevice(_KeepsAll if keeps else Device, offered=vector.features.offered | more)
    outcome = play(vector, adapter, Side.DEVICE)
    assert outcome.status is (Status.FAILED if keeps else Status.PASSED)
    assert [finding.requirement for finding in outcome.findings] == ["NEG-06"] * keeps
    assert outcome.exercised["NEG-06"] == 1


class _InsistsOnThePlatform(Device):
    """Right but unusual: VIRTIO lets a device insist on ACCESS_PLATFORM and on ORDER_PLATFORM."""

    def allows(self, features):
        return super().allows(features) and not (1 << 33 | 1 << 36) & self.offer() & ~features


@pytest.mark.parametrize("bit", [33, 36])
def test_a_device_that_insists_on_the_platform_is_within_its_rights(bit):
    offered = 1 << bit | 1 << 32 | 2 | 8
    outcome = play(ONE, ReferenceDevice(_InsistsOnThePlatform, offered=offered), Side.DEVICE)
    assert outcome.status is Status.NOT_EXERCISED
    assert outcome.reason.startswith("the device insists on ")
    assert (outcome.findings, outcome.advice) == ((), ())
    assert "NEG-07" not in outcome.exercised


class _KeepsAll(Device):
    def allows(self, features):
        return True


class _RefusesAll(Device):
    def allows(self, features):
        return False


def test_features_kept_or_refused_wrongly_are_mismatches():
    kept = mismatch(VECTORS["device-refuses-chunk-transfer-without-stats"], ReferenceDevice(_KeepsAll))
    assert (kept.requirement, kept.expected, kept.seen) == ("NEG-06", "refused", "kept")
    told = 1 << 32 | 2 | 8
    refused = mismatch(ONE, ReferenceDevice(_RefusesAll, offered=told))
    assert (refused.requirement, refused.expected, refused.seen) == ("NEG-07", "kept", "refused")


def test_a_device_that_insists_on_must_tell_host_is_within_its_rights():
    outcome = play(ONE, ReferenceDevice(_RefusesAll), Side.DEVICE)
    assert outcome.status is Status.NOT_EXERCISED
    assert outcome.reason == "the device refuses a driver that does not accept MUST_TELL_HOST"


def test_a_driver_may_accept_less_and_is_not_exercised_then():
    less = ReferenceDriver(supported=1 << 32 | 2)
    outcome = play(VECTORS["inflate-one-page"], less, Side.DRIVER)
    assert outcome.reason == "the driver chose otherwise about CHUNK_TRANSFER"
    assert outcome.status is Status.NOT_EXERCISED
    stepless = replace(VECTORS["inflate-one-page"], steps=())
    alone = play(stepless, less, Side.DRIVER)
    assert (alone.status, alone.reason) == (Status.PASSED, outcome.reason)
    assert "INF-01" not in alone.exercised


class _RefusesTheDevice(ReferenceDriver):
    def negotiate(self, offered, configuration):
        return None


def test_a_driver_may_refuse_a_device_that_offers_what_it_may_not():
    illegal = play(VECTORS["refuse-chunk-transfer-offered-without-stats"], _RefusesTheDevice(), Side.DRIVER)
    assert illegal.status is Status.PASSED
    assert "which is its right" in illegal.reason
    legal = play(VECTORS["inflate-one-page"], _RefusesTheDevice(), Side.DRIVER)
    assert (legal.status, legal.reason) == (Status.NOT_EXERCISED, "the driver refuses the features offered")


@pytest.mark.parametrize(
    ("extra", "vector", "requirement"),
    [
        (4, "inflate-one-page", "NEG-05"),
        (8, "refuse-chunk-transfer-offered-without-stats", "NEG-03"),
        (16, "refuse-host-req-offered-without-stats", "NEG-04"),
    ],
)
def test_a_driver_that_accepts_an_illegal_set_is_played_no_further(extra, vector, requirement):
    class Greedy(Driver):
        def choose(self, offered):
            return super().choose(offered) | extra

    outcome = play(VECTORS[vector], ReferenceDriver(Greedy), Side.DRIVER)
    assert [finding.requirement for finding in outcome.findings] == [requirement]
    assert mismatch(VECTORS[vector], ReferenceDriver(Greedy)).requirement == requirement


# -- outcomes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "adapter",
    [
        ReferenceDevice(),
        changed(discard=lambda self, pages: ()),
        changed(take_inflate=lambda self, state, buffer: (state, ())),
        _Fails(AdapterError("gone; start it again")),
        _Fails(ImplementationHung("no answer")),
    ],
    ids=["passed", "advice", "failed", "error", "hang"],
)
def test_an_outcome_survives_json(adapter):
    outcome = play(VECTORS["inflate-two-runs"], adapter, Side.DEVICE)
    again = Outcome.from_json(json.loads(json.dumps(outcome.to_json())))
    assert again == outcome
    assert again.to_json() == outcome.to_json()
