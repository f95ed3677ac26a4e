"""State tables as data, and the one way to execute them.

A table has an entry for every phase and every kind of input. The entry is a :class:`Move`, which names the
method that answers, or a :class:`Refusal`, which says why the input has no effect in that phase. So no input
is forgotten, and the documentation draws the same tables that run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

__all__ = ["Machine", "Move", "Note", "Refusal", "Refused", "Table", "name_of"]


@dataclass(frozen=True, slots=True)
class Move:
    """The method that answers an input, and the phases it may lead to.

    ``clauses`` are the requirements that the move itself keeps. Those that a method keeps are named above the
    method.
    """

    handler: str
    to: tuple[StrEnum, ...]
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an input has no effect in a phase."""

    why: str
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Output: an input had no effect; ``why`` is the table's reason."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Note:
    """Output: the other side broke ``clause``; for logs and counters, never sent."""

    clause: str
    text: str


Table = Mapping[tuple[StrEnum, "StrEnum | type[Any]"], "Move | Refusal"]


class HasPhase(Protocol):
    """A state that knows its phase."""

    @property
    def phase(self) -> StrEnum:
        """The current row of the table."""


S = TypeVar("S", bound=HasPhase)
O = TypeVar("O")  # noqa: E741 - the output, beside S


def name_of(kind: StrEnum | type[Any]) -> str:
    """Return what a kind of input is called in a diagram."""
    return str(kind) if isinstance(kind, StrEnum) else kind.__name__


class Machine(Generic[S, O]):
    """A pure transition function over a table, and its current state.

    ``step`` changes nothing; ``receive`` is ``step`` on the machine's own state.
    """

    table: ClassVar[Table]
    state: S

    def step(self, state: S, given: object) -> tuple[S, tuple[O, ...]]:
        """Return the state after ``given`` and the outputs, in the order they take effect.

        Raises :class:`TypeError` if the table has no such kind of input.
        """
        return self.follow(self.table, state.phase, type(given), state, given)

    def follow(
        self, table: Table, phase: StrEnum, kind: StrEnum | type[Any], state: S, given: object
    ) -> tuple[S, tuple[O, ...]]:
        """Carry out the entry for ``phase`` and ``kind``; raises :class:`TypeError` if there is none."""
        entry = table.get((phase, kind))
        if entry is None:
            raise TypeError(f"{type(self).__name__} takes no {name_of(kind)}; see its table")
        if isinstance(entry, Refusal):
            refused = Refused(f"{name_of(kind)} while {phase}", entry.why)
            return state, (cast("O", refused),)
        return cast("tuple[S, tuple[O, ...]]", getattr(self, entry.handler)(state, given))

    def receive(self, given: object) -> tuple[O, ...]:
        """Take one input and return the outputs."""
        self.state, outputs = self.step(self.state, given)
        return outputs
