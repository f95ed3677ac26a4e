"""Runs ``balloon-conformance`` in a process of its own, in a directory of its own.

The process is a fork of one that has the packages imported: to import them and to read the vectors takes longer
than most of these runs.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DEADLINE_SECONDS = 300


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def run_command(directory: Path, *arguments: str, **environment: str) -> Ran:
    """Run the command with ``directory`` as its current one; ``environment`` is added to ours."""
    server = _server()
    with tempfile.TemporaryDirectory() as scratch:
        out, err = (Path(scratch, name) for name in ("out", "err"))
        order = {
            "directory": str(directory),
            "environment": {**os.environ, "COLUMNS": "80", **environment},
            "arguments": list(map(str, arguments)),
            "out": str(out),
            "err": str(err),
        }
        server.stdin.write(f"{json.dumps(order)}\n")
        server.stdin.flush()
        if not select.select([server.stdout], [], [], DEADLINE_SECONDS)[0]:
            _end(server)
            _server.cache_clear()
            raise subprocess.TimeoutExpired(arguments, DEADLINE_SECONDS, out.read_text(), err.read_text())
        code = int(server.stdout.readline())
        return Ran(code, out.read_text(), err.read_text())


@cache
def _server() -> subprocess.Popen:
    """The process that is forked; it is in a group of its own, with whatever it forks."""
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("command_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    atexit.register(_end, server)
    return server


def _end(server: subprocess.Popen) -> None:
    if server.poll() is None:
        os.killpg(server.pid, 9)
        server.wait()
    server.stdin.close()
    server.stdout.close()
