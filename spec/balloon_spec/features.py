"""Feature bits, what each requires, and the profiles that give the bits their meaning.

Bits 3 and up have meant different things in different revisions of the balloon device, and nothing on the
wire tells which meaning a peer has in mind. A :class:`Profile` states it: it carries the features with
their bit numbers, and everything else in this package asks the profile and never a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

__all__ = [
    "BASE",
    "CHUNK_TRANSFER",
    "LAST_BALLOON_BIT",
    "MAY_INSIST_ON",
    "PROFILES",
    "Feature",
    "Profile",
    "insisted_on",
    "means_nothing",
    "profile",
]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature bit.

    ``requires`` names the features that must be offered and accepted with it. ``queue`` is the name of the
    virtqueue that exists only when the feature is negotiated (see :mod:`balloon_spec.queues`).
    """

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


BASE_FEATURES = (
    Feature("MUST_TELL_HOST", 0, meaning="a page is told to the device before the guest uses it again"),
    Feature("STATS_VQ", 1, meaning="the statistics queue exists"),
    Feature("DEFLATE_ON_OOM", 2, meaning="the driver may take pages back when the guest runs out of memory"),
)

CHUNK_FEATURES = (
    Feature(
        "CHUNK_TRANSFER",
        3,
        frozenset({"STATS_VQ"}),
        "inflate and deflate carry messages of chunks instead of page frame numbers",
    ),
    Feature(
        "HOST_REQ_VQ",
        4,
        frozenset({"STATS_VQ"}),
        "the host request queue exists",
    ),
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A set of features with their bit numbers: what each bit means, stated and never guessed.

    Raises :class:`ValueError` for a bit that does not exist, two features on one bit, or a requirement the
    profile does not have.
    """

    name: str
    features: tuple[Feature, ...]
    by_name: Mapping[str, Feature] = field(init=False, repr=False, compare=False)
    by_bit: Mapping[int, Feature] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {feature.name: feature for feature in self.features}
        by_bit: dict[int, Feature] = {}
        for feature in self.features:
            if feature.bit not in FEATURE_BITS:
                raise ValueError(
                    f"profile {self.name}: {feature.name}: there is no feature bit {feature.bit}; "
                    f"give it a number from 0 to {FEATURE_BITS[-1]}"
                )
            if feature.bit in by_bit:
                other = by_bit[feature.bit].name
                raise ValueError(
                    f"profile {self.name}: {feature.name} and {other} both have bit {feature.bit}; "
                    "give one of them another number"
                )
            by_bit[feature.bit] = feature
            missing = sorted(feature.requires - by_name.keys())
            if missing:
                raise ValueError(f"profile {self.name}: {feature.name} requires {missing[0]}, which it lacks")
        object.__setattr__(self, "by_name", MappingProxyType(by_name))
        object.__setattr__(self, "by_bit", MappingProxyType(by_bit))

    def __hash__(self) -> int:
        # Of profiles with one name that have other bit numbers there are few.
        return hash(self.name)

    @property
    def device_features(self) -> tuple[Feature, ...]:
        """The balloon's own features, without those of the ring and the transport, by bit."""
        ring = {feature.name for feature in RING_FEATURES}
        return tuple(
            sorted((feature for feature in self.features if feature.name not in ring), key=lambda f: f.bit)
        )

    def mask(self, names: Iterable[str]) -> int:
        """Return the feature bits of ``names`` as one integer; :class:`ValueError` for an unknown name."""
        mask = 0
        for name in names:
            if name not in self.by_name:
                known = ", ".join(feature.name for feature in self.features)
                raise ValueError(f"profile {self.name} has no feature {name}; it has {known}")
            mask |= 1 << self.by_name[name].bit
        return mask

    def names(self, mask: int) -> frozenset[str]:
        """Return the names of the bits in ``mask`` that the profile knows; the others carry no meaning."""
        return _names(self, mask)

    def names_by_bit(self, mask: int) -> list[str]:
        """Return :meth:`names`, the lowest bit first."""
        return sorted(self.names(mask), key=lambda name: self.by_name[name].bit)

    def told(self, mask: int) -> str:
        """Return the features in ``mask`` as a report names them, and the other bits by their numbers."""
        unknown = (f"bit {bit}" for bit in self.unknown_bits(mask))
        return ", ".join((*sorted(self.names(mask)), *unknown)) or "no features"

    def unknown_bits(self, mask: int) -> tuple[int, ...]:
        """Return the bits set in ``mask`` to which the profile gives no meaning, lowest first."""
        return tuple(bit for bit in range(mask.bit_length()) if mask >> bit & 1 and bit not in self.by_bit)

    def missing_requirements(self, mask: int) -> tuple[tuple[str, str], ...]:
        """Return (feature, what it requires and ``mask`` lacks), in bit order; empty when the set is legal.

        The same test serves an offered set (NEG-01, NEG-02) and an accepted one (NEG-03, NEG-04).
        """
        names = self.names(mask)
        return tuple(
            (feature.name, needed)
            for feature in sorted(self.features, key=lambda f: f.bit)
            if feature.name in names
            for needed in sorted(feature.requires - names)
        )

    def may_offer(self, mask: int) -> bool:
        """Tell whether a device may offer exactly these bits (NEG-01, NEG-02)."""
        return not self.missing_requirements(mask)

    def may_accept(self, offered: int, accepted: int) -> bool:
        """Tell whether a driver may accept ``accepted`` of ``offered`` (NEG-03 to NEG-05)."""
        return not accepted & ~offered and not self.missing_requirements(accepted)

    def with_bits(self, bits: Mapping[str, int]) -> Profile:
        """Return the profile with other bit numbers for the named features.

        Bits 3 and 4 are other features in today's drivers and devices; an implementation that keeps chunk
        transfer beside them needs free numbers.
        """
        for name in bits:
            self.mask([name])
        return Profile(
            self.name,
            tuple(replace(feature, bit=bits.get(feature.name, feature.bit)) for feature in self.features),
        )


def insisted_on(offered: int, accepted: int) -> tuple[str, ...]:
    """Return what ``accepted`` leaves out of an offer and a device may insist on, by bit (NEG-07)."""
    left_out = offered & ~accepted
    return tuple(name for bit, name in MAY_INSIST_ON.items() if left_out >> bit & 1)


@lru_cache(maxsize=1024)
def _names(profile: Profile, mask: int) -> frozenset[str]:
    return frozenset(feature.name for feature in profile.features if mask >> feature.bit & 1)


BASE = Profile("base", BASE_FEATURES + RING_FEATURES)
"""Bits 0 to 2 only: what every implementation of the balloon device shares."""

CHUNK_TRANSFER = Profile("chunk-transfer", BASE_FEATURES + CHUNK_FEATURES + RING_FEATURES)
"""The base profile, CHUNK_TRANSFER and HOST_REQ_VQ."""

PROFILES: Mapping[str, Profile] = MappingProxyType({p.name: p for p in (BASE, CHUNK_TRANSFER)})


def profile(name: str, bits: Mapping[str, int] | None = None) -> Profile:
    """Return the profile called ``name``, with other bit numbers where ``bits`` gives them.

    Raises :class:`ValueError` for a profile or a feature that does not exist.
    """
    if name not in PROFILES:
        raise ValueError(f"no profile {name!r}; choose one of {', '.join(PROFILES)}")
    return PROFILES[name].with_bits(bits) if bits else PROFILES[name]
