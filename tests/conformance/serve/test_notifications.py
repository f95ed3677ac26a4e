"""Peers over vhost-user that lose notifications are found, and those that notify in their own way are not."""

from __future__ import annotations

import struct

import pytest
from places import ROOT
from served_peer import ServedPeer

from balloon_conformance.iut.contract import Buffer
from balloon_conformance.iut.vhost_user.device import VhostUserDevice, VhostUserOptions
from balloon_conformance.iut.vhost_user.steered_driver import SteeredVhostUserDriver
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import Patience, play
from balloon_conformance.running.session import DeviceSession, DriverSession
from balloon_conformance.scenarios import device_notifications
from balloon_conformance.vectors.loader import load_all
from balloon_spec.events import (
    Available,
    ConfigurationWritten,
    GuestAction,
    Notified,
    OperatorAction,
    Side,
    Used,
)
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

PROGRAM = (str(ROOT / "tests" / "serve_unusual.py"),)
ENOUGH, SHORT = Patience(10.0, 0.002), Patience(1.0, 0.002)
"""Time for who is right, and for what does not come."""
GOOD_AND_BAD = device_notifications.test_good_and_bad_buffers_at_once
BAD = device_notifications.test_a_bad_buffer_alone
RESET = device_notifications.test_notifications_after_a_reset
STATISTICS = device_notifications.test_statistics_refreshed_twice
VECTORS = {vector.id: vector for vector in load_all()}
ALL = CHUNK_TRANSFER.mask([*(feature.name for feature in CHUNK_TRANSFER.device_features), "VERSION_1"])
EVENT_IDX = CHUNK_TRANSFER.mask(["EVENT_IDX"])


@pytest.fixture
def serve(tmp_path):
    peers = []

    def start(name):
        peers.append(ServedPeer(name, tmp_path, program=PROGRAM))
        return peers[-1]

    yield start
    for peer in peers:
        peer.kill()


@pytest.fixture
def device(serve):
    """Judge the device of this name in a scenario; returns its session."""
    adapters = []

    def judge(name, scenario, patience):
        peer = serve(name)
        adapters.append(VhostUserDevice(VhostUserOptions(peer.socket, peer.control)))
        session = DeviceSession(
            adapters[-1],
            CHUNK_TRANSFER,
            deadline_seconds=patience.deadline_seconds,
            quiet_seconds=patience.quiet_seconds,
            memory_pages=0x4000,
        )
        with session:
            scenario(session)
        return session

    yield judge
    for adapter in adapters:
        adapter.stop()


@pytest.fixture
def driver(serve):
    """The adapter to the driver of this name."""
    adapters = []

    def connect(name):
        peer = serve(name)
        adapters.append(SteeredVhostUserDriver(peer.socket, peer.control))
        return adapters[-1]

    yield connect
    for adapter in adapters:
        adapter.stop()


def space(num_pages):
    return struct.pack("<II", num_pages, 0)


def blamed(session):
    return {finding.requirement for finding in session.findings}


# -- devices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        ("never-notifies-of-returns", GOOD_AND_BAD),
        ("never-notifies-of-returns", BAD),
        ("notifies-of-its-first-return-only", STATISTICS),
        ("loses-the-notification-of-a-bad-buffer", BAD),
        ("notifies-no-more-after-a-reset", RESET),
        ("loses-the-notification-of-a-late-return", STATISTICS),
        ("first-of-a-batch-device", GOOD_AND_BAD),
    ],
)
def test_a_device_that_loses_a_notification_is_found_and_its_buffers_are(device, name, scenario):
    assert blamed(device(name, scenario, SHORT)) == {"QUEUE-12"}


@pytest.mark.parametrize("name", ["late-device", "loud-device"])
@pytest.mark.parametrize("scenario", [GOOD_AND_BAD, BAD, RESET, STATISTICS])
def test_a_device_may_notify_late_and_more_often_than_it_has_to(device, name, scenario):
    session = device(name, scenario, ENOUGH)
    assert session.findings == []
    assert session.exercised["QUEUE-12"] >= 1
    notified = [entry.event.notified for entry in session.trace if isinstance(entry.event, Used)]
    later = any(isinstance(entry.event, Notified) for entry in session.trace)
    # On a busy machine the notification of a loud device, too, may be seen after the buffer.
    assert later or (name == "loud-device" and True in notified)


def test_one_notification_of_a_whole_batch_is_enough(device):
    session = device("late-device", GOOD_AND_BAD, ENOUGH)
    events = [entry.event for entry in session.trace]
    returned = [event for event in events if isinstance(event, Used) and event.queue == 0]
    assert len(returned) == 4
    assert [event for event in events if isinstance(event, Notified)] == [Notified(Side.DEVICE, 0)]
    assert session.findings == []


def test_a_device_that_goes_by_used_event_owes_no_more_than_that_asks_for(device):
    def batches(session):
        assert session.negotiate(ALL | EVENT_IDX)
        session.driver_ok()
        for batch in range(8):
            names = [f"{batch}-{at}" for at in range(3)]
            for at, name in enumerate(names):
                data = struct.pack("<BBHIQQ", 0, 0, 0, 16, (0x100 + 3 * batch + at) << 12, 1 << 12)
                session.make_available(0, Buffer(name, data, notify=at == 2))
            for _ in names:
                assert session.wait_for(lambda seen: isinstance(seen, Used))
        session.settle()

    session = device("late-device", batches, ENOUGH)
    assert session.findings == []
    # Of one return of each poll a notification is due for certain.
    assert session.exercised["QUEUE-12"] >= 1
    assert None in [entry.event.notified for entry in session.trace if isinstance(entry.event, Used)]


# -- drivers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "vector"),
    [
        ("never-notifies", "inflate-two-runs"),
        ("notifies-once", "deflate-and-inflate-again"),
        ("notifies-of-inflation-only", "deflate-two-runs"),
        ("notifies-no-more-once-started-anew", "reset-posts-a-fresh-request-buffer"),
    ],
)
def test_a_driver_that_does_not_notify_is_found_and_its_buffers_are(driver, name, vector):
    outcome = play(VECTORS[vector], driver(name), Side.DRIVER, SHORT)
    assert outcome.status is Status.FAILED
    assert {finding.requirement for finding in outcome.findings} == {"QUEUE-13"}


@pytest.mark.parametrize("name", ["late-driver", "loud-driver", "frugal-driver"])
def test_a_driver_may_notify_late_and_more_often_than_it_has_to(driver, name):
    adapter = driver(name)
    for vector in ("inflate-two-runs", "reset-posts-a-fresh-request-buffer"):
        outcome = play(VECTORS[vector], adapter, Side.DRIVER, ENOUGH)
        assert (outcome.status, outcome.findings) == (Status.PASSED, ())
        assert outcome.exercised["QUEUE-13"] >= 1


def test_a_driver_that_goes_by_avail_event_owes_no_more_than_that_asks_for(driver):
    session = DriverSession(driver("frugal-driver"), CHUNK_TRANSFER, deadline_seconds=ENOUGH.deadline_seconds)
    with session:
        accepted = session.negotiate(ALL | EVENT_IDX, space(0))
        assert accepted & EVENT_IDX
        for pages in range(1, 9):
            session.operate(OperatorAction.TARGET, pages)
            session.change_configuration(space(pages))
            session.steer(GuestAction.INFLATE, PageSet([(0x100 + 2 * pages, 1)]))
            buffer = session.wait_for(lambda seen: isinstance(seen, Available) and seen.queue == 0)
            session.use(0, buffer.buffer, 0, b"")
            assert session.wait_for(lambda seen: isinstance(seen, ConfigurationWritten))
        session.settle()
    assert session.findings == []
    assert session.exercised["QUEUE-13"] >= 1
