"""Devices that report other statistics to their host than the guest sent."""

from __future__ import annotations

from itertools import takewhile

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import DeviceOptions, StatisticsReport
from balloon_spec.families.statistics import statistics

_LAST_TAG = max(statistics.Tag)


@mutant("STATS-07")
class StopsAtAnUnknownStatistic(Device):
    """The statistics after an unknown one never reach the host."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Read up to an unknown tag."""
        entries = takewhile(lambda entry: entry.tag <= _LAST_TAG, statistics.parse(data).entries)
        return StatisticsReport(tuple((entry.tag, entry.value) for entry in entries))


@mutant("STATS-07")
class ShiftsValuesAtAnUnknownStatistic(Device):
    """The value of an unknown statistic is reported as that of the next one."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Take the known tags, and as many values from the front."""
        entries = statistics.parse(data).entries
        tags = [entry.tag for entry in entries if entry.tag <= _LAST_TAG]
        return StatisticsReport(tuple(zip(tags, (entry.value for entry in entries), strict=False)))


@mutant("STATS-07")
class ReadsHalfOfEachTag(Device):
    """An unknown statistic is reported as free memory, because their tags differ only in the upper byte."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Read 8 bits of each tag."""
        known = [entry for entry in statistics.parse(data).entries if entry.tag & 0xFF <= _LAST_TAG]
        return StatisticsReport(tuple((entry.tag & 0xFF, entry.value) for entry in known))


@mutant("STATS-08", also=("STATS-07",))
class TakesTheOrderForTheTag(Device):
    """A guest that orders its statistics differently has its free memory reported as faults."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Read no tag."""
        values = [entry.value for entry in statistics.parse(data).entries]
        return StatisticsReport(tuple(enumerate(values[: _LAST_TAG + 1])))


@mutant("STATS-12")
class ReadsStatisticsBigEndian(Device):
    """The host is told of an impossible amount of memory."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Swap every value."""
        entries = super().report_statistics(data).entries
        return StatisticsReport(
            tuple((tag, int.from_bytes(value.to_bytes(8, "little"), "big")) for tag, value in entries)
        )


@mutant("STATS-12")
class KeepsTheFirstStatistics(Device):
    """The host uses numbers from the time when the guest booted."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.first: StatisticsReport | None = None

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Report the first numbers again."""
        self.first = self.first or super().report_statistics(data)
        return self.first


@mutant("STATS-12")
class ReadsHalfOfEachStatistic(Device):
    """Beyond 4 GiB the host counts from zero again."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Keep 32 bits."""
        entries = super().report_statistics(data).entries
        return StatisticsReport(tuple((tag, value & 0xFFFFFFFF) for tag, value in entries))
