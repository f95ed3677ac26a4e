"""Devices that carry something of the driver before over a reset."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.iut.contract import Buffer, Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import BufferContent
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import (
    Accept,
    DeviceOptions,
    DeviceOutput,
    DeviceState,
    Discard,
    RequestPhase,
)
from balloon_spec.events import Available, DriverOk, Reset
from balloon_spec.families.chunk_transfer.response_header import (
    CMD_GET_UNUSED_PAGES,
    FLAG_CONT,
    FLAG_DONE,
    ResponseHeader,
)
from balloon_spec.pages import EMPTY, PageSet


@mutant(
    "RESET-01",
    also=("INF-08",),
    origin="crosvm, candidate C11 (read in source): accepted features add up over resets",
)
class KeepsTheFeatures(Device):
    """After a reboot the guest's buffers are read in the form that the guest before used, and have no effect.

    The first form stays, whatever is accepted later. A message that is read as an array names pages that
    nobody gave up.
    """

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.first: int | None = None

    def accept(self, state: DeviceState, given: Accept) -> Step:
        """Remember the first set."""
        state, outputs = super().accept(state, given)
        self.first = self.first if self.first is not None else state.accepted
        return state, outputs

    def read_pages(self, state: DeviceState, buffer: Available) -> BufferContent:
        """Read in the first form."""
        return super().read_pages(replace(state, accepted=self.first or 0), buffer)


@mutant("RESET-03", origin="crosvm, commit 313f64127: no support for a reset")
class KeepsTheOpenRequest(Device):
    """After a reboot during a migration no request is ever made again."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.was_open = False

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Remember that an answer is due."""
        self.was_open = state.requests.phase is RequestPhase.OPEN
        return super().reset(state, given)

    def ask(self, state: DeviceState) -> Step:
        """Await that answer first."""
        return (state, ()) if self.was_open else super().ask(state)


@mutant("REQ-19")
class TakesAnOldAnswerAfterTheReset(Device):
    """An answer that a guest sent before its reboot, and sends again, ends the request made after it."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.old: int | None = None

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Remember which answer is due."""
        if state.requests.phase is RequestPhase.OPEN:
            self.old = state.requests.request & 0xFFFF
        return super().reset(state, given)

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Accept that as an answer too."""
        is_answer = header.cmd == CMD_GET_UNUSED_PAGES and header.flag in {FLAG_CONT, FLAG_DONE}
        return super().matches(state, header) or (is_answer and header.id == self.old)


@mutant("RESET-06", also=("INF-07",))
class InflatesAfterTheReset(Device):
    """Pages of a rebooted guest are discarded, because the one before had given them up.

    It discards late, when the next driver starts.
    """

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.late = EMPTY

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Keep the pages for later."""
        self.late |= pages
        return ()

    def begin(self, state: DeviceState, given: DriverOk) -> Step:
        """Discard them now."""
        state, outputs = super().begin(state, given)
        late, self.late = self.late, EMPTY
        return state, ((Discard(late), *outputs) if late else outputs)


@mutant("RESET-06")
class EmptiesTheOldBalloonAgain(Device):
    """Pages that a guest uses after its reboot are discarded, because they were in the balloon before.

    They were discarded at the time too. The device repeats that when the next driver starts.
    """

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.old = EMPTY

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Remember the balloon."""
        self.old |= state.balloon
        return super().reset(state, given)

    def begin(self, state: DeviceState, given: DriverOk) -> Step:
        """Discard it."""
        state, outputs = super().begin(state, given)
        old, self.old = self.old, EMPTY
        return state, (*outputs, *self.discard(old))


@mutant("RESET-02", also=("RESET-06",), origin="crosvm, commit 313f64127: no support for a reset")
class KeepsWhatWaitedOverAReset(Device):
    """Buffers of a driver that gave up before DRIVER_OK are acted on for the next one, and returned to it."""

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Keep the buffers that came before DRIVER_OK."""
        after, outputs = super().reset(state, given)
        return replace(after, waiting=state.waiting), outputs


@mutant("RESET-06")
class CarriesOutWhatWaitedOverAReset(Device):
    """Pages in early buffers of a driver that then gave the device up are lost to the next driver."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.early: tuple[Available, ...] = ()

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Remember the buffers that came before DRIVER_OK."""
        self.early = state.waiting
        return super().reset(state, given)

    def begin(self, state: DeviceState, given: DriverOk) -> Step:
        """Discard the pages they name, and return nothing."""
        state, outputs = super().begin(state, given)
        early, self.early = self.early, ()
        pages = PageSet.union([self.read_pages(state, one).pages for one in early if one.queue == 0])
        return state, (*outputs, *self.discard(pages))


@mutant("RESET-02", also=("RESET-06", "QUEUE-04"))
class KeepsWhatWasNotNotified(ReferenceDevice):
    """Buffers that the driver before did not notify come back with the first notification of the next driver.

    The device looks for buffers only when it is notified, so early buffers wait for that too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quiet: list[tuple[int, Buffer]] = []

    def start(self, setup: Setup) -> None:
        """Start with no waiting buffers."""
        super().start(setup)
        self.quiet = []

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Keep inflate and deflate buffers until the queue is notified."""
        if not buffer.notify and queue < 2:
            self.quiet.append((queue, buffer))
            return
        for one, waiting in self.quiet if queue < 2 else ():
            super().make_available(one, waiting)
        self.quiet = self.quiet if queue >= 2 else []
        super().make_available(queue, buffer)
