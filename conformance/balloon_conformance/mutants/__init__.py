"""Implementations that are right in all but one respect, which the suite must notice.

The modules ``device_*`` and ``driver_*`` hold the mutants by what they are wrong about. ``posted`` holds
those that together are the driver posted in 2017. Those of one family alone stand in its room.
:mod:`balloon_conformance.mutants.mutant` says how one is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from types import MappingProxyType

from balloon_conformance import family
from balloon_conformance.mutants.mutant import MUTANTS, Mutant

__all__ = ["Mutant", "mutants"]


def mutants() -> Mapping[str, Mutant]:
    """Return every mutant by name: first those of devices, by module and in the order of the source."""
    return _of(tuple(name for one in family.additions() for name in one.mutants))


@lru_cache(maxsize=4)
def _of(of_families: tuple[str, ...]) -> Mapping[str, Mutant]:
    """Return the mutants of this package and of the modules that families name."""
    own = [
        name
        for name in family.module_names(__name__)
        if name.removeprefix(f"{__name__}.").startswith(("device_", "driver_", "posted"))
    ]
    for name in (*own, *of_families):
        import_module(name)
    there = [
        one for one in MUTANTS.values() if one.module in of_families or one.module.startswith(f"{__name__}.")
    ]
    # Sorted by module, because modules may have been imported in any order.
    ordered = sorted(there, key=lambda one: (one.side, _place(one.module)))
    return MappingProxyType({one.name: one for one in ordered})


def _place(module: str) -> str:
    """Return the name by which a module is ordered, whichever room it stands in."""
    own = f"{__name__}."
    return module.removeprefix(own) if module.startswith(own) else module.rpartition(".")[2]
