"""The options, state, inputs and outputs of the reference device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from balloon_conformance.reference.machine import Note, Refused
from balloon_spec.events import Available, ConfigurationChanged, NeedsReset, Used
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import CHUNK_TRANSFER, Profile

__all__ = [
    "Accept",
    "Copied",
    "DeviceOptions",
    "DeviceOutput",
    "DevicePhase",
    "DeviceState",
    "Discard",
    "Expire",
    "FeaturesOk",
    "Hint",
    "Overwrite",
    "RequestInput",
    "RequestPhase",
    "Requests",
    "StatisticsReport",
    "Wrote",
]

MAX_DATA_BYTES = 8 * 64 * 1024
"""The least response data that a device accepts in one message (HDR-07), in bytes: 8 pages of 64 KiB."""


class DevicePhase(StrEnum):
    """How far the driver has come since the reset."""

    FRESH = "fresh"
    """No features are accepted; no virtqueue exists."""
    NEGOTIATED = "negotiated"
    """FEATURES_OK stands; buffers may be made available but are not taken yet."""
    RUNNING = "running"
    """DRIVER_OK stands."""


class RequestPhase(StrEnum):
    """The device's side of a host request."""

    ABSENT = "absent"
    """HOST_REQ_VQ is not negotiated, or the driver is not running."""
    EMPTY = "empty"
    """The device holds no request buffer, so no request can be made."""
    READY = "ready"
    """The device holds a request buffer, and no request is open."""
    OPEN = "open"
    """A request was made, and DONE has not come."""


class RequestInput(StrEnum):
    """What happens to a host request."""

    START = "start"
    """DRIVER_OK with HOST_REQ_VQ."""
    BUFFER = "buffer"
    """The driver made a request buffer available."""
    WISH = "wish"
    """The operator asks for unused pages."""
    CONT = "cont"
    """A message of the open exchange that is not the last."""
    DONE = "done"
    """The last message of the open exchange."""
    STRAY = "stray"
    """A message that belongs to no open request."""
    EXPIRE = "expire"
    """The host waits no longer."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Input: the driver wrote the features it accepts and set FEATURES_OK."""

    features: int


@dataclass(frozen=True, slots=True)
class Expire:
    """Input: the host goes on without the answer to the open request (REQ-23)."""


@dataclass(frozen=True, slots=True)
class FeaturesOk:
    """Output: whether FEATURES_OK reads back as set."""

    kept: bool


@dataclass(frozen=True, slots=True)
class Discard:
    """Output: give the memory of these guest pages back to the host."""

    pages: PageSet


@dataclass(frozen=True, slots=True)
class Overwrite:
    """Output: change the contents of these guest pages without giving their memory back.

    ``fill`` and ``spans`` say how, as in :class:`~balloon_spec.events.Overwritten`.
    """

    pages: PageSet
    fill: bytes = b""
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Hint:
    """Output: pages that the driver did not use when it answered request ``request``; for migration only."""

    request: int
    pages: PageSet


@dataclass(frozen=True, slots=True)
class Wrote:
    """Input: the guest wrote to these pages."""

    pages: PageSet


@dataclass(frozen=True, slots=True)
class Copied:
    """Output: a copy of guest memory is complete; ``missing`` are the pages that were left out of it."""

    missing: PageSet


@dataclass(frozen=True, slots=True)
class StatisticsReport:
    """Output: the statistics that the device knows, as (tag, value) in the order of the buffer."""

    entries: tuple[tuple[int, int], ...]


DeviceOutput = (
    FeaturesOk
    | Used
    | ConfigurationChanged
    | NeedsReset
    | Discard
    | Overwrite
    | Hint
    | StatisticsReport
    | Copied
    | Note
    | Refused
)


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """The settings of a device, fixed from power-on to power-off.

    ``offered`` are feature bits, by default VERSION_1 and all features of the profile. A set that may not be
    offered raises :class:`ValueError` (NEG-01, NEG-02). ``memory`` are the guest pages that exist.
    ``inhibited`` says that the host may discard nothing; the driver need not know.
    """

    profile: Profile = CHUNK_TRANSFER
    memory: PageSet = field(default_factory=lambda: PageSet([(0, 0x10000)]))
    offered: int | None = None
    inhibited: bool = False
    max_data_bytes: int = MAX_DATA_BYTES

    @property
    def features(self) -> int:
        """The feature bits to offer, without those of the rings, which belong to the transport."""
        if self.offered is not None:
            return self.offered
        return self.profile.mask([*(feature.name for feature in self.profile.device_features), "VERSION_1"])

    def __post_init__(self) -> None:
        missing = self.profile.missing_requirements(self.features)
        if missing:
            raise ValueError(f"{missing[0][0]} is offered without {missing[0][1]}; offer both or neither")


@dataclass(frozen=True, slots=True)
class Requests:
    """Host requests: the buffers held, the operator's waiting requests, and the open request."""

    phase: RequestPhase = RequestPhase.ABSENT
    buffers: tuple[Available, ...] = ()
    wishes: tuple[int, ...] = ()
    request: int = 0
    """The id of the open request, or of the one before."""
    hints: PageSet = EMPTY
    """The unused pages of that request so far."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """Everything that a device remembers. A reset keeps only ``num_pages``, the operator's target."""

    phase: DevicePhase = DevicePhase.FRESH
    accepted: int = 0
    num_pages: int = 0
    actual: int = 0
    balloon: PageSet = EMPTY
    """Pages an inflate buffer named and no deflate buffer since."""
    waiting: tuple[Available, ...] = ()
    """Buffers made available before DRIVER_OK, in that order."""
    requests: Requests = field(default_factory=Requests)
    parts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What the parts of the families remember, by the family's name."""
