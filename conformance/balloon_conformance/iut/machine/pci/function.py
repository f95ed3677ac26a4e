"""A PCI function: its configuration space, how it is found on bus 0, and where its BARs are placed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from balloon_conformance.iut.contract import AdapterError, ImplementationViolation
from balloon_conformance.iut.machine.registers import MemoryRegisters, PortRegisters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from balloon_conformance.iut.machine.access import Machine
    from balloon_conformance.iut.machine.registers import Registers

__all__ = ["Bar", "ConfigurationSpace", "PciFunction", "bars_in_place", "place_bars", "silence_intx"]

_ADDRESS_PORT: Final = 0xCF8
_DATA_PORT: Final = 0xCFC
_ENABLE: Final = 1 << 31
_SLOTS: Final = 32

_IDENTITY: Final = 0x00
_COMMAND: Final = 0x04
_BARS: Final = 0x10
_BAR_COUNT: Final = 6
_SUBSYSTEM: Final = 0x2C

_COMMAND_PORTS: Final = 1 << 0
_COMMAND_MEMORY: Final = 1 << 1
_COMMAND_BUS_MASTER: Final = 1 << 2
_COMMAND_NO_INTX: Final = 1 << 10

_VENDOR: Final = 0x1AF4
_FIRST_MODERN_ID: Final = 0x1040
_TRANSITIONAL_IDS: Final = range(0x1000, 0x1040)

_FIRST_MEMORY_ADDRESS: Final = 0xE000_0000
"""A PC has neither RAM nor anything else here, up to the interrupt controllers."""
_END_OF_MEMORY_ADDRESS: Final = 0xFEC0_0000
_FIRST_PORT: Final = 0xC000
_END_OF_PORTS: Final = 0x1_0000


class ConfigurationSpace(Protocol):
    """The 256 bytes of a function's configuration space."""

    def read(self, offset: int, width: int) -> int:
        """Read 1, 2 or 4 bytes at an aligned offset."""

    def write(self, offset: int, width: int, value: int) -> None:
        """Write 1, 2 or 4 bytes at an aligned offset."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A base address register: ``size_bytes`` of memory, or of ports, placed at ``base``."""

    is_ports: bool
    size_bytes: int
    base: int

    def registers(self, machine: Machine, offset: int = 0) -> Registers:
        """Return what is behind it from an offset on."""
        kind = PortRegisters if self.is_ports else MemoryRegisters
        return kind(machine, self.base + offset)


class PciFunction:
    """Function 0 of the device in a slot of bus 0; its configuration space is reached through two ports."""

    def __init__(self, machine: Machine, slot: int) -> None:
        self._machine = machine
        self.slot = slot

    @classmethod
    def find(cls, machine: Machine, device_id: int) -> PciFunction:
        """Return the virtio function with a virtio ``device_id``, whether it is transitional or not.

        Raises :class:`AdapterError` if bus 0 has none.
        """
        for slot in range(_SLOTS):
            function = cls(machine, slot)
            if function._virtio_id() == device_id:
                return function
        raise AdapterError(f"PCI bus 0 has no virtio device with id {device_id}; does this machine have PCI?")

    @property
    def is_transitional(self) -> bool:
        """Whether its id says that it has the legacy interface too."""
        return self.read(_IDENTITY, 4) >> 16 in _TRANSITIONAL_IDS

    def read(self, offset: int, width: int) -> int:
        """Read 1, 2 or 4 bytes of the configuration space, at an aligned offset."""
        self._select(offset)
        return PortRegisters(self._machine, _DATA_PORT).read(offset & 3, width)

    def write(self, offset: int, width: int, value: int) -> None:
        """Write 1, 2 or 4 bytes of the configuration space, at an aligned offset."""
        self._select(offset)
        PortRegisters(self._machine, _DATA_PORT).write(offset & 3, width, value)

    def _select(self, offset: int) -> None:
        self._machine.outl(_ADDRESS_PORT, _ENABLE | self.slot << 11 | offset & ~3)

    def _virtio_id(self) -> int | None:
        identity = self.read(_IDENTITY, 4)
        vendor, device = identity & 0xFFFF, identity >> 16
        if vendor != _VENDOR:
            return None
        if device in _TRANSITIONAL_IDS:
            return self.read(_SUBSYSTEM, 4) >> 16
        return device - _FIRST_MODERN_ID


def place_bars(space: ConfigurationSpace) -> Mapping[int, Bar]:
    """Give every BAR of a function an address, and have it answer there; return them by number.

    The function may become master of the bus then, as it has to be for messages in place of interrupts.
    Raises :class:`ImplementationViolation` for BARs that no machine has room for.
    """
    command = space.read(_COMMAND, 2) & ~(_COMMAND_PORTS | _COMMAND_MEMORY)
    space.write(_COMMAND, 2, command)
    bars: dict[int, Bar] = {}
    memory, ports, number = _FIRST_MEMORY_ADDRESS, _FIRST_PORT, 0
    while number < _BAR_COUNT:
        is_ports, is_wide, size = _examine(space, number)
        if size & (size - 1):
            raise ImplementationViolation(f"BAR {number} asks for {size} bytes, which is no power of 2")
        if size:
            free = ports if is_ports else memory
            base = free + -free % size
            if base + size > (_END_OF_PORTS if is_ports else _END_OF_MEMORY_ADDRESS):
                raise ImplementationViolation(f"BAR {number} asks for {size} bytes, which no machine has")
            space.write(_BARS + 4 * number, 4, base)
            if is_wide:
                space.write(_BARS + 4 * number + 4, 4, 0)
            bars[number] = Bar(is_ports, size, base)
            if is_ports:
                ports = base + size
            else:
                memory = base + size
        number += 2 if is_wide else 1
    space.write(_COMMAND, 2, command | _COMMAND_PORTS | _COMMAND_MEMORY | _COMMAND_BUS_MASTER)
    return bars


def bars_in_place(space: ConfigurationSpace) -> Mapping[int, Bar]:
    """Return every BAR of a function by number, where firmware or a kernel has put it.

    The function answers there, and may become master of the bus.
    """
    command = space.read(_COMMAND, 2)
    space.write(_COMMAND, 2, command & ~(_COMMAND_PORTS | _COMMAND_MEMORY))
    bars: dict[int, Bar] = {}
    number = 0
    while number < _BAR_COUNT:
        at = _BARS + 4 * number
        low, high = space.read(at, 4), space.read(at + 4, 4)
        is_ports, is_wide, size = _examine(space, number)
        space.write(at, 4, low)
        if is_wide:
            space.write(at + 4, 4, high)
        if size:
            base = low & ~(3 if is_ports else 0xF) | (high << 32 if is_wide else 0)
            bars[number] = Bar(is_ports, size, base)
        number += 2 if is_wide else 1
    space.write(_COMMAND, 2, command | _COMMAND_PORTS | _COMMAND_MEMORY | _COMMAND_BUS_MASTER)
    return bars


def silence_intx(space: ConfigurationSpace, *, silent: bool) -> None:
    """Say whether the function may raise INTx."""
    command = space.read(_COMMAND, 2)
    space.write(_COMMAND, 2, command | _COMMAND_NO_INTX if silent else command & ~_COMMAND_NO_INTX)


def _examine(space: ConfigurationSpace, number: int) -> tuple[bool, bool, int]:
    """Return whether a BAR is one of ports, whether it is 64 bits wide, and its size in bytes, 0 for none."""
    at = _BARS + 4 * number
    kind = space.read(at, 4)
    space.write(at, 4, 0xFFFF_FFFF)
    mask = space.read(at, 4)
    if kind & 1:
        return True, False, -(mask & ~3) & 0xFFFF if mask & ~3 else 0
    is_wide = kind >> 1 & 3 == 2 and number + 1 < _BAR_COUNT
    mask &= ~0xF
    if is_wide:
        space.write(at + 4, 4, 0xFFFF_FFFF)
        mask |= space.read(at + 4, 4) << 32
    width = 64 if is_wide else 32
    return False, is_wide, -mask & ((1 << width) - 1) if mask else 0
