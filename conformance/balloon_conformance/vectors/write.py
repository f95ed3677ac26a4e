"""Writes a vector as YAML: one layout, the same bytes on every platform."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from balloon_conformance.vectors.model import (
    ActualStep,
    BufferStep,
    ConfigurationReadStep,
    ConfigurationStep,
    ConfigurationWriteStep,
    DriverOkStep,
    EffectStep,
    FeatureSets,
    GuestStep,
    Kind,
    Match,
    OperatorStep,
    Reaction,
    ReactionStep,
    ResetStep,
    SilentStep,
    Step,
    UsedStep,
    Vector,
)
from balloon_conformance.vectors.remarks import inline, readable_lines, remark_on_request, remark_on_space
from balloon_spec.events import OperatorAction, Segment, Side
from balloon_spec.pages import PageSet
from balloon_spec.segments import are_lengths_alone

__all__ = ["write_vector"]

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,;'()^./+*=_-]*")
_SIDES = (Side.DRIVER, Side.DEVICE)


def write_vector(vector: Vector, source: str) -> str:
    """Return the text of the file of ``vector``; ``source`` is the module its intent stands in."""
    return "".join(f"{line}\n" for line in _Writer(vector).lines(source))


class _Writer:
    """Writes one vector; remembers what is negotiated, by which the bytes are explained."""

    def __init__(self, vector: Vector) -> None:
        self._vector = vector
        self._features = vector.features

    def lines(self, source: str) -> Iterator[str]:
        vector = self._vector
        yield (
            f"# Generated from the intent of this name in {source}: edit that, "
            "and run balloon-conformance vectors generate"
        )
        yield f"vector: {vector.id}"
        yield f"title: {_text(vector.title)}"
        yield f"profile: {vector.profile.name}"
        if vector.kind is not Kind.EXCHANGE:
            yield f"kind: {vector.kind}"
        yield f"sides: [{', '.join(side for side in _SIDES if side in vector.sides)}]"
        yield f"requirements: [{', '.join(vector.requirements)}]"
        if vector.breaks:
            yield f"breaks: [{', '.join(vector.breaks)}]"
        yield f"features: {{{self._sets(vector.features)}}}"
        holes = f", holes: {_pages(vector.memory_holes)}" if vector.memory_holes else ""
        yield f"memory: {{pages: {vector.memory_pages:#x}{holes}}}"
        yield "steps:"
        for step in vector.steps:
            yield from self._step(step)
        provenance = ", ".join(f"{key}: {_text(value)}" for key, value in vector.provenance.items())
        yield f"provenance: {{{provenance}}}"

    def _sets(self, sets: FeatureSets) -> str:
        words = f"offered: [{self._names(sets.offered)}], accepted: [{self._names(sets.accepted)}]"
        return words if sets.features_ok else f"{words}, features_ok: false"

    def _names(self, mask: int) -> str:
        """Name features: VERSION_1 first, the others by bit."""
        profile = self._vector.profile
        order = sorted(profile.names(mask), key=lambda name: (name != "VERSION_1", profile.by_name[name].bit))
        return ", ".join(order)

    def _step(self, step: Step) -> Iterator[str]:
        lines = [f"if: {step.condition}"] if step.condition else []
        lines += [f"shows: [{', '.join(step.shows)}]"] if step.shows else []
        lines += self._act(step)
        for number, line in enumerate(lines):
            yield f"{'    ' if number else '  - '}{line}"

    def _act(self, step: Step) -> Iterator[str]:
        match step:
            case BufferStep():
                yield from self._buffer(step)
            case UsedStep():
                yield _used(step)
            case ConfigurationWriteStep(offset=offset, data=data):
                yield (
                    f'driver: {{write: {{offset: {offset}, data: "{inline(data)}"}}}}'
                    f"  # {remark_on_space(offset, data)}"
                )
            case ConfigurationReadStep(offset=offset, length_bytes=length, data=data):
                yield (
                    f'driver: {{read: {{offset: {offset}, length: {length}}}, data: "{inline(data)}"}}'
                    f"  # {remark_on_space(offset, data)}"
                )
            case ResetStep():
                same = step.features == self._features
                self._features = step.features
                yield f"reset: {{{'' if same else self._sets(step.features)}}}"
            case _:
                yield _plain_act(step)

    def _buffer(self, step: BufferStep) -> Iterator[str]:
        fields = [f"queue: {step.queue}", f"as: {step.name}"]
        fields += [f"match: {step.match}"] if step.match is not Match.EXACT else []
        fields += _segments(step)
        fields += [f"writable: {step.writable_bytes}"] if step.writable_bytes else []
        fields += [] if step.notify else ["notify: false"]
        if not step.readable:
            yield f"driver: {{{', '.join(fields)}}}"
            return
        yield "driver:"
        yield from (f"  {field}" for field in fields)
        yield "  readable: |"
        chunks = "CHUNK_TRANSFER" in self._vector.profile.names(self._features.accepted)
        yield from (f"    {line}" for line in readable_lines(step.queue, step.readable, chunks=chunks))


def _plain_act(step: Step) -> str:
    """Write a step without bytes."""
    match step:
        case OperatorStep(action=OperatorAction.TARGET, value=value):
            return f"operator: {{target: {value}}}"
        case OperatorStep(action=OperatorAction.UNUSED_PAGES, value=value):
            return f"operator: {{unused_pages: {value:#x}}}"
        case OperatorStep():
            return "operator: {statistics: true}"
        case GuestStep(action=action, pages=pages):
            return f"guest: {{{action}: {_pages(pages)}}}"
        case ActualStep(pages=pages):
            return f"driver: {{actual: {pages}}}"
        case DriverOkStep():
            return "driver: {ok: true}"
        case SilentStep(side=side):
            return f"{side}: {{silent: true}}"
        case ConfigurationStep(num_pages=num_pages):
            return f"device: {{configuration: {{num_pages: {num_pages}}}}}"
        case ReactionStep(name=name, allowed=allowed):
            words = ", ".join(reaction for reaction in Reaction if reaction in allowed)
            return f"device: {{reaction: {name}, allowed: [{words}]}}"
        case EffectStep(discarded=discarded, kept=kept):
            parts = [f"discarded: {_pages(discarded)}"] if discarded else []
            parts += [f"kept: {_pages(kept)}"] if kept else []
            return f"effect: {{{', '.join(parts)}}}"
        case _:
            raise TypeError(f"{type(step).__name__} has bytes, or is no step")


def _segments(step: BufferStep) -> list[str]:
    """Write the segments of a buffer: their lengths, if these say everything."""
    if not step.segments:
        return []
    if are_lengths_alone(step.segments):
        return [f"cut: [{', '.join(str(one.length_bytes) for one in step.segments)}]"]
    each = ", ".join(f"{{{_segment(one)}}}" for one in step.segments)
    return [f"segments: [{each}]"]


def _segment(segment: Segment) -> str:
    fields = [] if segment.address is None else [f"address: {segment.address:#x}"]
    fields.append(f"length: {segment.length_bytes}")
    return ", ".join([*fields, "writable: true"] if segment.writable else fields)


def _used(step: UsedStep) -> str:
    fields = [f"used: {step.name}"]
    fields += [f'written: "{inline(step.written)}"'] if step.written else []
    fields += [f"length: {step.length_bytes}"] if step.length_bytes != len(step.written) else []
    remark = f"  # {remark_on_request(step.written)}" if step.written else ""
    return f"device: {{{', '.join(fields)}}}{remark}"


def _pages(pages: PageSet) -> str:
    texts = [f'"{run}"' for run in pages]
    return f"[{', '.join(texts)}]"


def _text(text: str) -> str:
    """Write text plainly where YAML takes it for nothing else, and in quotes otherwise."""
    return text if _PLAIN.fullmatch(text) and not text[0].isdigit() else json.dumps(text)
