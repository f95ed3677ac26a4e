"""Reads a results file that :class:`~balloon_conformance.report.jsonlines.JsonLines` wrote.

A file that was cut short has no summary. What is there is read, and :attr:`ResultsFile.whole` says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from balloon_conformance.campaign.excuses import no_mutant
from balloon_conformance.report.jsonlines import SCHEMA_PATH
from balloon_conformance.report.numbering import NumberingUsed
from balloon_conformance.report.results import Results
from balloon_conformance.running.outcome import Outcome, Proof
from balloon_conformance.suite.plan import plan
from balloon_spec import strict_json
from balloon_spec.events import Side
from balloon_spec.profiles import profile
from balloon_spec.requirement import catalogue

__all__ = ["UNPROVEN", "Recorded", "ResultsFile", "ResultsFileError", "read_results"]

UNPROVEN = (
    "nobody looked for proofs; what is kept here was decided, and whether a breach would have been seen is "
    "not known"
)
"""The reason given for results that are older than proofs."""


class ResultsFileError(ValueError):
    """A file does not hold results: one line, ``file:line: what is wrong; remedy``."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The verdict on one requirement as a file records it; see ``RequirementResult``."""

    requirement: str
    level: str
    verdict: str
    decisions: int
    reason: str
    broken_by: tuple[str, ...]
    follows_from: str = ""
    proof: Proof | None = None

    @property
    def is_advice(self) -> bool:
        """Whether a SHOULD was broken."""
        return self.verdict == "broken" and self.level.startswith("SHOULD")


@dataclass(frozen=True, slots=True)
class ResultsFile:
    """One run: its header, the outcome of each case, the verdicts by requirement, and the summary.

    If the file was cut short, ``summary`` is empty and ``verdicts`` may be.
    """

    path: Path
    header: Mapping[str, Any]
    outcomes: Mapping[str, Outcome]
    verdicts: Mapping[str, Recorded]
    summary: Mapping[str, Any]

    @property
    def whole(self) -> bool:
        """Whether the run came to its end and was not interrupted."""
        return bool(self.summary) and not self.summary["interrupted"]

    @property
    def numbering(self) -> NumberingUsed:
        """How virtqueues were numbered."""
        return NumberingUsed.from_json(self.header.get("numbering"))

    @property
    def looked_for_proofs(self) -> bool:
        """Whether the run looked for a proof of each *kept*. A run that was cut short did not."""
        return "proven" in self.summary or any(one.proof for one in self.verdicts.values())

    def results(self) -> Results:
        """Return the results as they were when the file was written, computed from the cases that ended.

        Raises :class:`ResultsFileError` for a profile or a requirement that this version does not know.
        """
        said = self.header["profile"]
        try:
            spoken = profile(said["name"], said["bits"])
        except ValueError as error:
            raise ResultsFileError(f"{self.path}:1: profile: {error}; make the results anew") from None
        spoken = spoken.with_numbering(self.numbering.used)
        side = Side(self.header["side"])
        results = Results(side, spoken, plan(side).about())
        results.unprovable = no_mutant()
        if self.looked_for_proofs:
            results.proofs = {name: one.proof for name, one in self.verdicts.items() if one.proof is not None}
        for number, outcome in enumerate(self.outcomes.values(), 2):
            for finding in (*outcome.findings, *outcome.advice):
                if finding.requirement not in catalogue():
                    raise ResultsFileError(
                        f"{self.path}:{number}: there is no requirement {finding.requirement}; "
                        "make the results anew"
                    )
            results.add(outcome)
        # A file that was cut short was not settled. For every other file this changes nothing.
        results.settle()
        return results


_KINDS = {"results": "header", "case": "case", "requirement": "verdict", "summary": "summary"}
"""The kinds of lines: the field that only such a line has, and the name of the kind in the schema."""


@cache
def _validator(kind: str) -> Draft202012Validator:
    """Return the validator of one kind of line. Trying all kinds, as the schema does, takes twice as long."""
    definitions = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))["$defs"]
    return Draft202012Validator(_inlined(definitions[kind], definitions))


def _inlined(part: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a part of the schema with its references replaced by what they name: resolving them is slow."""
    if isinstance(part, list):
        return [_inlined(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    inlined = {key: _inlined(one, definitions) for key, one in part.items() if key != "$ref"}
    if "$ref" in part:
        named = _inlined(definitions[part["$ref"].removeprefix("#/$defs/")], definitions)
        inlined = named | inlined
    return inlined


def _keeps_the_schema(entry: Any) -> bool:
    kinds = [kind for key, kind in _KINDS.items() if key in entry] if isinstance(entry, dict) else []
    return len(kinds) == 1 and bool(_validator(kinds[0]).is_valid(entry))


def read_results(path: Path) -> ResultsFile:
    """Read the results at ``path``; raises :class:`ResultsFileError`, also if the file cannot be read."""
    header: Mapping[str, Any] = {}
    outcomes: dict[str, Outcome] = {}
    verdicts: dict[str, Recorded] = {}
    summary: Mapping[str, Any] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResultsFileError(f"{path}: {error.strerror}; give a file that run --results wrote") from error
    except UnicodeDecodeError as error:
        raise ResultsFileError(f"{path}: this is not UTF-8; give a file that run --results wrote") from error
    lines = text.rstrip("\n").split("\n") if text.strip() else []
    for number, line in enumerate(lines, 1):
        entry = _entry(path, number, line, last=number == len(lines) and not text.endswith("\n"))
        if entry is None:
            break
        if number == 1:
            if "results" not in entry:
                raise ResultsFileError(
                    f"{path}:1: no header of results; give a file that run --results wrote"
                )
            header = entry
        elif "case" in entry:
            outcomes[entry["case"]] = Outcome.from_json(entry)
        elif "requirement" in entry:
            verdicts[entry["requirement"]] = _recorded(entry)
        elif "summary" in entry:
            summary = entry["summary"]
    if not header:
        fault = "the header is cut short" if lines else "the file is empty"
        raise ResultsFileError(f"{path}:1: {fault}; give a file that run --results wrote")
    return ResultsFile(path, header, outcomes, verdicts, summary)


def _entry(path: Path, number: int, line: str, *, last: bool) -> dict[str, Any] | None:
    """Read a line; None for a last line that was cut short."""
    try:
        entry = strict_json.loads(line)
    except strict_json.RepeatedKey as error:
        raise ResultsFileError(f"{path}:{number}: {error}") from None
    except (ValueError, RecursionError):
        if last:
            return None
        raise ResultsFileError(
            f"{path}:{number}: this is no JSON object; give a file that run --results wrote"
        ) from None
    if not _keeps_the_schema(entry):
        kind = next(iter(entry), "nothing") if isinstance(entry, dict) else type(entry).__name__
        raise ResultsFileError(
            f"{path}:{number}: a line that begins with {kind!r} is not of results version 1; "
            "give a file that this version's run --results wrote"
        )
    found: dict[str, Any] = entry
    return found


def _recorded(entry: Mapping[str, Any]) -> Recorded:
    return Recorded(
        entry["requirement"],
        entry["level"],
        entry["verdict"],
        entry["decisions"],
        entry["reason"],
        tuple(entry["broken_by"]),
        entry.get("follows_from", ""),
        Proof(**entry["proof"]) if "proof" in entry else None,
    )
