"""The served reference driver, in another process: judged over its socket, and ended in every way."""

from __future__ import annotations

import functools
import json
import signal
import socket
import struct

import pytest
from served_peer import SECONDS, ServedPeer, open_descriptors

from balloon_conformance.iut.contract import AdapterError, Capability, Setup
from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.iut.vhost_user.driver import VhostUserDriver
from balloon_conformance.iut.vhost_user.steered_driver import SteeredVhostUserDriver
from balloon_conformance.report.results import applies
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import Patience, play
from balloon_conformance.vectors.loader import load_all
from balloon_spec.events import Available, ConfigurationWritten, DriverOk, Side
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER
from balloon_spec.requirement import Level, catalogue

# The deadline is met only if something is wrong, on however busy a machine.
PATIENCE = Patience(deadline_seconds=60.0, quiet_seconds=0.01)
SETUP = Setup(CHUNK_TRANSFER, 0x4000)
ALL = CHUNK_TRANSFER.mask([*(feature.name for feature in CHUNK_TRANSFER.device_features), "VERSION_1"])
VECTORS = tuple(
    vector
    for vector in load_all()
    if Side.DRIVER in vector.sides and vector.profile.name in {"base", "chunk-transfer"}
)

SEEN_MORE = {"BUF-05", "CONC-01", "QUEUE-11"}
"""Shared memory shows where buffers lie and how they are laid; whole buffers do not."""
NOT_FROM_VECTORS = {
    "QUEUE-08": "a ring's size is known after the features; too many buffers show as a ring that cannot be",
    "INF-04": "whether a guest uses a page shows in its memory, at which a vector does not look",
    "DEF-05": "likewise",
    "DEF-13": "where a driver comes to rest is for scenarios to see",
    "RESET-09": "a driver without a connection has no device to use",
    "NEG-11": "a vector has no names for bits without a meaning",
    "NEG-12": "a front-end may keep VERSION_1 to itself",
}
"""What of a driver no vector exercises over a socket, and why."""
SEEN_LESS = {"INF-04", "DEF-05", "CONC-08", "QUEUE-13", "NEG-12"}
"""That a guest uses a page again is not a message; it shows in memory, which only a scenario watches. A second
buffer is seen beside the first only where it is read before the first is returned, and a notification belongs
to a buffer for certain only where that was in the ring before: a matter of time. A front-end may keep VERSION_1
to itself."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The served driver, and the adapter it connects to."""
    peer = ServedPeer("reference-driver", tmp_path_factory.mktemp("served"), "--memory", "5G")
    adapter = SteeredVhostUserDriver(peer.socket, peer.control)
    yield peer, adapter
    adapter.stop()
    peer.kill()


@pytest.fixture(scope="module")
def played(pair):
    """Play a vector over the socket, once however many tests ask."""

    @functools.cache
    def once(index):
        return play(VECTORS[index], pair[1], Side.DRIVER, PATIENCE)

    return once


@pytest.mark.parametrize("index", range(len(VECTORS)), ids=[vector.id for vector in VECTORS])
def test_the_verdicts_are_those_of_the_driver_in_this_process(played, index):
    vector = VECTORS[index]
    here = play(vector, ReferenceDriver(), Side.DRIVER, PATIENCE)
    there = played(index)
    assert here.status is Status.PASSED
    if vector.memory_holes:
        # Where guest memory lies behind a socket is the driver's to say, once for all cases.
        assert (there.status, there.reason) == (Status.NOT_EXERCISED, "the adapter lacks memory-holes")
        return
    assert (there.status, there.reason) == (here.status, here.reason)
    assert set(there.exercised) - set(here.exercised) <= SEEN_MORE
    assert set(here.exercised) - set(there.exercised) <= SEEN_LESS


def test_every_requirement_on_a_driver_of_chunk_transfer_is_exercised_but_for_one(played):
    exercised = set()
    for index in range(len(VECTORS)):
        exercised |= set(played(index).exercised)
    bound = {
        name
        for name, requirement in catalogue().items()
        if requirement.subject is Side.DRIVER and requirement.level is not Level.MAY
        if applies(requirement, CHUNK_TRANSFER)
    }
    assert bound - exercised == NOT_FROM_VECTORS.keys()
    # A permission, which must be seen to be taken somewhere, if not in every vector that leaves room for it.
    assert "CONC-08" in exercised


def test_nothing_is_left_behind_by_a_device(pair):
    peer, adapter = pair
    here, counts = open_descriptors(), []
    for _ in range(4):
        adapter.start(SETUP)
        adapter.negotiate(ALL, bytes(8))
        see(adapter, lambda event: isinstance(event, DriverOk))
        counts.append(peer.descriptors())
        adapter.reset()
    assert len(set(counts[1:])) == 1
    adapter.stop()
    assert open_descriptors() <= here


def test_a_guest_that_is_not_steered_gives_up_pages_of_its_own_choice(tmp_path):
    adapter = VhostUserDriver(str(tmp_path / "peer.sock"))
    adapter.start(SETUP)
    peer = ServedPeer("reference-driver", tmp_path, "--memory", "16M", control=False)
    try:
        assert adapter.negotiate(ALL, (5).to_bytes(4, "little") + bytes(4)) == ALL
        inflate = see(adapter, lambda event: isinstance(event, Available) and event.queue == 0)
        adapter.use(0, inflate.buffer, 0, b"")
        written = see(adapter, lambda event: isinstance(event, ConfigurationWritten))
        assert written.data == (5).to_bytes(4, "little")
        assert Capability.STEER_PAGES not in adapter.capabilities
        with pytest.raises(AdapterError, match="see the capabilities"):
            adapter.steer("inflate", PageSet([(1, 1)]))
    finally:
        adapter.stop()
        peer.kill()


def test_once_is_for_one_device(tmp_path):
    adapter = VhostUserDriver(str(tmp_path / "peer.sock"))
    adapter.start(SETUP)
    peer = ServedPeer("reference-driver", tmp_path, "--once", control=False)
    adapter.negotiate(ALL, bytes(8))
    adapter.stop()
    assert peer.process.wait(SECONDS) == 0
    peer.kill()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_while_it_waits_for_a_device(tmp_path, number):
    peer = ServedPeer("reference-driver", tmp_path)
    assert peer.first_line == f"the reference driver connects to {peer.socket}"
    assert peer.end(number) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_wishes_are_answered_with_what_is_wrong_with_them(pair):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        client.connect(pair[0].control)
        lines = client.makefile("rb")
        for wish, word in (
            ({"guest": "sleep"}, "guest: choose one of inflate, deflate, unused, use"),
            ({"guest": "inflate", "pages": "0x10"}, "pages: give a list of runs"),
            ({"guest": "inflate", "pages": ["ten"]}, "'ten' is not a run of pages"),
            ({"operator": "target"}, "'operator' is not known here"),
        ):
            client.sendall(json.dumps(wish).encode() + b"\n")
            assert word in json.loads(lines.readline())["error"]


def test_a_device_that_breaks_a_rule_is_left_and_the_next_is_met(tmp_path):
    path = str(tmp_path / "peer.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.settimeout(SECONDS)
        listening.bind(path)
        listening.listen()
        peer = ServedPeer("reference-driver", tmp_path, control=False)
        try:
            device, _ = listening.accept()
            with device:
                device.sendall(struct.pack("<III", 1, 7, 8) + bytes(8))
                assert "flags.version" in peer.next_line()
            again, _ = listening.accept()
            again.close()
            listening.close()
            assert peer.end() == (0, "", "")
        finally:
            peer.kill()


def see(adapter, wanted):
    """Observe until there is an event that is wanted."""
    seen = []
    while True:
        events = adapter.observe(SECONDS)
        assert events, f"waited for one more event; so far there are {seen}"
        seen += events
        for event in events:
            if wanted(event):
                return event
