"""The profiles there are, and with them the families: what is computed for all of them asks here.

The profiles of this package are registered when it is imported (:mod:`balloon_spec.profiles`). A profile
may be added for a time, and everything that is computed follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from balloon_spec.families.family import Family
from balloon_spec.queues import Queue
from balloon_spec.wire.structure import Structure

if TYPE_CHECKING:
    # A profile knows the rules of its families, and so stands above this module.
    from balloon_spec.judge.rule import Rule
    from balloon_spec.profile import Profile

__all__ = ["added", "families", "profiles", "queue", "queues", "register", "rules", "structures"]

_profiles: dict[str, Profile] = {}


@lru_cache(maxsize=8)
def _families_of(profiles: tuple[tuple[Family, ...], ...]) -> tuple[Family, ...]:
    return tuple(dict.fromkeys(family for one in profiles for family in one))


def register(profile: Profile) -> None:
    """Make a profile known under its name; ValueError if there is one of that name."""
    if profile.name in _profiles:
        raise ValueError(f"there is a profile {profile.name} already; give this one another name")
    _profiles[profile.name] = profile


@contextmanager
def added(profile: Profile) -> Iterator[Profile]:
    """Make a profile known until the end of the block."""
    register(profile)
    try:
        yield profile
    finally:
        del _profiles[profile.name]


def profiles() -> Mapping[str, Profile]:
    """Return every profile by name, in the order in which they were registered."""
    return MappingProxyType(_profiles)


def families() -> tuple[Family, ...]:
    """Return the families of all profiles, each once."""
    return _families_of(tuple(profile.families for profile in _profiles.values()))


def queues() -> tuple[Queue, ...]:
    """Return the queues of all families, by their place in the standard's list."""
    return tuple(sorted((one for family in families() for one in family.queues), key=lambda one: one.place))


def queue(name: str) -> Queue:
    """Return the queue called ``name``; :class:`ValueError` if there is none."""
    known = queues()
    for one in known:
        if one.name == name:
            return one
    raise ValueError(f"there is no queue {name}; there are {', '.join(one.name for one in known)}")


def structures() -> Mapping[str, Structure]:
    """Return the structures of all families by name, as the command line and vectors write it."""
    return {one.name: one for family in families() for one in family.structures}


def rules() -> tuple[Rule, ...]:
    """Return the rules of all families."""
    return tuple(rule for family in families() for rule in family.rules)
