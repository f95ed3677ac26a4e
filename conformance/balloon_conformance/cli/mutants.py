"""``balloon-conformance mutants``: the suite judged by what it notices."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from balloon_conformance.campaign.campaign import Campaign, run_campaign
from balloon_conformance.campaign.examine import Verdict
from balloon_conformance.campaign.report import (
    campaign_to_json,
    print_campaign,
    print_in_full,
    print_matrix,
)
from balloon_conformance.cli.errors import BadInput, bad_input, process_lost
from balloon_conformance.cli.numbers import MOST_PROCESSES
from balloon_conformance.cli.output import count, table_console, write_text
from balloon_conformance.mutants import mutants
from balloon_conformance.mutants.mutant import Mutant
from balloon_conformance.processes import processors
from balloon_conformance.run.live import ProgressBar
from balloon_conformance.vectors.loader import VectorError
from balloon_spec.events import Side
from balloon_spec.requirement import catalogue

__all__ = ["command"]

_BROKEN, _AT_FAULT = 1, 3


_EPILOG = """\b
Examples:
  balloon-conformance mutants                       the whole suite, on every processor
  balloon-conformance mutants discards-nothing      one mutant in full, and all that notices it
  balloon-conformance mutants --requirement CHUNK-06
  balloon-conformance mutants --matrix --json matrix.json

\b
Exit codes:
    0  every mutant is killed, and blamed for what it breaks; nothing in the suite is idle
    1  a mutant survives or is blamed for something else; a requirement has no mutant and no reason;
       a vector or a rule catches nothing
    2  bad usage
    3  the suite could not play some mutant, and nothing else is wrong
  130  interrupted with Ctrl-C
"""


@click.command("mutants", epilog=_EPILOG)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--side", type=click.Choice([side.value for side in Side]), help="Only mutants of this side.")
@click.option("--requirement", metavar="ID", help="Only mutants that break this requirement.")
@click.option(
    "-n",
    "processes",
    metavar="N",
    type=click.IntRange(1, MOST_PROCESSES),
    help="Spread the work over N processes (default: as many as processors).",
)
@click.option("--matrix", is_flag=True, help="Play every case against every mutant; takes minutes.")
@click.option(
    "--json",
    "json_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all that was seen.",
)
def command(
    *,
    names: tuple[str, ...],
    side: str | None,
    requirement: str | None,
    processes: int | None,
    matrix: bool,
    json_path: Path | None,
) -> int:
    """Play the suite against implementations that are right in all but one respect.

    Each is a mutant: the reference device or driver with one thing changed. A suite is worth what it would
    notice, so some case has to kill each mutant, and blame it for the requirement it breaks. Without NAME and
    without a selection the suite itself is judged too: every requirement has a mutant, and every vector and
    every rule catches one.
    """
    chosen = _chosen(names, side, requirement)
    if json_path is not None and not json_path.absolute().parent.is_dir():
        raise BadInput(f"--json {json_path}: its directory does not exist; make it first")
    console = table_console()
    with bad_input(VectorError), process_lost(), ProgressBar(console) as bar:

        def show(total: int, text: str) -> None:
            bar.expect(total)
            bar.show(text)
            bar.step()

        campaign = run_campaign(
            chosen,
            processes=min(processes or processors(), len(chosen)),
            everything=matrix or bool(names),
            show=show,
        )
    if names:
        for one in campaign.examined:
            print_in_full(console, one)
    else:
        print_campaign(console, campaign)
    if matrix:
        print_matrix(console, campaign)
    if json_path is not None:
        write_text("--json", json_path, json.dumps(campaign_to_json(campaign), indent=1) + "\n")
    return _end(console, campaign)


def _chosen(names: Sequence[str], side: str | None, requirement: str | None) -> list[Mutant]:
    """Return the selected mutants; :class:`BadInput` if there are none."""
    known = mutants()
    for name in names:
        if name not in known:
            near = [one for one in known if name in one]
            raise BadInput(f"no mutant {name!r}; {_closest_names(near)}")
    if requirement is not None and requirement.upper() not in catalogue():
        raise BadInput(f"no requirement {requirement!r}; balloon-conformance requirements lists them")
    chosen = [
        one
        for one in known.values()
        if (not names or one.name in names)
        and side in {None, one.side.value}
        and (requirement is None or requirement.upper() in one.breaks)
    ]
    if not chosen:
        raise BadInput("no mutant is all of that; leave out a name, --side or --requirement")
    return chosen


def _closest_names(names: Sequence[str]) -> str:
    if not names:
        return "balloon-conformance mutants lists them"
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(names[:5])}"


def _end(console: Console, campaign: Campaign) -> int:
    """Print one line for each fault, and the totals; return the exit code."""
    faults = list(campaign.faults())
    if faults:
        console.print()
    for fault in faults:
        console.print(Text(fault), soft_wrap=True)
    verdicts = Counter(one.verdict for one in campaign.examined)
    text = Text(count(len(campaign.chosen), "mutant"))
    for verdict in Verdict:
        if verdicts[verdict]:
            text.append(f", {verdicts[verdict]} {verdict}")
    if not campaign.is_whole:
        text.append("; requirements, vectors and rules are judged only if no mutant is selected")
    text.append(f"; {count(len(faults), 'fault')}" if faults else "; nothing is wrong")
    text.stylize("bold red" if faults else "bold green")
    console.print()
    console.print(text, soft_wrap=True)
    if not faults:
        return 0
    errors = sum(bool(reaction.error) for reaction in campaign.all_reactions())
    return _AT_FAULT if errors == len(faults) else _BROKEN
