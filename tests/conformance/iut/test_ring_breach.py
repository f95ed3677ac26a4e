"""Every breach is laid so that a careful device finds just what its name says."""

import pytest

from balloon_conformance.iut.contract import AdapterError, Buffer
from balloon_conformance.iut.lent_buffers import LentBuffers
from balloon_conformance.iut.reference.followed_ring import follow
from balloon_conformance.iut.ring_breach import RingBreach
from balloon_conformance.iut.shared_ram import SharedRam
from balloon_conformance.virtio import DeviceQueue, GuestMemory, Region, RingError, RingFault
from balloon_spec.events import Used

BEGIN, SIZE, QUEUE = 0x40000, 8, 1
FOUND = {
    "next-to-itself": RingFault.LOOP,
    "next-to-head": RingFault.LOOP,
    "next-beyond-table": RingFault.NEXT_OUT_OF_RANGE,
    "next-far-beyond": RingFault.NEXT_OUT_OF_RANGE,
    "head-beyond-table": RingFault.HEAD_OUT_OF_RANGE,
    "head-far-beyond": RingFault.HEAD_OUT_OF_RANGE,
    "index-ahead": RingFault.AVAILABLE_JUMP,
    "index-behind": RingFault.AVAILABLE_JUMP,
    "indirect-unasked": RingFault.INDIRECT_NOT_NEGOTIATED,
    "indirect-empty": RingFault.INDIRECT_LENGTH,
    "indirect-odd": RingFault.INDIRECT_LENGTH,
    "indirect-nested": RingFault.INDIRECT_NESTED,
    "indirect-loop": RingFault.LOOP,
    "indirect-next-beyond": RingFault.NEXT_OUT_OF_RANGE,
    "indirect-with-next": RingFault.INDIRECT_WITH_NEXT,
    "indirect-longer": RingFault.CHAIN_LENGTH,
    "indirect-nowhere": RingFault.OUTSIDE_MEMORY,
}


@pytest.fixture
def rings():
    ram = SharedRam(16)
    memory = GuestMemory([Region(BEGIN, bytearray(0x4000))])
    lent = LentBuffers(memory, BEGIN, 0x4000, ram=ram)
    layout = lent.set_up(QUEUE, SIZE)
    yield lent, lambda **options: DeviceQueue(memory, layout, **options)
    ram.close()


def test_there_is_a_row_for_each():
    assert set(FOUND) == set(RingBreach)


@pytest.mark.parametrize("breach", RingBreach)
def test_a_careful_device_finds_it(rings, breach):
    lent, attach = rings
    lent.lend(QUEUE, Buffer("before", b"abcd"))
    device = attach(indirect=breach.needs_indirect)
    device.push(device.pop().head, 0)
    lent.break_ring(QUEUE, breach)
    with pytest.raises(RingError) as found:
        device.pop()
    assert found.value.fault is FOUND[breach]
    assert lent.collect() == [Used(QUEUE, "before", 0, b"", notified=False)]


def test_what_comes_back_of_a_breach_is_no_buffer_and_the_next_one_is(rings):
    lent, attach = rings
    lent.break_ring(QUEUE, RingBreach.NEXT_TO_HEAD)
    lent.lend(QUEUE, Buffer("after", b"abcd"))
    device = attach()
    with pytest.raises(RingError) as found:
        device.pop()
    device.push(found.value.head, 0)
    device.push(device.pop().head, 0)
    assert lent.collect() == [Used(QUEUE, "after", 0, b"", notified=False)]


def test_a_full_table_has_no_room_for_it(rings):
    lent, _ = rings
    for at in range(SIZE - 2):
        lent.lend(QUEUE, Buffer(f"b{at}", b"abcd"))
    with pytest.raises(AdapterError, match="queue 1: no 3 neighbouring descriptors are free"):
        lent.break_ring(QUEUE, RingBreach.NEXT_TO_ITSELF)
    with pytest.raises(AdapterError, match="queue 5 was not set up"):
        lent.break_ring(5, RingBreach.NEXT_TO_ITSELF)


@pytest.mark.parametrize("breach", RingBreach)
def test_the_reference_follows_each_to_an_end(breach):
    assert follow(breach, indirect=breach.needs_indirect) == 0
