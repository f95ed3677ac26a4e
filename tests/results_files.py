"""Writes results files for tests, of outcomes made up by hand, and reads those of runs."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from jsonschema import Draft202012Validator

from balloon_conformance.report.jsonlines import SCHEMA_PATH, JsonLines
from balloon_conformance.report.numbering import NumberingUsed
from balloon_conformance.report.results import Results
from balloon_conformance.running.outcome import Fault, How, Outcome, Proof, Status
from balloon_spec.events import Side
from balloon_spec.judge import Finding
from balloon_spec.profiles import BASE
from balloon_spec.requirement import catalogue

KEPT = Outcome("one", Status.PASSED, exercised=MappingProxyType({"INF-06": 2, "INF-08": 1}))
PROOF = Proof("forgets", "one")


def broken(name: str, case: str = "one") -> Outcome:
    entry = catalogue()[name]
    found = Finding(name, entry.level, entry.subject, 1, "wrong", "page", "0x1", "0x2", b"")
    return Outcome(
        case, Status.FAILED, "wrong", Fault.DEVICE, How.VIOLATION, (found,), exercised={"INF-06": 1}
    )


def write(
    path: Path,
    *outcomes: Outcome,
    suite="1.0",
    profile=BASE,
    side=Side.DEVICE,
    target="it",
    proof: Proof | None = PROOF,
    looked=True,
) -> Path:
    """Write a file in which all that was kept has ``proof``; without ``looked`` nobody looked for any."""
    results = Results(side, profile, {})
    results.proofs = {name: proof for one in outcomes for name in one.exercised if proof} if looked else None
    text = io.StringIO()
    lines = JsonLines(text)
    lines.begin(
        suite=suite,
        target=target,
        description=f"{target} 1",
        side=side.value,
        profile={"name": profile.name, "bits": {one.name: one.bit for one in profile.features}},
        numbering=NumberingUsed(profile.numbering).to_json(),
        started=datetime(2026, 1, 2, tzinfo=UTC),
        vectors="ab" * 32,
    )
    for outcome in outcomes:
        results.add(outcome)
        lines.case(outcome)
    lines.end(results, 0)
    path.write_text(text.getvalue())
    return path


VALIDATOR = Draft202012Validator(json.loads(SCHEMA_PATH.read_text()))


def lines_of(path: Path) -> list[dict]:
    """The lines of a results file, each held against the published schema."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        VALIDATOR.validate(line)
    return lines


def cases_of(path: Path) -> dict[str, dict]:
    """What a results file says of each case, in the order in which they ended."""
    return {line["case"]: line for line in lines_of(path) if "case" in line}
