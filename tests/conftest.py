"""Settings for every test: properties are derandomised in CI, no example has a time limit, Ctrl-C is heard."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from run_command import Ran, run_command

# A deadline would be an assertion about the speed of the machine.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# Begun in the background by a shell, this process ignores SIGINT, and so would all that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Recorded(Ran):
    """A run of the whole suite; ``results`` is the file it wrote."""

    results: Path


@pytest.fixture(scope="session")
def reference_run(tmp_path_factory):
    """Return the whole run against the reference of a side: one for all tests, in whatever process they are."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def run(side: str) -> Recorded:
        said, results = shared / f"reference-{side}.json", shared / f"reference-{side}.jsonl"
        with (shared / f"reference-{side}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not said.exists():
                asked = ("--require-exercised", "must, Should-Not", "--results", results.name)
                ran = run_command(shared, "run", f"reference-{side}", *asked)
                said.write_text(json.dumps(asdict(ran)))
        return Recorded(**json.loads(said.read_text()), results=results)

    return run
