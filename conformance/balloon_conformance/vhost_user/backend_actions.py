"""What a back-end's session wants done: actions, to be carried out in the order they come."""

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
    """The driver accepted these features; bit 30 is none of its."""

    features: int


@dataclass(frozen=True, slots=True)
class MemoryShared:
    """This is guest memory from here on; what was shared before is no more."""

    table: MemoryTable
    descriptors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VringKick:
    """The driver's notifications for a vring come here; None: look at the vring now and then."""

    index: int
    descriptor: int | None


@dataclass(frozen=True, slots=True)
class VringCall:
    """The driver is notified of used buffers here; None: it does not want to be."""

    index: int
    descriptor: int | None


@dataclass(frozen=True, slots=True)
class VringError:
    """An error of a vring may be reported here."""

    index: int
    descriptor: int | None


@dataclass(frozen=True, slots=True)
class VringStarted:
    """A vring lies here, as user addresses, and goes on from available index ``base``; it may be moved so."""

    index: int
    size: int
    address: VringAddress
    base: int


@dataclass(frozen=True, slots=True)
class VringStopped:
    """A vring and its descriptors must not be touched any more."""

    index: int


@dataclass(frozen=True, slots=True)
class VringSwitched:
    """A vring that was started may, or must not, be served."""

    index: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class RequestChannel:
    """Requests of the back-end are written here: a socket, or a pipe through which no reply can come."""

    descriptor: int


@dataclass(frozen=True, slots=True)
class ConfigurationAsked:
    """The front-end read ``data`` of the configuration space, as far as the space reaches."""

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
    """The driver set FAILED: it gave up on the device."""


@dataclass(frozen=True, slots=True)
class ResetAsked:
    """The driver reset the device; memory stays shared, vrings and features are as at the beginning."""


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
