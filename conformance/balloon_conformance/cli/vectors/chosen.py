"""Selects things that the command line names by id: vectors, and the intents that they are filled from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from balloon_conformance.cli.errors import BadInput

__all__ = ["chosen"]


class _Named(Protocol):
    @property
    def id(self) -> str: ...


_One = TypeVar("_One", bound=_Named)


def chosen(there: Iterable[_One], ids: Sequence[str], noun: str) -> list[_One]:
    """Return those called ``ids``, with or without their area, in that order; without ids return all.

    Raises :class:`BadInput` for an id that does not exist; ``noun`` says what kind of thing it should name.
    """
    known = {one.id: one for one in there}
    names = [name.rpartition("/")[2] for name in ids]
    for name in names:
        if name not in known:
            raise BadInput(f"no {noun} {name!r}; balloon-conformance vectors list shows the ids")
    return [known[name] for name in names] if names else list(known.values())
