"""Devices that are wrong about reported pages: what they take, what they leave, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from balloon_conformance.families.page_reporting.reference import PageReportingOfDevice
from balloon_conformance.iut.contract import Buffer
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device_requests import Step as DeviceStep
from balloon_conformance.reference.device_state import DeviceOutput, DeviceState, Discard, Overwrite
from balloon_spec.events import Available, Segment, Used
from balloon_spec.families.page_reporting import REPORTING
from balloon_spec.pages import EMPTY, PAGE_BYTES, PAGE_SHIFT, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import outward, writable_ranges

_HOST_PAGE: Final = 16
"""A page of 64 KiB, in pages of 4 KiB."""


def _ranges(segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """Return (address, length in bytes) of each segment."""
    return [(one.address, one.length_bytes) for one in segments if one.address is not None]


# -- devices that do nothing, or too little --------------------------------------------------------------


@mutant(
    "REPORT-15",
    origin="cloud-hypervisor 3fed07419 and Firecracker bd85e437c: MADV_DONTNEED frees no shared memory",
)
class ReturnsReportsAndDoesNothing(PageReportingOfDevice):
    """Reports come back, and the host wins no memory."""

    def give_back(self, _state: DeviceState, _pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Leave the pages where they are."""
        return ()


@mutant("REPORT-15", origin="cloud-hypervisor 52db3f865: only the first descriptor of a chain is processed")
class ActsOnTheFirstRangeOfAReport(PageReportingOfDevice):
    """Of a report with many ranges the host wins one."""

    def pages(self, segments: Sequence[Segment]) -> PageSet:
        """Look at one."""
        return super().pages(segments[:1])


@mutant("REPORT-15", origin="virtqueues with a limit of their own on the descriptors of a chain")
class ActsOnThirtyOneRangesOfAReport(PageReportingOfDevice):
    """The last ranges of a long report are not given back."""

    def pages(self, segments: Sequence[Segment]) -> PageSet:
        """Look at some."""
        return super().pages(segments[:31])


@mutant("REPORT-15")
class KeepsTheFirstPageOfARange(PageReportingOfDevice):
    """Of each range a page stays behind."""

    def pages(self, segments: Sequence[Segment]) -> PageSet:
        """Begin a page too late."""
        firsts = ((start // PAGE_BYTES, 1) for start, _ in _ranges(segments))
        return super().pages(segments) - PageSet(firsts)


@mutant("REPORT-15")
class RemembersThePoisonOfTheLastDriver(PageReportingOfDevice):
    """After a driver with page poison no report gives memory back."""

    def poison(self, state: DeviceState) -> bytes:
        """Return what was written before the reset."""
        before: bytes = self.recall(state) or bytes(4)
        return super().poison(state) if self.device.has(state, "PAGE_POISON") else before

    def give_back(self, state: DeviceState, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Discard nothing if the pages had to be filled."""
        return () if any(self.poison(state)) else super().give_back(state, pages)

    def reset(self, before: DeviceState, fresh: DeviceState) -> DeviceState:
        """Keep the value."""
        return self.remember(fresh, super().poison(before))


# -- devices that take what nobody reported --------------------------------------------------------------


@mutant(
    "REPORT-14",
    origin="libkrun, alioth, StratoVirt (read, not run): madvise rounds the length of a range up",
)
class RoundsReportsUp(PageReportingOfDevice):
    """Of a page that was reported by half the other half is lost."""

    def pages(self, segments: Sequence[Segment]) -> PageSet:
        """Round each range outward."""
        return outward(writable_ranges(segments)) & self.device.options.memory


@mutant(
    "REPORT-14",
    also=("INF-08", "REPORT-13"),
    origin="cloud-hypervisor, pull requests 5459 and 5369: pages of the host larger than those of the guest",
)
class RoundsReportsToPagesOfTheHost(PageReportingOfDevice):
    """With a report the guest loses the pages around it."""

    def pages(self, segments: Sequence[Segment]) -> PageSet:
        """Take whole pages of 64 KiB."""
        whole = super().pages(segments)
        around = ((run.first // _HOST_PAGE, -(-run.end // _HOST_PAGE)) for run in whole)
        taken = PageSet((first * _HOST_PAGE, (end - first) * _HOST_PAGE) for first, end in around)
        return taken & self.device.options.memory


@mutant(
    "REPORT-14",
    also=("REPORT-15",),
    origin="cloud-hypervisor 50da100af and kvmtool c818344: 32-bit addresses",
)
class CutsReportedAddressesTo32Bits(PageReportingOfDevice):
    """With a report above 4 GiB the guest loses pages far below."""

    def pages(self, segments: Sequence[Segment]) -> PageSet:
        """Drop the high bits."""
        cut = [replace(one, address=(one.address or 0) & 0xFFFF_FFFF) for one in segments]
        return super().pages(cut)


@mutant("REPORT-14", origin="cloud-hypervisor 326cd8807: a hole is punched past the end of the region")
class RunsOnPastTheEndOfARegion(PageReportingOfDevice):
    """A report that leaves a region of memory takes what its file has behind that region."""

    def pages(self, segments: Sequence[Segment]) -> PageSet:
        """Go on in the next region as if it followed without a gap."""
        memory, taken = self.device.options.memory, super().pages(segments)
        for start, length in _ranges(segments):
            first, end = start // PAGE_BYTES, (start + length) // PAGE_BYTES
            for run, following in zip(memory.runs, memory.runs[1:], strict=False):
                if first in PageSet([run]) and end > run.end:
                    taken |= PageSet([(following.first, min(end - run.end, following.count))])
        return taken


@mutant("REPORT-14")
class JoinsTheRangesOfAReport(PageReportingOfDevice):
    """What lies between two ranges of a report is lost."""

    def pages(self, segments: Sequence[Segment]) -> PageSet:
        """Take everything from the lowest page to the highest."""
        runs = super().pages(segments).runs
        if not runs:
            return EMPTY
        return PageSet([(runs[0].first, runs[-1].end - runs[0].first)]) & self.device.options.memory


@mutant("REPORT-14", also=("REPORT-15",))
class AddsTheLengthsOfAReport(PageReportingOfDevice):
    """Behind the first range of a report as much is lost as was reported elsewhere."""

    def pages(self, segments: Sequence[Segment]) -> PageSet:
        """Take the first address, and the length of all."""
        ranges = _ranges(segments)
        return super().pages(
            [Segment(sum(length for _, length in ranges), True, ranges[0][0])] if ranges else []
        )


@mutant(
    "REPORT-18",
    also=("REPORT-15", "REPORT-14"),
    origin="crosvm 8e472ead2: the reporting queue is read as an array of page frame numbers",
)
class ReadsReportsAsPageFrameNumbers(ReferenceDevice):
    """The guest loses pages whose numbers happen to stand in a free page, and the host wins nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._contents: list[tuple[PageSet, bytes]] = []

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Know what stands in the pages."""
        self._contents.append((pages, data))
        super().write_pages(pages, data)

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Take the contents of a report for a list of pages."""
        super().make_available(queue, buffer)
        if self.device.queue(self.device.state, queue) is not REPORTING:
            return
        reported = PageSet(
            (start >> PAGE_SHIFT, -(-length // PAGE_BYTES)) for start, length in _ranges(buffer.segments)
        )
        self._discarded -= reported
        for pages, data in self._contents:
            if not len(data) % 4 and not pages.isdisjoint(reported):
                named = PageSet.from_pfns(np.frombuffer(data, "<u4"))
                self._discarded |= named & self.memory


@mutant("SAFE-01", origin="cloud-hypervisor, Firecracker, crosvm: the direction of a report is not looked at")
class TakesReportsThatAreRead(PageReportingOfDevice):
    """Pages are lost that the device was only to read."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Act on every descriptor."""
        every = tuple(replace(one, writable=True) for one in buffer.segments)
        return super().take(state, queue, replace(buffer, readable=b"", segments=every))


# -- devices that act at the wrong time ------------------------------------------------------------------


@mutant("REPORT-13", also=("REPORT-15",))
class DiscardsAfterTheReturn(PageReportingOfDevice):
    """The guest uses a page that it reported before, and loses what it wrote."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Return the report first."""
        state, outputs = super().take(state, queue, buffer)
        first = tuple(one for one in outputs if isinstance(one, Used))
        return state, (*first, *(one for one in outputs if not isinstance(one, Used)))


@mutant("REPORT-13")
class DiscardsTheLastReportOnceMore(PageReportingOfDevice):
    """With the next report the guest loses the pages of the one before."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Discard what was reported before as well."""
        before: PageSet = self.recall(state) or EMPTY
        state, outputs = super().take(state, queue, buffer)
        state = self.remember(state, self.pages(buffer.segments))
        return state, ((Discard(before), *outputs) if before else outputs)


# -- devices that do not know page poison ----------------------------------------------------------------


@mutant("REPORT-12", origin="alioth, and QEMU before its check of poison_val in handle_report")
class DiscardsPoisonedPages(PageReportingOfDevice):
    """The guest finds zeros where it left its poison."""

    def poison(self, _state: DeviceState) -> bytes:
        """Take every page for one that may hold zeros."""
        return bytes(4)


@mutant("REPORT-12")
class FillsReportsWithOneByte(PageReportingOfDevice):
    """The guest finds one byte of its poison four times, as memset leaves it."""

    def poison(self, state: DeviceState) -> bytes:
        """Repeat the lowest byte."""
        return super().poison(state)[:1] * 4


@mutant("REPORT-12")
class FillsReportsBigEndian(PageReportingOfDevice):
    """The guest finds its poison with the bytes in the opposite order."""

    def poison(self, state: DeviceState) -> bytes:
        """Swap it."""
        return super().poison(state)[::-1]


@mutant("REPORT-12")
class FillsHalfOfAReport(PageReportingOfDevice):
    """The guest finds a page of which one half is poison and the other is not."""

    def give_back(self, state: DeviceState, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Zero the second half of each page."""
        if not pages or not self.device.has(state, "PAGE_POISON"):
            return super().give_back(state, pages)
        halves = ((page << PAGE_SHIFT) + 2048 for run in pages for page in range(run.first, run.end))
        return (Overwrite(pages, spans=tuple((at, 2048) for at in halves)),)
