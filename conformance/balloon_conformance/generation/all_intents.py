"""Every intent there is: those of ``balloon_conformance.intents``, and those in the rooms of the families."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from types import MappingProxyType

from balloon_conformance import family
from balloon_conformance.generation.intents.model import Intent

__all__ = ["intents", "sources"]

_ROOM = "balloon_conformance.intents"


def sources() -> Mapping[str, str]:
    """Return the module of each intent, by id; :class:`ValueError` if two intents have the same id."""
    return MappingProxyType({name: module for name, (module, _) in _tables(_of_families()).items()})


def intents() -> tuple[Intent, ...]:
    """Return every intent, in the order of area and id; :class:`ValueError` if two have the same id."""
    found = (intent for _, intent in _tables(_of_families()).values())
    return tuple(sorted(found, key=lambda intent: (intent.area, intent.id)))


def _of_families() -> tuple[str, ...]:
    return tuple(name for one in family.additions() for name in one.intents)


@lru_cache(maxsize=4)
def _tables(of_families: tuple[str, ...]) -> Mapping[str, tuple[str, Intent]]:
    """Return the module of each intent, and the intent, by its id."""
    found: dict[str, tuple[str, Intent]] = {}
    for name in (*family.module_names(_ROOM), *of_families):
        table: tuple[Intent, ...] = import_module(name).INTENTS
        for intent in table:
            if intent.id in found:
                other, _ = found[intent.id]
                raise ValueError(f"{name}: {intent.id} is an id in {other} too; give it another")
            found[intent.id] = (name, intent)
    return MappingProxyType(found)
