"""Drivers that are wrong about statistics."""

from __future__ import annotations

import struct
from dataclasses import replace

from balloon_conformance.families.statistics.reference import StatisticsOfDriver
from balloon_conformance.mutants.driver_parts import AltersBuffers
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver_pages import Step as DriverStep
from balloon_conformance.reference.driver_state import DriverPhase, DriverState, Flight
from balloon_spec.events import Available, Used
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.families.statistics.statistics import Statistic, Statistics, Tag


@mutant("STATS-01")
class PostsNoStatistics(StatisticsOfDriver):
    """The operator asks for statistics and never gets any."""

    def set_up(self, state: DriverState) -> DriverStep:
        """Do nothing."""
        return state, ()


@mutant("STATS-02")
class PostsTwoStatisticsBuffers(StatisticsOfDriver):
    """The operator is shown old statistics, because a second buffer follows the first."""

    def set_up(self, state: DriverState) -> DriverStep:
        """Post twice."""
        if not self.driver.has(state, "STATS_VQ"):
            return state, ()
        state, first = self.post(state)
        state, second = self.post(state)
        return state, (*first, *second)


@mutant("STATS-03")
class PostsStatisticsOnce(StatisticsOfDriver):
    """The operator gets statistics once and never again."""

    def returned(self, state: DriverState, _flight: Flight, _used: Used) -> DriverStep:
        """Do nothing."""
        return state, ()


@mutant("STATS-04")
class PadsStatistics(AltersBuffers):
    """The statistics end with two bytes that are no entry."""

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Add them."""
        if flight.queue is not STATISTICS:
            return event
        return replace(event, readable=event.readable + b"\0\0")


@mutant("STATS-04", origin="nanos, candidate C10 (read in source): 8 arbitrary bytes at first")
class PostsAStubOfStatistics(AltersBuffers):
    """The first statistics of a guest are eight empty bytes, which a careless device reads as an entry."""

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Cut the first buffer."""
        first = flight.queue is STATISTICS and not event.notified
        return replace(event, readable=event.readable[:8]) if first else event


@mutant("STATS-04")
class PadsStatisticsEntries(AltersBuffers):
    """Statistics are read from wrong offsets, because a compiler aligned the entries."""

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Align each value to eight bytes."""
        if flight.queue is not STATISTICS:
            return event
        entries = struct.iter_unpack("<HQ", event.readable)
        return replace(event, readable=b"".join(struct.pack("<H6xQ", *one) for one in entries))


@mutant("STATS-05")
class ChangesTags(StatisticsOfDriver):
    """A statistic is sent once and then left out."""

    def statistics(self, state: DriverState) -> Statistics:
        """Leave one out later."""
        entries = super().statistics(state).entries
        return Statistics(entries[1:] if state.buffers > 1 else entries)


@mutant("STATS-06")
class SendsTagsBigEndian(StatisticsOfDriver):
    """The operator sees unknown statistics, because a big-endian guest swaps nothing."""

    def statistics(self, state: DriverState) -> Statistics:
        """Swap the tags."""
        entries = super().statistics(state).entries
        return Statistics(tuple(Statistic(entry.tag << 8, entry.value) for entry in entries))


@mutant("STATS-06")
class SendsValuesBigEndian(StatisticsOfDriver):
    """The operator sees a guest with an impossible amount of memory."""

    def statistics(self, state: DriverState) -> Statistics:
        """Swap the values."""
        entries = super().statistics(state).entries
        return Statistics(
            tuple(
                Statistic(entry.tag, int.from_bytes(entry.value.to_bytes(8, "little"), "big"))
                for entry in entries
            )
        )


# Some amounts that are too large also make sense with their bytes swapped.
@mutant("STATS-11", also=("STATS-06",))
class SaysItHasAThousandTimesAsMuch(StatisticsOfDriver):
    """The operator sees a guest with a thousand times its memory."""

    def statistics(self, state: DriverState) -> Statistics:
        """Give every amount in bytes as if it were in KiB."""
        entries = super().statistics(state).entries
        return Statistics(tuple(Statistic(entry.tag, entry.value << 10) for entry in entries))


@mutant("STATS-11", origin="VIRTIO 5.5.6.3.3: drivers supplied an uninitialized first buffer")
class SendsZerosAtFirst(StatisticsOfDriver):
    """The operator sees a guest without any memory until the statistics are asked for."""

    def statistics(self, state: DriverState) -> Statistics:
        """Give zeros in the first buffer."""
        entries = super().statistics(state).entries
        if state.phase is DriverPhase.RUNNING:
            return Statistics(entries)
        return Statistics(tuple(replace(entry, value=0) for entry in entries))


@mutant("STATS-11")
class SendsZerosWithoutATotal(SendsZerosAtFirst):
    """The operator sees a guest without free memory until the statistics are asked for."""

    def statistics(self, state: DriverState) -> Statistics:
        """Leave the total out."""
        entries = super().statistics(state).entries
        return Statistics(tuple(entry for entry in entries if entry.tag != Tag.MEMTOT))


@mutant("STATS-11")
class SaysItHasAnyAmount(StatisticsOfDriver):
    """The operator sees a guest whose total memory keeps changing, and is less than its free memory."""

    def statistics(self, state: DriverState) -> Statistics:
        """Let the total depend only on the number of the buffer."""
        entries = super().statistics(state).entries
        total = 1 + self.driver.options.memory.size_bytes * (state.buffers % 7) // 8
        return Statistics(
            tuple(replace(one, value=total) if one.tag == Tag.MEMTOT else one for one in entries)
        )


@mutant("STATS-10")
class PostsEmptyStatistics(StatisticsOfDriver):
    """The operator asks for statistics and gets an empty buffer."""

    def statistics(self, state: DriverState) -> Statistics:
        """Give none."""
        return Statistics(())
