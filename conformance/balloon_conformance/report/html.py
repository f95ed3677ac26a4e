"""Results as one self-contained HTML page: readable without JavaScript, on a phone, in the dark and on paper.

The page contains its style and the small program that filters. What a reader looks for comes first: what is
broken, each finding with its bytes and the events around it, and the command that repeats it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from balloon_conformance.report.comparison import Comparison
from balloon_conformance.report.numbering import NumberingUsed
from balloon_conformance.report.results import RequirementResult, Results, applies
from balloon_conformance.running.outcome import Outcome, Status
from balloon_spec.judge import Finding
from balloon_spec.numberings import told
from balloon_spec.requirement import catalogue

__all__ = ["environment", "hex_rows", "render", "render_comparison"]

_AROUND = 6
"""How many events are shown before and after the event of a finding."""
_BYTES_SHOWN = 512
_FOUND_SHOWN = 4
"""How many findings against one requirement are shown in full. The others are named by their case."""
_ROW_BYTES = 16


@cache
def environment() -> Environment:
    """Return the templates of this package; their output is escaped."""
    return Environment(
        loader=PackageLoader("balloon_conformance.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True)
class _Event:
    """A line of the trace near a finding; ``here`` marks the event of the finding."""

    number: int
    words: str
    here: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """A finding as the page shows it."""

    case: str
    finding: Finding
    rows: tuple[tuple[str, str, str], ...]
    left_out_bytes: int
    events: tuple[_Event, ...]
    repeat: str
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """A requirement as the page shows it."""

    result: RequirementResult
    verdict: str
    """``kept``, ``broken``, ``advice`` or ``not exercised``."""
    found: tuple[_Found, ...]
    others: tuple[str, ...]
    """The cases that broke it besides those of ``found``."""


@dataclass(frozen=True, slots=True)
class _Area:
    """The requirements of an area, and the number of each verdict."""

    title: str
    counts: Mapping[str, int]
    rows: tuple[_Row, ...]


def render(results: Results, header: Mapping[str, Any], repeat: str) -> str:
    """Return the page.

    ``header`` is the header of the results file, ``repeat`` the command up to ``-k``.
    """
    template: Template = environment().get_template("run.html.j2")
    return template.render(
        header=header,
        numbering=NumberingUsed.from_json(header.get("numbering")),
        numberings_told=told(results.profile.numbering, results.numberings),
        started=f"{header['started']:%Y-%m-%d %H:%M %Z}",
        areas=tuple(_areas(results, repeat)),
        summary=results.summary(),
        causes=(*results.causes(binding=True), *results.causes(binding=False)),
        words={one.requirement.id: _first_words(one) for one in results.requirements() if one.broken_by},
        verdicts=("broken", "advice", "not exercised", "kept"),
        ended=[o for o in results.outcomes.values() if o.status is Status.FAILED and not o.findings],
        alarms=[
            o
            for o in results.outcomes.values()
            if o.said and o.status in {Status.PASSED, Status.NOT_EXERCISED}
        ],
        errors=[o for o in results.outcomes.values() if o.status is Status.ERROR],
        faults=results.faults,
        interrupted=results.interrupted,
        repeat=repeat,
    )


def _areas(results: Results, repeat: str) -> Iterator[_Area]:
    verdicts = [one for one in results.requirements() if applies(one.requirement, results.profile)]
    for area in catalogue().areas:
        rows = tuple(
            _Row(
                one,
                _verdict(one),
                tuple(_found(one, results.outcomes, repeat)),
                tuple(one.broken_by)[_FOUND_SHOWN:],
            )
            for one in verdicts
            if one.requirement.area == area.name
        )
        if rows:
            yield _Area(area.title, Counter(row.verdict for row in rows), rows)


def _first_words(one: RequirementResult) -> str:
    return next(iter(one.broken_by.values())).words


def _verdict(one: RequirementResult) -> str:
    return "advice" if one.is_advice else one.verdict.value


def _found(one: RequirementResult, outcomes: Mapping[str, Outcome], repeat: str) -> Iterator[_Found]:
    for case, finding in islice(one.broken_by.items(), _FOUND_SHOWN):
        yield _Found(
            case,
            finding,
            tuple(hex_rows(finding.data[:_BYTES_SHOWN])),
            max(len(finding.data) - _BYTES_SHOWN, 0),
            tuple(_around(outcomes[case].trace, finding.event)),
            f"{repeat} -k '{outcomes[case].selected(one.requirement.id)}'",
            outcomes[case].said,
        )


def hex_rows(data: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield for every 16 bytes: the offset, the bytes in hex, and the bytes as text."""
    for at in range(0, len(data), _ROW_BYTES):
        row = data[at : at + _ROW_BYTES]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"{at:04x}", row.hex(" "), text


def _around(trace: Sequence[str], event: int) -> Iterator[_Event]:
    """Yield the events near number ``event``; line 0 of a trace is its header."""
    first, end = max(event - _AROUND, 1), min(event + _AROUND + 1, len(trace))
    for number in range(first, end):
        yield _Event(number, _words(json.loads(trace[number])), number == event)


def _words(line: Mapping[str, Any]) -> str:
    """Write an event of a trace on one line: its kind, then its fields, long bytes cut short."""
    fields = dict(line)
    kind = str(fields.pop("event", ""))
    seconds = fields.pop("t", None)
    parts = [kind, *(f"{name}={_short(value)}" for name, value in fields.items())]
    return " ".join(parts) + (f"  ({seconds:.3f} s)" if isinstance(seconds, int | float) else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    limit = 72
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def render_comparison(comparison: Comparison) -> str:
    """Return the page of a comparison."""
    template: Template = environment().get_template("compare.html.j2")
    return template.render(
        columns=comparison.columns,
        runs=tuple(zip(comparison.columns, comparison.files, strict=True)),
        header=comparison.files[0].header,
        rows=comparison.rows,
        differing=len(comparison.differing),
        regressions=comparison.regressions,
        texts={row.requirement: catalogue()[row.requirement].text for row in comparison.rows},
    )
