"""A profile: which feature families come together, under which bit numbers and queue numbers.

Bits 3 and up have meant different things in different revisions of the balloon device, and nothing on the
wire tells which meaning a peer has in mind. A :class:`Profile` states it: it carries the families with their
bit numbers, and everything else in this package asks the profile and never a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count, pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from balloon_spec.families.family import ConfigurationWord, Family
from balloon_spec.feature import FEATURE_BITS, RING_FEATURES, Feature
from balloon_spec.queues import Numbering, Queue

if TYPE_CHECKING:
    # A rule knows the profile it judges under, and so stands above this module.
    from balloon_spec.judge.ledger import Ledger
    from balloon_spec.judge.rule import Rule

__all__ = ["Profile"]

_FIRST_EXAMPLE: Final = 41
"""A bit that an error names as an example of one that is free."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Feature families with their bit numbers: what each bit means, stated and never guessed.

    ``bits`` are the numbers of features that are not those their family declares. ``numbering`` says which
    virtqueue index a queue has. ``proposals`` are features that somebody proposed and no specification has:
    the profile knows their names, and nothing more of them.

    Raises :class:`ValueError` for a bit that does not exist, two features on one bit, a requirement the
    profile does not have, two queues of one name or at one place, or two configuration words that overlap.
    """

    name: str
    families: tuple[Family, ...] = field(repr=False)
    bits: Mapping[str, int] = field(default_factory=dict, compare=False)
    numbering: Numbering = Numbering.FIXED
    proposals: tuple[Feature, ...] = field(default=(), repr=False)
    features: tuple[Feature, ...] = field(init=False, repr=False)
    by_name: Mapping[str, Feature] = field(init=False, repr=False, compare=False)
    by_bit: Mapping[int, Feature] = field(init=False, repr=False, compare=False)
    named: Mapping[str, Feature] = field(init=False, repr=False, compare=False)
    """Every feature that has a name, the proposals among them."""
    queues: tuple[Queue, ...] = field(init=False, repr=False, compare=False)
    moved_places: Mapping[Queue, int] = field(init=False, repr=False, compare=False)
    """The places of queues that are not those their families declare."""
    words: tuple[ConfigurationWord, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        own = sorted((one for family in self.families for one in family.features), key=lambda one: one.bit)
        by_name = {feature.name: feature for feature in (*own, *RING_FEATURES)}
        object.__setattr__(self, "by_name", MappingProxyType(by_name))
        for name in self.bits:
            self._must_have(name)
        by_name = {name: replace(one, bit=self.bits.get(name, one.bit)) for name, one in by_name.items()}
        features = tuple(by_name.values())
        object.__setattr__(self, "bits", MappingProxyType(dict(self.bits)))
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "by_name", MappingProxyType(by_name))
        by_bit = _by_bit(self.name, features)
        object.__setattr__(self, "by_bit", MappingProxyType(by_bit))
        # A feature that was moved to the bit of a proposal takes its place.
        proposals = {one.name: one for one in self.proposals if one.bit not in by_bit}
        object.__setattr__(self, "named", MappingProxyType({**by_name, **proposals}))
        places = _places(self.families, frozenset(self.moved_bits))
        object.__setattr__(self, "moved_places", MappingProxyType(places))
        object.__setattr__(self, "queues", _queues(self.name, self.families, places))
        object.__setattr__(self, "words", _words(self.name, self.families))

    def __hash__(self) -> int:
        # Few profiles share a name, so hashing the name is enough.
        return hash(self.name)

    @property
    def device_features(self) -> tuple[Feature, ...]:
        """The balloon's own features, without those of the ring and the transport, by bit."""
        ring = {feature.name for feature in RING_FEATURES}
        return tuple(
            sorted((feature for feature in self.features if feature.name not in ring), key=lambda f: f.bit)
        )

    @property
    def moved_bits(self) -> Mapping[str, int]:
        """The bit numbers of the balloon's own features that are not those their families declare."""
        declared = {one.name: one.bit for family in self.families for one in family.features}
        return {one.name: one.bit for one in self.device_features if declared[one.name] != one.bit}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What the judge asks of every event, by family."""
        return tuple(rule for family in self.families for rule in family.rules)

    @property
    def ledgers(self) -> tuple[type[Ledger], ...]:
        """What the judge remembers of an exchange, in the order in which it takes an event in.

        The first family's come last: what others bring sees the session as it was before the event.
        """
        return tuple(ledger for family in reversed(self.families) for ledger in family.ledgers)

    def _must_have(self, name: str) -> None:
        if name not in self.by_name:
            known = ", ".join(self.by_name)
            raise ValueError(f"profile {self.name} has no feature {name}; it has {known}")

    def mask(self, names: Iterable[str]) -> int:
        """Return the feature bits of ``names`` as one integer; :class:`ValueError` for an unknown name."""
        mask = 0
        for name in names:
            if name not in self.named:
                self._must_have(name)
            mask |= 1 << self.named[name].bit
        return mask

    def names(self, mask: int) -> frozenset[str]:
        """Return the names of the bits in ``mask`` that have one; the others carry no meaning."""
        return _names(self, mask)

    def names_by_bit(self, mask: int) -> list[str]:
        """Return :meth:`names`, the lowest bit first."""
        return sorted(self.names(mask), key=lambda name: self.named[name].bit)

    def told(self, mask: int) -> str:
        """Return the features in ``mask`` as a report names them, and the other bits by their numbers."""
        names = self.names(mask)
        told = sorted(name for name in names if name in self.by_name)
        unknown = (self.told_bit(bit) for bit in self.unknown_bits(mask))
        return ", ".join((*told, *unknown)) or "no features"

    def told_bit(self, bit: int) -> str:
        """Return a bit to which the profile gives no meaning as a report names it."""
        proposal = self.proposal(bit)
        return f"bit {bit}" if proposal is None else f"bit {bit} ({proposal.name}, a proposal)"

    def proposal(self, bit: int) -> Feature | None:
        """Return the proposed feature that would have this bit; None if none would, or it has a meaning."""
        return next((one for one in self.proposals if one.bit == bit and one.name in self.named), None)

    def unknown_bits(self, mask: int) -> tuple[int, ...]:
        """Return the bits set in ``mask`` to which the profile gives no meaning, lowest first.

        The proposals are among them.
        """
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
        return replace(self, bits={**self.bits, **bits})

    def with_numbering(self, numbering: Numbering) -> Profile:
        """Return the profile with queues numbered as a peer numbers them."""
        if numbering is self.numbering:
            return self
        return replace(self, numbering=numbering)

    def place(self, queue: Queue) -> int:
        """Return where a queue stands in the standard's list, or behind it.

        Its family declares the place. If another queue has it too, and the feature of one was moved to
        another bit, then that one takes the next place that is free.
        """
        return self.moved_places.get(queue, queue.place)

    def queue_map(self, offered: int, accepted: int) -> Mapping[int, Queue]:
        """Return index to queue for negotiated feature bits, lowest index first (QUEUE-01, QUEUE-02).

        A queue exists if its feature was accepted. With dense numbering the index counts the queues before it
        that exist, or whose feature was offered, as ``numbering`` says.
        """
        return _queue_map(self, offered, accepted)

    def queue_index(self, queue: Queue, offered: int, accepted: int) -> int:
        """Return the index that a queue has; its place in the standard's list if it does not exist."""
        there = self.queue_map(offered, accepted)
        return next((index for index, one in there.items() if one is queue), self.place(queue))

    def queue_count(self, offered: int, accepted: int) -> int:
        """Return how many queues a driver sets up: one more than the highest index in use."""
        return max(self.queue_map(offered, accepted)) + 1

    def configuration_words(self, mask: int) -> tuple[ConfigurationWord, ...]:
        """Return the words of the configuration space that exist with these feature bits, by offset."""
        names = self.names(mask)
        return tuple(word for word in self.words if word.feature is None or word.feature in names)

    def configuration_bytes(self, mask: int) -> int:
        """Return the length of the configuration space with these feature bits: the end of its last word."""
        return max((word.end_bytes for word in self.configuration_words(mask)), default=0)


def _by_bit(profile: str, features: Iterable[Feature]) -> dict[int, Feature]:
    by_bit: dict[int, Feature] = {}
    names = {feature.name for feature in features}
    twice: list[tuple[Feature, Feature]] = []
    for feature in features:
        if feature.bit not in FEATURE_BITS:
            raise ValueError(
                f"profile {profile}: {feature.name}: there is no feature bit {feature.bit}; "
                f"give it a number from 0 to {FEATURE_BITS[-1]}"
            )
        if feature.bit in by_bit:
            twice.append((by_bit[feature.bit], feature))
        by_bit.setdefault(feature.bit, feature)
        missing = sorted(feature.requires - names)
        if missing:
            raise ValueError(f"profile {profile}: {feature.name} requires {missing[0]}, which it lacks")
    if twice:
        told = ", ".join(f"{one.name} and {other.name} both have bit {one.bit}" for one, other in twice)
        example = " ".join(
            f"--bit {one.name}={number}" for number, (one, _) in enumerate(twice, _FIRST_EXAMPLE)
        )
        raise ValueError(f"profile {profile}: {told}; give one of them another number, as in {example}")
    return by_bit


def _places(families: tuple[Family, ...], moved: frozenset[str]) -> dict[Queue, int]:
    """Return the places of those queues whose own is another's too and whose feature was moved."""
    queues = sorted((queue for family in families for queue in family.queues), key=lambda one: one.place)
    counts = Counter(queue.place for queue in queues)
    yielding = [one for one in queues if counts[one.place] > 1 and one.feature in moved]
    behind = count(max(counts, default=-1) + 1)
    return dict(zip(yielding, behind, strict=False))


def _queues(profile: str, families: tuple[Family, ...], moved: Mapping[Queue, int]) -> tuple[Queue, ...]:
    def place(queue: Queue) -> int:
        return moved.get(queue, queue.place)

    queues = sorted((queue for family in families for queue in family.queues), key=place)
    for number, queue in enumerate(queues):
        for other in queues[:number]:
            if place(other) == place(queue) or other.name == queue.name:
                raise ValueError(
                    f"profile {profile}: {other.name} at place {place(other)} and {queue.name} at "
                    f"{place(queue)} are one queue; give one of them another name and place"
                )
    return tuple(queues)


def _words(profile: str, families: tuple[Family, ...]) -> tuple[ConfigurationWord, ...]:
    words = sorted((word for family in families for word in family.words), key=lambda one: one.offset_bytes)
    for before, after in pairwise(words):
        if after.offset_bytes < before.end_bytes:
            raise ValueError(
                f"profile {profile}: {after.name} at byte {after.offset_bytes} of the configuration space "
                f"overlaps {before.name}, which ends at {before.end_bytes}; move one of them"
            )
    return tuple(words)


@lru_cache(maxsize=1024)
def _names(profile: Profile, mask: int) -> frozenset[str]:
    return frozenset(feature.name for feature in profile.named.values() if mask >> feature.bit & 1)


@lru_cache(maxsize=1024)
def _queue_map(profile: Profile, offered: int, accepted: int) -> Mapping[int, Queue]:
    names = {None, *profile.names(accepted)}
    counted = names
    if profile.numbering is Numbering.DENSE_OFFERED:
        counted = {None, *profile.names(offered)}
    there = [queue for queue in profile.queues if queue.feature in counted]
    fixed = profile.numbering is Numbering.FIXED
    return MappingProxyType(
        {
            profile.place(queue) if fixed else number: queue
            for number, queue in enumerate(there)
            if queue.feature in names
        }
    )
