"""Hides from the suite what a run's adapter does not show, so that a mutant is seen as that run would see it.

A mutant lives in this process, where everything can be seen. Behind a veil it has the capabilities of another
adapter, and the events that that adapter cannot show are held back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from balloon_conformance.iut.contract import BoundsFeatures, Capability, DeviceAdapter, DriverAdapter
from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.iut.sight import Fact, unseen_by
from balloon_conformance.mutants.mutant import Mutant
from balloon_spec import events as ev

__all__ = ["Visibility", "veiled"]

_FEATURE_BITS = 128
"""As many as VIRTIO has."""

_SHOWN_BY: Mapping[Fact, type[ev.Event]] = MappingProxyType(
    {
        Fact.DRIVER_OK: ev.DriverOk,
        Fact.NEEDS_RESET: ev.NeedsReset,
        Fact.CONFIGURATION_CHANGE: ev.ConfigurationChanged,
        Fact.OVERWRITTEN: ev.Overwritten,
        Fact.ALTERED: ev.BufferAltered,
    }
)
"""The facts that are events of their own, each with its event."""

_NOTIFICATIONS: tuple[tuple[Fact, type[ev.Used | ev.Available], ev.Side], ...] = (
    (Fact.USED_NOTIFICATION, ev.Used, ev.Side.DEVICE),
    (Fact.AVAILABLE_NOTIFICATION, ev.Available, ev.Side.DRIVER),
)
"""The facts that other events carry, with the event and the side that notifies."""


@dataclass(frozen=True, slots=True)
class Visibility:
    """What an adapter can do, what it does not show, and how many bits there are to offer features by."""

    capabilities: frozenset[Capability] = frozenset(Capability)
    unseen: Mapping[Fact, str] = field(default_factory=lambda: MappingProxyType({}))
    feature_bits: int = _FEATURE_BITS

    @property
    def is_free(self) -> bool:
        """Whether a driver's guest chooses its own pages."""
        return Capability.STEER_PAGES not in self.capabilities

    @classmethod
    def of(cls, adapter: DeviceAdapter | DriverAdapter) -> Visibility:
        """Return the present visibility of an adapter."""
        bits = adapter.feature_bits if isinstance(adapter, BoundsFeatures) else _FEATURE_BITS
        return cls(adapter.capabilities, dict(unseen_by(adapter)), bits)

    def beside(self, other: Visibility | None) -> Visibility:
        """Return what one of the two shows: the capabilities of both, without what neither shows."""
        if other is None:
            return self
        unseen = {fact: reason for fact, reason in self.unseen.items() if fact in other.unseen}
        bits = max(self.feature_bits, other.feature_bits)
        return Visibility(self.capabilities | other.capabilities, unseen, bits)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, to be sent to another process."""
        return {
            "capabilities": sorted(one.value for one in self.capabilities),
            "unseen": {fact.value: reason for fact, reason in self.unseen.items()},
            "feature_bits": self.feature_bits,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Visibility:
        """Read it back from :meth:`to_json`."""
        return cls(
            frozenset(map(Capability, data["capabilities"])),
            {Fact(name): reason for name, reason in data["unseen"].items()},
            data["feature_bits"],
        )


def veiled(mutant: Mutant, visibility: Visibility) -> DeviceAdapter | DriverAdapter:
    """Return an adapter to a mutant that shows no more than ``visibility`` allows."""
    adapter = mutant.make()
    if isinstance(adapter, ReferenceDriver) and adapter.steered and visibility.is_free:
        adapter = mutant.left_free() or adapter.left_free()
    observe = adapter.observe

    def seen(deadline_seconds: float) -> Sequence[ev.Event]:
        return _without(observe(deadline_seconds), visibility.unseen.keys())

    # Every adapter is an object of its own, so its attributes can be set without effect on others.
    veil: Any = adapter
    veil.capabilities = adapter.capabilities & visibility.capabilities
    veil.unseen = {**unseen_by(adapter), **visibility.unseen}
    veil.observe = seen
    if isinstance(adapter, DeviceAdapter):
        offered, bits = adapter.offered, visibility.feature_bits
        veil.offered = lambda: offered() & ((1 << bits) - 1)
    return adapter


def _without(events: Iterable[ev.Event], unseen: Collection[Fact]) -> list[ev.Event]:
    """Return the events without the facts that are not shown."""
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
