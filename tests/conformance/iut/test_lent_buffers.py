"""The buffers lent to a device, with the test as the device: it finds the rings and writes them by hand."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest

from balloon_conformance.iut.contract import AdapterError, Buffer
from balloon_conformance.iut.lent_buffers import LentBuffers
from balloon_conformance.iut.shared_ram import SharedRam
from balloon_conformance.virtio import GuestMemory, Region
from balloon_spec.events import BufferAltered, Segment, Side, Used
from balloon_spec.pages import PageSet
from balloon_spec.segments import from_lengths

BEGIN = 0x40000
QUEUE = 3


@pytest.fixture
def ram():
    return bytearray(0x4000)


@pytest.fixture
def pages():
    pages = SharedRam(16)
    yield pages
    pages.close()


@pytest.fixture
def make(ram, pages):
    def make(**options):
        lent = LentBuffers(GuestMemory([Region(BEGIN, ram)]), BEGIN, len(ram), ram=pages, **options)
        return lent, lent.set_up(QUEUE, 4)

    return make


@pytest.fixture
def lent(make):
    return make()[0]


@pytest.fixture
def device(make, ram):
    return HandDevice(ram)


class HandDevice:
    """Reads and writes the rings of a queue of 4 that lies at the start of memory: 64, 14 and 38 bytes."""

    def __init__(self, ram):
        self.ram = ram

    def descriptor(self, slot):
        return struct.unpack_from("<QIHH", self.ram, 16 * slot)

    def head(self, position):
        return struct.unpack_from("<H", self.ram, 64 + 4 + 2 * position)[0]

    def use(self, position, head, length_bytes):
        struct.pack_into("<II", self.ram, 80 + 4 + 8 * position, head, length_bytes)
        struct.pack_into("<H", self.ram, 80 + 2, position + 1)

    def chain(self, slot):
        pieces = []
        while True:
            address, length_bytes, flags, following = self.descriptor(slot)
            pieces.append((address - BEGIN, length_bytes, flags & 2))
            if not flags & 1:
                return pieces
            slot = following


def test_a_buffer_lies_in_pieces_that_do_not_follow_each_other(lent, device):
    lent.lend(QUEUE, Buffer("b", b"abcdef", writable_bytes=8, segments=from_lengths((1, 2, 3))))
    pieces = device.chain(device.head(0))
    assert [(length, writable) for _, length, writable in pieces] == [(1, 0), (2, 0), (3, 0), (8, 2)]
    assert [bytes(device.ram[at : at + length]) for at, length, _ in pieces] == [
        b"a",
        b"bc",
        b"def",
        bytes(8),
    ]
    for (at, length, _), (following, _, _) in pairwise(pieces):
        assert following != at + length
    assert lent.in_flight(QUEUE) == 1


def placed(lent, *segments, readable=b"", writable_bytes=0):
    lent.lend(QUEUE, Buffer("b", readable, writable_bytes, tuple(Segment(*one) for one in segments)))


def test_a_segment_lies_where_it_says_with_its_bytes(lent, device, pages):
    placed(lent, (2, False, 0x3010), (4,), (1, False, 0x5000), readable=b"abcdefg")
    (first, *_), (second, *_), (third, *_) = device.chain(device.head(0))
    assert (first + BEGIN, third + BEGIN) == (0x3010, 0x5000)
    assert bytes(device.ram[second : second + 4]) == b"cdef"
    assert (pages.read(0x3010, 2), pages.read(0x5000, 1)) == (b"ab", b"g")
    # Only the bytes are the suite's: what a device does to the pages beside is still seen.
    assert pages.examine(PageSet([(0, 16)])) == (PageSet(), PageSet())


def test_a_writable_segment_that_says_where_it_lies_is_left_as_it_stands(lent, device, pages):
    before = pages.read(0x3000, 0x1000)
    placed(lent, (0x1000, True, 0x3000), writable_bytes=0x1000)
    ((at, length, flags),) = device.chain(device.head(0))
    assert (at + BEGIN, length, flags) == (0x3000, 0x1000, 2)
    assert pages.read(0x3000, 0x1000) == before
    pages.lay(0x3000, b"XY")
    device.use(0, device.head(0), 2)
    assert lent.collect() == [Used(QUEUE, "b", 2, b"XY", notified=False)]


@pytest.mark.parametrize("address", [0x10000, 0x0FFF8, 0xFFFF_FFFF_FFFF_F000])
def test_a_descriptor_may_point_where_no_memory_is(lent, device, pages, address):
    placed(
        lent, (8,), (16, False, address), (4, True, address + 8), readable=bytes(range(24)), writable_bytes=4
    )
    chain = device.chain(device.head(0))
    assert [(at + BEGIN, length, flags) for at, length, flags in chain[1:]] == [
        (address, 16, 0),
        (address + 8, 4, 2),
    ]
    device.use(0, device.head(0), 4)
    assert lent.collect() == [Used(QUEUE, "b", 4, b"", notified=False)]
    assert pages.examine(PageSet([(0, 16)])) == (PageSet(), PageSet())


@pytest.mark.parametrize("segments", [((8, True),), ((3,), (4, True)), ((4,), (4, True), (1, True))])
def test_segments_that_do_not_make_up_the_buffer_are_the_suites_fault(lent, segments):
    with pytest.raises(AdapterError, match="buffer b: a cut into"):
        placed(lent, *segments, readable=b"abcd", writable_bytes=4)


def test_a_descriptor_of_no_bytes_is_laid_as_it_is(lent, device):
    lent.lend(QUEUE, Buffer("b", b"abcd", segments=from_lengths((2, 0, 2))))
    assert [length for _, length, _ in device.chain(device.head(0))] == [2, 0, 2]


def test_descriptors_are_laid_in_the_order_in_which_they_are_stated(lent, device):
    placed(lent, (4, True), (2,), (4, True), readable=b"ab", writable_bytes=8)
    chain = device.chain(device.head(0))
    assert [(length, flags) for _, length, flags in chain] == [(4, 2), (2, 0), (4, 2)]
    at = chain[1][0]
    assert bytes(device.ram[at : at + 2]) == b"ab"


@pytest.mark.parametrize("length", [1 << 30, (1 << 32) - 1])
def test_a_descriptor_may_go_on_beyond_memory_and_what_lies_in_memory_is_laid(lent, device, pages, length):
    placed(lent, (length, False, 0xFFFC), readable=b"abcd1234")
    ((at, length_bytes, _),) = device.chain(device.head(0))
    assert (at + BEGIN, length_bytes) == (0xFFFC, length)
    assert pages.read(0xFFFC, 4) == b"abcd"


def test_descriptors_may_hold_more_than_4_gib_together(lent, device):
    most = (1 << 32) - 1
    placed(lent, (4,), (most, True, 0x1000), readable=b"abcd", writable_bytes=most)
    assert [length for _, length, _ in device.chain(device.head(0))] == [4, most]


def test_what_the_device_wrote_is_returned_up_to_the_length_it_says(lent, device):
    lent.lend(QUEUE, Buffer("b", writable_bytes=16))
    ((at, _, _),) = device.chain(device.head(0))
    device.ram[at : at + 16] = bytes(range(16))
    assert lent.collect() == []
    device.use(0, device.head(0), 4)
    assert lent.collect() == [Used(QUEUE, "b", 4, b"\x00\x01\x02\x03", notified=False)]
    assert lent.in_flight(QUEUE) == 0


def test_a_length_above_the_buffer_is_reported_and_nothing_behind_it_is_read(lent, device):
    lent.lend(QUEUE, Buffer("b", writable_bytes=2))
    device.use(0, device.head(0), 0xFFFFFFFF)
    assert lent.collect() == [Used(QUEUE, "b", 0xFFFFFFFF, b"\x00\x00", notified=False)]


def test_a_length_for_a_buffer_without_a_writable_part_is_reported(lent, device):
    lent.lend(QUEUE, Buffer("b", b"abcd"))
    device.use(0, device.head(0), 4)
    assert lent.collect() == [Used(QUEUE, "b", 4, b"", notified=False)]


def test_a_changed_readable_part_is_reported_once_for_each_change(lent, device):
    lent.lend(QUEUE, Buffer("b", b"abcd", segments=from_lengths((3, 1))))
    (at, _, _), _ = device.chain(device.head(0))
    device.ram[at + 1] = ord("X")
    altered = BufferAltered(QUEUE, "b", b"aXcd", Side.DEVICE)
    assert lent.collect() == [altered]
    assert lent.collect() == []
    device.ram[at + 1] = ord("b")
    device.use(0, device.head(0), 0)
    assert lent.collect() == [
        BufferAltered(QUEUE, "b", b"abcd", Side.DEVICE),
        Used(QUEUE, "b", notified=False),
    ]


@pytest.mark.parametrize("head", [2, 77, 0xFFFFFFFF])
def test_a_returned_buffer_that_is_not_in_flight_is_reported_once_behind_the_good_ones(lent, device, head):
    lent.lend(QUEUE, Buffer("good", b"abcd"))
    lent.lend(QUEUE, Buffer("other", b"abcd"))
    device.use(0, device.head(0), 0)
    device.use(1, head, 0)
    good, bad = lent.collect()
    assert good == Used(QUEUE, "good", notified=False)
    assert (bad.side, bad.queue, bad.fault) == (Side.DEVICE, QUEUE, "used-not-in-flight")
    assert f"id {head} " in bad.detail
    assert lent.collect() == []


def test_a_buffer_returned_twice_is_reported(lent, device):
    lent.lend(QUEUE, Buffer("b", b"abcd"))
    device.use(0, device.head(0), 0)
    assert lent.collect() == [Used(QUEUE, "b", notified=False)]
    device.use(1, device.head(0), 0)
    (bad,) = lent.collect()
    assert (bad.side, bad.queue, bad.fault) == (Side.DEVICE, QUEUE, "used-jump")


def test_the_memory_of_a_returned_buffer_is_used_again(lent, device):
    for n in range(1000):
        lent.lend(QUEUE, Buffer("b", bytes(2000)))
        device.use(n % 4, device.head(n % 4), 0)
        struct.pack_into("<H", device.ram, 80 + 2, n + 1)
        assert lent.collect() == [Used(QUEUE, "b", notified=False)]


def test_a_refused_buffer_leaves_no_memory_taken(lent):
    for _ in range(100):
        with pytest.raises(AdapterError, match="buffer b, queue 3: no room for"):
            lent.lend(QUEUE, Buffer("b", bytes(0x5000), segments=from_lengths((0x3000, 0x2000))))
    lent.lend(QUEUE, Buffer("b", bytes(0x3E00)))


def test_no_neighbouring_slots_for_an_illegal_chain_is_said(lent):
    lent.lend(QUEUE, Buffer("a", b"abc", segments=from_lengths((1, 1, 1))))
    with pytest.raises(AdapterError, match="no 2 neighbouring descriptors are free"):
        lent.lend(QUEUE, Buffer("b", b"a", segments=from_lengths((1, 0))))


def test_an_indirect_table_takes_one_descriptor_where_it_was_negotiated(make, ram):
    lent, _ = make(indirect=True)
    device = HandDevice(ram)
    for name in "abcd":
        lent.lend(QUEUE, Buffer(name, b"xyz", segments=from_lengths((1, 2))))
    address, length_bytes, flags, _ = device.descriptor(device.head(0))
    assert (length_bytes, flags) == (32, 4)
    first, second = struct.iter_unpack("<QIHH", ram[address - BEGIN : address - BEGIN + 32])
    assert (first[1:], second[1:]) == ((1, 1, 1), (2, 0, 0))
    assert ram[second[0] - BEGIN : second[0] - BEGIN + 2] == b"yz"
