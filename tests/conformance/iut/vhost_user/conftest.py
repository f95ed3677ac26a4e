"""An adapter that listens, and drivers made by hand that connect to it. Whatever is opened must be closed."""

from __future__ import annotations

import socket

import pytest
from vhost_user_by_hand import HandFrontEnd, open_descriptors

from balloon_conformance.iut.contract import Setup
from balloon_conformance.iut.vhost_user.driver import VhostUserDriver
from balloon_spec.profiles import CHUNK_TRANSFER


@pytest.fixture
def adapter(tmp_path):
    before = open_descriptors()
    adapter = VhostUserDriver(
        str(tmp_path / "s"), connect_seconds=0.2, negotiate_seconds=0.3, answer_seconds=0.2
    )
    adapter.start(Setup(CHUNK_TRANSFER))
    yield adapter
    adapter.stop()
    adapter.stop()
    assert not (tmp_path / "s").exists()
    assert open_descriptors() == before, "descriptors were left behind"


@pytest.fixture
def connect(adapter):
    """Connect a driver; its descriptors are closed at the end, before the adapter's are counted."""
    drivers = []

    def connect_one(**options):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(adapter.path)
        drivers.append(HandFrontEnd(sock, **options))
        return drivers[-1]

    yield connect_one
    for driver in drivers:
        driver.close()
