"""Migrations of a guest, with a stand-in for the monitor that does what QEMU should not."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from balloon_conformance.iut.contract import AdapterError, ImplementationHung
from balloon_conformance.iut.qemu.migration import Migration


class Monitor:
    """A QEMU that sends ``stream``, and says of its migration what ``statuses`` has, the last for ever."""

    def __init__(self, statuses, stream=b"", *, refuses="", run_state="running"):
        self.statuses = list(statuses)
        self.stream = stream
        self.refuses = refuses
        self.run_state = run_state
        self.asked = []
        self.link = None

    def hand_over(self, descriptor, name):
        self.link = socket.socket(fileno=os.dup(descriptor))
        self.name = name

    def execute(self, command, **arguments):
        self.asked.append(command)
        if command == self.refuses:
            self.link.close()
            raise AdapterError(f"QEMU refused QMP {command}")
        if command == "migrate":
            assert arguments == {"uri": f"fd:{self.name}"}
        if command == "query-migrate":
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            if status in ("completed", "failed", "cancelled"):
                self.link.sendall(self.stream)
                self.link.close()
            return {"status": status} if status else {}
        if command == "query-status":
            return {"status": self.run_state}
        return {}


@pytest.fixture(autouse=True)
def _leaves_nothing():
    descriptors = sorted(fd.name for fd in Path("/proc/self/fd").iterdir())
    threads = threading.active_count()
    yield
    assert sorted(fd.name for fd in Path("/proc/self/fd").iterdir()) == descriptors
    assert threading.active_count() == threads


def test_a_finished_migration_has_all_of_the_stream_and_lets_the_guest_go_on():
    monitor = Monitor(["active", "active", "completed"], b"x" * 1000, run_state="postmigrate")
    assert Migration(monitor, 5).finish() == b"x" * 1000
    assert monitor.asked[-1] == "cont"


def test_a_guest_that_runs_is_not_resumed():
    monitor = Monitor(["completed"])
    Migration(monitor, 5).finish()
    assert "cont" not in monitor.asked


def test_a_migration_that_is_given_up_is_awaited():
    monitor = Monitor(["active", "cancelling", "cancelled"])
    Migration(monitor, 5).cancel()
    assert monitor.asked.count("migrate_cancel") == 1
    assert monitor.asked.count("query-migrate") == 3


def test_a_migration_that_fails_is_no_copy():
    with pytest.raises(AdapterError, match="ended as failed"):
        Migration(Monitor(["failed"]), 5).finish()


@pytest.mark.parametrize(("status", "seen"), [("active", "active"), ("", "idle")])
def test_a_migration_that_never_ends_is_a_hang(status, seen):
    monitor = Monitor([status])
    migration = Migration(monitor, 0.01)
    with pytest.raises(ImplementationHung, match=rf"did not end within 0\.01 seconds; it is {seen}"):
        migration.finish()
    monitor.link.close()


def test_a_migration_that_qemu_refuses_leaves_nothing_behind():
    monitor = Monitor(["active"], refuses="migrate")
    with pytest.raises(AdapterError, match="refused QMP migrate"):
        Migration(monitor, 5)
