"""The window onto the configuration space of a device, against a mock made of bytes."""

from __future__ import annotations

import pytest
from fake_pci_function import BAR, DEVICE, WINDOW, FakeFunction

from balloon_conformance.iut.machine.pci.capabilities import StructureKind, choose, structures
from balloon_conformance.iut.machine.pci.function import place_bars
from balloon_conformance.iut.machine.pci.window import Window


class Windowed(FakeFunction):
    """Carries out an access to the data of its window behind BAR 4, as VIRTIO has it."""

    def __init__(self):
        super().__init__()
        self.behind = bytearray(0x4000)
        self.behind[0x2004:0x2008] = bytes.fromhex("04 03 02 01")
        self.window = self.at[-1]
        self.widths = []

    def _where(self):
        assert self.bytes[self.window + 4] == BAR
        return (
            int.from_bytes(self.bytes[self.window + at : self.window + at + 4], "little") for at in (8, 12)
        )

    def read(self, offset, width):
        if offset == self.window + 16:
            at, length = self._where()
            self.widths.append(width)
            if length in {1, 2, 4}:
                self.bytes[offset : offset + length] = self.behind[at : at + length]
        return super().read(offset, width)

    def write(self, offset, width, value):
        super().write(offset, width, value)
        if self.window <= offset <= self.window + 16:
            self._put(offset, width, value)
        if offset == self.window + 16:
            at, length = self._where()
            self.behind[at : at + length] = self.bytes[offset : offset + length]


@pytest.fixture
def function():
    return Windowed()


@pytest.fixture
def window(function):
    found = choose(structures(function), place_bars(function))
    assert (found[StructureKind.WINDOW].kind, found[StructureKind.DEVICE].kind) == (WINDOW, DEVICE)
    return Window(function, found[StructureKind.WINDOW], found[StructureKind.DEVICE])


@pytest.mark.parametrize(("offset", "length"), [(4, 4), (4, 2), (6, 2), (5, 1), (7, 1)])
def test_a_part_is_read_with_one_access_of_its_length(function, window, offset, length):
    assert window.read(offset, length) == bytes.fromhex("04 03 02 01")[offset - 4 : offset - 4 + length]
    assert function.widths == [length]


@pytest.mark.parametrize("length", [0, 3, 5, 0xFFFFFFFF])
def test_an_illegal_length_reaches_the_device_as_it_is(function, window, length):
    assert len(window.read(4, length)) == 4
    assert (function.window + 12, 4, length) in function.written
    assert function.widths == [4]


def test_what_is_written_goes_to_the_structure(function, window):
    window.write(4, 2, b"\x0a\x0b\x0c\x0d")
    assert function.behind[0x2004:0x2008] == bytes.fromhex("0a 0b 02 01")
    assert function.written[-1] == (function.window + 16, 4, 0x0D0C0B0A)
