"""What it takes to drive a machine's devices: its physical addresses and I/O ports."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Machine"]


class Machine(Protocol):
    """Reads and writes a machine, each with one access.

    Every call raises :class:`~balloon_conformance.iut.contract.ImplementationCrashed` if the machine ended,
    and :class:`~balloon_conformance.iut.contract.ImplementationHung` if it does not answer.
    """

    def readb(self, address: int) -> int:
        """Read 8 bits of memory."""

    def readw(self, address: int) -> int:
        """Read 16 bits of memory."""

    def readl(self, address: int) -> int:
        """Read 32 bits of memory."""

    def writeb(self, address: int, value: int) -> None:
        """Write 8 bits to memory."""

    def writew(self, address: int, value: int) -> None:
        """Write 16 bits to memory."""

    def writel(self, address: int, value: int) -> None:
        """Write 32 bits to memory."""

    def inb(self, port: int) -> int:
        """Read 8 bits from an I/O port."""

    def inw(self, port: int) -> int:
        """Read 16 bits from an I/O port."""

    def inl(self, port: int) -> int:
        """Read 32 bits from an I/O port."""

    def outb(self, port: int, value: int) -> None:
        """Write 8 bits to an I/O port."""

    def outw(self, port: int, value: int) -> None:
        """Write 16 bits to an I/O port."""

    def outl(self, port: int, value: int) -> None:
        """Write 32 bits to an I/O port."""

    def wait(self, seconds: float) -> None:
        """Return after ``seconds``, or earlier if something happened meanwhile."""
