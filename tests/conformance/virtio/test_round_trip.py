"""The two sides on the same memory: what the driver adds is what the device takes, and back, for any order."""

from __future__ import annotations

import mmap
import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from balloon_conformance.virtio import (
    Arena,
    Chain,
    DeviceQueue,
    DriverQueue,
    GuestMemory,
    QueueFullError,
    Region,
    RingLayout,
    Segment,
    UsedElement,
)

MEMORY_BYTES = 1 << 20
BUFFERS_AT = 0x10000


class TwoSides(RuleBasedStateMachine):
    """The model is plain: buffers by head, in the three places a buffer can be."""

    @initialize(
        size=st.sampled_from([1, 2, 4, 256]),
        event_index=st.booleans(),
        start=st.sampled_from([0, 65530, 65535]),
    )
    def begin(self, size, event_index, start):
        memory = GuestMemory([Region(0, bytearray(BUFFERS_AT)), Region(BUFFERS_AT, bytearray(MEMORY_BYTES))])
        self.size = size
        self.memory = memory
        self.arena = Arena(BUFFERS_AT, MEMORY_BYTES)
        self.driver = DriverQueue(memory, RingLayout.packed_at(0x1000, size), event_index=event_index)
        # As after that many buffers, all of them back; going round so often would take half a second.
        self.driver._added = self.driver._asked = self.driver._collected = start
        for index_address in (self.driver.layout.available_address + 2, self.driver.layout.used_address + 2):
            memory.write(index_address, start.to_bytes(2, "little"))
        self.driver.enable_interrupts()
        self.device = DeviceQueue(
            memory, self.driver.layout, indirect=True, event_index=event_index, next_available=start
        )
        self.available: dict[int, tuple] = {}
        self.held: dict[int, tuple] = {}
        self.used: dict[int, tuple] = {}
        self.free = size
        self.event_index = event_index
        self.notifications = self.interrupts = True
        # A side that found nothing and asked to be told: it must be told of the next buffer.
        self.device_waits = self.driver_waits = True

    @rule(
        lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6),
        writable=st.integers(0, 6),
        content=st.binary(min_size=1, max_size=8),
        indirect=st.booleans(),
    )
    def add(self, lengths, writable, content, indirect):
        lengths = lengths[: self.size]
        readable = max(0, len(lengths) - writable)
        segments = [
            Segment(self.arena.allocate(length, 1), length, writable=number >= readable)
            for number, length in enumerate(lengths)
        ]
        data = (content * 240)[: sum(lengths[:readable])]
        taken = 0
        for segment in segments[:readable]:
            self.memory.write(segment.address, data[taken : taken + segment.length_bytes])
            taken += segment.length_bytes
        table = self.arena.allocate(16 * len(segments), 1) if indirect else None
        needed = 1 if indirect else len(segments)
        if needed > self.free:
            with pytest.raises(QueueFullError):
                self.driver.add(segments, indirect=table)
            return
        head = self.driver.add(segments, indirect=table)
        assert head not in self.available | self.held | self.used
        self.available[head] = (tuple(segments), data, needed)
        self.free -= needed

    @rule()
    def kick(self):
        needed = self.driver.needs_notification()
        if self.device_waits and self.available:
            assert needed
        if not self.notifications and not self.event_index:
            assert not needed
        self.device_waits &= not needed

    @rule()
    def pop(self):
        chain = self.device.pop()
        if not self.available:
            assert chain is None
            self.device_waits = self.notifications
            return
        head = next(iter(self.available))  # a dict keeps the order of insertion, which is the ring's
        segments, data, needed = self.available.pop(head)
        assert chain == Chain(
            head,
            tuple(segment for segment in segments if not segment.writable),
            tuple(segment for segment in segments if segment.writable),
        )
        assert self.device.read(chain) == data
        self.held[head] = (chain, needed)

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 255), answer=st.binary(max_size=60))
    def push(self, which, answer):
        head = list(self.held)[which % len(self.held)]
        chain, needed = self.held.pop(head)
        written = self.device.write(chain, answer)
        assert written == min(len(answer), chain.writable_bytes)
        self.device.push(head, written)
        self.used[head] = (chain, needed, answer[:written])

    @rule()
    def interrupt(self):
        needed = self.device.needs_interrupt()
        if self.driver_waits and self.used:
            assert needed
        if not self.interrupts and not self.event_index:
            assert not needed
        self.driver_waits &= not needed

    @rule()
    def poll(self):
        assert self.driver.poll() == [
            UsedElement(head, len(answer)) for head, (_, _, answer) in self.used.items()
        ]
        for chain, needed, answer in self.used.values():
            seen = b"".join(self.memory.read(part.address, part.length_bytes) for part in chain.writable)
            assert seen[: len(answer)] == answer
            self.free += needed
        self.used.clear()
        self.driver_waits = self.interrupts

    @rule(suppressed=st.booleans())
    def change_interrupts(self, suppressed):
        if suppressed:
            self.driver.suppress_interrupts()
        else:
            assert self.driver.enable_interrupts() is bool(self.used)
        self.interrupts = not suppressed
        self.driver_waits = self.interrupts and not self.used

    @rule(suppressed=st.booleans())
    def change_notifications(self, suppressed):
        if suppressed:
            self.device.suppress_notifications()
        else:
            assert self.device.enable_notifications() is bool(self.available)
        self.notifications = not suppressed
        self.device_waits = self.notifications and not self.available

    @invariant()
    def both_sides_agree_on_what_is_in_flight(self):
        assert self.driver.free_descriptors == self.free
        assert self.driver.in_flight == set(self.available) | set(self.held) | set(self.used)
        assert self.device.in_flight == set(self.held)


TwoSides.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestTwoSides = TwoSides.TestCase


@pytest.mark.untraced
@pytest.mark.parametrize("event_index", [False, True], ids=["flags", "event-index"])
@pytest.mark.parametrize("size", [1, 2, 4, 256])
def test_more_buffers_than_the_16_bit_index_counts_go_round_in_an_mmap(size, event_index):
    total = 65536 + 1000
    backing = mmap.mmap(-1, 1 << 16)
    with GuestMemory([Region(0x40000000, backing)]) as memory:
        driver = DriverQueue(memory, RingLayout.packed_at(0x40000000, size), event_index=event_index)
        device = DeviceQueue(memory, driver.layout, indirect=True, event_index=event_index)
        data_at, table_at = 0x40008000, 0x4000C000
        added = finished = 0
        while finished < total:
            batch = {}
            for slot in range(min(size, total - added)):
                address = data_at + 4 * slot
                memory.write(address, added.to_bytes(4, "little"))
                head = driver.add(
                    [Segment(address, 4)], indirect=table_at + 16 * slot if added % 3 == 0 else None
                )
                batch[head] = added
                added += 1
            assert driver.needs_notification()
            seen = {}
            while chain := device.pop():
                seen[chain.head] = int.from_bytes(device.read(chain), "little")
            assert seen == batch
            for head in reversed(seen):
                device.push(head, seen[head])
            assert device.needs_interrupt()
            assert driver.poll() == [UsedElement(head, batch[head]) for head in reversed(batch)]
            finished += len(batch)
        assert backing[driver.layout.available_address - 0x40000000 + 2 :][:2] == (total % 65536).to_bytes(
            2, "little"
        )
        assert backing[driver.layout.used_address - 0x40000000 + 2 :][:2] == (total % 65536).to_bytes(
            2, "little"
        )
    backing.close()


@pytest.mark.parametrize("event_index", [False, True], ids=["flags", "event-index"])
def test_no_notification_is_lost_between_two_threads_that_sleep_when_idle(event_index):
    total = 4000
    deadline_seconds = 30
    memory = GuestMemory([Region(0, bytearray(0x4000))])
    driver = DriverQueue(memory, RingLayout.packed_at(0, 4), event_index=event_index)
    device = DeviceQueue(memory, driver.layout, event_index=event_index)
    kick, interrupt = threading.Event(), threading.Event()
    served = 0

    def serve():
        nonlocal served
        while served < total:
            if not kick.wait(deadline_seconds):
                return
            kick.clear()
            device.suppress_notifications()
            while True:
                while chain := device.pop():
                    device.push(chain.head, 0)
                    served += 1
                    if device.needs_interrupt():
                        interrupt.set()
                if not device.enable_notifications():
                    break

    thread = threading.Thread(target=serve)
    thread.start()
    added = collected = 0
    try:
        while collected < total:
            while added < total and driver.free_descriptors:
                driver.add([Segment(0x2000, 16)])
                added += 1
                if driver.needs_notification():
                    kick.set()
            assert interrupt.wait(deadline_seconds), f"nothing was used after {collected} buffers"
            interrupt.clear()
            collected += len(driver.poll())
    finally:
        thread.join(2 * deadline_seconds)
    assert not thread.is_alive()
    assert served == collected == total
