"""Devices that tell their host other statistics than those that the guest sent."""

from __future__ import annotations

from itertools import takewhile

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import DeviceOptions, StatisticsReport
from balloon_spec.wire import statistics

_LAST_TAG = max(statistics.Tag)


@mutant("STATS-07")
class StopsAtAnUnknownStatistic(Device):
    """What a newer guest sends behind a statistic of its own never reaches the host."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Read as far as an unknown tag."""
        entries = takewhile(lambda entry: entry.tag <= _LAST_TAG, statistics.parse(data).entries)
        return StatisticsReport(tuple((entry.tag, entry.value) for entry in entries))


@mutant("STATS-07")
class ShiftsValuesAtAnUnknownStatistic(Device):
    """Behind a statistic that it does not know the host takes one value for that of the next."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Take the tags it knows, and as many values from the front."""
        entries = statistics.parse(data).entries
        tags = [entry.tag for entry in entries if entry.tag <= _LAST_TAG]
        return StatisticsReport(tuple(zip(tags, (entry.value for entry in entries), strict=False)))


@mutant("STATS-07")
class ReadsHalfOfEachTag(Device):
    """A statistic of a newer guest is taken for its free memory: their tags differ in the upper byte."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Look at 8 bits."""
        known = [entry for entry in statistics.parse(data).entries if entry.tag & 0xFF <= _LAST_TAG]
        return StatisticsReport(tuple((entry.tag & 0xFF, entry.value) for entry in known))


@mutant("STATS-08", also=("STATS-07",))
class TakesTheOrderForTheTag(Device):
    """A guest that sorts its statistics otherwise has its free memory taken for its faults."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Look at no tag."""
        values = [entry.value for entry in statistics.parse(data).entries]
        return StatisticsReport(tuple(enumerate(values[: _LAST_TAG + 1])))


@mutant("STATS-12")
class ReadsStatisticsBigEndian(Device):
    """The host is told of more memory than there is in the world."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Swap every value."""
        entries = super().report_statistics(data).entries
        return StatisticsReport(
            tuple((tag, int.from_bytes(value.to_bytes(8, "little"), "big")) for tag, value in entries)
        )


@mutant("STATS-12")
class KeepsTheFirstStatistics(Device):
    """The host goes by numbers of the time when the guest booted."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.first: StatisticsReport | None = None

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Report what was reported first."""
        self.first = self.first or super().report_statistics(data)
        return self.first


@mutant("STATS-12")
class ReadsHalfOfEachStatistic(Device):
    """Beyond 4 GiB the host starts counting anew."""

    def report_statistics(self, data: bytes) -> StatisticsReport:
        """Keep 32 bits."""
        entries = super().report_statistics(data).entries
        return StatisticsReport(tuple((tag, value & 0xFFFFFFFF) for tag, value in entries))
