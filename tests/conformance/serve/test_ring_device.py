"""The reference device on rings: a driver's queue on one side, what is discarded and called on the other."""

from __future__ import annotations

import struct

import pytest
from hand_bytes import message, request, space, statistics

from balloon_conformance.reference import DeviceOptions
from balloon_conformance.serve.ring_device import RingDevice
from balloon_conformance.virtio import (
    Descriptor,
    DeviceQueue,
    DriverQueue,
    GuestMemory,
    Region,
    RingLayout,
    Segment,
    UsedElement,
)
from balloon_spec.events import Operator, OperatorAction
from balloon_spec.pages import PageSet

RINGS, BUFFERS = 0x100000, 0x110000


class Host:
    """What the device does to its host, in order."""

    def __init__(self):
        self.did = []
        self.device = RingDevice(
            DeviceOptions(),
            discard=lambda pages: self.did.append(("discard", pages)),
            overwrite=lambda change: self.did.append(("overwrite", change)),
            call=lambda index: self.did.append(("call", index)),
            changed=lambda: self.did.append(("changed",)),
            broken=lambda index: self.did.append(("broken", index)),
        )

    def take(self):
        did, self.did = self.did, []
        return did


@pytest.fixture
def host():
    return Host()


@pytest.fixture
def memory():
    return GuestMemory([Region(RINGS, bytearray(0x20000))])


@pytest.fixture
def queue(host, memory):
    """Negotiate everything and return a function that starts a queue and gives the driver's end of it."""
    assert host.device.accept(host.device.device.offer())

    def start(index):
        layout = RingLayout.packed_at(RINGS + 0x1000 * index, 8)
        driver = DriverQueue(memory, layout)
        host.device.start_queue(index, DeviceQueue(memory, layout))
        return driver

    return start


def lay(memory, data, address=BUFFERS):
    memory.write(address, data)
    return Segment(address, len(data))


def test_pages_are_discarded_before_the_buffer_is_returned_and_the_driver_called(host, memory, queue):
    inflate = queue(0)
    host.device.driver_ok()
    inflate.add([lay(memory, message((0x10, 4)))])
    host.device.serve(0)
    assert host.take() == [("discard", PageSet([(0x10, 4)])), ("call", 0)]
    assert inflate.poll() == [UsedElement(0, 0)]


def test_buffers_before_driver_ok_wait_for_it(host, memory, queue):
    inflate = queue(0)
    inflate.add([lay(memory, message((0x10, 4)))])
    host.device.serve(0)
    assert host.take() == []
    host.device.driver_ok()
    assert host.take() == [("discard", PageSet([(0x10, 4)])), ("call", 0)]


def test_a_driver_that_wants_no_calls_gets_none(host, memory, queue):
    inflate = queue(0)
    inflate.suppress_interrupts()
    host.device.driver_ok()
    inflate.add([lay(memory, message((0x10, 4)))])
    host.device.serve(0)
    assert host.take() == [("discard", PageSet([(0x10, 4)]))]


def test_one_call_for_all_the_buffers_of_a_kick(host, memory, queue):
    inflate = queue(0)
    host.device.driver_ok()
    for at in range(3):
        inflate.add([lay(memory, message((0x10 + at, 1)), BUFFERS + 0x100 * at)])
    host.device.serve(0)
    assert [what[0] for what in host.take()] == ["discard"] * 3 + ["call"]


def test_a_wish_of_the_operator_returns_what_was_held(host, memory, queue):
    held, requests = queue(2), queue(3)
    host.device.driver_ok()
    held.add([lay(memory, statistics((4, 1)))])
    requests.add([Segment(BUFFERS + 0x100, 16, writable=True)])
    host.device.serve(2)
    host.device.serve(3)
    assert host.take() == []
    host.device.operate(Operator(OperatorAction.STATISTICS))
    host.device.operate(Operator(OperatorAction.UNUSED_PAGES, 0x1234))
    host.device.operate(Operator(OperatorAction.TARGET, 7))
    assert host.take() == [("call", 2), ("call", 3), ("changed",)]
    assert requests.poll() == [UsedElement(0, 16)]
    assert memory.read(BUFFERS + 0x100, 16) == request(0, 0x1234)
    assert host.device.configuration() == space(7)


def test_a_chain_that_breaks_a_rule_comes_back_unread_and_the_next_is_served(host, memory, queue):
    inflate = queue(0)
    host.device.driver_ok()
    inflate.add_raw([Descriptor(0xDEAD_0000, 24)], 3)
    inflate.add([lay(memory, message((0x10, 4)))])
    host.device.serve(0)
    assert host.take() == [("discard", PageSet([(0x10, 4)])), ("call", 0)]
    assert inflate.poll() == [UsedElement(3, 0), UsedElement(0, 0)]
    assert host.device.noted["outside-memory"] == 1


def test_a_ring_whose_index_jumped_is_given_up_and_the_others_are_not(host, memory, queue):
    inflate, deflate = queue(0), queue(1)
    host.device.driver_ok()
    inflate.overwrite_available_index(100)
    host.device.serve(0)
    host.device.serve(0)
    assert host.take() == [("broken", 0)]
    deflate.add([lay(memory, message((0x10, 4)))])
    host.device.serve(1)
    assert host.take() == [("call", 1)]


def test_a_head_outside_the_table_is_passed_over(host, memory, queue):
    inflate = queue(0)
    host.device.driver_ok()
    inflate.add_raw([], 77)
    inflate.add([lay(memory, message((0x10, 1)))])
    host.device.serve(0)
    assert host.take() == [("discard", PageSet([(0x10, 1)])), ("call", 0)]


def test_a_reset_forgets_buffers_and_keeps_the_target(host, memory, queue):
    held = queue(2)
    host.device.driver_ok()
    host.device.operate(Operator(OperatorAction.TARGET, 7))
    host.device.write_configuration(4, struct.pack("<I", 5))
    held.add([lay(memory, statistics((4, 1)))])
    host.device.serve(2)
    host.take()
    host.device.reset()
    assert (host.device.accepted, host.device.running) == (None, False)
    host.device.operate(Operator(OperatorAction.STATISTICS))
    assert host.take() == []
    assert host.device.configuration() == space(7, 0)


def test_a_stopped_queue_goes_on_where_it_stopped_and_still_holds_its_buffers(host, memory, queue):
    inflate, held = queue(0), queue(2)
    host.device.driver_ok()
    inflate.add([lay(memory, message((0x10, 1)))])
    held.add([lay(memory, statistics((4, 1)), BUFFERS + 0x100)])
    host.device.serve(0)
    host.device.serve(2)
    host.take()
    assert (host.device.next_available(0), host.device.next_available(2)) == (1, 1)
    host.device.stop_queue(2)
    assert host.device.next_available(2) is None
    host.device.operate(Operator(OperatorAction.STATISTICS))
    host.device.serve(2)
    assert host.take() == []
    assert held.poll() == []
    host.device.start_queue(2, DeviceQueue(memory, held.layout, next_available=1))
    assert host.take() == [("call", 2)]
    assert held.poll() == [UsedElement(0, 0)]
