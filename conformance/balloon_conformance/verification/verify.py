"""Verifies one vector: its form, its intent, its bytes, and what the suite makes of it.

Each part is a function that yields what is wrong as faults, every one with its place and a sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from balloon_conformance.generation.evidence import shown
from balloon_conformance.generation.intents.model import Intent
from balloon_conformance.generation.sabotage import cannot_fail
from balloon_conformance.iut.reference.adapter import reference_device_target, reference_driver_target
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play_as_trace, play_to_a_line
from balloon_conformance.vectors import as_trace
from balloon_conformance.vectors.hexadecimal import line_of
from balloon_conformance.vectors.loader import VectorError, load_text, read_text
from balloon_conformance.vectors.model import Vector
from balloon_conformance.vectors.reading import field_name
from balloon_conformance.verification.second_opinion import (
    Difference,
    against_the_intent,
    against_the_wishes,
    held,
)
from balloon_spec import strict_yaml
from balloon_spec.events import Side
from balloon_spec.requirement import catalogue

__all__ = [
    "Check",
    "Fault",
    "Filled",
    "Verified",
    "as_a_trace",
    "as_generated",
    "as_made_again",
    "as_played",
    "verify",
]


class Check(StrEnum):
    """What a vector is held against, and what is proven where it agrees."""

    FORM = "form"
    """The strict loader takes the file: whoever keeps the published schema can read it, and what a schema
    cannot say (ids, requirements that exist, buffers returned that are in flight) is in order too."""
    GENERATED = "generated"
    """The file is what its intent is filled to, byte for byte: nobody edited it by hand, and no change of an
    intent, a schema or a reference implementation left it behind. Not that these are right."""
    BYTES = "bytes"
    """Every stream of bytes, and every number the wire carries, is what a second encoder makes of the
    intent, and of the pages the guest was steered to. It was written from the specification's text and shares
    no code with the schemas: a mistake in the bytes would have to be made twice."""
    TRACE = "trace"
    """Taken for something that happened, it breaks what it says it breaks and no other MUST, and shows every
    requirement that it lists: the rules that judge recordings agree with it."""
    DEVICE = "device"
    """The reference device passes it: what it expects can be done, by one that keeps every requirement."""
    DRIVER = "driver"
    """The reference driver passes it, likewise."""
    MANIFEST = "manifest"
    """The files are those whose SHA-256 were published, none is missing and none is one too many."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the file ``path``, on ``line`` of it; ``words`` is the whole sentence."""

    path: Path
    line: int
    check: Check
    words: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words}"


_PLAYED = {Side.DEVICE: Check.DEVICE, Side.DRIVER: Check.DRIVER}


@dataclass(slots=True)
class Verified:
    """What became of one file: its faults, and how much was held against each check."""

    path: Path
    faults: list[Fault] = field(default_factory=list)
    counts: Counter[Check] = field(default_factory=Counter)

    def hold(self, check: Check, faults: Iterable[Fault], things: int = 1) -> None:
        """Enter what a check found, and of the ``things`` it was held against those that agree."""
        found = list(faults)
        self.faults += found
        # A thing stands on its line, and may differ in more than one way.
        self.counts[check] += max(things - len({fault.line for fault in found}), 0)


@dataclass(frozen=True, slots=True)
class Filled:
    """An intent, and the text that the generator fills it to."""

    intent: Intent
    text: str


def verify(path: Path, filled: Callable[[str], Filled | None], *, published: bool) -> Verified:
    """Hold the vector in the file ``path`` against everything there is to hold it against.

    ``filled`` returns what there is for an id. A vector has to be as its intent where it is ``published`` or
    says that it was generated; one of a user's own is judged and played.
    """
    result = Verified(path)
    try:
        text = read_text(path)
        vector = load_text(text, str(path))
    except VectorError as error:
        # Its sentence has the place in front.
        line, _, words = str(error).removeprefix(f"{path}:").partition(": ")
        result.faults.append(Fault(path, int(line), Check.FORM, words))
        return result
    result.counts[Check.FORM] += 1
    if published or "generated" in vector.provenance:
        wanted = filled(vector.id)
        if wanted is None:
            words = "no intent fills to this vector; write the intent, or remove the file"
            result.hold(Check.GENERATED, [Fault(path, 1, Check.GENERATED, words)])
        else:
            result.hold(Check.GENERATED, as_generated(path, text, wanted.text))
            streams = sum(map(len, held(vector)))
            result.hold(Check.BYTES, as_made_again(text, vector, wanted.intent), streams)
    else:
        # The generator leaves out what a step cannot show, so that a vector as it makes it is proven already.
        result.hold(Check.TRACE, as_spoilt(vector))
    result.hold(Check.TRACE, as_a_trace(vector))
    for side in sorted(vector.sides):
        result.hold(_PLAYED[side], as_played(vector, side))
    return result


def as_generated(path: Path, text: str, generated: str) -> Iterator[Fault]:
    """Yield the first line of a file that is not the one its intent fills to."""
    if text == generated:
        return
    found, expected = text.split("\n"), generated.split("\n")
    at = next(
        (index for index, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]),
        min(len(found), len(expected)),
    )
    have, want = (repr(lines[at].strip()) if at < len(lines) else "the end" for lines in (found, expected))
    words = f"the file has {have}, its intent fills to {want}; change the intent, and run vectors generate"
    yield Fault(path, at + 1, Check.GENERATED, words)


def as_made_again(text: str, vector: Vector, intent: Intent) -> Iterator[Fault]:
    """Yield where the second encoder has other bytes, by the intent's steps or by the guest's wishes."""
    for difference in against_the_intent(vector, intent):
        yield _placed(text, vector.path, difference)
    for difference in against_the_wishes(vector, intent):
        yield _placed(text, vector.path, difference)


def as_a_trace(vector: Vector) -> Iterator[Fault]:
    """Yield what a vector taken for a trace breaks without saying so, and what it says and does not show."""
    _, found = play_as_trace(vector)
    broken = {finding.requirement for finding in found}
    lines = [line for line, _ in as_trace.located(vector)]
    for finding in found:
        if finding.level.binding and finding.requirement not in vector.breaks:
            # The judge counts events from 1.
            line = lines[finding.event - 1]
            yield Fault(vector.path, line, Check.TRACE, f"{_step_on(vector, line)}as a trace: {finding}")
    entries, shows = catalogue(), shown(vector)
    for name in vector.requirements:
        if name not in shows and entries[name].subject in vector.sides:
            words = f"{name} stands in requirements, and neither a rule nor a step shows it; strike it"
            yield Fault(vector.path, 1, Check.TRACE, words)
    for name in vector.breaks:
        if name not in broken:
            words = f"as a trace: {name} stands in breaks, and no rule finds it broken"
            yield Fault(vector.path, 1, Check.TRACE, words)


def as_spoilt(vector: Vector) -> Iterator[Fault]:
    """Yield what a step says it shows, and breaks for nobody who does otherwise than the step says."""
    for side in sorted(vector.sides):
        for step, name in cannot_fail(vector, side):
            words = f"{_step_on(vector, step.line)}shows {name}, which no {side} breaks here; strike it"
            yield Fault(vector.path, step.line, Check.TRACE, words)


def as_played(vector: Vector, side: Side) -> Iterator[Fault]:
    """Yield why the reference implementation of ``side``, which keeps every requirement, fails a vector."""
    target = reference_device_target() if side is Side.DEVICE else reference_driver_target()
    outcome, line = play_to_a_line(vector, target.make(), side)
    # One that keeps every requirement follows every advice.
    found = (*outcome.findings, *outcome.advice)
    if outcome.status is not Status.PASSED or found:
        reason = found[0] if found else outcome.reason
        words = f"{_step_on(vector, line)}against the {target.name}: {outcome.status}: {reason}"
        yield Fault(vector.path, line, _PLAYED[side], words)


def _step_on(vector: Vector, line: int) -> str:
    """Name the step that begins on a line, for the front of a sentence; nothing where none does."""
    at = next((index for index, step in enumerate(vector.steps) if step.line == line), None)
    return "" if at is None else f"{field_name(('steps', at))}: "


def _placed(text: str, path: Path, difference: Difference) -> Fault:
    """Find the line of a difference, which is that of the byte where there is one."""
    document = strict_yaml.load(text, str(path))
    line = document.lines.nearest(difference.way)
    if difference.offset is not None:
        value = document.data
        for part in difference.way:
            value = value.get(part, "") if isinstance(value, dict) else value[part]
        # A block of several lines begins on the line after its key.
        if "\n" in value:
            line += 1 + line_of(value, difference.offset)
    return Fault(path, line, Check.BYTES, f"{field_name(difference.way)}: {difference.words}")
