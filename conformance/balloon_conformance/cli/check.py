"""``balloon-conformance check``: judges a recorded trace, as far as it can be read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.report.outcome import finding_to_json
from balloon_spec import trace
from balloon_spec.judge import Finding, Judge

__all__ = ["command"]

_EPILOG = """\b
Examples:
  balloon-conformance check trace.jsonl
  my-recorder | balloon-conformance check - --json

Exit codes: 0 nothing is broken; 1 something is (a MUST or MUST NOT; with --strict, a SHOULD too);
2 the trace cannot be read to its end. What was found before that point is printed all the same.
"""


@click.command("check", epilog=_EPILOG)
@click.argument("path", metavar="TRACE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a finding, and a summary.")
@click.option("--strict", is_flag=True, help="Count a SHOULD that was not followed as broken.")
def command(*, path: str, as_json: bool, strict: bool) -> int:
    """Judge TRACE, the events of an exchange as JSON lines; - reads standard input.

    Both sides are judged. Findings are printed in order, as they come.
    """
    bad = advice = 0
    judge: Judge | None = None
    with _opened(path) as lines, bad_input(trace.TraceError):
        for item in trace.read(lines, "standard input" if path == "-" else path):
            if isinstance(item, trace.Header):
                judge = Judge(item.profile)
            elif judge is not None:
                for finding in judge.feed(item.event, item.at_seconds):
                    advice += not finding.level.binding
                    bad += finding.level.binding or strict
                    _print(finding, item.line, as_json=as_json)
    if judge is None:
        raise AssertionError("a trace without a header is refused by its reader")
    if as_json:
        summary = {
            "events": judge.events,
            "broken": bad,
            "advice": advice,
            "exercised": dict(sorted(judge.exercised.items())),
        }
        click.echo(json.dumps({"summary": summary}))
    else:
        counts = f"{bad} broken, {advice} not followed as advised"
        click.echo(f"{judge.events} events, {len(judge.exercised)} requirements exercised, {counts}")
    return 1 if bad else 0


@contextmanager
def _opened(path: str) -> Iterator[Iterable[str]]:
    if path == "-":
        yield sys.stdin
        return
    with ExitStack() as stack:
        try:
            # Line ends as they stand: a last line without one is a trace that was cut.
            file = stack.enter_context(Path(path).open(encoding="utf-8", newline="\n"))
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror}; name a trace that can be read") from error
        try:
            yield file
        except UnicodeDecodeError as error:
            raise BadInput(f"{path}: this is not UTF-8; name a trace, which is JSON lines") from error


def _print(finding: Finding, line: int, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(finding_to_json(finding) | {"line": line}))
        return
    click.echo(f"line {line}: {finding}")
    if finding.data:
        click.echo(f"  bytes {finding.excerpt}")
