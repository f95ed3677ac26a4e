"""Devices that remember the wrong thing of reports: an earlier one, an earlier value, another queue's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from balloon_conformance.families.page_reporting.reference import PageReportingOfDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step as DeviceStep
from balloon_conformance.reference.device_state import (
    DeviceOptions,
    DeviceOutput,
    DeviceState,
    Discard,
    Overwrite,
)
from balloon_spec.events import Available, ConfigurationWritten, Reset, Segment
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.page_poison import POISON_VAL
from balloon_spec.families.page_reporting import REPORTING
from balloon_spec.pages import EMPTY, PAGE_BYTES, PAGE_SHIFT, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import inward, writable_ranges

_BALLOON_QUEUES: Final = frozenset({INFLATE, DEFLATE})


# -- an earlier report -----------------------------------------------------------------------------------


class _DiscardsTheLastReportLate(Device):
    """With a buffer on another queue the pages of the last report are discarded once more."""

    trigger: Queue

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.last = EMPTY

    def take(self, state: DeviceState, buffer: Available) -> DeviceStep:
        """Remember what a report names, and discard it with the next buffer of the other queue."""
        queue = self.queue(state, buffer.queue)
        after, outputs = super().take(state, buffer)
        if queue is REPORTING:
            self.last = inward(writable_ranges(buffer.segments)) & self.options.memory
        elif queue is self.trigger and self.last:
            last, self.last = self.last, EMPTY
            return after, (Discard(last), *outputs)
        return after, outputs

    def reset(self, state: DeviceState, given: Reset) -> DeviceStep:
        """Forget it."""
        self.last = EMPTY
        return super().reset(state, given)


@mutant("REPORT-13")
class DiscardsTheLastReportWithAnInflation(_DiscardsTheLastReportLate):
    """A guest whose balloon grows loses what it wrote to pages that it had reported before."""

    trigger = INFLATE


@mutant("REPORT-13")
class DiscardsTheLastReportWithADeflation(_DiscardsTheLastReportLate):
    """A guest whose balloon shrinks loses what it wrote to pages that it had reported before."""

    trigger = DEFLATE


# -- an earlier value ------------------------------------------------------------------------------------


@mutant("REPORT-12", also=("REPORT-15",))
class FillsReportsWithTheFirstPoison(PageReportingOfDevice):
    """After a reboot the guest finds the poison of the kernel before in its pages."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.first = bytes(POISON_VAL.length_bytes)

    def poison(self, state: DeviceState) -> bytes:
        """Return the first value that any driver wrote."""
        now = super().poison(state)
        if self.device.has(state, "PAGE_POISON") and not any(self.first):
            self.first = now
        return self.first if self.device.has(state, "PAGE_POISON") else now


@mutant("REPORT-12", also=("REPORT-15",))
class FillsReportsWithTheFirstStore(Device):
    """The guest finds a value in its pages that its driver wrote and replaced before DRIVER_OK."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options, (_FillsWithWhatTheDeviceKept,))
        self.kept: bytes | None = None

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> DeviceStep:
        """Keep the first store; what is read is the last one all the same."""
        if given.offset == POISON_VAL.offset_bytes and self.kept is None:
            self.kept = given.data
        return super().configure(state, given)

    def reset(self, state: DeviceState, given: Reset) -> DeviceStep:
        """Forget it."""
        self.kept = None
        return super().reset(state, given)


class _FillsWithWhatTheDeviceKept(PageReportingOfDevice):
    def poison(self, state: DeviceState) -> bytes:
        kept = self.device.kept if isinstance(self.device, FillsReportsWithTheFirstStore) else None
        return super().poison(state) if kept is None or not self.device.has(state, "PAGE_POISON") else kept


@mutant("REPORT-12")
class ZeroesTheReportedPartOfAPage(PageReportingOfDevice):
    """Of a page that was reported by half the guest finds zeros in place of its poison."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Clear ranges that lie within one page, byte by byte."""
        state, outputs = super().take(state, queue, buffer)
        if not any(self.poison(state)):
            return state, outputs
        return state, (*self._cleared(buffer.segments), *outputs)

    def _cleared(self, segments: Iterable[Segment]) -> Iterable[DeviceOutput]:
        for start, end in writable_ranges(segments):
            page = PageSet([(start >> PAGE_SHIFT, 1)])
            if (
                end - start < PAGE_BYTES
                and (end - 1) >> PAGE_SHIFT in page
                and page <= self.device.options.memory
            ):
                yield Overwrite(page, spans=((start, end - start),))


# -- another queue ---------------------------------------------------------------------------------------


@mutant("SAFE-01")
class TakesRangesOnEveryQueueForReports(Device):
    """Pages are lost to which a descriptor of another queue points, because all queues have one handler."""

    def take(self, state: DeviceState, buffer: Available) -> DeviceStep:
        """Discard what device-writable descriptors on the queues of the balloon point at."""
        queue = self.queue(state, buffer.queue)
        after, outputs = super().take(state, buffer)
        pages = inward(writable_ranges(buffer.segments)) & self.options.memory
        if queue in _BALLOON_QUEUES and pages and self.has(state, "PAGE_REPORTING"):
            return after, (Discard(pages), *outputs)
        return after, outputs
