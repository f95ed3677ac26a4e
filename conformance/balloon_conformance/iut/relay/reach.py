"""A machine whose registers and memory the relay reaches from inside."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from balloon_conformance.iut.contract import AdapterError

if TYPE_CHECKING:
    from balloon_conformance.iut.relay.link import Link

__all__ = ["RelayedMachine"]

_BLOCK_BYTES = 0x1000
"""So many bytes are read with one operation."""
_WRITE_BYTES = 0x380
"""So many are written with one."""


class RelayedMachine:
    """Reads and writes physical addresses and I/O ports of the guest's machine, and files of the guest.

    What is written waits for the next read, and goes with it in one request. All is done in the order of the
    calls. What a write raises comes up there.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: list[str] = []

    def ask(self, operations: Sequence[str]) -> list[str]:
        """Have operations carried out after those that wait; return the answer of each."""
        waiting, self._waiting = self._waiting, []
        return self._link.ask([*waiting, *operations])[len(waiting) :]

    def flush(self) -> None:
        """Carry out what waits."""
        self.ask(())

    def readb(self, address: int) -> int:
        """Read 8 bits of memory."""
        return self._number(f"r1,{address:x}")

    def readw(self, address: int) -> int:
        """Read 16 bits of memory."""
        return self._number(f"r2,{address:x}")

    def readl(self, address: int) -> int:
        """Read 32 bits of memory."""
        return self._number(f"r4,{address:x}")

    def writeb(self, address: int, value: int) -> None:
        """Write 8 bits to memory."""
        self._waiting.append(f"w1,{address:x},{value:x}")

    def writew(self, address: int, value: int) -> None:
        """Write 16 bits to memory."""
        self._waiting.append(f"w2,{address:x},{value:x}")

    def writel(self, address: int, value: int) -> None:
        """Write 32 bits to memory."""
        self._waiting.append(f"w4,{address:x},{value:x}")

    def inb(self, port: int) -> int:
        """Read 8 bits from an I/O port."""
        return self._number(f"i1,{port:x}")

    def inw(self, port: int) -> int:
        """Read 16 bits from an I/O port."""
        return self._number(f"i2,{port:x}")

    def inl(self, port: int) -> int:
        """Read 32 bits from an I/O port."""
        return self._number(f"i4,{port:x}")

    def outb(self, port: int, value: int) -> None:
        """Write 8 bits to an I/O port."""
        self._waiting.append(f"o1,{port:x},{value:x}")

    def outw(self, port: int, value: int) -> None:
        """Write 16 bits to an I/O port."""
        self._waiting.append(f"o2,{port:x},{value:x}")

    def outl(self, port: int, value: int) -> None:
        """Write 32 bits to an I/O port."""
        self._waiting.append(f"o4,{port:x},{value:x}")

    def wait(self, seconds: float) -> None:
        """Return after ``seconds``: nothing in the guest speaks by itself."""
        self.flush()
        time.sleep(seconds)

    def read(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the bytes at each (address, length in bytes)."""
        asked = [f"R,{at:x},{size:x}" for address, length in spans for at, size in _pieces(address, length)]
        answers = iter(self.ask(asked))
        return [
            b"".join(self._bytes(next(answers), size) for _, size in _pieces(address, length))
            for address, length in spans
        ]

    def write(self, spans: Sequence[tuple[int, bytes]]) -> None:
        """Write bytes to addresses, in this order."""
        self._waiting += [
            f"W,{address + at:x},{data[at : at + _WRITE_BYTES].hex()}"
            for address, data in spans
            for at in range(0, len(data), _WRITE_BYTES)
        ]

    def checks(self, spans: Sequence[tuple[int, int]]) -> list[int]:
        """Return the CRC-32 of the bytes at each (address, length in bytes)."""
        answers = self.ask([f"K,{address:x},{length:x}" for address, length in spans])
        return [self._value(answer) for answer in answers]

    def file(self, name: str) -> str | None:
        """Return the contents of a small file in the guest; None if it cannot be read."""
        try:
            (answer,) = self.ask([f"L,{name.encode().hex()}"])
        except AdapterError:
            return None
        return self._bytes(answer, len(answer) // 2).decode("utf-8", "replace")

    def _number(self, operation: str) -> int:
        (answer,) = self.ask([operation])
        return self._value(answer)

    @staticmethod
    def _value(answer: str) -> int:
        try:
            return int(answer, 16)
        except ValueError:
            raise AdapterError(f"the relay answered {answer[:40]!r}, which is no number") from None

    @staticmethod
    def _bytes(answer: str, length: int) -> bytes:
        try:
            data = bytes.fromhex(answer)
        except ValueError:
            data = b""
        if len(data) != length:
            raise AdapterError(f"the relay answered {answer[:40]!r}, not {length} bytes")
        return data


def _pieces(address: int, length: int) -> Iterator[tuple[int, int]]:
    """Cut a range into pieces that one operation reads."""
    for at in range(0, length, _BLOCK_BYTES):
        yield address + at, min(_BLOCK_BYTES, length - at)
