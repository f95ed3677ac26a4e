"""``balloon-conformance vectors show``: one vector, every byte explained."""

from __future__ import annotations

from collections.abc import Iterator

import click

from balloon_conformance.cli.decode import annotated_lines
from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.vectors import model, schema
from balloon_conformance.vectors.loader import VectorError, load
from balloon_spec.queues import Queue
from balloon_spec.wire.annotate import annotate

__all__ = ["show"]


@click.command("show")
@click.argument("name", metavar="ID")
def show(*, name: str) -> None:
    """Show the vector called ID: its steps in order, its buffers explained field by field."""
    # A vector's file has its id for a name.
    paths = {path.stem: path for path in schema.directory().rglob("*.yaml")}
    wanted = name.rpartition("/")[2]
    if wanted not in paths:
        raise BadInput(f"no vector {name!r}; balloon-conformance vectors list shows them")
    with bad_input(VectorError):
        vector = load(paths[wanted])
    for line in _show(vector):
        click.echo(line)


def _show(vector: model.Vector) -> Iterator[str]:
    names = vector.profile.names
    yield f"{vector.area}/{vector.id}: {vector.title}"
    yield f"profile {vector.profile.name}; judges {' and '.join(sorted(vector.sides))}; {vector.kind}"
    yield f"about {', '.join(vector.requirements)}"
    if vector.breaks:
        yield f"breaks {', '.join(vector.breaks)}"
    yield f"memory: {vector.memory_pages} pages"
    features = vector.features
    yield _negotiation("negotiation", vector, features)
    chunks = "CHUNK_TRANSFER" in names(features.accepted)
    for step in vector.steps:
        yield ""
        if isinstance(step, model.ResetStep):
            chunks = "CHUNK_TRANSFER" in names(step.features.accepted)
            yield _negotiation("reset", vector, step.features)
            continue
        if step.condition:
            yield f"if {step.condition}:"
        yield from _step(step, chunks=chunks)


def _negotiation(word: str, vector: model.Vector, sets: model.FeatureSets) -> str:
    offered, accepted = (
        ", ".join(sorted(vector.profile.names(mask), key=lambda name: vector.profile.by_name[name].bit))
        or "nothing"
        for mask in (sets.offered, sets.accepted)
    )
    end = "" if sets.features_ok else "; refused"
    return f"{word}: offered {offered}; accepted {accepted}{end}"


def _step(step: model.Step, *, chunks: bool) -> Iterator[str]:
    """Yield the lines of one step, in the words of the protocol."""
    match step:
        case model.OperatorStep():
            yield f"operator: {step.action} {step.value}"
        case model.GuestStep():
            yield f"guest: {step.action} {step.pages}"
        case model.BufferStep():
            parts = [f"{len(step.readable)} bytes readable"] if step.readable else []
            parts += [f"{step.writable_bytes} bytes writable"] if step.writable_bytes else []
            parts += [f"cut into {', '.join(map(str, step.cut))}"] if step.cut else []
            parts += [] if step.notify else ["without a notification"]
            parts += [] if step.match is model.Match.EXACT else [f"match {step.match}"]
            yield f"driver: buffer {step.name} on {step.queue}: {', '.join(parts) or 'empty'}"
            if step.readable:
                structure = _structure(step.queue, chunks=chunks)
                yield from (f"  {line}" for line in annotated_lines(annotate(structure, step.readable)))
        case model.ActualStep():
            yield f"driver: actual {step.pages}"
        case model.ConfigurationWriteStep():
            yield f"driver: writes {step.data.hex(' ')} to the configuration at offset {step.offset}"
        case model.ConfigurationReadStep():
            yield f"driver: reads {step.data.hex(' ')} from the configuration at offset {step.offset}"
        case model.DriverOkStep():
            yield "driver: DRIVER_OK"
        case model.SilentStep():
            yield f"{step.side}: does nothing more"
        case model.UsedStep():
            yield f"device: returns {step.name}, {step.length_bytes} bytes written"
            if step.written:
                yield from (f"  {line}" for line in annotated_lines(annotate("host-request", step.written)))
        case model.ConfigurationStep():
            yield f"device: num_pages {step.num_pages}"
        case model.ReactionStep():
            yield f"device: {step.name} is {' or '.join(sorted(step.allowed))}"
        case model.EffectStep():
            yield f"memory: discarded {step.discarded}; kept {step.kept}"
        case model.ResetStep():
            yield "reset"


def _structure(queue: Queue, *, chunks: bool) -> str:
    if queue is Queue.STATISTICS:
        return "statistics"
    return "response-message" if chunks or queue is Queue.HOST_REQUEST else "pfn-array"
