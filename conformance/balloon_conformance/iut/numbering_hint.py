"""What to say of a device that lacks a queue of its features: it may number its virtqueues otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection

from balloon_spec.numberings import maps, numberings_of_device
from balloon_spec.profiles import Profile
from balloon_spec.queues import Numbering

__all__ = ["hint"]


def hint(
    absent: Callable[[Collection[int]], frozenset[int]], profile: Profile, offered: int, accepted: int
) -> str:
    """Return the end of an error; empty if no other numbering explains which queues the device has.

    ``absent`` returns those of some indices at which there is no queue.
    """
    each = maps(profile, offered, accepted)
    indices = frozenset(index for queues in each.values() for index in queues)
    found = numberings_of_device(profile, offered, accepted, absent(indices)) if each else frozenset()
    first = next((one for one in Numbering if one in found), None)
    return "" if first is None else f" Or give --numbering {first}, if it numbers its queues so"
