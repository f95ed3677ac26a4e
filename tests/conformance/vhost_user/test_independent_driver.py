"""A driver that shares no code with the project, and variants of it that are right but unusual: all are clean."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import replace

import independent_front_end as far
import pytest
from independent_front_end import Driver
from served_peer import open_descriptors

from balloon_conformance import scenarios
from balloon_conformance.families.host_requests import driver_request_scenarios as driver_requests
from balloon_conformance.families.statistics import driver_scenarios as driver_statistics
from balloon_conformance.iut.contract import PeerAbsent, Setup
from balloon_conformance.iut.vhost_user.driver import VhostUserDriver
from balloon_conformance.report.results import Results, Verdict
from balloon_conformance.running.case import carry_out
from balloon_conformance.running.outcome import Fault, How, Outcome, Status
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import driver_offers, driver_targets
from balloon_conformance.vhost_user.messages import ProtocolFeature
from balloon_spec.events import Side
from balloon_spec.profiles import CHUNK_TRANSFER

REQUESTS = driver_requests.test_one_request_after_another
STATISTICS = driver_statistics.test_statistics_again_and_again
TURNING = driver_targets.test_a_target_that_turns_around
AT_FIRST = driver_targets.test_nothing_but_what_is_due_at_first
CASES = (REQUESTS, STATISTICS, TURNING, AT_FIRST)
DEADLINE_SECONDS = 2.0


@pytest.fixture
def judged(tmp_path):
    """Judge a driver by :data:`CASES`, or others; return the outcome of each. Nothing may be left behind."""
    before = open_descriptors()

    def judge(driver, cases=CASES, arguments=None, **options):
        path = str(tmp_path / "s")
        adapter = VhostUserDriver(path, connect_seconds=8.0, ready_seconds=6.0, **options)
        peer = driver(path)
        outcomes = {}
        try:
            for case in cases:
                session = DriverSession(
                    adapter,
                    CHUNK_TRANSFER,
                    deadline_seconds=DEADLINE_SECONDS,
                    memory_pages=scenarios.of(case).memory_pages,
                )

                def act(case=case, session=session):
                    case(session=session, **arguments or {})
                    return ()

                outcomes[case] = carry_out(scenarios.of(case), session, act)
        finally:
            adapter.stop()
            peer.end()
        return outcomes

    yield judge
    assert open_descriptors() == before, "descriptors were left behind"


def blamed(outcomes):
    """What was said against the implementation, of any kind."""
    return {
        outcome.case: (outcome.reason, [one.requirement for one in (*outcome.findings, *outcome.advice)])
        for outcome in outcomes.values()
        if outcome.status not in {Status.PASSED, Status.NOT_EXERCISED} or outcome.findings or outcome.advice
    }


NO_STATUS = far.EVERYTHING & ~far.STATUS


def variant(base=Driver, **attributes):
    return type("Variant", (base,), attributes)


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(Driver, id="as it is"),
        pytest.param(variant(protocol=NO_STATUS), id="without STATUS"),
        pytest.param(variant(protocol=far.CONFIG | far.BACKEND_REQ), id="with as little as will do"),
        pytest.param(variant(late_channel=True), id="its request channel comes after the features"),
        pytest.param(variant(pause_seconds=1.4 * DEADLINE_SECONDS), id="it pauses before its rings"),
        pytest.param(
            variant(pause_seconds=1.4 * DEADLINE_SECONDS, protocol=NO_STATUS),
            id="it pauses before its rings, without STATUS",
        ),
        pytest.param(variant(thinks_again=True), id="it writes its features twice"),
        pytest.param(variant(wanted=far.TELL | far.STATS | far.VERSION_1), id="it takes statistics alone"),
    ],
)
def test_a_driver_that_is_right_is_clean(judged, driver):
    outcomes = judged(driver)
    assert blamed(outcomes) == {}
    skipped = {case for case, outcome in outcomes.items() if outcome.status is Status.NOT_EXERCISED}
    assert skipped == ({REQUESTS} if not driver.wanted & far.REQUESTS else set())


def test_a_driver_that_never_says_driver_ok_is_served_and_the_report_says_so(judged):
    outcomes = judged(variant(says_driver_ok=False))
    assert blamed(outcomes) == {}
    assert {outcome.status for outcome in outcomes.values()} == {Status.PASSED}
    assert all("did not send DRIVER_OK" in outcome.reason for outcome in outcomes.values())
    assert all("QUEUE-09" not in outcome.exercised for outcome in outcomes.values())


def test_a_requirement_that_the_transport_hides_is_not_exercised_for_that_reason(judged):
    results = Results(Side.DRIVER, CHUNK_TRANSFER, {STATISTICS.__name__: ("QUEUE-09", "STATS-01")})
    for protocol in (far.EVERYTHING, NO_STATUS):
        (outcome,) = judged(variant(protocol=protocol), [AT_FIRST]).values()
        assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome
        results.add(replace(outcome, case=str(protocol)))
        said = {one.requirement.id: one for one in results.requirements()}["QUEUE-09"]
        if protocol == far.EVERYTHING:
            assert said.verdict is Verdict.KEPT
            results = Results(Side.DRIVER, CHUNK_TRANSFER, {})
    assert (said.verdict, said.reason) == (
        Verdict.NOT_EXERCISED,
        "vhost-user without STATUS has no message for DRIVER_OK",
    )


def test_the_features_that_were_written_last_are_those_that_count(judged):
    (outcome,) = judged(variant(thinks_again=True), [STATISTICS]).values()
    assert outcome.status is Status.PASSED
    assert "DEFLATE_ON_OOM" not in outcome.negotiated
    (outcome,) = judged(Driver, [STATISTICS]).values()
    assert "DEFLATE_ON_OOM" in outcome.negotiated


def test_status_may_be_left_out(judged):
    (outcome,) = judged(variant(says_driver_ok=False), [STATISTICS], without=ProtocolFeature.STATUS).values()
    assert (outcome.status, outcome.reason) == (Status.PASSED, "")


def test_a_driver_without_a_request_channel_is_judged_by_what_needs_none(judged):
    outcomes = judged(variant(gives_channel=False))
    assert blamed(outcomes) == {}
    assert outcomes[REQUESTS].status is Status.PASSED
    assert outcomes[TURNING].status is Status.NOT_EXERCISED
    assert "request channel" in outcomes[TURNING].reason


class TakesChunksAlone(Driver):
    """It accepts CHUNK_TRANSFER without the statistics queue, and goes on as if it might."""

    protocol = NO_STATUS

    def number(self, request):
        number = super().number(request)
        if request == 1 and not number & far.STATS:
            self.wanted = far.VERSION_1 | far.CHUNKS
        return number


def test_nothing_follows_from_a_refusal_that_the_driver_was_not_told(judged):
    """Neither QUEUE-02 nor INF-03: the driver does not know that it was refused."""

    class Stubborn(TakesChunksAlone):
        def tell(self, request, body=b"", fds=()):
            if request == 2 and not struct.unpack("<Q", body)[0] & far.STATS:
                self.features |= far.CHUNKS
                body = struct.pack("<Q", self.features | 1 << 30)
            super().tell(request, body, fds)

    case = driver_offers.test_chunk_transfer_offered_without_statistics
    (outcome,) = judged(Stubborn, [case], {"beside": False}).values()
    assert {finding.requirement for finding in outcome.findings} == {"NEG-03"}


def test_a_driver_that_hangs_up_after_a_set_that_is_not_legal_has_accepted_it(judged):
    class Leaves(TakesChunksAlone):
        def read_target(self):
            raise far.Gone

        def tell(self, request, body=b"", fds=()):
            if request == 2:
                body = struct.pack("<Q", self.features | far.CHUNKS | 1 << 30)
            super().tell(request, body, fds)

    case = driver_offers.test_chunk_transfer_offered_without_statistics
    (outcome,) = judged(Leaves, [case], {"beside": False}).values()
    assert {finding.requirement for finding in outcome.findings} == {"NEG-03"}


# -- wrong, and hostile -----------------------------------------------------------------------------------


def test_a_kick_descriptor_of_no_use_is_not_the_drivers_silence(judged):
    (outcome,) = judged(variant(useless_kicks=True), [REQUESTS]).values()
    assert (outcome.status, outcome.fault, outcome.how) == (Status.FAILED, Fault.DRIVER, How.VIOLATION)
    assert "kick descriptor of vring" in outcome.reason
    assert outcome.findings == ()


def test_a_driver_that_enables_no_virtqueue_hangs(judged):
    class StartsNothing(Driver):
        def start_queue(self, queue):
            self.wait()

    (outcome,) = judged(StartsNothing, [STATISTICS], without=ProtocolFeature.STATUS).values()
    assert (outcome.status, outcome.how) == (Status.FAILED, How.HANG)
    assert "enabled no virtqueue" in outcome.reason


class HangsUpAtTheFirstReturn(Driver):
    def take(self, queue):
        raise far.Gone


class Babbles(Driver):
    def take(self, queue):
        self.socket.sendall(os.urandom(64))
        self.wait()


class LeapsAhead(Driver):
    def take(self, queue):
        struct.pack_into("<H", self.memory, queue * 0x4000 + 0x1002, self.available[queue] + 1000 & 0xFFFF)
        self.kick(queue)
        self.wait()


class NamesMemoryThatIsNotThere(Driver):
    def offer(self, queue, readable=b"", writable=0):
        head = super().offer(queue, readable, writable)
        struct.pack_into("<Q", self.memory, queue * 0x4000 + 16 * head, 1 << 63)
        return head


class ShrinksItsMemory(Driver):
    def take(self, queue):
        os.ftruncate(self.file, 4096)
        raise far.Gone


@pytest.mark.parametrize(
    "driver",
    [HangsUpAtTheFirstReturn, Babbles, LeapsAhead, NamesMemoryThatIsNotThere, ShrinksItsMemory],
)
def test_a_hostile_driver_is_at_fault_and_nobody_else(judged, driver):
    for outcome in judged(driver, [STATISTICS, REQUESTS]).values():
        assert (outcome.status, outcome.fault) == (Status.FAILED, Fault.DRIVER)


def test_a_driver_that_never_connects_is_absent(tmp_path):
    adapter = VhostUserDriver(str(tmp_path / "s"), connect_seconds=0.05)
    adapter.start(Setup(CHUNK_TRANSFER))
    with pytest.raises(PeerAbsent, match="no driver connected"):
        adapter.negotiate(1 << 32, bytes(8))
    adapter.stop()
