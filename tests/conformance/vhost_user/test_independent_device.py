"""A device that shares no code with the project, and variants of it that are right but unusual: all are clean."""

from __future__ import annotations

import os
import socket
import struct

import independent_back_end as far
import pytest
from independent_back_end import Device
from served_peer import open_descriptors

from balloon_conformance.iut.contract import PeerLeft, Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.iut.sight import Fact, Kind, unseen
from balloon_conformance.iut.vhost_user.device import VhostUserDevice, VhostUserOptions
from balloon_conformance.running.outcome import Fault, How, Status
from balloon_conformance.running.player import Patience, play
from balloon_conformance.vectors.loader import load_all
from balloon_conformance.vhost_user.messages import ProtocolFeature
from balloon_spec.events import ConfigurationChanged, Side
from balloon_spec.profiles import CHUNK_TRANSFER

CASES = (
    "base-accept-again-after-reset",
    "base-device-refuses-a-bit-not-offered",
    "chunk-partly-outside-memory",
    "deflate-one-page",
    "device-refuses-chunk-transfer-without-stats",
    "inflate-two-runs",
    "reset-inflates-nothing-old",
)
VECTORS = {vector.id: vector for vector in load_all()}
REFUSALS = {"base-device-refuses-a-bit-not-offered", "device-refuses-chunk-transfer-without-stats"}
# Long enough for two processes on a machine that has other work.
PATIENCE = Patience(2.0, 0.01)


class HangsUpToRefuse(Device):
    def refuse(self):
        return False


class SaysNoAndHangsUp(Device):
    """As back-ends on rust-vmm's crates do."""

    def refuse(self):
        self.reply(2, struct.pack("<Q", 1))
        return False


class TakesWhateverComes(Device):
    """Without STATUS it has nothing to refuse by, and acknowledges what it was told."""

    def refuse(self):
        return None


@pytest.fixture
def judged(tmp_path):
    """Judge a device by :data:`CASES`, or others; return the outcome of each. Nothing may be left behind."""
    before = open_descriptors()

    def judge(device, cases=CASES, **options):
        path = str(tmp_path / "s")
        peer = device(path)
        adapter = VhostUserDevice(VhostUserOptions(path, answer_seconds=2.0, **options))
        try:
            return {case: play(VECTORS[case], adapter, Side.DEVICE, PATIENCE) for case in cases}
        finally:
            adapter.stop()
            peer.end()

    yield judge
    assert open_descriptors() == before, "descriptors were left behind"


def blamed(outcomes):
    """What was said against the implementation, of any kind."""
    return {
        case: (outcome.reason, [finding.requirement for finding in (*outcome.findings, *outcome.advice)])
        for case, outcome in outcomes.items()
        if outcome.status not in {Status.PASSED, Status.NOT_EXERCISED} or outcome.findings or outcome.advice
    }


def skipped(outcomes):
    return {case for case, outcome in outcomes.items() if outcome.status is Status.NOT_EXERCISED}


NO_STATUS = far.EVERYTHING & ~far.STATUS
LEAST = far.CONFIG


def variant(base=Device, **attributes):
    return type("Variant", (base,), attributes)


@pytest.mark.parametrize(
    ("device", "unexercised"),
    [
        pytest.param(Device, set(), id="as it is"),
        pytest.param(variant(closes_channel=True), set(), id="it closes its request channel"),
        pytest.param(variant(protocol=NO_STATUS), set(), id="it refuses by an acknowledgement"),
        pytest.param(variant(HangsUpToRefuse, protocol=NO_STATUS), set(), id="it refuses by hanging up"),
        pytest.param(variant(SaysNoAndHangsUp, protocol=NO_STATUS), set(), id="it refuses and then hangs up"),
        pytest.param(
            variant(HangsUpToRefuse, protocol=LEAST), REFUSALS, id="it refuses by hanging up, unasked"
        ),
        pytest.param(
            variant(TakesWhateverComes, protocol=NO_STATUS), REFUSALS, id="it acknowledges what it was told"
        ),
        pytest.param(variant(listens_anew=True), set(), id="it listens anew for each connection"),
        pytest.param(variant(late_seconds=0.3), set(), id="it is slow to listen"),
        pytest.param(variant(drops=1), set(), id="it drops a connection before it serves one"),
        pytest.param(far.Slow, set(), id="it is slow"),
    ],
)
def test_a_device_that_is_right_is_clean(judged, device, unexercised):
    outcomes = judged(device)
    assert blamed(outcomes) == {}
    assert skipped(outcomes) == unexercised
    assert all(outcome.exercised for case, outcome in outcomes.items() if case not in unexercised)


def test_an_acknowledgement_of_the_features_is_called_ambiguous_without_status(judged):
    device = variant(TakesWhateverComes, protocol=NO_STATUS)
    (outcome,) = judged(device, ["device-refuses-chunk-transfer-without-stats"]).values()
    assert outcome.reason.startswith("ambiguous: the features were taken, and vhost-user without STATUS")
    assert "NEG-06" not in outcome.exercised


def test_a_refusal_that_was_seen_counts_without_status(judged):
    device = variant(HangsUpToRefuse, protocol=NO_STATUS)
    (outcome,) = judged(device, ["device-refuses-chunk-transfer-without-stats"]).values()
    assert outcome.exercised["NEG-06"] == 1


def test_status_may_be_left_out(judged):
    """The device could show more, and is not asked to."""
    device = variant(TakesWhateverComes)
    (outcome,) = judged(device, ["inflate-two-runs"], without=ProtocolFeature.STATUS).values()
    assert outcome.status is Status.PASSED
    assert "NEG-07" not in outcome.exercised


def test_a_device_that_insists_on_address_translation_is_not_remarked_on(judged):
    device = variant(offered=far.ALL | 1 << 33, needs=1 << 33)
    outcomes = judged(device, ["inflate-two-runs", "deflate-one-page"])
    assert blamed(outcomes) == {}
    assert {outcome.reason for outcome in outcomes.values()} == {
        "the device insists on ACCESS_PLATFORM, which it may"
    }


class HangsUpAtTheFirstBuffer(Device):
    def take(self, queue, head, readable, writable):
        if queue == 0:
            self.connection.shutdown(socket.SHUT_RDWR)


class Babbles(Device):
    def take(self, queue, head, readable, writable):
        self.connection.sendall(os.urandom(64))


class ReturnsWhatIsNotThere(Device):
    def take(self, queue, head, readable, writable):
        self.give_back(queue, 0xFFFFFFFF, 0xFFFFFFFF)


class DropsEveryone(Device):
    def serve_somebody(self):
        pass


@pytest.mark.parametrize("device", [HangsUpAtTheFirstBuffer, Babbles, ReturnsWhatIsNotThere, DropsEveryone])
def test_a_hostile_device_is_at_fault_and_nobody_else(judged, device):
    for outcome in judged(device, ["inflate-two-runs", "deflate-one-page"]).values():
        assert (outcome.status, outcome.fault) == (Status.FAILED, Fault.DEVICE)


def test_a_device_that_is_gone_for_good_is_told_from_one_that_fails(tmp_path):
    path = str(tmp_path / "s")
    peer = Device(path)
    adapter = VhostUserDevice(VhostUserOptions(path, answer_seconds=0.2))
    assert "vhost-user back-end" in adapter.description
    peer.end()
    outcome = play(VECTORS["inflate-two-runs"], adapter, Side.DEVICE, PATIENCE)
    assert (outcome.status, outcome.how) == (Status.FAILED, How.ABSENT)
    with pytest.raises(PeerLeft, match=r"nobody listens at .* any more"):
        adapter.start(Setup(CHUNK_TRANSFER))


# -- a configuration change of which nobody can be told --------------------------------------------------


class _CannotTell(ReferenceDevice):
    """It changes its configuration space and has no way to say so."""

    unseen = unseen(Kind.VHOST_USER_DEVICE, {"STATUS"})

    def observe(self, deadline_seconds):
        return [
            event
            for event in super().observe(deadline_seconds)
            if not isinstance(event, ConfigurationChanged)
        ]


def test_a_change_that_cannot_be_told_is_not_called_missing():
    vector = VECTORS["target-changes-are-notified"]
    outcome = play(vector, _CannotTell(), Side.DEVICE)
    assert outcome.status is Status.PASSED
    assert "request channel" in outcome.reason
    assert "CFG-07" not in outcome.exercised

    could_tell = _CannotTell()
    could_tell.unseen = {}
    outcome = play(vector, could_tell, Side.DEVICE)
    assert "CFG-07" in [finding.requirement for finding in outcome.findings]


def test_a_closed_channel_hides_the_changes_of_configuration(tmp_path):
    path = str(tmp_path / "s")
    peer = variant(closes_channel=True)(path)
    adapter = VhostUserDevice(VhostUserOptions(path))
    try:
        play(VECTORS["inflate-two-runs"], adapter, Side.DEVICE, PATIENCE)
        assert Fact.CONFIGURATION_CHANGE in adapter.unseen
    finally:
        adapter.stop()
        peer.end()
