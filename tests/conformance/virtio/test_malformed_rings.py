"""Each way a driver can break a ring is refused with its own fault and place, and the queue can go on.

Rings are laid with plain ``struct`` in guest memory 0x0000 to 0x2000, queue size 4: descriptors at 0x100, available
ring at 0x200, used ring at 0x300, an indirect table at 0x400.
"""

from __future__ import annotations

import mmap
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_conformance.virtio import (
    Chain,
    Descriptor,
    DeviceQueue,
    DriverQueue,
    GuestMemory,
    Region,
    RingError,
    RingFault,
    RingLayout,
    Segment,
)

LAYOUT = RingLayout(4, 0x100, 0x200, 0x300)
NEXT, WRITE, INDIRECT = 1, 2, 4


def lay(descriptors, *, table=(), head=0, index=1):
    """Return guest memory with these descriptors from slot 0 on, this table, one head and this index."""
    memory = bytearray(0x2000)
    for at, entries in ((0x100, descriptors), (0x400, table)):
        for slot, descriptor in enumerate(entries):
            memory[at + 16 * slot : at + 16 * slot + 16] = struct.pack("<QIHH", *descriptor)
    memory[0x202:0x206] = struct.pack("<HH", index, head)
    return memory


def queue_over(memory, **options):
    return DeviceQueue(GuestMemory([Region(0, memory)]), LAYOUT, **{"indirect": True} | options)


GOOD = (0x800, 8, 0, 0)
TO_TABLE = (0x400, 32, INDIRECT, 0)

MALFORMED = {
    "a descriptor that follows itself": (
        [(0x800, 8, NEXT, 0)],
        (),
        RingFault.LOOP,
        "descriptor 0, chain at head 0: the chain loops; next is 0",
    ),
    "a loop behind a straight start": (
        [(0x800, 8, NEXT, 1), (0x800, 8, NEXT, 2), (0x800, 8, NEXT, 1)],
        (),
        RingFault.LOOP,
        "descriptor 1, chain at head 0: the chain loops; next is 2",
    ),
    "a loop of long writable descriptors": (
        [(0, 0xFFFFFFFF, NEXT | WRITE, 1), (0, 0xFFFFFFFF, NEXT, 0)],
        (),
        RingFault.LOOP,
        "descriptor 1, chain at head 0: the chain loops; next is 0",
    ),
    "next just beyond the table": (
        [(0x800, 8, NEXT, 4)],
        (),
        RingFault.NEXT_OUT_OF_RANGE,
        "descriptor 0, chain at head 0: next 4 is not below the 4 entries of the table",
    ),
    "next of all ones": (
        [(0x800, 8, NEXT, 1), (0x800, 8, NEXT, 0xFFFF)],
        (),
        RingFault.NEXT_OUT_OF_RANGE,
        "descriptor 1, chain at head 0: next 65535 is not below",
    ),
    "readable after writable": (
        [(0x800, 8, NEXT | WRITE, 1), GOOD],
        (),
        RingFault.READABLE_AFTER_WRITABLE,
        "descriptor 1, chain at head 0: a device-readable",
    ),
    "a buffer that ends one byte outside": (
        [(0x1FFF, 2, 0, 0)],
        (),
        RingFault.OUTSIDE_MEMORY,
        "descriptor 0, chain at head 0: 2 bytes at 0x1fff are not",
    ),
    "a writable buffer that wraps the address space": (
        [(0xFFFFFFFFFFFFFFFF, 2, WRITE, 0)],
        (),
        RingFault.OUTSIDE_MEMORY,
        "2 bytes at 0xffffffffffffffff",
    ),
    "a table that starts outside": (
        [(0x2000, 16, INDIRECT, 0)],
        (),
        RingFault.OUTSIDE_MEMORY,
        "descriptor 0, chain at head 0: the indirect table is outside",
    ),
    "an indirect buffer outside": (
        [TO_TABLE],
        [(0x800, 8, NEXT, 1), (0x2000, 1, 0, 0)],
        RingFault.OUTSIDE_MEMORY,
        "descriptor 1 of the indirect table at 0x400, chain at head 0: 1 bytes at 0x2000",
    ),
    "an empty table": (
        [(0x400, 0, INDIRECT, 0)],
        (),
        RingFault.INDIRECT_LENGTH,
        "an indirect table of 0 bytes",
    ),
    "a table that ends in a broken descriptor": (
        [(0x400, 17, INDIRECT, 0)],
        (),
        RingFault.INDIRECT_LENGTH,
        "an indirect table of 17 bytes",
    ),
    "a table longer than any queue": (
        [(0x400, 16 * 32769, INDIRECT, 0)],
        (),
        RingFault.INDIRECT_LENGTH,
        "an indirect table of 524304 bytes",
    ),
    "a table in a table": (
        [TO_TABLE],
        [(0x800, 8, NEXT, 1), (0x400, 32, INDIRECT, 0)],
        RingFault.INDIRECT_NESTED,
        "descriptor 1 of the indirect table at 0x400, chain at head 0: INDIRECT is set inside",
    ),
    "indirect and next together": (
        [(0x400, 32, INDIRECT | NEXT, 1), GOOD],
        [GOOD],
        RingFault.INDIRECT_WITH_NEXT,
        "descriptor 0, chain at head 0: INDIRECT and NEXT",
    ),
    "a loop in a table": (
        [TO_TABLE],
        [(0x800, 8, NEXT, 1), (0x800, 8, NEXT, 0)],
        RingFault.LOOP,
        "descriptor 1 of the indirect table at 0x400, chain at head 0: the chain loops",
    ),
    "next beyond a table but within the queue": (
        [TO_TABLE],
        [(0x800, 8, NEXT, 2)],
        RingFault.NEXT_OUT_OF_RANGE,
        "descriptor 0 of the indirect table at 0x400, chain at head 0: next 2 is not below the 2 entries",
    ),
    "readable in a table after writable in front of it": (
        [(0x800, 8, NEXT | WRITE, 1), TO_TABLE],
        [GOOD],
        RingFault.READABLE_AFTER_WRITABLE,
        "descriptor 0 of the indirect table at 0x400",
    ),
    "more descriptors than the queue has entries": (
        [(0x400, 80, INDIRECT, 0)],
        [(0x800, 8, NEXT, following) for following in (1, 2, 3, 4)] + [GOOD],
        RingFault.CHAIN_LENGTH,
        "chain at head 0: 5 descriptors; the queue has 4 entries",
    ),
}


@pytest.mark.parametrize(("descriptors", "table", "fault", "words"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_chain_is_refused_can_be_given_back_and_the_next_one_works(
    descriptors, table, fault, words
):
    memory = lay(descriptors, table=table)
    queue = queue_over(memory)
    with pytest.raises(RingError) as caught:
        queue.pop()
    assert caught.value.fault is fault
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.head == 0
    queue.push(0, 0)

    memory[0x130:0x140] = struct.pack("<QIHH", *GOOD)
    memory[0x202:0x208] = struct.pack("<HHH", 2, 0, 3)
    assert queue.pop() == Chain(3, (Segment(0x800, 8),), ())


def test_indirect_without_the_feature_is_refused_even_with_next():
    for flags in (INDIRECT, INDIRECT | NEXT):
        queue = queue_over(lay([(0x400, 16, flags, 0)], table=[GOOD]), indirect=False)
        with pytest.raises(RingError, match="VIRTIO_F_INDIRECT_DESC was not negotiated") as caught:
            queue.pop()
        assert caught.value.fault is RingFault.INDIRECT_NOT_NEGOTIATED


@pytest.mark.parametrize("head", [4, 0x100, 0xFFFF])
def test_a_head_out_of_range_is_refused_and_consumed(head):
    memory = lay([GOOD], head=head)
    queue = queue_over(memory)
    with pytest.raises(
        RingError, match=f"available ring entry 0, index 0: head {head} is not below"
    ) as caught:
        queue.pop()
    assert (caught.value.fault, caught.value.head) == (RingFault.HEAD_OUT_OF_RANGE, None)
    assert queue.pop() is None
    assert queue.in_flight == frozenset()


def test_a_head_made_available_again_before_it_was_used_is_refused_and_consumed():
    memory = lay([GOOD])
    queue = queue_over(memory)
    queue.pop()
    memory[0x202:0x208] = struct.pack("<HHH", 2, 0, 0)
    with pytest.raises(
        RingError, match="available ring entry 1, index 1: head 0 was made available again"
    ) as caught:
        queue.pop()
    assert (caught.value.fault, caught.value.head) == (RingFault.HEAD_IN_FLIGHT, None)
    assert queue.pop() is None
    assert queue.in_flight == {0}


@pytest.mark.parametrize(("start", "index"), [(0, 5), (0, 0xFFFF), (0xFFFE, 3), (7, 6)])
def test_an_available_index_that_jumped_is_refused_again_and_again(start, index):
    memory = lay([GOOD], index=index)
    queue = queue_over(memory, next_available=start)
    for _ in range(2):
        with pytest.raises(
            RingError, match=f"available ring, index {index}: .* of {start}; the queue"
        ) as caught:
            queue.pop()
        assert (caught.value.fault, caught.value.head) == (RingFault.AVAILABLE_JUMP, None)
    assert queue.next_available == start
    memory[0x202:0x204] = struct.pack("<H", (start + 4) % 65536)
    assert queue.pop() == Chain(0, (Segment(0x800, 8),), ())


def test_a_chain_of_more_than_four_gibibytes_is_refused_and_one_of_exactly_that_is_not(tmp_path):
    # A sparse file: the addresses exist and take no memory.
    with (tmp_path / "memory").open("w+b") as file:
        file.truncate(1 << 31)
        backing = mmap.mmap(file.fileno(), 1 << 31)
    with GuestMemory([Region(0, backing)]) as memory:
        driver = DriverQueue(memory, LAYOUT)
        device = DeviceQueue(memory, LAYOUT)
        driver.add_raw([Descriptor(0, 1 << 31, NEXT, 1), Descriptor(0, 1 << 31, WRITE, 0)], 0)
        chain = device.pop()
        assert chain.readable_bytes + chain.writable_bytes == 1 << 32
        device.push(0, 0)
        driver.poll()
        driver.add_raw(
            [
                Descriptor(0, 1 << 31, NEXT, 1),
                Descriptor(0, 1 << 31, NEXT | WRITE, 2),
                Descriptor(0, 1, WRITE),
            ],
            0,
        )
        with pytest.raises(RingError, match="4294967297 bytes in total") as caught:
            device.pop()
        assert (caught.value.fault, caught.value.head) == (RingFault.TOTAL_LENGTH, 0)
    backing.close()


words = st.one_of(st.integers(0, 8), st.sampled_from([0xFFFF, 0x8000]))
descriptors = st.tuples(
    st.sampled_from([0, 0x400, 0x800, 0x1FFF, 0x2000, (1 << 64) - 1]),
    st.sampled_from([0, 1, 8, 16, 32, 48, 0x2000, 0xFFFFFFFF]),
    words,
    words,
)


@given(
    table=st.lists(descriptors, min_size=4, max_size=4),
    indirect=st.lists(descriptors, min_size=4, max_size=4),
    head=words,
    index=words,
    negotiated=st.booleans(),
)
def test_whatever_lies_in_the_rings_a_chain_is_legal_or_refused_with_a_ring_error(
    table, indirect, head, index, negotiated
):
    queue = queue_over(lay(table, table=indirect, head=head, index=index), indirect=negotiated)
    refusal = chain = None
    try:
        chain = queue.pop()
    except RingError as error:
        refusal = error
    if refusal is not None:
        assert refusal.head is None or refusal.head in queue.in_flight
        return
    if chain is None:
        assert index == 0
        return
    assert chain.head == head < 4
    segments = [*chain.readable, *chain.writable]
    assert 1 <= len(segments) <= 4
    assert all(
        not segment.length_bytes or segment.address + segment.length_bytes <= 0x2000 for segment in segments
    )
    assert len(queue.read(chain)) == chain.readable_bytes
