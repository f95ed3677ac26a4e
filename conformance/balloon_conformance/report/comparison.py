"""Results side by side: which may be compared, where implementations differ, and what became worse.

Requirements are rows, runs are columns. Runs of one target, in the order they are given, are runs over time.
If a later run no longer keeps something, that is a regression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from balloon_conformance.report.results_file import ResultsFile
from balloon_spec.requirement import catalogue

__all__ = ["Cell", "Comparison", "Incomparable", "Regression", "Row", "compare"]

ABSENT = "absent"
_CASE = "case "
_RANK: Mapping[str, int] = {"kept": 0, "advice": 1, "not exercised": 2, "broken": 3, ABSENT: 2}


class Incomparable(ValueError):  # noqa: N818 - a fact about the files
    """Results that cannot be compared: one line with the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The verdict of one run on one requirement: kept, broken, advice, not exercised or absent."""

    verdict: str
    note: str = ""
    """Why it was not exercised, or by which cases it was broken."""


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement in all runs."""

    requirement: str
    cells: tuple[Cell, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs disagree."""
        return len({cell.verdict for cell in self.cells}) > 1


@dataclass(frozen=True, slots=True)
class Regression:
    """A requirement or a case that a later run of a target no longer keeps."""

    target: str
    what: str
    """A requirement or a case."""
    before: str
    after: str

    @property
    def is_case(self) -> bool:
        """Whether it is a case that did not pass. One defect often shows in many cases."""
        return self.what.startswith(_CASE)

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.target}: {self.what} was {self.before} and is {self.after}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The columns by name; the rows, of which those that differ come first; and the regressions."""

    columns: tuple[str, ...]
    files: tuple[ResultsFile, ...]
    rows: tuple[Row, ...]
    regressions: tuple[Regression, ...]

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows on which the runs do not agree."""
        return tuple(row for row in self.rows if row.differs)


def compare(files: Sequence[ResultsFile]) -> Comparison:
    """Put runs side by side; raises :class:`Incomparable`."""
    _check(files)
    rows = [
        Row(name, tuple(_cell(file, name) for file in files))
        for name in catalogue()
        if any(name in file.verdicts for file in files)
    ]
    # Within both groups the rows keep the order of the specification.
    rows.sort(key=lambda row: not row.differs)
    return Comparison(_names(files), tuple(files), tuple(rows), tuple(_regressions(files)))


_MUST_AGREE = (
    ("suite", "versions of the suite", "run both with one version"),
    ("vectors", "sets of vectors", "run both with one set"),
    ("side", "sides", "compare devices with devices and drivers with drivers"),
    ("profile", "profiles", "run both with one --profile and the same --bit"),
)


def _check(files: Sequence[ResultsFile]) -> None:
    first = files[0]
    for file in files:
        if not file.verdicts:
            raise Incomparable(f"{file.path}: the run did not come to its verdicts; run it again")
        for key, what, remedy in _MUST_AGREE:
            ours, theirs = first.header.get(key), file.header.get(key)
            if ours != theirs:
                raise Incomparable(
                    f"{first.path} and {file.path} are of different {what} "
                    f"({_said(ours)} and {_said(theirs)}); {remedy}"
                )


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        bits = ", ".join(f"{name} {bit}" for name, bit in value["bits"].items())
        return f"{value['name']} with {bits}"
    return str(value) if value is not None else "not stated"


def _cell(file: ResultsFile, name: str) -> Cell:
    found = file.verdicts.get(name)
    if found is None:
        return Cell(ABSENT)
    if found.verdict == "broken":
        after = f"follows from {found.follows_from}: " if found.follows_from else ""
        return Cell("advice" if found.is_advice else "broken", after + ", ".join(found.broken_by))
    return Cell(found.verdict, found.reason)


def _names(files: Sequence[ResultsFile]) -> tuple[str, ...]:
    """Name each column after its target, or after its file if two have the same target."""
    targets = [str(file.header["target"]) for file in files]
    return tuple(
        target if targets.count(target) == 1 else file.path.stem
        for target, file in zip(targets, files, strict=True)
    )


def _regressions(files: Sequence[ResultsFile]) -> Iterator[Regression]:
    by_target: dict[str, list[ResultsFile]] = {}
    for file in files:
        by_target.setdefault(str(file.header["target"]), []).append(file)
    for target, runs in by_target.items():
        for earlier, later in pairwise(runs):
            for name in earlier.verdicts:
                before, after = _cell(earlier, name).verdict, _cell(later, name).verdict
                # If the earlier run looked for no proofs, a missing proof does not make the later run worse.
                as_before = after == "not exercised" and later.looked_for_proofs > earlier.looked_for_proofs
                if _RANK[after] > _RANK[before] and not as_before:
                    yield Regression(target, name, before, after)
            for case, outcome in earlier.outcomes.items():
                now = later.outcomes.get(case)
                if outcome.status == "passed" and now is not None and now.status != "passed":
                    yield Regression(target, f"{_CASE}{case}", outcome.status.value, now.status.value)
