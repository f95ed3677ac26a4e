"""Runs ``balloon-conformance`` in a process of its own, in a directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DEADLINE_SECONDS = 120


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def run_command(directory: Path, *arguments: str, **environment: str) -> Ran:
    """Run the command with ``directory`` as its current one; ``environment`` is added to ours."""
    done = subprocess.run(
        [sys.executable, "-m", "balloon_conformance", *arguments],
        cwd=directory,
        env={**os.environ, "COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
