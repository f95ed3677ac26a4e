"""What a rule is, and how one is written.

A rule is a function of one kind of event and the exchange as it was before that event. It yields
decisions: ``kept(id)`` or ``broken(id, ...)``. The decorator states which requirements it may decide; a
decision on another one is a defect of the rule and raises. A family declares the modules of its rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, TypeAlias, TypeVar

from balloon_spec.families import registry
from balloon_spec.families.family import Family
from balloon_spec.judge.decision import Decision
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import LedgerT

__all__ = ["Rule", "Scene", "particulars", "rule", "rules_in"]

Further: TypeAlias = Callable[[tuple[Family, ...]], Iterable[str]]
"""Names, among what the families declare, the requirements that a rule decides for them."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a rule sees: the exchange before the event, and the buffer the event is about.

    ``scene[Balloon]`` is a ledger of the exchange.

    ``buffer`` is the buffer being made available, or the one being returned; None for other events, and
    for the return of a buffer that is not in flight.
    """

    exchange: Exchange
    buffer: InFlight | None = None

    def __getitem__(self, kind: type[LedgerT]) -> LedgerT:
        """Return a ledger of the exchange by its class."""
        return self.exchange[kind]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with the kind of event it sees and the requirements it decides.

    It ``states`` some of them itself; ``further`` names those that come from the families there are. What it
    decides on buffers of its family is what the rule called ``kin`` decides on others, so their findings have
    one cause; empty for most rules.
    """

    name: str
    sees: type
    states: frozenset[str]
    decide: Callable[[Any, Scene], Iterator[Decision]]
    further: Further | None = None
    kin: str = ""

    @property
    def decides(self) -> frozenset[str]:
        """All requirements that it may decide."""
        return self.states if self.further is None else _decides(self, registry.families())


@lru_cache(maxsize=1024)
def _decides(one: Rule, families: tuple[Family, ...]) -> frozenset[str]:
    return one.states if one.further is None else one.states.union(one.further(families))


_E = TypeVar("_E")
_Function = Callable[[_E, Scene], Iterator[Decision]]


def rule(
    sees: type[_E], *decides: str, further: Further | None = None, kin: str = ""
) -> Callable[[_Function[_E]], Rule]:
    """Make a function a rule for events of the type ``sees`` that decides the named requirements.

    With ``further`` it decides as well what that names among the declarations of the families. ``kin`` is
    that of :class:`Rule`.
    """

    def make(function: _Function[_E]) -> Rule:
        return Rule(function.__name__, sees, frozenset(decides), function, further, kin)

    return make


def particulars(requirement: str) -> Further:
    """Name what families declare to say in particular cases what ``requirement`` says in general."""

    def among(families: tuple[Family, ...]) -> Iterable[str]:
        return (name for family in families for name in family.particulars.get(requirement, ()))

    return among


def rules_in(*modules: ModuleType) -> tuple[Rule, ...]:
    """Return the rules that the modules define, in the order in which they stand there."""
    return tuple(one for module in modules for one in vars(module).values() if isinstance(one, Rule))
