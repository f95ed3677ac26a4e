"""``balloon-conformance requirements``: lists the catalogue, or shows one entry whole."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import click

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.report.coverage import columns_of, print_coverage
from balloon_conformance.report.results_file import ResultsFileError
from balloon_conformance.suite.decided_by import DecidedBy, deciders
from balloon_conformance.vectors.loader import VectorError
from balloon_spec.requirement import Source, catalogue

__all__ = ["command"]

_WIDTH = 96

_EPILOG = """\b
Examples:
  balloon-conformance requirements
  balloon-conformance requirements --area chunk
  balloon-conformance requirements CHUNK-03
  balloon-conformance requirements --json | jq .id
  balloon-conformance requirements --coverage -v
  balloon-conformance requirements --coverage results/qemu.jsonl results/reference-device.jsonl
"""


@click.command("requirements", epilog=_EPILOG)
@click.argument("words", metavar="[ID | RESULTS...]", nargs=-1)
@click.option("--area", metavar="AREA", help="Only this area.")
@click.option(
    "--coverage",
    is_flag=True,
    help="Count the rules, vectors, scenarios and mutants of each, and show what RESULTS exercised.",
)
@click.option("-v", "--verbose", is_flag=True, help="With --coverage, names and not counts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a requirement.")
def command(
    *, words: tuple[str, ...], area: str | None, coverage: bool, verbose: bool, as_json: bool
) -> None:
    """List the requirements with what decides each, or show all about the one called ID.

    With --coverage the arguments are RESULTS, files that run --results wrote. Each requirement is then shown
    as exercised, kept or broken in them.
    """
    entries = catalogue()
    if not coverage and verbose:
        raise BadInput("-v goes with --coverage; requirements ID shows all that is known of one")
    if not coverage and len(words) > 1:
        raise BadInput(f"{words[1]}: one requirement at a time; --coverage takes several files of results")
    requirement = words[0] if words and not coverage else None
    areas = {one.name: one for one in entries.areas}
    if area is not None and area not in areas:
        raise BadInput(f"no area {area!r}; there are {', '.join(areas)}")
    if requirement is not None and requirement.upper() not in entries:
        raise BadInput(f"no requirement {requirement!r}; balloon-conformance requirements lists them")
    with bad_input(VectorError):
        known = deciders()
    if requirement is not None:
        chosen = [known[requirement.upper()]]
    else:
        chosen = [one for one in known.values() if area in {None, one.requirement.area}]
    if coverage:
        with bad_input(ResultsFileError):
            columns = columns_of(words)
        print_coverage(chosen, columns, verbose=verbose, as_json=as_json)
    elif as_json:
        for one in chosen:
            click.echo(json.dumps(_to_json(one)))
    elif requirement is not None:
        for line in _show(chosen[0]):
            click.echo(line)
    else:
        for line in _table(chosen):
            click.echo(line)


def _table(chosen: Iterable[DecidedBy]) -> Iterator[str]:
    area = ""
    for one in chosen:
        entry = one.requirement
        if entry.area != area:
            if area:
                yield ""
            area = entry.area
            yield f"{next(a.title for a in catalogue().areas if a.name == area)} ({area})"
        yield f"  {entry.id:<10} {entry.level:<10} {entry.subject:<6}  {one}"


def _show(one: DecidedBy) -> Iterator[str]:
    entry = one.requirement
    yield f"{entry.id}: {entry.level}, of the {entry.subject}, when {entry.when}"
    yield ""
    yield from textwrap.wrap(entry.text, _WIDTH)
    yield ""
    for name, text in (("why", entry.why), *_source(entry.source), *_decided(one)):
        yield from textwrap.wrap(
            text, _WIDTH, initial_indent=f"{name:<10}  ", subsequent_indent=" " * 12, break_on_hyphens=False
        )


def _source(source: Source) -> Iterator[tuple[str, str]]:
    for name, references in (("patch", source.patch), ("review", source.review), ("virtio", source.virtio)):
        if references:
            yield name, ", ".join(references)
    if source.choice is not None:
        yield "reading", source.choice.reading
        yield "not taken", source.choice.not_taken


def _decided(one: DecidedBy) -> Iterator[tuple[str, str]]:
    for name, found in one.by_kind.items():
        if found:
            yield name, ", ".join(found)
    if one.requirement.no_vector:
        yield "no vector", one.requirement.no_vector
    if one.requirement.not_observable:
        yield "limits", f"cannot be observed: {one.requirement.not_observable}"
    elif not (one.rules or one.vectors or one.scenarios):
        yield "decided by", "nothing yet"


def _to_json(one: DecidedBy) -> dict[str, Any]:
    entry = one.requirement
    choice = entry.source.choice
    return {
        "id": entry.id,
        "area": entry.area,
        "level": entry.level.value,
        "subject": entry.subject.value,
        "when": str(entry.when),
        "text": entry.text,
        "why": entry.why,
        "source": {
            "patch": list(entry.source.patch),
            "review": list(entry.source.review),
            "virtio": list(entry.source.virtio),
            "choice": {"reading": choice.reading, "not_taken": choice.not_taken} if choice else None,
        },
        "not_observable": entry.not_observable,
        "no_vector": entry.no_vector,
        "decided_by": {name: list(found) for name, found in one.by_kind.items() if name != "mutants"},
        "mutants": list(one.mutants),
    }
