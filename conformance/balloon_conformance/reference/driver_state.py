"""The options, state, inputs and outputs of the reference driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from balloon_conformance.reference.coalesce import CHUNK_BYTES
from balloon_conformance.reference.device_state import MAX_DATA_BYTES
from balloon_conformance.reference.machine import Note, Refused
from balloon_spec.events import (
    Available,
    ConfigurationRead,
    ConfigurationWritten,
    DriverOk,
    Guest,
    Memory,
)
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import CHUNK_TRANSFER, Profile
from balloon_spec.queues import Queue

__all__ = [
    "Accepted",
    "AnswerInput",
    "AnswerPhase",
    "Answering",
    "BalloonInput",
    "BalloonPhase",
    "Ballooning",
    "DriverOptions",
    "DriverOutput",
    "DriverPhase",
    "DriverState",
    "Fill",
    "Flight",
    "Freed",
    "Offer",
]


class DriverPhase(StrEnum):
    """Whether the driver is bound to a device."""

    FRESH = "fresh"
    """No device was offered since the start or the reset."""
    RUNNING = "running"
    """DRIVER_OK is set."""


class BalloonPhase(StrEnum):
    """What the driver is doing to the balloon; one operation at a time."""

    RESTING = "resting"
    INFLATING = "inflating"
    DEFLATING = "deflating"


class BalloonInput(StrEnum):
    """What happens to the balloon."""

    WISH = "wish"
    """The target changed, or the guest gave pages up or wants some back."""
    INFLATE_RETURNED = "inflate-returned"
    DEFLATE_RETURNED = "deflate-returned"


class AnswerPhase(StrEnum):
    """The driver's side of a host request."""

    ABSENT = "absent"
    """HOST_REQ_VQ is not negotiated, or not set up yet."""
    OFFERED = "offered"
    """The request buffer is with the device."""
    ANSWERING = "answering"
    """Messages are made available; DONE is to come."""
    FINISHING = "finishing"
    """DONE was made available and is not returned."""


class AnswerInput(StrEnum):
    """What happens to a host request."""

    START = "start"
    """Features with HOST_REQ_VQ were accepted."""
    REQUEST = "request"
    """The request buffer came back with a request for unused pages."""
    UNKNOWN = "unknown"
    """It came back with a command the driver does not know."""
    UNREADABLE = "unreadable"
    """It came back with a used length other than 16."""
    CONT_RETURNED = "cont-returned"
    DONE_RETURNED = "done-returned"


@dataclass(frozen=True, slots=True)
class Offer:
    """Input: a device offers features; ``configuration`` is its configuration space."""

    offered: int
    configuration: bytes = b""


@dataclass(frozen=True, slots=True)
class Freed:
    """Input: the guest no longer uses pages, and the driver may give them up by itself."""

    pages: PageSet


@dataclass(frozen=True, slots=True)
class Accepted:
    """Output: the features that the driver accepted, or None if it refused the device."""

    features: int | None


@dataclass(frozen=True, slots=True)
class Fill:
    """Output: the driver writes ``data`` into these pages, over and over."""

    pages: PageSet
    data: bytes


DriverOutput = (
    Accepted
    | Fill
    | Memory
    | DriverOk
    | Available
    | ConfigurationRead
    | ConfigurationWritten
    | Guest
    | Note
    | Refused
)


@dataclass(frozen=True, slots=True)
class DriverOptions:
    """The settings of a driver, fixed from start to end.

    ``supported`` are the feature bits it can accept, by default VERSION_1 and all features of the profile.
    ``capacity_bytes`` is the response data of a message, ``array_pages`` the entries of an array of page
    frame numbers. ``ring_size`` is the number of descriptors of every queue. ``in_flight`` is
    how many buffers of a queue may be with the device at once; None means as many as the ring has room for.
    ``own_memory`` are pages that the driver may give up by itself; if it is None, the guest is asked.

    Raises :class:`ValueError` for a capacity that holds no chunk or exceeds what every device accepts.
    """

    profile: Profile = CHUNK_TRANSFER
    memory: PageSet = field(default_factory=lambda: PageSet([(0, 0x10000)]))
    supported: int | None = None
    capacity_bytes: int = 8 * 4096
    array_pages: int = 256
    ring_size: int = 256
    in_flight: int | None = None
    own_memory: PageSet | None = None

    def __post_init__(self) -> None:
        # HDR-08: no message carries more than every device accepts.
        if not CHUNK_BYTES <= self.capacity_bytes <= MAX_DATA_BYTES:
            raise ValueError(
                f"capacity_bytes is {self.capacity_bytes}; choose {CHUNK_BYTES} to {MAX_DATA_BYTES}"
            )
        for name, value in (("array_pages", self.array_pages), ("ring_size", self.ring_size)):
            if value < 1:
                raise ValueError(f"{name} is {value}; choose at least 1")
        if self.in_flight is not None and self.in_flight < 1:
            raise ValueError(f"in_flight is {self.in_flight}; choose at least 1")

    @property
    def features(self) -> int:
        """The feature bits the driver can accept."""
        if self.supported is not None:
            return self.supported
        return self.profile.mask([*(feature.name for feature in self.profile.device_features), "VERSION_1"])

    @property
    def flight_limit(self) -> int:
        """The buffers of one queue that may be with the device at once (QUEUE-08)."""
        return self.ring_size if self.in_flight is None else min(self.in_flight, self.ring_size)


@dataclass(frozen=True, slots=True)
class Flight:
    """A buffer that is with the device: its queue and the pages it names.

    On the host request queue ``is_done`` tells the last message of an exchange, ``is_request`` the request
    buffer. ``note`` is for the part of any other family.
    """

    queue: Queue
    pages: PageSet = EMPTY
    is_done: bool = False
    is_request: bool = False
    note: object = None


@dataclass(frozen=True, slots=True)
class Ballooning:
    """The balloon and the operation under way.

    ``balloon`` are the pages whose inflate buffers were returned and whose deflate buffers were not. ``left``
    holds the pages of buffers still to be made available, one set for each buffer. ``promised`` are the pages
    of a deflation that the guest asked for.
    """

    phase: BalloonPhase = BalloonPhase.RESTING
    balloon: PageSet = EMPTY
    left: tuple[PageSet, ...] = ()
    promised: PageSet = EMPTY


@dataclass(frozen=True, slots=True)
class Answering:
    """The exchange under way: the request, and the pages still to be reported, one set for each message."""

    phase: AnswerPhase = AnswerPhase.ABSENT
    cmd: int = 0
    param: int = 0
    left: tuple[PageSet, ...] = ()


@dataclass(frozen=True, slots=True)
class DriverState:
    """Everything that a driver remembers. A reset keeps the guest's requests and the count of buffers."""

    phase: DriverPhase = DriverPhase.FRESH
    offered: int = 0
    accepted: int = 0
    num_pages: int = 0
    ballooning: Ballooning = field(default_factory=Ballooning)
    answering: Answering = field(default_factory=Answering)
    flights: Mapping[str, Flight] = field(default_factory=lambda: MappingProxyType({}))
    buffers: int = 0
    to_inflate: PageSet = EMPTY
    """Pages that the guest gives up as soon as the target asks for them."""
    to_deflate: PageSet = EMPTY
    """Pages that the guest wants back."""
    unused: PageSet = EMPTY
    """Pages that the guest does not use."""
    pool: PageSet = EMPTY
    """Free pages that the driver may give up by itself."""
    parts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What the parts of the families remember, by the family's name."""
