"""What a feature family is: everything that comes and goes together, declared once.

A family has a room of its own in this package. Its declaration names the features, queues, configuration
words, structures, requirements, rules and ledgers it brings. Nothing else in ``balloon_spec`` names a
family: queue maps, the configuration space, trace headers, the catalogue of requirements and what a judge
asks are computed from the families of the profile, or of all profiles there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, TypeVar

from balloon_spec.events import Side
from balloon_spec.feature import Feature
from balloon_spec.queues import Queue
from balloon_spec.wire.structure import Finder, Structure

if TYPE_CHECKING:
    # A rule knows the profile it judges under, and so stands above this module.
    from balloon_spec.judge.interpretation import Interpreter
    from balloon_spec.judge.ledger import Ledger
    from balloon_spec.judge.rule import Rule
    from balloon_spec.judge.shape import Mistaken, Shape
    from balloon_spec.judge.trials import Trial

__all__ = [
    "AreaFile",
    "Carries",
    "Chapter",
    "ConfigurationWord",
    "Family",
    "FoundAtStart",
    "Prerequisite",
    "TakenFor",
]


_Byte = TypeVar("_Byte", int, int | None)
"""A byte, or one that nobody may know."""


@dataclass(frozen=True, slots=True)
class ConfigurationWord:
    """One little-endian word of the configuration space.

    It stands at ``offset_bytes`` if ``feature`` was negotiated, or always if that is None. ``written_by`` is
    the side that may change it, ``meaning`` what its number says. ``say`` puts a number in words; without it
    the meaning has to do.
    """

    name: str
    offset_bytes: int
    written_by: Side
    meaning: str
    feature: str | None = None
    length_bytes: int = 4
    say: Callable[[int], str] | None = None

    @property
    def end_bytes(self) -> int:
        """One past its last byte."""
        return self.offset_bytes + self.length_bytes

    def is_touched(self, offset_bytes: int, length_bytes: int) -> bool:
        """Tell whether an access of ``length_bytes`` bytes at an offset covers some byte of the word."""
        end_bytes = offset_bytes + length_bytes
        return length_bytes > 0 and offset_bytes < self.end_bytes and end_bytes > self.offset_bytes

    def within(self, offset_bytes: int, data: bytes) -> bytes | None:
        """Return the bytes of the word in an access of ``data`` at an offset; None unless it covers all."""
        at = self.offset_bytes - offset_bytes
        part = data[at : at + self.length_bytes] if at >= 0 else b""
        return part if len(part) == self.length_bytes else None

    def after(self, before: Sequence[_Byte], offset_bytes: int, data: bytes) -> tuple[_Byte, ...]:
        """Return the bytes of the word after a store of ``data``; it had those of ``before``."""
        return tuple(
            data[at - offset_bytes] if offset_bytes <= at < offset_bytes + len(data) else one
            for at, one in enumerate(before, self.offset_bytes)
        )


@dataclass(frozen=True, slots=True)
class Carries:
    """With ``feature`` the device-readable part of buffers on ``queue`` carries another ``structure``.

    ``unasked`` says how that structure is recognised there without the feature, ``unheeded`` how what the
    queue carries without it is recognised with it.
    """

    queue: Queue
    structure: str
    feature: str
    unasked: Mistaken | None = None
    unheeded: Mistaken | None = None


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """``feature`` stands with ``needed``: the requirements on what a device offers and a driver accepts."""

    feature: str
    needed: str
    offering: str
    accepting: str


@dataclass(frozen=True, slots=True)
class FoundAtStart:
    """With ``feature`` a device finds the buffers on ``queue`` at DRIVER_OK of which nobody notified it."""

    queue: Queue
    feature: str


@dataclass(frozen=True, slots=True)
class TakenFor:
    """How a ``structure`` of another family is recognised if one of this family was sent in its place."""

    structure: str
    mistakes: Finder


class Chapter(IntEnum):
    """Where in the specification an area of requirements is read; inside, in the order of the families."""

    FOUNDATIONS = 0
    """What both sides settle before anything is said: features, queues."""
    MESSAGES = 1
    """The form in which either side says something."""
    OF_THE_GUEST = 2
    """What the driver tells the device: pages, statistics."""
    OF_THE_HOST = 3
    """What the device tells the driver, and the answers: targets, requests."""
    THROUGHOUT = 4
    """What holds for every buffer and at any time."""


@dataclass(frozen=True, slots=True)
class AreaFile:
    """A file of requirements, named after its area, and the chapter in which it is read.

    If it ``excuses_devices``, a device may ask for a reset at a driver that breaks a MUST of the file
    (SAFE-10), as it may at malformed input.
    """

    file: Traversable
    chapter: Chapter
    excuses_devices: bool = False

    @property
    def area(self) -> str:
        """The name of the area."""
        return self.file.name.removesuffix(".yaml")


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One feature family, as its room declares it: there is one object for each, compared by identity.

    ``areas`` are its files of requirements. ``rules`` are what the judge asks of every event, and
    ``ledgers`` what it remembers for them, in the order in which they take an event in. ``shapes`` are what
    its buffers may be, ``interpreter`` is what it knows about them, and ``trials`` are what they may put a
    device to the test of.

    The rules of other families decide for it by what it declares. ``prerequisites`` are features that stand
    together. ``legal_sets`` are requirements to take a legal set of features, in the place of NEG-07 if they
    bind. ``found_at_start`` are the queues at which a device looks at DRIVER_OK. ``particulars`` are, by a
    requirement, those that say the same in particular cases; a ledger says which case it is
    (:meth:`balloon_spec.judge.companion.Companion.in_particular`).
    """

    name: str
    features: tuple[Feature, ...] = ()
    queues: tuple[Queue, ...] = ()
    words: tuple[ConfigurationWord, ...] = ()
    structures: tuple[Structure, ...] = ()
    carries: tuple[Carries, ...] = ()
    taken_for: tuple[TakenFor, ...] = ()
    areas: tuple[AreaFile, ...] = ()
    rules: tuple[Rule, ...] = ()
    ledgers: tuple[type[Ledger], ...] = ()
    shapes: tuple[Shape, ...] = ()
    interpreter: Interpreter | None = None
    trials: tuple[Trial, ...] = ()
    prerequisites: tuple[Prerequisite, ...] = ()
    legal_sets: tuple[str, ...] = ()
    found_at_start: tuple[FoundAtStart, ...] = ()
    particulars: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<family {self.name}>"
