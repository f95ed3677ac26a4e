"""Devices that malformed or unusual buffers lead astray: harm, crash, hang, and buffers that never return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from balloon_conformance.iut.contract import Buffer, ImplementationCrashed, ImplementationHung, Setup
from balloon_conformance.iut.reference import ReferenceDevice
from balloon_conformance.mutants.device_parts import is_malformed, without_returns
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import Chosen, Words
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceOptions, DeviceState, Discard
from balloon_conformance.reference.machine import Note
from balloon_spec.events import (
    Available,
    BufferAltered,
    ConfigurationChanged,
    Event,
    NeedsReset,
    OperatorAction,
    Reset,
    Side,
    Used,
)
from balloon_spec.pages import PageSet
from balloon_spec.wire.response_header import ResponseHeader

# -- what must have no effect -----------------------------------------------------------------------------


@mutant("CHUNK-09")
class TakesZeroPagesForOne(Device):
    """A chunk of no pages costs the guest one."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Count one at least."""
        first, count = super().chunk_pages(words)
        return first, np.maximum(count, np.uint64(1))


@mutant("SAFE-06")
class ActsOnMisalignedDataLen(Device):
    """A message whose length cannot be right is acted on, and what it meant is guessed."""

    def accepts_data_len(self, data_len: int) -> bool:
        """Accept any."""
        return True


@mutant(
    "SAFE-07",
    origin="RFC QEMU, March 2016: a length of the guest's is believed; Firecracker, statistics tail",
)
class ReadsBeyondDataLen(Device):
    """Bytes behind the message are taken for chunks, and pages vanish that nobody named."""

    def response_data(self, header: ResponseHeader, body: bytes) -> bytes:
        """Read the whole buffer."""
        return body[: len(body) & ~15]


@mutant("SAFE-09")
class LetsAddressesWrap(Device):
    """A chunk at the end of the address space costs the guest pages at its beginning."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Go on from zero."""
        first, count = super().chunk_pages(words)
        wraps = first + count > np.uint64(1 << 52)
        return np.where(wraps, np.uint64(0), first), np.where(wraps, np.uint64(0x300), count)


@mutant("SAFE-11", origin="cloud-hypervisor clamps a range to its region; commit 326cd8807 where it did not")
class ClipsChunks(Device):
    """A chunk that reaches beyond memory is acted on in part, though nobody can know what it meant."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """End with memory."""
        first, count = super().chunk_pages(words)
        end = np.uint64(self.options.memory.runs[-1].end)
        sane = (first < end) & (first + count <= np.uint64(1 << 52))
        return first, np.where(sane, np.minimum(count, end - np.minimum(first, end)), count)


@mutant("SAFE-11")
class LooksAtBothEndsOfAChunk(Device):
    """A chunk across a memory hole is acted on, because its first page exists and its last one does."""

    def is_inside(self, first: Words, count: Words, memory: PageSet) -> Chosen:
        """Ask about two pages."""
        one = np.ones_like(count)
        return super().is_inside(first, one, memory) & super().is_inside(first + count - one, one, memory)


@mutant("SAFE-08", also=("SAFE-01",))
class PadsShortMessages(Device):
    """A buffer of seven bytes, which names nothing, costs the guest a page.

    A short buffer may also be an array of page frame numbers, sent where a message is due.
    """

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Act on what lies behind it."""
        state, outputs = super().take_inflate(state, buffer)
        short = self.has(state, "CHUNK_TRANSFER") and len(buffer.readable) < 8
        return state, ((Discard(PageSet([(0x200, 1)])), *outputs) if short else outputs)


# -- crash and hang ---------------------------------------------------------------------------------------


@mutant("SAFE-02", origin="cloud-hypervisor, commit 3402bc076: an error of the worker ends the whole VMM")
class CrashesOnAShortMessage(ReferenceDevice):
    """A guest ends its own host process with a buffer of seven bytes."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Crash on it."""
        if queue < 2 and len(buffer.readable) == 7 and self.device.state.accepted & 8:
            raise ImplementationCrashed("exit status 139")
        super().make_available(queue, buffer)


@mutant("SAFE-02", origin="libkrun, candidate C4 (read in source): unwrap of an address that is not mapped")
class CrashesOutsideMemory(Device):
    """A guest ends its own host process by naming a page that is not there."""

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Crash where the page is looked up."""
        state, outputs = super().take(state, buffer)
        if any(isinstance(one, Note) and one.clause in {"CHUNK-05", "PFN-04"} for one in outputs):
            raise ImplementationCrashed("exit status 134")
        return state, outputs


@mutant(
    "SAFE-02", origin="kvmtool, candidate C5 (read in source), and Firecracker, commit ed96b50d2: no bound"
)
class CrashesOnBrokenStatistics(Device):
    """A guest ends its own host process with a statistics buffer of the wrong length."""

    def take_statistics(self, state: DeviceState, buffer: Available) -> Step:
        """Crash behind the last whole entry."""
        state, outputs = super().take_statistics(state, buffer)
        if any(isinstance(one, Note) and one.clause == "STATS-04" for one in outputs):
            raise ImplementationCrashed("exit status 139")
        return state, outputs


@mutant("SAFE-12")
class HangsOnAWrappedChunk(ReferenceDevice):
    """A guest stops its own host process with one chunk at the end of the address space."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Hang on it."""
        if queue < 2 and buffer.readable[16:24] == b"\xff" * 8:
            raise ImplementationHung("no answer within 1 s")
        super().make_available(queue, buffer)


@mutant("SAFE-12", origin="cloud-hypervisor, pull request 8177: a huge length is walked page by page")
class WalksHugeChunks(Device):
    """A guest stops its own host process with a chunk of more pages than anybody has."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Hang where the count is beyond all memory."""
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
    """The host process ends as soon as a guest sends a second buffer, which is as good as the first.

    Where the second is malformed it looks as if that were why.
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
    """The host process stops as soon as its operator sets a target."""

    def operate(self, action: str, value: int) -> None:
        """Hang on it."""
        if action == OperatorAction.TARGET:
            raise ImplementationHung("no answer within 1 s")
        super().operate(action, value)


@mutant("SAFE-13")
class NeverPauses(ReferenceDevice):
    """A device that was given a target notifies its driver of it for ever."""

    def operate(self, action: str, value: int) -> None:
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


# -- what must be returned, malformed ---------------------------------------------------------------------


@mutant(
    "SAFE-03",
    also=("PFN-09", "REQ-19"),
    origin="Dragonball, candidate C3 (read in source): writable or odd-length descriptors are never returned",
)
class SwallowsMalformedBuffers(Device):
    """A malformed buffer never comes back, and its driver waits for ever.

    Also stray messages and arrays with a partial entry, whose return has a requirement of its own.
    """

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Return what is well-formed."""
        state, outputs = super().take(state, buffer)
        return state, (without_returns(outputs) if is_malformed(outputs) else outputs)


class _Sticks(Device):
    """It returns the malformed buffer, and nothing after that."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.stuck = False

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Stick on what is malformed."""
        state, outputs = super().take(state, buffer)
        if buffer.queue > 1:
            return state, outputs
        is_stuck, self.stuck = self.stuck, self.stuck or is_malformed(outputs)
        return state, (without_returns(outputs) if is_stuck else outputs)


@mutant("SAFE-05", origin="cloud-hypervisor, commit c1b5b18d9: one malformed descriptor ends the worker")
class SticksUntilTheReset(_Sticks):
    """After one malformed buffer the balloon is dead until the guest reboots."""

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Come to itself."""
        self.stuck = False
        return super().reset(state, given)


@mutant("SAFE-04", also=("SAFE-05",), origin="cloud-hypervisor, commit ce74caa6c: an error ends the worker")
class SticksForEver(_Sticks):
    """After one malformed buffer the balloon is dead, and a reboot does not bring it back."""


# -- what must be returned, well-formed -------------------------------------------------------------------


@mutant("QUEUE-07")
class NeedsAResetAfterEveryInflation(Device):
    """The device asks to be reset after every inflate buffer, which nothing was wrong with."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Set DEVICE_NEEDS_RESET."""
        state, outputs = super().take_inflate(state, buffer)
        return state, (NeedsReset(), *outputs)


@mutant(
    "QUEUE-07",
    also=("REQ-23", "SAFE-03", "DEF-07", "HDR-07", "QUEUE-05", "CONC-06"),
    origin="libkrun: kicks of the deflate queue are logged and never completed",
)
class NeverReturnsDeflateBuffers(Device):
    """The guest tells the host what it takes back, and waits for ever for the answer.

    Malformed buffers, foreign ones, and those of a driver that owes an answer, are among them.
    """

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold it."""
        state, outputs = super().take_deflate(state, buffer)
        return state, without_returns(outputs)


@mutant("DEF-07", also=("SAFE-03",))
class HoldsForeignDeflateBuffers(Device):
    """A driver that takes back a page it never gave waits for ever.

    Among the buffers held are those that name pages outside guest memory.
    """

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold what is not in the balloon."""
        foreign = self.read_pages(state, buffer).pages - state.balloon
        state, outputs = super().take_deflate(state, buffer)
        return state, (without_returns(outputs) if foreign else outputs)


@mutant("INF-06", origin="Firecracker, commit 55c28e031: pages named twice; posted driver, D5, names them so")
class HoldsWhatIsInTheBalloon(Device):
    """A driver that names a page again waits for ever."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold what is known."""
        known = self.read_pages(state, buffer).pages & state.balloon
        state, outputs = super().take_inflate(state, buffer)
        return state, (without_returns(outputs) if known else outputs)


@mutant("HDR-07", origin="Firecracker, candidate C2 (read in source): an oversized buffer is never returned")
class HoldsLongMessages(Device):
    """A large balloon's messages never come back, and its driver waits for ever."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold more than a page of chunks."""
        state, outputs = super().take_inflate(state, buffer)
        return state, (without_returns(outputs) if len(buffer.readable) > 8 + 4096 else outputs)


@mutant("QUEUE-07", origin="Firecracker, candidate C2 (read in source): no add_used above 1024 bytes")
class HoldsLongArrays(Device):
    """A driver that sends more than 256 pages a buffer, as that of Windows does, waits for ever."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold arrays above 1024 bytes."""
        state, outputs = super().take_inflate(state, buffer)
        long = not self.has(state, "CHUNK_TRANSFER") and len(buffer.readable) > 1024
        return state, (without_returns(outputs) if long else outputs)


@mutant("BUF-04")
class ReturnsABufferTwice(Device):
    """Every deflate buffer comes back a second time, and the driver takes it for one it sent since."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Return it, and return it again."""
        state, outputs = super().take_deflate(state, buffer)
        return state, (*outputs, self.return_buffer(buffer))


@mutant("BUF-04", also=("QUEUE-07", "REQ-23", "SAFE-03", "DEF-07", "HDR-07", "QUEUE-05", "CONC-06"))
class ReturnsOnTheWrongQueue(Device):
    """The driver finds a deflate buffer among the inflate buffers that came back.

    On its own queue it never does.
    """

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Return it on queue 0."""
        state, outputs = super().take_deflate(state, buffer)
        return state, tuple(replace(one, queue=0) if isinstance(one, Used) else one for one in outputs)


@mutant(
    "BUF-03",
    also=("BUF-07",),
    origin="cloud-hypervisor, commit ff78eb8fb: the used length of a read-only buffer is its length",
)
class ReportsTheLengthOfAnInflateBuffer(Device):
    """The driver is told that its message was written to.

    For a buffer with a device-writable part that is another requirement.
    """

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Report what was read."""
        state, outputs = super().take_inflate(state, buffer)
        length_bytes = len(buffer.readable)
        return state, tuple(
            replace(one, length_bytes=length_bytes) if isinstance(one, Used) else one for one in outputs
        )


@mutant("BUF-03", also=("BUF-07",), origin="StratoVirt, read in source: the used length is what was read")
class ReportsTheLengthOfStatistics(Device):
    """The driver is told that its statistics were written to.

    For a buffer with a device-writable part that is another requirement.
    """

    def return_statistics(self, state: DeviceState) -> Step:
        """Report what was read."""
        lengths = {one.buffer: len(one.readable) for one in state.statistics}
        state, outputs = super().return_statistics(state)
        return state, tuple(
            replace(one, length_bytes=lengths[one.buffer]) if isinstance(one, Used) else one
            for one in outputs
        )


@mutant("BUF-02")
class WritesIntoInflateBuffers(ReferenceDevice):
    """The driver's own message is overwritten while the device has it."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Clear it."""
        if queue == 0:
            self.diary.events.append(BufferAltered(0, buffer.name, bytes(len(buffer.readable)), Side.DEVICE))
        super().make_available(queue, buffer)


@mutant("BUF-07")
class ReportsMoreThanAMalformedBufferHolds(Device):
    """A driver that sends a buffer of the wrong direction is told of bytes that nobody wrote."""

    def return_buffer(self, buffer: Available) -> Used:
        """Report one byte more than the device-writable part has, if it has one."""
        used = super().return_buffer(buffer)
        room = buffer.writable_bytes
        return replace(used, length_bytes=room + 1) if room else used
