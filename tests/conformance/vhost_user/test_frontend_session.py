"""The front-end's session: the order of its messages, and what it makes of the answers."""

from __future__ import annotations

import socket

import pytest
from vhost_user_by_hand import config, header, u64

from balloon_conformance.vhost_user import backend_actions as act
from balloon_conformance.vhost_user.backend_session import BackendSession
from balloon_conformance.vhost_user.connection import Connection
from balloon_conformance.vhost_user.errors import PeerBroke
from balloon_conformance.vhost_user.frontend_session import FrontendSession, Vring, perform
from balloon_conformance.vhost_user.messages import (
    BackendRequest,
    ConfigurationSpace,
    MemoryRegion,
    Message,
    Number,
    ProtocolFeature,
    Request,
    Sender,
    VringState,
)

ALL = 0x12229
REGION = MemoryRegion(0x20CDD000, 0x40000, 0x20CDD000, 0x20CDD000)


class Script:
    """Answers an exchange by hand: ``answers`` are reply bodies by request; a message without is acknowledged."""

    def __init__(self, **answers):
        self.answers = {Request[name]: body for name, body in answers.items()}
        self.sent = []

    def __call__(self, exchange):
        reply = None
        try:
            while True:
                call = exchange.send(reply)
                self.sent.append(call.message)
                reply = None
                if call.awaits_reply:
                    body = self.answers.get(call.message.request, Number(0))
                    reply = (
                        body if isinstance(body, Message) else Message(call.message.request, body, reply=True)
                    )
        except StopIteration as end:
            return end.value

    @property
    def names(self):
        return [Request(message.request).name for message in self.sent]


def connected(protocol=ALL, **answers):
    session = FrontendSession()
    script = Script(
        GET_FEATURES=Number(7 | 1 << 30),
        GET_PROTOCOL_FEATURES=Number(protocol | 1 << 15),
        GET_QUEUE_NUM=Number(4),
        **answers,
    )
    assert script(session.connect()) == 7
    return session, script


def test_a_connection_begins_with_these_messages():
    session, script = connected()
    assert script.names == [
        "SET_OWNER", "GET_FEATURES", "GET_PROTOCOL_FEATURES", "SET_PROTOCOL_FEATURES", "GET_QUEUE_NUM",
    ]  # fmt: skip
    assert script.sent[3].body == Number(ALL)
    assert not any(message.need_reply for message in script.sent)
    assert session.queue_limit == 4
    assert session.has(ProtocolFeature.CONFIG)


def test_a_back_end_without_protocol_features():
    session, script = FrontendSession(), Script(GET_FEATURES=Number(5))
    assert script(session.connect()) == 5
    assert script(session.accept(5))
    assert script(session.enable_vring(0, enabled=True)) is None
    assert script.names == ["SET_OWNER", "GET_FEATURES", "SET_FEATURES"]
    assert script.sent[2].body == Number(5)
    assert script(session.reset()) is False


def test_a_device_is_brought_up_by_these_messages():
    session, script = connected(GET_STATUS=Number(11))
    script.sent.clear()
    script(session.give_request_channel(7))
    assert script(session.accept(5))
    script(session.share_memory([REGION], [8]))
    script(session.start_vring(Vring(1, 256, 0x1000, 0x2000, 0x3000, kick=9, call=10, base=3)))
    script(session.driver_ok())
    assert [m.build(Sender.FRONTEND)[12:].hex() for m in script.sent if m.request == 9] == [
        "01000000000000000010000000000000003000000000000000200000000000000000000000000000"
    ]
    assert [(Request(m.request).name, m.descriptors) for m in script.sent] == [
        ("SET_BACKEND_REQ_FD", (7,)),
        ("SET_STATUS", ()),
        ("SET_FEATURES", ()),
        ("SET_STATUS", ()),
        ("GET_STATUS", ()),
        ("SET_MEM_TABLE", (8,)),
        ("SET_VRING_NUM", ()),
        ("SET_VRING_BASE", ()),
        ("SET_VRING_ADDR", ()),
        ("SET_VRING_CALL", (10,)),
        ("SET_VRING_KICK", (9,)),
        ("SET_VRING_ENABLE", ()),
        ("SET_STATUS", ()),
    ]
    assert [m.body.value for m in script.sent if m.request == Request.SET_STATUS] == [3, 11, 15]
    assert {m.need_reply for m in script.sent if m.request != Request.GET_STATUS} == {True}
    assert script.sent[2].body == Number(5 | 1 << 30)


def test_features_ok_that_did_not_stay_is_seen():
    session, script = connected(GET_STATUS=Number(3))
    assert script(session.accept(5)) is False


def test_the_configuration_is_read_from_offset_0_on_and_written_where_it_is():
    answer = ConfigurationSpace(0, bytes(range(8)))
    session, script = connected(GET_CONFIG=answer)
    assert script(session.read_configuration(4, 4)) == b"\4\5\6\7"
    script(session.write_configuration(4, b"\1\0\0\0"))
    assert script.sent[-2].build(Sender.FRONTEND) == header(24, 20) + config(0, bytes(8))
    assert script.sent[-1].build(Sender.FRONTEND) == header(25, 16, 9) + config(4, b"\1\0\0\0")
    with pytest.raises(ValueError, match="300 bytes at offset 0 are not within the first 256"):
        script(session.read_configuration(0, 300))


def test_a_vring_is_stopped_and_tells_its_base():
    session, script = connected(GET_VRING_BASE=VringState(2, 40))
    assert script(session.stop_vring(2)) == 40


@pytest.mark.parametrize(
    ("protocol", "last", "done"),
    [(ALL, "SET_STATUS", True), (0x2000, "RESET_DEVICE", True), (0x228, None, False)],
)
def test_a_reset_takes_the_way_there_is(protocol, last, done):
    session, script = connected(protocol)
    script.sent.clear()
    assert script(session.reset()) is done
    assert script.names == [last] * done


@pytest.mark.parametrize(
    ("answers", "act_", "words"),
    [
        ({"SET_MEM_TABLE": Number(1)}, lambda s: s.share_memory([REGION], [8]), "refused SET_MEM_TABLE: it answered 0x1"),
        ({"GET_CONFIG": ConfigurationSpace(0, b"\0")}, lambda s: s.read_configuration(0, 8), "8 bytes at offset 0 with 1 bytes"),
        ({"GET_CONFIG": ConfigurationSpace(4, bytes(8))}, lambda s: s.read_configuration(0, 8), "with 8 bytes at offset 4"),
        ({"GET_CONFIG": Number(0)}, lambda s: s.read_configuration(0, 8), "could not serve GET_CONFIG"),
        ({"GET_VRING_BASE": VringState(1, 0)}, lambda s: s.stop_vring(0), "of vring 0 with vring 1, index 0"),
        ({"GET_VRING_BASE": VringState(0, 65536)}, lambda s: s.stop_vring(0), "index 65536"),
        ({"GET_STATUS": Number(256)}, lambda s: s.read_status(), "answered GET_STATUS with 0x100"),
        ({"GET_STATUS": Message(Request.GET_FEATURES, Number(0), reply=True)}, lambda s: s.read_status(), "the reply to GET_FEATURES instead of the reply to GET_STATUS"),
        ({"GET_STATUS": Message(Request.GET_STATUS)}, lambda s: s.read_status(), "sent GET_STATUS instead of the reply"),
        ({"GET_STATUS": Message(77, reply=True)}, lambda s: s.read_status(), "the reply to request 77 instead"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_the_back_ends_fault(answers, act_, words):
    session, script = connected(**answers)
    with pytest.raises(PeerBroke, match=words):
        script(act_(session))


def test_requests_of_the_back_end():
    session, _ = connected()
    change = Message(BackendRequest.CONFIG_CHANGE)
    assert session.answer(change) == (BackendRequest.CONFIG_CHANGE, None)
    owed = session.answer(Message(BackendRequest.CONFIG_CHANGE, need_reply=True))[1]
    assert owed.build(Sender.BACKEND) == header(2, 8, 5) + bytes(8)
    for message, words in (
        (Message(9), "request 9, which a back-end does not have"),
        (Message(BackendRequest.VRING_CALL), "VRING_CALL, but in-band notifications were not negotiated"),
    ):
        with pytest.raises(PeerBroke, match=words):
            session.answer(message)
    without, _ = connected(0)
    assert without.answer(Message(BackendRequest.CONFIG_CHANGE, need_reply=True))[1] is None


def test_it_goes_over_a_connection():
    ours, peer = socket.socketpair()
    with Connection(ours, Sender.FRONTEND, "the back-end") as connection, peer:
        peer.sendall(header(1, 8, 5) + u64(3))
        assert perform(connection, FrontendSession().offered(), 1) == 3
        assert peer.recv(100) == header(1, 0)


def test_both_sessions_get_on():
    """What one end sends the other serves, up to a started vring, and what it answers satisfies the first."""
    back_end, front_end, wanted = BackendSession(7, bytes(range(8))), FrontendSession(), []

    def exchange(talk):
        reply = None
        try:
            while True:
                call = talk.send(reply)
                actions = back_end.receive(call.message)
                replies = [action.message for action in actions if isinstance(action, act.Reply)]
                assert len(replies) == call.awaits_reply
                reply = replies[0] if replies else None
                wanted.extend(type(action) for action in actions if not isinstance(action, act.Reply))
        except StopIteration as end:
            return end.value

    assert exchange(front_end.connect()) == 7
    exchange(front_end.give_request_channel(3))
    assert exchange(front_end.accept(5))
    exchange(front_end.share_memory([REGION], [4]))
    exchange(front_end.start_vring(Vring(0, 64, 0x1000, 0x2000, 0x3000, kick=5, call=6)))
    exchange(front_end.driver_ok())
    assert exchange(front_end.read_configuration(4, 4)) == b"\4\5\6\7"
    assert exchange(front_end.stop_vring(0)) == 0
    assert exchange(front_end.reset())
    assert wanted == [
        act.RequestChannel, act.Accepted, act.MemoryShared, act.VringCall, act.VringKick, act.VringStarted,
        act.VringSwitched, act.VringSwitched, act.Running, act.ConfigurationAsked, act.VringStopped,
        act.VringStopped, act.ResetAsked,
    ]  # fmt: skip
