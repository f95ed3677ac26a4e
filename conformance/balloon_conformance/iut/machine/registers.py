"""Registers of a machine, in its memory or among its I/O ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from balloon_conformance.iut.machine.access import Machine

__all__ = ["MemoryRegisters", "PortRegisters", "Registers", "pieces"]


class Registers(Protocol):
    """Bytes at offsets that are read and written 1, 2 or 4 at a time, each with one access."""

    def read(self, offset: int, width: int) -> int:
        """Read ``width`` bytes, little-endian."""

    def write(self, offset: int, width: int, value: int) -> None:
        """Write ``width`` bytes, little-endian."""


@dataclass(frozen=True, slots=True)
class MemoryRegisters:
    """Registers from a guest-physical address on."""

    machine: Machine
    address: int

    def read(self, offset: int, width: int) -> int:
        """Read ``width`` bytes, little-endian."""
        at = self.address + offset
        if width == 4:
            return self.machine.readl(at)
        return self.machine.readw(at) if width == 2 else self.machine.readb(at)

    def write(self, offset: int, width: int, value: int) -> None:
        """Write ``width`` bytes, little-endian."""
        at = self.address + offset
        if width == 4:
            self.machine.writel(at, value)
        elif width == 2:
            self.machine.writew(at, value)
        else:
            self.machine.writeb(at, value)


@dataclass(frozen=True, slots=True)
class PortRegisters:
    """Registers from an I/O port on."""

    machine: Machine
    port: int

    def read(self, offset: int, width: int) -> int:
        """Read ``width`` bytes, little-endian."""
        at = self.port + offset
        if width == 4:
            return self.machine.inl(at)
        return self.machine.inw(at) if width == 2 else self.machine.inb(at)

    def write(self, offset: int, width: int, value: int) -> None:
        """Write ``width`` bytes, little-endian."""
        at = self.port + offset
        if width == 4:
            self.machine.outl(at, value)
        elif width == 2:
            self.machine.outw(at, value)
        else:
            self.machine.outb(at, value)


def pieces(offset: int, length_bytes: int) -> list[tuple[int, int]]:
    """Cut a range into aligned (offset, width) accesses, as wide as possible."""
    cut, end = [], offset + length_bytes
    while offset < end:
        width = next(w for w in (4, 2, 1) if not offset % w and offset + w <= end)
        cut.append((offset, width))
        offset += width
    return cut
