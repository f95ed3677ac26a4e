"""Builds the example programs, breaks them on purpose, and judges them through the whole suite."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from places import ROOT
from run_command import run_command

EXAMPLES = ROOT / "examples"
BUILD_SECONDS = 300


@dataclass(frozen=True)
class Verdicts:
    """What a run came to: its exit code, verdicts by requirement, and cases by how they ended and why."""

    code: int
    requirements: dict[str, str]
    cases: dict[str, str]
    reasons: dict[str, str]
    said: str
    levels: dict[str, str]

    def broken(self) -> set[str]:
        """The requirements found broken, a SHOULD among them."""
        return {name for name, verdict in self.requirements.items() if verdict == "broken"}

    def exercised(self) -> float:
        """The part of the requirements that apply, can be observed and are no permission that was exercised."""
        able = [name for name in self.requirements if self.levels[name] != "MAY" and self.can_be_seen(name)]
        return sum(self.requirements[name] != "not exercised" for name in able) / len(able)

    def can_be_seen(self, name: str) -> bool:
        """Whether a requirement binds under the profile, and can be observed."""
        return not self.reasons.get(name, "").startswith(("profile ", "cannot be observed"))

    def lacks(self) -> set[str]:
        """Why cases of the profile were not exercised, every reason once."""
        return {self.reasons[name] for name, status in self.not_passed().items() if status == "not exercised"}

    def not_passed(self) -> dict[str, str]:
        """The cases that did not pass, without those of features that the profile does not have."""
        return {
            name: status
            for name, status in self.cases.items()
            if status != "passed" and not self.reasons.get(name, "").startswith("profile ")
        }


@dataclass(frozen=True)
class Mutation:
    """One change of a source file: ``old``, which is there exactly once, becomes ``new``.

    ``breaks`` is the requirement that has to be named, ``also`` what else follows from the change.
    ``cases`` are those it is judged by, as for ``run -k``; else all that are about the requirement.
    """

    name: str
    file: str
    old: str
    new: str
    breaks: str
    also: frozenset[str] = frozenset()
    arguments: str = ""
    cases: str = ""
    profile: str = "chunk-transfer"

    def apply(self, directory: Path) -> None:
        path = directory / self.file
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.name}: {text.count(self.old)} places to change, not one"
        path.write_text(text.replace(self.old, self.new))


def need(reason: str) -> None:
    """Skip for want of a tool, or fail where it has to be there."""
    if os.environ.get("BALLOON_REQUIRE_INTEROP") == "1":
        pytest.fail(f"BALLOON_REQUIRE_INTEROP=1, but {reason}")
    pytest.skip(reason)


def copy(language: str, directory: Path) -> Path:
    """Copy the sources of a language, to be built or changed there."""
    return Path(shutil.copytree(EXAMPLES / language, directory / language))


def build(directory: Path, *goals: str) -> None:
    """Build with the example's own Makefile."""
    done = subprocess.run(
        ["make", "-s", *goals],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def judge(
    directory: Path, *command: str | Path, profile: str = "chunk-transfer", cases: str = ""
) -> Verdicts:
    """Run the suite against a program: every case, or those that ``cases`` chooses."""
    return judge_target(directory, f"stdio:{shlex.join(map(str, command))}", profile=profile, cases=cases)


def judge_target(directory: Path, target: str, *, profile: str, cases: str = "") -> Verdicts:
    """Run the suite against what the command line calls ``target``."""
    ran = run_command(
        directory,
        "run",
        target,
        "--profile",
        profile,
        "--results",
        "results.jsonl",
        *(["-k", cases] if cases else []),
    )
    lines = [json.loads(line) for line in (directory / "results.jsonl").read_text().splitlines()]
    return Verdicts(
        ran.code,
        {line["requirement"]: line["verdict"] for line in lines if "requirement" in line},
        {line["case"]: line["status"] for line in lines if "case" in line},
        {line.get("case", line.get("requirement", "")): line["reason"] for line in lines if "reason" in line},
        ran.out + ran.err,
        {line["requirement"]: line["level"] for line in lines if "requirement" in line},
    )
