"""``balloon-conformance check``: judges a recorded trace, as far as it can be read."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.cli.numbers import Seconds
from balloon_conformance.cli.profiles import chosen_profile, numbering_option, profile_options
from balloon_conformance.running.outcome import finding_to_json
from balloon_conformance.traces import recording
from balloon_spec import trace
from balloon_spec.events import Available, Event, Negotiated, Reset
from balloon_spec.judge import Finding, Judge
from balloon_spec.numberings import ALL, Numberings, numberings, told
from balloon_spec.profiles import BASE, Profile
from balloon_spec.queues import Numbering

__all__ = ["command"]

_NOTHING = 5

_EPILOG = """\b
Examples:
  balloon-conformance check trace.jsonl
  my-recorder | balloon-conformance check - --json
  balloon-conformance check recorded-driver.jsonl --bit CHUNK_TRANSFER=41

\b
A trace is what the suite writes: events, after a header that states the profile. A recording is what
a recording device wrote of a driver: queues, descriptor heads and bytes, a line each with its time, as in
  {"t": 0.41, "event": "available", "queue": 0, "id": 0, "readable": "0000...", "writable": 0}
Its form is described in balloon_conformance/traces/recording.py; the first line tells which of the two it is.
Arrays and statistics are read as little-endian. A big-endian guest without VERSION_1 sends its own order,
which no recording states: do not take PFN-04 and INF-03 for found in one. Either has to begin before the
negotiation, by which everything after it is judged; without the guest's memory, what rests on it is left out.

Exit codes: 0 nothing is broken; 1 something is (a MUST or MUST NOT; with --strict, a SHOULD too);
2 the trace cannot be read to its end; what was found before that point is printed all the same;
5 no requirement was exercised, so that nothing is known.
"""


@click.command("check", epilog=_EPILOG)
@click.argument("path", metavar="TRACE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a finding, and a summary.")
@click.option("--strict", is_flag=True, help="Count a SHOULD that was not followed as broken.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "trace", "recording"]),
    default="auto",
    show_default=True,
    help="What TRACE is; auto looks at its first line.",
)
@profile_options
@numbering_option("fixed")
@click.option(
    "--quiet",
    "quiet_seconds",
    metavar="SECONDS",
    type=Seconds(),
    default=recording.QUIET_SECONDS,
    show_default=True,
    help="In a recording: how long nothing has to happen until what a driver owes is missing.",
)
def command(
    *,
    path: str,
    as_json: bool,
    strict: bool,
    form: str,
    profile_name: str,
    bits: tuple[str, ...],
    numbering: str | None,
    quiet_seconds: float,
) -> int:
    """Judge TRACE, the events of an exchange as JSON lines, or a recording; - reads standard input.

    Both sides are judged. Findings are printed in order, as they come. --profile, --bit, --numbering and
    --quiet are for recordings; a trace states its profile.
    """
    profile = chosen_profile(profile_name, bits, numbering)
    name = "standard input" if path == "-" else path
    tally = _Tally(as_json=as_json, strict=strict)
    with _opened(path) as text:
        is_recording, lines = _told_apart(text, form)
        if is_recording:
            items = recording.read(lines, profile, name, quiet_seconds=quiet_seconds)
        elif profile_name or bits or numbering:
            raise BadInput(
                f"{name}: a trace states its profile in its first line; leave out --profile, --bit and "
                "--numbering"
            )
        else:
            items = trace.read(lines, name)
        try:
            with bad_input(trace.TraceError):
                tally.take(trace.from_the_start(items, name))
        finally:
            # Findings before a line that cannot be read remain valid.
            tally.print_summary()
    if tally.judge is not None and not tally.judge.exercised:
        return _NOTHING
    return 1 if tally.broken else 0


@dataclass(slots=True)
class _Tally:
    """The judge of one trace, what it found, and whether the trace was read to its end."""

    as_json: bool
    strict: bool
    judge: Judge | None = None
    broken: int = 0
    advice: int = 0
    is_complete: bool = False
    numberings: Numberings = ALL
    """What explains the virtqueue indices that the driver used."""
    negotiated: Negotiated | None = None
    profile: Profile = BASE
    """That of the trace, once its header was read."""

    def take(self, items: Iterable[trace.Header | trace.Entry]) -> None:
        """Judge a trace and print what is found, as it is found."""
        for item in items:
            if isinstance(item, trace.Header):
                self.judge, self.profile = Judge(item.profile), item.profile
            elif self.judge is not None:
                self._see_index(item.event)
                for finding in self.judge.feed(item.event, item.at_seconds):
                    self.advice += not finding.level.binding
                    self.broken += finding.level.binding or self.strict
                    _print(finding, item.line, as_json=self.as_json)
        self.is_complete = True

    def _see_index(self, event: Event) -> None:
        """Narrow down how the driver numbers its virtqueues, by the index of a buffer."""
        sets = self.negotiated
        if isinstance(event, Negotiated | Reset):
            self.negotiated = event if isinstance(event, Negotiated) and event.features_ok else None
        elif isinstance(event, Available) and sets is not None:
            self.numberings &= numberings(self.profile, sets.offered, sets.accepted, {event.queue})

    def print_summary(self) -> None:
        """Print how much was judged; print nothing if not even the header could be read."""
        judge = self.judge
        if judge is None or not (judge.events or self.is_complete):
            return
        if self.as_json:
            summary = {
                "events": judge.events,
                "broken": self.broken,
                "advice": self.advice,
                "complete": self.is_complete,
                "exercised": dict(sorted(judge.exercised.items())),
                "numbering": self.profile.numbering.value,
                "numberings": [one.value for one in Numbering if one in self.numberings],
            }
            click.echo(json.dumps({"summary": summary}))
            return
        if words := told(self.profile.numbering, self.numberings):
            click.echo(words)
        counts = f"{self.broken} broken, {self.advice} not followed as advised"
        end = "" if self.is_complete else ", up to the line that cannot be read"
        click.echo(f"{judge.events} events, {len(judge.exercised)} requirements exercised, {counts}{end}")


def _told_apart(lines: Iterable[str], form: str) -> tuple[bool, Iterable[str]]:
    """Tell whether the lines are a recording's, and return all of them."""
    if form != "auto":
        return form == "recording", lines
    rest = iter(lines)
    seen: list[str] = []
    for text in rest:
        seen.append(text)
        if text.strip():
            break
    try:
        first = json.loads(seen[-1]) if seen else None
    except (ValueError, RecursionError):
        first = None
    is_recording = isinstance(first, dict) and recording.is_recording(first)
    return is_recording, itertools.chain(seen, rest)


@contextmanager
def _opened(path: str) -> Iterator[Iterable[str]]:
    if path == "-":
        yield sys.stdin
        return
    with ExitStack() as stack:
        try:
            # Line ends stay as they are: a last line without one shows that the trace was cut.
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
