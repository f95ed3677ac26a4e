"""The virtio-mmio transport, version 2, through a machine's registers (VIRTIO 1.2, section 4.2)."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut.contract import AdapterError, ImplementationViolation
from balloon_conformance.iut.machine.registers import MemoryRegisters
from balloon_conformance.iut.machine.transport import BALLOON_DEVICE_ID, Interrupts, Status, Transport

if TYPE_CHECKING:
    from balloon_conformance.iut.machine.access import Machine
    from balloon_conformance.virtio import RingLayout

__all__ = ["Register", "VirtioMmio"]

_MAGIC: Final = 0x74726976
_FIRST_SLOT_ADDRESS: Final = 0xFEB0_0000
_SLOT_BYTES: Final = 0x200
_SLOTS: Final = 24
"""The virtio-mmio slots of QEMU's microvm. Without a second IOAPIC only the first 8 exist."""


class Register(IntEnum):
    """Offsets of the registers (table 4.1), all 32 bits wide."""

    MAGIC = 0x000
    VERSION = 0x004
    DEVICE_ID = 0x008
    DEVICE_FEATURES = 0x010
    DEVICE_FEATURES_SELECT = 0x014
    DRIVER_FEATURES = 0x020
    DRIVER_FEATURES_SELECT = 0x024
    QUEUE_SELECT = 0x030
    QUEUE_SIZE_MAXIMUM = 0x034
    QUEUE_SIZE = 0x038
    QUEUE_READY = 0x044
    QUEUE_NOTIFY = 0x050
    INTERRUPT_STATUS = 0x060
    INTERRUPT_ACKNOWLEDGE = 0x064
    STATUS = 0x070
    QUEUE_DESCRIPTORS = 0x080
    QUEUE_AVAILABLE = 0x090
    QUEUE_USED = 0x0A0
    CONFIGURATION_GENERATION = 0x0FC
    CONFIGURATION = 0x100


class _Interrupt(IntFlag):
    """Bits of InterruptStatus."""

    USED_BUFFER = 1
    CONFIGURATION_CHANGE = 2


class VirtioMmio(Transport):
    """One virtio-mmio device at a physical address."""

    def __init__(self, machine: Machine, address: int) -> None:
        super().__init__(machine, MemoryRegisters(machine, address + Register.CONFIGURATION))
        self.address = address

    @property
    def registers_address(self) -> int:
        """The address of its first register."""
        return self.address

    @classmethod
    def find(cls, machine: Machine, device_id: int = BALLOON_DEVICE_ID) -> VirtioMmio:
        """Return the device with ``device_id``; :class:`AdapterError` if the machine has none."""
        # QEMU fills its slots from the last one down.
        for slot in reversed(range(_SLOTS)):
            if device := cls.at(machine, _FIRST_SLOT_ADDRESS + _SLOT_BYTES * slot, device_id):
                return device
        raise AdapterError(f"none of the {_SLOTS} virtio-mmio slots holds a device with id {device_id}")

    @classmethod
    def at(cls, machine: Machine, address: int, device_id: int) -> VirtioMmio | None:
        """Return the device at an address, None if it has another id.

        Raises :class:`AdapterError` for one with the legacy interface.
        """
        device = cls(machine, address)
        if device.read(Register.MAGIC) != _MAGIC or device.read(Register.DEVICE_ID) != device_id:
            return None
        if (version := device.read(Register.VERSION)) != 2:
            raise AdapterError(
                f"the virtio-mmio device at {address:#x} has version {version}, not 2;"
                " start QEMU with -global virtio-mmio.force-legacy=false"
            )
        return device

    def read(self, register: Register) -> int:
        """Read a register."""
        return self._machine.readl(self.address + register)

    def write(self, register: Register, value: int) -> None:
        """Write a register."""
        self._machine.writel(self.address + register, value)

    def status(self) -> Status:
        """Read the device status."""
        return Status(self.read(Register.STATUS))

    def write_status(self, status: int) -> None:
        """Write the device status."""
        self.write(Register.STATUS, status)

    def generation(self) -> int:
        """Read ConfigGeneration."""
        return self.read(Register.CONFIGURATION_GENERATION)

    def device_features(self) -> int:
        """Read the features the device offers, 64 bits."""
        low, high = (self._device_features(word) for word in (0, 1))
        return high << 32 | low

    def accept_features(self, features: int) -> None:
        """Write the features the driver accepts, 64 bits."""
        for word in (0, 1):
            self.write(Register.DRIVER_FEATURES_SELECT, word)
            self.write(Register.DRIVER_FEATURES, features >> 32 * word & 0xFFFF_FFFF)

    def queue_size_maximum(self, index: int) -> int:
        """Return how many descriptors queue ``index`` may have; 0 if it does not exist."""
        self.write(Register.QUEUE_SELECT, index)
        return self.read(Register.QUEUE_SIZE_MAXIMUM)

    def enable_queue(self, index: int, layout: RingLayout) -> None:
        """Give the device the addresses of queue ``index``, and tell it that the queue is ready."""
        self.write(Register.QUEUE_SELECT, index)
        if self.read(Register.QUEUE_READY):
            raise ImplementationViolation(
                f"queue {index} is ready although the device was reset and nobody set it up since (4.2.2.1)"
            )
        self.write(Register.QUEUE_SIZE, layout.size)
        for register, address in (
            (Register.QUEUE_DESCRIPTORS, layout.descriptors_address),
            (Register.QUEUE_AVAILABLE, layout.available_address),
            (Register.QUEUE_USED, layout.used_address),
        ):
            self._machine.writel(self.address + register, address & 0xFFFF_FFFF)
            self._machine.writel(self.address + register + 4, address >> 32)
        self.write(Register.QUEUE_READY, 1)

    def notify(self, index: int) -> None:
        """Tell the device that queue ``index`` has buffers."""
        self.write(Register.QUEUE_NOTIFY, index)

    def take_interrupts(self) -> Interrupts:
        """Return and acknowledge the pending interrupts."""
        pending = self.read(Register.INTERRUPT_STATUS)
        if pending:
            self.write(Register.INTERRUPT_ACKNOWLEDGE, pending)
        return Interrupts(
            configuration=bool(pending & _Interrupt.CONFIGURATION_CHANGE),
            used=bool(pending & _Interrupt.USED_BUFFER),
        )

    def _device_features(self, word: int) -> int:
        self.write(Register.DEVICE_FEATURES_SELECT, word)
        return self.read(Register.DEVICE_FEATURES)
