"""What a vector is: features, guest memory, and the steps of one exchange between a driver and a device.

A vector is a list of events with two kinds of line: those the suite performs and those the implementation
under test must produce. Which is which depends on the side that is judged, so one vector can serve both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from balloon_conformance.iut.contract import Capability
from balloon_conformance.vectors.step import Step
from balloon_spec.events import Side
from balloon_spec.pages import PageSet
from balloon_spec.profiles import Profile

__all__ = ["FeatureSets", "Kind", "Match", "Reaction", "Vector", "is_about_the_offer", "needs"]


class Kind(StrEnum):
    """Whether both sides keep the protocol."""

    EXCHANGE = "exchange"
    """Both sides keep every requirement."""
    MALFORMED = "malformed"
    """The side the suite plays breaks the requirements in :attr:`Vector.breaks`, on purpose."""


class Match(StrEnum):
    """How the device-readable bytes of a driver under test are compared with the vector's."""

    EXACT = "exact"
    """Byte by byte."""
    EQUIVALENT = "equivalent"
    """By the pages they name, in any cut, order and number of messages (CHUNK-12)."""
    ANY = "any"
    """Not at all: a buffer with the same parts, readable and writable, on the queue is enough."""


class Reaction(StrEnum):
    """What a device may do with a malformed buffer."""

    RETURNED = "returned"
    NEEDS_RESET = "needs-reset"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class FeatureSets:
    """One negotiation: feature bits offered and accepted, and whether the device keeps FEATURES_OK."""

    offered: int
    accepted: int
    features_ok: bool = True

    def wire(self, *way: str) -> Mapping[tuple[str, ...], bytes]:
        """Return the sets as 8 bytes each, little-endian, by the way to the field that says them."""
        return {
            (*way, "offered"): self.offered.to_bytes(8, "little"),
            (*way, "accepted"): self.accepted.to_bytes(8, "little"),
        }


@dataclass(frozen=True, slots=True)
class Vector:
    """One vector, checked by the loader.

    ``sides`` are those it can judge. ``breaks`` are the requirements that the suite's own side breaks in it;
    ``memory_pages`` the 4 KiB guest pages that exist, from page 0, but for those of ``memory_holes``.
    ``path`` is the file it came from.
    """

    id: str
    title: str
    profile: Profile
    kind: Kind
    sides: frozenset[Side]
    requirements: tuple[str, ...]
    breaks: tuple[str, ...]
    features: FeatureSets
    memory_pages: int
    memory_holes: PageSet
    steps: tuple[Step, ...]
    provenance: Mapping[str, str]
    path: Path

    @property
    def memory(self) -> PageSet:
        """The 4 KiB guest pages that exist."""
        return PageSet([(0, self.memory_pages)]) - self.memory_holes

    @property
    def area(self) -> str:
        """The directory the file stands in, which is what the vector is about."""
        return self.path.parent.name

    def queue_indices(self) -> Mapping[int, int]:
        """Return the virtqueue index of every buffer step, by the place of the step, from 0."""
        sets, indices = self.features, {}
        for place, step in enumerate(self.steps):
            sets = step.negotiates or sets
            if step.lends is not None:
                indices[place] = self.profile.queue_index(step.lends, sets.offered, sets.accepted)
        return indices

    @property
    def negotiations(self) -> tuple[FeatureSets, ...]:
        """Every negotiation of the vector, that of the start first."""
        return (self.features, *(sets for step in self.steps if (sets := step.negotiates) is not None))

    @property
    def sets_driver_ok(self) -> bool:
        """Whether a step of its own sets DRIVER_OK, which is set before the first step otherwise."""
        return any(step.sets_driver_ok for step in self.steps)


def is_about_the_offer(vector: Vector) -> bool:
    """Tell whether the device first makes an offer that it may not make; the rest is how that is taken."""
    return not vector.profile.may_offer(vector.features.offered)


def needs(vector: Vector, side: Side) -> frozenset[Capability]:
    """Return the capabilities without which an implementation of ``side`` cannot play the vector.

    :attr:`Capability.DISCARDS` is left out: without it a device plays all but the effect steps. Raises
    :class:`ValueError` for a side the vector does not judge.
    """
    if side not in vector.sides:
        raise ValueError(f"{vector.id} does not judge a {side}; play it against a {side.other}")
    wanted = {Capability.MEMORY_HOLES} if vector.memory_holes else set()
    for step in vector.steps:
        wanted |= step.driver_needs if side is Side.DRIVER else step.device_needs
    if side is Side.DRIVER:
        is_legal = all(vector.profile.may_offer(sets.offered) for sets in vector.negotiations)
    else:
        is_legal = all(vector.profile.may_accept(sets.offered, sets.accepted) for sets in vector.negotiations)
    return frozenset(wanted if is_legal else wanted | {Capability.RAW_FEATURES})
