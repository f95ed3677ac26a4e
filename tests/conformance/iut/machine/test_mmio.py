"""The virtio-mmio transport against registers kept in a dictionary."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import AdapterError, ImplementationHung, ImplementationViolation
from balloon_conformance.iut.machine.mmio import VirtioMmio
from balloon_conformance.iut.machine.transport import Interrupts
from balloon_conformance.virtio import RingLayout

LAST_SLOT = 0xFEB00000 + 0x200 * 23


class Registers:
    """Answers reads from ``words`` (or a callable there) and keeps the writes with their widths."""

    def __init__(self, words=None):
        self.words = words or {}
        self.writes = []

    def _read(self, address):
        word = self.words.get(address, 0)
        return word() if callable(word) else word

    readb = readw = readl = _read

    def writeb(self, address, value):
        self.writes.append((1, address, value))

    def writew(self, address, value):
        self.writes.append((2, address, value))

    def writel(self, address, value):
        self.writes.append((4, address, value))


def device_at(address, version=2, device_id=5):
    return {address: 0x74726976, address + 4: version, address + 8: device_id}


@pytest.mark.parametrize("slot", [0, 7, 22, 23])
def test_finds_the_balloon_in_any_slot(slot):
    address = 0xFEB00000 + 0x200 * slot
    assert VirtioMmio.find(Registers(device_at(address))).address == address


def test_passes_other_devices_by():
    words = device_at(LAST_SLOT, device_id=4) | device_at(LAST_SLOT - 0x400)
    assert VirtioMmio.find(Registers(words)).address == LAST_SLOT - 0x400


def test_says_how_to_turn_the_legacy_interface_off():
    with pytest.raises(AdapterError, match=r"version 1, not 2; .*force-legacy=false"):
        VirtioMmio.find(Registers(device_at(LAST_SLOT, version=1)))


def test_says_when_there_is_no_balloon():
    with pytest.raises(AdapterError, match="none of the 24 virtio-mmio slots holds a device with id 5"):
        VirtioMmio.find(Registers())


def test_joins_both_feature_words():
    registers = Registers()
    registers.words[0x10] = lambda: {0: 0x30000006, 1: 0x101}[registers.writes[-1][2]]
    assert VirtioMmio(registers, 0).device_features() == 0x101_30000006


def test_writes_both_feature_words():
    registers = Registers()
    VirtioMmio(registers, 0).accept_features(0x1_00000002)
    assert registers.writes == [(4, 0x24, 0), (4, 0x20, 2), (4, 0x24, 1), (4, 0x20, 1)]


def test_sets_a_queue_up_and_makes_it_ready_last():
    registers = Registers()
    VirtioMmio(registers, 0).enable_queue(2, RingLayout(8, 0x1_00000000, 0x80, 0x2_00000100))
    assert registers.writes == [
        (4, 0x30, 2),
        (4, 0x38, 8),
        (4, 0x80, 0),
        (4, 0x84, 1),
        (4, 0x90, 0x80),
        (4, 0x94, 0),
        (4, 0xA0, 0x100),
        (4, 0xA4, 2),
        (4, 0x44, 1),
    ]


def test_a_queue_that_is_ready_after_a_reset_is_the_devices_fault():
    with pytest.raises(ImplementationViolation, match="queue 1 is ready although the device was reset"):
        VirtioMmio(Registers({0x44: 1}), 0).enable_queue(1, RingLayout.packed_at(0, 8))


@pytest.mark.parametrize(
    ("offset", "data", "writes"),
    [
        (4, b"\x01\x02\x03\x04", [(4, 0x104, 0x04030201)]),
        (6, b"\x01\x02", [(2, 0x106, 0x0201)]),
        (7, b"\x01", [(1, 0x107, 0x01)]),
        (3, b"\x01\x02\x03", [(1, 0x103, 0x01), (2, 0x104, 0x0302)]),
        (0, bytes(range(8)), [(4, 0x100, 0x03020100), (4, 0x104, 0x07060504)]),
    ],
)
def test_writes_configuration_with_the_widest_aligned_stores(offset, data, writes):
    registers = Registers()
    VirtioMmio(registers, 0).write_configuration(offset, data)
    assert registers.writes == writes


def test_reads_configuration_of_one_generation():
    generations = iter([1, 2, 2, 2])
    values = iter([0xAAAAAAAA, 0x00000013])
    registers = Registers({0xFC: lambda: next(generations), 0x100: lambda: next(values)})
    assert VirtioMmio(registers, 0).read_configuration(0, 4) == b"\x13\x00\x00\x00"


def test_a_generation_that_never_settles_is_a_hang():
    generations = iter(range(10**6))
    with pytest.raises(ImplementationHung, match="the configuration changed in each of 1000 reads"):
        VirtioMmio(Registers({0xFC: lambda: next(generations)}), 0).read_configuration(0, 4)


def test_a_reset_is_over_when_the_status_reads_0():
    statuses = iter([0x0F, 0x0F, 0])
    registers = Registers({0x70: lambda: next(statuses)})
    assert VirtioMmio(registers, 0).reset() == 0
    assert registers.writes == [(4, 0x70, 0)]


def test_a_reset_that_never_ends_tells_what_it_left():
    assert VirtioMmio(Registers({0x70: 0x0F}), 0).reset(0.0) == 0x0F


def test_acknowledges_the_interrupts_it_takes():
    registers = Registers({0x60: 3})
    assert VirtioMmio(registers, 0).take_interrupts() == Interrupts(configuration=True, used=True)
    assert registers.writes == [(4, 0x64, 3)]
    idle = Registers()
    assert VirtioMmio(idle, 0).take_interrupts() == Interrupts()
    assert idle.writes == []
