"""Reads a results file back: what judged what, and the verdicts that follow from its cases.

A file of a run that was cut short serves as well: the verdicts are drawn from the cases that ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from balloon_conformance.report.jsonlines import SCHEMA_PATH
from balloon_conformance.report.outcome import Outcome
from balloon_conformance.report.results import RequirementResult, Results
from balloon_conformance.suite import plan
from balloon_spec.events import Side
from balloon_spec.features import profile
from balloon_spec.requirement import catalogue

__all__ = ["ResultsFile", "ResultsFileError", "read_results"]


class ResultsFileError(ValueError):
    """A file that holds no results: one line, ``file:line: what is wrong; remedy``."""


@dataclass(frozen=True, slots=True)
class ResultsFile:
    """What a results file says. ``whole`` is whether the run came to its end."""

    path: Path
    target: str
    description: str
    side: Side
    whole: bool
    results: Results

    @property
    def verdicts(self) -> Mapping[str, RequirementResult]:
        """The verdict on each requirement that binds the side, by id."""
        return {one.requirement.id: one for one in self.results.requirements()}


def read_results(path: Path) -> ResultsFile:
    """Read what ``run --results`` wrote; :class:`ResultsFileError` for anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResultsFileError(f"{path}: {error.strerror}; name a file that run --results wrote") from None
    except UnicodeDecodeError:
        raise ResultsFileError(f"{path}:1: this is not UTF-8; name a file that run --results wrote") from None
    written = text.splitlines()
    if len(written) > 1 and not text.endswith("\n"):
        # The run was ended while it wrote this one.
        written.pop()
    lines = [_line(path, number, line) for number, line in enumerate(written, 1)]
    if not lines or "results" not in lines[0]:
        raise ResultsFileError(f"{path}:1: there is no header; name a file that run --results wrote")
    head = lines[0]
    try:
        spoken = profile(head["profile"]["name"], head["profile"]["bits"])
    except (ValueError, KeyError) as error:
        raise ResultsFileError(f"{path}:1: profile: {error.args[0]}; make the results anew") from None
    side = Side(head["side"])
    results = Results(side, spoken, plan(side).about())
    for line in lines:
        if "case" in line:
            results.add(Outcome.from_json(line))
    return ResultsFile(path, head["target"], head["description"], side, "summary" in lines[-1], results)


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def _line(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        raise ResultsFileError(
            f"{path}:{number}: this is not JSON; name a file that run --results wrote"
        ) from None
    error = best_match(_validator().iter_errors(line))
    if error is not None:
        words = " ".join(error.message.split())
        raise ResultsFileError(
            f"{path}:{number}: not a line of results: {words[:120]}; name a file that run --results wrote"
        )
    for finding in (*line.get("findings", ()), *line.get("advice", ())):
        if finding["requirement"] not in catalogue():
            raise ResultsFileError(
                f"{path}:{number}: there is no requirement {finding['requirement']}; make the results anew"
            )
    known: dict[str, Any] = line
    return known
