"""Implementations that are right in all but one respect, which the suite must notice.

The modules ``device_*`` and ``driver_*`` hold the mutants by what they are wrong about. ``posted`` holds
those that together are the driver posted in 2017. :mod:`balloon_conformance.mutants.mutant` says how one is
written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType

from balloon_conformance.mutants.mutant import MUTANTS, Mutant

__all__ = ["Mutant", "added", "mutants"]


def mutants() -> Mapping[str, Mutant]:
    """Return every mutant by name: first those of devices, by module and in the order of the source."""
    _import_all()
    return _ordered(tuple(MUTANTS.values()))


@cache
def _import_all() -> None:
    for module in sorted(iter_modules([str(Path(__file__).parent)]), key=lambda found: found.name):
        if module.name.startswith(("device_", "driver_")):
            import_module(f"{__name__}.{module.name}")
    import_module(f"{__name__}.posted")


@lru_cache(maxsize=4)
def _ordered(entered: tuple[Mutant, ...]) -> Mapping[str, Mutant]:
    # Sorted by module, because modules may have been imported in any order.
    ordered = sorted(entered, key=lambda one: (one.side, one.module))
    return MappingProxyType({one.name: one for one in ordered})


@contextmanager
def added() -> Iterator[None]:
    """Forget at the end of the block the mutants, those of a further family, that are entered in it."""
    _import_all()
    before = dict(MUTANTS)
    try:
        yield
    finally:
        MUTANTS.clear()
        MUTANTS.update(before)
