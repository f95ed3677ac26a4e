"""Devices that do not return reports, that return them wrongly, or that do not cope with some."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from balloon_conformance.families.page_reporting.reference import PageReportingOfDevice
from balloon_conformance.iut.contract import Buffer, ImplementationCrashed, ImplementationHung
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step as DeviceStep
from balloon_conformance.reference.device_state import DeviceState
from balloon_spec.events import Available, Used
from balloon_spec.families.page_reporting import REPORTING
from balloon_spec.pages import PAGE_BYTES
from balloon_spec.queues import Queue
from balloon_spec.segments import segments_outside

_LONG_BYTES: Final = 1 << 30


@mutant(
    "REPORT-16",
    also=("QUEUE-06", "SAFE-03"),
    origin="alioth and libkrun: a queue is offered and never served (read, not run)",
)
class NeverReturnsReports(PageReportingOfDevice):
    """The guest waits for its pages for ever."""

    def take(self, state: DeviceState, _queue: Queue, _buffer: Available) -> DeviceStep:
        """Leave it in the queue."""
        return state, ()


@mutant("REPORT-16")
class KeepsReportsItCannotUse(PageReportingOfDevice):
    """The guest waits for ever for a report of half a page."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Return those that have a whole page."""
        state, outputs = super().take(state, queue, buffer)
        if self.pages(buffer.segments) or not buffer.segments:
            return state, outputs
        return state, tuple(one for one in outputs if not isinstance(one, Used))


@mutant("REPORT-16", origin="a device that stops at poison_val and forgets the buffer")
class KeepsReportsOfPoisonedPages(PageReportingOfDevice):
    """A guest with page poison waits for ever."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Return those of pages that hold zeros."""
        return (state, ()) if any(self.poison(state)) else super().take(state, queue, buffer)


@mutant("REPORT-17", origin="cloud-hypervisor: the used length of a report is the sum of its ranges")
class ReturnsTheLengthOfAReport(PageReportingOfDevice):
    """The guest is told that what it reported was written."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Say how long the report is."""
        state, outputs = super().take(state, queue, buffer)
        length = buffer.writable_bytes
        return state, tuple(
            replace(one, length_bytes=length) if isinstance(one, Used) else one for one in outputs
        )


@mutant("BUF-07", also=("REPORT-17",))
class ReturnsMoreThanWasReported(PageReportingOfDevice):
    """The guest is told that bytes behind its report were written."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Round the length up."""
        state, outputs = super().take(state, queue, buffer)
        length = buffer.writable_bytes + PAGE_BYTES
        return state, tuple(
            replace(one, length_bytes=length) if isinstance(one, Used) else one for one in outputs
        )


# -- devices that do not cope ----------------------------------------------------------------------------


def _is_bad(device: Device, buffer: Available) -> bool:
    """Tell whether a range lies where no memory is."""
    return bool(segments_outside(buffer.segments, device.options.memory))


@mutant(
    "SAFE-05",
    origin="cloud-hypervisor c1b5b18d9 and ce74caa6c: a bad descriptor, or a failed report, ends the worker",
)
class ServesNothingAfterABadRange(PageReportingOfDevice):
    """After one range where no memory is the guest waits for every report until it resets the device."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Stop at a bad range."""
        if self.recall(state):
            return state, ()
        if _is_bad(self.device, buffer):
            return self.remember(state, True), (self.device.return_buffer(buffer),)
        return super().take(state, queue, buffer)


@mutant("SAFE-04", also=("SAFE-05",))
class ServesNoReportEverAfterABadRange(ServesNothingAfterABadRange):
    """After one range where no memory is no driver reports anything to this device again."""

    def reset(self, before: DeviceState, fresh: DeviceState) -> DeviceState:
        """Remember it."""
        return self.remember(fresh, self.recall(before))


@mutant("SAFE-02", origin="libkrun: get_host_address().unwrap() on the address of a report (read, not run)")
class EndsAtABadRange(ReferenceDevice):
    """A guest that reports a range where no memory is ends the whole machine."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """End at a bad range."""
        is_report = self.device.queue(self.device.state, queue) is REPORTING
        if is_report and segments_outside(buffer.segments, self.memory):
            raise ImplementationCrashed("exit status 134: called unwrap on a None value")
        super().make_available(queue, buffer)


@mutant(
    "SAFE-12",
    origin="cloud-hypervisor cfec13077: a warning for every page of a long range",
)
class CountsThePagesOfALongRange(ReferenceDevice):
    """A guest that reports a range of a GiB keeps the device busy for ever."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Hang at a long range."""
        is_report = self.device.queue(self.device.state, queue) is REPORTING
        if is_report and any(one.length_bytes >= _LONG_BYTES for one in buffer.segments):
            raise ImplementationHung("no answer within 5 s; 262144 warnings so far")
        super().make_available(queue, buffer)


@mutant(
    "REPORT-16",
    origin="crosvm before 4ce4bbc22, arcbox pull request 392, Linux 2ccd42b959: a queue with another number"
    " than the other side gives it",
)
class LooksForReportsOnAnotherQueue(Device):
    """Reports are not served if a queue before theirs does not exist."""

    def queue(self, state: DeviceState, index: int) -> Queue | None:
        """Give each queue the number of those that exist before it."""
        found = super().queue(state, index)
        queues = self.options.profile.queue_map(self.offer(), state.accepted)
        return found if found is not REPORTING or index == len(queues) - 1 else None


@mutant("REPORT-16", origin="crosvm 14a0ab90a and 6d7143990: optional queues are assigned as they come")
class ServesReportsWithStatisticsAlone(PageReportingOfDevice):
    """Reports are not served unless the driver has accepted the feature of the queue before theirs."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Take the queue for another one if there are no statistics."""
        if not self.device.has(state, "STATS_VQ"):
            return state, ()
        return super().take(state, queue, buffer)
