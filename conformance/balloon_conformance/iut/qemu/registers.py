"""Registers of a machine, in its memory or among its I/O ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from balloon_conformance.iut.qemu.qtest import QtestClient

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

    qtest: QtestClient
    address: int

    def read(self, offset: int, width: int) -> int:
        """Read ``width`` bytes, little-endian."""
        at = self.address + offset
        if width == 4:
            return self.qtest.readl(at)
        return self.qtest.readw(at) if width == 2 else self.qtest.readb(at)

    def write(self, offset: int, width: int, value: int) -> None:
        """Write ``width`` bytes, little-endian."""
        at = self.address + offset
        if width == 4:
            self.qtest.writel(at, value)
        elif width == 2:
            self.qtest.writew(at, value)
        else:
            self.qtest.writeb(at, value)


@dataclass(frozen=True, slots=True)
class PortRegisters:
    """Registers from an I/O port on."""

    qtest: QtestClient
    port: int

    def read(self, offset: int, width: int) -> int:
        """Read ``width`` bytes, little-endian."""
        at = self.port + offset
        if width == 4:
            return self.qtest.inl(at)
        return self.qtest.inw(at) if width == 2 else self.qtest.inb(at)

    def write(self, offset: int, width: int, value: int) -> None:
        """Write ``width`` bytes, little-endian."""
        at = self.port + offset
        if width == 4:
            self.qtest.outl(at, value)
        elif width == 2:
            self.qtest.outw(at, value)
        else:
            self.qtest.outb(at, value)


def pieces(offset: int, length_bytes: int) -> list[tuple[int, int]]:
    """Cut a range into aligned (offset, width) accesses, as wide as possible."""
    cut, end = [], offset + length_bytes
    while offset < end:
        width = next(w for w in (4, 2, 1) if not offset % w and offset + w <= end)
        cut.append((offset, width))
        offset += width
    return cut
