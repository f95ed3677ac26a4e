"""The device's side alone: chains read from hand-laid rings, used elements against the specification's offsets.

The driver is played by plain ``struct`` stores. Queue size 4: descriptors at 0x100, available ring at 0x200 (flags,
index, 4 heads, used_event at +12), used ring at 0x300 (flags, index, 4 elements of 8 bytes, available_event
at +36). Guest memory is 0x0000 to 0x1000.
"""

from __future__ import annotations

import struct

import pytest

from balloon_conformance.virtio import Chain, DeviceQueue, GuestMemory, Region, RingError, RingLayout, Segment

LAYOUT = RingLayout(4, 0x100, 0x200, 0x300)
NEXT, WRITE, INDIRECT = 1, 2, 4


class Rig:
    def __init__(self, *, indirect: bool = False, event_index: bool = False, next_available: int = 0) -> None:
        self.bytes = bytearray(0x1000)
        self.next = next_available
        self.set_u16(0x202, next_available)
        self.queue = DeviceQueue(
            GuestMemory([Region(0, self.bytes)]),
            LAYOUT,
            indirect=indirect,
            event_index=event_index,
            next_available=next_available,
        )

    def u16(self, offset: int) -> int:
        return struct.unpack("<H", self.bytes[offset : offset + 2])[0]

    def set_u16(self, offset: int, value: int) -> None:
        self.bytes[offset : offset + 2] = struct.pack("<H", value)

    def lay(self, slot: int, *descriptor: int) -> None:
        self.bytes[0x100 + 16 * slot : 0x110 + 16 * slot] = struct.pack("<QIHH", *descriptor)

    def offer(self, head: int) -> None:
        self.set_u16(0x204 + 2 * (self.next % 4), head)
        self.next = (self.next + 1) % 65536
        self.set_u16(0x202, self.next)


def test_an_empty_ring_gives_nothing():
    assert Rig().queue.pop() is None
    assert Rig(event_index=True).queue.pop() is None


def test_a_hand_laid_chain_is_read_across_its_segments():
    rig = Rig()
    rig.bytes[0x800:0x804] = b"head"
    rig.bytes[0x900:0x903] = b"ing"
    rig.lay(2, 0x800, 4, NEXT, 0)
    rig.lay(0, 0x900, 3, NEXT, 3)
    rig.lay(3, 0xA00, 5, NEXT | WRITE, 1)
    rig.lay(1, 0xFFF, 1, WRITE, 0)
    rig.offer(2)
    chain = rig.queue.pop()
    assert chain == Chain(
        2,
        (Segment(0x800, 4), Segment(0x900, 3)),
        (Segment(0xA00, 5, writable=True), Segment(0xFFF, 1, writable=True)),
    )
    assert (chain.readable_bytes, chain.writable_bytes) == (7, 6)
    assert rig.queue.read(chain) == b"heading"
    assert [rig.queue.read(chain, limit_bytes=limit) for limit in (0, 3, 5, 7, 8)] == [
        b"",
        b"hea",
        b"headi",
        b"heading",
        b"heading",
    ]
    assert rig.queue.pop() is None


@pytest.mark.parametrize(
    ("data", "first", "second", "written"),
    [
        (b"", b"\0\0\0\0\0", b"\0", 0),
        (b"abc", b"abc\0\0", b"\0", 3),
        (b"abcdef", b"abcde", b"f", 6),
        (b"abcdefgh", b"abcde", b"f", 6),
    ],
)
def test_a_write_fills_writable_segments_in_order_and_says_what_fitted(data, first, second, written):
    rig = Rig()
    rig.lay(0, 0x800, 4, NEXT, 1)
    rig.lay(1, 0xA00, 5, NEXT | WRITE, 2)
    rig.lay(2, 0xB00, 1, WRITE, 0)
    rig.offer(0)
    chain = rig.queue.pop()
    assert rig.queue.write(chain, data) == written
    assert (rig.bytes[0xA00:0xA06], rig.bytes[0xB00:0xB02]) == (first + b"\0", second + b"\0")


def test_direct_descriptors_in_front_of_an_indirect_one_make_one_chain():
    rig = Rig(indirect=True)
    rig.lay(1, 0x800, 8, NEXT, 3)
    # WRITE on the descriptor of a table means nothing (2.7.5.3.2).
    rig.lay(3, 0x508, 48, INDIRECT | WRITE, 0)
    rig.bytes[0x508:0x538] = struct.pack(
        "<QIHHQIHHQIHH", 0x900, 9, NEXT, 2, 0xBAD0000, 1, 0, 0, 0xA00, 10, WRITE, 0
    )
    rig.offer(1)
    assert rig.queue.pop() == Chain(
        1, (Segment(0x800, 8), Segment(0x900, 9)), (Segment(0xA00, 10, writable=True),)
    )


def test_a_segment_of_no_bytes_is_kept_wherever_it_points():
    rig = Rig()
    rig.lay(0, 1 << 63, 0, 0, 0)
    rig.offer(0)
    chain = rig.queue.pop()
    assert chain == Chain(0, (Segment(1 << 63, 0),), ())
    assert rig.queue.read(chain) == b""


def test_used_elements_lie_where_the_specification_says_in_the_order_of_the_pushes():
    rig = Rig()
    for slot in range(4):
        rig.lay(slot, 0x800, 8, 0, 0)
        rig.offer(slot)
    assert [rig.queue.pop().head for _ in range(4)] == [0, 1, 2, 3]
    assert rig.queue.in_flight == {0, 1, 2, 3}
    rig.queue.push(3, 0x01020304)
    assert rig.bytes[0x300:0x30C] == bytes.fromhex("0000 0100 03000000 04030201")
    rig.queue.push(0, 0)
    assert rig.bytes[0x300:0x314] == bytes.fromhex("0000 0200 03000000 04030201 00000000 00000000")
    assert rig.queue.in_flight == {1, 2}
    assert rig.queue.used_index == 2


def test_only_what_was_popped_can_be_pushed_and_only_once():
    rig = Rig()
    rig.lay(1, 0x800, 8, 0, 0)
    rig.offer(1)
    rig.queue.pop()
    for head in (0, 5):
        with pytest.raises(ValueError, match=f"head {head} is not in flight"):
            rig.queue.push(head, 0)
    rig.queue.push(1, 0)
    with pytest.raises(ValueError, match="head 1 is not in flight"):
        rig.queue.push(1, 0)
    assert rig.u16(0x302) == 1


def test_a_raw_push_stores_any_id():
    rig = Rig()
    rig.queue.push_raw(0xDEADBEEF, 0xFFFFFFFF)
    assert rig.bytes[0x302:0x30C] == bytes.fromhex("0100 efbeadde ffffffff")


def test_a_segment_is_a_copy_that_the_driver_cannot_change_afterwards():
    rig = Rig(indirect=True)
    rig.bytes[0x500:0x510] = struct.pack("<QIHH", 0x800, 4, 0, 0)
    rig.lay(0, 0x500, 16, INDIRECT, 0)
    rig.offer(0)
    rig.bytes[0x800:0x804] = b"good"
    chain = rig.queue.pop()
    rig.bytes[0x500:0x510] = struct.pack("<QIHH", 1 << 60, 1 << 30, WRITE, 0)
    rig.lay(0, 1 << 60, 1 << 30, WRITE, 0)
    rig.set_u16(0x204, 0xFFFF)
    assert rig.queue.read(chain) == b"good"
    rig.queue.push(chain.head, 0)
    assert rig.bytes[0x304:0x308] == bytes(4)


def test_the_next_available_index_starts_where_it_is_told_and_wraps():
    rig = Rig(next_available=65535)
    assert rig.queue.pop() is None
    rig.lay(1, 0x800, 8, 0, 0)
    rig.lay(2, 0x900, 8, 0, 0)
    rig.offer(1)
    rig.offer(2)
    assert rig.queue.pop().head == 1
    assert rig.queue.next_available == 0
    assert rig.queue.pop().head == 2
    assert rig.queue.next_available == 1
    assert rig.queue.pop() is None


def test_the_next_available_index_can_be_set_back_and_must_be_16_bits():
    rig = Rig()
    rig.lay(1, 0x800, 8, 0, 0)
    rig.offer(1)
    rig.queue.push(rig.queue.pop().head, 0)
    rig.queue.next_available = 0
    assert rig.queue.pop().head == 1
    for bad in (-1, 65536):
        with pytest.raises(ValueError, match=f"available index {bad}"):
            rig.queue.next_available = bad


def test_the_used_index_goes_on_from_the_one_in_memory():
    rig = Rig()
    rig.set_u16(0x302, 65535)
    queue = DeviceQueue(GuestMemory([Region(0, rig.bytes)]), LAYOUT)
    queue.push_raw(7, 0)
    assert rig.u16(0x302) == 0
    assert rig.bytes[0x304 + 24 : 0x304 + 28] == b"\x07\0\0\0"
    assert queue.used_index == 0


def test_the_no_interrupt_flag_of_the_available_ring_is_honoured():
    rig = Rig()
    assert not rig.queue.needs_interrupt()
    rig.queue.push_raw(0, 0)
    assert rig.queue.needs_interrupt()
    assert not rig.queue.needs_interrupt()
    rig.set_u16(0x200, 1)
    rig.queue.push_raw(0, 0)
    assert not rig.queue.needs_interrupt()
    rig.set_u16(0x200, 0xFFFE)
    rig.queue.push_raw(0, 0)
    assert rig.queue.needs_interrupt()


def test_with_event_index_the_flag_is_ignored_and_used_event_decides_across_the_wrap():
    rig = Rig(event_index=True)
    rig.set_u16(0x200, 1)
    rig.queue.push_raw(0, 0)
    assert rig.queue.needs_interrupt()
    for _ in range(65533):
        rig.queue.push_raw(0, 0)
    rig.queue.needs_interrupt()
    assert rig.queue.used_index == 65534
    rig.set_u16(0x20C, 0)
    asked = []
    for _ in range(4):
        rig.queue.push_raw(0, 0)
        asked.append(rig.queue.needs_interrupt())
    assert asked == [False, False, True, False]
    assert rig.u16(0x302) == 2
    rig.set_u16(0x20C, 3)
    rig.queue.push_raw(0, 0)
    rig.queue.push_raw(0, 0)
    assert rig.queue.needs_interrupt()


def test_an_interrupt_is_due_when_it_is_not_known_what_was_signalled():
    rig = Rig(event_index=True)
    rig.set_u16(0x20C, 0x8000)
    for _ in range(65536):
        rig.queue.push_raw(0, 0)
    assert rig.queue.needs_interrupt()
    rig.set_u16(0x302, 5)
    rig.set_u16(0x20C, 0x9000)
    queue = DeviceQueue(GuestMemory([Region(0, rig.bytes)]), LAYOUT, event_index=True)
    queue.push_raw(0, 0)
    assert queue.needs_interrupt()
    queue.push_raw(0, 0)
    assert not queue.needs_interrupt()


def test_notifications_are_suppressed_by_the_flag_and_asked_for_again():
    rig = Rig()
    rig.queue.suppress_notifications()
    assert rig.bytes[0x300:0x302] == b"\x01\x00"
    assert rig.queue.enable_notifications() is False
    assert rig.bytes[0x300:0x302] == b"\x00\x00"
    rig.lay(0, 0x800, 8, 0, 0)
    rig.offer(0)
    assert rig.queue.enable_notifications() is True


def test_with_event_index_the_flag_stays_clear_and_available_event_follows_the_pops():
    rig = Rig(event_index=True)
    for slot in range(3):
        rig.lay(slot, 0x800, 8, 0, 0)
        rig.offer(slot)
    rig.queue.pop()
    assert rig.u16(0x300 + 36) == 1
    rig.queue.suppress_notifications()
    rig.queue.pop()
    assert (rig.u16(0x300), rig.u16(0x300 + 36)) == (0, 1)
    assert rig.queue.enable_notifications() is True
    assert rig.u16(0x300 + 36) == 2
    rig.queue.pop()
    assert rig.u16(0x300 + 36) == 3
    assert rig.queue.enable_notifications() is False


def test_a_buffer_added_while_the_ring_looked_empty_is_taken_by_the_same_pop():
    rig = Rig(event_index=True)
    rig.lay(0, 0x800, 8, 0, 0)
    rig.queue._fence = lambda: rig.offer(0)
    assert rig.queue.pop() == Chain(0, (Segment(0x800, 8),), ())


def test_attaching_asks_for_notifications_whatever_the_ring_said_before():
    rig = Rig()
    rig.set_u16(0x300, 1)
    queue = DeviceQueue(GuestMemory([Region(0, rig.bytes)]), LAYOUT)
    assert rig.u16(0x300) == 0
    assert queue.layout is LAYOUT


def test_a_buffer_laid_across_two_regions_is_read_and_written_whole():
    low, high = bytearray(0x900), bytearray(0x700)
    rings = GuestMemory([Region(0, low), Region(0x900, high)])
    low[0x100:0x120] = struct.pack("<QIHHQIHH", 0x8FE, 4, NEXT, 1, 0x8FF, 2, WRITE, 0)
    low[0x202:0x206] = struct.pack("<HH", 1, 0)
    low[0x8FE:], high[:2] = b"ab", b"cd"
    queue = DeviceQueue(rings, LAYOUT)
    chain = queue.pop()
    assert queue.read(chain) == b"abcd"
    assert queue.write(chain, b"XY") == 2
    assert (low[0x8FE:], high[:2]) == (b"aX", b"Yd")


def test_a_queue_whose_rings_are_not_in_guest_memory_is_refused():
    with pytest.raises(RingError, match=r"ring layout: .* not all in guest memory"):
        DeviceQueue(GuestMemory([Region(0, bytearray(0x300))]), LAYOUT)
