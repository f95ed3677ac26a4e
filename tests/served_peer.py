"""A served reference implementation in a process of its own, and what is left of it afterwards."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

SECONDS = 60.0
_SERVE = ("-m", "balloon_conformance", "serve")


class ServedPeer:
    """``balloon-conformance serve KIND`` with its sockets below ``directory``, or another ``program``."""

    def __init__(self, kind, directory, *arguments, control=True, program=_SERVE):
        self.socket, self.control = str(directory / "peer.sock"), str(directory / "control.sock")
        self.process = subprocess.Popen(
            [
                *(sys.executable, *program, kind, "--vhost-user", self.socket),
                *(("--control", self.control) if control else ()),
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.first_line = self.next_line()

    def next_line(self):
        """The next line the server says, awaited."""
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
            assert ready, "the server says nothing"
            byte = os.read(self.process.stdout.fileno(), 1)
            assert byte, self.process.communicate(timeout=SECONDS)
            line += byte
        return line.decode().rstrip()

    def descriptors(self):
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def end(self, number=signal.SIGTERM):
        """End the server; returns its exit code, and what else it said on both streams."""
        self.process.send_signal(number)
        said, complained = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, said.decode(), complained.decode()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=SECONDS)


def open_descriptors():
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
