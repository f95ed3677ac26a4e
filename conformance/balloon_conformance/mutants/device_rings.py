"""Devices that follow broken rings as they stand."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from balloon_conformance.iut.contract import Buffer, ImplementationCrashed, ImplementationHung, Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.iut.ring_breach import RingBreach
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_spec.events import RingBroken, Side
from balloon_spec.families.base import pfn_array
from balloon_spec.families.base.pfn_array import PfnArray
from balloon_spec.feature import RING_FEATURES
from balloon_spec.pages import PAGE_SHIFT

_LOOPS = frozenset({RingBreach.NEXT_TO_ITSELF, RingBreach.NEXT_TO_HEAD})
_CHAINS_BEYOND = frozenset({RingBreach.NEXT_BEYOND_TABLE, RingBreach.NEXT_FAR_BEYOND})
_HEADS_BEYOND = frozenset({RingBreach.HEAD_BEYOND_TABLE, RingBreach.HEAD_FAR_BEYOND})
_INDIRECT_BIT = next(one.bit for one in RING_FEATURES if one.name == "INDIRECT_DESC")
_INDICES = frozenset({RingBreach.INDEX_AHEAD, RingBreach.INDEX_BEHIND})


class _Crashes(ReferenceDevice):
    """A device that ends at some breaches."""

    at: ClassVar[Collection[RingBreach]]

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Read outside the tables."""
        if breach in self.at:
            raise ImplementationCrashed("exit status 139")
        super().break_ring(queue, breach)


@mutant("SAFE-12", origin="the walk of a chain without a count; QEMU has had one since 2008")
class FollowsLoops(ReferenceDevice):
    """A guest hangs its host process with a descriptor chain that loops."""

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Follow it, which takes for ever."""
        if breach in _LOOPS:
            raise ImplementationHung("no answer within 1 s")
        super().break_ring(queue, breach)


@mutant("SAFE-02")
class FollowsChainsOutOfTheTable(_Crashes):
    """A guest crashes its host process with a descriptor chain that leaves the table."""

    at = _CHAINS_BEYOND


@mutant("SAFE-02")
class TakesAnyHead(_Crashes):
    """A guest crashes its host process with a chain that begins behind the table."""

    at = _HEADS_BEYOND


@mutant("SAFE-02")
class AssertsTheIndex(_Crashes):
    """A guest ends its host process with an available index that jumps, which the process asserts of none."""

    at = _INDICES


@mutant("SAFE-12")
class CountsDownToTheIndex(ReferenceDevice):
    """A guest hangs its host process with an available index that moves back."""

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Wait until the index is met, which it never is."""
        if breach is RingBreach.INDEX_BEHIND:
            raise ImplementationHung("no answer within 1 s")
        super().break_ring(queue, breach)


@mutant("SAFE-02")
class AssertsTheFeature(_Crashes):
    """A guest ends its host process with an indirect descriptor that nobody negotiated."""

    at = frozenset({RingBreach.INDIRECT_UNASKED})


@mutant("SAFE-04")
class StopsForGood(ReferenceDevice):
    """After one broken ring the balloon is dead until the virtual machine is started anew."""

    def start(self, setup: Setup) -> None:
        """Begin with rings in order."""
        super().start(setup)
        self._stopped = False

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Stop, and forget to begin again at a reset."""
        super().break_ring(queue, breach)
        self._stopped = True

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Leave the buffer where it is."""
        if not self._stopped:
            super().make_available(queue, buffer)


@mutant("SAFE-02")
class EndsWithItsRings(ReferenceDevice):
    """A guest crashes its host process by giving up the memory of the rings themselves."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Discard the pages, and assert that the rings are as they were."""
        page = self.rings(queue)[0][0] >> PAGE_SHIFT
        if queue < 2 and buffer.readable == page.to_bytes(4, "little"):
            raise ImplementationCrashed("exit status 134")
        super().make_available(queue, buffer)


@mutant("BUF-04")
class ClearsItsOwnRings(ReferenceDevice):
    """A device-writable part over the used ring is cleared, and a driver finds buffers that it never sent."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Clear what it may write."""
        super().make_available(queue, buffer)
        start, _ = self.rings(queue)[2]
        if any(one.writable and one.address == start for one in buffer.segments):
            self.log.events.append(RingBroken(Side.DEVICE, queue, "used-jump", "the index moved by 65534"))


class _OffersIndirect(Device):
    """A device that has rings, and takes indirect tables."""

    def offer(self) -> int:
        """Offer INDIRECT_DESC too."""
        return super().offer() | 1 << _INDIRECT_BIT


@mutant("SAFE-12", origin="a table of no bytes is one of all entries to who counts them down")
class FollowsIndirectTables(ReferenceDevice):
    """A guest hangs its host process with an indirect table of no bytes, or one that loops."""

    def __init__(self) -> None:
        super().__init__(_OffersIndirect)

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Follow it, which takes for ever."""
        if breach in {RingBreach.INDIRECT_EMPTY, RingBreach.INDIRECT_LOOP}:
            raise ImplementationHung("no answer within 1 s")
        super().break_ring(queue, breach)


@mutant("SAFE-02")
class NestsIndirectTables(ReferenceDevice):
    """A guest crashes its host process with an indirect table within an indirect table."""

    def __init__(self) -> None:
        super().__init__(_OffersIndirect)

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Call itself for each of them."""
        if breach is RingBreach.INDIRECT_NESTED:
            raise ImplementationCrashed("exit status 139")
        super().break_ring(queue, breach)


@mutant(
    "SAFE-01", origin="QEMU 7.2 (run): reads its own registers where no memory is, and takes them for pages"
)
class ReadsItsRegisters(ReferenceDevice):
    """A buffer that lies in the device's registers discards the pages whose numbers stand there."""

    registers_address = 0xFEB0_0000

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Read the version and the device id, 2 and 5."""
        if any(one.address == self.registers_address for one in buffer.segments):
            buffer = Buffer(buffer.name, pfn_array.build(PfnArray((2, 5))), notify=buffer.notify)
        super().make_available(queue, buffer)
