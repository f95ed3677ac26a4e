"""The adapter to a vhost-user device, against back-ends written by hand: each fails in its own way.

The back-ends share nothing with the project: they read and write bytes with plain ``struct``.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from served_peer import SECONDS, ServedPeer, open_descriptors

from balloon_conformance.iut.contract import (
    AdapterError,
    Buffer,
    Capability,
    DeviceAdapter,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    Setup,
)
from balloon_conformance.iut.vhost_user.device import (
    VhostUserDevice,
    VhostUserOptions,
    vhost_user_device_target,
)
from balloon_conformance.running.outcome import Fault, Status
from balloon_conformance.running.player import Patience, play
from balloon_conformance.vectors.loader import load_all
from balloon_spec.events import ConfigurationChanged, NeedsReset, Notified, Segment, Side, Used
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER
from balloon_spec.segments import from_lengths

SETUP = Setup(CHUNK_TRANSFER, 0x400)
ALL = CHUNK_TRANSFER.mask([*(feature.name for feature in CHUNK_TRANSFER.device_features), "VERSION_1"])
MQ, REPLY_ACK, BACKEND_REQ, CONFIG, RESET_DEVICE, STATUS = (1 << bit for bit in (0, 3, 5, 9, 13, 16))
EVERYTHING = MQ | REPLY_ACK | BACKEND_REQ | CONFIG | RESET_DEVICE | STATUS
GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE, SET_KICK, SET_CALL = 1, 2, 3, 5, 12, 13
GET_PROTOCOL, SET_PROTOCOL, GET_QUEUE_NUM, ENABLE, SET_CHANNEL = 15, 16, 17, 18, 21
GET_BASE, GET_CONFIG, SET_CONFIG, RESET, SET_STATUS, GET_STATUS = 11, 24, 25, 34, 39, 40


class HandBackEnd:
    """Answers a front-end as it should, but for the requests that ``odd`` names: those it answers by that.

    ``odd`` maps a request to a function that is called with the back-end; what that returns is sent in place
    of the reply, and None hangs up.
    """

    def __init__(self, path, protocol=EVERYTHING, odd=None, queues=4):
        self.protocol, self.odd, self.queues = protocol, odd or {}, queues
        self.connections, self.heard = 0, []
        self.space, self.status, self.call, self.channel = bytes(8), 0, {}, None
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        self.listening.listen()
        self.thread = Thread(target=self.serve)
        self.thread.start()

    def end(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.thread.join(SECONDS)
        self.listening.close()
        assert not self.thread.is_alive()

    def serve(self):
        while True:
            try:
                self.connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            self.connection.settimeout(SECONDS)
            # A front-end that hangs up with a reply unread resets the connection.
            with self.connection, suppress(ConnectionError):
                while self.serve_one():
                    pass
            for descriptor in (*self.call.values(), *([self.channel] if self.channel else ())):
                os.close(descriptor)
            self.call, self.channel = {}, None

    def serve_one(self):
        header, ancillary, _, _ = self.connection.recvmsg(12, 1024)
        if len(header) < 12:
            return False
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        request, flags, size = struct.unpack("<III", header)
        body = self.connection.recv(size, socket.MSG_WAITALL) if size else b""
        self.heard.append(request)
        if request == SET_CALL:
            self.call[body[0]] = descriptors.pop()
        if request == SET_CHANNEL:
            self.channel = descriptors.pop()
        for descriptor in descriptors:
            os.close(descriptor)
        if request in self.odd:
            answer = self.odd[request](self)
            if answer is None:
                return False
            self.connection.sendall(answer)
            return True
        if request == SET_STATUS:
            self.status = body[0]
        own = {
            GET_FEATURES: lambda: struct.pack("<Q", ALL | 1 << 30),
            GET_PROTOCOL: lambda: struct.pack("<Q", self.protocol),
            GET_QUEUE_NUM: lambda: struct.pack("<Q", self.queues),
            GET_STATUS: lambda: struct.pack("<Q", self.status),
            GET_BASE: lambda: body[:4] + bytes(4),
            GET_CONFIG: lambda: body[:12] + self.space.ljust(size - 12, b"\0")[: size - 12],
        }
        if request in own:
            self.connection.sendall(reply(request, own[request]()))
        elif flags & 8:
            self.connection.sendall(reply(request, bytes(8)))
        return True


def reply(request, body, flags=5):
    return struct.pack("<III", request, flags, len(body)) + body


def silent(back_end):
    """Answer nothing, and leave the connection open until the front-end hangs up."""
    back_end.connection.recv(1)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "s")


@pytest.fixture
def back_end(path):
    """Start back-ends; nothing of them and of the adapter may be left at the end."""
    before = open_descriptors()
    started = []

    def start(**options):
        started.append(HandBackEnd(path, **options))
        return started[-1]

    yield start
    for one in started:
        one.end()
    assert open_descriptors() == before


@pytest.fixture
def adapter(back_end, path):
    """An adapter that does not wait for long; stopped before its back-end ends."""
    adapter = VhostUserDevice(VhostUserOptions(path, answer_seconds=0.3))
    yield adapter
    adapter.stop()
    adapter.stop()


def run_up(adapter, features=ALL):
    adapter.start(SETUP)
    assert adapter.offered() == ALL
    assert adapter.accept(features)
    adapter.prepare()
    adapter.driver_ok()


# -- what a back-end may be without ------------------------------------------------------------------------


def test_the_adapter_keeps_its_contract(back_end, adapter):
    back_end()
    assert isinstance(adapter, DeviceAdapter)
    assert "protocol features MQ, REPLY_ACK, BACKEND_REQ, CONFIG" in adapter.description


def test_where_nobody_listens_the_adapter_says_what_to_do(path):
    adapter = vhost_user_device_target(VhostUserOptions(path)).make()
    with_control = VhostUserDevice(VhostUserOptions(path, "/nowhere")).capabilities
    assert with_control - adapter.capabilities == {
        Capability.OPERATOR_TARGET,
        Capability.OPERATOR_UNUSED_PAGES,
        Capability.OPERATOR_STATISTICS,
        *(Capability(f"operator-{wish}") for wish in ("hint", "stop-hints", "end-hints")),
    }
    with pytest.raises(AdapterError, match="call start first"):
        adapter.offered()
    with pytest.raises(AdapterError, match=r"cannot connect to .*: No such file .*; start the back-end"):
        adapter.start(SETUP)
    with pytest.raises(AdapterError, match="start the back-end there first"):
        _ = adapter.description
    adapter.stop()


@pytest.mark.parametrize(
    ("protocol", "shows"),
    [(CONFIG | STATUS, True), (CONFIG | REPLY_ACK, True), (CONFIG, False)],
    ids=["status", "reply-ack", "neither"],
)
def test_a_refusal_is_seen_by_status_or_by_an_acknowledgement(back_end, adapter, protocol, shows):
    def refuse(one):
        # With STATUS the refusal is that FEATURES_OK does not stay.
        return reply(SET_FEATURES, struct.pack("<Q", 1)) if protocol & REPLY_ACK else b""

    def forget(one):
        one.status = 0
        return b""

    back_end(
        protocol=protocol, odd={SET_FEATURES: refuse, **({SET_STATUS: forget} if protocol & STATUS else {})}
    )
    assert (Capability.RAW_FEATURES in adapter.capabilities) is shows
    adapter.start(SETUP)
    assert adapter.accept(0b11000) is not shows


def test_without_a_reset_message_the_connection_is_made_again(back_end, adapter):
    one = back_end(protocol=CONFIG | REPLY_ACK)
    run_up(adapter)
    adapter.reset()
    assert adapter.accept(ALL)
    assert one.connections == 2
    assert one.heard.count(GET_BASE) == 4


@pytest.mark.parametrize(("protocol", "request_number"), [(RESET_DEVICE, RESET), (STATUS, SET_STATUS)])
def test_with_a_reset_message_the_connection_stays(back_end, adapter, protocol, request_number):
    one = back_end(protocol=CONFIG | protocol)
    run_up(adapter)
    adapter.reset()
    assert adapter.accept(ALL)
    # What is answered behind a message says that the message was taken.
    assert adapter.offered() == ALL
    assert one.connections == 1
    assert request_number in one.heard


def test_without_config_there_is_nothing_to_judge(back_end, adapter):
    back_end(protocol=REPLY_ACK)
    with pytest.raises(AdapterError, match="no protocol feature CONFIG"):
        adapter.start(SETUP)


def test_too_few_queues_are_named(back_end, adapter):
    back_end(queues=3)
    adapter.start(SETUP)
    adapter.accept(ALL)
    with pytest.raises(AdapterError, match="has 3 queues and accepted features that need 4"):
        adapter.prepare()
    assert adapter.absent_queues({0, 2, 3, 7}) == {3, 7}


def test_a_write_that_is_refused_is_the_device_s_right(back_end, adapter):
    back_end(odd={SET_CONFIG: lambda _: reply(SET_CONFIG, struct.pack("<Q", 22))})
    run_up(adapter)
    adapter.write_configuration(0, bytes(4))


def test_the_memory_is_told_in_two_regions_whose_addresses_differ(back_end, adapter):
    seen = []

    def look(one):
        return reply(SET_MEM_TABLE, bytes(8))

    one = back_end(odd={SET_MEM_TABLE: look})
    run_up(adapter)
    seen += one.heard
    assert seen.index(SET_MEM_TABLE) < seen.index(SET_KICK)
    assert adapter.memory == PageSet([(0, 0x400)])
    assert adapter.ring_sizes() == ((0, 256), (1, 256), (2, 256), (3, 256))


# -- what a back-end may do --------------------------------------------------------------------------------


def test_a_changed_configuration_is_read_and_reported(back_end, adapter):
    one = back_end()
    run_up(adapter)
    one.space = struct.pack("<II", 7, 0)
    os.write(one.channel, struct.pack("<III", 2, 1, 0))
    assert adapter.observe(SECONDS) == [ConfigurationChanged(struct.pack("<II", 7, 0))]


def test_a_device_that_needs_a_reset_says_so_by_the_same_message(back_end, adapter):
    one = back_end()
    run_up(adapter)
    one.status |= 64
    for _ in range(2):
        os.write(one.channel, struct.pack("<III", 2, 1, 0))
    events = []
    while len(events) < 2:
        events += adapter.observe(SECONDS)
    assert events == [NeedsReset(), ConfigurationChanged(bytes(8))]


def test_a_request_of_the_back_end_is_acknowledged_where_it_asks_for_it(back_end, adapter):
    one = back_end()
    run_up(adapter)
    with socket.socket(fileno=os.dup(one.channel)) as channel:
        channel.settimeout(SECONDS)
        channel.sendall(struct.pack("<III", 2, 1 | 8, 0))
        assert adapter.observe(SECONDS)
        assert channel.recv(20, socket.MSG_WAITALL) == struct.pack("<IIIQ", 2, 5, 8, 0)


def test_a_call_without_a_used_buffer_is_no_event(back_end, adapter):
    one = back_end()
    run_up(adapter)
    adapter.make_available(0, Buffer("a", bytes(8)))
    os.eventfd_write(one.call[0], 3)
    assert adapter.observe(0.05) == []


# -- how a back-end fails ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("odd", "fault", "words"),
    [
        ({GET_FEATURES: lambda _: None}, ImplementationCrashed, "closed the connection"),
        ({GET_FEATURES: silent}, ImplementationHung, "sent nothing within 0.3 seconds"),
        ({GET_FEATURES: lambda _: reply(1, bytes(8))[:15]}, ImplementationHung, "3 of 8 bytes"),
        (
            {GET_FEATURES: lambda _: struct.pack("<III", 1, 5, 0xFFFF_FFFF)},
            ImplementationViolation,
            "size",
        ),
        (
            {GET_FEATURES: lambda _: reply(15, bytes(8))},
            ImplementationViolation,
            "instead of the reply to GET_FEATURES",
        ),
        ({GET_FEATURES: lambda _: reply(1, bytes(4))}, ImplementationViolation, "8 bytes"),
        ({GET_FEATURES: lambda _: reply(1, bytes(8), 1)}, ImplementationViolation, "GET_FEATURES"),
        (
            {SET_OWNER: lambda _: reply(99, bytes(8))},
            ImplementationViolation,
            "instead of the reply to GET_FEATURES",
        ),
        ({SET_CHANNEL: lambda _: reply(21, struct.pack("<Q", 1))}, ImplementationViolation, "refused"),
    ],
    ids=["closes", "silent", "half", "four-gib", "other", "short", "no-reply-flag", "unknown", "refuses"],
)
def test_a_fault_while_connecting_is_the_device_s(back_end, adapter, odd, fault, words):
    back_end(odd=odd)
    with pytest.raises(fault, match=words):
        adapter.start(SETUP)
    with pytest.raises(AdapterError, match="is this a vhost-user back-end"):
        _ = adapter.description


def test_descriptors_nobody_asked_for_are_refused_and_closed(back_end, adapter):
    def pass_one(one):
        with socket.socket() as extra:
            socket.send_fds(one.connection, [reply(1, bytes(8))], [extra.fileno()])
        return b""

    back_end(odd={GET_FEATURES: pass_one})
    with pytest.raises(ImplementationViolation, match="1 descriptors, not 0"):
        adapter.start(SETUP)


def test_a_back_end_that_leaves_while_it_is_observed_crashed(back_end, adapter):
    one = back_end()
    run_up(adapter)
    one.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ImplementationCrashed, match="closed the connection"):
        adapter.observe(SECONDS)


def test_a_message_where_nothing_was_asked_breaks_the_protocol(back_end, adapter):
    one = back_end()
    run_up(adapter)
    one.connection.sendall(reply(GET_FEATURES, bytes(8)))
    with pytest.raises(ImplementationViolation, match="message 1 although nothing was asked"):
        adapter.observe(SECONDS)


def test_an_unknown_request_of_the_back_end_breaks_the_protocol(back_end, adapter):
    one = back_end()
    run_up(adapter)
    os.write(one.channel, struct.pack("<III", 77, 1, 0))
    with pytest.raises(ImplementationViolation, match="request 77"):
        adapter.observe(SECONDS)


def test_a_back_end_that_is_gone_for_good_crashed(path, back_end, adapter):
    one = back_end()
    adapter.start(SETUP)
    one.listening.shutdown(socket.SHUT_RDWR)
    one.listening.close()
    Path(path).unlink()
    with pytest.raises(ImplementationCrashed, match=r"nobody listens at .* any more"):
        adapter.start(SETUP)
    one.thread.join(SECONDS)
    one.listening = socket.socket(socket.AF_UNIX)
    one.listening.bind(path)
    one.listening.listen()


def test_after_a_fault_the_next_case_is_played_with_fresh_memory(back_end, adapter):
    one = back_end(odd={GET_BASE: silent})
    run_up(adapter)
    with pytest.raises(ImplementationHung):
        adapter.reset()
    one.odd = {}
    run_up(adapter)
    assert adapter.discarded(adapter.memory) == (PageSet(), PageSet())
    adapter.reset()


# -- a device that works -----------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path):
    peer = ServedPeer("reference-device", tmp_path)
    adapter = VhostUserDevice(VhostUserOptions(peer.socket, peer.control))
    yield peer, adapter
    adapter.stop()
    peer.kill()


def chunks(*runs):
    data = b"".join(struct.pack("<QQ", first << 12, count << 12) for first, count in runs)
    return struct.pack("<BBHI", 0, 0, 0, len(data)) + data


def returned(adapter):
    """The next buffers that come back, whenever they are notified of."""
    while not (events := [one for one in adapter.observe(SECONDS) if not isinstance(one, Notified)]):
        pass
    return [replace(one, notified=None) for one in events]


def test_discarded_pages_are_found_and_found_once(served):
    adapter = served[1]
    run_up_offering_more(adapter)
    adapter.make_available(0, Buffer("a", chunks((0x10, 4), (0x3FF, 1))))
    assert returned(adapter) == [Used(0, "a")]
    both = PageSet([(0x10, 4), (0x3FF, 1)])
    assert adapter.discarded(adapter.memory) == (both, PageSet())
    assert adapter.discarded(adapter.memory) == (PageSet(), PageSet())


@pytest.mark.parametrize("extra", [(), ("EVENT_IDX",), ("INDIRECT_DESC",), ("EVENT_IDX", "INDIRECT_DESC")])
def test_every_feature_of_the_ring_serves(served, extra):
    adapter = served[1]
    run_up_offering_more(adapter, ALL | CHUNK_TRANSFER.mask(extra))
    for at in range(600):
        data = chunks((at % 0x400, 1))
        adapter.make_available(at % 2, Buffer("a", data, segments=from_lengths((1, 7, len(data) - 8))))
        assert returned(adapter) == [Used(at % 2, "a")]


@pytest.mark.parametrize("address", [0x80000, 1 << 40])
def test_a_descriptor_lies_where_it_is_stated(served, address):
    """At an address in RAM the device reads the chunk; at one where no memory is there is nothing to read."""
    adapter = served[1]
    run_up_offering_more(adapter)
    data = chunks((0x10, 4))
    segments = (Segment(8), Segment(16, address=address))
    adapter.make_available(0, Buffer("a", data, segments=segments))
    assert returned(adapter) == [Used(0, "a")]
    named = PageSet([(0x10, 4)]) if address == 0x80000 else PageSet()
    assert adapter.discarded(adapter.memory) == (named, PageSet())


def test_early_buffers_wait_for_driver_ok_notified_or_not(served):
    adapter = served[1]
    adapter.start(SETUP)
    adapter.accept(ALL)
    adapter.prepare()
    adapter.make_available(0, Buffer("a", chunks((1, 1))))
    adapter.make_available(1, Buffer("b", chunks((9, 1)), notify=False))
    assert adapter.observe(0.02) == []
    assert adapter.discarded(adapter.memory) == (PageSet(), PageSet())
    adapter.driver_ok()
    seen = []
    while len(seen) < 2:
        seen += returned(adapter)
    assert sorted(seen, key=str) == [Used(0, "a"), Used(1, "b")]


def test_nothing_of_a_case_is_seen_in_the_next(served):
    adapter = served[1]
    for _ in range(2):
        run_up_offering_more(adapter)
        assert adapter.read_configuration(0, 8) == bytes(8)
        adapter.operate("target", 9)
        assert adapter.observe(SECONDS) == [ConfigurationChanged(struct.pack("<II", 9, 0))]
        adapter.write_configuration(4, struct.pack("<I", 5))
        assert adapter.read_configuration(0, 12) == struct.pack("<III", 9, 5, 0)
        adapter.make_available(0, Buffer("a", chunks((1, 1))))
        adapter.make_available(2, Buffer("s", struct.pack("<HQ", 4, 1)))
        assert returned(adapter) == [Used(0, "a")]


def test_a_device_that_is_killed_fails_its_case_and_the_run_goes_on(tmp_path):
    before = open_descriptors()
    (vector,) = (one for one in load_all() if one.id == "inflate-two-runs")
    peer = ServedPeer("reference-device", tmp_path)
    adapter = VhostUserDevice(VhostUserOptions(peer.socket, peer.control, answer_seconds=1.0))
    assert play(vector, adapter, Side.DEVICE, Patience(SECONDS, 0.01)).status is Status.PASSED
    peer.kill()
    ended = play(vector, adapter, Side.DEVICE, Patience(SECONDS, 0.01))
    # It ended between two cases: there is nobody at the other end.
    assert (ended.status, ended.fault, ended.how) == (Status.FAILED, Fault.DEVICE, "absent")
    again = ServedPeer("reference-device", tmp_path)
    assert play(vector, adapter, Side.DEVICE, Patience(SECONDS, 0.01)).status is Status.PASSED
    adapter.stop()
    assert again.end() == (0, "", "")
    assert open_descriptors() == before


def run_up_offering_more(adapter, features=ALL):
    """As ``run_up``, for a device that offers features of the ring as well."""
    adapter.start(SETUP)
    assert adapter.offered() & ALL == ALL
    assert adapter.accept(features)
    adapter.prepare()
    adapter.driver_ok()
