"""Devices that follow descriptors as they stand: of no bytes, longer than memory, past 2^64, out of order."""

from __future__ import annotations

from collections.abc import Sequence

from balloon_conformance.iut.contract import Buffer, ImplementationCrashed, ImplementationHung
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceState, Discard
from balloon_spec.events import Available, Segment
from balloon_spec.segments import inward, writable_ranges

_BEHIND = (0x300).to_bytes(4, "little")
"""What lies in memory behind a descriptor, and names a page as an entry of an array."""
_FIRST_PAGE = bytes(4)
"""What page 0 begins with."""
_HIGHEST = 1 << 64
_GIB = 1 << 30


def _empty(segments: Sequence[Segment]) -> bool:
    return any(not one.length_bytes for one in segments)


def _wraps(segment: Segment) -> bool:
    return segment.address is not None and segment.address + segment.length_bytes > _HIGHEST


class _ReadsMore(ReferenceDevice):
    """A device that reads ``more`` as entries of an array which is laid in some way; it holds itself safe."""

    def more(self, buffer: Buffer) -> bytes:
        """Return the bytes that are read in place of the buffer's, empty to read those."""
        raise NotImplementedError

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Hand over other bytes."""
        is_array = queue < 2 and not self.device.has(self.device.state, "CHUNK_TRANSFER")
        if is_array and buffer.segments and (read := self.more(buffer)):
            buffer = Buffer(buffer.name, read, notify=buffer.notify)
        super().make_available(queue, buffer)


@mutant("SAFE-01")
class TakesNoBytesForAll(_ReadsMore):
    """A descriptor of no bytes is read as one of 4 GiB, and pages vanish that nobody named."""

    def more(self, buffer: Buffer) -> bytes:
        """Read on behind it."""
        return buffer.readable + _BEHIND if _empty(buffer.segments) else b""


@mutant("SAFE-01")
class LetsDescriptorsWrap(_ReadsMore):
    """A descriptor past the end of the address space is read on at address 0, and page 0 vanishes."""

    def more(self, buffer: Buffer) -> bytes:
        """Compare the sum, which wrapped, with the end of memory."""
        return _FIRST_PAGE if any(map(_wraps, buffer.segments)) else b""


@mutant("SAFE-01")
class ReadsWhatItMayWrite(_ReadsMore):
    """A device-writable descriptor in front of the array is read as a part of it, and names another page."""

    def more(self, buffer: Buffer) -> bytes:
        """Take the descriptors as they come."""
        first = buffer.segments[0]
        if not first.writable or first.address is None or not buffer.readable:
            return b""
        return (first.address >> 12).to_bytes(4, "little") + buffer.readable


@mutant("SAFE-12", origin="QEMU, CVE-2016-6490: virtqueue_pop loops for ever at a buffer of zero size")
class MapsNothingForEver(ReferenceDevice):
    """A guest hangs its host process with a descriptor of no bytes."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Map until as much is mapped as was asked for, which never comes about."""
        if _empty(buffer.segments):
            raise ImplementationHung("no answer within 1 s")
        super().make_available(queue, buffer)


@mutant("SAFE-02")
class CopiesWhatIsAsked(ReferenceDevice):
    """A guest crashes its host process with a descriptor of 1 GiB that begins in its memory."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Check where it begins, and copy all of it."""
        for one in buffer.segments:
            begins_inside = one.address is not None and one.address >> 12 in self.memory
            if begins_inside and not one.writable and one.length_bytes >= _GIB:
                raise ImplementationCrashed("exit status 139")
        super().make_available(queue, buffer)


@mutant("SAFE-02")
class SumsLengthsIn32Bits(ReferenceDevice):
    """A guest crashes its host process with descriptors of 4 GiB together."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Allocate what the sum says, and fill more."""
        total_bytes = sum(one.length_bytes for one in buffer.segments)
        if total_bytes >= (1 << 32) - 1:
            raise ImplementationCrashed("exit status 139")
        super().make_available(queue, buffer)


@mutant("SAFE-01")
class ClearsWhatItMayWrite(Device):
    """A buffer with a device-writable part loses the memory that the part points at."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Clear it first."""
        state, outputs = super().take_inflate(state, buffer)
        pages = inward(writable_ranges(buffer.segments)) & self.options.memory
        return state, ((Discard(pages), *outputs) if pages else outputs)
