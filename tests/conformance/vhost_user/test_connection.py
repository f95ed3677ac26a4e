"""A connection against a peer on a real socket that sends well, badly, or not at all."""

from __future__ import annotations

import array
import os
import socket

import pytest
from vhost_user_by_hand import header, open_descriptors, region, send, table, u64

from balloon_conformance.vhost_user.connection import Connection, PeerBroke, PeerClosed, PeerSilent
from balloon_conformance.vhost_user.messages import Message, Nothing, Number, Raw, Sender, VringDescriptor

SHORT = 0.05


@pytest.fixture
def ends():
    before = open_descriptors()
    ours, peer = socket.socketpair()
    with Connection(ours, Sender.FRONTEND, "the front-end") as connection, peer:
        yield connection, peer
    assert open_descriptors() == before, "descriptors were left behind"


def with_descriptors(peer, data, count):
    """Send bytes with ``count`` descriptors attached to the first."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * count))]
    peer.sendmsg([data], ancillary)


def test_messages_come_one_by_one(ends):
    connection, peer = ends
    peer.sendall(header(1, 0) + header(2, 8) + u64(7))
    assert connection.receive(1) == Message(1, Nothing())
    assert connection.receive(1) == Message(2, Number(7))


def test_a_message_is_put_together_from_single_bytes(ends):
    connection, peer = ends
    data = header(2, 8) + u64(7)
    for at in range(len(data) - 1):
        peer.sendall(data[at : at + 1])
        with pytest.raises(PeerSilent):
            connection.receive(0)
    peer.sendall(data[-1:])
    assert connection.receive(1) == Message(2, Number(7))


@pytest.mark.parametrize("apart", [False, True], ids=["in one piece", "header and body apart"])
def test_descriptors_come_with_the_first_byte(ends, apart):
    connection, peer = ends
    data = header(12, 8) + u64(1)
    with_descriptors(peer, data[:12] if apart else data, 1)
    peer.sendall(data[12:] if apart else b"")
    message = connection.receive(1)
    assert message.body == VringDescriptor(1)
    (descriptor,) = message.descriptors
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_what_is_sent_is_what_was_built_with_its_descriptors(ends):
    connection, peer = ends
    connection.send(Message(12, VringDescriptor(1), descriptors=(0,)), 1)
    data, descriptors, _, _ = socket.recv_fds(peer, 100, 8)
    os.close(*descriptors)
    assert data == header(12, 8) + u64(1)


def test_a_peer_that_says_nothing(ends):
    connection, _ = ends
    assert not connection.waiting(0)
    with pytest.raises(PeerSilent, match=r"^the front-end sent nothing within 0\.05 seconds$"):
        connection.receive(SHORT)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (header(2, 8)[:5], "5 of 12 bytes of a header"),
        (header(2, 8), "0 of 8 bytes of SET_FEATURES"),
        (header(2, 8) + b"abc", "3 of 8 bytes of SET_FEATURES"),
    ],
)
def test_half_a_message(ends, data, words):
    connection, peer = ends
    peer.sendall(data)
    with pytest.raises(PeerSilent, match=f"sent {words} within"):
        connection.receive(SHORT)
    peer.close()
    with pytest.raises(PeerClosed, match=f"closed the connection after {words}"):
        connection.receive(SHORT)


def test_descriptors_of_half_a_message_are_closed_with_the_connection(ends):
    connection, peer = ends
    with_descriptors(peer, header(12, 8), 1)
    before = open_descriptors()
    with pytest.raises(PeerSilent):
        connection.receive(SHORT)
    assert open_descriptors() == before + 1
    connection.close()
    connection.close()
    assert open_descriptors() == before - 1  # its socket as well


def test_a_length_of_4_gib_is_refused_before_anything_is_taken(ends):
    connection, peer = ends
    peer.sendall(header(24, 0xFFFFFFFF) + bytes(100))
    for _ in range(2):
        with pytest.raises(PeerBroke, match="GET_CONFIG: size at byte 8: expected 4096 bytes at most"):
            connection.receive(1)
    assert peer.send(b"x")


@pytest.mark.parametrize(
    ("data", "count", "words"),
    [
        (header(1, 0), 1, "GET_FEATURES with 1 descriptors, not 0"),
        (header(12, 8) + u64(0), 0, "SET_VRING_KICK with 0 descriptors, not 1"),
        (header(12, 8) + u64(0), 2, "SET_VRING_KICK with 2 descriptors, not 1"),
        (header(12, 8) + u64(0x100), 1, "SET_VRING_KICK with 1 descriptors, not 0"),
        (header(5, 40) + table(region()), 0, "SET_MEM_TABLE with 0 descriptors, not 1"),
        (header(5, 72) + table(region(), room=1), 2, "SET_MEM_TABLE with 2 descriptors, not 1"),
        (header(21, 0), 0, "SET_BACKEND_REQ_FD with 0 descriptors, not 1"),
        (header(21, 0), 100, "more than 8 descriptors with a header"),
    ],
)
def test_a_wrong_number_of_descriptors_is_closed_and_reported(ends, data, count, words):
    connection, peer = ends
    before = open_descriptors()
    if count:
        with_descriptors(peer, data, count)
    else:
        peer.sendall(data)
    with pytest.raises(PeerBroke, match=words):
        connection.receive(1)
    assert open_descriptors() == before


def test_descriptors_in_the_middle_of_a_message_are_refused(ends):
    connection, peer = ends
    before = open_descriptors()
    peer.sendall(header(12, 8))
    with_descriptors(peer, u64(0), 1)
    with pytest.raises(PeerBroke, match="in the middle of SET_VRING_KICK, not with its first byte"):
        connection.receive(1)
    assert open_descriptors() == before


def test_a_message_nobody_knows_hands_over_what_came_with_it(ends):
    connection, peer = ends
    send(peer, 77, b"abc", fds=[0, 0])
    message = connection.receive(1)
    assert (message.request, message.body, len(message.descriptors)) == (77, Raw(b"abc"), 2)
    for descriptor in message.descriptors:
        os.close(descriptor)


def test_a_peer_that_is_gone(ends):
    connection, peer = ends
    peer.close()
    assert connection.waiting(0)
    for _ in range(2):
        with pytest.raises(PeerClosed, match=r"^the front-end closed the connection$"):
            connection.receive(1)
    assert connection.waiting(0)
    with pytest.raises(PeerClosed):
        connection.send(Message(1), 1)


def test_sending_to_a_peer_that_is_gone(ends):
    connection, peer = ends
    peer.close()
    with pytest.raises(PeerClosed, match="closed the connection before it took GET_FEATURES"):
        connection.send(Message(1), 1)


def test_sending_to_a_peer_that_does_not_read(ends):
    connection, _ = ends

    def send_on_and_on():
        while True:
            connection.send(Message(2, Number(0)), SHORT)

    with pytest.raises(PeerSilent, match=r"^the front-end did not take SET_FEATURES within 0\.05 seconds$"):
        send_on_and_on()
    with pytest.raises(PeerSilent):
        connection.receive(1)
