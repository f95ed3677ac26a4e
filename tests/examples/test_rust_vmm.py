"""The back-end on rust-vmm's crates passes, and the suite names what is broken in it.

It needs what Debian 12 does not have: cargo 1.80 or later, and the crates, in the folder of ``fetch-crates`` that
``BALLOON_RUST_CRATES`` names. Without them these tests are skipped, also where no other test may be.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from example_programs import BUILD_SECONDS, Mutation, copy, judge_target

CRATES = "BALLOON_RUST_CRATES"
OLDEST_CARGO = (1, 80)
CASES = (
    "actual-reads-back",
    "base-device-refuses-a-bit-not-offered",
    "pfn-array-cut-at-11",
    "pfn-deflate-and-inflate-again",
    "pfn-ffffffff-beside-a-good-one",
    "pfn-inflate-four-pages",
    "array-where-no-memory-is",
)
"""One case of each kind that this device can be put to."""

MUTATIONS = [
    Mutation(
        "the page behind is given back too",
        "src/main.rs",
        "start.as_ptr().cast(), PAGE_BYTES,",
        "start.as_ptr().cast(), 2 * PAGE_BYTES,",
        "INF-08",
        cases="pfn-inflate-four-pages",
    ),
    Mutation(
        "pages are zeroed, and their memory is kept",
        "src/main.rs",
        "libc::madvise(start.as_ptr().cast(), PAGE_BYTES, libc::MADV_REMOVE)",
        "start.as_ptr().write_bytes(0, PAGE_BYTES)",
        "INF-07",
        cases="pfn-inflate-four-pages",
    ),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of the example, in which what was built is kept from one test to the next."""
    crates, cargo = os.environ.get(CRATES), shutil.which("cargo")
    if not crates or not cargo:
        pytest.skip(f"needs cargo, and {CRATES} to name the folder of examples/rust-vmm/fetch-crates")
    said = subprocess.run(
        [cargo, "--version"], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    version = re.match(r"cargo (\d+)\.(\d+)", said)
    if version is None or tuple(map(int, version.groups())) < OLDEST_CARGO:
        pytest.skip(f"needs cargo {OLDEST_CARGO[0]}.{OLDEST_CARGO[1]} or later, not {said.strip() or 'none'}")
    return copy("rust-vmm", tmp_path_factory.mktemp("back-end"))


def build(sources: Path) -> None:
    done = subprocess.run(
        ["make", "PROFILE=dev", f"CRATES={os.environ[CRATES]}"],
        cwd=sources,
        env={**os.environ, "RUSTFLAGS": "-D warnings"},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def served(sources: Path, socket: Path):
    """Start the back-end again and again, as it serves one connection. None of them may be ended by a signal."""
    ended, codes, running = Event(), set(), []

    def again():
        while not ended.is_set():
            words = [sources / "target" / "debug" / "balloon", socket]
            running[:] = [subprocess.Popen(words, stderr=subprocess.DEVNULL)]
            if ended.is_set():
                running[0].kill()
            codes.add(running[0].wait())

    thread = Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        before = set(codes)
        ended.set()
        while thread.is_alive():
            for one in running:
                one.kill()
            thread.join(0.1)
    assert before <= {0, 1}


def test_the_back_end_passes(sources, tmp_path):
    build(sources)
    with served(sources, tmp_path / "s"):
        seen = judge_target(
            tmp_path, f"vhost-user-device:{tmp_path / 's'}", profile="base", cases=" or ".join(CASES)
        )
    assert (seen.code, seen.not_passed()) == (0, {}), seen.said
    assert set(seen.cases) >= set(CASES)
    assert seen.requirements["INF-07"] == "kept"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_what_is_broken_is_named(sources, tmp_path, mutation):
    source = sources / mutation.file
    right = source.read_text()
    mutation.apply(sources)
    try:
        build(sources)
        with served(sources, tmp_path / "s"):
            target = f"vhost-user-device:{tmp_path / 's'}"
            seen = judge_target(tmp_path, target, profile="base", cases=mutation.cases)
    finally:
        source.write_text(right)
    assert seen.requirements[mutation.breaks] in {"broken", "advice"}, seen.said
    assert seen.broken() <= {mutation.breaks}
