"""What an intent is: one exchange in the protocol's words, before there are bytes.

Standard library only, and nothing of the schemas: whoever turns intents into bytes, here or elsewhere, must
be able to do so from the meaning alone. Page frame numbers and page counts are in units of 4 KiB. A script
is complete: it holds what the helpers of :mod:`~balloon_conformance.generation.intents.shorthand` add by
themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = [
    "BrokenRing",
    "Configuration",
    "Content",
    "DeviceConfiguration",
    "DeviceReaction",
    "DeviceReturn",
    "DeviceWord",
    "DriverActual",
    "DriverBuffer",
    "DriverOk",
    "DriverRead",
    "DriverStore",
    "DriverWord",
    "Effect",
    "Features",
    "GuestWish",
    "Intent",
    "Kind",
    "Match",
    "OperatorWish",
    "Profile",
    "Queue",
    "Raw",
    "Reaction",
    "Reset",
    "Run",
    "Runs",
    "Segment",
    "Side",
    "Silent",
    "Step",
]

Profile: TypeAlias = str
"""The name of a profile."""
Kind: TypeAlias = Literal["exchange", "malformed"]
Side: TypeAlias = Literal["driver", "device"]
Queue: TypeAlias = str
"""The name of a virtqueue; whoever fills the intent knows which there are."""
Match: TypeAlias = Literal["exact", "equivalent", "any"]
Reaction: TypeAlias = Literal["returned", "needs-reset", "silent"]


class Run(NamedTuple):
    """``pages`` pages from page frame number ``first``."""

    first: int
    pages: int = 1


Runs: TypeAlias = tuple[Run, ...]


class Segment(NamedTuple):
    """One descriptor of a buffer: ``length_bytes`` bytes at a guest-physical address, None for anywhere."""

    length_bytes: int
    writable: bool = False
    address: int | None = None


# -- what is in a buffer -----------------------------------------------------------------------------------


class Content:
    """What is in a buffer, by its meaning. The families bring their contents, as subclasses.

    A subclass makes its bytes twice, and the two share nothing.
    """

    __slots__ = ()

    def build(self, schemas: Any) -> bytes:
        """Return the bytes through the schemas: structures by name, each with a ``build``."""
        raise NotImplementedError(f"{type(self).__name__}.build")

    def encode(self) -> bytes:
        """Return the bytes by :mod:`struct`, for the second encoder."""
        raise NotImplementedError(f"{type(self).__name__}.encode")


@dataclass(frozen=True, slots=True)
class Raw(Content):
    """Bytes that mean nothing; the last resort."""

    data: bytes

    def build(self, schemas: Any) -> bytes:
        """Return the bytes."""
        del schemas
        return self.data

    def encode(self) -> bytes:
        """Return the bytes."""
        return self.data


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration space: ``num_pages`` and ``actual``, and ``words`` of further features behind them.

    All have 32 bits, little-endian; the words follow in the order of their offsets, without a gap.
    """

    num_pages: int
    actual: int
    words: tuple[int, ...] = ()


# -- what happens ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Features:
    """One negotiation, by the names of the features; ``features_ok`` False: the device must refuse."""

    offered: tuple[str, ...]
    accepted: tuple[str, ...]
    features_ok: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What every step has.

    ``if_returned``: it happens only where the buffer of the last reaction came back. ``shows``: the
    requirements that are broken where it does not come true.
    """

    if_returned: bool = False
    shows: tuple[str, ...] = ()

    def fill(self, filling: Any, common: Mapping[str, Any]) -> Any:
        """Return the step of a vector that this one fills to, for a step that the filling does not know.

        ``filling`` has the reference implementations that play the vector, ``common`` the fields of every
        step.
        """
        raise NotImplementedError(f"{type(self).__name__}.fill")

    def encode(self) -> Mapping[tuple[str, ...], bytes]:
        """Return what the step puts on the wire, by the way to its field, for one that no encoder knows."""
        return {}


@dataclass(frozen=True, slots=True)
class OperatorWish(Step):
    """The operator wants what the family calls ``wish``, with this value."""

    wish: str
    value: int = 0


@dataclass(frozen=True, slots=True)
class GuestWish(Step):
    """The guest wants what the family calls ``wish``, of these pages."""

    wish: str
    pages: Runs


@dataclass(frozen=True, slots=True)
class DriverBuffer(Step):
    """The driver makes the buffer ``name`` available.

    ``content`` is what is device-readable, None for nothing; ``writable_bytes`` the length of the
    device-writable part; ``cut`` the lengths in bytes of the descriptors of the readable part, empty for one.
    ``segments`` are all descriptors, in place of ``cut``, if it is stated where they lie. ``notify`` False:
    the device finds the buffer by itself.
    """

    queue: Queue
    name: str
    content: Content | None = None
    writable_bytes: int = 0
    match: Match = "exact"
    cut: tuple[int, ...] = ()
    notify: bool = True
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokenRing(Step):
    """The driver lays what no driver may into the rings of a queue; ``breach`` says what, in a word."""

    queue: Queue
    breach: str

    def fill(self, filling: Any, common: Mapping[str, Any]) -> Any:
        """Return the step of a vector."""
        return filling.step_of_family("driver", "ring", self, common)


@dataclass(frozen=True, slots=True)
class DriverActual(Step):
    """The driver writes ``actual``: as 4 bytes at offset 4, little-endian."""

    pages: int


@dataclass(frozen=True, slots=True)
class DriverStore(Step):
    """The driver stores ``value``, ``width_bytes`` bytes, little-endian, at ``offset_bytes``."""

    offset_bytes: int
    width_bytes: int
    value: int


@dataclass(frozen=True, slots=True)
class DriverRead(Step):
    """The driver reads ``length_bytes`` at ``offset_bytes`` of a configuration space that holds ``space``."""

    offset_bytes: int
    length_bytes: int
    space: Configuration


@dataclass(frozen=True, slots=True)
class DriverWord(Step):
    """The driver writes the word ``name`` of a further feature: 4 bytes, little-endian."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class DeviceWord(Step):
    """The device gives the word ``name`` of a further feature a value, and notifies the driver."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class DriverOk(Step):
    """The driver sets DRIVER_OK here. Without this step it does so before the first one."""


@dataclass(frozen=True, slots=True)
class Silent(Step):
    """One side does nothing more until the next step."""

    side: Side


@dataclass(frozen=True, slots=True)
class DeviceReturn(Step):
    """The device returns the buffer ``name``; ``written`` is what it wrote there, None for nothing.

    ``length_bytes`` is the used length, None for that of ``written``.
    """

    name: str
    written: Content | None = None
    length_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceConfiguration(Step):
    """The device sets num_pages and notifies the driver."""

    num_pages: int


@dataclass(frozen=True, slots=True)
class DeviceReaction(Step):
    """The device reacts to the malformed buffer ``name`` in one of the ways of ``allowed``."""

    name: str
    allowed: tuple[Reaction, ...]


@dataclass(frozen=True, slots=True)
class Effect(Step):
    """What became of guest memory since the last effect: ``discarded`` pages, and those ``kept``."""

    discarded: Runs = ()
    kept: Runs = ()


@dataclass(frozen=True, slots=True)
class Reset(Step):
    """The device is reset; ``features`` are negotiated, None for those of before, and DRIVER_OK is set."""

    features: Features | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One vector before it has bytes.

    ``area`` and ``id`` name its file. ``about`` are the requirements it is meant to show, first the one it is
    there for; the vector lists those of them that it does show.

    ``breaks`` are the requirements that the side which is not judged breaks, on purpose, in a malformed one.
    ``memory_pages`` pages of guest memory exist, from page 0, but for the runs of ``memory_holes``.
    """

    id: str
    title: str
    area: str
    about: tuple[str, ...]
    features: Features
    script: tuple[Step, ...]
    profile: Profile
    kind: Kind = "exchange"
    sides: tuple[Side, ...] = ("driver", "device")
    breaks: tuple[str, ...] = ()
    memory_pages: int = 0x4000
    memory_holes: tuple[str, ...] = ()
