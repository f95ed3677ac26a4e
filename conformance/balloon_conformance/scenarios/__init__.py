"""Cases that vectors cannot express: long random traffic, every negotiation, drivers that run freely.

A scenario is a pytest function in a module of this package, or of the room of the family that it is about,
marked with :func:`scenario`. It receives the
``session``, which the suite starts before the function and stops after it, and may use it in any way. The
judge's rules decide, so it asserts nothing. It may raise
:class:`~balloon_conformance.running.not_exercised.NotExercised` with the reason why it cannot be played.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from balloon_conformance import family
from balloon_spec.events import Side

__all__ = ["DIRECTORY", "Scenario", "of", "scenario", "scenarios"]

DIRECTORY = Path(__file__).parent

_MEMORY_PAGES = 0x4000
_PREFIX = "test_"
_ATTRIBUTE = "balloon_scenario"
_F = TypeVar("_F", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario: the side it judges, the requirements it is about, and those the suite breaks on purpose.

    ``module`` is the full name of the module in which it stands.
    ``features`` are the features that the profile must have; without them the scenario says nothing.
    ``memory_pages`` is the number of 4 KiB guest pages that it needs.
    """

    id: str
    title: str
    module: str
    side: Side
    requirements: tuple[str, ...]
    breaks: tuple[str, ...] = ()
    features: frozenset[str] = frozenset()
    memory_pages: int = _MEMORY_PAGES


_SCENARIOS: list[Scenario] = []


def scenario(
    side: Side,
    *requirements: str,
    breaks: tuple[str, ...] = (),
    features: frozenset[str] = frozenset(),
    memory_pages: int = _MEMORY_PAGES,
) -> Callable[[_F], _F]:
    """Mark a function as a scenario that judges ``side`` and is about ``requirements``."""

    def register(function: _F) -> _F:
        title = (function.__doc__ or "").strip().split("\n")[0].rstrip(".")
        one = Scenario(
            function.__name__.removeprefix(_PREFIX).replace("_", "-"),
            title,
            function.__module__,
            side,
            requirements,
            breaks,
            features,
            memory_pages,
        )
        setattr(function, _ATTRIBUTE, one)
        _SCENARIOS.append(one)
        return function

    return register


def of(function: object) -> Scenario:
    """Return what :func:`scenario` recorded for ``function``; AttributeError if it was not marked."""
    one: Scenario = getattr(function, _ATTRIBUTE)
    return one


def scenarios() -> tuple[Scenario, ...]:
    """Return every scenario, module by module, in the order of the source."""
    return _of(tuple(name for one in family.additions() for name in one.scenarios))


@lru_cache(maxsize=4)
def _of(of_families: tuple[str, ...]) -> tuple[Scenario, ...]:
    """Return the scenarios of this package and of the modules that families name."""
    modules = (*family.module_names(__name__), *of_families)
    for name in modules:
        import_module(name)
    ordered = sorted(modules, key=lambda name: name.rpartition(".")[2])
    return tuple(one for name in ordered for one in _SCENARIOS if one.module == name)
