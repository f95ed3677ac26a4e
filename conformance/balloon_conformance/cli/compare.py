"""``balloon-conformance compare``: results side by side."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from balloon_conformance.cli.errors import bad_input
from balloon_conformance.cli.output import count, refuse_same, table_console, write_text
from balloon_conformance.report.badge import badge
from balloon_conformance.report.comparison import ABSENT, Comparison, Incomparable, compare
from balloon_conformance.report.html import render_comparison
from balloon_conformance.report.results_file import UNPROVEN, ResultsFileError, read_results

__all__ = ["command"]

_STYLES = {"kept": "green", "broken": "bold red", "advice": "yellow", "not exercised": "dim", ABSENT: "dim"}

_FEW_CASES = 5

_EPILOG = """\b
Examples:
  balloon-conformance compare qemu-7.2.jsonl qemu-10.1.jsonl    what became worse between two versions
  balloon-conformance compare results/*-device.jsonl --html devices.html
  balloon-conformance compare mine.jsonl --badge balloon.svg    a badge for a readme

\b
Exit codes:
    0  no run of a target is worse than the one before it
    1  a regression: a later run of a target does not keep what an earlier one kept
    2  a file is no results, or the runs cannot be compared
"""


@click.command("compare", epilog=_EPILOG)
@click.argument("paths", metavar="RESULTS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--html",
    "html_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the comparison as one HTML page.",
)
@click.option(
    "--badge",
    "badge_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a badge (SVG) of the last file.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="List the requirements on which all agree, and every case that does not pass any more, too.",
)
def command(
    *, paths: tuple[Path, ...], html_path: Path | None, badge_path: Path | None, everything: bool
) -> int:
    """Put RESULTS, files that run --results wrote, side by side: requirements by rows, runs by columns.

    Rows on which runs differ come first. Files of one target count as runs over time, in the order given; if
    a later one no longer keeps something, that is a regression. Runs of different versions of the suite, sets
    of vectors, profiles or sides are not compared.
    """
    for path in paths:
        refuse_same({"RESULTS": path, "--html": html_path, "--badge": badge_path})
    with bad_input(ResultsFileError, Incomparable):
        files = [read_results(path) for path in paths]
        comparison = compare(files)
    if html_path is not None:
        write_text("--html", html_path, render_comparison(comparison))
    if badge_path is not None:
        write_text("--badge", badge_path, badge(files[-1]))
    _print(table_console(), comparison, everything=everything)
    return 1 if comparison.regressions else 0


def _print(console: Console, comparison: Comparison, *, everything: bool) -> None:
    for name, file in zip(comparison.columns, comparison.files, strict=True):
        if not file.looked_for_proofs:
            console.print(f"{name}: {UNPROVEN}", soft_wrap=True)
    shown = comparison.rows if everything else comparison.differing
    if shown:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("requirement", no_wrap=True)
        for name in comparison.columns:
            table.add_column(name, overflow="fold")
        for row in shown:
            cells = [Text(cell.verdict, style=_STYLES[cell.verdict]) for cell in row.cells]
            table.add_row(Text(row.requirement), *cells)
        console.print(table)
        console.print()
    cases = [one for one in comparison.regressions if one.is_case]
    few = cases if everything else cases[:_FEW_CASES]
    for one in [*(one for one in comparison.regressions if not one.is_case), *few]:
        console.print(Text(f"regression: {one}", style="bold red"), soft_wrap=True)
    if len(few) < len(cases):
        left_out = count(len(cases) - len(few), "case")
        console.print(f"and {left_out} more, passed before and not now; --all lists them", soft_wrap=True)
    differing, total = len(comparison.differing), len(comparison.rows)
    console.print(
        f"{count(len(comparison.files), 'run')}, {count(total, 'requirement')}, "
        f"{differing} on which they differ, {count(len(comparison.regressions), 'regression')}",
        soft_wrap=True,
    )
