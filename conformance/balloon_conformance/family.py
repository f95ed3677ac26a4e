"""What the suite adds for a feature family, in one declaration, and the declarations there are.

A family has a room in ``balloon_conformance.families``, whose ``declaration.py`` names everything that the
suite adds for it. The rooms that families add to stand below and name none of them: they compute what they
do from the declarations that they find here. Those of the suite's own families are read when the first is
asked for, whatever was imported before. :func:`added` makes a further one known for the time of a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from balloon_spec.families import registry
from balloon_spec.families.family import Family

if TYPE_CHECKING:
    # The rooms below are those that ask for declarations, and so stand above this module.
    from balloon_conformance.iut.sight import Fact
    from balloon_conformance.reference.parts import DevicePart, DriverPart
    from balloon_conformance.running.blame import Lapse, QueueBlame
    from balloon_conformance.running.mismatch import Comparison
    from balloon_conformance.running.session import DeviceSession
    from balloon_conformance.vectors.comments import Comment, WrittenComment
    from balloon_conformance.vectors.step import Step
    from balloon_conformance.vectors.steps.wishes import GuestWish, OperatorWish

__all__ = ["Additions", "added", "additions", "module_names"]

_ROOM = f"{__package__}.families"
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Additions:
    """What the suite adds for one family.

    ``device`` and ``driver`` are its parts of the references: classes, because each machine has parts of its
    own. ``rests_on`` are its requirements that cannot be decided unless a fact is seen. ``can_break`` are its
    requirements by the ways in which a step can fail to come true, beyond those of its trials, and
    ``cannot_break`` the trials that such a failure says nothing about. ``queues`` say what a buffer of each
    of its queues breaks that is not as a vector has it, and ``comparisons`` what other bytes of a structure
    break.

    ``steps`` are kinds of steps of vectors that only this family needs. ``operator_wishes`` and
    ``guest_wishes`` say how its wishes stand in vectors. ``comments`` explain the device-readable part of a
    buffer there, by structure, and ``written_comments`` what a device wrote. ``vectors`` is a directory of
    vectors beside those of the suite, None if there is none.

    ``mutants``, ``scenarios`` and ``intents`` are names of modules, which are imported when somebody asks for
    what stands there. ``no_mutant`` says why no mutant breaks a requirement, by its id, and ``only_counts``
    why a rule finds nothing in any mutant, by its name. ``before_driver_ok`` is what a driver that a scenario
    plays owes the device before it sets DRIVER_OK, called whatever was negotiated.
    """

    family: Family
    device: type[DevicePart] | None = None
    driver: type[DriverPart] | None = None
    can_break: Mapping[Lapse, frozenset[str]] = field(default_factory=lambda: _NOTHING)
    cannot_break: Mapping[Lapse, frozenset[str]] = field(default_factory=lambda: _NOTHING)
    rests_on: Mapping[Fact, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    queues: tuple[QueueBlame, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    comments: Mapping[str, Comment] = field(default_factory=lambda: _NOTHING)
    written_comments: Mapping[str, WrittenComment] = field(default_factory=lambda: _NOTHING)
    steps: tuple[type[Step], ...] = ()
    operator_wishes: tuple[OperatorWish, ...] = ()
    guest_wishes: tuple[GuestWish, ...] = ()
    vectors: Path | None = None
    mutants: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    no_mutant: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    only_counts: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    before_driver_ok: Callable[[DeviceSession], None] | None = None


_further: list[Additions] = []


@cache
def _own() -> tuple[Additions, ...]:
    room = import_module(_ROOM)
    found: list[Additions] = [
        import_module(f"{_ROOM}.{one.name}.declaration").ADDITIONS for one in iter_modules(room.__path__)
    ]
    order = registry.families()
    return tuple(sorted(found, key=lambda one: order.index(one.family)))


def additions() -> tuple[Additions, ...]:
    """Return every declaration: those of the suite in the order of their families, then those added."""
    return (*_own(), *_further)


@contextmanager
def added(one: Additions) -> Iterator[None]:
    """Make what a further family brings known to the whole suite until the end of the block."""
    _further.append(one)
    try:
        yield
    finally:
        _further.remove(one)


def module_names(package: str) -> tuple[str, ...]:
    """Return the full names of the modules that stand in a package, by name."""
    return tuple(sorted(f"{package}.{one.name}" for one in iter_modules(import_module(package).__path__)))
