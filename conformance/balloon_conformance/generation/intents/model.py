"""What an intent is: one exchange in the protocol's words, before there are bytes.

Standard library only, and nothing of the schemas: whoever turns intents into bytes, here or elsewhere, must
be able to do so from the meaning alone. Page frame numbers and page counts are in units of 4 KiB. A script
is complete: it holds what the helpers of :mod:`~balloon_conformance.generation.intents.shorthand` add by
themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = [
    "Chunk",
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
    "GuestDeflate",
    "GuestInflate",
    "GuestUnused",
    "GuestWish",
    "Intent",
    "Kind",
    "Match",
    "Message",
    "OperatorStatistics",
    "OperatorTarget",
    "OperatorUnusedPages",
    "OperatorWish",
    "PfnArray",
    "Profile",
    "Queue",
    "Raw",
    "Reaction",
    "Request",
    "Reset",
    "Run",
    "Runs",
    "Segment",
    "Side",
    "Silent",
    "Statistics",
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
    """What is in a buffer, by its meaning. A family may bring contents of its own, as subclasses.

    Such a subclass makes its bytes twice, and the two share nothing.
    """

    __slots__ = ()

    def build(self, schemas: Any) -> bytes:
        """Return the bytes through the schemas: structures by name, each with a ``build``."""
        raise NotImplementedError(f"{type(self).__name__}.build")

    def encode(self) -> bytes:
        """Return the bytes by :mod:`struct`, for the second encoder."""
        raise NotImplementedError(f"{type(self).__name__}.encode")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of 16 bytes, two little-endian words of 64 bits.

    ``base`` is ``pfn * 4096 + base_reserved``, ``size`` is ``pages * 4096 + size_reserved``: ``pfn`` and
    ``pages`` have 52 bits, the reserved fields 12, so every pair of words has exactly one chunk.
    ``times`` is how often the chunk stands there, one behind the other.
    """

    pfn: int
    pages: int
    base_reserved: int = 0
    size_reserved: int = 0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Message(Content):
    """A response message: the header of 8 bytes, the chunks, and ``tail``, bytes behind the last chunk.

    ``cmd`` and ``flag`` (8 bits), ``id`` (16 bits) and ``data_len`` (32 bits) as in the header. Where
    ``data_len`` is None it is what it must be: 16 times the number of chunks.
    """

    chunks: tuple[Chunk, ...] = ()
    cmd: int = 0
    flag: int = 0
    id: int = 0
    data_len: int | None = None
    tail: bytes = b""


@dataclass(frozen=True, slots=True)
class PfnArray(Content):
    """Page frame numbers of 32 bits, and ``tail``, the bytes of an entry that is cut short."""

    entries: tuple[int, ...]
    tail: bytes = b""


@dataclass(frozen=True, slots=True)
class Statistics(Content):
    """Entries of a tag (16 bits) and a value (64 bits), and ``tail``, the bytes of one that is cut short."""

    entries: tuple[tuple[int, int], ...]
    tail: bytes = b""


@dataclass(frozen=True, slots=True)
class Request(Content):
    """A host request of 16 bytes: ``cmd`` and three reserved words (16 bits each), ``param`` (64 bits)."""

    cmd: int = 0
    reserved: tuple[int, int, int] = (0, 0, 0)
    param: int = 0


@dataclass(frozen=True, slots=True)
class Raw(Content):
    """Bytes that mean nothing; the last resort."""

    data: bytes


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
class OperatorTarget(Step):
    """The operator wants ``pages`` pages in the balloon."""

    pages: int


@dataclass(frozen=True, slots=True)
class OperatorUnusedPages(Step):
    """The operator wants to know the unused pages, under the request id ``id`` (64 bits)."""

    id: int


@dataclass(frozen=True, slots=True)
class OperatorStatistics(Step):
    """The operator wants fresh statistics."""


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
class GuestInflate(Step):
    """The guest gives pages up."""

    pages: Runs


@dataclass(frozen=True, slots=True)
class GuestDeflate(Step):
    """The guest wants pages back."""

    pages: Runs


@dataclass(frozen=True, slots=True)
class GuestUnused(Step):
    """The guest does not use these pages, and every other one."""

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
    ``queue_numbers`` and ``bit_numbers`` are those of queues and features that the second encoder does not
    know, as their specification has them.
    """

    id: str
    title: str
    area: str
    about: tuple[str, ...]
    features: Features
    script: tuple[Step, ...]
    profile: Profile = "chunk-transfer"
    kind: Kind = "exchange"
    sides: tuple[Side, ...] = ("driver", "device")
    breaks: tuple[str, ...] = ()
    memory_pages: int = 0x4000
    memory_holes: tuple[str, ...] = ()
    queue_numbers: Mapping[str, int] = field(default_factory=dict)
    bit_numbers: Mapping[str, int] = field(default_factory=dict)
