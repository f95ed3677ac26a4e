"""Settings for every test: properties are derandomised in CI, no example has a time limit, Ctrl-C is heard."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from run_command import Ran, run_command

TOGETHER = (
    "tests/conformance/campaign/test_campaign.py",
    "tests/conformance/generation/test_generate.py",
    "tests/conformance/mutants/test_posted_blame.py",
    "tests/conformance/serve/test_serve_driver.py",
    "tests/conformance/skeletons/test_languages.py",
    "tests/conformance/vectors/test_export_c.py",
    "tests/examples/test_c.py",
    "tests/examples/test_rust_vmm.py",
)
"""Files whose tests share what is costly to make. With pytest-xdist one process runs all of a file, so it is made once."""

# A deadline would be an assertion about the speed of the machine.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# Begun in the background by a shell, this process ignores SIGINT, and so would all that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out tests one by one, but a file of TOGETHER as a whole, and first.

    The mark ``xdist_group`` would say the same, but pytest-xdist 3.8 loses it under pytest 9.2: it writes the group
    into the ids of the tests, which are no longer taken from there.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return file if file in TOGETHER else nodeid

    return Scheduler(config, log)


def pytest_collection_modifyitems(items):
    """Begin with what is not traced: these tests are long, and at the end no process shall wait for another."""
    items.sort(key=lambda item: item.get_closest_marker("untraced") is None)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Do not trace a test that is marked so: neither the test, nor what is set up for it.

    Measuring coverage takes more than half of the time. The mark ``no_cover`` of pytest-cov 7.1 does nothing in a
    process of pytest-xdist: of two measurements, one inside the other, it halts only the inner one.
    """
    if item.get_closest_marker("untraced") is None:
        return (yield)
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(trace)


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
