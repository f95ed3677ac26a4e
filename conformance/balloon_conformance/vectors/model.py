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
from balloon_spec.events import GuestAction, OperatorAction, Segment, Side
from balloon_spec.features import Profile
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

__all__ = [
    "ActualStep",
    "BufferStep",
    "ConfigurationReadStep",
    "ConfigurationStep",
    "ConfigurationWriteStep",
    "DriverOkStep",
    "EffectStep",
    "FeatureSets",
    "GuestStep",
    "Kind",
    "Match",
    "OperatorStep",
    "Reaction",
    "ReactionStep",
    "ResetStep",
    "SilentStep",
    "Step",
    "UsedStep",
    "Vector",
    "is_about_the_offer",
    "needs",
]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What every step has.

    ``line`` is its line in the file. ``condition`` is None, or ``"returned"``: the step is played only when
    the buffer of the last :class:`ReactionStep` before it was returned. ``shows`` are the requirements that
    a mismatch at this step breaks, and that count as exercised when the implementation did what it says;
    empty leaves the blame to the field that differs, and the evidence to the judge's rules.
    """

    line: int
    condition: str | None = None
    shows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorStep(_Step):
    """The operator of the host makes a wish known; ``value`` as in :class:`~balloon_spec.events.Operator`."""

    action: OperatorAction
    value: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStep(_Step):
    """The guest makes a wish known to its driver."""

    action: GuestAction
    pages: PageSet


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferStep(_Step):
    """The driver makes a buffer available.

    ``readable`` is the device-readable part. ``segments`` are the descriptors; a part of which none is stated
    is one descriptor, wherever it lies. ``notify`` False leaves the device to find the buffer by itself.
    """

    queue: Queue
    name: str
    readable: bytes = b""
    writable_bytes: int = 0
    match: Match = Match.EXACT
    segments: tuple[Segment, ...] = ()
    notify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ActualStep(_Step):
    """The driver writes ``actual``, the pages in the balloon, as one store of 4 bytes at offset 4."""

    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationWriteStep(_Step):
    """The driver writes ``data`` to the configuration space at ``offset``, in bytes."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationReadStep(_Step):
    """The driver reads ``length_bytes`` of the configuration space; the device answers ``data``."""

    offset: int
    length_bytes: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverOkStep(_Step):
    """The driver sets DRIVER_OK here. A vector without this step has it before the first step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentStep(_Step):
    """One side does nothing more until the next step."""

    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedStep(_Step):
    """The device returns a buffer; ``length_bytes`` as in the used ring, ``written`` what it wrote there."""

    name: str
    written: bytes = b""
    length_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationStep(_Step):
    """The device changes num_pages, a count of 4 KiB pages, and notifies the driver."""

    num_pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionStep(_Step):
    """The device reacts to the malformed buffer ``name`` in one of the ways that are ``allowed``."""

    name: str
    allowed: frozenset[Reaction]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectStep(_Step):
    """What became of guest memory since the last effect, or the start.

    ``discarded`` are pages that were discarded, ``kept`` pages that are as they were. The page before and
    the page after every discarded run are looked at in any case; of others nothing is said.
    """

    discarded: PageSet = EMPTY
    kept: PageSet = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetStep(_Step):
    """The device is reset, ``features`` are negotiated, and unless they are refused DRIVER_OK is set."""

    features: FeatureSets


Step = (
    OperatorStep
    | GuestStep
    | BufferStep
    | ActualStep
    | ConfigurationWriteStep
    | ConfigurationReadStep
    | DriverOkStep
    | SilentStep
    | UsedStep
    | ConfigurationStep
    | ReactionStep
    | EffectStep
    | ResetStep
)


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
            if isinstance(step, ResetStep):
                sets = step.features
            elif isinstance(step, BufferStep):
                indices[place] = self.profile.queue_index(step.queue, sets.offered, sets.accepted)
        return indices

    @property
    def negotiations(self) -> tuple[FeatureSets, ...]:
        """Every negotiation of the vector, that of the start first."""
        return (self.features, *(step.features for step in self.steps if isinstance(step, ResetStep)))


_OPERATOR_CAPABILITIES = {
    OperatorAction.TARGET: Capability.OPERATOR_TARGET,
    OperatorAction.UNUSED_PAGES: Capability.OPERATOR_UNUSED_PAGES,
    OperatorAction.STATISTICS: Capability.OPERATOR_STATISTICS,
}


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
    if side is Side.DRIVER:
        if any(isinstance(step, GuestStep) for step in vector.steps):
            wanted.add(Capability.STEER_PAGES)
        if not all(vector.profile.may_offer(sets.offered) for sets in vector.negotiations):
            wanted.add(Capability.RAW_FEATURES)
        return frozenset(wanted)
    for step in vector.steps:
        if isinstance(step, OperatorStep):
            wanted.add(_OPERATOR_CAPABILITIES[step.action])
        elif isinstance(step, BufferStep) and step.segments:
            wanted.add(Capability.DESCRIPTORS)
            if any(one.address is not None for one in step.segments):
                wanted.add(Capability.ADDRESSES)
    if not all(vector.profile.may_accept(sets.offered, sets.accepted) for sets in vector.negotiations):
        wanted.add(Capability.RAW_FEATURES)
    return frozenset(wanted)
