"""The device of v86, behind the adapter in JavaScript: the suite names what is wrong in it, and nothing else.

The package is of npm's registry and not of Debian, so it cannot be counted on, and CI skips what runs it. What a
run found stands in ``results/v86.jsonl`` with its events, and is judged again everywhere.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from example_programs import EXAMPLES, Mutation, copy, judge
from places import ROOT

from balloon_spec import trace
from balloon_spec.events import Side
from balloon_spec.judge import Judge

BROKEN = {"QUEUE-10", "STATS-12", "STATS-13", "CFG-06", "CFG-08", "HINT-17", "HINT-19", "SAFE-01"}
"""What results/README.md argues, requirement by requirement."""
ADVICE = {"INF-07", "HINT-25"}
RESULTS = [json.loads(line) for line in (ROOT / "results/v86.jsonl").read_text().splitlines()]
FAILED = {one["case"]: one for one in RESULTS if one.get("status") == "failed"}

MUTATIONS = [
    Mutation(
        "hints are not returned",
        "adapter.mjs",
        "    memoryPages = pages;\n",
        "    memoryPages = pages;\n    balloon.virtio.queues[3].flush_replies = () => {};\n",
        "HINT-22",
        cases="hints-before-any-id",
        profile="mainline",
    ),
    Mutation(
        "more is zeroed than was hinted",
        "adapter.mjs",
        "    memoryPages = pages;\n",
        "    memoryPages = pages;\n    const zero = cpu.zero_memory;\n"
        "    cpu.zero_memory = (at, length) => zero(at, length + PAGE);\n",
        "INF-08",
        cases="hint-between-two-pages",
        profile="mainline",
    ),
    Mutation(
        "a target is not announced",
        "adapter.mjs",
        "    memoryPages = pages;\n",
        "    memoryPages = pages;\n    balloon.virtio.notify_config_changes = () => {};\n",
        "CFG-07",
        cases="target-changes-are-notified",
        profile="mainline",
    ),
]


def package() -> Path | None:
    """Return the folder that v86 is installed in: that of the example, or what NODE_PATH names."""
    for folder in (EXAMPLES / "v86/node_modules", Path(os.environ.get("NODE_PATH") or "/nonexistent")):
        if (folder / "v86/package.json").is_file():
            return folder
    return None


@pytest.fixture
def v86(tmp_path):
    """A copy of the adapter that finds the package."""
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    if package() is None:
        # Not a failure under BALLOON_REQUIRE_INTEROP: Debian has no such package.
        pytest.skip("v86 is not installed; npm install in examples/v86")
    directory = copy("v86", tmp_path)
    if not (directory / "node_modules").exists():
        (directory / "node_modules").symlink_to(package())
    return directory


@pytest.mark.parametrize("case", FAILED)
def test_what_a_run_found_is_found_again_in_its_events(case):
    lines = [f"{line}\n" for line in FAILED[case]["trace"]]
    header, *entries = trace.read(lines)
    judge = Judge(header.profile)
    findings = judge.feed_all(entry.event for entry in entries)
    found = {one.requirement for one in findings if one.subject is Side.DEVICE}
    said = {one["requirement"] for one in (*FAILED[case]["findings"], *FAILED[case]["advice"]) if one["rule"]}
    assert found == said


def test_the_results_have_what_is_argued():
    assert {one["requirement"] for one in RESULTS if one.get("verdict") == "broken"} == BROKEN | ADVICE


def test_the_device_is_found_out_and_nothing_else(tmp_path, v86):
    cases = (
        "hints-before-the-command or hint-outside-memory or page-is-written-before-it-is-hinted or"
        " hint-between-two-pages or round-of-many-hints or what-the-host-reads[unknown-first] or"
        " the-configuration-stays-what-it-is or base-early-notification-returns-nothing"
    )
    seen = judge(tmp_path, "node", v86 / "adapter.mjs", profile="mainline", cases=cases)
    assert seen.code == 1, seen.said
    assert seen.broken() - ADVICE == BROKEN - {"STATS-13"}, seen.said


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_what_is_broken_is_named(tmp_path, v86, mutation):
    mutation.apply(v86)
    seen = judge(tmp_path, "node", v86 / mutation.file, profile=mutation.profile, cases=mutation.cases)
    assert mutation.breaks in seen.broken(), seen.said
    assert seen.broken() <= {mutation.breaks} | mutation.also | BROKEN | ADVICE
