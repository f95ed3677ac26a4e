"""A family that is declared in the tests alone works everywhere, and is gone afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from invented_family import COUNT_FROM, ECHO, FAMILY, VECTORS, invented

from balloon_conformance.campaign.examine import Examined, Verdict, examine
from balloon_conformance.generation.all_intents import intents, sources
from balloon_conformance.generation.fill import fill
from balloon_conformance.iut.contract import operator_capability
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.mutants import mutants
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_conformance.scenarios import scenarios
from balloon_conformance.suite.plan import plan
from balloon_conformance.vectors.as_trace import events
from balloon_conformance.vectors.loader import load, load_all
from balloon_conformance.vectors.write import write_vector
from balloon_conformance.verification.second_opinion import against_the_intent
from balloon_spec import trace
from balloon_spec.events import Available, OperatorAction, Quiet, Side, Used
from balloon_spec.families import registry
from balloon_spec.judge import Judge
from balloon_spec.profiles import profile
from balloon_spec.requirement import catalogue
from balloon_spec.wire.annotate import annotate
from balloon_spec.wire.carried import readable_structure, written_structure

TESTS = Path(__file__).parent
PATH = VECTORS / "echo" / "echo-is-returned.yaml"


@pytest.fixture
def profiles():
    with invented() as both:
        yield both


def test_it_is_negotiated(profiles):
    fixed, dense = profiles
    mask = fixed.mask(["VERSION_1", "ECHO"])
    assert fixed.names(mask) == {"VERSION_1", "ECHO"}
    assert fixed.queue_map(mask, mask)[5] is ECHO
    assert dense.queue_map(mask, mask)[2] is ECHO
    assert (fixed.configuration_bytes(0), fixed.configuration_bytes(mask)) == (8, 24)
    assert profile("invented", {"ECHO": 22}).mask(["ECHO"]) == 1 << 22


def test_its_bytes_are_explained(profiles):
    assert (readable_structure(ECHO, ()), written_structure(ECHO)) == ("echo", "echo")
    assert [field.meaning for field in annotate("echo", b"\x2a\0\0\0")] == ["calls 42"]
    assert annotate("echo", b"\x2a\0")[0].problem == "cut short: 2 of 4 bytes"
    space = annotate("configuration", bytes(16) + b"\x07\0\0\0")
    assert [(field.name, field.value) for field in space][-1] == ("echoes", 7)


@pytest.mark.parametrize("at", [0, 1], ids=["fixed", "dense"])
def test_it_is_judged(profiles, at):
    judge, mask = Judge(profiles[at]), profiles[at].mask(["VERSION_1", "ECHO"])
    vector = replace(load(PATH), profile=profiles[at])
    assert [finding.requirement for finding in judge.feed_all(events(vector))] == []
    assert judge.exercised["ECHO-01"] == judge.exercised["ECHO-02"] == 1
    queue = profiles[at].queue_index(ECHO, mask, mask)
    wrong = [replace(one, written=b"\x2b\0\0\0") if isinstance(one, Used) else one for one in events(vector)]
    assert {one.queue for one in wrong if isinstance(one, Available | Used)} == {queue}
    (finding,) = Judge(profiles[at]).feed_all(wrong)
    assert (finding.requirement, finding.expected, finding.seen) == ("ECHO-01", "2a000000", "2b000000")


@pytest.mark.parametrize("at", [0, 1], ids=["fixed", "dense"])
@pytest.mark.parametrize("make", [ReferenceDevice, ReferenceDriver])
def test_it_is_played(profiles, make, at):
    side = Side.DEVICE if make is ReferenceDevice else Side.DRIVER
    outcome = play(replace(load(PATH), profile=profiles[at]), make(), side)
    assert (outcome.status, outcome.reason) == (Status.PASSED, "")
    assert outcome.exercised["ECHO-01" if side is Side.DEVICE else "ECHO-02"]


def test_it_is_traced(profiles):
    fixed, _ = profiles
    header, written = (
        trace.Header(fixed.with_bits({"ECHO": 21})),
        [one for one in events(load(PATH)) if not isinstance(one, Quiet)],
    )
    lines = list(trace.write(header, written))
    assert json.loads(lines[0])["profile"] == "invented"
    assert json.loads(lines[0])["bits"] == {"ECHO": 21}
    read, *entries = trace.read(f"{line}\n" for line in lines)
    assert read.profile == header.profile
    assert [entry.event for entry in entries] == written


def test_its_vector_is_written_and_drawn(profiles, tmp_path):
    vector = load(PATH)
    again = tmp_path / PATH.name
    again.write_text(write_vector(vector, "by_hand.py"))
    assert [replace(one, line=0) for one in load(again).steps] == [
        replace(one, line=0) for one in vector.steps
    ]


@pytest.mark.parametrize("name", ["mumbles-the-echo", "keeps-quiet", "never-tunes", "counts-from-one"])
def test_its_mutants_are_caught(profiles, name):
    examined = Examined(mutants()[name], examine(name))
    assert examined.verdict is Verdict.KILLED, list(examined.faults())


def test_the_operator_makes_its_wish_known(profiles):
    outcome = play(load(VECTORS / "echo" / "echo-counts-on.yaml"), ReferenceDevice(), Side.DEVICE)
    assert (outcome.status, outcome.reason) == (Status.PASSED, "")
    assert outcome.exercised["ECHO-04"]
    deaf = ReferenceDevice()
    deaf.capabilities -= {operator_capability(OperatorAction(COUNT_FROM))}
    outcome = play(load(VECTORS / "echo" / "echo-counts-on.yaml"), deaf, Side.DEVICE)
    assert (outcome.status, outcome.reason) == (
        Status.NOT_EXERCISED,
        "the adapter lacks operator-count-from",
    )


def test_its_intent_is_filled_and_made_again(profiles):
    (intent,) = (one for one in intents() if one.id == "echo-is-intended")
    vector = fill(intent)
    kinds = ["PitchStep", "BufferStep", "UsedStep", "OperatorStep", "EchoesStep", "ConfigurationReadStep"]
    assert [type(step).__name__ for step in vector.steps] == kinds
    assert (vector.steps[1].readable, vector.steps[5].data) == (b"\x2a\0\0\0", b"\x09\0\0\0\x03\0\0\0")
    assert vector.requirements == ("ECHO-01", "ECHO-03", "ECHO-04")
    assert list(against_the_intent(vector, intent)) == []
    other = replace(vector, steps=(replace(vector.steps[0], value=6), *vector.steps[1:]))
    assert [one.way for one in against_the_intent(other, intent)] == [("steps", 0, "driver", "pitch")]
    assert sources()[intent.id] == "invented_family.intended"


def test_its_scenario_is_one_of_the_suites(profiles):
    (one,) = (one for one in scenarios() if one.id == "many-calls")
    assert one.requirements == ("ECHO-01",)
    assert one in plan(Side.DEVICE).scenarios


def command(*arguments):
    """Run the command in a process of its own in which the family is known."""
    code = "import sys, invented_family, balloon_conformance.cli as cli\n"
    code += "with invented_family.invented(): cli.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_it_is_reported(tmp_path):
    results = tmp_path / "results.jsonl"
    run = command(
        "run", "reference-device", "--profile", "invented", "--vectors", VECTORS, "--results", results
    )
    assert run.returncode == 0, run.stdout + run.stderr
    rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert [row["verdict"] for row in rows if row.get("requirement") == "ECHO-01"] == ["kept"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("requirements", "ECHO-01"),
            ("A device MUST return a buffer", "echo-is-returned", "mumbles-the-echo"),
        ),
        (("decode", "auto", "--queue", "echo", "2a000000"), ("taken for a echo", "calls 42")),
        (("vectors", "show", "echo-is-returned"), ("echo m1", "calls 42")),
        (("vectors", "list", "--requirement", "ECHO-02"), ("echo-is-returned",)),
    ],
    ids=lambda value: value[0] if value else None,
)
def test_the_commands_know_it(arguments, words):
    done = command(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [word for word in words if word not in done.stdout] == [], done.stdout


def test_it_is_gone_afterwards():
    with invented():
        assert FAMILY in registry.families()
        assert "ECHO-01" in catalogue()
        assert PATH.stem in {vector.id for vector in load_all()}
        assert "keeps-quiet" in mutants()
    assert FAMILY not in registry.families()
    assert "ECHO-01" not in catalogue()
    assert PATH.stem not in {vector.id for vector in load_all()}
    assert "keeps-quiet" not in mutants()
    with pytest.raises(ValueError, match="no profile 'invented'"):
        profile("invented")
