"""The reference driver and its balloon, by bytes put together by hand."""

from __future__ import annotations

import struct

import pytest
from hand_bytes import array, message, space, statistics

from balloon_conformance.reference import Driver, DriverOptions
from balloon_conformance.reference.driver_state import Accepted, Offer
from balloon_conformance.reference.machine import Note, Refused
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationRead,
    ConfigurationWritten,
    DriverOk,
    Guest,
    GuestAction,
    Memory,
    Reset,
    Used,
)
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

MEMORY = PageSet([(0, 0x4000)])
CHUNKS = ("MUST_TELL_HOST", "STATS_VQ", "CHUNK_TRANSFER", "VERSION_1")
ARRAYS = ("MUST_TELL_HOST", "VERSION_1")


def running(*names: str, **options) -> Driver:
    driver = Driver(DriverOptions(memory=MEMORY, **options))
    driver.receive(Offer(CHUNK_TRANSFER.mask(names or CHUNKS), space(0)))
    return driver


def target(driver: Driver, pages: int) -> list:
    return wire(driver.receive(ConfigurationChanged(space(pages))))


def guest(driver: Driver, action: GuestAction, *runs: tuple[int, int]) -> list:
    return wire(driver.receive(Guest(action, PageSet(runs))))


def give_back(driver: Driver, sent: Available, length_bytes: int = 0) -> list:
    return wire(driver.receive(Used(sent.queue, sent.buffer, length_bytes)))


def wire(outputs: tuple) -> list:
    return [output for output in outputs if not isinstance(output, Note | Refused | ConfigurationRead)]


def actual(pages: int) -> ConfigurationWritten:
    return ConfigurationWritten(4, struct.pack("<I", pages))


def inflated(*runs: tuple[int, int], names: tuple[str, ...] = CHUNKS, **options) -> Driver:
    driver = running(*names, **options)
    target(driver, PageSet(runs).pages)
    sent = guest(driver, GuestAction.INFLATE, *runs)
    while sent:
        sent = [more for one in sent if isinstance(one, Available) for more in give_back(driver, one)]
    return driver


# -- negotiation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "accepted"),
    [
        (1 << 32 | 0b11111, 1 << 32 | 0b11111),
        (1 << 32 | 0b11101, 1 << 32 | 0b00101),
        (0b10010, 0b10010),
        (1 << 28 | 1 << 29 | 1 << 35 | 1 << 50 | 0b1, 0b1),
    ],
)
def test_what_is_supported_and_legal_is_accepted(offered: int, accepted: int) -> None:
    assert Driver().receive(Offer(offered, space(0)))[0] == Accepted(accepted)


def test_initial_buffers_come_before_driver_ok_without_a_notification() -> None:
    driver = Driver(DriverOptions(memory=MEMORY))
    outputs = driver.receive(Offer(1 << 32 | 0b11111, space(7)))
    total = 0x4000 * 4096
    assert outputs == (
        Accepted(1 << 32 | 0b11111),
        Memory(MEMORY),
        Available(2, "statistics-0", statistics((4, total), (5, total), (6, total)), 0, False),
        Available(3, "host-request-1", b"", 16, False),
        DriverOk(),
        ConfigurationRead(0, struct.pack("<I", 7)),
    )
    assert driver.state.num_pages == 7


def test_queues_that_do_not_exist_get_no_buffer() -> None:
    outputs = Driver(DriverOptions(memory=MEMORY)).receive(Offer(1 << 32, space(0)))
    assert not [output for output in outputs if isinstance(output, Available)]


def test_a_device_without_num_pages_is_noted() -> None:
    driver = running()
    assert driver.receive(ConfigurationChanged(b"\0\0")) == (
        Note("CFG-01", "the configuration space has 2 bytes"),
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"capacity_bytes": 15}, "capacity_bytes is 15; choose 16 to 524288"),
        ({"capacity_bytes": 524289}, "capacity_bytes is 524289"),
        ({"array_pages": 0}, "array_pages is 0; choose at least 1"),
        ({"ring_size": 0}, "ring_size is 0"),
        ({"in_flight": 0}, "in_flight is 0"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DriverOptions(**options)


# -- inflate -----------------------------------------------------------------------------------------------


def test_pages_are_inflated_as_maximal_ascending_chunks_and_counted_after_the_return() -> None:
    driver = running()
    assert target(driver, 19) == []
    (sent,) = guest(driver, GuestAction.INFLATE, (0x2400, 3), (0x1008, 8), (0x1000, 8))
    assert (sent.queue, sent.writable_bytes, sent.notified) == (0, 0, True)
    assert sent.readable == bytes.fromhex(
        "00 00 00 00  20 00 00 00"
        "00 00 00 01 00 00 00 00  00 00 01 00 00 00 00 00"
        "00 00 40 02 00 00 00 00  00 30 00 00 00 00 00 00"
    )
    assert give_back(driver, sent) == [actual(19)]


def test_the_guest_may_give_pages_before_the_target_asks() -> None:
    driver = running()
    assert guest(driver, GuestAction.INFLATE, (5, 2)) == []
    (sent,) = target(driver, 2)
    assert sent.readable == message((5, 2))


def test_no_more_is_inflated_than_the_target_asks_for() -> None:
    driver = running()
    target(driver, 3)
    (sent,) = guest(driver, GuestAction.INFLATE, (5, 2), (9, 4))
    assert sent.readable == message((5, 2), (9, 1))
    give_back(driver, sent)
    (sent,) = target(driver, 5)
    assert sent.readable == message((10, 2))


def test_pages_outside_memory_or_in_the_balloon_are_not_named() -> None:
    driver = inflated((5, 2))
    target(driver, 100)
    (sent,) = guest(driver, GuestAction.INFLATE, (4, 4), (0x3FFF, 9))
    assert sent.readable == message((4, 1), (7, 1), (0x3FFF, 1))


def test_a_message_is_filled_before_the_next_begins() -> None:
    driver = running()
    runs = [(2 * number, 1) for number in range(5000)]
    target(driver, 5000)
    sent = guest(driver, GuestAction.INFLATE, *runs)
    assert [one.readable for one in sent] == [message(*runs[at : at + 2048]) for at in (0, 2048, 4096)]
    assert give_back(driver, sent[2]) == []
    assert give_back(driver, sent[0]) == []
    assert give_back(driver, sent[1]) == [actual(5000)]


def test_a_single_page_is_sent_whatever_its_number() -> None:
    for pfn in (0, 64, 0x3FC0):
        driver = running()
        target(driver, 1)
        (sent,) = guest(driver, GuestAction.INFLATE, (pfn, 1))
        assert sent.readable == message((pfn, 1))


@pytest.mark.parametrize(
    ("options", "flying"),
    [({"in_flight": 2}, 2), ({"ring_size": 3}, 3), ({"in_flight": 9, "ring_size": 1}, 1), ({}, 5)],
)
def test_no_more_buffers_fly_than_may(options: dict[str, int], flying: int) -> None:
    driver = running(capacity_bytes=16, **options)
    target(driver, 5)
    sent = guest(driver, GuestAction.INFLATE, *[(2 * number, 1) for number in range(5)])
    assert len(sent) == flying
    written = []
    while sent:
        more = give_back(driver, sent.pop(0))
        written += [one for one in more if isinstance(one, ConfigurationWritten)]
        sent += [one for one in more if isinstance(one, Available)]
        assert len(sent) <= flying
    assert written == [actual(5)]


def test_arrays_hold_256_pages() -> None:
    driver = running(*ARRAYS)
    target(driver, 300)
    first, second = guest(driver, GuestAction.INFLATE, (0x100, 300))
    assert first.readable == array(*range(0x100, 0x200))
    assert second.readable == array(*range(0x200, 0x22C))


def test_arrays_do_not_name_what_32_bits_cannot() -> None:
    driver = Driver(DriverOptions(memory=PageSet([((1 << 32) - 1, 2)])))
    driver.receive(Offer(CHUNK_TRANSFER.mask(ARRAYS), space(2)))
    (sent,) = guest(driver, GuestAction.INFLATE, ((1 << 32) - 1, 2))
    assert sent.readable == array((1 << 32) - 1)


# -- deflate -----------------------------------------------------------------------------------------------


def test_the_guest_uses_pages_after_the_deflate_buffer_came_back() -> None:
    driver = inflated((0x20, 8))
    assert target(driver, 6) == []
    (sent,) = guest(driver, GuestAction.DEFLATE, (0x22, 2))
    assert (sent.queue, sent.readable) == (1, message((0x22, 2)))
    assert give_back(driver, sent) == [Guest(GuestAction.USE, PageSet([(0x22, 2)])), actual(6)]


def test_deflated_arrays_name_each_page() -> None:
    driver = inflated((0x20, 3), names=ARRAYS)
    target(driver, 0)
    (sent,) = guest(driver, GuestAction.DEFLATE, (0x20, 3))
    assert sent.readable == array(0x20, 0x21, 0x22)


def test_only_pages_of_the_balloon_above_the_target_are_deflated() -> None:
    driver = inflated((0x20, 8))
    target(driver, 5)
    (sent,) = guest(driver, GuestAction.DEFLATE, (0x10, 0x11), (0x22, 4))
    assert sent.readable == message((0x20, 1), (0x22, 2))


def test_the_balloon_does_not_shrink_below_the_target() -> None:
    assert guest(inflated((0x20, 8)), GuestAction.DEFLATE, (0x20, 8)) == []


def test_a_guest_out_of_memory_has_its_pages_back() -> None:
    driver = inflated((0x20, 8), names=(*CHUNKS, "DEFLATE_ON_OOM"))
    (sent,) = guest(driver, GuestAction.DEFLATE, (0x20, 3))
    assert sent.readable == message((0x20, 3))
    assert give_back(driver, sent)[-1] == actual(5)


def test_pages_are_not_deflated_before_their_inflate_buffer_came_back() -> None:
    driver = running()
    target(driver, 2)
    (first,) = guest(driver, GuestAction.INFLATE, (5, 2))
    assert target(driver, 0) == []
    assert guest(driver, GuestAction.DEFLATE, (5, 2)) == []
    written, second = give_back(driver, first)
    assert written == actual(2)
    assert (second.queue, second.readable) == (1, message((5, 2)))


def test_the_last_word_of_the_guest_on_a_page_counts() -> None:
    driver = running()
    guest(driver, GuestAction.INFLATE, (5, 4))
    guest(driver, GuestAction.DEFLATE, (5, 1))
    guest(driver, GuestAction.USE, (6, 1))
    (sent,) = target(driver, 9)
    assert sent.readable == message((7, 2))


# -- a driver that chooses by itself -----------------------------------------------------------------------


def test_a_driver_with_memory_of_its_own_follows_the_target() -> None:
    driver = running(own_memory=PageSet([(0x100, 8), (0x200, 8)]))
    (sent,) = target(driver, 10)
    assert sent.readable == message((0x100, 8), (0x200, 2))
    assert give_back(driver, sent) == [actual(10)]
    (sent,) = target(driver, 3)
    assert (sent.queue, sent.readable) == (1, message((0x100, 7)))
    assert give_back(driver, sent) == [actual(3)]
    (sent,) = target(driver, 4)
    assert sent.readable == message((0x100, 1))


def test_a_driver_gives_no_more_than_it_has() -> None:
    driver = running(own_memory=PageSet([(0x100, 8)]))
    (sent,) = target(driver, 100)
    assert give_back(driver, sent) == [actual(8)]
    assert target(driver, 200) == []


# -- returns, statistics, reset ----------------------------------------------------------------------------


@pytest.mark.parametrize("length_bytes", [1, 4096, 0xFFFFFFFF])
def test_the_used_length_of_a_readable_buffer_is_ignored(length_bytes: int) -> None:
    driver = running()
    target(driver, 2)
    (sent,) = guest(driver, GuestAction.INFLATE, (5, 2))
    assert give_back(driver, sent, length_bytes) == [actual(2)]


def test_a_return_of_what_is_not_in_flight_is_noted_and_has_no_effect() -> None:
    driver = running()
    target(driver, 2)
    (sent,) = guest(driver, GuestAction.INFLATE, (5, 2))
    before = driver.state
    for stray in (Used(0, "nobody"), Used(1, sent.buffer)):
        assert [type(output) for output in driver.receive(stray)] == [Note]
    assert driver.state == before


def test_a_statistics_buffer_is_made_available_again_with_the_same_tags() -> None:
    driver = running()
    (again,) = wire(driver.receive(Used(2, "statistics-0")))
    assert (again.queue, again.writable_bytes) == (2, 0)
    assert [struct.unpack_from("<H", again.readable, at)[0] for at in (0, 10, 20)] == [4, 5, 6]


def test_a_reset_begins_anew_and_late_returns_mean_nothing() -> None:
    driver = running()
    target(driver, 4)
    (sent,) = guest(driver, GuestAction.INFLATE, (5, 2))
    assert driver.receive(Reset()) == ()
    outputs = wire(driver.receive(Offer(CHUNK_TRANSFER.mask(CHUNKS), space(4))))
    assert give_back(driver, sent) == []
    assert not driver.state.ballooning.balloon
    assert sent.buffer not in [one.buffer for one in outputs if isinstance(one, Available)]
    (sent,) = guest(driver, GuestAction.INFLATE, (5, 2))
    assert sent.readable == message((5, 2))


def test_after_a_reset_the_drivers_own_pages_are_free_again() -> None:
    driver = running(own_memory=PageSet([(0x100, 8)]), capacity_bytes=16, in_flight=1)
    (sent,) = target(driver, 8)
    give_back(driver, sent)
    target(driver, 6)
    guest(driver, GuestAction.DEFLATE, (0x104, 1))
    driver.receive(Reset())
    assert driver.state.pool == PageSet([(0x100, 4), (0x105, 3)])
    driver.receive(Offer(CHUNK_TRANSFER.mask(CHUNKS), space(0)))
    (sent,) = target(driver, 8)
    assert sent.readable == message((0x100, 4))


def test_wishes_before_the_device_are_kept() -> None:
    driver = Driver(DriverOptions(memory=MEMORY))
    assert driver.receive(Guest(GuestAction.INFLATE, PageSet([(5, 2)]))) == ()
    outputs = driver.receive(Offer(CHUNK_TRANSFER.mask(CHUNKS), space(2)))
    assert outputs[-1].readable == message((5, 2))
