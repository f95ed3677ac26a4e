"""Devices that are wrong about statistics: what they tell their host, or what becomes of the buffer."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import Final

from balloon_conformance.families.statistics.reference import Held, StatisticsOfDevice, held_by
from balloon_conformance.iut.contract import Buffer, ImplementationCrashed, Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step as DeviceStep
from balloon_conformance.reference.device_state import DeviceState, StatisticsReport
from balloon_conformance.reference.machine import Note
from balloon_spec.events import Available, Used
from balloon_spec.families.statistics import STATISTICS, statistics
from balloon_spec.queues import Queue

_LAST_TAG: Final = max(statistics.Tag)


_ARRAY_ENTRIES: Final = 256


def _tags_of(data: bytes) -> set[int]:
    """Return the tags of the whole entries."""
    whole = data[: len(data) // statistics.ENTRY_BYTES * statistics.ENTRY_BYTES]
    return {entry.tag for entry in statistics.parse(whole).entries}


def _tags(buffer: Available) -> list[int]:
    """Return the low bytes of the tags of a statistics buffer; these distinguish all known tags."""
    return list(buffer.readable[:: statistics.ENTRY_BYTES])


@mutant("STATS-07")
class StopsAtAnUnknownStatistic(StatisticsOfDevice):
    """The statistics after an unknown one never reach the host."""

    def report(self, data: bytes) -> StatisticsReport:
        """Read up to an unknown tag."""
        entries = takewhile(lambda entry: entry.tag <= _LAST_TAG, statistics.parse(data).entries)
        return StatisticsReport(tuple((entry.tag, entry.value) for entry in entries))


@mutant("STATS-07")
class ShiftsValuesAtAnUnknownStatistic(StatisticsOfDevice):
    """The value of an unknown statistic is reported as that of the next one."""

    def report(self, data: bytes) -> StatisticsReport:
        """Take the known tags, and as many values from the front."""
        entries = statistics.parse(data).entries
        tags = [entry.tag for entry in entries if entry.tag <= _LAST_TAG]
        return StatisticsReport(tuple(zip(tags, (entry.value for entry in entries), strict=False)))


@mutant("STATS-07")
class ReadsHalfOfEachTag(StatisticsOfDevice):
    """An unknown statistic is reported as free memory, because their tags differ only in the upper byte."""

    def report(self, data: bytes) -> StatisticsReport:
        """Read 8 bits of each tag."""
        known = [entry for entry in statistics.parse(data).entries if entry.tag & 0xFF <= _LAST_TAG]
        return StatisticsReport(tuple((entry.tag & 0xFF, entry.value) for entry in known))


@mutant("STATS-08", also=("STATS-07",))
class TakesTheOrderForTheTag(StatisticsOfDevice):
    """A guest that orders its statistics differently has its free memory reported as faults."""

    def report(self, data: bytes) -> StatisticsReport:
        """Read no tag."""
        values = [entry.value for entry in statistics.parse(data).entries]
        return StatisticsReport(tuple(enumerate(values[: _LAST_TAG + 1])))


@mutant("STATS-12")
class ReadsStatisticsBigEndian(StatisticsOfDevice):
    """The host is told of an impossible amount of memory."""

    def report(self, data: bytes) -> StatisticsReport:
        """Swap every value."""
        entries = super().report(data).entries
        return StatisticsReport(
            tuple((tag, int.from_bytes(value.to_bytes(8, "little"), "big")) for tag, value in entries)
        )


@mutant("STATS-12")
class KeepsTheFirstStatistics(StatisticsOfDevice):
    """The host uses numbers from the time when the guest booted."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.first: StatisticsReport | None = None

    def report(self, data: bytes) -> StatisticsReport:
        """Report the first numbers again."""
        self.first = self.first or super().report(data)
        return self.first


@mutant("STATS-12", origin="v86 0.5.462: virtio_balloon.js reads 32 of the 64 bits of a value")
class ReadsHalfOfEachStatistic(StatisticsOfDevice):
    """Beyond 4 GiB the host counts from zero again."""

    def report(self, data: bytes) -> StatisticsReport:
        """Keep 32 bits."""
        entries = super().report(data).entries
        return StatisticsReport(tuple((tag, value & 0xFFFFFFFF) for tag, value in entries))


@mutant("STATS-07", origin="Linux sends tags 10 to 15, which no specification names")
class KeepsUnknownStatistics(StatisticsOfDevice):
    """A newer guest's statistics never arrive, because one of them is unknown."""

    def return_held(self, state: DeviceState) -> DeviceStep:
        """Return buffers that have only known tags."""
        known = tuple(one for one in held_by(state).buffers if all(tag < 16 for tag in _tags(one)))
        return super().return_held(self.remember(state, Held(known)))


@mutant(
    "SAFE-13",
    also=("SAFE-02",),
    origin="a device in Go: an index out of range for a tag above those it knows",
)
class DiesOfAnUnknownTag(StatisticsOfDevice):
    """A newer guest crashes its device with its first statistics, which nobody has asked for yet.

    A malformed statistics buffer has unknown tags too.
    """

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Crash at a tag above the known ones."""
        if any(tag > 15 for tag in _tags(buffer)):
            raise ImplementationCrashed("exit status 2")
        return super().take(state, queue, buffer)


@mutant(
    "SAFE-13",
    origin="QEMU 9.2.0-rc1, commit 0d2eeef77a: it read more tags than it had names, and its assertion failed",
)
class HasNoNamesForNewStatistics(ReferenceDevice):
    """The operator who asks for the statistics of a newer guest ends it."""

    def statistics(self) -> tuple[tuple[int, int], ...]:
        """Crash if the buffer that was returned last has a tag from 10 to 15."""
        tags = {tag for data in self.seen for tag in _tags_of(data)}
        if tags.intersection(statistics.LINUX_TAG_NAMES):
            raise ImplementationCrashed("assertion failed: no name for the statistic")
        return super().statistics()

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []

    def start(self, setup: Setup) -> None:
        """Begin with no statistics."""
        self.seen = []
        super().start(setup)

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Remember what comes on the third queue."""
        if queue == STATISTICS.place and not buffer.writable_bytes:
            self.seen.append(buffer.readable)
        super().make_available(queue, buffer)


@mutant(
    "SAFE-13",
    also=("SAFE-02",),
    origin="Firecracker, commit ed96b50d2, and kvmtool, candidate C5 (read in source): no bound on a length",
)
class CopiesStatisticsOfAnyLength(StatisticsOfDevice):
    """A guest with many statistics ends its host process: they are copied into an array of a fixed size.

    A buffer of that length may be malformed besides.
    """

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Crash beyond the 256 entries that the array has."""
        if len(buffer.readable) > _ARRAY_ENTRIES * statistics.ENTRY_BYTES:
            raise ImplementationCrashed("exit status 139")
        return super().take(state, queue, buffer)


@mutant("STATS-07", origin="a device that puts each statistic at the place of its tag")
class DropsABufferWithARepeatedTag(StatisticsOfDevice):
    """The statistics of Windows never arrive, because it repeats the tag of entries without one."""

    def return_held(self, state: DeviceState) -> DeviceStep:
        """Return buffers in which each tag stands once."""
        once = tuple(one for one in held_by(state).buffers if len(set(_tags(one))) == len(_tags(one)))
        return super().return_held(self.remember(state, Held(once)))


@mutant("STATS-08", also=("STATS-07",))
class KeepsUnsortedStatistics(StatisticsOfDevice):
    """The statistics of a guest that lists them in another order are never read.

    Those of Linux are in another order and have unknown tags too.
    """

    def return_held(self, state: DeviceState) -> DeviceStep:
        """Return buffers with rising tags only."""
        known = tuple(one for one in held_by(state).buffers if _tags(one) == sorted(_tags(one)))
        return super().return_held(self.remember(state, Held(known)))


@mutant("CFG-08")
class ForgetsActualForStatistics(StatisticsOfDevice):
    """A request for fresh statistics sets the size of the balloon to zero."""

    def return_held(self, state: DeviceState) -> DeviceStep:
        """Count from zero."""
        state, outputs = super().return_held(state)
        return replace(state, actual=0), outputs


@mutant("CFG-07")
class LosesATargetWhileStatisticsAreWanted(Device):
    """A guest is not notified of a target that is set while its statistics are awaited."""

    def change_target(self, state: DeviceState, value: int) -> DeviceStep:
        """Set it without a notification then."""
        after, outputs = super().change_target(state, value)
        return after, (() if held_by(state).wanted else outputs)


@mutant("BUF-03", also=("BUF-07",), origin="StratoVirt, read in source: the used length is what was read")
class ReportsTheLengthOfStatistics(StatisticsOfDevice):
    """The driver is told that its statistics were written to.

    For a buffer with a device-writable part that breaks another requirement.
    """

    def return_held(self, state: DeviceState) -> DeviceStep:
        """Report the length that was read."""
        lengths = {one.buffer: len(one.readable) for one in held_by(state).buffers}
        state, outputs = super().return_held(state)
        return state, tuple(
            replace(one, length_bytes=lengths[one.buffer]) if isinstance(one, Used) else one
            for one in outputs
        )


@mutant(
    "SAFE-02", origin="kvmtool, candidate C5 (read in source), and Firecracker, commit ed96b50d2: no bound"
)
class CrashesOnBrokenStatistics(StatisticsOfDevice):
    """A guest crashes its host process with a statistics buffer of the wrong length."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Crash after the last whole entry."""
        state, outputs = super().take(state, queue, buffer)
        if any(isinstance(one, Note) and one.clause == "STATS-04" for one in outputs):
            raise ImplementationCrashed("exit status 139")
        return state, outputs


@mutant(
    "STATS-13",
    origin="a device on a big-endian host that takes its own byte order for that of every legacy guest",
)
class ReadsLegacyStatisticsBigEndian(StatisticsOfDevice):
    """The host is told that an old guest has an impossible amount of memory."""

    def report(self, data: bytes) -> StatisticsReport:
        """Swap every value."""
        entries = super().report(data).entries
        if self.device.has(self.device.state, "VERSION_1"):
            return StatisticsReport(entries)
        return StatisticsReport(
            tuple((tag, int.from_bytes(value.to_bytes(8, "little"), "big")) for tag, value in entries)
        )


@mutant("RESET-02", origin="crosvm, commit 313f64127: no support for a reset")
class ReturnsOldBuffers(StatisticsOfDevice):
    """A rebooted guest gets a buffer that it never made available, in memory it uses for something else."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.old: tuple[Available, ...] = ()

    def begin(self, state: DeviceState) -> DeviceStep:
        """Return the buffers of before the reset."""
        old, self.old = self.old, ()
        return state, tuple(self.device.return_buffer(one) for one in old)

    def reset(self, before: DeviceState, fresh: DeviceState) -> DeviceState:
        """Keep the statistics buffer."""
        self.old = held_by(before).buffers
        return fresh
