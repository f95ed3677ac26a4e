"""What was negotiated, and how far the life of the session has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from balloon_spec import events as ev
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

__all__ = ["Session"]


@dataclass(slots=True, eq=False)
class Session(Ledger):
    """Negotiation, life-cycle and guest memory. The last ledger: all others see the session as it was."""

    offered: int | None = None
    accepted: int | None = None
    features: frozenset[str] = frozenset()
    queues: Mapping[int, Queue] = field(default_factory=lambda: MappingProxyType({}))
    ring_sizes: Mapping[int, int] = field(default_factory=dict)
    is_blind: bool = False
    """A set that is not legal was accepted, and whether it was refused cannot be told: nothing follows."""
    memory: PageSet | None = None
    """The guest pages that exist; None as long as nobody said."""
    driver_ok: bool = False
    sees_driver_ok: bool = False
    """A DRIVER_OK was seen in this trace; if the transport hides it, nothing is decided by it."""
    needs_reset: bool = False
    resets: int = 0
    accepted_before: frozenset[tuple[int, int]] = frozenset()
    """Offers, each with a set of features that the device accepted of it before a reset."""
    formats_before: frozenset[frozenset[str]] = frozenset()
    """The features that change what queues carry, as they were negotiated together in any session before."""
    changed_format: bool = False
    """One of those was negotiated before some reset and is not now, or the reverse."""

    def has(self, feature: str) -> bool:
        """Tell whether the feature was negotiated."""
        return feature in self.features

    @property
    def format(self) -> frozenset[str]:
        """The negotiated features with which a queue carries another structure than without."""
        families = self.exchange.profile.families
        return self.features & {one.feature for family in families for one in family.carries}

    @property
    def is_unbound(self) -> bool:
        """Whether the device was reset and no features are negotiated since."""
        return self.resets > 0 and self.accepted is None

    def existing(self, pages: PageSet) -> PageSet:
        """Return those of the pages that exist; all of them if nobody said which do."""
        return pages if self.memory is None else pages & self.memory

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in what settles the session."""
        del buffer
        match event:
            case ev.Negotiated():
                self._negotiated(event)
            case ev.Memory():
                self.memory = event.pages
            case ev.DriverOk():
                self.driver_ok = self.sees_driver_ok = True
            case ev.NeedsReset():
                self.needs_reset = True
            case _:
                pass

    def _negotiated(self, event: ev.Negotiated) -> None:
        profile = self.exchange.profile
        self.offered, self.accepted = event.offered, event.accepted
        self.is_blind = not event.shown and not profile.may_accept(event.offered, event.accepted)
        self.features, self.queues = frozenset(), MappingProxyType({})
        if event.features_ok:
            self.features = profile.names(event.accepted)
            self.queues = profile.queue_map(event.offered, event.accepted)
        self.ring_sizes = {index: size for index, size in event.ring_sizes if size}
        self.changed_format = any(self.format != one for one in self.formats_before)

    def after_reset(self) -> Self:
        """Leave guest memory, and what was accepted so far."""
        accepted, formats = self.accepted_before, self.formats_before
        if self.queues:
            formats |= {self.format}
            if self.offered is not None and self.accepted is not None:
                accepted |= {(self.offered, self.accepted)}
        return type(self)(
            self.exchange,
            memory=self.memory,
            sees_driver_ok=self.sees_driver_ok,
            resets=self.resets + 1,
            accepted_before=accepted,
            formats_before=formats,
        )
