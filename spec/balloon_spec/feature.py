"""Feature bits: what one is, those of the rings and the transport, and those that nobody gave a meaning.

A feature of the balloon itself is declared by its family (``balloon_spec.families``); which families come
together, and under which bit numbers, is said by a profile (:mod:`balloon_spec.profile`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "FEATURE_BITS",
    "LAST_BALLOON_BIT",
    "MAY_INSIST_ON",
    "RING_FEATURES",
    "Feature",
    "insisted_on",
    "means_nothing",
]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature bit; ``requires`` names the features that must be offered and accepted with it."""

    name: str
    bit: int
    requires: frozenset[str] = frozenset()
    meaning: str = ""


FEATURE_BITS = range(128)
"""The feature bits there are (VIRTIO 1.2, section 2.2)."""

RING_FEATURES = (
    Feature("INDIRECT_DESC", 28, meaning="descriptor chains may stand in a table of their own"),
    Feature("EVENT_IDX", 29, meaning="notifications are asked for by ring index"),
    Feature("VERSION_1", 32, meaning="the device keeps VIRTIO 1.0 or later, not the legacy interface"),
    Feature("IN_ORDER", 35, meaning="buffers are returned in the order they were made available"),
)
"""Ring and transport features the suite uses (VIRTIO 1.2, section 6)."""

MAY_INSIST_ON: Mapping[int, str] = MappingProxyType(
    {32: "VERSION_1", 33: "ACCESS_PLATFORM", 36: "ORDER_PLATFORM"}
)
"""What a device that offers it may refuse to work without (VIRTIO 1.2, 6.2), by bit."""

LAST_BALLOON_BIT = 23
"""Bits 0 to 23 are the device type's own; those from 24 on are virtio's."""
_FIRST_RESERVED_BIT = 44


def means_nothing(bit: int) -> bool:
    """Tell whether no specification gives a feature bit of a balloon device a meaning (VIRTIO 1.4, 2.2).

    Bits 24 to 43 are virtio's own or those of other devices, and revisions that were never merged used bits
    up to 22: who knows those, knows something.
    """
    return bit == LAST_BALLOON_BIT or bit >= _FIRST_RESERVED_BIT


def insisted_on(offered: int, accepted: int) -> tuple[str, ...]:
    """Return what ``accepted`` leaves out of an offer and a device may insist on, by bit (NEG-07)."""
    left_out = offered & ~accepted
    return tuple(name for bit, name in MAY_INSIST_ON.items() if left_out >> bit & 1)
