"""What a feature family is: everything that comes and goes together, declared once.

A family has a room of its own in this package. Its declaration names the features, queues, configuration
words, structures, requirements, rules and ledgers it brings. Nothing else in ``balloon_spec`` names a
family: queue maps, the configuration space, trace headers, the catalogue of requirements and what a judge
asks are computed from the families of the profile, or of all profiles there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from balloon_spec.events import Side
from balloon_spec.feature import Feature
from balloon_spec.queues import Queue
from balloon_spec.wire.structure import Finder, Structure

if TYPE_CHECKING:
    # A rule knows the profile it judges under, and so stands above this module.
    from balloon_spec.judge.ledger import Ledger
    from balloon_spec.judge.rule import Rule

__all__ = ["AreaFile", "Carries", "Chapter", "ConfigurationWord", "Family", "TakenFor"]


@dataclass(frozen=True, slots=True)
class ConfigurationWord:
    """One little-endian word of the configuration space.

    It stands at ``offset_bytes`` if ``feature`` was negotiated, or always if that is None. ``written_by`` is
    the side that may change it, ``meaning`` what its number says.
    """

    name: str
    offset_bytes: int
    written_by: Side
    meaning: str
    feature: str | None = None
    length_bytes: int = 4

    @property
    def end_bytes(self) -> int:
        """One past its last byte."""
        return self.offset_bytes + self.length_bytes


@dataclass(frozen=True, slots=True)
class Carries:
    """With ``feature`` the device-readable part of buffers on ``queue`` carries another ``structure``."""

    queue: Queue
    structure: str
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
    ``ledgers`` what it remembers for them, in the order in which they take an event in.
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

    def __repr__(self) -> str:
        return f"<family {self.name}>"
