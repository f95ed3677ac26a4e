"""Devices that never return a buffer, return it wrongly, or fail after a malformed one."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from balloon_conformance.iut.contract import Buffer
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.device_parts import is_malformed, without_returns
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceOptions, DeviceState
from balloon_spec.events import (
    Available,
    BufferAltered,
    NeedsReset,
    Reset,
    Side,
    Used,
)
from balloon_spec.families.base import DEFLATE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.queues import Queue

# -- what must be returned, malformed ---------------------------------------------------------------------


@mutant(
    "SAFE-03",
    also=("PFN-09", "REQ-19"),
    origin="Dragonball, candidate C3 (read in source): writable or odd-length descriptors are never returned",
)
class SwallowsMalformedBuffers(Device):
    """A malformed buffer never comes back, and its driver waits for ever.

    Stray messages and arrays with a partial entry, whose return has a requirement of its own, do not come
    back either.
    """

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Return well-formed buffers only."""
        state, outputs = super().take(state, buffer)
        return state, (without_returns(outputs) if is_malformed(outputs) else outputs)


class _Sticks(Device):
    """Returns the malformed buffer, and nothing after that."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.stuck = False

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Stop at a malformed buffer."""
        state, outputs = super().take(state, buffer)
        if buffer.queue > 1:
            return state, outputs
        is_stuck, self.stuck = self.stuck, self.stuck or is_malformed(outputs)
        return state, (without_returns(outputs) if is_stuck else outputs)


@mutant("SAFE-05", origin="cloud-hypervisor, commit c1b5b18d9: one malformed descriptor ends the worker")
class SticksUntilTheReset(_Sticks):
    """After one malformed buffer the balloon is dead until the guest reboots."""

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Recover at a reset."""
        self.stuck = False
        return super().reset(state, given)


@mutant("SAFE-04", also=("SAFE-05",), origin="cloud-hypervisor, commit ce74caa6c: an error ends the worker")
class SticksForEver(_Sticks):
    """After one malformed buffer the balloon is dead, and a reboot does not bring it back."""


@mutant("SAFE-04", also=("QUEUE-07",))
class DeflatesNeverAgainAfterTheReset(_Sticks):
    """After a malformed buffer and a reboot, the guest waits for ever to get pages back.

    If no deflate buffer came back before, all that is known is that one was not returned.
    """

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.dead = False

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Hold deflate buffers after such a reset."""
        after, outputs = Device.take(self, state, buffer)
        self.stuck = self.stuck or is_malformed(outputs)
        held = self.dead and self.queue(state, buffer.queue) is DEFLATE
        return after, (without_returns(outputs) if held else outputs)

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Remember what was malformed."""
        self.dead = self.stuck
        return super().reset(state, given)


# -- what must be returned, well-formed -------------------------------------------------------------------


@mutant("QUEUE-07")
class NeedsAResetAfterEveryInflation(Device):
    """The device asks for a reset after every inflate buffer, although nothing was wrong."""

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
    """The guest tells the host which pages it takes back, and waits for ever for the return.

    Malformed buffers, those that name foreign pages, and those of a driver that owes an answer are held too.
    """

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold it."""
        state, outputs = super().take_deflate(state, buffer)
        return state, without_returns(outputs)


@mutant("DEF-07", also=("SAFE-03",))
class HoldsForeignDeflateBuffers(Device):
    """A driver that takes back a page it never gave up waits for ever.

    Buffers that name pages outside guest memory are held too.
    """

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold buffers with pages that are not in the balloon."""
        foreign = self.read_pages(state, buffer).pages - state.balloon
        state, outputs = super().take_deflate(state, buffer)
        return state, (without_returns(outputs) if foreign else outputs)


@mutant("INF-06", origin="Firecracker, commit 55c28e031: pages named twice; posted driver, D5, names them so")
class HoldsWhatIsInTheBalloon(Device):
    """A driver that names a page again waits for ever."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold buffers with known pages."""
        known = self.read_pages(state, buffer).pages & state.balloon
        state, outputs = super().take_inflate(state, buffer)
        return state, (without_returns(outputs) if known else outputs)


@mutant("HDR-07", origin="Firecracker, candidate C2 (read in source): an oversized buffer is never returned")
class HoldsLongMessages(Device):
    """A large balloon's messages never come back, and its driver waits for ever."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold messages with more than 4096 bytes of chunks."""
        state, outputs = super().take_inflate(state, buffer)
        return state, (without_returns(outputs) if len(buffer.readable) > 8 + 4096 else outputs)


class _HoldsVeryLongMessages(Device):
    """Holds buffers with more than 64 KiB of chunks on one queue."""

    long_queue: ClassVar[Queue]

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Hold it."""
        state, outputs = super().take(state, buffer)
        is_long = self.queue(state, buffer.queue) is self.long_queue and len(buffer.readable) > 8 + 65536
        return state, (without_returns(outputs) if is_long else outputs)


@mutant("HDR-07")
class HoldsVeryLongDeflations(_HoldsVeryLongMessages):
    """A guest with pages of 64 KiB waits for ever to have a large balloon back."""

    long_queue = DEFLATE


@mutant("HDR-07")
class HoldsVeryLongAnswers(_HoldsVeryLongMessages):
    """The answer of a guest with pages of 64 KiB never comes back, and its migration waits for the rest."""

    long_queue = HOST_REQUEST


@mutant("QUEUE-07", origin="Firecracker, candidate C2 (read in source): no add_used above 1024 bytes")
class HoldsLongArrays(Device):
    """A driver that sends more than 256 pages in a buffer, as that of Windows does, waits for ever."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold arrays above 1024 bytes."""
        state, outputs = super().take_inflate(state, buffer)
        long = not self.has(state, "CHUNK_TRANSFER") and len(buffer.readable) > 1024
        return state, (without_returns(outputs) if long else outputs)


@mutant("BUF-04")
class ReturnsABufferTwice(Device):
    """Every deflate buffer comes back twice, and the driver takes the second for a later buffer's return."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Return it, and return it again."""
        state, outputs = super().take_deflate(state, buffer)
        return state, (*outputs, self.return_buffer(buffer))


@mutant("BUF-04", also=("QUEUE-07", "REQ-23", "SAFE-03", "DEF-07", "HDR-07", "QUEUE-05", "CONC-06"))
class ReturnsOnTheWrongQueue(Device):
    """A deflate buffer comes back on the inflate queue.

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

    For a buffer with a device-writable part that breaks another requirement.
    """

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Report the length that was read."""
        state, outputs = super().take_inflate(state, buffer)
        length_bytes = len(buffer.readable)
        return state, tuple(
            replace(one, length_bytes=length_bytes) if isinstance(one, Used) else one for one in outputs
        )


@mutant("BUF-02")
class WritesIntoInflateBuffers(ReferenceDevice):
    """The driver's message is overwritten while the device has it."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Clear it."""
        if queue == 0:
            self.log.events.append(BufferAltered(0, buffer.name, bytes(len(buffer.readable)), Side.DEVICE))
        super().make_available(queue, buffer)


@mutant("BUF-07")
class ReportsMoreThanAMalformedBufferHolds(Device):
    """A driver that sends a buffer of the wrong direction is told of bytes that nobody wrote."""

    def return_buffer(self, buffer: Available) -> Used:
        """Report one byte more than the device-writable part has, if there is one."""
        used = super().return_buffer(buffer)
        room = buffer.writable_bytes
        return replace(used, length_bytes=room + 1) if room else used
