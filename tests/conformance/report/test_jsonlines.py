"""Results as JSON lines: each line as it comes, each in the published form."""

import io
import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from balloon_conformance.report.jsonlines import SCHEMA_PATH, JsonLines
from balloon_conformance.report.results import Exit, Results
from balloon_conformance.running.outcome import Fault, How, Outcome, Status
from balloon_spec.events import Side
from balloon_spec.judge import Finding
from balloon_spec.profiles import CHUNK_TRANSFER
from balloon_spec.requirement import Level

FINDING = Finding("INF-08", Level.MUST_NOT, Side.DEVICE, 3, "words", "page", "0x1", "0x2", b"\xab")
CASE = Outcome(
    "one", Status.FAILED, "words", Fault.DEVICE, How.VIOLATION, (FINDING,), (), {"INF-08": 2}, ("{}",)
)


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA_PATH.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def written(*, end: bool = True) -> list[dict]:
    file = io.StringIO()
    lines = JsonLines(file)
    lines.begin(
        suite="1.0",
        target="reference-device",
        description="d",
        side="device",
        profile={"name": "chunk-transfer", "bits": {"STATS_VQ": 1}},
        numbering={"used": "dense-offered", "source": "stated"},
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        vectors="ab" * 32,
    )
    results = Results(Side.DEVICE, CHUNK_TRANSFER, {})
    results.add(CASE)
    lines.case(CASE)
    if end:
        lines.end(results, Exit.BROKEN)
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_every_line_keeps_the_schema(validator):
    lines = written()
    for line in lines:
        validator.validate(line)
    assert [next(iter(line)) for line in (*lines[:3], lines[-1])] == [
        "results",
        "case",
        "requirement",
        "summary",
    ]


def test_lines_are_there_before_the_end():
    assert [next(iter(line)) for line in written(end=False)] == ["results", "case"]


def test_a_case_is_read_back_as_the_outcome_it_was():
    assert Outcome.from_json(written()[1]) == CASE


def test_the_last_line_has_the_exit_code_and_the_counts():
    summary = written()[-1]["summary"]
    assert (summary["exit"], summary["broken"], summary["cases"]["failed"]) == (1, 1, 1)


@pytest.mark.parametrize(
    "line",
    [
        {"summary": {}},
        {"case": "one"},
        {**CASE.to_json(), "status": "fine"},
        {**CASE.to_json(), "more": 1},
        {**CASE.to_json(), "exercised": {"nonsense": 1}},
        {},
    ],
)
def test_the_schema_refuses_what_is_not_a_line(validator, line):
    assert not validator.is_valid(line)
