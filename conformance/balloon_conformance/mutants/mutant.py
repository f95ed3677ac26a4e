"""What a mutant is, and how one is written.

A mutant is a reference, its adapter, or the part of a family, with one thing changed: right in every respect
but the one that it declares. It is a subclass with the decorator :func:`mutant`. The first paragraph of its
docstring is its title, one sentence on what a user would see; the rest says why it breaks what it breaks.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from balloon_conformance.iut.contract import DeviceAdapter, DriverAdapter
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.iut.reference.free_driver import FreeReferenceDriver
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.parts import DevicePart, DriverPart
from balloon_spec.events import Side
from balloon_spec.requirement import Level, catalogue

__all__ = ["MUTANTS", "Mutant", "mutant"]


# Equal only to itself: all mutants together are the key of a cache, and hashing what each says takes long.
@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """An implementation that is right in all but one respect.

    ``title`` is one sentence on what a user would see. ``breaks`` are the requirements that it is blamed for,
    each of them first in some case; ``also`` are those that are necessarily broken with them. ``origin``
    names the real defect on which it is modelled, and is empty if there is none. ``make`` builds an adapter
    to it. ``module`` is the module that defines it. Raises :class:`ValueError` for an impossible declaration.
    """

    name: str
    side: Side
    title: str
    breaks: tuple[str, ...]
    also: frozenset[str]
    origin: str
    make: Callable[[], DeviceAdapter | DriverAdapter]
    module: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            raise ValueError(f"mutant {self.name!r}: give it a name of small letters, digits and hyphens")
        if not self.title.endswith("."):
            raise ValueError(f"mutant {self.name}: begin its docstring with a sentence on what a user sees")
        if not self.breaks:
            raise ValueError(f"mutant {self.name} breaks nothing; declare the requirement it breaks")
        entries = catalogue()
        for name in (*self.breaks, *sorted(self.also)):
            if name not in entries:
                raise ValueError(f"mutant {self.name}: there is no requirement {name}")
            entry = entries[name]
            if entry.subject is not self.side or entry.level is Level.MAY:
                raise ValueError(
                    f"mutant {self.name}: {name} is a {entry.level} of the {entry.subject}, which a "
                    f"{self.side} cannot break"
                )
        if twice := self.also & set(self.breaks):
            raise ValueError(f"mutant {self.name}: {min(twice)} stands in breaks and in also")

    @property
    def declared(self) -> frozenset[str]:
        """All requirements that it may be blamed for."""
        return self.also | set(self.breaks)

    def left_free(self) -> DriverAdapter | None:
        """Build an adapter to it in a modelled guest that chooses its own pages.

        Return None for a mutant that is no driver, or whose fault is only in its adapter.
        """
        make = self.make
        if isinstance(make, functools.partial) and make.func is ReferenceDriver:
            return FreeReferenceDriver(*make.args)
        return None

    def __str__(self) -> str:
        """Return the name."""
        return self.name


MUTANTS: dict[str, Mutant] = {}
"""Every mutant of the modules imported so far, by name and in the order of the source."""

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""The place where a word of a class's name begins."""

_Wrong = Device | Driver | ReferenceDevice | ReferenceDriver | DevicePart | DriverPart
_Kind = TypeVar("_Kind", bound=type[_Wrong])


def mutant(*breaks: str, also: tuple[str, ...] = (), origin: str = "") -> Callable[[_Kind], _Kind]:
    """Register the class below as a mutant: a subclass of a reference, its adapter, or a family's part.

    Its name is that of the class in lower case with hyphens; its side is that of the reference.
    """

    def enter(kind: _Kind) -> _Kind:
        name = _WORD.sub("-", kind.__name__).lower()
        if name in MUTANTS:
            raise ValueError(f"mutant {name} exists already; find another name")
        title = " ".join(inspect.cleandoc(vars(kind).get("__doc__") or "").partition("\n\n")[0].split())
        side, make = _adapter(kind)
        MUTANTS[name] = Mutant(name, side, title, breaks, frozenset(also), origin, make, kind.__module__)
        return kind

    return enter


def _adapter(kind: type[_Wrong]) -> tuple[Side, Callable[[], DeviceAdapter | DriverAdapter]]:
    """Return the side of a class, and the function that builds an adapter to it."""
    if issubclass(kind, DevicePart):
        return Side.DEVICE, functools.partial(ReferenceDevice, functools.partial(Device, parts=(kind,)))
    if issubclass(kind, DriverPart):
        return Side.DRIVER, functools.partial(ReferenceDriver, functools.partial(Driver, parts=(kind,)))
    if issubclass(kind, Device):
        return Side.DEVICE, functools.partial(ReferenceDevice, kind)
    if issubclass(kind, Driver):
        return Side.DRIVER, functools.partial(ReferenceDriver, kind)
    return (Side.DEVICE if issubclass(kind, ReferenceDevice) else Side.DRIVER), kind
