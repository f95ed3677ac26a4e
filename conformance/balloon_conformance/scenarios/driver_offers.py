"""What a driver accepts of an offer: features without those they need, and every bit left out in turn.

Nothing is asked of the guest, so this works with every driver.
"""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting
from balloon_spec.events import Side

_NEEDY = ("CHUNK_TRANSFER", "HOST_REQ_VQ")
_QUIET_SECONDS = 0.05


def _offer_without_statistics(session: DriverSession, needy: tuple[str, ...], beside: bool) -> None:
    session.need(Capability.RAW_FEATURES)
    others = {feature.name for feature in session.profile.device_features} - {*_NEEDY, "STATS_VQ"}
    accepted = Hosting(session).offer(*needy, *(others if beside else ()))
    if accepted is None or not accepted.isdisjoint(needy):
        # The driver has refused, or it has accepted an illegal set. In that case it is told nothing more:
        # over vhost-user without STATUS it cannot be told that FEATURES_OK was refused.
        return
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "NEG-03", "NEG-05", "QUEUE-02", features=frozenset(_NEEDY), breaks=("NEG-01",))
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside-the-others"])
def test_chunk_transfer_offered_without_statistics(session: DriverSession, beside: bool) -> None:
    """A driver does not accept CHUNK_TRANSFER if STATS_VQ is not offered."""
    _offer_without_statistics(session, ("CHUNK_TRANSFER",), beside)


@scenario(Side.DRIVER, "NEG-04", "NEG-05", "QUEUE-02", features=frozenset(_NEEDY), breaks=("NEG-02",))
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside-the-others"])
def test_host_requests_offered_without_statistics(session: DriverSession, beside: bool) -> None:
    """A driver does not accept HOST_REQ_VQ if STATS_VQ is not offered."""
    _offer_without_statistics(session, ("HOST_REQ_VQ",), beside)


@scenario(
    Side.DRIVER,
    *("NEG-03", "NEG-04", "NEG-05", "QUEUE-02"),
    features=frozenset(_NEEDY),
    breaks=("NEG-01", "NEG-02"),
)
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside-the-others"])
def test_both_offered_without_statistics(session: DriverSession, beside: bool) -> None:
    """A driver accepts neither CHUNK_TRANSFER nor HOST_REQ_VQ if STATS_VQ is not offered."""
    _offer_without_statistics(session, _NEEDY, beside)


@scenario(Side.DRIVER, "NEG-11", "NEG-12", "NEG-05", "QUEUE-02", "INF-03", "DEF-11")
@pytest.mark.parametrize("bit", [23, 49, 63])
def test_a_bit_that_means_nothing(session: DriverSession, bit: int) -> None:
    """A driver that is offered a bit without a meaning besides the others does not accept it, and goes on."""
    session.need(Capability.RAW_FEATURES)
    profile = session.profile
    if bit in profile.by_bit:
        raise NotExercised(f"profile {profile.name} has {profile.by_bit[bit].name} at bit {bit}")
    _offer_beside(session, 1 << bit)


@scenario(
    Side.DRIVER,
    "NEG-11",
    "NEG-12",
    "NEG-05",
    "QUEUE-02",
    "INF-03",
    "DEF-11",
    features=frozenset({"PAGE_POISON"}),
)
def test_proposals(session: DriverSession) -> None:
    """A driver that is offered features which are only proposed does not accept them, and goes on."""
    session.need(Capability.RAW_FEATURES)
    profile = session.profile
    proposed = [one.bit for one in profile.proposals if profile.proposal(one.bit) is not None]
    if not proposed:
        raise NotExercised(f"profile {profile.name} has other features at the bits of proposals")
    _offer_beside(session, sum(1 << bit for bit in proposed))


def _offer_beside(session: DriverSession, bits: int) -> None:
    """Offer every feature of the profile and these bits, and move a few pages."""
    hosting = Hosting(session)
    names = {feature.name for feature in session.profile.device_features}
    if hosting.offer(*names, beside=bits) is None:
        return
    hosting.move_a_few()
    session.settle(_QUIET_SECONDS)


@scenario(Side.DRIVER, "NEG-05", "NEG-10", "INF-03", "DEF-11", "CFG-05", "QUEUE-02")
@pytest.mark.parametrize(
    "left_out", ["MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM", "CHUNK_TRANSFER", "HOST_REQ_VQ"]
)
def test_a_bit_that_is_not_offered(session: DriverSession, left_out: str) -> None:
    """A driver that is offered all features but one accepts no other bit, and works without that feature."""
    profile = session.profile
    if left_out not in profile.by_name:
        raise NotExercised(f"profile {profile.name} has no {left_out} to leave out")
    names = {feature.name for feature in profile.device_features} - {left_out}
    # Features that need the one left out may not be offered either.
    names -= {feature for feature, _ in profile.missing_requirements(profile.mask(names))}
    hosting = Hosting(session)
    accepted = hosting.offer(*names)
    if accepted is None or not accepted <= {*names, "VERSION_1"}:
        return
    hosting.move_a_few()
    session.settle(_QUIET_SECONDS)
