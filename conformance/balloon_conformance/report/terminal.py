"""Results for a person: what was broken and how to see it again, the advice, and what was not exercised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from balloon_conformance.report.numbering import NumberingUsed
from balloon_conformance.report.results import RequirementResult, Results, Verdict, applies
from balloon_conformance.running.outcome import Outcome, Status, choice_of
from balloon_spec.numberings import told
from balloon_spec.requirement import catalogue

__all__ = ["print_header", "print_results"]

_STYLES = {Verdict.KEPT: "green", Verdict.BROKEN: "red", Verdict.NOT_EXERCISED: "dim"}
_LABEL = len("not taken")
_FEW_CASES = 3
_FEW_LINES = 5


def print_header(console: Console, header: Mapping[str, Any]) -> None:
    """Print one line of what the header of the results says: suite, target, profile, and queue numbers."""
    target, description = header["target"], header["description"]
    said = "" if description == target else f" ({description})"
    numbering = NumberingUsed.from_json(header["numbering"])
    text = f"{target}{said}, profile {header['profile']['name']}, {numbering}"
    console.print(Text(f"balloon-conformance {header['suite']}: {text}"), soft_wrap=True)


def print_results(console: Console, results: Results, repeat: str, *, verbose: bool = False) -> None:
    """Print everything; ``repeat`` is the command that runs one case again, up to ``-k``."""
    verdicts = results.requirements()
    console.print()
    console.print(_areas(verdicts, results))
    if verbose:
        _print_each(console, verdicts)
    _print_group(console, Text("Broken", style="bold red"), results, repeat, binding=True)
    advice = Text("Advice (a SHOULD that was not followed)", style="bold yellow")
    _print_group(console, advice, results, repeat, binding=False)
    _print_unattributed(console, results, repeat)
    _print_alarms(console, results)
    _print_known(console, verdicts, results)
    _print_errors(console, results)
    _print_complaints(console, results)
    console.print()
    if words := told(results.profile.numbering, results.numberings):
        console.print(Text(words, style="yellow"), soft_wrap=True)
    console.print(_summary(results), soft_wrap=True)


def _areas(verdicts: Sequence[RequirementResult], results: Results) -> Table:
    """Count the verdicts of each area, without what the profile leaves out."""
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("area", overflow="fold")
    styles = {"kept": "green", "broken": "bold red", "advice": "yellow", "known": "cyan"}
    if not any(one.known for one in verdicts):
        del styles["known"]
    styles["not exercised"] = "default"
    for name in styles:
        table.add_column(name, justify="right")
    for area in catalogue().areas:
        own = [one for one in verdicts if one.requirement.area == area.name]
        own = [one for one in own if applies(one.requirement, results.profile)]
        if not own:
            continue
        counts = Counter(_word(one) for one in own)
        cells = [
            Text(str(counts[name] or "-"), style=style if counts[name] else "dim")
            for name, style in styles.items()
        ]
        table.add_row(Text(area.title), *cells)
    return table


def _word(one: RequirementResult) -> str:
    """Name a verdict as a person counts it."""
    return "known" if one.known else "advice" if one.is_advice else one.verdict.value


def _print_each(console: Console, verdicts: Sequence[RequirementResult]) -> None:
    """Print one line for each requirement, with the reason if it was not exercised."""
    console.print()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in verdicts:
        times = "once" if one.decisions == 1 else f"{one.decisions} times"
        text = one.reason or f"decided {times}"
        if one.proof:
            text += f"; {one.proof.mutant}, which breaks it, is found out by {one.proof.case}"
        if one.verdict is Verdict.BROKEN:
            text = next(iter(one.broken_by.values())).words
        word = _word(one)
        name = f"{one.verdict}" + (f" ({word})" if word != one.verdict else "")
        style = "yellow" if one.is_advice else "cyan" if one.known else _STYLES[one.verdict]
        table.add_row(Text(one.requirement.id), Text(name, style=style), Text(text))
    console.print(table)


def _print_group(
    console: Console,
    title: Text,
    results: Results,
    repeat: str,
    *,
    binding: bool,
) -> None:
    """Print what was broken, nearest to the cause first, and below each its consequences."""
    causes = results.causes(binding=binding)
    if not causes:
        return
    verdicts = {one.requirement.id: one for one in results.requirements()}
    outcomes = results.outcomes
    console.print()
    console.print(title)
    for cause in causes:
        one = verdicts[cause.requirement]
        console.print()
        console.print(Text(f"{one.requirement.id}  {one.requirement.text}", style="bold"))
        console.print(Padding(_finding(one, outcomes), (0, 0, 0, 2)))
        # Not folded, so that it can be copied.
        again = outcomes[next(iter(one.broken_by))].selected(one.requirement.id)
        console.print(Text(f"  {'repeat':<{_LABEL}}  {repeat} -k '{again}'"), soft_wrap=True)
        if cause.consequences:
            console.print(Text("  also, as a consequence", style="dim"))
        for name in cause.consequences:
            case, finding = next(iter(verdicts[name].broken_by.items()))
            console.print(Text(f"    {name}  {finding.words} ({case})"), soft_wrap=True)


def _finding(one: RequirementResult, outcomes: Mapping[str, Outcome]) -> Table:
    """Lay out the first finding against a requirement: what happened, and where."""
    case, finding = next(iter(one.broken_by.items()))
    others = list(one.broken_by)[1:]
    more = ""
    choice = choice_of(finding.requirement)
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
        ("repeats", outcomes[case].repeats),
        # A reader who holds the other reading can say so, and is not told that a standard contradicts it.
        (
            "chosen",
            f"{choice.reading} (the sources leave this open: it is this project's choice)" if choice else "",
        ),
        ("not taken", choice.not_taken if choice else ""),
        ("said", "\n".join(_few(outcomes[case].said))),
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True, min_width=_LABEL)
    table.add_column(overflow="fold")
    for name, text in rows:
        if text:
            table.add_row(name, Text(text))
    return table


def _few(lines: Sequence[str]) -> Sequence[str]:
    """Shorten a log: a kernel prints the cause first, a program prints it last."""
    if len(lines) <= _FEW_LINES:
        return lines
    return (*lines[:2], f"({len(lines) - _FEW_LINES} more)", *lines[2 - _FEW_LINES :])


def _print_unattributed(console: Console, results: Results, repeat: str) -> None:
    """Print the cases that failed without a finding: the implementation ended, and no rule says why."""
    cases = [one for one in results.outcomes.values() if one.fails and not one.findings]
    if not cases:
        return
    console.print()
    console.print(Text("Ended", style="bold red"))
    for outcome in cases:
        console.print(Text(f"  {outcome.case}: {outcome.how}: {outcome.reason}"), soft_wrap=True)
        if outcome.repeats:
            console.print(Text(f"    repeats {outcome.repeats}", style="dim"))
        for line in _few(outcome.said):
            console.print(Text(f"    said    {line}", style="dim"), soft_wrap=True)
        console.print(Text(f"    repeat  {repeat} -k '{outcome.case}'", style="dim"), soft_wrap=True)


def _print_alarms(console: Console, results: Results) -> None:
    """Print what the implementation complained of by itself, in cases without a finding."""
    cases = [
        one
        for one in results.outcomes.values()
        if one.said and one.status in {Status.PASSED, Status.NOT_EXERCISED}
    ]
    if not cases:
        return
    console.print()
    console.print(Text("Said in cases in which nothing was found", style="bold yellow"))
    for outcome in cases:
        console.print(Text(f"  {outcome.case}"), soft_wrap=True)
        for line in _few(outcome.said):
            console.print(Text(f"    said    {line}", style="dim"), soft_wrap=True)


def _print_known(console: Console, verdicts: Sequence[RequirementResult], results: Results) -> None:
    """Print what failed as the list of known failures says: requirements, and cases without a finding."""
    known = [(one.requirement.id, list(one.broken_by), one.known) for one in verdicts if one.known]
    known += [
        (str(one.how), [one.case], one.known)
        for one in results.outcomes.values()
        if one.known and not one.findings
    ]
    if not known:
        return
    console.print()
    console.print(Text("Known failures", style="bold cyan"))
    for name, cases, entries in known:
        rest = f" and {len(cases) - _FEW_CASES} more" if len(cases) > _FEW_CASES else ""
        console.print(Text(f"  {name} in {', '.join(cases[:_FEW_CASES])}{rest}"), soft_wrap=True)
        for entry in entries:
            console.print(Text(f"    {entry}", style="dim"), soft_wrap=True)


def _print_complaints(console: Console, results: Results) -> None:
    """Print what fails the run besides findings: errors of the list, and requirements not exercised."""
    if results.complaints:
        console.print()
        console.print(Text("The list of known failures is not right", style="bold red"))
        for text in results.complaints:
            console.print(Text(f"  {text}"), soft_wrap=True)
    if results.never_negotiated:
        console.print()
        console.print(Text("Asked for, and never negotiated", style="bold red"))
        console.print(Text(f"  {results.never_negotiated}"), soft_wrap=True)
    if results.holes:
        console.print()
        console.print(Text("To be exercised, and not exercised", style="bold red"))
        for one in results.holes:
            text = f"  {one.requirement.id} ({one.requirement.level}): {one.reason}"
            console.print(Text(text), soft_wrap=True)


def _print_errors(console: Console, results: Results) -> None:
    """Print the faults of the adapter and of the suite; those with the same reason together."""
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
        for line in _few(results.outcomes[cases[0]].said):
            console.print(Text(f"    said {line}", style="dim"), soft_wrap=True)
    for text in results.faults:
        console.print(Text(f"  suite-fault: {text}"))


def _summary(results: Results) -> Text:
    """Return one line with what the run has shown."""
    counts = results.summary()
    broken, advice, known = counts["broken"], counts["advice"], counts["known"]
    failed = counts["cases"][Status.FAILED] - counts["known_cases"]
    errors = counts["cases"][Status.ERROR] + len(results.faults)
    text = Text(
        f"{counts['exercised']} requirements exercised of {counts['binding']} that apply to a "
        f"{results.side} under profile {results.profile.name}, {counts['observable']} of which can be seen "
        "here; "
    )
    bad = bool(broken or failed or errors or not counts["exercised"] or results.complaints or results.holes)
    text.append(f"{broken} broken", style="bold red" if bad else "bold green")
    if advice:
        text.append(f", {advice} not followed as advised", style="yellow")
    if known:
        text.append(f", {known} as known", style="cyan")
    foreign = counts["foreign_cases"]
    run = sum(counts["cases"].values()) - foreign
    text.append(f"; {run} cases")
    for number, words in (
        (failed, "failed"),
        (counts["known_cases"], "failed as known"),
        (counts["cases"][Status.NOT_EXERCISED] - foreign, "not exercised"),
        (foreign, "of other profiles left out"),
        (errors, "in error"),
    ):
        if number:
            text.append(f", {number} {words}")
    for complaints, words in (
        (results.complaints, "wrong in the list of known failures"),
        (results.holes, "to be exercised and not exercised"),
    ):
        if complaints:
            text.append(f"; {len(complaints)} {words}", style="bold red")
    if results.interrupted:
        text.append("; interrupted", style="bold red")
    return text
