"""Hides from the suite what the adapter of some run does not show, so that a mutant is seen as that run sees.

A mutant lives in this process, where everything can be seen. Behind a veil it has the capabilities of another
adapter, and the events that adapter cannot show are held back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from balloon_conformance.iut.contract import Capability, DeviceAdapter, DriverAdapter
from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.iut.sight import Fact, unseen_by
from balloon_conformance.mutants.mutant import Mutant
from balloon_spec import events as ev

__all__ = ["Sight", "veiled"]

_SHOWN_BY: Mapping[Fact, type[ev.Event]] = MappingProxyType(
    {
        Fact.DRIVER_OK: ev.DriverOk,
        Fact.NEEDS_RESET: ev.NeedsReset,
        Fact.CONFIGURATION_CHANGE: ev.ConfigurationChanged,
        Fact.OVERWRITTEN: ev.Overwritten,
        Fact.ALTERED: ev.BufferAltered,
    }
)
"""The facts that are events of their own."""

_NOTIFICATIONS: tuple[tuple[Fact, type[ev.Used | ev.Available], ev.Side], ...] = (
    (Fact.USED_NOTIFICATION, ev.Used, ev.Side.DEVICE),
    (Fact.AVAILABLE_NOTIFICATION, ev.Available, ev.Side.DRIVER),
)
"""The facts that other events tell of, and the side that notifies."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What an adapter can do, and what it does not show."""

    capabilities: frozenset[Capability] = frozenset(Capability)
    unseen: Mapping[Fact, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_free(self) -> bool:
        """Whether the guest of a driver chooses its own pages."""
        return Capability.STEER_PAGES not in self.capabilities

    @classmethod
    def of(cls, adapter: DeviceAdapter | DriverAdapter) -> Sight:
        """Return the sight of an adapter as of now."""
        return cls(adapter.capabilities, dict(unseen_by(adapter)))

    def beside(self, other: Sight | None) -> Sight:
        """Return what is shown here or there: the capabilities of both, and what neither shows."""
        if other is None:
            return self
        unseen = {fact: reason for fact, reason in self.unseen.items() if fact in other.unseen}
        return Sight(self.capabilities | other.capabilities, unseen)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, which crosses from one process to another."""
        return {
            "capabilities": sorted(one.value for one in self.capabilities),
            "unseen": {fact.value: reason for fact, reason in self.unseen.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sight:
        """Read it back from :meth:`to_json`."""
        return cls(
            frozenset(map(Capability, data["capabilities"])),
            {Fact(name): reason for name, reason in data["unseen"].items()},
        )


def veiled(mutant: Mutant, sight: Sight) -> DeviceAdapter | DriverAdapter:
    """Return an adapter to a mutant with no more to be seen of it than ``sight`` allows."""
    adapter = mutant.make()
    if isinstance(adapter, ReferenceDriver) and adapter.steered and sight.is_free:
        adapter = mutant.left_free() or adapter.left_free()
    observe = adapter.observe

    def seen(deadline_seconds: float) -> Sequence[ev.Event]:
        return _without(observe(deadline_seconds), sight.unseen.keys())

    # An adapter is an object like any other: what it says of itself here counts for this one alone.
    veil: Any = adapter
    veil.capabilities = adapter.capabilities & sight.capabilities
    veil.unseen = {**unseen_by(adapter), **sight.unseen}
    veil.observe = seen
    return adapter


def _without(events: Iterable[ev.Event], unseen: Collection[Fact]) -> list[ev.Event]:
    """Return the events as one sees them who does not see these facts."""
    hidden = tuple(kind for fact, kind in _SHOWN_BY.items() if fact in unseen)
    seen = []
    for event in events:
        shown: ev.Event | None = event
        for fact, kind, side in _NOTIFICATIONS:
            if fact not in unseen:
                continue
            if isinstance(event, kind):
                shown = replace(event, notified=None)
            elif isinstance(event, ev.Notified) and event.side is side:
                shown = None
        if shown is not None and not isinstance(shown, hidden):
            seen.append(shown)
    return seen
