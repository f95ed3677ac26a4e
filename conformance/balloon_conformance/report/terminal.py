"""Results for a person: what was broken and how to see it again, what the advice is, what nobody tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from balloon_conformance.report.outcome import Status
from balloon_conformance.report.results import RequirementResult, Results, Verdict, applies
from balloon_spec.requirement import catalogue

__all__ = ["print_header", "print_results"]

_STYLES = {Verdict.KEPT: "green", Verdict.BROKEN: "red", Verdict.NOT_EXERCISED: "dim"}
_FEW_CASES = 3


def print_header(console: Console, suite: str, target: str, description: str, profile: str) -> None:
    """Say in one line what judges what."""
    said = "" if description == target else f" ({description})"
    console.print(Text(f"balloon-conformance {suite}: {target}{said}, profile {profile}"), soft_wrap=True)


def print_results(console: Console, results: Results, repeat: str, *, verbose: bool = False) -> None:
    """Print the whole; ``repeat`` is the command that runs one case again, up to ``-k``."""
    verdicts = results.requirements()
    console.print()
    console.print(_areas(verdicts, results))
    if verbose:
        _print_each(console, verdicts)
    broken = [one for one in verdicts if one.verdict is Verdict.BROKEN and not one.is_advice]
    advice = [one for one in verdicts if one.is_advice]
    _print_group(console, "Broken", "bold red", broken, repeat)
    _print_group(console, "Advice (a SHOULD that was not followed)", "bold yellow", advice, repeat)
    _print_unattributed(console, results, repeat)
    _print_errors(console, results)
    console.print()
    console.print(_summary(results), soft_wrap=True)


def _areas(verdicts: Sequence[RequirementResult], results: Results) -> Table:
    """Count the verdicts of each area; what the profile leaves out is not counted."""
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("area", overflow="fold")
    for name in ("kept", "broken", "advice", "not exercised"):
        table.add_column(name, justify="right")
    for area in catalogue().areas:
        own = [one for one in verdicts if one.requirement.area == area.name]
        own = [one for one in own if applies(one.requirement, results.profile)]
        if not own:
            continue
        counts = Counter("advice" if one.is_advice else one.verdict.value for one in own)
        cells = [
            Text(str(counts[name] or "-"), style=style if counts[name] else "dim")
            for name, style in (
                ("kept", "green"),
                ("broken", "bold red"),
                ("advice", "yellow"),
                ("not exercised", "default"),
            )
        ]
        table.add_row(Text(area.title), *cells)
    return table


def _print_each(console: Console, verdicts: Sequence[RequirementResult]) -> None:
    """Print a line for each requirement, with the reason where it was not exercised."""
    console.print()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in verdicts:
        times = "once" if one.decisions == 1 else f"{one.decisions} times"
        words = one.reason or f"decided {times}"
        if one.verdict is Verdict.BROKEN:
            words = next(iter(one.broken_by.values())).words
        name = f"{one.verdict}" + (" (advice)" if one.is_advice else "")
        style = "yellow" if one.is_advice else _STYLES[one.verdict]
        table.add_row(Text(one.requirement.id), Text(name, style=style), Text(words))
    console.print(table)


def _print_group(
    console: Console, title: str, style: str, group: Sequence[RequirementResult], repeat: str
) -> None:
    if not group:
        return
    console.print()
    console.print(Text(title, style=style))
    for one in group:
        console.print()
        console.print(Text(f"{one.requirement.id}  {one.requirement.text}", style="bold"))
        console.print(Padding(_finding(one), (0, 0, 0, 2)))
        # Not folded, so that it can be copied.
        case = next(iter(one.broken_by))
        console.print(Text(f"  repeat    {repeat} -k '{case}'"), soft_wrap=True)


def _finding(one: RequirementResult) -> Table:
    """Lay out the first finding against a requirement: what happened, and where."""
    case, finding = next(iter(one.broken_by.items()))
    others = list(one.broken_by)[1:]
    more = ""
    if others:
        rest = len(others) - _FEW_CASES
        more = "; also " + ", ".join(others[:_FEW_CASES]) + (f" and {rest} more" if rest > 0 else "")
    rows = (
        ("found", finding.words),
        ("level", f"{finding.level}, of the {finding.subject}"),
        ("field", finding.field),
        ("expected", finding.expected),
        ("seen", finding.seen),
        ("bytes", finding.excerpt),
        ("case", f"{case}, event {finding.event}{more}"),
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True, min_width=8)
    table.add_column(overflow="fold")
    for name, words in rows:
        if words:
            table.add_row(name, Text(words))
    return table


def _print_unattributed(console: Console, results: Results, repeat: str) -> None:
    """Print the cases that failed without a finding: the implementation ended, and no rule says on what."""
    cases = [o for o in results.outcomes.values() if o.status is Status.FAILED and not o.findings]
    if not cases:
        return
    console.print()
    console.print(Text("Ended", style="bold red"))
    for outcome in cases:
        console.print(Text(f"  {outcome.case}: {outcome.how}: {outcome.reason}"), soft_wrap=True)
        console.print(Text(f"    repeat  {repeat} -k '{outcome.case}'", style="dim"), soft_wrap=True)


def _print_errors(console: Console, results: Results) -> None:
    """Print the faults of the adapter and of the suite, those with one reason together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for outcome in results.outcomes.values():
        if outcome.status is Status.ERROR:
            groups.setdefault((outcome.fault or "", outcome.reason), []).append(outcome.case)
    if not groups and not results.faults:
        return
    console.print()
    console.print(Text("Errors (these say nothing about the implementation)", style="bold magenta"))
    for (fault, reason), cases in groups.items():
        more = f" and {len(cases) - _FEW_CASES} more" if len(cases) > _FEW_CASES else ""
        console.print(Text(f"  {fault}: {reason}"), soft_wrap=True)
        console.print(Text(f"    in {', '.join(cases[:_FEW_CASES])}{more}", style="dim"))
    for words in results.faults:
        console.print(Text(f"  suite-fault: {words}"))


def _summary(results: Results) -> Text:
    """Say in a line what the run has shown."""
    counts = results.summary()
    broken, advice = counts["broken"], counts["advice"]
    failed, errors = counts["cases"][Status.FAILED], counts["cases"][Status.ERROR] + len(results.faults)
    text = Text(
        f"{counts['exercised']} requirements exercised of {counts['binding']} that apply to a "
        f"{results.side} under profile {results.profile.name}; "
    )
    bad = bool(broken or failed or errors or not counts["exercised"])
    text.append(f"{broken} broken", style="bold red" if bad else "bold green")
    if advice:
        text.append(f", {advice} not followed as advised", style="yellow")
    run = sum(counts["cases"].values())
    text.append(f"; {run} cases")
    for number, words in (
        (failed, "failed"),
        (counts["cases"][Status.NOT_EXERCISED], "not exercised"),
        (errors, "in error"),
    ):
        if number:
            text.append(f", {number} {words}")
    if results.interrupted:
        text.append("; interrupted", style="bold red")
    return text
