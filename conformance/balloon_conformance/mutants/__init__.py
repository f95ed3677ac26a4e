"""Implementations that are right in all but one respect, and the proof that the suite notices each.

The mutants stand in the modules ``device_*`` and ``driver_*`` by what they are wrong about, and those that
together are the driver that was posted in 2017 in ``posted``;
:mod:`balloon_conformance.mutants.mutant` says how one is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType

from balloon_conformance.mutants.mutant import MUTANTS, Mutant

__all__ = ["Mutant", "mutants"]


@cache
def mutants() -> Mapping[str, Mutant]:
    """Return every mutant by name: those of devices first, by module and in the order they stand there."""
    for module in sorted(iter_modules([str(Path(__file__).parent)]), key=lambda found: found.name):
        if module.name.startswith(("device_", "driver_")):
            import_module(f"{__name__}.{module.name}")
    import_module(f"{__name__}.posted")
    # By module, and not as they were imported: somebody may have imported one of the modules before.
    ordered = sorted(MUTANTS.values(), key=lambda one: (one.side, one.module))
    return MappingProxyType({one.name: one for one in ordered})
