"""Features that somebody proposed and no specification has: a driver leaves them, a device refuses them."""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import PROPOSALS, gives_up, inflate_pfns, target
from balloon_conformance.generation.intents.model import DriverActual, Features, Intent
from balloon_conformance.generation.intents.shorthand import (
    VERSION_1,
    discards,
    exchange,
    malformed,
    negotiated,
    resets,
    returns,
)

__all__ = ["INTENTS"]

_AREA = "negotiation"
_PROFILE = "mainline"
_ONE, _OTHER = PROPOSALS
_SHORT = {_ONE: "device-init-reported", _OTHER: "device-init-on-inflate"}


def _left_alone(*proposed: str) -> Intent:
    """A driver is offered proposals beside VERSION_1, and works without them."""
    are = "are mere proposals" if proposed[1:] else "is a mere proposal"
    return exchange(
        _AREA,
        f"driver-leaves-{'-and-'.join(_SHORT[name] for name in proposed)}",
        f"{' and '.join(proposed)} {are}, and a driver to which it is offered works without",
        "NEG-11 NEG-05",
        target(1),
        gives_up("0x1000"),
        inflate_pfns("m1", "0x1000"),
        returns("m1"),
        DriverActual(1),
        features=Features((VERSION_1, *proposed), (VERSION_1,)),
        sides="driver",
        profile=_PROFILE,
    )


def _refused(proposed: str) -> Intent:
    """A driver accepts a proposal that was not offered; after a reset the device serves a driver."""
    return malformed(
        _AREA,
        f"device-refuses-{_SHORT[proposed]}",
        f"{proposed} accepted without having been offered costs the driver FEATURES_OK",
        "NEG-06 NEG-07",
        "NEG-05",
        resets(negotiated()),
        inflate_pfns("m1", "0x1000"),
        returns("m1"),
        discards("0x1000"),
        features=Features((VERSION_1,), (VERSION_1, proposed), features_ok=False),
        profile=_PROFILE,
    )


INTENTS: tuple[Intent, ...] = (
    *(_left_alone(name) for name in PROPOSALS),
    _left_alone(*PROPOSALS),
    *(_refused(name) for name in PROPOSALS),
)
