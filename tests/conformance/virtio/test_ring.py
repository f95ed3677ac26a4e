"""The layout of a split virtqueue, against sizes and offsets written by hand; the event arithmetic."""

from __future__ import annotations

import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_conformance.virtio import (
    Descriptor,
    DescriptorFlag,
    GuestMemory,
    Region,
    RingError,
    RingFault,
    RingLayout,
    UsedElement,
    need_event,
)
from balloon_conformance.virtio.ring import RingViews


@pytest.mark.parametrize(
    ("size", "lengths", "available_at", "used_at"),
    [
        (1, (16, 8, 14), 0x4010, 0x4018),
        (2, (32, 10, 22), 0x4020, 0x402C),
        (4, (64, 14, 38), 0x4040, 0x4050),
        (256, (4096, 518, 2054), 0x5000, 0x5208),
        (32768, (524288, 65542, 262150), 0x84000, 0x94008),
    ],
)
def test_sizes_and_packed_addresses(size, lengths, available_at, used_at):
    layout = RingLayout.packed_at(0x4000, size)
    assert (layout.descriptors_bytes, layout.available_bytes, layout.used_bytes) == lengths
    assert layout == RingLayout(size, 0x4000, available_at, used_at)
    assert layout.end_address == used_at + lengths[2]


def test_events_stand_behind_the_entries_of_the_other_ring():
    layout = RingLayout(4, 0x1000, 0x2000, 0x3000)
    assert layout.used_event_address == 0x2000 + 2 + 2 + 4 * 2
    assert layout.available_event_address == 0x3000 + 2 + 2 + 4 * 8


@pytest.mark.parametrize(
    ("size", "descriptors", "available", "used", "words"),
    [
        (0, 0, 0x1000, 0x2000, "size 0 is not a power of 2"),
        (3, 0, 0x1000, 0x2000, "size 3 is not"),
        (-4, 0, 0x1000, 0x2000, "size -4 is not"),
        (65536, 0, 0x200000, 0x400000, "size 65536 is not"),
        (4, 8, 0x1000, 0x2000, "descriptor table at 0x8 .* aligned to 16"),
        (4, 0, 0x1001, 0x2000, "available ring at 0x1001 .* aligned to 2"),
        (4, 0, 0x1000, 0x2002, "used ring at 0x2002 .* aligned to 4"),
        (4, -16, 0x1000, 0x2000, "descriptor table"),
        (4, 0, 0x1000, (1 << 64) - 36, "used ring"),
        (4, 0, 0x3E, 0x2000, "descriptor table at 0x0 overlaps the available ring at 0x3e"),
        (4, 0x1000, 0x1040, 0x104C, "available ring at 0x1040 overlaps the used ring at 0x104c"),
    ],
)
def test_layouts_that_cannot_be_are_refused(size, descriptors, available, used, words):
    with pytest.raises(RingError, match=words) as caught:
        RingLayout(size, descriptors, available, used)
    assert caught.value.fault is RingFault.LAYOUT


def test_a_ring_outside_guest_memory_or_across_regions_is_refused():
    layout = RingLayout.packed_at(0, 4)
    for regions in ([Region(0, bytearray(64))], [Region(0, bytearray(66)), Region(66, bytearray(4096))]):
        with pytest.raises(RingError) as caught:
            RingViews(GuestMemory(regions), layout)
        assert caught.value.fault is RingFault.OUTSIDE_MEMORY


def test_a_descriptor_packs_to_the_sixteen_bytes_of_the_specification():
    flags = DescriptorFlag.NEXT | DescriptorFlag.WRITE
    assert Descriptor(0x1122334455667788, 0x99AABBCC, flags, 0xDDEE).pack() == bytes.fromhex(
        "8877665544332211 ccbbaa99 0300 eedd"
    )
    assert Descriptor(0, 0, DescriptorFlag.INDIRECT).pack() == bytes(12) + b"\x04\x00\x00\x00"
    with pytest.raises(struct.error):
        Descriptor(0, 1 << 32).pack()


@pytest.mark.parametrize(
    ("event", "new", "old", "needed"),
    [
        (0, 1, 0, True),
        (0, 0, 0, False),
        (1, 1, 0, False),
        (1, 2, 1, True),
        (5, 5, 0, False),
        (5, 6, 0, True),
        (5, 9, 6, False),
        (0xFFFF, 0, 0xFFFF, True),
        (0xFFFF, 0xFFFF, 0xFFFE, False),
        (0xFFFE, 2, 0xFFFD, True),
        (2, 2, 0xFFFD, False),
        (1, 2, 0xFFFD, True),
        (0xFFFC, 2, 0xFFFD, False),
        (0x8000, 3, 0xFFF0, False),
    ],
)
def test_need_event_holds_across_the_wrap(event, new, old, needed):
    assert need_event(event, new, old) is needed


@given(old=st.integers(0, 0xFFFF), moved=st.integers(0, 300), event=st.integers(0, 0xFFFF))
def test_need_event_is_true_exactly_when_the_index_passed_the_event(old, moved, event):
    passed = {(old + step) % 65536 for step in range(moved)}
    assert need_event(event, (old + moved) % 65536, old) is (event in passed)


def test_a_ring_error_survives_pickling_whole():
    error = RingError(RingFault.LOOP, "descriptor 3", "the chain loops", 7, (UsedElement(1, 2),))
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == "descriptor 3: the chain loops"
    assert (again.fault, again.head, again.used) == (RingFault.LOOP, 7, (UsedElement(1, 2),))
