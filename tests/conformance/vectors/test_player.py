"""What comes of playing a vector: passed, failed and on what ground, not exercised and why, or whose fault."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import pytest
from broken import packaged_vectors

from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    ImplementationCrashed,
    ImplementationHung,
)
from balloon_conformance.iut.reference import ReferenceDevice, ReferenceDriver
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.driver import Driver
from balloon_conformance.report.outcome import Fault, Outcome, Status
from balloon_conformance.session import DeviceSession, DriverSession
from balloon_conformance.vectors.device_player import DevicePlayer
from balloon_conformance.vectors.driver_player import DriverPlayer
from balloon_conformance.vectors.loader import load_text
from balloon_conformance.vectors.mismatch import Mismatch, blame, compare_readable
from balloon_conformance.vectors.player import play, play_as_trace
from balloon_conformance.vectors.verify import differences
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.requirement import catalogue

VECTORS = {vector.id: vector for vector in packaged_vectors()}
PLAIN = "[VERSION_1, STATS_VQ, CHUNK_TRANSFER]"
REQUESTS = "[VERSION_1, STATS_VQ, CHUNK_TRANSFER, HOST_REQ_VQ]"
STATISTICS = '{queue: statistics, as: s1, match: any, readable: "04 00 00*8"}'
MESSAGE = "00 00 00 00 10 00 00 00  00 00 00 01 00*4  00 10 00*6"
MADE_UP = """\
vector: made-up
title: A vector of the tests
profile: chunk-transfer
kind: {kind}
sides: [{side}]
requirements: [{shows}]
{breaks}
features: {{offered: {offered}, accepted: {accepted}}}
memory: {{pages: 0x4000}}
steps:
  - driver: {statistics}
{steps}
provenance: {{written: by hand}}
"""


def made_up(
    *steps, side="device", shows="QUEUE-07", breaks="", accepted=PLAIN, offered=None, statistics=STATISTICS
):
    """A vector of the given steps, a line of flow YAML each."""
    return load_text(
        MADE_UP.format(
            kind="malformed" if breaks else "exchange",
            side=side,
            shows=shows,
            breaks=f"breaks: [{breaks}]" if breaks else "",
            offered=offered or accepted,
            accepted=accepted,
            statistics=statistics,
            steps="\n".join(f"  - {step}" for step in steps),
        ),
        "made-up.yaml",
    )


def inflate(name="m1", data=MESSAGE, more=""):
    return f'driver: {{queue: inflate, as: {name}, readable: "{data}"{more}}}'


def mismatch(vector, adapter):
    """Play a vector for what its player says, without what the judge makes of the exchange."""
    side = Side.DEVICE if isinstance(adapter, ReferenceDevice) else Side.DRIVER
    kind = DeviceSession if side is Side.DEVICE else DriverSession
    session = kind(adapter, vector.profile, memory_pages=vector.memory_pages)
    player = DevicePlayer if side is Side.DEVICE else DriverPlayer
    with session, pytest.raises(Mismatch) as caught:
        player(vector, session, 0.0).play()
    return caught.value


# -- the packaged vectors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_the_references_pass_every_vector_that_judges_them(side):
    adapter = ReferenceDevice() if side is Side.DEVICE else ReferenceDriver()
    for vector in VECTORS.values():
        outcome = play(vector, adapter, side)
        if side in vector.sides:
            assert (outcome.status, outcome.reason) == (Status.PASSED, ""), vector.id
            own = {name for name in vector.requirements if catalogue()[name].subject is side}
            assert own <= outcome.exercised.keys(), vector.id
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


def test_a_vector_that_agrees_with_the_suite_has_no_differences():
    assert list(differences(VECTORS["inflate-two-runs"])) == []


def test_a_vector_that_breaks_more_or_less_than_it_says_differs():
    dirty = MESSAGE.replace("00*4  00 10", "00*4  01 10")
    (first, second) = differences(made_up(inflate(data=dirty), "device: {used: m1}"))
    assert first.startswith("as a trace: CHUNK-03 driver MUST")
    assert second.startswith("against the reference-device: error: the suite's own side broke CHUNK-03")
    clean = made_up(inflate(), "device: {used: m1}", shows="SAFE-03", breaks="CHUNK-03")
    assert list(differences(clean)) == ["as a trace: CHUNK-03 stands in breaks, and no rule finds it broken"]


# -- whose fault ------------------------------------------------------------------------------------------


def test_a_requirement_the_suite_breaks_undeclared_is_the_fault_of_the_suite():
    dirty = made_up(inflate(data=MESSAGE.replace("00 00 00 01", "01 00 00 01")), "device: {used: m1}")
    outcome = play(dirty, ReferenceDevice(), Side.DEVICE)
    assert (outcome.status, outcome.fault, outcome.how) == (Status.ERROR, Fault.SUITE, "")
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


ONE = made_up(inflate(), "device: {used: m1}")


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
    assert "offered" in outcome.reason


@pytest.mark.parametrize(
    ("error", "how", "requirement", "words"),
    [
        (ImplementationCrashed("exit status 139"), "crash", "SAFE-02", "the device ended: exit status 139"),
        (ImplementationHung("no answer"), "hang", "SAFE-12", "the device does not answer: no answer"),
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
    ],
)
def test_a_vector_that_needs_more_than_a_device_adapter_can_do_names_the_capability(vector, capability):
    outcome = play(VECTORS[vector], without(capability), Side.DEVICE)
    assert outcome == Outcome(vector, Status.NOT_EXERCISED, f"the adapter lacks {capability}")


def test_a_driver_that_cannot_be_steered_is_not_exercised_by_what_steers():
    outcome = play(VECTORS["inflate-one-page"], ReferenceDriver(steered=False), Side.DRIVER)
    assert outcome == Outcome("inflate-one-page", Status.NOT_EXERCISED, "the adapter lacks steer-pages")


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


def test_a_device_that_offers_what_a_vector_accepts_unoffered_is_not_exercised():
    vector = VECTORS["base-device-refuses-a-bit-not-offered"]
    accepted, offered = vector.features.accepted, vector.features.offered
    outcome = play(vector, ReferenceDevice(offered=accepted | offered), Side.DEVICE)
    assert outcome.status is Status.NOT_EXERCISED
    assert "which the vector accepts as not offered" in outcome.reason


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


# -- how a device differs ---------------------------------------------------------------------------------


def changed(**methods):
    """An adapter to a device some methods of which are other ones."""
    return ReferenceDevice(type("Changed", (Device,), methods))


def test_a_buffer_that_does_not_come_back():
    found = mismatch(ONE, changed(take_inflate=lambda self, state, buffer: (state, ())))
    assert (found.words, found.field) == ("buffer m1 was not returned", "queue 0")
    assert (found.expected, found.seen) == ("m1 returned", "nothing within 1 s")


def test_a_request_with_other_bytes_than_the_vectors():
    vector = VECTORS["request-id-0"]
    short = mismatch(vector, changed(encode_request=lambda self, identifier: b"\0" * 8))
    assert short.field == "used length"
    assert short.expected == "16 bytes " + "00 " * 15 + "00"
    assert short.seen == "8 bytes " + "00 " * 7 + "00"
    other = mismatch(
        vector, changed(encode_request=lambda self, identifier: struct.pack("<H3HQ", 1, 0, 0, 0, identifier))
    )
    assert other.field == "written bytes"


def test_a_request_under_an_id_of_the_devices_own_cannot_be_played_on():
    outcome = play(
        VECTORS["request-id-0"],
        changed(encode_request=lambda self, _: b"\0" * 8 + b"\7" + b"\0" * 7),
        Side.DEVICE,
    )
    assert outcome.status is Status.NOT_EXERCISED
    assert "another id" in outcome.reason


def test_a_change_that_is_not_announced_and_one_to_another_number():
    vector = made_up("operator: {target: 5}", "device: {configuration: {num_pages: 5}}")
    silent = mismatch(vector, changed(change_target=lambda self, state, value: (state, ())))
    assert (silent.requirement, silent.expected, silent.seen) == ("CFG-07", "5", "no notification")
    other = mismatch(vector, changed(target_pages=lambda self, value: value * 4096))
    assert (other.requirement, other.expected, other.seen) == ("CFG-11", "5", "20480")


def test_a_configuration_that_reads_otherwise():
    vector = made_up('driver: {read: {offset: 4, length: 4}, data: "00*4"}')
    found = mismatch(vector, changed(configuration=lambda self, state=None: b"\1" * 8))
    assert (found.requirement, found.field) == ("CFG-01", "configuration at offset 4")
    assert (found.expected, found.seen) == ("00 00 00 00", "01 01 01 01")


def test_an_event_out_of_silence_is_shown_as_its_line_of_a_trace():
    class Talks(ReferenceDevice):
        def observe(self, deadline_seconds):
            events = [*super().observe(deadline_seconds), *self.queue]
            self.queue = []
            return events

        def driver_ok(self):
            super().driver_ok()
            self.queue = [ev.ConfigurationChanged(bytes(8))]

    found = mismatch(made_up("device: {silent: true}", shows="CFG-07"), Talks())
    assert json.loads(found.seen) == {"event": "configuration-changed", "data": "00" * 8}
    assert (found.expected, found.field, found.requirement) == ("nothing", "event", "CFG-07")


@pytest.mark.parametrize(
    ("allowed", "methods", "seen"),
    [
        ("returned", {"take_inflate": lambda self, state, buffer: (state, ())}, "silent"),
        ("silent", {}, "returned"),
        (
            "silent, returned",
            {"take_inflate": lambda self, state, buffer: (state, (ev.NeedsReset(),))},
            "needs-reset",
        ),
    ],
)
def test_a_reaction_that_is_not_allowed(allowed, methods, seen):
    vector = made_up(
        inflate(data="00"),
        f"device: {{reaction: m1, allowed: [{allowed}]}}",
        breaks="HDR-01",
        shows="SAFE-03",
    )
    found = mismatch(vector, changed(**methods))
    assert (found.field, found.seen, found.requirement) == ("reaction", seen, "SAFE-03")
    assert found.expected == " or ".join(sorted(allowed.split(", ")))


def test_after_a_reaction_other_than_a_return_what_needs_one_is_left_out():
    steps = (
        inflate(data="00"),
        "device: {reaction: m1, allowed: [returned, silent]}",
        '{if: returned, effect: {kept: ["0x1000"]}}',
    )
    vector = made_up(*steps, breaks="HDR-01", shows="SAFE-03")
    outcome = play(vector, changed(take_inflate=lambda self, state, buffer: (state, ())), Side.DEVICE)
    assert outcome.status is Status.PASSED
    assert outcome.reason.endswith("the buffer before it was not returned")


def test_pages_that_stay_and_pages_that_go():
    vector = made_up(inflate(), "device: {used: m1}", 'effect: {discarded: ["0x1000"]}', shows="INF-08")
    more = mismatch(vector, changed(discard=lambda self, pages: Device.discard(self, PageSet([(0xFFF, 3)]))))
    assert (more.words, more.expected, more.seen) == ("other pages were changed", "0x1000", "0xfff, 0x1001")
    effect = 'effect: {discarded: ["0x1000"]}'
    unannounced = mismatch(made_up(effect, shows="INF-08"), ReferenceDevice())
    assert unannounced.words == "pages were not discarded"
    assert (unannounced.requirement, unannounced.seen) == ("INF-07", "still there: 0x1000")


def test_a_device_that_need_not_discard_is_advised_and_played_to_the_end():
    outcome = play(VECTORS["inflate-two-runs"], changed(discard=lambda self, pages: ()), Side.DEVICE)
    assert outcome.status is Status.PASSED
    assert outcome.findings == ()
    assert [finding.requirement for finding in outcome.advice] == ["INF-07"]
    assert "pages were not discarded" in outcome.reason
    assert json.loads(outcome.trace[-1])["event"] == "quiet"
    assert "RESET-06" not in outcome.exercised


def test_advice_does_not_end_a_vector_before_it_shows_what_is_binding():
    class Sticks(Device):
        stuck = False

        def take_inflate(self, state, buffer):
            if self.stuck:
                return state, ()
            self.stuck = len(buffer.readable) < 8
            return super().take_inflate(state, buffer)

    outcome = play(VECTORS["message-of-seven-bytes"], ReferenceDevice(Sticks), Side.DEVICE)
    assert outcome.status is Status.FAILED
    assert [finding.requirement for finding in outcome.advice] == ["SAFE-05"]
    assert [finding.requirement for finding in outcome.findings] == ["SAFE-04"]


# -- how a driver differs ---------------------------------------------------------------------------------


INFLATE = VECTORS["inflate-one-page"]


def otherwise(**methods):
    """An adapter to a driver some methods of which are other ones."""
    return ReferenceDriver(type("Otherwise", (Driver,), methods))


def test_a_buffer_that_does_not_come():
    found = mismatch(INFLATE, otherwise(set_up_statistics=lambda self, state: (state, ())))
    assert found.field == "statistics queue"
    assert (found.expected, found.seen) == ("a buffer", "nothing within 1 s")
    advised = mismatch(INFLATE, otherwise(pages_to_inflate=lambda self, state: EMPTY))
    assert advised.requirement == "INF-10"


def test_a_driver_that_need_not_inflate_is_advised():
    outcome = play(INFLATE, otherwise(pages_to_inflate=lambda self, state: EMPTY), Side.DRIVER)
    assert outcome.status is Status.PASSED
    assert {finding.requirement for finding in outcome.advice} == {"INF-10"}


def test_a_buffer_with_other_parts():
    def large(self, state, flight, readable=b"", writable_bytes=0):
        return Driver.fly(self, state, flight, readable, 2 * writable_bytes)

    found = mismatch(VECTORS["request-id-0"], otherwise(fly=large))
    assert (found.requirement, found.field) == ("REQ-02", "buffer")
    assert (found.expected, found.seen) == (
        "0 readable and 16 writable bytes",
        "0 readable and 32 writable bytes",
    )


def test_a_header_with_another_id():
    found = mismatch(VECTORS["request-answered-by-an-empty-done"], otherwise(answer_id=lambda self, state: 7))
    assert found.requirement == "REQ-08"
    assert found.seen == "07 00"


def test_a_driver_that_names_pages_again_is_advised_and_played_on():
    def encode(self, state, pages):
        return Driver.encode_pages(self, state, pages | state.ballooning.balloon)

    outcome = play(VECTORS["inflate-twice"], otherwise(encode_pages=encode), Side.DRIVER)
    assert outcome.status is Status.PASSED
    assert {finding.requirement for finding in outcome.advice} == {"INF-11"}
    assert "another length than the vector's" in outcome.reason


def test_other_pages_than_the_vectors():
    vector = VECTORS["inflate-two-runs"]
    high = mismatch(
        vector,
        otherwise(encode_chunks=lambda self, pages: Driver.encode_chunks(self, PageSet([(0x1800, 1)]))),
    )
    assert (high.requirement, high.field) == ("CHUNK-01", "pages")
    long = mismatch(
        vector,
        otherwise(encode_chunks=lambda self, pages: Driver.encode_chunks(self, PageSet([(0x1000, 17)]))),
    )
    assert long.requirement == "CHUNK-02"
    array = VECTORS["pfn-inflate-four-pages"]
    assert mismatch(array, otherwise(encode_array=lambda self, pages: b"\7\0\0\0")).requirement == "PFN-03"


def test_a_driver_that_sends_its_pages_in_several_messages_has_them_returned():
    class Small(Driver):
        def __init__(self, options):
            super().__init__(options)
            self.sent = []

        def message_capacity(self):
            return 1

        def has_room(self, state, queue):
            return not self.in_flight(state, queue)

    outcome = play(VECTORS["inflate-two-runs"], ReferenceDriver(Small), Side.DRIVER)
    assert (outcome.status, outcome.reason) == (Status.PASSED, "")


def test_a_driver_that_sends_empty_messages_for_ever_is_not_waited_for_for_ever():
    def encode(self, pages):
        return struct.pack("<QQ", 1 << 50, 1 << 12)

    found = mismatch(VECTORS["inflate-two-runs"], otherwise(encode_chunks=encode))
    assert found.seen == "no pages"


@pytest.mark.parametrize(
    ("written", "requirement", "seen"),
    [
        ((), "CFG-04", "no write"),
        ((ev.ConfigurationWritten(4, b"\2\0\0\0"),), "CFG-05", "02 00 00 00 at offset 4"),
        ((ev.ConfigurationWritten(5, b"\0"),), "CFG-03", "00 at offset 5"),
    ],
)
def test_actual_is_not_written_or_is_another_number(written, requirement, seen):
    found = mismatch(INFLATE, otherwise(write_actual=lambda self, pages: written))
    assert (found.requirement, found.field, found.seen) == (requirement, "actual", seen)


@pytest.mark.parametrize(
    ("extra", "shown"),
    [
        (
            ev.Available(0, "more", b"\0" * 8),
            {"event": "available", "queue": 0, "buffer": "more", "readable": "00" * 8},
        ),
        (
            ev.ConfigurationWritten(4, b"\1\0\0\0"),
            {"event": "configuration-written", "offset": 4, "data": "01000000"},
        ),
    ],
)
def test_more_than_the_vector_has_is_shown_as_its_line_of_a_trace(extra, shown):
    def write(self, pages):
        return (*Driver.write_actual(self, pages), extra)

    found = mismatch(INFLATE, otherwise(write_actual=write))
    assert json.loads(found.seen) == shown
    assert (found.expected, found.field) == ("nothing", "event")
    assert catalogue()[found.requirement].subject is Side.DRIVER


def test_a_driver_that_should_be_silent_and_is_not():
    found = mismatch(
        VECTORS["deflate-waits-for-the-target"],
        otherwise(most_wanted=lambda self, state, excess: state.ballooning.balloon.pages),
    )
    assert (found.requirement, json.loads(found.seen)["queue"]) == ("DEF-09", 1)


# -- a difference in bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "at", "requirement"),
    [
        (Queue.INFLATE, 0, "HDR-04"),
        (Queue.INFLATE, 1, "HDR-04"),
        (Queue.DEFLATE, 3, "HDR-04"),
        (Queue.INFLATE, 4, "HDR-02"),
        (Queue.INFLATE, 8, "CHUNK-01"),
        (Queue.INFLATE, 23, "CHUNK-02"),
        (Queue.HOST_REQUEST, 0, "REQ-09"),
        (Queue.HOST_REQUEST, 1, "REQ-10"),
        (Queue.HOST_REQUEST, 2, "REQ-08"),
        (Queue.HOST_REQUEST, 7, "HDR-02"),
        (Queue.HOST_REQUEST, 15, "CHUNK-01"),
    ],
)
def test_a_byte_of_a_message_that_differs_names_its_field(queue, at, requirement):
    expected = struct.pack("<BBHIQQ", 0, 0, 0, 16, 0x1000 << 12, 1 << 12)
    seen = bytearray(expected)
    seen[at] ^= 0x80
    found = compare_readable(queue, expected, bytes(seen), chunks=True)
    assert found is not None
    assert found.requirement == requirement
    assert found.field.endswith(f"at offset {at}")


def test_arrays_and_statistics_are_compared_in_their_own_form():
    array = compare_readable(Queue.INFLATE, b"\0\x10\0\0", b"\0\x20\0\0", chunks=False)
    assert (array.requirement, array.expected, array.seen) == ("PFN-03", "00 10 00 00", "00 20 00 00")
    entry = compare_readable(
        Queue.STATISTICS, struct.pack("<HQ", 4, 1), struct.pack("<HQ", 5, 1), chunks=True
    )
    assert (entry.requirement, entry.expected, entry.seen) == ("", "04 00", "05 00")
    longer = compare_readable(Queue.INFLATE, b"\0" * 4, b"\0" * 8, chunks=False)
    assert (longer.field, longer.requirement) == ("buffer", "")
    assert longer.expected == "4 bytes: 00 00 00 00"
    assert compare_readable(Queue.INFLATE, b"\0" * 4, b"\0" * 4, chunks=False) is None


def test_a_difference_no_field_decides_is_blamed_on_what_the_side_can_break():
    found = Mismatch("it differs")
    blame(found, ("INF-01", "CONC-07", "QUEUE-07"), Side.DEVICE)
    assert found.requirement == "QUEUE-07"
    blame(found, ("INF-07",), Side.DEVICE)
    assert found.requirement == "QUEUE-07"
    nobody = Mismatch("it differs")
    blame(nobody, ("CONC-07",), Side.DEVICE)
    assert nobody.requirement == ""


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
