"""Writes a vector as YAML: one layout, the same bytes on every platform."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from balloon_conformance.vectors import comments
from balloon_conformance.vectors.model import FeatureSets, Kind, Vector
from balloon_conformance.vectors.step import Step
from balloon_spec.events import Side
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

__all__ = ["Writing", "write_vector"]

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,;'()^./+*=_-]*")
_SIDES = (Side.DRIVER, Side.DEVICE)


def write_vector(vector: Vector, source: str) -> str:
    """Return the text of the file of ``vector``; ``source`` is the module its intent stands in."""
    return "".join(f"{line}\n" for line in Writing(vector).lines(source))


class Writing:
    """Writes one vector; each step writes itself, with the help of what is known here.

    ``features`` are those that are negotiated, by which the bytes are explained, and ``queues`` the queue of
    each buffer that was made available, by its name.
    """

    def __init__(self, vector: Vector) -> None:
        self._vector = vector
        self.features = vector.features
        self.queues: dict[str, Queue] = {}

    def lines(self, source: str) -> Iterator[str]:
        """Yield the lines of the file."""
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
        if vector.breaks or vector.kind is Kind.MALFORMED:
            yield f"breaks: [{', '.join(vector.breaks)}]"
        yield f"features: {{{self.sets(vector.features)}}}"
        holes = f", holes: {self.pages(vector.memory_holes)}" if vector.memory_holes else ""
        yield f"memory: {{pages: {vector.memory_pages:#x}{holes}}}"
        yield "steps:"
        for step in vector.steps:
            yield from self._step(step)
        provenance = ", ".join(f"{key}: {_text(value)}" for key, value in vector.provenance.items())
        yield f"provenance: {{{provenance}}}"

    def sets(self, sets: FeatureSets) -> str:
        """Write a negotiation as fields."""
        words = f"offered: [{self._names(sets.offered)}], accepted: [{self._names(sets.accepted)}]"
        return words if sets.features_ok else f"{words}, features_ok: false"

    def _names(self, mask: int) -> str:
        """Name features: VERSION_1 first, the others by bit."""
        profile = self._vector.profile
        order = sorted(profile.names(mask), key=lambda name: (name != "VERSION_1", profile.named[name].bit))
        return ", ".join(order)

    def _step(self, step: Step) -> Iterator[str]:
        lines = [f"if: {step.condition}"] if step.condition else []
        lines += [f"shows: [{', '.join(step.shows)}]"] if step.shows else []
        lines += step.write(self)
        for number, line in enumerate(lines):
            yield f"{'    ' if number else '  - '}{line}"

    def readable_lines(self, queue: Queue, data: bytes) -> list[str]:
        """Return the lines of a device-readable part, each with what it says beside it."""
        return comments.readable_lines(queue, data, self._vector.profile.names(self.features.accepted))

    @staticmethod
    def inline(data: bytes) -> str:
        """Write bytes in one line."""
        return comments.inline(data)

    def comment_on_written(self, name: str, data: bytes) -> str:
        """Say what a device wrote into the buffer of this name."""
        return comments.comment_on_written(self.queues[name], data)

    def comment_on_space(self, offset: int, data: bytes) -> str:
        """Say which bytes of the configuration space these are."""
        return comments.comment_on_space(offset, data, self._vector.profile.words)

    @staticmethod
    def pages(pages: PageSet) -> str:
        """Write pages as a list of runs."""
        texts = [f'"{run}"' for run in pages]
        return f"[{', '.join(texts)}]"


def _text(text: str) -> str:
    """Write text plainly where YAML takes it for nothing else, and in quotes otherwise."""
    return text if _PLAIN.fullmatch(text) and not text[0].isdigit() else json.dumps(text)
