"""Trials: what a buffer puts a device to the test of, and which requirement is blamed if it fails.

A buffer that is unusual in some way shows more than that buffers are returned and pages discarded. It comes
back, its pages are discarded, other pages are left alone. If it does not, the first of the buffer's trials
that shows in this way is what was broken: the others follow from it, or say less.

Each family declares its trials, with their places in the order in which blame is tried. All of them together
are one table, in which the most telling come first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from balloon_spec.families import registry

if TYPE_CHECKING:
    from balloon_spec.families.family import Family

__all__ = [
    "Trial",
    "Trials",
    "among",
    "by_change",
    "by_discard",
    "by_return",
    "first",
    "known",
    "of_families",
    "welcome",
]


@dataclass(frozen=True, slots=True)
class Trial:
    """One requirement that a buffer may put a device to the test of, and all the ways in which that shows.

    ``place`` is where blame tries it: the least first, and no two trials have the same.

    The words are those of a finding, empty if it does not show in that way: ``not_returned`` if the buffer
    does not come back, ``harmed`` if pages are changed that the requirement forbids to touch, ``stray`` if
    pages are changed that none forbids to touch in particular. A malformed buffer that does not come back
    breaks no more than SAFE-03, unless a trial of its ``tests_malformed``.
    With ``tests_discard`` it shows whether the pages are discarded. If it ``lasts``, the pages are forbidden
    as long as no inflate buffer names them, and else until all memory was looked at; if it
    ``outlives_reset``, after a reset too. A device that asks for a reset although it was to be ``welcome``
    breaks the requirement by that.

    Two say something of the pages that are discarded: ``passes_over`` that a part of the buffer is to be
    passed over, and ``finds_none`` that who breaks the requirement finds no page of the buffer.
    """

    requirement: str
    place: int
    not_returned: str = ""
    harmed: str = ""
    stray: str = ""
    tests_malformed: bool = False
    tests_discard: bool = False
    lasts: bool = False
    outlives_reset: bool = False
    welcome: bool = False
    passes_over: bool = False
    finds_none: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Trials in the order in which blame is tried, and by the way in which they show.

    Raises :class:`ValueError` for two trials of one requirement or at one place.
    """

    every: tuple[Trial, ...]
    by_return: tuple[str, ...] = field(init=False)
    """What the return of a well-formed buffer puts to the test."""
    by_return_of_malformed: tuple[str, ...] = field(init=False)
    """What the return of a malformed buffer puts to the test beyond SAFE-03."""
    by_any_return: tuple[str, ...] = field(init=False)
    """Either, in the order of blame."""
    by_discard: tuple[str, ...] = field(init=False)
    """What the discard of a buffer's pages puts to the test."""
    by_harm: tuple[str, ...] = field(init=False)
    """What forbids touching particular pages."""
    by_stray: tuple[str, ...] = field(init=False)
    """What a buffer that names no pages puts to the test of."""
    lasting: frozenset[str] = field(init=False)
    """What forbids touching pages for as long as no inflate buffer names them."""
    outliving: tuple[str, ...] = field(init=False)
    """What forbids it after a reset too."""
    welcome: tuple[str, ...] = field(init=False)
    """By what a device copes with a well-formed buffer that comes at the wrong time."""
    passing_over: tuple[str, ...] = field(init=False)
    """What orders to act on the rest of a buffer of which a part is passed over."""
    _by_name: Mapping[str, Trial] = field(init=False)

    def __post_init__(self) -> None:
        places: dict[int, Trial] = {}
        for one in self.every:
            before = places.setdefault(one.place, one)
            if before is not one:
                raise ValueError(
                    f"the trials {before.requirement} and {one.requirement} both have place {one.place}; "
                    "give one of them another"
                )
        by_name = {one.requirement: one for one in self.every}
        if len(by_name) < len(self.every):
            raise ValueError("a requirement has two trials; say in one all the ways in which it shows")
        every = tuple(places[place] for place in sorted(places))
        told = {
            "every": every,
            "by_return": tuple(one.requirement for one in every if one.not_returned),
            "by_return_of_malformed": tuple(one.requirement for one in every if one.tests_malformed),
            "by_any_return": tuple(
                one.requirement for one in every if one.not_returned or one.tests_malformed
            ),
            "by_discard": tuple(one.requirement for one in every if one.tests_discard),
            "by_harm": tuple(one.requirement for one in every if one.harmed),
            "by_stray": tuple(one.requirement for one in every if one.stray),
            "lasting": frozenset(one.requirement for one in every if one.lasts),
            "outliving": tuple(one.requirement for one in every if one.outlives_reset),
            "welcome": tuple(one.requirement for one in every if one.welcome),
            "passing_over": tuple(one.requirement for one in every if one.passes_over),
            "_by_name": MappingProxyType(by_name),
        }
        for name, value in told.items():
            object.__setattr__(self, name, value)

    def of(self, requirement: str) -> Trial:
        """Return the trial of a requirement; KeyError if it is none."""
        return self._by_name[requirement]


@lru_cache(maxsize=64)
def of_families(families: tuple[Family, ...]) -> Trials:
    """Return the trials that these families declare."""
    return Trials(tuple(one for family in families for one in family.trials))


def known() -> Trials:
    """Return the trials of the families of all profiles."""
    return of_families(registry.families())


def by_return(families: tuple[Family, ...]) -> tuple[str, ...]:
    """Return what the return of a buffer puts to the test, well-formed or malformed."""
    return of_families(families).by_any_return


def by_discard(families: tuple[Family, ...]) -> tuple[str, ...]:
    """Return what the discard of a buffer's pages puts to the test."""
    return of_families(families).by_discard


def by_change(families: tuple[Family, ...]) -> tuple[str, ...]:
    """Return what forbids touching particular pages, or any."""
    table = of_families(families)
    return table.by_harm + table.by_stray


def welcome(families: tuple[Family, ...]) -> tuple[str, ...]:
    """Return by what a device copes with a well-formed buffer that comes at the wrong time."""
    return of_families(families).welcome


def first(names: Collection[str], tested: Collection[str]) -> str | None:
    """Return the requirement to blame: the first of ``names`` that was tested, None if none was."""
    return next(among(names, tested), None)


def among(names: Collection[str], tested: Collection[str]) -> Iterator[str]:
    """Yield those of ``names`` that were tested, in their order."""
    return (name for name in names if name in tested)
