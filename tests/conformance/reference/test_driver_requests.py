"""The reference driver on the host request queue, by bytes put together by hand."""

from __future__ import annotations

import pytest
from hand_bytes import message, request, space

from balloon_conformance.reference import Driver, DriverOptions
from balloon_conformance.reference.driver_state import Offer
from balloon_conformance.reference.machine import Note, Refused
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationRead,
    ConfigurationWritten,
    Guest,
    GuestAction,
    Reset,
    Used,
)
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

NAMES = CHUNK_TRANSFER.mask(["STATS_VQ", "HOST_REQ_VQ", "CHUNK_TRANSFER", "VERSION_1"])
NO_CHUNKS = CHUNK_TRANSFER.mask(["STATS_VQ", "HOST_REQ_VQ", "VERSION_1"])


def wire(outputs: tuple) -> list:
    return [output for output in outputs if not isinstance(output, Note | Refused | ConfigurationRead)]


def running(features: int = NAMES, **options) -> Driver:
    driver = Driver(DriverOptions(memory=PageSet([(0, 0x4000)]), **options))
    driver.receive(Offer(features, space(0)))
    return driver


def request_buffer(driver: Driver) -> str:
    (name,) = (name for name, flight in driver.state.flights.items() if flight.is_request)
    return name


def ask(driver: Driver, param: int, cmd: int = 0) -> list:
    return wire(driver.receive(Used(3, request_buffer(driver), 16, request(cmd, param))))


def unused(driver: Driver, *runs: tuple[int, int]) -> None:
    driver.receive(Guest(GuestAction.UNUSED, PageSet(runs)))


def give_back(driver: Driver, sent: Available) -> list:
    return wire(driver.receive(Used(sent.queue, sent.buffer)))


@pytest.mark.parametrize("features", [NAMES, NO_CHUNKS])
def test_one_message_answers_and_the_buffer_comes_again_after_done(features: int) -> None:
    driver = running(features)
    unused(driver, (0x300, 4), (0x200, 1))
    (sent,) = ask(driver, 0x11234)
    assert (sent.queue, sent.writable_bytes) == (3, 0)
    assert sent.readable == message((0x200, 1), (0x300, 4), flag=1, identifier=0x1234)
    (again,) = give_back(driver, sent)
    assert (again.queue, again.readable, again.writable_bytes) == (3, b"", 16)


def test_a_guest_that_uses_everything_answers_with_an_empty_done() -> None:
    driver = running()
    (sent,) = ask(driver, 0x1234)
    assert sent.readable == bytes.fromhex("00 01 34 12 00 00 00 00")


@pytest.mark.parametrize(("runs", "counts"), [(2048, [2048]), (2049, [2048, 1]), (4096, [2048, 2048])])
def test_the_last_message_is_done_and_the_others_are_full(runs: int, counts: list[int]) -> None:
    driver = running()
    pages = [(2 * number, 1) for number in range(runs)]
    unused(driver, *pages)
    sent = ask(driver, 5)
    expected, at = [], 0
    for number, count in enumerate(counts):
        flag = int(number == len(counts) - 1)
        expected.append(message(*pages[at : at + count], flag=flag, identifier=5))
        at += count
    assert [one.readable for one in sent] == expected


def test_messages_returned_in_reverse_order_bring_one_request_buffer() -> None:
    driver = running(capacity_bytes=16)
    unused(driver, (1, 1), (3, 1), (5, 1))
    first, second, done = ask(driver, 5)
    (again,) = give_back(driver, done)
    assert again.writable_bytes == 16
    assert give_back(driver, second) == give_back(driver, first) == []


def test_an_old_message_may_come_back_in_the_next_exchange() -> None:
    driver = running(capacity_bytes=16)
    unused(driver, (1, 1), (3, 1))
    first, done = ask(driver, 5)
    give_back(driver, done)
    _, second_done = ask(driver, 6)
    assert give_back(driver, first) == []
    (again,) = give_back(driver, second_done)
    assert again.writable_bytes == 16


def test_a_ring_of_one_descriptor_suffices() -> None:
    driver = running(capacity_bytes=16, ring_size=1)
    unused(driver, (1, 1), (3, 1))
    (first,) = ask(driver, 5)
    assert first.readable == message((1, 1), identifier=5)
    (second,) = give_back(driver, first)
    assert second.readable == message((3, 1), flag=1, identifier=5)
    (again,) = give_back(driver, second)
    assert again.writable_bytes == 16


@pytest.mark.parametrize("cmd", [1, 0x100, 0xFFFF])
def test_an_unknown_command_brings_the_buffer_again_and_no_message(cmd: int) -> None:
    (again,) = ask(running(), 5, cmd)
    assert (again.readable, again.writable_bytes) == (b"", 16)


@pytest.mark.parametrize(
    ("length_bytes", "written"), [(0, b""), (15, bytes(15)), (17, bytes(16)), (16, bytes(8))]
)
def test_a_wrong_used_length_brings_the_buffer_again(length_bytes: int, written: bytes) -> None:
    driver = running()
    unused(driver, (1, 1))
    (again,) = wire(driver.receive(Used(3, request_buffer(driver), length_bytes, written)))
    assert (again.readable, again.writable_bytes) == (b"", 16)


def test_pages_of_the_balloon_and_outside_memory_are_not_reported() -> None:
    driver = running()
    driver.receive(ConfigurationChanged(space(4)))
    (inflate,) = wire(driver.receive(Guest(GuestAction.INFLATE, PageSet([(0x20, 4)]))))
    unused(driver, (0x1E, 4), (0x3FFF, 5))
    (sent,) = ask(driver, 5)
    assert sent.readable == message((0x1E, 2), (0x3FFF, 1), flag=1, identifier=5)
    give_back(driver, sent)
    give_back(driver, inflate)
    (sent,) = ask(driver, 6)
    assert sent.readable == message((0x1E, 2), (0x3FFF, 1), flag=1, identifier=6)


def test_pages_offered_in_the_midst_of_an_exchange_are_left_out() -> None:
    driver = running(capacity_bytes=16, in_flight=1)
    unused(driver, (1, 1), (3, 1), (5, 1))
    (first,) = ask(driver, 5)
    driver.receive(ConfigurationChanged(space(2)))
    (inflate,) = wire(driver.receive(Guest(GuestAction.INFLATE, PageSet([(3, 1), (5, 1)]))))
    assert inflate.readable == message((3, 1))
    (sent,) = give_back(driver, first)
    assert sent.readable == message((5, 1), flag=1, identifier=5)


def test_an_exchange_ends_while_the_balloon_waits_and_the_reverse() -> None:
    driver = running()
    driver.receive(ConfigurationChanged(space(4)))
    (inflate,) = wire(driver.receive(Guest(GuestAction.INFLATE, PageSet([(0x20, 4)]))))
    unused(driver, (1, 1))
    (done,) = ask(driver, 5)
    assert len(give_back(driver, done)) == 1
    (held,) = ask(driver, 6)
    assert isinstance(give_back(driver, inflate)[0], ConfigurationWritten)
    driver.receive(ConfigurationChanged(space(0)))
    (deflate,) = wire(driver.receive(Guest(GuestAction.DEFLATE, PageSet([(0x20, 4)]))))
    assert deflate.queue == 1
    assert len(give_back(driver, held)) == 1
    assert len(ask(driver, 7)) == 1


def test_a_driver_with_memory_of_its_own_reports_what_is_free() -> None:
    driver = running(own_memory=PageSet([(0x100, 8)]))
    driver.receive(ConfigurationChanged(space(3)))
    (sent,) = ask(driver, 5)
    assert sent.readable == message((0x103, 5), flag=1, identifier=5)


def test_a_reset_drops_the_exchange() -> None:
    driver = running(capacity_bytes=16, in_flight=1)
    unused(driver, (1, 1), (3, 1))
    (first,) = ask(driver, 5)
    driver.receive(Reset())
    posts = [
        one for one in driver.receive(Offer(NAMES, space(0))) if isinstance(one, Available) and one.queue == 3
    ]
    assert [one.writable_bytes for one in posts] == [16]
    assert give_back(driver, first) == []
    (sent,) = ask(driver, 6)
    assert sent.readable == message(flag=1, identifier=6)
