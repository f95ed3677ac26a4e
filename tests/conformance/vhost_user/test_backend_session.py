"""The back-end's session: what it answers, what it wants done, and what it refuses."""

from __future__ import annotations

import pytest

from balloon_conformance.vhost_user import backend_actions as act
from balloon_conformance.vhost_user.backend_session import RULES, BackendSession
from balloon_conformance.vhost_user.errors import PeerBroke
from balloon_conformance.vhost_user.messages import (
    ConfigurationSpace,
    MemoryRegion,
    MemoryTable,
    Message,
    Nothing,
    Number,
    Raw,
    Request,
    VringAddress,
    VringDescriptor,
    VringState,
)

R = Request
ALL = 0x12229
TABLE = MemoryTable((MemoryRegion(0, 0x1000, 0, 0),))
PLACE = VringAddress(0, 0, 0x1000, 0x3000, 0x2000)


def message(request, body=None, need=False, descriptors=()):
    return Message(request, body or Nothing(), need_reply=need, descriptors=descriptors)


def say(session, request, body=None, *, need=False, descriptors=()):
    return session.receive(message(request, body, need, descriptors))


def replied(actions):
    (reply,) = (action.message for action in actions if isinstance(action, act.Reply))
    assert reply.reply
    assert not reply.need_reply
    return reply.body


def fresh(protocol=ALL, *, bit_30=True, **options):
    """A session whose driver has accepted features."""
    session = BackendSession(7, bytes(8), **options)
    say(session, R.GET_FEATURES)
    if protocol is not None:
        say(session, R.SET_PROTOCOL_FEATURES, Number(protocol))
    say(session, R.SET_FEATURES, Number(5 | bit_30 << 30))
    return session


def lay(session, index=0):
    """Everything that is said of a vring before its kick."""
    say(session, R.SET_VRING_NUM, VringState(index, 256))
    say(session, R.SET_VRING_BASE, VringState(index, 0))
    say(session, R.SET_VRING_ADDR, VringAddress(index, 0, 0x1000, 0x3000, 0x2000))


def running(**options):
    session = fresh(**options)
    say(session, R.SET_MEM_TABLE, TABLE, descriptors=(9,))
    lay(session)
    say(session, R.SET_VRING_KICK, VringDescriptor(0), descriptors=(8,))
    say(session, R.SET_VRING_ENABLE, VringState(0, 1))
    assert session.serving == (0,)
    return session


def refused(session, request, body=None, **more):
    with pytest.raises(PeerBroke) as caught:
        say(session, request, body, **more)
    return str(caught.value)


def test_the_table_serves_every_request():
    assert set(RULES) == set(Request)


def test_bit_30_is_offered_and_hidden():
    session = BackendSession(0x1_0000_0007, bytes(8))
    assert replied(say(session, R.GET_FEATURES)) == Number(0x1_4000_0007)
    assert say(session, R.SET_FEATURES, Number(0x1_4000_0005)) == (act.Accepted(0x1_0000_0005),)
    assert session.accepted == 0x1_0000_0005


def test_protocol_features_and_queues_are_told():
    session = BackendSession(7, bytes(8), queue_limit=4)
    say(session, R.GET_FEATURES)
    assert replied(say(session, R.GET_PROTOCOL_FEATURES)) == Number(0x12229)
    say(session, R.SET_PROTOCOL_FEATURES, Number(0x228))
    assert int(session.protocol_features) == 0x228
    assert "protocol feature MQ" in refused(session, R.GET_QUEUE_NUM)
    say(session, R.SET_PROTOCOL_FEATURES, Number(1))
    assert replied(say(session, R.GET_QUEUE_NUM)) == Number(4)


def test_need_reply_is_answered_only_where_that_was_agreed():
    plain, agreed = fresh(0x1), fresh(0x8)
    assert say(plain, R.SET_VRING_NUM, VringState(0, 64), need=True) == ()
    assert say(agreed, R.SET_VRING_NUM, VringState(0, 64)) == ()
    assert replied(say(agreed, R.SET_VRING_NUM, VringState(0, 64), need=True)) == Number(0)


def test_a_message_with_an_answer_of_its_own_is_answered_once():
    session = fresh()
    for request, body in ((R.GET_FEATURES, None), (R.GET_CONFIG, ConfigurationSpace(0, bytes(8)))):
        assert replied(say(session, request, body, need=True)) != Number(0)


def test_the_acknowledgement_comes_after_the_deed():
    actions = say(fresh(), R.SET_MEM_TABLE, TABLE, need=True, descriptors=(9,))
    assert actions[0] == act.MemoryShared(TABLE, (9,))
    assert isinstance(actions[1], act.Reply)


@pytest.mark.parametrize(
    ("offset", "length", "data"),
    [(0, 8, "0102030405060708"), (4, 4, "05060708"), (6, 4, "07080000"), (20, 2, "0000")],
)
def test_a_read_of_the_configuration_is_as_long_as_it_was_asked_for(offset, length, data):
    session = fresh()
    session.configuration = bytes(range(1, 9))
    actions = say(session, R.GET_CONFIG, ConfigurationSpace(offset, bytes(length)))
    assert replied(actions) == ConfigurationSpace(offset, bytes.fromhex(data))
    assert actions[0] == act.ConfigurationAsked(offset, session.configuration[offset : offset + length])


def test_a_write_of_the_configuration_is_the_owners_to_judge():
    session = fresh()
    actions = say(session, R.SET_CONFIG, ConfigurationSpace(4, b"\1\0\0\0"))
    assert actions == (act.ConfigurationStored(4, b"\1\0\0\0"),)
    assert session.configuration == bytes(8)


def test_a_vring_starts_disabled_with_bit_30_and_enabled_without():
    session = fresh()
    say(session, R.SET_MEM_TABLE, TABLE, descriptors=(9,))
    lay(session)
    assert say(session, R.SET_VRING_KICK, VringDescriptor(0), descriptors=(8,)) == (
        act.VringKick(0, 8),
        act.VringStarted(0, 256, PLACE, 0),
        act.VringSwitched(0, enabled=False),
    )
    assert session.serving == ()
    assert say(session, R.SET_VRING_ENABLE, VringState(0, 1)) == (act.VringSwitched(0, enabled=True),)

    plain = fresh(None, bit_30=False)
    say(plain, R.SET_MEM_TABLE, TABLE, descriptors=(9,))
    lay(plain)
    actions = say(plain, R.SET_VRING_KICK, VringDescriptor(0, has_descriptor=False))
    assert actions[0] == act.VringKick(0, None)
    assert actions[2] == act.VringSwitched(0, enabled=True)


def test_a_vring_starts_once_everything_was_said_in_whatever_order():
    session = fresh()
    say(session, R.SET_MEM_TABLE, TABLE, descriptors=(9,))
    say(session, R.SET_VRING_ENABLE, VringState(0, 1))
    say(session, R.SET_VRING_KICK, VringDescriptor(0), descriptors=(8,))
    say(session, R.SET_VRING_ADDR, PLACE)
    say(session, R.SET_VRING_BASE, VringState(0, 7))
    assert say(session, R.SET_VRING_NUM, VringState(0, 4)) == (
        act.VringStarted(0, 4, PLACE, 7),
        act.VringSwitched(0, enabled=True),
    )


def test_calls_and_errors_are_passed_on_before_and_after_negotiation():
    session = BackendSession(0, b"")
    assert say(session, R.SET_VRING_CALL, VringDescriptor(1), descriptors=(5,)) == (act.VringCall(1, 5),)
    assert say(session, R.SET_VRING_ERR, VringDescriptor(1, has_descriptor=False)) == (
        act.VringError(1, None),
    )
    assert say(fresh(0x20), R.SET_BACKEND_REQ_FD, descriptors=(5,)) == (act.RequestChannel(5),)


def test_get_vring_base_stops_the_vring_and_tells_where_it_would_go_on():
    session = running()
    session.vrings[0].base = 17
    actions = say(session, R.GET_VRING_BASE, VringState(0, 0), need=True)
    assert actions[0] == act.VringStopped(0)
    assert replied(actions) == VringState(0, 17)
    assert session.serving == ()
    # It was not disabled: laid again, it is served again.
    lay(session)
    actions = say(session, R.SET_VRING_KICK, VringDescriptor(0), descriptors=(8,))
    assert actions[-1] == act.VringSwitched(0, enabled=True)


def test_a_vring_that_runs_may_move():
    session = running()
    session.vrings[0].base = 5
    moved = VringAddress(0, 0, 0x5000, 0x7000, 0x6000)
    assert say(session, R.SET_VRING_ADDR, moved)[0] == act.VringStarted(0, 256, moved, 5)


def test_a_disabled_vring_may_be_laid_anew():
    session = running()
    say(session, R.SET_VRING_ENABLE, VringState(0, 0))
    assert say(session, R.SET_VRING_NUM, VringState(0, 64)) == (act.VringStopped(0),)


def test_linux_binds_its_driver_again_without_a_word_of_reset():
    """Unloading and loading the module: vrings disabled, and negotiation once more on the same connection."""
    session = running()
    say(session, R.SET_VRING_ENABLE, VringState(0, 0))
    say(session, R.GET_FEATURES)
    assert say(session, R.SET_FEATURES, Number(1 << 30)) == (
        act.VringStopped(0),
        act.ResetAsked(),
        act.Accepted(0),
    )
    say(session, R.SET_MEM_TABLE, TABLE, descriptors=(9,))
    lay(session)
    actions = say(session, R.SET_VRING_KICK, VringDescriptor(0), descriptors=(8,))
    assert actions[-1] == act.VringSwitched(0, enabled=False)


def test_features_that_are_written_twice_before_anything_is_set_up_are_no_reset():
    """Linux drops by a second write what its driver cannot keep, and with it bit 30."""
    session = BackendSession(7, bytes(8))
    say(session, R.GET_FEATURES)
    say(session, R.SET_PROTOCOL_FEATURES, Number(1 << 9))
    assert say(session, R.SET_FEATURES, Number(7 | 1 << 30)) == (act.Accepted(7),)
    assert not any(vring.enabled for vring in session.vrings)
    assert say(session, R.SET_FEATURES, Number(3)) == (act.Accepted(3),)
    assert all(vring.enabled for vring in session.vrings)
    assert not session.has_begun
    say(session, R.SET_MEM_TABLE, TABLE, descriptors=(9,))
    assert session.has_begun
    assert say(session, R.SET_FEATURES, Number(3)) == (act.ResetAsked(), act.Accepted(3))


def test_the_status_shows_what_linux_keeps_to_itself():
    session = BackendSession(7, bytes(8), acceptable=lambda features: features == 5)
    say(session, R.GET_FEATURES)
    say(session, R.SET_PROTOCOL_FEATURES, Number(1 << 16))
    assert say(session, R.SET_STATUS, Number(0)) == ()
    say(session, R.SET_STATUS, Number(3))
    say(session, R.SET_FEATURES, Number(4))
    say(session, R.SET_STATUS, Number(11))
    assert replied(say(session, R.GET_STATUS)) == Number(3)
    assert say(session, R.SET_STATUS, Number(0)) == (act.ResetAsked(),)
    assert replied(say(session, R.GET_STATUS)) == Number(0)
    say(session, R.SET_FEATURES, Number(5))
    say(session, R.SET_STATUS, Number(11))
    assert replied(say(session, R.GET_STATUS)) == Number(11)
    assert say(session, R.SET_STATUS, Number(15)) == (act.Running(),)
    assert say(session, R.SET_STATUS, Number(15)) == ()
    assert say(session, R.SET_STATUS, Number(0x8F)) == (act.GaveUp(),)


def test_reset_device_takes_everything_back_but_the_memory():
    session = running()
    assert say(session, R.RESET_DEVICE) == (act.VringStopped(0), act.ResetAsked())
    assert session.accepted is None
    assert "SET_VRING_KICK before SET_FEATURES" in refused(
        session, R.SET_VRING_KICK, VringDescriptor(0), descriptors=(8,)
    )
    say(session, R.SET_FEATURES, Number(1 << 30))
    lay(session)
    assert len(say(session, R.SET_VRING_KICK, VringDescriptor(0), descriptors=(8,))) == 3


@pytest.mark.parametrize("request_", [r for r, rule in RULES.items() if rule.needs], ids=lambda r: r.name)
def test_what_belongs_to_a_protocol_feature_needs_it(request_):
    needs = RULES[request_].needs
    session = fresh(ALL & ~int(needs))
    body = Number(1) if request_ is R.SET_STATUS else ConfigurationSpace(0, b"\0")
    assert refused(session, request_, body, descriptors=(1,)).endswith(
        f"without protocol feature {needs.name}"
    )


@pytest.mark.parametrize("request_", [r for r, rule in RULES.items() if rule.after], ids=lambda r: r.name)
def test_what_comes_after_another_message_is_refused_before_it(request_):
    session = BackendSession(7, bytes(8))
    words = refused(session, request_, Number(0))
    assert words == f"the front-end sent {request_.name} before {RULES[request_].after.name}"


@pytest.mark.parametrize(
    ("request_", "body", "words"),
    [
        (99, Raw(b"abc"), "request 99 of the front-end, which a back-end does not serve"),
        (4, Raw(b""), "request 4 of the front-end, which"),
        (R.SET_PROTOCOL_FEATURES, Number(1 << 14), "protocol features 0x4000, which were not offered"),
        (R.SET_VRING_NUM, VringState(0, 0), "vring 0 of 0 entries"),
        (R.SET_VRING_NUM, VringState(0, 3), "vring 0 of 3 entries"),
        (R.SET_VRING_NUM, VringState(0, 65536), "vring 0 of 65536 entries"),
        (R.SET_VRING_NUM, VringState(8, 4), "SET_VRING_NUM: there is no vring 8; there are 8"),
        (R.SET_VRING_BASE, VringState(0, 65536), "vring 0 from index 65536, above 16 bits"),
        (R.SET_VRING_ENABLE, VringState(0, 2), "vring 0 set to 2, not 0 or 1"),
        (R.SET_VRING_CALL, VringDescriptor(200), "SET_VRING_CALL: there is no vring 200"),
        (R.GET_VRING_BASE, VringState(2**32 - 1, 0), "there is no vring 4294967295"),
        (R.SET_STATUS, Number(256), "SET_STATUS: 0x100 is more than 8 bits"),
    ],
)
def test_what_cannot_be_is_refused(request_, body, words):
    assert words in refused(fresh(), request_, body, descriptors=(1,))


def test_more_of_what_is_out_of_its_turn():
    assert "SET_FEATURES while vring 0 is served" in refused(running(), R.SET_FEATURES, Number(0))
    assert "stop it by GET_VRING_BASE first" in refused(running(), R.SET_VRING_BASE, VringState(0, 1))
    assert "without the protocol features" in refused(
        fresh(None, bit_30=False), R.SET_VRING_ENABLE, VringState(0, 1)
    )
    session = fresh()
    lay(session)
    assert "before memory was shared" in refused(
        session, R.SET_VRING_KICK, VringDescriptor(0), descriptors=(8,)
    )
    with pytest.raises(PeerBroke, match="reply to GET_FEATURES, which a back-end does not serve"):
        session.receive(Message(R.GET_FEATURES, Number(0), reply=True))
