"""Which numberings explain the virtqueue indices that were seen of a peer.

Numberings differ only if some queue does not exist and one behind it in the standard's list does. Then the
indices that a driver uses, or that a device lacks, show how the peer numbers its queues. Everything else
tells nothing, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType

from balloon_spec.feature import LAST_BALLOON_BIT
from balloon_spec.profile import Profile
from balloon_spec.queues import Numbering, Queue

__all__ = ["ALL", "Numberings", "maps", "numberings", "numberings_of_device", "told"]

Numberings = frozenset[Numbering]

ALL: Numberings = frozenset(Numbering)
"""What explains indices that tell nothing."""


@lru_cache(maxsize=1024)
def maps(profile: Profile, offered: int, accepted: int) -> Mapping[Numbering, Mapping[int, Queue]]:
    """Return the queues by index under each numbering; empty if nothing can be told by these features.

    That is so if all numberings give the same, and if a balloon feature was offered or accepted of which the
    profile knows not even the name: it may bring a queue.
    """
    unknown = profile.unknown_bits(offered | accepted)
    if any(bit <= LAST_BALLOON_BIT and profile.proposal(bit) is None for bit in unknown):
        return MappingProxyType({})
    each = {one: profile.with_numbering(one).queue_map(offered, accepted) for one in Numbering}
    return MappingProxyType({} if len({frozenset(one) for one in each.values()}) == 1 else each)


def numberings(profile: Profile, offered: int, accepted: int, indices: Collection[int]) -> Numberings:
    """Return the numberings under which a driver may use each of these indices.

    None does if a driver used an index that no queue has. For features by which the numberings do not differ
    the indices tell nothing, and the answer is :data:`ALL`.
    """
    each = maps(profile, offered, accepted)
    fit = frozenset(one for one, queues in each.items() if queues.keys() >= set(indices))
    return fit if each else ALL


def numberings_of_device(
    profile: Profile, offered: int, accepted: int, absent: Collection[int]
) -> Numberings:
    """Return the numberings under which a device that lacks these indices has all queues of its features."""
    each = maps(profile, offered, accepted)
    fit = frozenset(one for one, queues in each.items() if queues.keys().isdisjoint(absent))
    return fit if each else ALL


def told(used: Numbering, seen: Numberings) -> str:
    """Say in a sentence what the indices that were seen tell beside the numbering used; empty if nothing."""
    if seen == ALL:
        return ""
    if not seen:
        return "no numbering explains every virtqueue index that was seen"
    names = " or ".join(one for one in Numbering if one in seen)
    if used in seen:
        return f"the virtqueue indices that were seen are {names}"
    first = next(one for one in Numbering if one in seen)
    return (
        f"the virtqueue indices that were seen are {names}, and not {used}: "
        f"give --numbering {first} if the implementation numbers its queues so"
    )
