"""The driver's side alone: the bytes it lays, against the specification's offsets, and what it refuses.

The device is played by plain ``struct`` stores into a bytearray. Queue size 4: descriptors at 0x100, available
ring at 0x200 (flags, index, 4 heads, used_event at +12), used ring at 0x300 (flags, index, 4 elements of 8
bytes, available_event at +36).
"""

from __future__ import annotations

import struct

import pytest

from balloon_conformance.virtio import (
    Descriptor,
    DriverQueue,
    GuestMemory,
    QueueFullError,
    Region,
    RingError,
    RingFault,
    RingLayout,
    Segment,
    UsedElement,
)

LAYOUT = RingLayout(4, 0x100, 0x200, 0x300)
NEXT, WRITE, INDIRECT = 1, 2, 4


class Rig:
    def __init__(self, *, event_index: bool = False) -> None:
        self.bytes = bytearray(b"\xaa" * 0x1000)
        self.queue = DriverQueue(GuestMemory([Region(0, self.bytes)]), LAYOUT, event_index=event_index)

    def u16(self, offset: int) -> int:
        return struct.unpack("<H", self.bytes[offset : offset + 2])[0]

    def set_u16(self, offset: int, value: int) -> None:
        self.bytes[offset : offset + 2] = struct.pack("<H", value)

    def descriptor(self, slot: int) -> tuple[int, int, int, int]:
        return struct.unpack("<QIHH", self.bytes[0x100 + 16 * slot : 0x110 + 16 * slot])

    def use(self, position: int, element_id: int, length: int = 0) -> None:
        """Write the used element of a position that counts from 0, and the index behind it."""
        at = 0x304 + 8 * (position % 4)
        self.bytes[at : at + 8] = struct.pack("<II", element_id, length)
        self.set_u16(0x302, (position + 1) % 65536)


def test_a_new_queue_clears_the_rings_and_nothing_beside_them():
    rig = Rig()
    assert rig.bytes[0x100:0x140] == bytes(64)
    assert rig.bytes[0x200:0x20E] == bytes(14)
    assert rig.bytes[0x300:0x326] == bytes(38)
    for neighbour in (0xFF, 0x140, 0x1FF, 0x20E, 0x2FF, 0x326):
        assert rig.bytes[neighbour] == 0xAA


def test_one_readable_segment_is_one_descriptor_one_head_and_the_index():
    rig = Rig()
    head = rig.queue.add([Segment(0x1122334455667788, 0x10203)])
    at = 0x100 + 16 * head
    assert rig.bytes[at : at + 16] == bytes.fromhex("8877665544332211 03020100 0000 0000")
    assert rig.bytes[0x200:0x206] == bytes([0, 0, 1, 0, head, 0])


def test_a_chain_links_readable_before_writable():
    rig = Rig()
    head = rig.queue.add([Segment(0x800, 8), Segment(0x900, 9), Segment(0xA00, 10, writable=True)])
    address, length, flags, following = rig.descriptor(head)
    assert (address, length, flags) == (0x800, 8, NEXT)
    address, length, flags, following = rig.descriptor(following)
    assert (address, length, flags) == (0x900, 9, NEXT)
    assert rig.descriptor(following) == (0xA00, 10, WRITE, 0)
    assert rig.queue.free_descriptors == 1


def test_an_indirect_chain_takes_one_entry_and_lies_in_its_table():
    rig = Rig()
    segments = [Segment(0x800, 8), Segment(0x900, 9), Segment(0xA00, 10, writable=True)]
    head = rig.queue.add(segments, indirect=0x508)
    assert rig.descriptor(head) == (0x508, 48, INDIRECT, 0)
    assert struct.unpack("<QIHHQIHHQIHH", rig.bytes[0x508:0x538]) == (
        *(0x800, 8, NEXT, 1),
        *(0x900, 9, NEXT, 2),
        *(0xA00, 10, WRITE, 0),
    )
    assert rig.bytes[0x538] == 0xAA
    assert rig.queue.free_descriptors == 3


def test_a_full_queue_says_so_changes_nothing_and_takes_more_after_a_poll():
    rig = Rig()
    first = rig.queue.add([Segment(0x800, 8)] * 3)
    with pytest.raises(QueueFullError, match="needs 2 descriptors and 1 of 4 are free"):
        rig.queue.add([Segment(0x800, 8)] * 2)
    rig.queue.add([Segment(0x800, 8)])
    with pytest.raises(QueueFullError, match="needs 1 descriptors and 0 of 4"):
        rig.queue.add([Segment(0x800, 8)], indirect=0x500)
    assert rig.u16(0x202) == 2
    assert rig.bytes[0x500] == 0xAA
    rig.use(0, first, 5)
    assert rig.queue.poll() == [UsedElement(first, 5)]
    assert rig.queue.free_descriptors == 3
    rig.queue.add([Segment(0x800, 8)] * 3)


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ([], "0 segments does not fit"),
        ([Segment(0, 1)] * 5, "5 segments does not fit a queue of 4"),
        ([Segment(0, 1, writable=True), Segment(0, 1)], "follows a device-writable"),
        ([Segment(0, 0)], "segment of 0 bytes"),
        ([Segment(0, 1 << 32)], "segment of 4294967296 bytes"),
        ([Segment(1 << 64, 1)], "does not fit 64 bits"),
        ([Segment(0, 0xFFFFFFFF), Segment(0, 2)], "longer than 2"),
    ],
)
def test_what_the_protocol_forbids_is_refused_and_lays_nothing(segments, words):
    rig = Rig()
    before = bytes(rig.bytes)
    for indirect in (None, 0x500):
        with pytest.raises(ValueError, match=words):
            rig.queue.add(segments, indirect=indirect)
    assert rig.bytes == before


def test_a_chain_of_exactly_four_gibibytes_is_laid():
    rig = Rig()
    rig.queue.add([Segment(0, 0xFFFFFFFF), Segment(0, 1)])
    assert rig.u16(0x202) == 1


def test_used_buffers_come_back_in_the_order_the_device_used_them():
    rig = Rig()
    heads = [rig.queue.add([Segment(0x800, 8)]) for _ in range(4)]
    assert rig.queue.in_flight == frozenset(heads) == {0, 1, 2, 3}
    for position, head in enumerate(reversed(heads)):
        rig.use(position, head, position)
    assert rig.queue.poll() == [UsedElement(head, length) for length, head in enumerate(reversed(heads))]
    assert rig.queue.in_flight == frozenset()
    assert rig.queue.poll() == []


def test_a_used_length_beyond_the_buffer_is_reported_not_judged():
    rig = Rig()
    head = rig.queue.add([Segment(0x800, 8)])
    rig.use(0, head, 0xFFFFFFFF)
    assert rig.queue.poll() == [UsedElement(head, 0xFFFFFFFF)]


@pytest.mark.parametrize("index", [3, 0x8000, 0xFFFF])
def test_a_used_index_beyond_what_is_in_flight_is_the_devices_fault(index):
    rig = Rig()
    rig.queue.add([Segment(0x800, 8)])
    rig.queue.add([Segment(0x800, 8)])
    rig.set_u16(0x302, index)
    for _ in range(2):
        with pytest.raises(
            RingError, match=f"used ring, index {index}: .* 2 buffers were in flight"
        ) as caught:
            rig.queue.poll()
        assert caught.value.fault is RingFault.USED_JUMP
    assert len(rig.queue.in_flight) == 2


@pytest.mark.parametrize("unknown", [9, 0x10000, 0xFFFFFFFF])
def test_a_used_id_that_is_no_head_in_flight_is_the_devices_fault(unknown):
    rig = Rig()
    first = rig.queue.add([Segment(0x800, 8)])
    rig.queue.add([Segment(0x800, 8)])
    rig.use(0, first, 1)
    rig.use(1, unknown)
    with pytest.raises(RingError, match=f"used ring entry 1, index 1: id {unknown} is not") as caught:
        rig.queue.poll()
    assert caught.value.fault is RingFault.USED_NOT_IN_FLIGHT
    assert caught.value.used == (UsedElement(first, 1),)
    with pytest.raises(RingError) as caught:
        rig.queue.poll()
    assert caught.value.used == ()


def test_a_tail_of_a_chain_and_a_head_already_back_are_no_heads_in_flight():
    rig = Rig()
    head = rig.queue.add([Segment(0x800, 8)] * 2)
    tail = rig.descriptor(head)[3]
    rig.use(0, tail)
    with pytest.raises(RingError) as caught:
        rig.queue.poll()
    assert caught.value.fault is RingFault.USED_NOT_IN_FLIGHT

    rig = Rig()
    head = rig.queue.add([Segment(0x800, 8)])
    rig.queue.add([Segment(0x800, 8)])
    rig.use(0, head)
    rig.use(1, head)
    with pytest.raises(RingError) as caught:
        rig.queue.poll()
    assert caught.value.used == (UsedElement(head, 0),)


def test_the_no_notify_flag_of_the_used_ring_is_honoured_and_other_bits_are_not_it():
    rig = Rig()
    assert not rig.queue.needs_notification()
    rig.queue.add([Segment(0x800, 8)])
    assert rig.queue.needs_notification()
    assert not rig.queue.needs_notification()
    rig.set_u16(0x300, 1)
    rig.queue.add([Segment(0x800, 8)])
    assert not rig.queue.needs_notification()
    rig.set_u16(0x300, 0xFFFE)
    rig.queue.add([Segment(0x800, 8)])
    assert rig.queue.needs_notification()


def test_with_event_index_the_flag_is_ignored_and_available_event_decides():
    rig = Rig(event_index=True)
    rig.set_u16(0x300, 1)
    rig.set_u16(0x300 + 36, 1)
    rig.queue.add([Segment(0x800, 8)])
    assert not rig.queue.needs_notification()
    rig.queue.add([Segment(0x800, 8)])
    assert rig.queue.needs_notification()
    rig.queue.add([Segment(0x800, 8)])
    assert not rig.queue.needs_notification()


def run_to(rig: Rig, position: int) -> None:
    """Add and use single buffers until both indices are ``position``."""
    for count in range(position):
        rig.use(count, rig.queue.add([Segment(0x800, 8)]))
        rig.queue.poll()
    rig.queue.needs_notification()


def test_event_arithmetic_and_indices_hold_across_the_wrap():
    rig = Rig(event_index=True)
    run_to(rig, 65534)
    assert (rig.u16(0x202), rig.u16(0x302), rig.u16(0x20C)) == (65534, 65534, 65534)
    rig.set_u16(0x300 + 36, 0)
    heads = []
    asked = []
    for _ in range(4):
        heads.append(rig.queue.add([Segment(0x800, 8)]))
        asked.append(rig.queue.needs_notification())
    assert asked == [False, False, True, False]
    assert rig.u16(0x202) == 2
    for step, head in enumerate(heads):
        rig.use(65534 + step, head, step)
    assert rig.queue.poll() == [UsedElement(head, step) for step, head in enumerate(heads)]
    assert rig.u16(0x20C) == 2


def test_a_notification_is_due_when_it_was_not_asked_for_a_whole_round_of_the_index():
    rig = Rig(event_index=True)
    for count in range(65536):
        rig.use(count, rig.queue.add([Segment(0x800, 8)]))
        rig.queue.poll()
    assert rig.queue.needs_notification()
    assert not rig.queue.needs_notification()


def test_interrupts_are_suppressed_by_the_flag_and_asked_for_again():
    rig = Rig()
    rig.queue.suppress_interrupts()
    assert rig.bytes[0x200:0x202] == b"\x01\x00"
    head = rig.queue.add([Segment(0x800, 8)])
    assert rig.queue.enable_interrupts() is False
    assert rig.bytes[0x200:0x202] == b"\x00\x00"
    rig.use(0, head)
    assert rig.queue.enable_interrupts() is True


def test_with_event_index_the_flag_stays_clear_and_used_event_moves():
    rig = Rig(event_index=True)
    rig.queue.suppress_interrupts()
    assert (rig.u16(0x200), rig.u16(0x20C)) == (0, 0xFFFF)
    rig.use(0, rig.queue.add([Segment(0x800, 8)]))
    assert len(rig.queue.poll()) == 1
    assert rig.u16(0x20C) == 0xFFFF
    assert rig.queue.enable_interrupts() is False
    assert (rig.u16(0x200), rig.u16(0x20C)) == (0, 1)


def test_a_buffer_used_while_the_event_is_stored_is_collected_in_the_same_poll():
    rig = Rig(event_index=True)
    first, second = (rig.queue.add([Segment(0x800, 8)]) for _ in range(2))
    rig.use(0, first)
    events_seen = []

    def device_acts_in_between():
        events_seen.append(rig.u16(0x20C))
        rig.use(1, second)

    rig.queue._fence = device_acts_in_between
    assert rig.queue.poll() == [UsedElement(first, 0), UsedElement(second, 0)]
    assert events_seen == [1, 2]


def test_a_raw_chain_is_laid_as_given_and_its_slots_come_back():
    rig = Rig()
    rig.queue.add_raw([Descriptor(0, 0, NEXT | WRITE, 1), Descriptor(1 << 63, 0, NEXT, 0xFFFF)], 0)
    assert rig.bytes[0x100:0x120] == bytes.fromhex(
        "0000000000000000 00000000 0300 0100 0000000000000080 00000000 0100 ffff"
    )
    assert rig.bytes[0x202:0x206] == b"\x01\x00\x00\x00"
    assert rig.queue.free_descriptors == 2
    rig.use(0, 0)
    assert rig.queue.poll() == [UsedElement(0, 0)]
    assert rig.queue.free_descriptors == 4


def test_a_raw_head_may_be_out_of_the_table_or_made_available_twice():
    rig = Rig()
    head = rig.queue.add([Segment(0x800, 8)])
    rig.queue.add_raw([], head)
    rig.queue.add_raw([], 700)
    assert struct.unpack("<HHHH", rig.bytes[0x202:0x20A]) == (3, head, head, 700)
    assert rig.queue.in_flight == {head, 700}
    for position, used in enumerate([head, 700, head]):
        rig.use(position, used)
    assert [element.head for element in rig.queue.poll()] == [head, 700, head]
    assert rig.queue.in_flight == frozenset()
    assert rig.queue.free_descriptors == 4


def test_a_raw_chain_over_slots_in_flight_or_beyond_the_table_is_refused():
    rig = Rig()
    head = rig.queue.add([Segment(0x800, 8)])
    for bad in (head, 4, -1):
        with pytest.raises(ValueError, match=f"from slot {bad} on"):
            rig.queue.add_raw([Descriptor(0, 1)], bad)
    with pytest.raises(ValueError, match="from slot 65536"):
        rig.queue.add_raw([], 65536)
    assert rig.u16(0x202) == 1


def test_the_available_index_can_be_overwritten():
    rig = Rig()
    rig.queue.overwrite_available_index(0x1234)
    assert rig.bytes[0x202:0x204] == b"\x34\x12"


def test_every_return_is_due_a_notification_unless_the_driver_asked_for_none():
    rig = Rig()
    heads = [rig.queue.add([Segment(0x800, 1)]) for _ in range(4)]
    for position in (0, 1):
        rig.use(position, heads[position])
    rig.queue.poll()
    assert (rig.queue.is_due(0), rig.queue.is_due(1)) == (True, True)
    rig.queue.suppress_interrupts()
    rig.use(2, heads[2])
    rig.queue.poll()
    assert not rig.queue.is_due(0)
    rig.use(3, heads[3])
    # Used before the driver asked again: the device need not have seen that it does.
    assert rig.queue.enable_interrupts()
    rig.queue.poll()
    assert not rig.queue.is_due(0)
    rig.use(4, rig.queue.add([Segment(0x800, 1)]))
    rig.queue.poll()
    assert rig.queue.is_due(0)


def test_with_used_event_the_first_return_of_a_poll_is_due_a_notification():
    rig = Rig(event_index=True)
    heads = [rig.queue.add([Segment(0x800, 1)]) for _ in range(3)]
    for position in (0, 1):
        rig.use(position, heads[position])
    assert len(rig.queue.poll()) == 2
    assert (rig.queue.is_due(0), rig.queue.is_due(1)) == (True, False)
    rig.use(2, heads[2])
    rig.queue.poll()
    assert rig.queue.is_due(0)
