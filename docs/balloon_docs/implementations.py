"""``{implementations}`` and ``{proofs}``: requirements by rows, implementations by columns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from balloon_conformance.report.results_file import ResultsFile, ResultsFileError, read_results
from balloon_docs.domain import reference
from balloon_docs.tables import table
from balloon_spec.requirement import catalogue

__all__ = ["ImplementationsDirective", "ProofsDirective"]

RESULTS = Path(__file__).parents[2] / "results"
_SIGNS = {"kept": "kept", "broken": "broken", "not exercised": "-"}
_NOT_BOUND = "n/a"
"""The verdict on a requirement whose feature the profile of the run lacks."""


class _Columns(SphinxDirective):
    """The base of the directives: the side, and a column for each file of results."""

    required_arguments = 1

    def columns(self) -> list[ResultsFile]:
        """Return the results of the side that the directive names."""
        side = self.arguments[0]
        columns = []
        for path in sorted(RESULTS.glob("*.jsonl")):
            self.env.note_dependency(str(path))
            try:
                column = _read(path, path.stat().st_mtime_ns)
            except ResultsFileError as error:
                raise self.error(str(error)) from error
            if not column.whole:
                raise self.error(f"{path.name} is not whole; make it again with tox -e results")
            if column.header["side"] == side:
                columns.append(column)
        if not columns:
            raise self.error(f"no results of a {side}; there are devices and drivers")
        return columns


class ProofsDirective(_Columns):
    """Show the proof of each *kept* of one side: the mutant, and the case of that run which finds it out."""

    def run(self) -> list[nodes.Node]:
        """Return the table of proofs."""
        columns = self.columns()
        names = [name for name in catalogue() if any(_proof(column, name) for column in columns)]
        rows = [
            (reference("requirement", name), *(_proof(column, name) or "-" for column in columns))
            for name in names
        ]
        return [table(("Requirement", *(column.path.stem for column in columns)), rows, "proofs")]


class ImplementationsDirective(_Columns):
    """Show the results of one side (``device`` or ``driver``), with one column for each implementation."""

    def run(self) -> list[nodes.Node]:
        """Return the table of summaries and the table of requirements."""
        columns = self.columns()
        head = ("Implementation", "Profile", "Exercised", "Kept", "Broken")
        summary = table(
            head,
            [
                (
                    [nodes.strong("", column.path.stem), nodes.Text(f": {column.header['description']}")],
                    f"{column.header['profile']['name']}, {column.numbering.used} queue numbers",
                    _exercised(column.summary),
                    str(column.summary["kept"]),
                    str(column.summary["broken"]),
                )
                for column in columns
            ],
            "summary",
        )
        names = [name for name in catalogue() if any(name in column.verdicts for column in columns)]
        names.sort(key=lambda name: _order({_verdict(column, name) for column in columns}))
        rows = [
            (
                reference("requirement", name),
                str(catalogue()[name].level),
                *(_cell(_verdict(column, name)) for column in columns),
            )
            for name in names
        ]
        return [
            summary,
            table(("Requirement", "Level", *(column.path.stem for column in columns)), rows, "verdicts"),
        ]


@lru_cache(maxsize=32)
def _read(path: Path, _changed: int) -> ResultsFile:
    """Read a file once for all directives, and again if it was changed."""
    return read_results(path)


def _verdict(file: ResultsFile, name: str) -> str:
    """Return the verdict on a requirement, empty if the file has none."""
    found = file.verdicts.get(name)
    if found is None:
        return ""
    return _NOT_BOUND if found.reason.startswith("profile ") else found.verdict


def _exercised(summary: Mapping[str, Any]) -> str:
    """Return how many requirements were exercised, of those that can be seen and of those that apply."""
    seen, binding = summary["exercised"], summary["binding"]
    if "observable" not in summary:
        return f"{seen} of {binding}"
    return f"{seen} of {summary['observable']} that can be seen; {binding} apply"


def _proof(file: ResultsFile, name: str) -> str:
    """Return the mutant that breaks a requirement and the case that finds it out; empty if there is none."""
    found = file.verdicts.get(name)
    return f"{found.proof.mutant} in {found.proof.case}" if found is not None and found.proof else ""


def _order(verdicts: set[str]) -> int:
    """Return the rank of a row: first broken requirements, then other differences, then the rest."""
    return 0 if "broken" in verdicts else 1 if len(verdicts - {_NOT_BOUND}) > 1 else 2


def _cell(verdict: str) -> nodes.inline:
    words = _SIGNS.get(verdict, verdict)
    return nodes.inline("", words, classes=["verdict", f"verdict-{nodes.make_id(verdict or 'none')}"])
