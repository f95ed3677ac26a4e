"""``balloon-conformance doctor``: examines an adapter before anyone trusts a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from balloon_conformance.cli.errors import bad_input
from balloon_conformance.cli.iut_options import IUT_HELP, Asked, iut_options
from balloon_conformance.cli.output import console_for
from balloon_conformance.doctor.diagnosis import Diagnosis, Health
from balloon_conformance.doctor.examination import examine, examine_program
from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.registry import IutError
from balloon_conformance.iut.stdio.target import program_of
from balloon_conformance.run.options import RunOptions

__all__ = ["command"]

_HELP = f"""Examine the adapter of IUT: what is well, and what to mend before a verdict can be trusted.

It is asked for what there is not, stopped in the middle, started again, and given cases that it has to fail.

{IUT_HELP}
"""

_EPILOG = """\b
Examples:
  balloon-conformance doctor 'stdio:./my-device --fast'
  balloon-conformance doctor 'stdio:./my-device --fast' --profile mainline
  balloon-conformance doctor python:my_device:Adapter

\b
Exit codes:
    0  all well, or advice alone
    2  bad usage, or bad input
    3  something is to mend
    5  nothing to mend was seen, and something could not be looked at
"""

_STYLES = {Health.WELL: "green", Health.ADVICE: "yellow", Health.MEND: "bold red", Health.OPEN: "cyan"}
_TO_MEND = 3
_NOT_KNOWN = 5


@click.command("doctor", help=_HELP, epilog=_EPILOG)
@iut_options
def command(*, asked: Asked) -> int:
    """Examine an adapter."""
    console = console_for()
    with bad_input(IutError, AdapterError):
        found = list(_printed(console, _diagnoses(asked.options)))
    mend = sum(one.health is Health.MEND for one in found)
    hidden = sum(one.health is Health.OPEN for one in found)
    console.print()
    if hidden and not mend:
        words = (
            f"Nothing to mend was seen, but {hidden} of {len(found)} could not be looked at: "
            "whether its verdicts can be trusted is not known."
        )
        console.print(Text(words, style="yellow"), soft_wrap=True)
        return _NOT_KNOWN
    if not mend:
        console.print(Text("The adapter is well; its verdicts can be trusted.", style="bold green"))
        console.print(Text(f"next  {asked.repeat('run')}"), soft_wrap=True)
        return 0
    console.print(Text(f"{mend} to mend, before a verdict can be trusted.", style="bold red"))
    return _TO_MEND


def _diagnoses(options: RunOptions) -> Iterator[Diagnosis]:
    target = options.target()
    profile = options.chosen_profile(target)
    program = program_of(target)
    of_program = examine_program(program, profile) if program else ()
    return chain(of_program, examine(target, profile))


def _printed(console: Console, found: Iterable[Diagnosis]) -> Iterator[Diagnosis]:
    """Print each diagnosis as it comes."""
    for one in found:
        console.print(Text(f"{one.health:7}", style=_STYLES[one.health]) + Text(one.what, style="default"))
        if one.text:
            console.print(Padding(Text(one.text), (0, 0, 0, 7)))
        if one.page and one.health in {Health.MEND, Health.ADVICE}:
            console.print(Padding(Text(f"see {one.page}", style="dim"), (0, 0, 0, 7)))
        yield one
