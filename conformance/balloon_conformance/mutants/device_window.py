"""Devices that are wrong about the window that PCI has onto the configuration space."""

from __future__ import annotations

from balloon_conformance.iut.contract import ImplementationCrashed
from balloon_conformance.iut.reference.adapter import WINDOW_LENGTHS, ReferenceDevice
from balloon_conformance.mutants.mutant import mutant


@mutant(
    "SAFE-13",
    origin="QEMU, issue 2576: the length of the window was taken for that of the access, without a check",
)
class DiesOfAWindowOfAnIllegalLength(ReferenceDevice):
    """A guest ends its device with a read of three bytes."""

    def read_window(self, offset: int, length_bytes: int) -> bytes:
        """Crash."""
        if length_bytes not in WINDOW_LENGTHS:
            raise ImplementationCrashed(f"assertion failed: length {length_bytes}")
        return super().read_window(offset, length_bytes)


@mutant("CFG-06")
class ShowsWholeWordsThroughTheWindow(ReferenceDevice):
    """Firmware that reads a byte through the window gets the first of its word, whichever it wanted."""

    def read_window(self, offset: int, length_bytes: int) -> bytes:
        """Read from the beginning of the word."""
        return super().read_window(offset & ~3, length_bytes)


@mutant("CFG-06")
class DropsWhatComesThroughTheWindow(ReferenceDevice):
    """Firmware that counts its balloon through the window is not heard."""

    def write_window(self, offset: int, length_bytes: int, data: bytes) -> None:
        """Do nothing."""
