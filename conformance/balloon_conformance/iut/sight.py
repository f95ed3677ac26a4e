"""What a transport cannot show: one table for every kind of adapter, with the reasons.

A verdict depends on what was seen. What an adapter cannot show neither keeps nor breaks a requirement. After
a hidden act (e.g. a refusal that the driver did not learn of) the suite stops judging what follows from it.
An adapter names what it does not show in an attribute ``unseen``, which may depend on what was negotiated. An
adapter without the attribute shows everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from balloon_conformance import family
from balloon_conformance.iut.contract import Capability
from balloon_conformance.vhost_user.messages import ProtocolFeature

__all__ = [
    "FILLS_FREED_PAGES",
    "KICKS",
    "MODERN",
    "TABLE",
    "Fact",
    "HiddenFact",
    "Kind",
    "NotVisible",
    "names_of",
    "resting_on",
    "undecided",
    "unseen",
    "unseen_by",
    "without",
]

KICKS = "a kick descriptor for every virtqueue"
"""A front-end may leave this out; no protocol feature says so."""
MODERN = "the interface of VIRTIO 1.0"
"""A transitional device over PCI has the legacy interface beside it."""
FILLS_FREED_PAGES = "a kernel that fills pages as it frees them"
"""A kernel does so with ``init_on_free=1``, and says so at boot."""


class Fact(StrEnum):
    """What can be seen of an implementation, or told to it. A report names it as the reason for a gap."""

    OFFER = "offer"
    """That the driver is offered every feature that the suite offers."""
    DRIVER_OK = "driver-ok"
    """When the driver set DRIVER_OK."""
    BEFORE_DRIVER_OK = "before-driver-ok"
    """What the device does to buffers that are made available before DRIVER_OK."""
    REFUSAL = "refusal"
    """Whether FEATURES_OK stayed, i.e. whether the device takes or refuses the accepted features."""
    RESET = "reset"
    """That the device is reset while its connection lasts."""
    UNBOUND = "unbound"
    """What the driver does between a reset and the next negotiation."""
    NEEDS_RESET = "needs-reset"
    """That the device set DEVICE_NEEDS_RESET."""
    AVAILABLE_NOTIFICATION = "available-notification"
    """Whether the driver notified the device of a buffer it made available."""
    USED_NOTIFICATION = "used-notification"
    """Whether the device notified the driver of a buffer it returned."""
    CONFIGURATION_CHANGE = "configuration-change"
    """That the device notified the driver of a change of the configuration space."""
    GENERATION = "generation"
    """The generation of the configuration space in which the driver read it."""
    DISCARDED = "discarded"
    """Which pages the device discarded."""
    OVERWRITTEN = "overwritten"
    """Which pages the device changed without giving their memory back."""
    ALTERED = "altered"
    """That the device-readable part of a buffer in flight changed."""
    EXTENTS = "extents"
    """The address and length of each descriptor of a driver's buffer."""
    MEANT = "meant"
    """Which pages the driver means to give up, whatever its buffers name."""
    RELIANCE = "reliance"
    """That the guest relies on what it leaves in its free pages."""


class NotVisible(Exception):  # noqa: N818 - says nothing about the implementation, and is nobody's error
    """The transport cannot show or carry what the rest of a case depends on; the text says why."""


class Kind(StrEnum):
    """The kinds of adapters, by their names on the command line."""

    REFERENCE_DEVICE = "reference-device"
    REFERENCE_DRIVER = "reference-driver"
    QEMU = "qemu"
    RELAY = "relay"
    LINUX_UML = "linux-uml"
    VHOST_USER_DEVICE = "vhost-user-device"
    VHOST_USER_DRIVER = "vhost-user-driver"
    STDIO_DEVICE = "stdio, a device"
    STDIO_DRIVER = "stdio, a driver"


@dataclass(frozen=True, slots=True)
class HiddenFact:
    """One fact that a kind of adapter does not show, and why.

    Any protocol feature or capability named in ``unless`` makes it visible.
    """

    fact: Fact
    because: str
    unless: frozenset[str] = frozenset()


def _unless(*names: str | ProtocolFeature) -> frozenset[str]:
    return frozenset(str(name.name) if isinstance(name, ProtocolFeature) else str(name) for name in names)


_STATUS: Final = _unless(ProtocolFeature.STATUS)
_RESETS: Final = _unless(ProtocolFeature.STATUS, ProtocolFeature.RESET_DEVICE)
_CHANNEL: Final = _unless(ProtocolFeature.BACKEND_REQ)
_STEERED: Final = _unless(Capability.STEER_PAGES)

_DRIVER_OVER_VHOST_USER: Final = (
    HiddenFact(Fact.DRIVER_OK, "vhost-user without STATUS has no message for DRIVER_OK", _STATUS),
    HiddenFact(
        Fact.REFUSAL,
        "vhost-user without STATUS has no FEATURES_OK, by which the driver could be told that its features"
        " are refused",
        _STATUS,
    ),
    HiddenFact(
        Fact.RESET,
        "vhost-user without STATUS and RESET_DEVICE has no message for a reset: it is seen only where the"
        " driver negotiates again or stops every virtqueue and hangs up",
        _RESETS,
    ),
    HiddenFact(
        Fact.UNBOUND,
        "over vhost-user a driver without a device has no connection over which it could do anything",
    ),
    HiddenFact(
        Fact.CONFIGURATION_CHANGE,
        "the front-end gave no request channel (BACKEND_REQ), or closed it, and cannot be told that the"
        " configuration changed",
        _CHANNEL,
    ),
    HiddenFact(
        Fact.AVAILABLE_NOTIFICATION,
        "the front-end gave no descriptor through which it would notify of available buffers",
        _unless(KICKS),
    ),
    HiddenFact(
        Fact.MEANT,
        "nobody can tell the driver which pages to give up, so which it means shows by what it names alone",
        _STEERED,
    ),
)

TABLE: Final[Mapping[Kind, tuple[HiddenFact, ...]]] = MappingProxyType(
    {
        Kind.REFERENCE_DEVICE: (
            HiddenFact(Fact.OVERWRITTEN, "the device in this process has no memory behind its pages"),
        ),
        Kind.REFERENCE_DRIVER: (
            HiddenFact(
                Fact.REFUSAL,
                "the driver in this process runs once it has accepted features, and is told of no refusal",
            ),
            HiddenFact(Fact.EXTENTS, "buffers are handed over whole in this process, without descriptors"),
        ),
        Kind.QEMU: (
            HiddenFact(
                Fact.REFUSAL,
                "the legacy interface has no FEATURES_OK, by which a device could refuse features",
                _unless(MODERN),
            ),
            HiddenFact(Fact.NEEDS_RESET, "the legacy interface has no DEVICE_NEEDS_RESET", _unless(MODERN)),
            HiddenFact(
                Fact.GENERATION,
                "the legacy interface has no generation of the configuration space",
                _unless(MODERN),
            ),
        ),
        Kind.RELAY: (),
        Kind.LINUX_UML: (
            *_DRIVER_OVER_VHOST_USER,
            HiddenFact(
                Fact.RELIANCE,
                "the kernel does not fill pages as it frees them, so it relies on nothing in them",
                _unless(FILLS_FREED_PAGES),
            ),
        ),
        Kind.VHOST_USER_DEVICE: (
            HiddenFact(
                Fact.DRIVER_OK, "vhost-user without STATUS does not tell the device of DRIVER_OK", _STATUS
            ),
            HiddenFact(
                Fact.BEFORE_DRIVER_OK,
                "over vhost-user the virtqueues are handed over when the driver is ready, and not before",
            ),
            HiddenFact(
                Fact.REFUSAL,
                "vhost-user without STATUS has no FEATURES_OK: that a back-end takes SET_FEATURES does not"
                " say that it takes the features",
                _STATUS,
            ),
            HiddenFact(
                Fact.RESET,
                "vhost-user without STATUS and RESET_DEVICE has no message for a reset: the connection is"
                " closed and made again",
                _RESETS,
            ),
            HiddenFact(
                Fact.NEEDS_RESET,
                "vhost-user without STATUS has no status in which DEVICE_NEEDS_RESET could be set",
                _STATUS,
            ),
            HiddenFact(
                Fact.CONFIGURATION_CHANGE,
                "the back-end uses no request channel (BACKEND_REQ), through which it would tell that the"
                " configuration changed",
                _CHANNEL,
            ),
            HiddenFact(Fact.GENERATION, "over vhost-user the configuration space has no generation"),
        ),
        Kind.VHOST_USER_DRIVER: (
            *_DRIVER_OVER_VHOST_USER,
            HiddenFact(
                Fact.OFFER,
                "a front-end stands between the device and the driver, and may keep VERSION_1 to itself",
            ),
            HiddenFact(
                Fact.RELIANCE,
                "nobody says whether the guest relies on what it leaves in its free pages",
                _STEERED,
            ),
        ),
        Kind.STDIO_DEVICE: (
            HiddenFact(
                Fact.GENERATION,
                "the protocol over standard streams has no generation of the configuration space",
            ),
            HiddenFact(
                Fact.USED_NOTIFICATION, "the program does not say whether it notifies of what it returns"
            ),
            HiddenFact(
                Fact.DISCARDED,
                "the program does not claim discards: it cannot tell which pages were discarded",
                _unless(Capability.DISCARDS),
            ),
            HiddenFact(
                Fact.OVERWRITTEN,
                "the program does not claim discards: it cannot tell which pages were changed",
                _unless(Capability.DISCARDS),
            ),
            HiddenFact(
                Fact.ALTERED,
                "the program does not claim reread: a buffer in flight cannot be looked at again",
                _unless("reread"),
            ),
        ),
        Kind.STDIO_DRIVER: (
            HiddenFact(
                Fact.AVAILABLE_NOTIFICATION,
                "the program does not say whether it notifies of what it makes available",
            ),
            HiddenFact(
                Fact.REFUSAL,
                "the protocol over standard streams does not tell a driver that its features are refused",
            ),
            HiddenFact(
                Fact.MEANT,
                "the program does not claim steer-pages: which pages it means shows by what it names alone",
                _STEERED,
            ),
            HiddenFact(
                Fact.RELIANCE,
                "the program does not claim steer-pages: nobody says whether its guest relies on free pages",
                _STEERED,
            ),
            HiddenFact(
                Fact.ALTERED,
                "the program does not claim reread: a buffer in flight cannot be looked at again",
                _unless("reread"),
            ),
        ),
    }
)
"""What each kind of adapter does not show. ``python:`` adapters have an attribute of their own."""


def resting_on(fact: Fact) -> tuple[str, ...]:
    """Return the requirements that cannot be decided unless the fact is seen, as families declare them.

    Those about feature sets are not among them: a refusal that was seen counts, however the transport shows
    it.
    """
    return tuple(name for one in family.additions() for name in one.rests_on.get(fact, ()))


def undecided(hidden: Mapping[Fact, str]) -> Mapping[str, str]:
    """Return the requirements that cannot be decided if ``hidden`` is not shown, each with the reason."""
    return {name: because for fact, because in hidden.items() for name in resting_on(fact)}


def unseen(kind: Kind, has: Collection[str] = ()) -> Mapping[Fact, str]:
    """Return what an adapter of this kind does not show, with the reasons.

    ``has`` are the names of the negotiated protocol features, or of the program's capabilities.
    """
    return MappingProxyType({one.fact: one.because for one in TABLE[kind] if one.unless.isdisjoint(has)})


def without(hidden: Mapping[Fact, str], fact: Fact) -> Mapping[Fact, str]:
    """Return what is hidden once ``fact`` was seen: an implementation may show what it need not show."""
    return MappingProxyType({one: because for one, because in hidden.items() if one is not fact})


def names_of(features: ProtocolFeature) -> frozenset[str]:
    """Return the names of a set of protocol features, for :func:`unseen`."""
    return frozenset(str(feature.name) for feature in ProtocolFeature if feature in features)


def unseen_by(adapter: object) -> Mapping[Fact, str]:
    """Return what ``adapter`` does not show; empty if it has no attribute ``unseen``."""
    told: Mapping[Fact, str] = getattr(adapter, "unseen", _NOTHING)
    return told


_NOTHING: Final[Mapping[Fact, str]] = MappingProxyType({})
