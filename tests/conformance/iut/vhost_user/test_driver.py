"""The adapter to a driver, against a driver made by hand that does what Linux in user mode does."""

from __future__ import annotations

import os
import struct

import pytest
from reporting_profile import DENSE_NEGOTIATED
from vhost_user_by_hand import (
    ADDR,
    CALL,
    CHANNEL,
    ENABLE,
    GET_BASE,
    GET_CONFIG,
    GET_FEATURES,
    GET_PROTOCOL,
    GUEST,
    KICK,
    LINUX_PROTOCOL,
    PAGES,
    SET_CONFIG,
    SET_FEATURES,
    SET_MEM_TABLE,
    SET_PROTOCOL,
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
    Capability,
    DriverAdapter,
    ImplementationViolation,
    Setup,
)
from balloon_conformance.iut.sight import Fact, NotVisible
from balloon_conformance.iut.vhost_user.driver import VhostUserDriver, vhost_user_driver_target
from balloon_conformance.running.session import DriverSession
from balloon_spec import events as ev
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

SPACE = struct.pack("<II", 19, 0)
MEMORY = ev.Memory(PageSet([(GUEST >> 12, PAGES)]))
SET_STATUS, GET_STATUS, RESET_DEVICE = 39, 40, 34
TELLING = (ev.Contents, ev.Available, ev.Guest, ev.Used)


def events(adapter, kind=None):
    """Everything the driver has done by now, or what of it is of one kind."""
    found = []
    while fresh := adapter.observe(0.02):
        found += fresh
    return [event for event in found if kind is None or isinstance(event, kind)]


@pytest.fixture
def driver(adapter, connect):
    """A driver that is up, its replies read."""
    driver = connect()
    driver.bring_up(3)
    assert adapter.negotiate(7, SPACE) == 3
    assert events(adapter) == [MEMORY]
    driver.take_bring_up_replies()
    return driver


def test_it_keeps_the_contract(adapter):
    assert isinstance(adapter, DriverAdapter)
    assert adapter.capabilities == {Capability.RAW_FEATURES, Capability.GUEST_MEMORY}
    target = vhost_user_driver_target("/run/b.sock", connect_seconds=1.0)
    assert (target.name, target.side) == ("vhost-user-driver:/run/b.sock", ev.Side.DRIVER)
    assert target.make().description == "vhost-user driver at /run/b.sock"


@pytest.mark.parametrize("pipes", [True, False], ids=["pipes", "eventfds and a socket"])
def test_buffers_go_there_and_back(adapter, connect, pipes):
    driver = connect(pipes=pipes)
    driver.bring_up(3, queues=(0, 1, 2))
    assert adapter.negotiate(7, SPACE) == 3
    assert events(adapter) == [MEMORY]
    driver.take_bring_up_replies((0, 1, 2))
    driver.offer(2, b"stats12345", head=7)
    (seen,) = adapter.observe(1)
    assert seen == ev.Available(
        2, seen.buffer, b"stats12345", 0, True, (ev.Segment(10, address=driver.data_address(7)),)
    )
    assert driver.called(2) == 0
    adapter.use(2, seen.buffer, 0, b"")
    assert driver.used(2) == [(7, 0)]
    assert driver.called(2) == 8
    adapter.change_configuration(struct.pack("<II", 20, 0))
    # A pipe can carry no reply back: NEED_REPLY is never set.
    assert os.read(driver.channel, 100) == header(2, 0, 1)


def test_the_length_and_the_bytes_of_a_return_are_the_suites(adapter, driver):
    driver.put(1, b"ask")
    driver.descriptor(0, 1, driver.data_address(1), 3, flags=1, following=2)
    driver.descriptor(0, 2, driver.data_address(2), 8, flags=2)
    driver.make_available(0, 1)
    driver.kick(0)
    (seen,) = adapter.observe(1)
    assert (seen.readable, seen.writable_bytes) == (b"ask", 8)
    assert seen.segments == (
        ev.Segment(3, False, driver.data_address(1)),
        ev.Segment(8, True, driver.data_address(2)),
    )
    adapter.use(0, seen.buffer, 4096, b"request!!!")
    assert driver.used(0) == [(1, 4096)]
    assert driver.memory[0x20800:0x2080A] == b"request!\0\0"


def test_replies_are_flagged_5_and_none_comes_twice(adapter, connect):
    """Also with NEED_REPLY on a message that has an answer of its own."""
    driver = connect()
    driver.greet()
    send(driver.sock, GET_FEATURES, flags=9)
    driver.accept(0)
    assert adapter.negotiate(7, SPACE) == 0
    assert driver.reply(GET_FEATURES) == u64(7 | 1 << 30)
    driver.reply(GET_PROTOCOL)
    driver.acknowledged(CHANNEL)
    driver.reply(GET_FEATURES)
    driver.acknowledged(SET_FEATURES)
    assert driver.silent()


def test_without_reply_ack_nothing_is_acknowledged(adapter, connect):
    driver = connect()
    driver.greet(protocol=0x220)
    driver.need = 9
    driver.accept(0)
    driver.share()
    assert adapter.negotiate(0, SPACE) == 0
    assert events(adapter) == [MEMORY]
    driver.reply(GET_FEATURES)
    driver.reply(GET_PROTOCOL)
    assert driver.silent()


def test_a_driver_without_version_1_and_without_bit_30(adapter, connect):
    """Its queues are enabled from the beginning; nobody says so."""
    driver = connect()
    send(driver.sock, GET_FEATURES)
    driver.tell(SET_FEATURES, u64(0))
    driver.share()
    driver.set_up(0)
    driver.tell(KICK, u64(0x100))
    assert adapter.negotiate(1 << 32 | 1, SPACE) == 0
    assert driver.reply(GET_FEATURES) == u64(1 << 30 | 1 << 32 | 1)
    assert events(adapter) == [MEMORY]
    # No kick descriptor at all: the queue is looked at now and then.
    driver.offer(0, b"abcd", kick=False)
    (seen,) = adapter.observe(1)
    assert (seen.readable, seen.notified) == (b"abcd", None)


def test_what_was_accepted_is_told_legal_or_not(adapter, connect):
    driver = connect()
    driver.bring_up(1 << 3 | 1 << 5)
    assert adapter.negotiate(1 << 3, SPACE) == 1 << 3 | 1 << 5


@pytest.mark.parametrize("bit", [26, 30, 33, 34, 38])
def test_what_no_ring_here_can_do_is_not_offered(adapter, bit):
    with pytest.raises(AdapterError, match=f"feature bit {bit}, .*leave it out of the offer"):
        adapter.negotiate(1 << bit, SPACE)


def test_a_read_of_the_configuration_is_answered_in_full(adapter, driver):
    driver.ask(GET_CONFIG, config(0, bytes(8)))
    driver.ask(GET_CONFIG, config(0, bytes(16)))
    driver.ask(GET_CONFIG, config(64, bytes(4)))
    assert events(adapter) == [ev.ConfigurationRead(0, SPACE), ev.ConfigurationRead(0, SPACE)]
    assert driver.reply(GET_CONFIG) == config(0, SPACE)
    assert driver.reply(GET_CONFIG) == config(0, SPACE + bytes(8))
    assert driver.reply(GET_CONFIG) == config(64, bytes(4))


def test_a_driver_writes_actual_and_nothing_else(adapter, driver):
    driver.tell(SET_CONFIG, config(4, b"\5\0\0\0"))
    driver.tell(SET_CONFIG, config(0, b"\7\0\0\0"))
    driver.tell(SET_CONFIG, config(8, b"\1\2\3\4"))
    assert events(adapter) == [
        ev.ConfigurationWritten(4, b"\5\0\0\0"),
        ev.ConfigurationWritten(0, b"\7\0\0\0"),
        ev.ConfigurationWritten(8, b"\1\2\3\4"),
    ]
    driver.acknowledged(SET_CONFIG, SET_CONFIG, SET_CONFIG)
    driver.ask(GET_CONFIG, config(0, bytes(8)))
    events(adapter)
    assert driver.reply(GET_CONFIG) == config(0, struct.pack("<II", 19, 5))


def test_qemu_writes_the_whole_space_for_one_field(adapter, driver):
    """With a target as the guest last read it, which may be an older one."""
    adapter.change_configuration(struct.pack("<II", 20, 0))
    for target in (20, 19):
        driver.tell(SET_CONFIG, config(0, struct.pack("<IIII", target, 3, 9, 9)))
        assert events(adapter) == [ev.ConfigurationWritten(4, b"\3\0\0\0")]
    driver.tell(SET_CONFIG, config(0, struct.pack("<II", 21, 4)))
    assert events(adapter) == [
        ev.ConfigurationWritten(0, b"\x15\0\0\0"),
        ev.ConfigurationWritten(4, b"\4\0\0\0"),
    ]


def test_a_buffer_that_changes_while_it_is_held_is_told(adapter, driver):
    driver.offer(0, b"abcd", head=0)
    driver.offer(1, b"efgh", head=1)
    first, second = events(adapter)
    driver.put(0, b"abXd")
    assert adapter.observe(0) == [ev.BufferAltered(0, first.buffer, b"abXd", ev.Side.DRIVER)]
    assert not adapter.observe(0)
    driver.put(1, b"ef!h")
    adapter.use(1, second.buffer, 0, b"")
    assert adapter.observe(0) == [ev.BufferAltered(1, second.buffer, b"ef!h", ev.Side.DRIVER)]
    # What was returned is the driver's again.
    driver.put(1, b"mine")
    adapter.use(0, first.buffer, 0, b"")
    driver.put(0, b"mine")
    assert not adapter.observe(0)


def test_a_session_hears_of_the_change_before_the_return(adapter, connect):
    with DriverSession(adapter, CHUNK_TRANSFER) as session:
        driver = connect()
        driver.bring_up(7)
        assert session.negotiate(7, SPACE) == 7
        driver.offer(0, struct.pack("<I", GUEST >> 12))
        seen = session.wait_for(lambda event: isinstance(event, ev.Available))
        driver.put(0, struct.pack("<I", GUEST + 1 >> 12))
        driver.put(0, b"\xff")
        session.use(0, seen.buffer, 0, b"")
        assert [finding.requirement for finding in session.findings] == ["BUF-01"]
        assert session.findings[0].expected == struct.pack("<I", GUEST >> 12).hex(" ")


def test_a_kick_before_the_queue_is_enabled_is_not_lost_and_a_spurious_one_does_nothing(adapter, connect):
    driver = connect()
    driver.greet()
    driver.accept(0)
    driver.share()
    driver.set_up(0)
    driver.enable(0)
    driver.tell(ENABLE, state(0, 0))
    driver.kick(0)
    driver.offer(0, b"abcd")
    assert adapter.negotiate(0, SPACE) == 0
    seen = events(adapter)
    # Served while it was enabled for a moment, or not at all while it is not.
    assert [event for event in seen if isinstance(event, ev.Available)] == [
        event for event in seen if isinstance(event, ev.Available) and event.notified
    ]
    driver.offer(0, b"efgh", head=1)
    assert events(adapter) == []
    driver.tell(ENABLE, state(0, 1))
    assert b"efgh" in [event.readable for event in events(adapter, ev.Available)]
    driver.kick(0)
    driver.kick(0)
    assert events(adapter) == []


def test_buffers_that_lie_there_when_a_queue_is_enabled_are_found_without_a_kick(adapter, connect):
    driver = connect()
    driver.greet()
    driver.accept(0)
    driver.share()
    driver.set_up(0)
    driver.offer(0, b"abcd", kick=False)
    driver.enable(0)
    assert adapter.negotiate(0, SPACE) == 0
    (seen,) = events(adapter, ev.Available)
    assert (seen.readable, seen.notified) == (b"abcd", None)


def test_a_buffer_comes_before_the_message_its_driver_sent_after_it(adapter, driver):
    """A driver that waits for its reply made the buffer available before; both are there when we look."""
    driver.offer(0, b"abcd")
    driver.tell(SET_CONFIG, config(4, b"\1\0\0\0"))
    assert [type(event) for event in events(adapter)] == [ev.Available, ev.ConfigurationWritten]


def test_get_vring_base_counts_held_buffers_as_consumed(adapter, driver):
    for head in range(3):
        driver.offer(0, b"abcd", head=head)
    seen = events(adapter)
    adapter.use(0, seen[0].buffer, 0, b"")
    driver.ask(GET_BASE, state(0, 0))
    assert events(adapter) == []
    assert driver.reply(GET_BASE) == state(0, 3)
    # The queue is the driver's again: what is returned now has nowhere to go, and does no harm.
    adapter.use(0, seen[1].buffer, 0, b"")
    assert driver.used(0) == [(0, 0)]


def test_memory_shared_anew_at_run_time_keeps_what_is_held(adapter, driver):
    driver.offer(0, b"abcd", head=5)
    (seen,) = events(adapter)
    bigger = table(region(), region(guest=0x1000, length=0x1000, user=0x1000, offset=0))
    driver.tell(SET_MEM_TABLE, bigger, fds=[driver.file, driver.file])
    assert events(adapter) == [ev.Memory(PageSet([(1, 1), (GUEST >> 12, PAGES)]))]
    driver.acknowledged(SET_MEM_TABLE)
    adapter.use(0, seen.buffer, 0, b"")
    assert driver.used(0) == [(5, 0)]
    driver.offer(0, b"efgh", head=6)
    (seen,) = events(adapter)
    assert seen.readable == b"efgh"


def test_a_queue_may_move(adapter, driver):
    driver.offer(0, b"abcd", head=1)
    (seen,) = events(adapter)
    driver.memory[0x10000:0x14000] = driver.memory[0:0x4000]
    at = GUEST + 0x10000
    driver.tell(ADDR, struct.pack("<IIQQQQ", 0, 0, at, at + 0x2000, at + 0x1000, 0))
    events(adapter)
    adapter.use(0, seen.buffer, 0, b"")
    assert struct.unpack_from("<HII", driver.memory, 0x12002) == (1, 1, 0)
    assert driver.used(0) == []


def test_queue_numbers_are_those_the_driver_uses(adapter, connect):
    """Also one that does not exist for the features: that is for the judge."""
    driver = connect()
    driver.bring_up(0, queues=(0, 3))
    adapter.negotiate(0, SPACE)
    driver.offer(3, b"abcd")
    assert [event.queue for event in events(adapter, ev.Available)] == [3]


def test_event_indices_and_indirect_tables_work_where_they_were_accepted(adapter, connect):
    driver = connect()
    driver.bring_up(1 << 28 | 1 << 29)
    assert adapter.negotiate(1 << 28 | 1 << 29, SPACE) == 1 << 28 | 1 << 29
    events(adapter)
    # The driver is told at which available index it has to notify.
    assert struct.unpack_from("<H", driver.memory, 0x2000 + 4 + 8 * 256) == (0,)
    driver.memory[0x30000:0x30020] = struct.pack(
        "<QIHHQIHH", driver.data_address(1), 2, 1, 1, driver.data_address(2), 2, 0, 0
    )
    driver.put(1, b"ab")
    driver.put(2, b"cd")
    driver.descriptor(0, 0, GUEST + 0x30000, 32, flags=4)
    driver.make_available(0, 0)
    driver.kick(0)
    (seen,) = events(adapter)
    assert (seen.readable, seen.cut) == (b"abcd", (2, 2))
    assert struct.unpack_from("<H", driver.memory, 0x2000 + 4 + 8 * 256) == (1,)
    # used_event 5: the driver does not want to hear of the first.
    struct.pack_into("<H", driver.memory, 0x1000 + 4 + 2 * 256, 5)
    adapter.use(0, seen.buffer, 0, b"")
    assert driver.called(0) == 0


def test_a_driver_that_asks_for_no_calls_gets_none(adapter, driver):
    struct.pack_into("<H", driver.memory, 0x1000, 1)
    driver.offer(0, b"abcd")
    (seen,) = events(adapter)
    adapter.use(0, seen.buffer, 0, b"")
    assert driver.called(0) == 0


def test_a_queue_whose_call_descriptor_was_taken_away_is_returned_to_in_silence(adapter, driver):
    driver.tell(CALL, u64(0x100))
    driver.offer(0, b"abcd")
    (seen,) = events(adapter)
    adapter.use(0, seen.buffer, 0, b"")
    assert driver.used(0) == [(0, 0)]
    assert driver.called(0) == 0


def test_linux_that_unloads_and_loads_its_module_begins_anew_on_the_same_connection(adapter, driver):
    driver.offer(0, b"abcd")
    (held,) = events(adapter)
    for queue in (1, 0):
        driver.tell(ENABLE, state(queue, 0))
    driver.ask(GET_FEATURES)
    assert events(adapter) == []
    # From here on the memory of the buffer is anybody's.
    driver.put(0, b"gone")
    assert events(adapter) == []
    driver.memory[0:0x4000] = bytes(0x4000)
    driver.accept(1)
    driver.share()
    for queue in (0, 1):
        driver.set_up(queue)
    for queue in (0, 1):
        driver.enable(queue)
    assert events(adapter) == [ev.Reset(), ev.Negotiated(7, 1, shown=False), MEMORY, MEMORY]
    adapter.use(0, held.buffer, 0, b"")
    assert driver.used(0) == []
    driver.offer(0, b"efgh")
    assert [event.readable for event in events(adapter)] == [b"efgh"]


def test_a_negotiation_the_suite_asked_for_is_not_told_as_the_drivers_own(adapter, driver):
    for queue in (1, 0):
        driver.tell(ENABLE, state(queue, 0))
    events(adapter)
    adapter.back_end.expect_anew(7, SPACE)
    assert adapter.back_end.accepted is None
    driver.accept(2)
    assert events(adapter) == []
    assert adapter.back_end.accepted == 2


def test_with_status_the_driver_shows_driver_ok_and_resets(adapter, connect):
    driver = connect()
    driver.greet(0x228 | 1 << 16)
    driver.tell(SET_STATUS, u64(3))
    driver.accept(1 << 4)
    driver.tell(SET_STATUS, u64(11))
    driver.ask(GET_STATUS)
    assert adapter.negotiate(1 << 4, SPACE) == 1 << 4
    driver.tell(SET_STATUS, u64(15))
    driver.tell(SET_STATUS, u64(0))
    assert events(adapter) == [ev.DriverOk(), ev.Reset()]
    driver.reply(GET_FEATURES)
    driver.reply(GET_PROTOCOL)
    driver.acknowledged(CHANNEL, SET_STATUS, SET_FEATURES, SET_STATUS)
    # HOST_REQ_VQ without STATS_VQ: FEATURES_OK does not stay.
    assert driver.reply(GET_STATUS) == u64(3)


WITH_STATUS = 0x228 | 1 << 16


def get_ready(driver, *, kick, accepted=0):
    """Everything but DRIVER_OK, with a buffer that is there by then."""
    driver.greet(WITH_STATUS)
    driver.tell(SET_STATUS, u64(3))
    driver.accept(accepted)
    driver.tell(SET_STATUS, u64(11))
    driver.share()
    driver.set_up(0)
    driver.enable(0)
    driver.offer(0, b"abcd", kick=kick)
    driver.ask(GET_STATUS)


def test_what_comes_before_driver_ok_is_told_when_that_is_set_and_in_its_order(adapter, connect):
    driver = connect()
    get_ready(driver, kick=True)
    assert adapter.negotiate(0, SPACE) == 0
    assert events(adapter) == []
    driver.tell(SET_STATUS, u64(15))
    told = events(adapter)
    assert [type(event) for event in told] == [ev.Memory, ev.Available, ev.DriverOk]
    driver.offer(0, b"efgh", head=1)
    assert [event.readable for event in events(adapter)] == [b"efgh"]


@pytest.mark.parametrize("kick", [False, True])
def test_an_early_notification_is_the_drivers_fault_and_an_early_buffer_is_none(adapter, connect, kick):
    driver = connect()
    modern = CHUNK_TRANSFER.mask(["VERSION_1"])
    get_ready(driver, kick=kick, accepted=modern)
    session = DriverSession(adapter, CHUNK_TRANSFER)
    session.negotiate(modern, SPACE)
    driver.tell(SET_STATUS, u64(15))
    (early,) = [event for event in session.settle(0.2) if isinstance(event, ev.Available)]
    assert early.notified is kick
    session.use(0, early.buffer, 0, b"")
    named = {finding.requirement for finding in session.findings}
    assert ("QUEUE-09" in named) is kick
    assert session.exercised["QUEUE-09"] == 1
    assert session.slips == []


@pytest.mark.parametrize(("status", "last"), [(0x8B, ev.Available), (0, ev.Reset)])
def test_a_driver_that_gives_up_before_driver_ok_is_told_of(adapter, connect, status, last):
    driver = connect()
    get_ready(driver, kick=True)
    assert adapter.negotiate(0, SPACE) == 0
    assert events(adapter) == []
    driver.tell(SET_STATUS, u64(status))
    assert isinstance(events(adapter)[-1], last)


def test_reset_device_is_a_reset(adapter, connect):
    driver = connect()
    driver.bring_up(0, protocol=0x228 | 1 << 13)
    assert adapter.negotiate(0, SPACE) == 0
    events(adapter)
    driver.tell(RESET_DEVICE)
    assert events(adapter) == [ev.Reset()]


def test_a_connection_that_is_closed_is_a_reset_and_the_next_is_a_fresh_driver(adapter, connect, driver):
    driver.offer(0, b"abcd")
    (held,) = events(adapter)
    adapter.reset()
    assert driver.sock.recv(100) == b""
    with pytest.raises(AdapterError, match="no driver is connected; call negotiate first"):
        adapter.observe(0)
    again = connect()
    again.bring_up(1)
    assert adapter.negotiate(3, SPACE) == 1
    again.offer(0, b"efgh")
    assert [event.readable for event in events(adapter, ev.Available)] == [b"efgh"]
    assert again.used(0) == driver.used(0) == []
    assert held.buffer


def test_a_driver_that_stops_its_queues_and_hangs_up_has_reset(adapter, driver):
    for queue in (1, 0):
        driver.tell(ENABLE, state(queue, 0))
    driver.sock.close()
    assert events(adapter) == [ev.Reset()]
    assert adapter.observe(0) == ()
    adapter.use(0, "q0-1", 0, b"")
    adapter.change_configuration(SPACE)


def test_a_driver_that_refuses_the_device(adapter, connect):
    hangs_up = connect()
    hangs_up.greet()
    hangs_up.sock.close()
    assert adapter.negotiate(7, SPACE) is None
    sets_failed = connect()
    sets_failed.greet(0x228 | 1 << 16)
    sets_failed.tell(SET_STATUS, u64(0x83))
    assert adapter.negotiate(7, SPACE) is None


def test_a_connection_that_died_in_the_queue_is_passed_over(adapter, connect):
    connect().sock.close()
    driver = connect()
    driver.bring_up(1)
    assert adapter.negotiate(7, SPACE) == 1


def test_what_the_suite_may_not_do(adapter, driver, tmp_path):
    with pytest.raises(AdapterError, match="connected already; call reset"):
        adapter.negotiate(0, SPACE)
    with pytest.raises(AdapterError, match="buffer m1 is not in flight on queue 0"):
        adapter.use(0, "m1", 0, b"")
    with pytest.raises(AdapterError, match="the guest cannot be told to inflate"):
        adapter.steer("inflate", PageSet())
    with pytest.raises(AdapterError, match="start first"):
        VhostUserDriver(str(tmp_path / "t")).negotiate(0, SPACE)
    with pytest.raises(AdapterError, match="somebody does already"):
        VhostUserDriver(adapter.path).start(Setup(CHUNK_TRANSFER))


def test_a_driver_without_a_request_channel_cannot_be_told(adapter, connect):
    driver = connect()
    driver.bring_up(0, protocol=0x208)
    adapter.negotiate(0, SPACE)
    events(adapter)
    with pytest.raises(NotVisible, match="gave no request channel"):
        adapter.change_configuration(SPACE)
    assert Fact.CONFIGURATION_CHANGE in adapter.unseen


def test_a_driver_that_closed_its_request_channel_is_still_there(adapter, driver):
    assert Fact.CONFIGURATION_CHANGE not in adapter.unseen
    os.close(driver.channel)
    driver.channel = None
    with pytest.raises(NotVisible, match="or closed it"):
        adapter.change_configuration(SPACE)
    driver.offer(1, b"abcd")
    assert [event.readable for event in events(adapter)] == [b"abcd"]


def test_a_request_channel_may_be_given_after_the_features(adapter, connect):
    """No order is laid down; what waits to be said is heard before the front-end is told anything."""
    driver = connect()
    for request in (GET_FEATURES, GET_PROTOCOL):
        driver.ask(request)
    driver.tell(SET_PROTOCOL, u64(LINUX_PROTOCOL))
    driver.accept(0)
    driver.share()
    driver.give_channel()
    assert adapter.negotiate(0, SPACE) == 0
    adapter.change_configuration(struct.pack("<II", 20, 0))
    assert os.read(driver.channel, 100) == header(2, 0, 1)


def test_a_kick_descriptor_of_no_use_is_found_where_buffers_wait(adapter, driver):
    """Not the driver's silence about requests and statistics, which is what it looks like."""
    nothing = os.open("/dev/null", os.O_RDONLY)
    driver.theirs.append(nothing)
    driver.tell(KICK, u64(0), fds=[nothing])
    driver.offer(0, b"abcd", kick=False)
    with pytest.raises(ImplementationViolation, match="kick descriptor of vring 0 is of no use"):
        events(adapter)


def test_a_kick_descriptor_that_ends_is_dropped(adapter, driver):
    os.close(driver.kicks.pop(0))
    assert events(adapter) == []
    driver.offer(1, b"abcd")
    assert [event.readable for event in events(adapter)] == [b"abcd"]


def test_descriptors_of_the_wrong_kind_are_the_drivers_fault(adapter, driver):
    read_only = os.open("/dev/null", os.O_RDONLY)
    driver.tell(CALL, u64(0), fds=[read_only])
    driver.offer(0, b"abcd")
    seen = events(adapter)
    with pytest.raises(ImplementationViolation, match="call descriptor of vring 0 cannot be written"):
        adapter.use(0, seen[0].buffer, 0, b"")
    directory = os.open("/", os.O_RDONLY)
    driver.tell(KICK, u64(1), fds=[directory])
    with pytest.raises(ImplementationViolation, match="kick descriptor of vring 1 cannot be read"):
        events(adapter)
    os.close(read_only)
    os.close(directory)


# -- notifications ----------------------------------------------------------------------------------------


def test_a_buffer_nobody_notified_of_is_found_and_its_notification_told_when_it_comes(adapter, driver):
    driver.offer(0, b"abcd", kick=False)
    assert [(one.readable, one.notified) for one in events(adapter)] == [(b"abcd", False)]
    driver.kick(0)
    assert events(adapter) == [ev.Notified(ev.Side.DRIVER, 0)]
    driver.kick(0)
    assert events(adapter) == []


def test_a_notification_covers_what_was_in_the_ring_before_it(adapter, driver):
    driver.offer(0, b"abcd", kick=False)
    driver.offer(0, b"efgh", head=1)
    assert [one.notified for one in events(adapter)] == [True, True]


def test_a_notification_of_another_queue_says_nothing(adapter, driver):
    driver.offer(0, b"abcd", kick=False)
    driver.kick(1)
    seen = events(adapter)
    assert [(one.queue, one.notified) for one in seen] == [(0, False)]


def test_a_notification_that_came_before_its_buffer_is_none(adapter, driver):
    driver.kick(0)
    assert events(adapter) == []
    driver.offer(0, b"abcd", kick=False)
    assert [one.notified for one in events(adapter)] == [False]


def test_of_a_queue_without_a_kick_descriptor_nothing_is_known(adapter, driver):
    driver.tell(KICK, u64(0x100))
    assert events(adapter) == []
    driver.offer(0, b"abcd", kick=False)
    assert [one.notified for one in events(adapter)] == [None]


def test_a_message_that_was_sent_before_a_buffer_comes_before_it(adapter, driver):
    """Also where the buffer is found, and not notified of."""
    driver.tell(SET_CONFIG, config(4, bytes(4)))
    driver.offer(0, b"abcd", kick=False)
    assert [type(one) for one in events(adapter)] == [ev.ConfigurationWritten, ev.Available]


def report(driver, page, pages):
    """Make a chain available on queue 2 that lends pages of memory, the last one but for a byte."""
    driver.descriptor(2, 0, GUEST + (page << 12), pages << 12, flags=3, following=1)
    driver.descriptor(2, 1, GUEST + (page + pages << 12), 4095, flags=2)
    driver.make_available(2, 0)
    driver.kick(2)


def test_pages_that_are_lent_are_looked_at_as_they_come_and_before_they_go(adapter, connect):
    adapter.start(Setup(DENSE_NEGOTIATED))
    driver = connect()
    driver.bring_up(1 << 5, queues=(0, 1, 2))
    first = GUEST >> 12
    at = 40 << 12
    driver.memory[at : at + 4096] = b"\1\2\3\4" * 1024
    with DriverSession(adapter, DENSE_NEGOTIATED, deadline_seconds=0.2) as session:
        assert session.negotiate(1 << 5, SPACE) == 1 << 5
        report(driver, 40, 3)
        seen = session.wait_for(lambda event: isinstance(event, ev.Available))
        driver.memory[at + 2 * 4096] = 1
        session.use(2, seen.buffer, 0, b"")
        told = [entry.event for entry in session.trace if isinstance(entry.event, TELLING)]
    kept, rest = PageSet([(first + 40, 1)]), PageSet([(first + 41, 2)])
    used = PageSet([(first + 42, 1)])
    assert told == [
        ev.Contents(kept, b"\1\2\3\4"),
        ev.Contents(rest, bytes(4)),
        seen,
        ev.Guest(ev.GuestAction.USE, used),
        ev.Guest(ev.GuestAction.LEAVE, (kept | rest) - used),
        ev.Used(2, seen.buffer, 0, b""),
    ]


def test_a_buffer_that_was_returned_is_not_looked_at_again(adapter, connect):
    adapter.start(Setup(DENSE_NEGOTIATED))
    driver = connect()
    driver.bring_up(1 << 5, queues=(0, 1, 2))
    assert adapter.negotiate(1 << 5, SPACE) == 1 << 5
    report(driver, 40, 3)
    (seen,) = events(adapter, ev.Available)
    adapter.use(2, seen.buffer, 0, b"")
    driver.memory[40 << 12] = 1
    adapter.look_again(2, seen.buffer)
    assert events(adapter) == []
