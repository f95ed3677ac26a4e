"""Every message against bytes packed by hand, in both directions."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vhost_user_by_hand import config, header, region, state, table, u64

from balloon_conformance.vhost_user.messages import (
    BACKEND_REQUESTS,
    FRONTEND_REQUESTS,
    BackendRequest,
    ConfigurationSpace,
    Header,
    MemoryRegion,
    MemoryTable,
    Message,
    Nothing,
    Number,
    ProtocolFeature,
    Raw,
    Request,
    Sender,
    VringAddress,
    VringDescriptor,
    VringState,
    check_header,
    descriptors_of,
    parse_body,
    parse_header,
)
from balloon_spec.wire.errors import WireError

ADDRESS = struct.pack("<IIQQQQ", 2, 1, 0x1000, 0x3000, 0x2000, 0x9000)
REGION = MemoryRegion(0x20CDD000, 0x40000, 0x20CDD000, 0x20CDD000)

# Request number, body, bytes of the body, descriptors that go along.
SENT = [
    (1, Nothing(), b"", 0),
    (2, Number(1 << 32 | 7), u64(0x1_0000_0007), 0),
    (3, Nothing(), b"", 0),
    (5, MemoryTable((REGION,)), table(region()), 1),
    (8, VringState(1, 256), state(1, 256), 0),
    (9, VringAddress(2, 1, 0x1000, 0x3000, 0x2000, 0x9000), ADDRESS, 0),
    (10, VringState(1, 0xFFFF), state(1, 0xFFFF), 0),
    (11, VringState(1, 0), state(1, 0), 0),
    (12, VringDescriptor(3), u64(3), 1),
    (13, VringDescriptor(3, has_descriptor=False), u64(0x103), 0),
    (14, VringDescriptor(255), u64(255), 1),
    (15, Nothing(), b"", 0),
    (16, Number(0x228), u64(0x228), 0),
    (17, Nothing(), b"", 0),
    (18, VringState(0, 1), state(0, 1), 0),
    (21, Nothing(), b"", 1),
    (24, ConfigurationSpace(0, bytes(8)), config(0, bytes(8)), 0),
    (25, ConfigurationSpace(4, b"\x13\0\0\0", 1), config(4, b"\x13\0\0\0", 1), 0),
    (34, Nothing(), b"", 0),
    (39, Number(15), u64(15), 0),
    (40, Nothing(), b"", 0),
]
ANSWERED = [
    (1, Number(1 << 30), u64(1 << 30)),
    (2, Number(0), u64(0)),
    (11, VringState(1, 17), state(1, 17)),
    (17, Number(4), u64(4)),
    (24, ConfigurationSpace(0, b"\1\2\3\4"), config(0, b"\1\2\3\4")),
    (24, Nothing(), b""),
    (40, Number(11), u64(11)),
]
ASKED_BACK = [(2, Nothing(), b""), (4, VringState(1, 0), state(1, 0)), (5, VringState(0, 0), state(0, 0))]


def test_every_message_is_in_the_table_of_bytes():
    assert {request for request, *_ in SENT} == {*Request} == {*FRONTEND_REQUESTS}
    assert {request for request, *_ in ASKED_BACK} == {*BackendRequest} == {*BACKEND_REQUESTS}


@pytest.mark.parametrize(("request_", "body", "payload", "descriptors"), SENT)
def test_a_request_of_a_front_end(request_, body, payload, descriptors):
    message = Message(request_, body, need_reply=True)
    assert message.build(Sender.FRONTEND) == header(request_, len(payload), 9) + payload
    parsed = parse_header(header(request_, len(payload), 9))
    assert parsed == Header(request_, len(payload), need_reply=True)
    assert parse_body(Sender.FRONTEND, parsed, payload) == body
    assert descriptors_of(Sender.FRONTEND, parsed, body) == descriptors


@pytest.mark.parametrize(("request_", "body", "payload"), ANSWERED)
def test_a_reply_has_flags_of_exactly_5(request_, body, payload):
    assert Message(request_, body, reply=True).build(Sender.FRONTEND) == (
        header(request_, len(payload), 5) + payload
    )
    parsed = parse_header(header(request_, len(payload), 5))
    assert parse_body(Sender.FRONTEND, parsed, payload) == body
    assert descriptors_of(Sender.FRONTEND, parsed, body) == 0


@pytest.mark.parametrize(("request_", "body", "payload"), ASKED_BACK)
def test_a_request_of_a_back_end(request_, body, payload):
    assert Message(request_, body).build(Sender.BACKEND) == header(request_, len(payload), 1) + payload
    parsed = parse_header(header(request_, len(payload)))
    assert parse_body(Sender.BACKEND, parsed, payload) == body


def test_the_protocol_features_have_their_bits():
    assert {feature.name: int(feature).bit_length() - 1 for feature in ProtocolFeature} == {
        "MQ": 0,
        "REPLY_ACK": 3,
        "BACKEND_REQ": 5,
        "CONFIG": 9,
        "RESET_DEVICE": 13,
        "STATUS": 16,
    }


def test_a_memory_table_may_have_room_for_more_than_it_holds():
    """Linux in user mode sends 72 bytes for one region."""
    payload = table(region(), room=1)
    assert len(payload) == 72
    assert parse_body(Sender.FRONTEND, Header(5, 72), payload) == MemoryTable((REGION,))


@given(st.lists(st.tuples(*[st.integers(0, 2**64 - 1)] * 4), min_size=1, max_size=8), st.integers(0, 3))
def test_memory_tables_go_both_ways(regions, room):
    body = MemoryTable(tuple(MemoryRegion(*one) for one in regions))
    payload = table(*(struct.pack("<QQQQ", *one) for one in regions))
    assert Message(5, body).build(Sender.FRONTEND)[12:] == payload
    assert parse_body(Sender.FRONTEND, Header(5, 0), payload + bytes(32 * room)) == body


@pytest.mark.parametrize(
    ("request_", "payload", "words"),
    [
        (1, b"\0", "GET_FEATURES: payload at byte 0: expected no bytes, seen 1"),
        (2, bytes(7), "SET_FEATURES: value at byte 0: expected 8 bytes, seen 7"),
        (8, bytes(9), "SET_VRING_NUM: trailing bytes at byte 8: expected 8 bytes in all, seen 9"),
        (9, bytes(39), "SET_VRING_ADDR: log_address at byte 32: expected 8 bytes, seen 7"),
        (12, u64(0x200), "SET_VRING_KICK: reserved at byte 0: expected bits 9 to 63 clear, seen 0x200"),
        (5, table(), "SET_MEM_TABLE: count at byte 0: expected 1 to 0 regions, seen 0"),
        (
            5,
            struct.pack("<II", 2, 0) + region(),
            "SET_MEM_TABLE: count at byte 0: expected 1 to 1 regions, seen 2",
        ),
        (5, table(*[region()] * 9), "SET_MEM_TABLE: count at byte 0: expected 1 to 8 regions, seen 9"),
        (
            5,
            table(region())[:-1],
            "SET_MEM_TABLE: regions[0].offset_bytes at byte 32: expected 8 bytes, seen 7",
        ),
        (24, b"", "GET_CONFIG: offset at byte 0: expected 12 bytes and more, seen 0"),
        (24, config(0, b""), "GET_CONFIG: size at byte 4: expected 1 to 256, seen 0"),
        (24, config(0, bytes(257)), "GET_CONFIG: size at byte 4: expected 1 to 256, seen 257"),
        (
            25,
            config(0, bytes(4))[:-1],
            "SET_CONFIG: size at byte 4: expected 3, the bytes that follow, seen 4",
        ),
        (25, bytes(11), "SET_CONFIG: flags at byte 8: expected 4 bytes, seen 3"),
    ],
)
def test_a_body_that_cannot_be_names_message_and_field(request_, payload, words):
    with pytest.raises(WireError) as caught:
        parse_body(Sender.FRONTEND, Header(request_, len(payload)), payload)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (VringState(1 << 32, 0), "SET_VRING_NUM: index at byte 0: expected an integer from 0 to 0xffffffff"),
        (VringDescriptor(256), "SET_VRING_NUM: index at byte 0: expected an integer from 0 to 0xff"),
        (
            MemoryTable((REGION, MemoryRegion(0, -1, 0, 0))),
            "SET_VRING_NUM: regions[1].length_bytes at byte 48",
        ),
        (ConfigurationSpace(-1, b""), "SET_VRING_NUM: offset at byte 0"),
        (Number(1 << 64), "SET_VRING_NUM: value at byte 0"),
    ],
)
def test_a_value_that_does_not_fit_names_message_and_field(body, words):
    with pytest.raises(WireError) as caught:
        Message(8, body).build(Sender.FRONTEND)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("flags", "size", "words"),
    [
        (0, 0, "GET_FEATURES: flags.version at byte 4: expected 1, seen 0"),
        (6, 0, "reply to GET_FEATURES: flags.version at byte 4: expected 1, seen 2"),
        (0x11, 0, "GET_FEATURES: flags.reserved at byte 4: expected bits 4 to 31 clear, seen 0x10"),
        (1, 0xFFFFFFFF, "GET_FEATURES: size at byte 8: expected 4096 bytes at most, seen 4294967295"),
        (1, 4097, "GET_FEATURES: size at byte 8: expected 4096 bytes at most, seen 4097"),
    ],
)
def test_a_header_nobody_may_send(flags, size, words):
    with pytest.raises(WireError) as caught:
        check_header(Sender.FRONTEND, parse_header(header(1, size, flags)))
    assert str(caught.value) == words


def test_a_message_nobody_knows_comes_as_it_is():
    assert parse_body(Sender.FRONTEND, Header(99, 3), b"abc") == Raw(b"abc")
    assert descriptors_of(Sender.FRONTEND, Header(99, 3), Raw(b"abc")) is None
    assert Message(99, Raw(b"abc")).build(Sender.FRONTEND) == header(99, 3) + b"abc"
