"""A kind of implementation under test: its name on the command line, and the options that are its own.

Each adapter declares its kind beside itself, and :mod:`balloon_conformance.iut.registry` lists the kinds.
The options of the command line, those of a file of targets, and the refusal of an option that belongs to
another kind all follow from the declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from balloon_conformance.iut.contract import Target

__all__ = ["Given", "Kind", "Option"]

Given: TypeAlias = Mapping[str, str]
"""The options that were given, as text, by the name of each; one that was not given is absent."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a kind of implementation.

    ``name`` is that of the command line without its dashes, and of a file of targets. ``metavar`` stands for
    the value in ``--help``, and ``help`` is its sentence there.
    """

    name: str
    metavar: str
    help: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of implementation under test.

    ``usage`` is its name, with what it takes behind a colon in capitals, as in ``stdio:COMMAND``.
    ``resolve`` returns the target of a whole name and the options given with it; it raises
    :class:`~balloon_conformance.iut.errors.IutError` for whatever keeps that one from being had.
    """

    usage: str
    resolve: Callable[[str, Given], Target]
    options: tuple[Option, ...] = ()

    @property
    def name(self) -> str:
        """The name without what it takes."""
        return self.usage.partition(":")[0]

    @property
    def takes_more(self) -> bool:
        """Whether something has to stand behind a colon."""
        return ":" in self.usage
