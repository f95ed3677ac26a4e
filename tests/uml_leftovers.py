"""Counts what a kernel in user mode could leave behind: processes, files and descriptors."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from balloon_conformance.iut.linux_uml import process

SHARED_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def processes_of(directory):
    """Return the processes that run with ``directory`` in their command line; a zombie runs no more."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            with suppress(OSError):
                state = (path / "stat").read_text().rpartition(")")[2].split()[0]
                if directory.encode() in (path / "cmdline").read_bytes() and state != "Z":
                    found.append(int(path.name))
    return found


def descriptors():
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@contextmanager
def nothing_left(monkeypatch):
    """Fail when what is done meanwhile leaves anything; yields the directory that kernels lie in."""
    before = descriptors()
    with TemporaryDirectory(prefix="test-uml-", dir=SHARED_MEMORY) as place:
        monkeypatch.setattr(process, "memory_directory", lambda _size_bytes: place)
        yield place
        # A process that was killed goes a moment later than its parent.
        until = time.monotonic() + 5
        while (processes_of(place) or any(Path(place).iterdir())) and time.monotonic() < until:
            os.sched_yield()
        assert processes_of(place) == []
        assert list(Path(place).iterdir()) == []
    assert descriptors() == before
