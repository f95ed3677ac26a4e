"""``balloon-conformance vectors show``: one vector drawn as a sequence, and every byte explained."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click
from rich.text import Text

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.cli.output import console_for
from balloon_conformance.report.drawing import draw
from balloon_conformance.report.dump import configuration_fields, dump_lines
from balloon_conformance.vectors import model, schema
from balloon_conformance.vectors.loader import VectorError, further, load
from balloon_conformance.vectors.sequence import Message, sequence
from balloon_spec.families.base import configuration
from balloon_spec.wire.annotate import annotate
from balloon_spec.wire.hint import Context

__all__ = ["show"]

_PIPED_WIDTH = 100
"""The width, in columns, of a drawing that goes to a file."""


@click.command("show")
@click.argument("name", metavar="ID")
@click.option("--all", "whole", is_flag=True, help="Show every field of a long buffer, not its ends alone.")
def show(*, name: str, whole: bool) -> None:
    """Draw the vector called ID: who sends what in which order, and each buffer field by field.

    The number on the left of a step is also the number of its buffer below the drawing.
    """
    # The file of a vector is named after its id.
    places = (schema.directory(), *further())
    paths = {path.stem: path for place in places for path in place.rglob("*.yaml")}
    wanted = name.rpartition("/")[2]
    if wanted not in paths:
        raise BadInput(f"no vector {name!r}; balloon-conformance vectors list shows them")
    with bad_input(VectorError):
        vector = load(paths[wanted])
    console = console_for(soft_wrap=True)
    width = console.width if console.is_terminal else None
    for line in _show(vector, width, whole=whole, ascii_only=_cannot_draw(sys.stdout.encoding)):
        console.print(line)


def _cannot_draw(encoding: str | None) -> bool:
    return "utf" not in (encoding or "utf").lower()


def _show(vector: model.Vector, width: int | None, *, whole: bool, ascii_only: bool) -> Iterator[Text]:
    yield Text(f"{vector.area}/{vector.id}: {vector.title}", style="bold")
    judges = " and ".join(sorted(vector.sides))
    yield Text(f"profile {vector.profile.name}; judges {judges}; {vector.kind}")
    yield Text(f"about {', '.join(vector.requirements)}")
    if vector.breaks:
        yield Text(f"breaks {', '.join(vector.breaks)}", style="red")
    holes = f", but for {vector.memory_holes}" if vector.memory_holes else ""
    yield Text(f"memory: {vector.memory_pages} pages{holes}")
    yield Text()
    picture = sequence(vector)
    yield from draw(picture, width or _PIPED_WIDTH, ascii_only=ascii_only)
    for message in picture.contents:
        yield Text()
        yield from _buffer(message, width, whole=whole)


def _buffer(message: Message, width: int | None, *, whole: bool) -> Iterator[Text]:
    """Yield the bytes of one message, explained."""
    content = message.content
    assert content is not None
    yield Text(
        f"{message.step}  {message.source} to {message.target}: {message.label}, {len(content.data)} bytes",
        style="bold",
    )
    if content.structure == configuration.NAME:
        yield from dump_lines(configuration_fields(content.data, content.offset), width=width, whole=whole)
    elif content.structure is None:
        yield Text(content.data.hex(" "))
    else:
        yield from dump_lines(
            annotate(content.structure, content.data, context=Context(message.queue)),
            width=width,
            whole=whole,
        )
