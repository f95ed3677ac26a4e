"""Shows mutants to a person: all in a table, one in full, or a matrix of requirements and mutants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from balloon_conformance.campaign.campaign import Campaign
from balloon_conformance.campaign.cases import cases
from balloon_conformance.campaign.examine import Examined, Reaction, Verdict
from balloon_conformance.campaign.excuses import no_mutant
from balloon_spec.events import Side
from balloon_spec.requirement import Level, catalogue

__all__ = ["campaign_to_json", "print_campaign", "print_in_full", "print_matrix"]

_STYLES: Mapping[Verdict, str] = {
    Verdict.KILLED: "green",
    Verdict.MISBLAMED: "bold yellow",
    Verdict.SURVIVED: "bold red",
    Verdict.ERROR: "bold magenta",
}


def print_campaign(console: Console, campaign: Campaign) -> None:
    """Print one line for each mutant: what it breaks, which case kills it, and what that blames it for."""
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("mutant", overflow="fold", ratio=4)
    table.add_column("breaks", overflow="fold", ratio=2)
    table.add_column("", no_wrap=True)
    table.add_column("by", overflow="fold", ratio=4)
    table.add_column("blamed for", overflow="fold", ratio=2, min_width=10)
    for one in campaign.examined:
        killer = one.killer
        table.add_row(
            Text(one.mutant.name),
            Text(" ".join(one.mutant.breaks)),
            Text(one.verdict.value, style=_STYLES[one.verdict]),
            Text(killer.case if killer else "-"),
            _blame(one, killer),
        )
    console.print(table)


def _blame(one: Examined, killer: Reaction | None) -> Text:
    """Return what the killing case blames the mutant for. Undeclared requirements are yellow."""
    text = Text()
    for name in killer.firsts[:1] if killer else ():
        text.append(name, style="default" if name in one.mutant.declared else "bold yellow")
    return text


def print_in_full(console: Console, one: Examined) -> None:
    """Print all that is known of one mutant, and every case that notices it."""
    own = one.mutant
    rows = (
        ("title", own.title),
        ("side", str(own.side)),
        ("breaks", ", ".join(own.breaks)),
        ("also", ", ".join(sorted(own.also))),
        ("origin", own.origin or "made up"),
        ("verdict", one.verdict.value),
        ("played", f"{len(one.reactions)} cases, of which {len(one.killings)} notice it"),
    )
    console.print()
    console.print(Text(own.name, style="bold"))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True, min_width=8)
    table.add_column(overflow="fold")
    for name, text in rows:
        if text:
            table.add_row(name, Text(text))
    for at, reaction in enumerate(one.killings):
        table.add_row("" if at else "killed by", Text(f"{reaction.case}: {', '.join(reaction.firsts)}"))
    console.print(table)


def print_matrix(console: Console, campaign: Campaign) -> None:
    """Print for each requirement the mutants that break it, and how many cases notice each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("requirement", no_wrap=True)
    table.add_column("mutants, and how many cases notice each", overflow="fold")
    for name, entry in catalogue().items():
        own = [one for one in campaign.examined if name in one.mutant.breaks]
        text = ", ".join(f"{one.mutant} {len(one.killings)}" for one in own)
        if entry.level is Level.MAY:
            text = text or "- (a permission)"
        table.add_row(Text(name), Text(text or f"- ({_why_none(name)})", style="default" if own else "dim"))
    console.print()
    console.print(table)
    for side in Side:
        counts = [len(found) for found in _catches(campaign, side).values()]
        if counts:
            console.print(
                Text(
                    f"{len(counts)} cases judge a {side}; the median one notices "
                    f"{sorted(counts)[len(counts) // 2]} mutants, {counts.count(0)} notice none"
                )
            )


def _why_none(name: str) -> str:
    return catalogue()[name].not_observable or no_mutant().get(name, "none")


def _catches(campaign: Campaign, side: Side) -> dict[str, list[str]]:
    """Return for each case that judges ``side`` the mutants it notices."""
    found: dict[str, list[str]] = {name: [] for name in cases(side)}
    for one in campaign.examined:
        if one.mutant.side is side:
            for reaction in one.killings:
                found[reaction.case].append(one.mutant.name)
    return found


def campaign_to_json(campaign: Campaign) -> dict[str, Any]:
    """Return everything as plain data."""
    return {
        "whole": campaign.is_whole,
        "everything": campaign.everything,
        "mutants": [_examined_to_json(one) for one in campaign.examined],
        "requirements": {
            name: {
                "mutants": [one.name for one in campaign.chosen if name in one.breaks],
                "why_none": "" if entry.level is Level.MAY else _why_none(name).removesuffix("none"),
            }
            for name, entry in catalogue().items()
        },
        "cases": {side.value: _catches(campaign, side) for side in Side},
        "faults": list(campaign.faults()),
    }


def _examined_to_json(one: Examined) -> dict[str, Any]:
    own = one.mutant
    return {
        "name": own.name,
        "side": own.side.value,
        "title": own.title,
        "breaks": list(own.breaks),
        "also": sorted(own.also),
        "origin": own.origin,
        "verdict": one.verdict.value,
        "killed_by": one.killer.case if one.killer else None,
        "sights": list(_reactions_to_json(one)),
    }


def _reactions_to_json(one: Examined) -> Iterator[dict[str, Any]]:
    for reaction in one.reactions:
        yield {
            "case": reaction.case,
            "failed": reaction.failed,
            "firsts": list(reaction.firsts),
            "named": sorted(reaction.named),
            "rules": sorted(reaction.rules),
            "error": reaction.error,
        }
