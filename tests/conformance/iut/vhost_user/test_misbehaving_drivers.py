"""Drivers that misbehave: each ends its case with the driver's fault, in time, and leaves nothing behind.

The fixture of the adapter counts the descriptors before and after; nothing here starts a process.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct
import threading
from contextlib import suppress

import pytest
from vhost_user_by_hand import (
    ADDR,
    CHANNEL,
    GET_CONFIG,
    GET_FEATURES,
    GUEST,
    KICK,
    PAGES,
    SET_CONFIG,
    SET_FEATURES,
    SET_MEM_TABLE,
    SET_OWNER,
    config,
    header,
    region,
    send,
    state,
    table,
    u64,
)

from balloon_conformance.iut.contract import (
    AdapterError,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    Setup,
)
from balloon_conformance.running.case import carry_out
from balloon_conformance.running.outcome import Fault, Status
from balloon_conformance.running.session import DriverSession
from balloon_spec import events as ev
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

SPACE = bytes(8)


class Case:
    id = "case"
    requirements = ()
    breaks = ()


def outcome(adapter, action):
    """Carry a case out in which the driver is negotiated with, and then ``action`` is awaited to end it."""

    def play():
        session.negotiate(0, SPACE)
        action()
        session.settle(1.0)
        return ()

    session = DriverSession(adapter, CHUNK_TRANSFER)
    return carry_out(Case(), session, play)


def nothing():
    pass


def pause(adapter):
    """What comes between two cases."""
    adapter.start(Setup(CHUNK_TRANSFER))


def test_nobody_connects(adapter):
    with pytest.raises(AdapterError, match=r"no driver connected to .* within 0\.2 seconds; start it"):
        adapter.negotiate(0, SPACE)


def test_it_connects_and_says_nothing(adapter, connect):
    connect()
    ended = outcome(adapter, nothing)
    assert (ended.status, ended.fault, ended.how) == (Status.FAILED, Fault.DRIVER, "hang")
    assert ended.reason.endswith("did not accept features within 0.3 seconds; it sent nothing")


def test_it_says_less_than_it_should(adapter, connect):
    connect().greet()
    with pytest.raises(ImplementationHung, match=r"it sent GET_FEATURES, SET_OWNER, GET_PROTOCOL_FEATURES, "):
        adapter.negotiate(0, SPACE)


def test_it_never_stops_talking(adapter, connect):
    driver = connect()

    def talk():
        with suppress(OSError):
            while True:
                send(driver.sock, SET_OWNER)

    talker = threading.Thread(target=talk)
    talker.start()
    with pytest.raises(
        ImplementationHung, match=r"did not accept features within 0\.3 seconds; it sent SET_OWNER"
    ):
        adapter.negotiate(0, SPACE)
    adapter.reset()
    talker.join(10)
    assert not talker.is_alive()


@pytest.mark.parametrize("length", [1, 11, 12, 15])
def test_it_sends_half_a_message(adapter, connect, length):
    driver = connect()
    driver.sock.sendall((header(SET_FEATURES, 8) + u64(0))[:length])
    ended = outcome(adapter, nothing)
    assert (ended.fault, ended.how) == (Fault.DRIVER, "hang")
    assert "bytes of" in ended.reason


def test_it_announces_4_gib(adapter, connect):
    connect().sock.sendall(header(GET_CONFIG, 0xFFFFFFFF))
    ended = outcome(adapter, nothing)
    assert (ended.fault, ended.how) == (Fault.DRIVER, "violation")
    assert "expected 4096 bytes at most, seen 4294967295" in ended.reason


@pytest.mark.parametrize("count", [0, 2, 8])
def test_it_sends_a_wrong_number_of_descriptors(adapter, connect, count):
    driver = connect()
    driver.greet()
    driver.accept(0)
    send(driver.sock, SET_MEM_TABLE, table(region()), fds=[driver.file] * count)
    ended = outcome(adapter, nothing)
    assert (ended.fault, ended.how) == (Fault.DRIVER, "violation")
    assert f"SET_MEM_TABLE with {count} descriptors, not 1" in ended.reason


def test_it_sends_more_descriptors_than_fit(adapter, connect):
    driver = connect()
    many = array.array("i", [driver.file] * 200)
    driver.sock.sendmsg([header(CHANNEL, 0)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, many)])
    with pytest.raises(ImplementationViolation, match="more than 8 descriptors"):
        adapter.negotiate(0, SPACE)


@pytest.mark.parametrize("fds", [0, 3])
def test_it_sends_a_request_nobody_knows(adapter, connect, fds):
    driver = connect()
    driver.bring_up()
    send(driver.sock, 77, b"what is this", fds=[driver.file] * fds)
    ended = outcome(adapter, nothing)
    assert (ended.fault, ended.how) == (Fault.DRIVER, "violation")
    assert "request 77 of the front-end, which a back-end does not serve" in ended.reason


def test_it_refuses_out_of_turn_and_keeps_no_descriptor(adapter, connect):
    driver = connect()
    send(driver.sock, KICK, u64(0), fds=[driver.file])
    with pytest.raises(ImplementationViolation, match="SET_VRING_KICK before SET_FEATURES"):
        adapter.negotiate(0, SPACE)


def test_it_closes_in_the_middle_and_the_run_goes_on(adapter, connect):
    driver = connect()
    driver.bring_up()
    ended = outcome(adapter, driver.sock.close)
    assert (ended.status, ended.fault, ended.how) == (Status.FAILED, Fault.DRIVER, "crash")
    assert "closed its connection with virtqueues 0, 1 in use" in ended.reason
    pause(adapter)
    again = connect()
    again.bring_up()
    assert adapter.negotiate(0, SPACE) == 0


def test_it_closes_in_the_middle_of_a_message(adapter, connect):
    driver = connect()
    driver.sock.sendall(header(SET_FEATURES, 8))
    driver.sock.close()
    with pytest.raises(
        ImplementationCrashed, match="closed the connection after 0 of 8 bytes of SET_FEATURES"
    ):
        adapter.negotiate(0, SPACE)


def test_what_it_did_before_it_closed_is_told_first(adapter, connect):
    driver = connect()
    driver.bring_up()
    adapter.negotiate(0, SPACE)
    driver.offer(0, b"last")
    driver.sock.close()
    seen = []
    with pytest.raises(ImplementationCrashed):
        observe_on(adapter, seen)
    assert [event.readable for event in seen if isinstance(event, ev.Available)] == [b"last"]


def test_its_memory_is_smaller_than_it_says(adapter, connect):
    driver = connect()
    driver.greet()
    driver.accept(0)
    driver.tell(SET_MEM_TABLE, table(region(length=PAGES * 4096 + 1)), fds=[driver.file])
    ended = outcome(adapter, nothing)
    assert (ended.fault, ended.how) == (Fault.DRIVER, "violation")
    assert "memory region 0 ends at byte" in ended.reason


def test_its_memory_shrinks_under_a_buffer(adapter, connect):
    driver = connect()
    driver.bring_up()
    adapter.negotiate(0, SPACE)
    driver.offer(0, b"abcd")
    (seen,) = [event for event in observed(adapter) if isinstance(event, ev.Available)]
    os.ftruncate(driver.file, GUEST + 0x10000)
    with pytest.raises(ImplementationViolation, match="ends at byte"):
        adapter.use(0, seen.buffer, 0, b"")
    with pytest.raises(ImplementationViolation, match="ends at byte"):
        adapter.observe(0)


def observed(adapter):
    found = []
    while fresh := adapter.observe(0.02):
        found += fresh
    return found


def observe_on(adapter, seen):
    """Observe until something is raised; ``seen`` is what was told before."""
    while True:
        seen += adapter.observe(1)


def loop(driver):
    driver.descriptor(0, 0, driver.data_address(0), 4, flags=1, following=1)
    driver.descriptor(0, 1, driver.data_address(1), 4, flags=1, following=0)
    driver.make_available(0, 0)


def outside(driver):
    driver.descriptor(0, 0, GUEST + PAGES * 4096 - 2, 4)
    driver.make_available(0, 0)


def far_outside(driver):
    driver.descriptor(0, 0, 2**64 - 8, 2**32 - 1)
    driver.make_available(0, 0)


def head_beyond(driver):
    driver.make_available(0, 256)


def jump(driver):
    struct.pack_into("<H", driver.memory, 0x1002, 300)


def twice(driver):
    driver.offer(0, b"abcd", kick=False)
    driver.make_available(0, 0)


def gigabytes(driver):
    """Descriptors that overlap: 256 times the same 128 KiB."""
    for slot in range(256):
        driver.descriptor(0, slot, GUEST + 0x20000, 0x20000, flags=slot < 255, following=slot + 1)
    driver.make_available(0, 0)


@pytest.mark.parametrize(
    ("lay", "words"),
    [
        (loop, r"broken ring \(loop\): .*the chain loops"),
        (outside, r"broken ring \(outside-memory\)"),
        (far_outside, r"broken ring \(outside-memory\)"),
        (head_beyond, r"broken ring \(head-out-of-range\)"),
        (jump, r"broken ring \(available-jump\)"),
        (twice, r"broken ring \(head-in-flight\)"),
        (gigabytes, r"has 33554432 readable bytes, more than the 16777216"),
    ],
)
def test_it_lays_a_broken_ring(adapter, connect, lay, words):
    driver = connect()
    driver.bring_up()
    adapter.negotiate(0, SPACE)
    observed(adapter)
    lay(driver)
    driver.kick(0)
    seen = []
    for _ in range(2):
        with pytest.raises(ImplementationViolation, match=words):
            observe_on(adapter, seen)
    # What came before the fault is told before it.
    assert [event.readable for event in seen] == ([b"abcd"] if lay is twice else [])


@pytest.mark.parametrize("lay", [loop, outside, far_outside, head_beyond, jump, twice])
def test_a_broken_ring_is_the_drivers_fault_and_breaks_a_requirement(adapter, connect, lay):
    driver = connect()
    driver.bring_up()
    lay(driver)
    driver.kick(0)
    ended = outcome(adapter, nothing)
    assert (ended.status, ended.fault, ended.how) == (Status.FAILED, Fault.DRIVER, "violation")
    assert ended.reason.startswith("the driver broke its transport: the driver laid a broken ring (")
    finding = next(one for one in ended.findings if one.requirement == "QUEUE-11")
    assert finding.field == "queue 0"
    assert "ring-broken" in ended.trace[-1]


def readable_after_writable(driver):
    driver.descriptor(0, 0, driver.data_address(0), 4, flags=3, following=1)
    driver.descriptor(0, 1, driver.data_address(1), 4)
    driver.make_available(0, 0)


def indirect_unasked(driver):
    driver.descriptor(0, 0, driver.data_address(0), 16, flags=4)
    driver.make_available(0, 0)


@pytest.mark.parametrize("lay", [readable_after_writable, indirect_unasked])
def test_a_chain_against_the_rules_of_its_descriptors_is_named(adapter, connect, lay):
    driver = connect()
    driver.bring_up()
    lay(driver)
    driver.kick(0)
    assert "QUEUE-11" in {one.requirement for one in outcome(adapter, nothing).findings}


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ((0, GUEST + 0x2000, GUEST + 0x1000), "vring 0, descriptor table: 4096 bytes at user address 0x0"),
        ((GUEST, GUEST + PAGES * 4096 - 8, GUEST + 0x1000), "vring 0, used ring"),
        ((GUEST, GUEST + 0x2000, 2**64 - 4), "vring 0, available ring: 518 bytes at user address 0xf"),
        (
            (GUEST + 1, GUEST + 0x2000, GUEST + 0x3000),
            r"broken ring \(layout\).*not a 64-bit address aligned to 16",
        ),
        ((GUEST, GUEST + 0x2000, GUEST), r"broken ring \(layout\).*overlaps"),
    ],
)
def test_its_ring_lies_where_none_can(adapter, connect, at, words):
    driver = connect()
    driver.greet()
    driver.accept(0)
    driver.share()
    driver.set_up(0)
    driver.tell(ADDR, struct.pack("<IIQQQQ", 0, 0, *at, 0))
    driver.enable(0)
    adapter.negotiate(0, SPACE)
    with pytest.raises(ImplementationViolation, match=words):
        observed(adapter)


def test_it_does_not_read_its_replies(adapter, connect):
    driver = connect()
    driver.greet()
    driver.accept(0)
    assert adapter.negotiate(0, SPACE) == 0
    driver.sock.setblocking(False)

    def ask_on():
        while True:
            with suppress(BlockingIOError):
                driver.ask(GET_CONFIG, config(0, bytes(256)))
            adapter.observe(0)

    with pytest.raises(ImplementationHung, match=r"did not take reply to GET_CONFIG within 0\.2 seconds"):
        ask_on()


def test_a_flood_of_kicks_or_writes_does_not_keep_an_observation(adapter, connect):
    driver = connect()
    driver.bring_up()
    adapter.negotiate(0, SPACE)
    observed(adapter)
    driver.take_bring_up_replies()
    for _ in range(50):
        driver.kick(0)
        driver.ask(SET_CONFIG, config(4, bytes(4)))
    assert adapter.observe(5) == [ev.ConfigurationWritten(4, bytes(4))]
    assert len(observed(adapter)) == 49


def test_an_observation_without_time_serves_what_is_waiting_and_ends_all_the_same(adapter, connect):
    driver = connect()
    driver.bring_up()
    adapter.negotiate(0, SPACE)
    assert adapter.observe(0) == [ev.Memory(PageSet([(GUEST >> 12, PAGES)]))]
    assert adapter.observe(0) == ()
    driver.take_bring_up_replies()
    driver.sock.sendall(header(SET_OWNER, 0) * 100)
    driver.tell(SET_CONFIG, config(4, bytes(4)))
    assert adapter.observe(0) == ()
    assert adapter.observe(0) == [ev.ConfigurationWritten(4, bytes(4))]


def test_a_reader_that_takes_its_own_kicks_away_does_not_keep_us_waiting(adapter, connect):
    driver = connect(pipes=False)
    driver.bring_up()
    adapter.negotiate(0, SPACE)
    observed(adapter)
    driver.kick(0)
    assert os.read(driver.kicks[0], 8) == u64(1)
    assert observed(adapter) == []


def test_it_does_not_take_its_calls_away(adapter, connect):
    """Its pipe is full: a notification is waiting there already, and nobody waits for room."""
    driver = connect()
    driver.bring_up()
    adapter.negotiate(0, SPACE)
    room = 0
    observed(adapter)
    for head in range(200):
        driver.offer(0, b"abcd", head=head % 8)
        (seen,) = adapter.observe(1)
        adapter.use(0, seen.buffer, 0, b"")
        room += 8
    assert driver.called(0) == room
    fcntl.fcntl(driver.calls[0], fcntl.F_SETPIPE_SZ, 4096)
    for head in range(600):
        driver.offer(0, b"abcd", head=head % 8)
        (seen,) = adapter.observe(1)
        adapter.use(0, seen.buffer, 0, b"")
    assert driver.called(0) == 4096


def test_it_does_not_read_its_request_channel(adapter, connect):
    driver = connect()
    driver.bring_up()
    adapter.negotiate(0, SPACE)
    fcntl.fcntl(driver.channel, fcntl.F_SETPIPE_SZ, 4096)

    def tell_on():
        while True:
            adapter.change_configuration(SPACE)

    with pytest.raises(ImplementationHung, match="did not take CONFIG_CHANGE"):
        tell_on()


def test_a_vring_beyond_those_there_are(adapter, connect):
    driver = connect()
    driver.greet()
    driver.tell(18, state(2**32 - 1, 1))
    with pytest.raises(ImplementationViolation, match="SET_VRING_ENABLE before SET_FEATURES"):
        adapter.negotiate(0, SPACE)


def test_it_hangs_up_before_it_asked_anything(adapter, connect):
    driver = connect()
    send(driver.sock, SET_OWNER)
    driver.sock.close()
    with pytest.raises(ImplementationCrashed):
        adapter.negotiate(0, SPACE)
    assert GET_FEATURES == 1
