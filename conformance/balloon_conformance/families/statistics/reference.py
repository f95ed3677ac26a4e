"""Statistics in the references: a device that holds the buffer until asked, and a driver that fills it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from balloon_conformance.reference.device_requests import Step as DeviceStep
from balloon_conformance.reference.device_state import DeviceOutput, DeviceState, StatisticsReport
from balloon_conformance.reference.driver_pages import Step as DriverStep
from balloon_conformance.reference.driver_state import DriverState, Flight
from balloon_conformance.reference.machine import Note
from balloon_conformance.reference.parts import DevicePart, DriverPart
from balloon_spec.events import Available, OperatorAction, Used
from balloon_spec.families.statistics import STATISTICS, statistics
from balloon_spec.families.statistics.declaration import FAMILY
from balloon_spec.families.statistics.statistics import Statistic, Statistics, Tag
from balloon_spec.queues import Queue
from balloon_spec.wire.errors import WireError

__all__ = ["Held", "StatisticsOfDevice", "StatisticsOfDriver", "held_by"]


@dataclass(frozen=True, slots=True)
class Held:
    """What a device remembers: the buffers that it holds, and whether the operator waits for one."""

    buffers: tuple[Available, ...] = ()
    wanted: bool = False


_NOTHING: Final = Held()


def held_by(state: DeviceState) -> Held:
    """Return what a device in this state remembers."""
    held: Held = state.parts.get(FAMILY.name, _NOTHING)
    return held


class StatisticsOfDevice(DevicePart):
    """A device that returns the statistics buffer when the operator asks."""

    family = FAMILY
    wishes = frozenset({OperatorAction.STATISTICS})

    # STATS-09: the buffer is held until the operator asks.
    def take(self, state: DeviceState, _queue: Queue, buffer: Available) -> DeviceStep:
        """Hold a statistics buffer, or return one that is malformed (SAFE-03)."""
        try:
            statistics.parse(buffer.readable)
        except WireError as error:
            return state, (Note("STATS-04", str(error)), self.device.return_buffer(buffer))
        if buffer.writable_bytes:
            note = Note("QUEUE-03", "the buffer has a device-writable part")
            return state, (note, self.device.return_buffer(buffer))
        held = held_by(state)
        state = self.remember(state, replace(held, buffers=(*held.buffers, buffer)))
        return self.return_held(state) if held.wanted else (state, ())

    def operate(self, state: DeviceState, _action: OperatorAction, _value: int) -> DeviceStep:
        """Return the statistics buffer, now or as soon as the driver makes one available."""
        if not self.device.has(state, "STATS_VQ"):
            return state, (Note("STATS-01", "the statistics queue is not negotiated"),)
        held = held_by(state)
        state = self.remember(state, replace(held, wanted=True))
        return self.return_held(state) if held.buffers else (state, ())

    def return_held(self, state: DeviceState) -> DeviceStep:
        """Report and return every statistics buffer that is held. More than one is the driver's fault."""
        outputs: list[DeviceOutput] = []
        for buffer in held_by(state).buffers:
            outputs += [self.report(buffer.readable), self.device.return_buffer(buffer)]
        return self.remember(state, _NOTHING), tuple(outputs)

    # STATS-07, STATS-08: unknown tags are skipped, and the order of the entries does not matter.
    def report(self, data: bytes) -> StatisticsReport:
        """Read the entries whose tags the device knows."""
        entries = statistics.parse(data).entries
        known = frozenset(Tag)
        return StatisticsReport(tuple((entry.tag, entry.value) for entry in entries if entry.tag in known))


class StatisticsOfDriver(DriverPart):
    """A driver that always has one statistics buffer with the device."""

    family = FAMILY

    # STATS-01: one buffer from the start.
    def set_up(self, state: DriverState) -> DriverStep:
        """Make the first statistics buffer available if the queue exists (QUEUE-02)."""
        return self.post(state) if self.driver.has(state, "STATS_VQ") else (state, ())

    # STATS-02: only this method makes one available, and only if none is in flight. STATS-04, STATS-06: the
    # schema builds the bytes.
    def post(self, state: DriverState) -> DriverStep:
        """Make a statistics buffer with fresh values available."""
        return self.driver.make_available(state, Flight(STATISTICS), statistics.build(self.statistics(state)))

    # STATS-05, STATS-10: the same three each time.
    def statistics(self, state: DriverState) -> Statistics:
        """Return what the driver knows of the guest's memory: its size, and its size without the balloon."""
        total = self.driver.options.memory.size_bytes
        free = total - self.driver.held(state).size_bytes
        values = {Tag.MEMFREE: free, Tag.MEMTOT: total, Tag.AVAIL: free}
        return Statistics(tuple(Statistic(tag, value) for tag, value in values.items()))

    # STATS-03: every return is answered with a buffer.
    def returned(self, state: DriverState, _flight: Flight, _used: Used) -> DriverStep:
        """Take the statistics buffer back, and make one available again."""
        return self.post(state)
