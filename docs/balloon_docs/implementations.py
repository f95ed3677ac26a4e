"""``{implementations}``: requirements by rows, implementations by columns, from the results in the repository."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from balloon_docs.domain import reference
from balloon_docs.tables import table
from balloon_spec.requirement import catalogue

__all__ = ["Column", "ImplementationsDirective", "read_results"]

RESULTS = Path(__file__).parents[2] / "results"
_SIGNS = {"kept": "kept", "broken": "broken", "not exercised": "–"}


@dataclass(frozen=True, slots=True)
class Column:
    """What one results file says: the header, and the verdict by requirement."""

    name: str
    description: str
    side: str
    profile: str
    verdicts: Mapping[str, str]
    summary: Mapping[str, int]


def read_results(path: Path) -> Column:
    """Read a results file; :class:`ValueError` where it is not whole."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if not lines or "results" not in lines[0] or "summary" not in lines[-1]:
        raise ValueError(f"{path.name} is not a whole results file; make it again with tox -e results")
    head, end = lines[0], lines[-1]["summary"]
    verdicts = {line["requirement"]: line["verdict"] for line in lines if "requirement" in line}
    return Column(path.stem, head["description"], head["side"], head["profile"]["name"], verdicts, end)


class ImplementationsDirective(SphinxDirective):
    """Show the results of one side (``device`` or ``driver``), one column an implementation."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table of summaries and the table of requirements."""
        side = self.arguments[0]
        columns = []
        for path in sorted(RESULTS.glob("*.jsonl")):
            self.env.note_dependency(str(path))
            column = read_results(path)
            if column.side == side:
                columns.append(column)
        if not columns:
            raise self.error(f"no results of a {side}; there are devices and drivers")
        head = ("Implementation", "Profile", "Exercised", "Kept", "Broken")
        summary = table(
            head,
            [
                (
                    [nodes.strong("", column.name), nodes.Text(f": {column.description}")],
                    column.profile,
                    f"{column.summary['exercised']} of {column.summary['binding']}",
                    str(column.summary["kept"]),
                    str(column.summary["broken"]),
                )
                for column in columns
            ],
            "summary",
        )
        names = [name for name in catalogue() if any(name in column.verdicts for column in columns)]
        names.sort(key=lambda name: len({column.verdicts.get(name) for column in columns}) == 1)
        rows = [
            (
                reference("requirement", name),
                str(catalogue()[name].level),
                *(_cell(column.verdicts.get(name, "")) for column in columns),
            )
            for name in names
        ]
        return [summary, table(("Requirement", "Level", *(c.name for c in columns)), rows, "verdicts")]


def _cell(verdict: str) -> nodes.inline:
    words = _SIGNS.get(verdict, "")
    return nodes.inline("", words, classes=["verdict", f"verdict-{nodes.make_id(verdict or 'none')}"])
