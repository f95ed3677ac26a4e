"""Cases that vectors cannot express: long random traffic, every negotiation, drivers that run freely.

A scenario is a pytest function in a module of this package, marked with :func:`scenario`. It receives the
``session``, which the suite starts before the function and stops after it, and may use it in any way. The
judge's rules decide, so it asserts nothing. It may raise
:class:`~balloon_conformance.running.not_exercised.NotExercised` with the reason why it cannot be played.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TypeVar

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
            function.__module__.rpartition(".")[2],
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


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Return every scenario, module by module, in the order of the source."""
    for module in sorted(iter_modules([str(DIRECTORY)]), key=lambda found: found.name):
        import_module(f"{__name__}.{module.name}")
    return tuple(_SCENARIOS)
