"""The actions of a back-end's session. Its owner carries them out in the order they come."""

from __future__ import annotations

from dataclasses import dataclass

from balloon_conformance.vhost_user.messages import MemoryTable, Message, VringAddress

__all__ = [
    "Accepted",
    "Action",
    "ConfigurationAsked",
    "ConfigurationStored",
    "GaveUp",
    "MemoryShared",
    "Reply",
    "RequestChannel",
    "ResetAsked",
    "Running",
    "VringCall",
    "VringError",
    "VringKick",
    "VringStarted",
    "VringStopped",
    "VringSwitched",
]


@dataclass(frozen=True, slots=True)
class Reply:
    """Send this message."""

    message: Message


@dataclass(frozen=True, slots=True)
class Accepted:
    """The driver accepted these features; bit 30, vhost-user's own, is removed."""

    features: int


@dataclass(frozen=True, slots=True)
class MemoryShared:
    """This is guest memory from here on. It replaces what was shared before."""

    table: MemoryTable
    descriptors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VringKick:
    """The driver's notifications for a vring come here. None: check the vring regularly."""

    index: int
    descriptor: int | None


@dataclass(frozen=True, slots=True)
class VringCall:
    """Used buffers are notified to the driver here. None: the driver wants no notifications."""

    index: int
    descriptor: int | None


@dataclass(frozen=True, slots=True)
class VringError:
    """An error of a vring may be reported here."""

    index: int
    descriptor: int | None


@dataclass(frozen=True, slots=True)
class VringStarted:
    """A vring at these user addresses goes on from available index ``base``. A running vring may be moved."""

    index: int
    size: int
    address: VringAddress
    base: int


@dataclass(frozen=True, slots=True)
class VringStopped:
    """A vring and its descriptors must not be used any more."""

    index: int


@dataclass(frozen=True, slots=True)
class VringSwitched:
    """A started vring may be served, or must not be."""

    index: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class RequestChannel:
    """The back-end's own requests go here: to a socket, or to a pipe through which no reply can come."""

    descriptor: int


@dataclass(frozen=True, slots=True)
class ConfigurationAsked:
    """The front-end read ``data`` of the configuration space. Bytes beyond the space are left out."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ConfigurationStored:
    """The front-end wants ``data`` stored in the configuration space."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Running:
    """The driver set DRIVER_OK."""


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The driver set FAILED: it gave the device up."""


@dataclass(frozen=True, slots=True)
class ResetAsked:
    """The driver reset the device. Memory stays shared; vrings and features are as at the beginning."""


Action = (
    Reply
    | Accepted
    | MemoryShared
    | VringKick
    | VringCall
    | VringError
    | VringStarted
    | VringStopped
    | VringSwitched
    | RequestChannel
    | ConfigurationAsked
    | ConfigurationStored
    | Running
    | GaveUp
    | ResetAsked
)
