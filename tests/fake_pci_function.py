"""A virtio function made of bytes: a mock of a PCI configuration space and of what lies behind its BARs.

It shows nothing about any real device. Its capabilities can be laid wrongly, and its registers are what a test
makes of them.
"""

from __future__ import annotations

import struct

COMMON, NOTIFY, ISR, DEVICE, WINDOW = 1, 2, 3, 4, 5
MSIX = 0x11
BAR = 4
NO_VECTOR = 0xFFFF

MODERN_ID, TRANSITIONAL_ID = 0x1045, 0x1002
"""The device ids of a balloon."""
USUAL = (
    (COMMON, BAR, 0x0000, 0x38),
    (ISR, BAR, 0x1000, 0x10),
    (DEVICE, BAR, 0x2000, 0x10),
    (NOTIFY, BAR, 0x3000, 0x100),
    (WINDOW, 0, 0, 0),
)
"""(kind, BAR, offset, length) of the structures of a function that is in order."""


class FakeFunction:
    """256 bytes of configuration space, of which drivers can write only the registers that are for them.

    ``at`` are the offsets of the capabilities, in the order of the list.
    """

    def __init__(self, laid=USUAL, *, device_id=MODERN_ID, msix_vectors=0, bar_bytes=0x4000, lengths=None):
        self.bytes = bytearray(256)
        self.sizes = {0: (True, 0x40), BAR: (False, bar_bytes)}
        self.written = []
        struct.pack_into("<HHHH", self.bytes, 0, 0x1AF4, device_id, 0, 0x10)
        struct.pack_into("<HH", self.bytes, 0x2C, 0x1AF4, 5)
        self.bytes[0x10] = 1
        self.bytes[0x10 + 4 * BAR] = 0xC
        self.at = []
        last, offset = 0x34, 0x40
        for kind, bar, begin, length in laid:
            size = (lengths or {}).get(kind, 20 if kind in {NOTIFY, WINDOW} else 16)
            struct.pack_into(
                "<BBBBB3xIII", self.bytes, offset, 9, 0, size, kind, bar, begin, length,
                4 if kind == NOTIFY else 0,
            )  # fmt: skip
            last = self._chain(last, offset)
            offset += 20
        if msix_vectors:
            struct.pack_into(
                "<BBHII", self.bytes, offset, MSIX, 0, msix_vectors - 1, 0x800 | BAR, 0xC00 | BAR
            )
            self._chain(last, offset)

    def _chain(self, last, offset):
        self.bytes[last] = offset
        self.at.append(offset)
        return offset + 1

    def read(self, offset, width):
        assert offset % width == 0
        return int.from_bytes(self.bytes[offset : offset + width], "little")

    def write(self, offset, width, value):
        assert offset % width == 0
        self.written.append((offset, width, value))
        if 0x10 <= offset < 0x28:
            number = (offset - 0x10) // 4
            is_ports, size = self.sizes.get(number, (False, 0))
            if number - 1 == BAR:
                # The upper half of a BAR of 64 bits.
                self._put(offset, 4, value)
            elif size:
                self._put(offset, 4, value & -size & 0xFFFFFFFF | (1 if is_ports else 0xC))
        elif offset == 0x04 or any(self.bytes[at] == MSIX and offset == at + 2 for at in self.at):
            self._put(offset, width, value)

    def _put(self, offset, width, value):
        self.bytes[offset : offset + width] = value.to_bytes(width, "little")


class Registers:
    """Bytes behind a BAR: what is written reads back, and ``on_write`` may change that."""

    def __init__(self, length_bytes=0x4000):
        self.bytes = bytearray(length_bytes)
        self.writes = []

    def read(self, offset, width):
        return int.from_bytes(self.bytes[offset : offset + width], "little")

    def write(self, offset, width, value):
        self.writes.append((offset, width, value))
        self.bytes[offset : offset + width] = value.to_bytes(width, "little")


class FakeMachine:
    """Answers as qtest does: a configuration space behind two ports, and registers behind its BARs.

    A subclass says in ``store`` what a write to the modern interface brings about.
    """

    def __init__(self, function, slot=3):
        self.function, self.slot = function, slot
        self.memory, self.ports = bytearray(function.sizes[BAR][1]), bytearray(0x40)
        self.stores = []
        self._address = 0

    def inl(self, port):
        return self._in(port, 4)

    def inw(self, port):
        return self._in(port, 2)

    def inb(self, port):
        return self._in(port, 1)

    def outl(self, port, value):
        self._out(port, 4, value)

    def outw(self, port, value):
        self._out(port, 2, value)

    def outb(self, port, value):
        self._out(port, 1, value)

    def _in(self, port, width):
        if port & ~3 == 0xCFC:
            if self._address >> 11 & 31 != self.slot:
                return (1 << 8 * width) - 1
            return self.function.read(self._address & 0xFC | port & 3, width)
        at = port - (self.function.read(0x10, 4) & ~3)
        return int.from_bytes(self.ports[at : at + width], "little")

    def _out(self, port, width, value):
        if port == 0xCF8:
            assert value >> 31 == 1
            self._address = value
        elif port & ~3 == 0xCFC:
            self.function.write(self._address & 0xFC | port & 3, width, value)
        else:
            at = port - (self.function.read(0x10, 4) & ~3)
            self.stores.append((at, width, value))
            self.ports[at : at + width] = value.to_bytes(width, "little")

    def _at(self, address):
        assert self.function.read(0x04, 2) & 2, "memory is not switched on"
        return address - (self.function.read(0x10 + 4 * BAR, 4) & ~0xF)

    def readb(self, address):
        return self._load(address, 1)

    def readw(self, address):
        return self._load(address, 2)

    def readl(self, address):
        return self._load(address, 4)

    def _load(self, address, width):
        at = self._at(address)
        return self.load(at, width)

    def load(self, at, width):
        return int.from_bytes(self.memory[at : at + width], "little")

    def writeb(self, address, value):
        self._store(address, 1, value)

    def writew(self, address, value):
        self._store(address, 2, value)

    def writel(self, address, value):
        self._store(address, 4, value)

    def _store(self, address, width, value):
        at = self._at(address)
        self.stores.append((at, width, value))
        self.store(at, width, value)

    def store(self, at, width, value):
        self.memory[at : at + width] = value.to_bytes(width, "little")
