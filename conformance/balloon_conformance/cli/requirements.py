"""``balloon-conformance requirements``: lists the catalogue, or shows one entry whole."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import click

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.decided_by import DecidedBy, deciders
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
"""


@click.command("requirements", epilog=_EPILOG)
@click.argument("requirement", metavar="[ID]", required=False)
@click.option("--area", metavar="AREA", help="Only this area.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a requirement.")
def command(*, requirement: str | None, area: str | None, as_json: bool) -> None:
    """List the requirements with what decides each, or show all that is known of the one called ID."""
    entries = catalogue()
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
    if as_json:
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
    for name, words in (("why", entry.why), *_source(entry.source), *_decided(one)):
        yield from textwrap.wrap(
            words, _WIDTH, initial_indent=f"{name:<10}  ", subsequent_indent=" " * 12, break_on_hyphens=False
        )


def _source(source: Source) -> Iterator[tuple[str, str]]:
    for name, references in (("patch", source.patch), ("review", source.review), ("virtio", source.virtio)):
        if references:
            yield name, ", ".join(references)
    if source.choice is not None:
        yield "reading", source.choice.reading
        yield "not taken", source.choice.not_taken


def _decided(one: DecidedBy) -> Iterator[tuple[str, str]]:
    for name, found in (("rules", one.rules), ("vectors", one.vectors), ("scenarios", one.scenarios)):
        if found:
            yield name, ", ".join(found)
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
        "decided_by": {
            "rules": list(one.rules),
            "vectors": list(one.vectors),
            "scenarios": list(one.scenarios),
        },
    }
