"""The served reference device, in another process: judged over its socket, and ended in every way."""

from __future__ import annotations

import json
import signal
import socket
import struct
from pathlib import Path

import pytest
from served_peer import SECONDS, ServedPeer, open_descriptors

from balloon_conformance.iut.contract import Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.iut.vhost_user.device import VhostUserDevice, VhostUserOptions
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import Patience, play
from balloon_conformance.vectors.loader import load_all
from balloon_spec.events import OperatorAction, Side
from balloon_spec.profiles import CHUNK_TRANSFER

# The deadline is met only if something is wrong, on however busy a machine.
PATIENCE = Patience(deadline_seconds=60.0, quiet_seconds=0.01)
SETUP = Setup(CHUNK_TRANSFER, 0x1000)
# Every fourth in the order of their paths: some of each area, and of each profile.
VECTORS = tuple(
    vector
    for vector in load_all()
    if Side.DEVICE in vector.sides and vector.profile.name in {"base", "chunk-transfer"}
)[::4]
SEEN_LESS = {"QUEUE-10", "RESET-07", "CFG-16"}
"""What nobody sees over vhost-user: a device before DRIVER_OK, a reset."""
SEEN_EITHER_WAY = {"RESET-12", "QUEUE-12"}
"""A wish may be served or dropped. A notification belongs to a buffer for certain only if that was in the ring before
the notification was taken: otherwise nothing is known, and test_notifications sees to what is."""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    peer = ServedPeer("reference-device", tmp_path_factory.mktemp("served"))
    yield peer
    peer.kill()


@pytest.fixture(scope="module")
def adapter(served):
    adapter = VhostUserDevice(VhostUserOptions(served.socket, served.control))
    yield adapter
    adapter.stop()


@pytest.fixture
def alone(tmp_path):
    """Start a device for one test."""
    peers = []

    def start(*arguments, **options):
        peers.append(ServedPeer("reference-device", tmp_path, *arguments, **options))
        return peers[-1]

    yield start
    for peer in peers:
        peer.kill()


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.id for vector in VECTORS])
def test_the_verdicts_are_those_of_the_device_in_this_process(adapter, vector):
    """But for what nobody sees over vhost-user, and what depends on when it is looked at: see SEEN_LESS and SEEN_EITHER_WAY."""
    here = play(vector, ReferenceDevice(), Side.DEVICE, PATIENCE)
    there = play(vector, adapter, Side.DEVICE, PATIENCE)
    assert (there.status, there.reason) == (here.status, here.reason)
    seen, known = (set(one.exercised) - SEEN_EITHER_WAY for one in (there, here))
    assert seen - known == set()
    assert known - seen <= SEEN_LESS
    assert there.status is not Status.NOT_EXERCISED


def test_nothing_is_left_behind_by_a_front_end(alone):
    here = open_descriptors()
    peer = alone()
    counts = []
    for _ in range(3):
        adapter = VhostUserDevice(VhostUserOptions(peer.socket))
        adapter.start(SETUP)
        adapter.accept(adapter.offered())
        adapter.prepare()
        adapter.driver_ok()
        counts.append(peer.descriptors())
        adapter.stop()
        assert open_descriptors() == here + 2  # standard output and error of the server
    assert len(set(counts)) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_a_front_end_connected(alone, tmp_path, number):
    peer = alone()
    assert peer.first_line == f"the reference device listens at {peer.socket}"
    adapter = VhostUserDevice(VhostUserOptions(peer.socket, peer.control))
    adapter.start(SETUP)
    assert peer.end(number) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
    adapter.stop()


def test_once_is_for_one_front_end(alone, tmp_path):
    peer = alone("--once")
    with connected(peer.socket) as front_end:
        front_end.sendall(struct.pack("<III", 3, 1, 0))
    assert peer.process.wait(SECONDS) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_profile_and_bit_numbers_decide_what_is_offered(alone):
    adapter = VhostUserDevice(VhostUserOptions(alone("--bit", "CHUNK_TRANSFER=41", control=False).socket))
    adapter.start(SETUP)
    assert adapter.offered() == 1 << 41 | 0b10111 | 1 << 28 | 1 << 29 | 1 << 32
    adapter.stop()


def test_another_front_end_waits_its_turn(alone):
    peer = alone()
    with connected(peer.socket) as first, connected(peer.socket) as second:
        second.sendall(struct.pack("<III", 1, 1, 0))
        first.sendall(struct.pack("<III", 1, 1, 0))
        assert len(first.recv(20, socket.MSG_WAITALL)) == 20
        second.setblocking(False)
        with pytest.raises(BlockingIOError):
            second.recv(1)
        second.settimeout(SECONDS)
        first.close()
        assert len(second.recv(20, socket.MSG_WAITALL)) == 20


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (struct.pack("<III", 99, 1, 0), "request 99"),
        (struct.pack("<III", 1, 1, 0xFFFF_FFFF), "size"),
        (struct.pack("<III", 1, 2, 0), "version"),
        (struct.pack("<III", 5, 1, 40) + struct.pack("<IIQQQQ", 1, 0, 0, 4096, 0, 0), "0 descriptors, not 1"),
    ],
    ids=["unknown", "four-gib", "version", "no-descriptor"],
)
def test_a_front_end_that_breaks_a_rule_is_cut_off_and_the_next_is_served(alone, data, complaint):
    peer = alone()
    with connected(peer.socket) as bad:
        bad.sendall(data)
        assert bad.recv(1) == b""
    assert complaint in peer.next_line()
    with connected(peer.socket) as good:
        good.sendall(struct.pack("<III", 1, 1, 0))
        assert len(good.recv(20, socket.MSG_WAITALL)) == 20
    assert peer.end() == (0, "", "")


@pytest.mark.parametrize(
    ("wish", "answer"),
    [
        ({"operator": "target", "value": 19}, {"ok": True}),
        ({"operator": "explode"}, {"error": f"operator: choose one of {', '.join(OperatorAction)}"}),
        ({"operator": "target", "value": -1}, {"error": "value: give a number from 0 to 2**64-1"}),
        ({"operator": "target", "value": True}, {"error": "value: give a number from 0 to 2**64-1"}),
        ({"target": 19}, {"error": "'target' is not known here; a request has operator and value"}),
        ([1], {"error": "a request is one JSON object in one line"}),
    ],
)
def test_a_wish_at_the_control_socket_is_answered(served, wish, answer):
    assert converse(served, [wish]) == [answer]


def test_a_line_that_is_not_json_is_answered_and_the_next_is_served(served):
    with connected(served.control) as client:
        client.sendall(b'{\xff\n{"operator": "target", "value": 0}\n')
        lines = client.makefile("rb")
        assert "not JSON" in json.loads(lines.readline())["error"]
        assert json.loads(lines.readline()) == {"ok": True}


def test_the_target_outlives_the_driver(alone):
    peer = alone()
    converse(peer, [{"operator": "target", "value": 77}])
    for _ in range(2):
        # Without the control socket nobody sets the target back.
        adapter = VhostUserDevice(VhostUserOptions(peer.socket))
        adapter.start(SETUP)
        assert adapter.read_configuration(0, 8) == struct.pack("<II", 77, 0)
        adapter.stop()


def test_a_path_that_cannot_be_is_one_line(alone, tmp_path, capfd):
    taken = tmp_path / "peer.sock"
    taken.write_text("no socket")
    with pytest.raises(AssertionError) as error:
        alone(control=False)
    assert "it exists and is no socket; give another path" in str(error.value)
    assert taken.read_text() == "no socket"


def test_a_dead_socket_is_replaced_and_a_live_one_is_not(alone, tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "peer.sock"))
    peer = alone(control=False)
    with pytest.raises(AssertionError) as error:
        alone(control=False)
    assert "somebody does already" in str(error.value)
    assert Path(peer.socket).is_socket()


def connected(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SECONDS)
    connection.connect(path)
    return connection


def converse(peer, wishes):
    """Make wishes at the control socket, and return the answers."""
    with connected(peer.control) as client:
        client.sendall(b"".join(json.dumps(wish).encode() + b"\n" for wish in wishes))
        lines = client.makefile("rb")
        return [json.loads(lines.readline()) for _ in wishes]
