"""The reference device on the balloon and statistics queues, by bytes put together by hand."""

from __future__ import annotations

import struct

import pytest
from hand_bytes import array, message, space, statistics

from balloon_conformance.families.statistics.reference import held_by
from balloon_conformance.reference import Device, DeviceOptions
from balloon_conformance.reference.device_state import Accept, Discard, FeaturesOk, StatisticsReport
from balloon_conformance.reference.machine import Note, Refused
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationWritten,
    DriverOk,
    Operator,
    OperatorAction,
    Reset,
    Used,
)
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

MEMORY = PageSet([(0, 0x1000), (0x2000, 0x1000)])
ALL = ("MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM", "CHUNK_TRANSFER", "HOST_REQ_VQ", "VERSION_1")
ARRAYS = ("STATS_VQ", "VERSION_1")


def running(*names: str, **options) -> Device:
    device = Device(DeviceOptions(memory=MEMORY, **options))
    device.receive(Accept(CHUNK_TRANSFER.mask(names or ALL)))
    device.receive(DriverOk())
    return device


def send(device: Device, data: bytes, queue: int = 0, writable_bytes: int = 0) -> tuple:
    return device.receive(Available(queue, "b", data, writable_bytes))


def without_notes(outputs: tuple) -> list:
    return [output for output in outputs if not isinstance(output, Note)]


def clauses(outputs: tuple) -> list[str]:
    return [output.clause for output in outputs if isinstance(output, Note)]


def discarded(outputs: tuple) -> PageSet:
    pages = PageSet()
    for output in outputs:
        if isinstance(output, Discard):
            pages |= output.pages
    return pages


# -- negotiation -------------------------------------------------------------------------------------------


def test_the_default_offer_is_the_profile_without_ring_features() -> None:
    assert Device().offer() == 0b11111 | 1 << 32


@pytest.mark.parametrize("name", ["CHUNK_TRANSFER", "HOST_REQ_VQ"])
def test_an_illegal_offer_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is offered without STATS_VQ; offer both or neither"):
        DeviceOptions(offered=CHUNK_TRANSFER.mask([name]))


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ((), True),
        (("STATS_VQ", "HOST_REQ_VQ"), True),
        (("STATS_VQ", "CHUNK_TRANSFER", "VERSION_1"), True),
        (("CHUNK_TRANSFER",), False),
        (("HOST_REQ_VQ", "VERSION_1"), False),
        (("STATS_VQ", "EVENT_IDX"), False),
    ],
)
def test_features_ok_stays_for_legal_subsets_alone(names: tuple[str, ...], kept: bool) -> None:
    device = Device()
    assert device.receive(Accept(CHUNK_TRANSFER.mask(names))) == (FeaturesOk(kept),)
    assert device.state.phase == ("negotiated" if kept else "fresh")


def test_a_driver_may_try_another_set_after_a_refusal() -> None:
    device = Device()
    device.receive(Accept(CHUNK_TRANSFER.mask(["CHUNK_TRANSFER"])))
    assert device.receive(Accept(0)) == (FeaturesOk(True),)


# -- messages ----------------------------------------------------------------------------------------------


def test_an_inflate_message_discards_its_pages_and_is_returned_with_length_zero() -> None:
    device = running()
    assert send(device, message((0x200, 16), (0x2400, 3))) == (
        Discard(PageSet([(0x200, 16), (0x2400, 3)])),
        Used(0, "b", 0, b""),
    )
    assert device.state.balloon == PageSet([(0x200, 16), (0x2400, 3)])


def test_pages_of_the_balloon_may_be_inflated_again() -> None:
    device = running()
    send(device, message((0x200, 16)))
    assert without_notes(send(device, message((0x208, 16)))) == [
        Discard(PageSet([(0x208, 16)])),
        Used(0, "b"),
    ]
    assert device.state.balloon == PageSet([(0x200, 24)])


def test_header_bytes_mean_nothing_on_the_balloon_queues() -> None:
    assert discarded(send(running(), message((5, 1), cmd=0xFF, flag=0xFF, identifier=0xFFFF))) == PageSet(
        [(5, 1)]
    )


def test_reserved_bits_are_masked_and_noted() -> None:
    outputs = send(running(), struct.pack("<BBHIQQ", 0, 0, 0, 16, 0x20FFF, 0x3FFF))
    assert discarded(outputs) == PageSet([(0x20, 3)])
    assert clauses(outputs) == ["CHUNK-03"]


@pytest.mark.parametrize(
    "bad",
    [
        (0x300, 0),
        (0xFFF, 2),
        (0x1800, 1),
        (0x1FFF, 2),
        (0x800, 0x2000),
        (1 << 40, 1),
        ((1 << 52) - 1, 1),
        ((1 << 52) - 1, 2),
        ((1 << 52) - 1, (1 << 52) - 1),
        (1, (1 << 52) - 1),
    ],
)
def test_a_bad_chunk_is_skipped_and_the_others_are_not(bad: tuple[int, int]) -> None:
    outputs = send(running(), message((0x10, 2), bad, (0x2000, 0x1000)))
    assert discarded(outputs) == PageSet([(0x10, 2), (0x2000, 0x1000)])
    assert clauses(outputs) == ["CHUNK-05"]
    assert outputs[-1] == Used(0, "b")


def test_order_overlap_and_repetition_make_no_difference() -> None:
    assert discarded(send(running(), message((9, 4), (3, 1), (8, 2), (3, 1), (9, 4)))) == PageSet(
        [(3, 1), (8, 5)]
    )


@pytest.mark.parametrize("length", range(8))
def test_less_than_a_header_says_nothing(length: int) -> None:
    assert without_notes(send(running(), bytes(length))) == [Used(0, "b")]


@pytest.mark.parametrize("data_len", [1, 8, 15, 17, 24, 0xFFFFFFFF])
def test_a_data_len_that_is_no_multiple_of_16_spoils_the_message(data_len: int) -> None:
    data = message((0x10, 2), (0x20, 2))
    outputs = send(running(), data[:4] + struct.pack("<I", data_len) + data[8:])
    assert without_notes(outputs) == [Used(0, "b")]
    assert clauses(outputs) == ["HDR-03"]


@pytest.mark.parametrize(
    ("data_len", "cut", "seen"),
    [
        (16, 40, [(0x10, 2)]),
        (48, 40, [(0x10, 2), (0x20, 2)]),
        (32, 39, [(0x10, 2)]),
        (32, 8, []),
        (0, 40, []),
    ],
)
def test_the_shorter_of_data_len_and_buffer_holds(
    data_len: int, cut: int, seen: list[tuple[int, int]]
) -> None:
    data = message((0x10, 2), (0x20, 2))
    outputs = send(running(), (data[:4] + struct.pack("<I", data_len) + data[8:])[:cut])
    assert discarded(outputs) == PageSet(seen)
    assert clauses(outputs) == ["HDR-02"]
    assert outputs[-1] == Used(0, "b")


def test_the_largest_message_is_accepted_and_a_larger_one_is_returned() -> None:
    chunks = [(2 * number % 0x1000, 1) for number in range(32768)]
    assert discarded(send(running(), message(*chunks))).pages == 0x800
    outputs = send(running(), message(*chunks, (1, 1)))
    assert without_notes(outputs) == [Used(0, "b")]
    assert clauses(outputs) == ["HDR-08"]


def test_deflate_discards_nothing() -> None:
    device = running()
    send(device, message((0x10, 8)))
    assert send(device, message((0x12, 2)), queue=1) == (Used(1, "b", 0, b""),)
    assert device.state.balloon == PageSet([(0x10, 2), (0x14, 4)])


def test_pages_that_were_never_inflated_may_be_deflated() -> None:
    outputs = send(running(), message((0x50, 2)), queue=1)
    assert without_notes(outputs) == [Used(1, "b")]
    assert clauses(outputs) == ["DEF-04"]


def test_an_inhibited_device_returns_without_discarding() -> None:
    assert send(running(inhibited=True), message((0x10, 2))) == (Used(0, "b"),)


@pytest.mark.parametrize("queue", [0, 1, 2])
def test_a_writable_part_where_none_belongs_makes_a_buffer_void(queue: int) -> None:
    data = statistics((4, 1)) if queue == 2 else message((0x10, 2))
    outputs = send(running(), data, queue, writable_bytes=4)
    assert without_notes(outputs) == [Used(queue, "b", 0, b"")]
    assert clauses(outputs) == ["QUEUE-03"]


def test_a_queue_that_does_not_exist_returns_nothing() -> None:
    assert clauses(send(running(*ARRAYS), message(flag=1), queue=3)) == ["QUEUE-02"]


# -- arrays ------------------------------------------------------------------------------------------------


def test_an_array_discards_every_entry_inside_memory() -> None:
    outputs = send(running(*ARRAYS), array(7, 0x2000, 0xFFFFFFFF, 0x80000007, 0x1FFF, 8, 7))
    assert discarded(outputs) == PageSet([(7, 2), (0x2000, 1)])
    assert clauses(outputs) == ["PFN-04"]


@pytest.mark.parametrize(("cut", "seen"), [(0, []), (3, []), (5, [(1, 1)]), (11, [(1, 2)])])
def test_no_partial_entry_is_acted_on(cut: int, seen: list[tuple[int, int]]) -> None:
    outputs = send(running(*ARRAYS), array(1, 2, 3)[:cut])
    assert discarded(outputs) == PageSet(seen)
    assert clauses(outputs) == ["PFN-02"]
    assert outputs[-1] == Used(0, "b")


# -- DRIVER_OK and reset -----------------------------------------------------------------------------------


def test_buffers_wait_for_driver_ok() -> None:
    device = Device(DeviceOptions(memory=MEMORY))
    device.receive(Accept(CHUNK_TRANSFER.mask(ALL)))
    assert device.receive(Available(0, "a", message((1, 1)), notified=False)) == ()
    assert device.receive(Available(2, "s", statistics((4, 9)), notified=False)) == ()
    assert device.receive(DriverOk()) == (Discard(PageSet([(1, 1)])), Used(0, "a"))
    assert [buffer.buffer for buffer in held_by(device.state).buffers] == ["s"]


def test_a_reset_forgets_everything_but_the_target() -> None:
    device = running()
    send(device, message((1, 1)))
    device.receive(Available(2, "s", statistics((4, 9))))
    device.receive(Operator(OperatorAction.TARGET, 5))
    device.receive(ConfigurationWritten(4, struct.pack("<I", 1)))
    device.receive(Operator(OperatorAction.UNUSED_PAGES, 7))
    assert device.receive(Reset()) == ()
    assert device.configuration() == space(5, 0)
    assert not device.state.balloon
    assert isinstance(send(device, message((1, 1)))[0], Refused)
    device.receive(Accept(CHUNK_TRANSFER.mask(ARRAYS)))
    device.receive(DriverOk())
    assert discarded(send(device, array(9))) == PageSet([(9, 1)])
    assert device.receive(Operator(OperatorAction.STATISTICS)) == ()


def test_a_reset_drops_buffers_that_wait() -> None:
    device = Device(DeviceOptions(memory=MEMORY))
    device.receive(Accept(CHUNK_TRANSFER.mask(ALL)))
    device.receive(Available(0, "a", message((1, 1))))
    device.receive(Reset())
    device.receive(Accept(CHUNK_TRANSFER.mask(ALL)))
    assert device.receive(DriverOk()) == ()


# -- statistics --------------------------------------------------------------------------------------------


def test_the_statistics_buffer_is_held_until_it_is_wanted() -> None:
    device = running()
    data = statistics((5, 1 << 40), (15, 3), (0xFFFF, 4), (0, 2))
    assert send(device, data, queue=2) == ()
    assert device.receive(Operator(OperatorAction.STATISTICS)) == (
        StatisticsReport(((5, 1 << 40), (0, 2))),
        Used(2, "b", 0, b""),
    )
    assert device.receive(Operator(OperatorAction.STATISTICS)) == ()
    assert [type(output) for output in send(device, data, queue=2)] == [StatisticsReport, Used]
    assert send(device, data, queue=2) == ()


def test_a_broken_statistics_buffer_is_returned_at_once() -> None:
    outputs = send(running(), bytes(11), queue=2)
    assert without_notes(outputs) == [Used(2, "b")]
    assert clauses(outputs) == ["STATS-04"]


def test_statistics_are_not_wanted_of_a_driver_without_them() -> None:
    assert clauses(running("VERSION_1").receive(Operator(OperatorAction.STATISTICS))) == ["STATS-01"]


# -- configuration -----------------------------------------------------------------------------------------


def test_the_driver_is_notified_of_changes_of_the_target_alone() -> None:
    device = running()
    device.receive(ConfigurationWritten(4, struct.pack("<I", 9)))
    changed = (ConfigurationChanged(space(0x01020304, 9)),)
    assert device.receive(Operator(OperatorAction.TARGET, 0x01020304)) == changed
    assert device.receive(Operator(OperatorAction.TARGET, 0x01020304)) == ()


@pytest.mark.parametrize("value", [1 << 32, 1 << 60])
def test_a_target_beyond_32_bits_is_the_largest(value: int) -> None:
    device = running()
    device.receive(Operator(OperatorAction.TARGET, value))
    assert device.configuration() == space(0xFFFFFFFF)


def test_a_target_is_set_silently_while_no_driver_runs() -> None:
    device = Device()
    assert device.receive(Operator(OperatorAction.TARGET, 3)) == ()
    assert device.configuration() == space(3)
    assert clauses(device.receive(Operator(OperatorAction.UNUSED_PAGES, 3))) == ["REQ-01"]


@pytest.mark.parametrize(
    ("offset", "data", "actual", "noted"),
    [
        (4, b"\x01\x02\x03\x04", 0x04030201, []),
        (0, b"\xff\xff\xff\xff", 0x11111111, ["CFG-02"]),
        (0, b"\xff\xff\xff\xff\x01\x00\x00\x00", 1, ["CFG-02"]),
        (2, b"\xff\xff\xff\xff", 0x1111FFFF, ["CFG-02"]),
        (6, b"\x22\x33\x44\x55", 0x33221111, []),
        (8, b"\x01", 0x11111111, []),
    ],
)
def test_a_write_reaches_actual_alone(offset: int, data: bytes, actual: int, noted: list[str]) -> None:
    device = running()
    device.receive(Operator(OperatorAction.TARGET, 77))
    device.receive(ConfigurationWritten(4, b"\x11\x11\x11\x11"))
    assert clauses(device.receive(ConfigurationWritten(offset, data))) == noted
    assert device.configuration() == space(77, actual)
