"""Every subset of the features a device offers, one after another with a reset in between."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_spec.events import Side

__all__ = ["subsets"]

_FEATURE_BITS = 64
"""The number of feature bits that every transport has."""
_TRANSPORT_BITS = range(24, 32)


@scenario(Side.DEVICE, "NEG-01", "NEG-02", "NEG-07", "NEG-09")
def test_every_legal_subset(session: DeviceSession) -> None:
    """Every legal subset of the balloon features offered is negotiated."""
    for subset in subsets(session, legal=True):
        session.negotiate(subset)
        session.reset()


@scenario(
    Side.DEVICE,
    "NEG-06",
    breaks=("NEG-03", "NEG-04"),
    features=frozenset({"CHUNK_TRANSFER", "HOST_REQ_VQ"}),
)
def test_every_subset_that_is_not_legal(session: DeviceSession) -> None:
    """Every subset that has a feature without another that it requires is refused."""
    session.need(Capability.RAW_FEATURES)
    unlawful = list(subsets(session, legal=False))
    if not unlawful:
        raise NotExercised("the device offers no feature that requires another")
    for subset in unlawful:
        session.negotiate(subset)
        session.reset()


@scenario(Side.DEVICE, "NEG-06", "NEG-07", breaks=("NEG-05",))
def test_every_bit_that_is_not_offered(session: DeviceSession) -> None:
    """A set that is accepted is refused with any single bit added that the device does not offer.

    The first bit that is kept ends the case.
    """
    session.need(Capability.RAW_FEATURES)
    offered, profile = session.offered(), session.profile
    *_, legal = subsets(session, legal=True)
    if not session.negotiate(legal):
        raise NotExercised("the device refuses what it offers")
    session.reset()
    for bit in range(_FEATURE_BITS):
        # Some bits between the feature ranges mean something only to a transport, offered or not.
        if offered >> bit & 1 or (bit in _TRANSPORT_BITS and bit not in profile.by_bit):
            continue
        if session.negotiate(legal | 1 << bit, offered):
            # One that is kept decides the case.
            return
        session.reset()


def subsets(session: DeviceSession, *, legal: bool) -> Iterator[int]:
    """Yield the subsets of the balloon features offered, each with VERSION_1 if it is offered."""
    profile, offered = session.profile, session.offered()
    version_1 = profile.mask(["VERSION_1"]) & offered
    bits = [1 << feature.bit for feature in profile.device_features if offered >> feature.bit & 1]
    for size in range(len(bits) + 1):
        for chosen in combinations(bits, size):
            subset = sum(chosen) | version_1
            if profile.may_accept(offered, subset) is legal:
                yield subset
