"""What each kind of adapter says that it does not show, and that nothing is judged by what was not shown."""

from __future__ import annotations

import re

import pytest

from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.iut.sight import TABLE, Fact, Kind, unseen, unseen_by
from balloon_conformance.iut.vhost_user.driver import VhostUserDriver
from balloon_conformance.vhost_user.messages import ProtocolFeature


def test_every_kind_is_in_the_table_and_gives_a_reason_for_each_fact_once():
    assert set(TABLE) == set(Kind)
    for kind, blinds in TABLE.items():
        facts = [one.fact for one in blinds]
        assert len(facts) == len(set(facts)), kind
        assert all(re.fullmatch(r"[a-z].{20,}[^.]", one.because) for one in blinds), kind


@pytest.mark.parametrize(
    ("protocol", "hidden"),
    [
        (
            (),
            "driver-ok before-driver-ok refusal reset needs-reset configuration-change generation",
        ),
        (("STATUS", "BACKEND_REQ"), "before-driver-ok generation"),
        (("RESET_DEVICE",), "driver-ok before-driver-ok refusal needs-reset configuration-change generation"),
        (
            ("REPLY_ACK",),
            "driver-ok before-driver-ok refusal reset needs-reset configuration-change generation",
        ),
    ],
)
def test_a_back_end_shows_what_its_protocol_features_have_messages_for(protocol, hidden):
    assert set(unseen(Kind.VHOST_USER_DEVICE, protocol)) == set(map(Fact, hidden.split()))


def test_the_names_of_protocol_features():
    assert sight.names_of(ProtocolFeature.STATUS | ProtocolFeature.MQ) == {"STATUS", "MQ"}


def test_an_adapter_without_the_attribute_shows_everything():
    assert unseen_by(object()) == {}
    assert Fact.OVERWRITTEN in unseen_by(ReferenceDevice())
    assert Fact.REFUSAL in unseen_by(ReferenceDriver())
    assert Fact.REFUSAL in unseen_by(VhostUserDriver("/nowhere"))


def test_what_an_implementation_says_of_its_own_accord_is_shown():
    hidden = unseen(Kind.STDIO_DEVICE)
    shown = sight.without(hidden, Fact.USED_NOTIFICATION)
    assert set(hidden) - set(shown) == {Fact.USED_NOTIFICATION}
    assert "QUEUE-12" in sight.undecided(hidden)
    assert "QUEUE-12" not in sight.undecided(shown)


def test_which_pages_a_driver_means_shows_only_if_somebody_tells_it():
    for kind in (Kind.VHOST_USER_DRIVER, Kind.STDIO_DRIVER):
        free, steered = unseen(kind), unseen(kind, {str(Capability.STEER_PAGES)})
        assert free.keys() - steered.keys() == {Fact.MEANT, Fact.RELIANCE}
        assert {"PFN-03", "REPORT-01"} <= sight.undecided(free).keys() - sight.undecided(steered).keys()


def test_a_kernel_says_whether_it_relies_on_free_pages_and_stands_between_nobody():
    hidden = unseen(Kind.LINUX_UML)
    assert {Fact.MEANT, Fact.RELIANCE} <= hidden.keys()
    assert Fact.RELIANCE not in unseen(Kind.LINUX_UML, {sight.FILLS_FREED_PAGES})
    assert Fact.OFFER not in hidden
    assert Fact.OFFER in unseen(Kind.VHOST_USER_DRIVER)
