"""Devices that malformed or unusual buffers harm, crash or hang."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from balloon_conformance.iut.contract import Buffer, ImplementationCrashed, ImplementationHung, Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import Chosen, Words
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DevicePhase, DeviceState, Discard
from balloon_conformance.reference.machine import Note
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    Event,
    OperatorAction,
)
from balloon_spec.families.chunk_transfer.response_header import ResponseHeader
from balloon_spec.pages import PageSet
from balloon_spec.segments import segments_outside

# -- what must have no effect -----------------------------------------------------------------------------


@mutant("CHUNK-09")
class TakesZeroPagesForOne(Device):
    """A chunk of no pages discards one page of the guest."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Count at least one page."""
        first, count = super().chunk_pages(words)
        return first, np.maximum(count, np.uint64(1))


@mutant("SAFE-06")
class ActsOnMisalignedDataLen(Device):
    """A message with an impossible length is acted on, and its meaning is guessed."""

    def accepts_data_len(self, data_len: int) -> bool:
        """Accept any length."""
        return True


@mutant(
    "SAFE-07",
    origin="RFC QEMU, March 2016: a length of the guest's is believed; Firecracker, statistics tail",
)
class ReadsBeyondDataLen(Device):
    """Bytes after the message are read as chunks, and pages vanish that nobody named."""

    def response_data(self, header: ResponseHeader, body: bytes) -> bytes:
        """Read the whole buffer."""
        return body[: len(body) & ~15]


@mutant("SAFE-09")
class LetsAddressesWrap(Device):
    """A chunk at the end of the address space discards pages at the beginning."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Wrap to zero."""
        first, count = super().chunk_pages(words)
        wraps = first + count > np.uint64(1 << 52)
        return np.where(wraps, np.uint64(0), first), np.where(wraps, np.uint64(0x300), count)


@mutant("SAFE-11", origin="cloud-hypervisor clamps a range to its region; commit 326cd8807 where it did not")
class ClipsChunks(Device):
    """A chunk that extends beyond memory is acted on in part, although nobody can know what it meant."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Cut it at the end of memory."""
        first, count = super().chunk_pages(words)
        end = np.uint64(self.options.memory.runs[-1].end)
        sane = (first < end) & (first + count <= np.uint64(1 << 52))
        return first, np.where(sane, np.minimum(count, end - np.minimum(first, end)), count)


@mutant("SAFE-11")
class LooksAtBothEndsOfAChunk(Device):
    """A chunk across a memory hole is acted on, because its first and its last page exist."""

    def is_inside(self, first: Words, count: Words, memory: PageSet) -> Chosen:
        """Check these two pages."""
        one = np.ones_like(count)
        return super().is_inside(first, one, memory) & super().is_inside(first + count - one, one, memory)


@mutant("SAFE-08", also=("SAFE-01",))
class PadsShortMessages(Device):
    """A buffer of seven bytes, which names nothing, discards a page of the guest.

    A short buffer may also be an array of page frame numbers that came in place of a message.
    """

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Act on the bytes after it."""
        state, outputs = super().take_inflate(state, buffer)
        short = self.has(state, "CHUNK_TRANSFER") and len(buffer.readable) < 8
        return state, ((Discard(PageSet([(0x200, 1)])), *outputs) if short else outputs)


@mutant(
    "SAFE-01",
    origin="QEMU 7.2 (run): reads zeros where no memory is, and discards page 0 for each entry of an array",
)
class ReadsZerosWhereNoMemoryIs(ReferenceDevice):
    """A buffer that lies nowhere discards the guest's first page."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Hand over zeros for what cannot be read."""
        if segments_outside(buffer.segments, self.memory):
            buffer = replace(buffer, readable=bytes(len(buffer.readable)), segments=())
        super().make_available(queue, buffer)


# -- crash and hang ---------------------------------------------------------------------------------------


@mutant("SAFE-02", origin="cloud-hypervisor, commit 3402bc076: an error of the worker ends the whole VMM")
class CrashesOnAShortMessage(ReferenceDevice):
    """A guest crashes its host process with a buffer of seven bytes."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Crash on it."""
        if queue < 2 and len(buffer.readable) == 7 and self.device.state.accepted & 8:
            raise ImplementationCrashed("exit status 139")
        super().make_available(queue, buffer)


@mutant("SAFE-02", origin="libkrun, candidate C4 (read in source): unwrap of an address that is not mapped")
class CrashesOutsideMemory(Device):
    """A guest crashes its host process by naming a page that does not exist."""

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Crash when the page is looked up."""
        state, outputs = super().take(state, buffer)
        if any(isinstance(one, Note) and one.clause in {"CHUNK-05", "PFN-04"} for one in outputs):
            raise ImplementationCrashed("exit status 134")
        return state, outputs


@mutant("SAFE-02")
class CrashesWhereNoMemoryIs(ReferenceDevice):
    """A guest crashes its host process with a descriptor that points where no memory is."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Crash when its address is translated."""
        if segments_outside(buffer.segments, self.memory):
            raise ImplementationCrashed("exit status 139")
        super().make_available(queue, buffer)


@mutant("SAFE-12")
class HangsOnAWrappedChunk(ReferenceDevice):
    """A guest hangs its host process with one chunk at the end of the address space."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Hang on it."""
        if queue < 2 and buffer.readable[16:24] == b"\xff" * 8:
            raise ImplementationHung("no answer within 1 s")
        super().make_available(queue, buffer)


@mutant("SAFE-12", origin="cloud-hypervisor, pull request 8177: a huge length is walked page by page")
class WalksHugeChunks(Device):
    """A guest hangs its host process with a chunk of more pages than any memory has."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Hang if the count exceeds all memory."""
        first, count = super().chunk_pages(words)
        if bool((count >= np.uint64(1 << 40)).any()):
            raise ImplementationHung("no answer within 1 s")
        return first, count


@mutant(
    "SAFE-13",
    also=("SAFE-02",),
    origin="a device behind a program of its own that was judged over standard streams",
)
class EndsOnItsSecondBuffer(ReferenceDevice):
    """The host process crashes at a guest's second buffer, which is as good as the first.

    If the second is malformed, that seems to be the reason.
    """

    def start(self, setup: Setup) -> None:
        """Count from the start of each case."""
        super().start(setup)
        self._buffers = 0

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Crash on the second that carries pages."""
        self._buffers += queue < 2
        if self._buffers == 2:
            raise ImplementationCrashed("exit status 1")
        super().make_available(queue, buffer)


@mutant("SAFE-13")
class HangsOnATarget(ReferenceDevice):
    """The host process hangs as soon as its operator sets a target."""

    def operate(self, action: OperatorAction, value: int) -> None:
        """Hang on it."""
        if action == OperatorAction.TARGET:
            raise ImplementationHung("no answer within 1 s")
        super().operate(action, value)


@mutant("SAFE-13")
class NeverPauses(ReferenceDevice):
    """A device with a target notifies its driver of it without end."""

    def operate(self, action: OperatorAction, value: int) -> None:
        """Begin."""
        super().operate(action, value)
        self._babbles = action == OperatorAction.TARGET

    def start(self, setup: Setup) -> None:
        """Rest until the first target."""
        super().start(setup)
        self._babbles = False

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Notify again."""
        events = super().observe(deadline_seconds)
        if events or not self._babbles:
            return events
        return [ConfigurationChanged(self.read_configuration(0, 8))] * 100


@mutant("SAFE-13")
class DiesOfAnEarlyTarget(ReferenceDevice):
    """The host process crashes if its operator sets a target before a driver is there."""

    def operate(self, action: OperatorAction, value: int) -> None:
        """Crash if nothing is negotiated."""
        if action == OperatorAction.TARGET and self.device.state.phase is DevicePhase.FRESH:
            raise ImplementationCrashed("exit status 139")
        super().operate(action, value)


@mutant("SAFE-13")
class DiesOfALargeTarget(ReferenceDevice):
    """The host process crashes if its operator asks for more than the guest has."""

    def operate(self, action: OperatorAction, value: int) -> None:
        """Crash beyond guest memory."""
        if action == OperatorAction.TARGET and value > self.memory.pages:
            raise ImplementationCrashed("exit status 134")
        super().operate(action, value)


@mutant("SAFE-13")
class DiesOfASignedTarget(ReferenceDevice):
    """The host process crashes if its operator sets a target of 2^31 pages, a negative signed number."""

    def operate(self, action: OperatorAction, value: int) -> None:
        """Crash at a number that is negative in 32 bits."""
        if action == OperatorAction.TARGET and value >> 31:
            raise ImplementationCrashed("exit status 134")
        super().operate(action, value)
