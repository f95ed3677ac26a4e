"""A synchronous client of qtest, QEMU's line protocol for access to a machine's physical addresses.

One request is one line, one answer is one line that begins with ``OK`` or ``FAIL``. Lines that begin with
``IRQ`` come at any time and are no answers; they are counted and dropped.
"""

from __future__ import annotations

import base64
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["QtestClient"]

_LINE_LIMIT_BYTES: Final = 1 << 16
_WRITE_BYTES: Final = 1 << 15
_BITS: Final = {"b": 8, "w": 16, "l": 32, "q": 64}


class QtestClient:
    """Reads and writes physical addresses and I/O ports of the machine at the other end of ``connection``.

    ``last_words`` returns evidence of how the peer ended; it is called once the peer closed the connection.
    Every call raises :class:`ImplementationCrashed` if the peer ended, :class:`ImplementationHung` if it does
    not answer within ``answer_seconds``, and :class:`AdapterError` if its answer is not qtest. After that the
    connection is unusable, and every later call raises the same error.
    """

    def __init__(
        self,
        connection: socket.socket,
        answer_seconds: float,
        last_words: Callable[[], str] = lambda: "the connection was closed",
    ) -> None:
        self._socket = connection
        self._answer_seconds = answer_seconds
        self._last_words = last_words
        self._received = bytearray()
        self._lost: Exception | None = None
        self.interrupt_lines = 0

    def close(self) -> None:
        """Close the connection; harmless if called twice."""
        self._socket.close()

    def readb(self, address: int) -> int:
        """Read 8 bits."""
        return self._read("b", address)

    def readw(self, address: int) -> int:
        """Read 16 bits."""
        return self._read("w", address)

    def readl(self, address: int) -> int:
        """Read 32 bits."""
        return self._read("l", address)

    def readq(self, address: int) -> int:
        """Read 64 bits."""
        return self._read("q", address)

    def writeb(self, address: int, value: int) -> None:
        """Write 8 bits with one store."""
        self._write("b", address, value)

    def writew(self, address: int, value: int) -> None:
        """Write 16 bits with one store."""
        self._write("w", address, value)

    def writel(self, address: int, value: int) -> None:
        """Write 32 bits with one store."""
        self._write("l", address, value)

    def writeq(self, address: int, value: int) -> None:
        """Write 64 bits; a device may see two stores."""
        self._write("q", address, value)

    def inb(self, port: int) -> int:
        """Read 8 bits from an I/O port."""
        return self._read("b", port, "in")

    def inw(self, port: int) -> int:
        """Read 16 bits from an I/O port."""
        return self._read("w", port, "in")

    def inl(self, port: int) -> int:
        """Read 32 bits from an I/O port."""
        return self._read("l", port, "in")

    def outb(self, port: int, value: int) -> None:
        """Write 8 bits to an I/O port."""
        self._write("b", port, value, "out")

    def outw(self, port: int, value: int) -> None:
        """Write 16 bits to an I/O port."""
        self._write("w", port, value, "out")

    def outl(self, port: int, value: int) -> None:
        """Write 32 bits to an I/O port."""
        self._write("l", port, value, "out")

    def write(self, address: int, data: bytes) -> None:
        """Write any number of bytes, as a processor of the machine would."""
        for at in range(0, len(data), _WRITE_BYTES):
            piece = data[at : at + _WRITE_BYTES]
            text = base64.b64encode(piece).decode("ascii")
            self.command(f"b64write {address + at:#x} {len(piece):#x} {text}")

    def command(self, text: str, answer_seconds: float | None = None) -> str:
        """Send one command and return the part of its answer after ``OK``."""
        if self._lost:
            raise self._lost
        seconds = self._answer_seconds if answer_seconds is None else answer_seconds
        deadline = time.monotonic() + seconds
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(text.encode("ascii") + b"\n")
        except TimeoutError:
            raise self._lose(_hung(text, seconds)) from None
        except OSError:
            raise self._lose(self._crashed()) from None
        while (line := self._next_line()) is None:
            if not self._receive(deadline):
                raise self._lose(_hung(text, seconds))
        word, _, rest = line.partition(" ")
        if word != "OK":
            raise self._lose(
                AdapterError(f"qtest answered {text!r} with {line[:80]!r}, not OK; is the peer QEMU's qtest?")
            )
        return rest

    def wait(self, seconds: float) -> None:
        """Return after ``seconds``, or as soon as the peer sends something by itself.

        Raises :class:`ImplementationCrashed` at once if the peer ends meanwhile.
        """
        if self._lost:
            raise self._lost
        if self._receive(time.monotonic() + seconds) and self._next_line() is not None:
            raise self._lose(
                AdapterError("qtest sent a line that nobody asked for; is the peer QEMU's qtest?")
            )

    def _read(self, width: str, address: int, verb: str = "read") -> int:
        answer = self.command(f"{verb}{width} {address:#x}")
        with suppress(ValueError):
            value = int(answer, 16)
            if 0 <= value < 1 << _BITS[width]:
                return value
        raise self._lose(
            AdapterError(f"qtest {verb}{width} answered {answer[:80]!r}, not a number of {_BITS[width]} bits")
        )

    def _write(self, width: str, address: int, value: int, verb: str = "write") -> None:
        if not 0 <= value < 1 << _BITS[width]:
            raise ValueError(f"{value:#x} does not fit the {_BITS[width]} bits of {verb}{width}")
        self.command(f"{verb}{width} {address:#x} {value:#x}")

    def _next_line(self) -> str | None:
        """Take the next line that is no interrupt from what was received; None if there is none."""
        while (end := self._received.find(b"\n")) >= 0:
            line = self._received[:end].decode("ascii", "backslashreplace").rstrip("\r")
            del self._received[: end + 1]
            if not line.startswith("IRQ "):
                return line
            self.interrupt_lines += 1
        if len(self._received) > _LINE_LIMIT_BYTES:
            raise self._lose(
                AdapterError(f"qtest sent {_LINE_LIMIT_BYTES} bytes without a line end; is the peer QEMU's?")
            )
        return None

    def _receive(self, deadline: float) -> bool:
        """Wait for bytes until the deadline; return False if none came."""
        # A timeout of zero would make the socket non-blocking, which raises another exception.
        self._socket.settimeout(max(deadline - time.monotonic(), 1e-6))
        try:
            data = self._socket.recv(_LINE_LIMIT_BYTES)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        if not data:
            raise self._lose(self._crashed())
        self._received += data
        return True

    def _crashed(self) -> ImplementationCrashed:
        return ImplementationCrashed(f"QEMU ended: {self._last_words()}")

    def _lose(self, error: Exception) -> Exception:
        """Remember why the connection is unusable."""
        self._lost = error
        return error


def _hung(text: str, seconds: float) -> ImplementationHung:
    return ImplementationHung(f"QEMU did not answer {text[:80]!r} within {seconds:g} seconds")
