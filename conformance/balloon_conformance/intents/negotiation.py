"""Feature sets: which may be offered, which accepted, which are refused."""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import inflate_pfns
from balloon_conformance.families.chunk_transfer.vocabulary import exchange, malformed
from balloon_conformance.families.host_requests.vocabulary import REQUESTS, asks, done, posts
from balloon_conformance.families.statistics.vocabulary import STATS
from balloon_conformance.generation.intents.model import DriverActual, Features, Intent
from balloon_conformance.generation.intents.shorthand import discards, negotiated, resets, returns

__all__ = ["INTENTS"]

AREA = "negotiation"

INTENTS: tuple[Intent, ...] = (
    exchange(
        AREA,
        "base-accept-again-after-reset",
        "A driver that accepts other features after a reset is served by the new ones",
        "NEG-07 RESET-01",
        resets(Features(("VERSION_1", "STATS_VQ"), ("VERSION_1",))),
        inflate_pfns("m1", "0x1000"),
        returns("m1"),
        discards("0x1000"),
        DriverActual(1),
        features=STATS,
        sides="device",
        profile="base",
    ),
    malformed(
        AREA,
        "base-device-refuses-a-bit-not-offered",
        "A ring feature accepted without having been offered costs the driver FEATURES_OK",
        "NEG-06 NEG-07",
        "NEG-05",
        resets(negotiated()),
        inflate_pfns("m1", "0x1000"),
        returns("m1"),
        discards("0x1000"),
        features=Features(("VERSION_1",), ("VERSION_1", "IN_ORDER"), features_ok=False),
        profile="base",
    ),
    exchange(
        AREA,
        "offer-has-what-it-needs",
        "A device that offers CHUNK_TRANSFER and HOST_REQ_VQ offers STATS_VQ too, and serves all three",
        "NEG-01 NEG-02 NEG-07",
        asks("r1", 0x1234),
        done("u1", 0x1234),
        returns("u1"),
        posts("r2"),
        features=REQUESTS,
        sides="device",
    ),
)
