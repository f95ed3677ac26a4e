"""What only the whole run shows of a device: pages it left, of which it gave others back."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from run_command import run_command
from unusual_memory import PEERS

from balloon_conformance.campaign.cases import cases
from balloon_conformance.known_failures.loader import load_text
from balloon_conformance.mutants import mutants
from balloon_conformance.report.results import Exit, Results
from balloon_conformance.report.results_file import read_results
from balloon_conformance.running.outcome import How, Outcome, Status
from balloon_conformance.suite.plan import case_ids
from balloon_conformance.suite.whole_run import revised
from balloon_spec.events import Side
from balloon_spec.profiles import CHUNK_TRANSFER

BESIDE_REQUESTS = "request-while-inflate-unanswered-without-chunk-transfer"
MISREADS = "reads-arrays-as-messages-beside-requests"
ABLE = "inflate-two-runs"

ADAPTER = f"""
from balloon_conformance.mutants import mutants

def Device():
    return mutants()["{MISREADS}"].make()
"""


def played(make, *names):
    return [cases(Side.DEVICE)[name].play(make()) for name in names]


@pytest.fixture(scope="module")
def outcomes():
    return played(mutants()[MISREADS].make, BESIDE_REQUESTS, ABLE)


def test_a_case_by_itself_can_say_no_more_than_advice(outcomes):
    first, _ = outcomes
    assert first.status is Status.PASSED
    assert {one.requirement for one in first.advice} == {"INF-07"}
    assert revised([first]) == ()


def test_another_case_shows_that_the_device_can(outcomes):
    (changed,) = revised(outcomes)
    assert (changed.case, changed.status, changed.how) == (BESIDE_REQUESTS, Status.FAILED, How.VIOLATION)
    assert {one.requirement for one in changed.findings} == {"PFN-05"}
    assert changed.advice == ()
    assert changed.trace
    assert changed.findings[0].expected.startswith("discarded: 0x")


def test_the_cases_that_a_finding_rests_on_are_enough_to_find_it_again(outcomes):
    others = played(mutants()[MISREADS].make, "inflate-one-run", "deflate-and-inflate-again")
    every = [others[0], *outcomes, others[1]]
    (changed,) = revised(every)
    company = changed.rests_on["PFN-05"]
    assert len(company) == 1
    assert changed.selected("PFN-05") == f"{BESIDE_REQUESTS} or {company[0]}"
    assert changed.selected("INF-03") == BESIDE_REQUESTS
    again = revised([one for one in every if one.case in {changed.case, *company}])
    assert {one.requirement for one in again[0].findings} == {"PFN-05"}
    assert Outcome.from_json(json.loads(json.dumps(changed.to_json()))).rests_on == changed.rests_on


def test_settling_twice_changes_nothing(outcomes):
    results = Results(Side.DEVICE, CHUNK_TRANSFER, {})
    for one in outcomes:
        results.add(one)
    assert results.exit_code() is Exit.WELL
    assert [one.case for one in results.settle()] == [BESIDE_REQUESTS]
    assert results.settle() == ()
    assert results.exit_code() is Exit.BROKEN


def test_what_a_case_saw_comes_back_as_it_was_written(outcomes):
    for one in outcomes:
        assert Outcome.from_json(json.loads(json.dumps(one.to_json()))).given_back.left == tuple(
            one.given_back.left
        )
    again = [Outcome.from_json(json.loads(json.dumps(one.to_json()))) for one in outcomes]
    assert [one.case for one in revised(again)] == [BESIDE_REQUESTS]


def test_a_failure_that_shows_late_can_be_known(outcomes):
    text = f"""
known_failures:
  - case: {BESIDE_REQUESTS}
    requirement: PFN-05
    finding: were not discarded
    reason: it is known
    link: https://example.org/1
"""
    known = load_text(text, "known.yaml", Side.DEVICE, case_ids())
    results = Results(Side.DEVICE, CHUNK_TRANSFER, {}, known)
    for one in outcomes:
        results.add(one)
    (changed,) = results.settle()
    assert changed.known
    assert results.exit_code() is Exit.WELL
    assert known.complaints(tuple(results.outcomes.values()), whole=True) == ()


@pytest.mark.parametrize("processes", ["1", None])
def test_a_run_ends_with_what_only_the_whole_of_it_shows(tmp_path, processes):
    (tmp_path / "adapters.py").write_text(ADAPTER)
    more = ("-n", processes) if processes else ()
    done = run_command(
        *(tmp_path, "run", "python:adapters:Device", "-k", f"{BESIDE_REQUESTS} or {ABLE}"),
        *("--results", "r.jsonl", "--junitxml", "j.xml", *more),
    )
    assert (done.code, done.err) == (1, "")
    assert "PFN-05" in done.out.split("Broken", 1)[1]
    assert f"-k '{BESIDE_REQUESTS} or {ABLE}'" in done.out
    file = read_results(tmp_path / "r.jsonl")
    assert file.verdicts["PFN-05"].broken_by == (BESIDE_REQUESTS,)
    assert file.summary["exit"] == 1
    assert file.results().exit_code() is Exit.BROKEN
    failed = [case.get("name") for case in ET.parse(tmp_path / "j.xml").iter("testcase") if len(case)]
    assert failed == [f"{BESIDE_REQUESTS} (at the end of the run)"]


@pytest.mark.parametrize("name", PEERS)
def test_a_device_that_is_right_and_unusual_breaks_nothing(name):
    about = [one.id for one in cases(Side.DEVICE).values() if "INF-07" in one.about]
    seen = played(PEERS[name], *about)
    seen += revised(seen)
    assert [(one.case, one.findings) for one in seen if one.findings] == []
    assert {one.requirement for case in seen for one in case.advice} <= {"INF-07"}
