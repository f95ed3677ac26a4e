"""The virtio-mmio transport, version 2, through a machine's registers (VIRTIO 1.2, section 4.2)."""

from __future__ import annotations

import time
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut.contract import (
    AdapterError,
    ImplementationHung,
    ImplementationViolation,
)

if TYPE_CHECKING:
    from balloon_conformance.iut.qemu.qtest import QtestClient
    from balloon_conformance.virtio import RingLayout

__all__ = ["BALLOON_DEVICE_ID", "Interrupt", "Register", "Status", "VirtioMmio"]

BALLOON_DEVICE_ID: Final = 5
_MAGIC: Final = 0x74726976
_FIRST_SLOT_ADDRESS: Final = 0xFEB0_0000
_SLOT_BYTES: Final = 0x200
_SLOTS: Final = 24
"""The virtio-mmio slots of QEMU's microvm. Without a second IOAPIC only the first 8 exist."""
_RETRIES: Final = 1000
_RESET_SECONDS: Final = 5.0
"""How long a device may take to be reset."""


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


class Status(IntFlag):
    """Bits of the device status (section 2.1)."""

    ACKNOWLEDGE = 1
    DRIVER = 2
    DRIVER_OK = 4
    FEATURES_OK = 8
    DEVICE_NEEDS_RESET = 64
    FAILED = 128


class Interrupt(IntFlag):
    """Bits of InterruptStatus."""

    USED_BUFFER = 1
    CONFIGURATION_CHANGE = 2


class VirtioMmio:
    """One virtio-mmio device at a physical address."""

    def __init__(self, qtest: QtestClient, address: int) -> None:
        self._qtest = qtest
        self.address = address

    @classmethod
    def find(cls, qtest: QtestClient, device_id: int = BALLOON_DEVICE_ID) -> VirtioMmio:
        """Return the device with ``device_id``; :class:`AdapterError` if the machine has none."""
        # QEMU fills its slots from the last one down.
        for slot in reversed(range(_SLOTS)):
            device = cls(qtest, _FIRST_SLOT_ADDRESS + _SLOT_BYTES * slot)
            if device.read(Register.MAGIC) != _MAGIC or device.read(Register.DEVICE_ID) != device_id:
                continue
            if (version := device.read(Register.VERSION)) != 2:
                raise AdapterError(
                    f"the virtio-mmio device at {device.address:#x} has version {version}, not 2;"
                    " start QEMU with -global virtio-mmio.force-legacy=false"
                )
            return device
        raise AdapterError(f"none of the {_SLOTS} virtio-mmio slots holds a device with id {device_id}")

    def read(self, register: Register) -> int:
        """Read a register."""
        return self._qtest.readl(self.address + register)

    def write(self, register: Register, value: int) -> None:
        """Write a register."""
        self._qtest.writel(self.address + register, value)

    def reset(self, deadline_seconds: float = _RESET_SECONDS) -> Status:
        """Reset the device and wait until it is done (4.2.2.1, 2.4); return its status then.

        That is 0, unless the deadline passed.
        """
        self.write(Register.STATUS, 0)
        until = time.monotonic() + deadline_seconds
        while (left := self.status()) and time.monotonic() < until:
            pass
        return left

    def status(self) -> Status:
        """Read the device status."""
        return Status(self.read(Register.STATUS))

    def add_status(self, bits: Status) -> Status:
        """Set more bits of the device status; return the status that the device shows then."""
        self.write(Register.STATUS, self.status() | bits)
        return self.status()

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
            self._qtest.writel(self.address + register, address & 0xFFFF_FFFF)
            self._qtest.writel(self.address + register + 4, address >> 32)
        self.write(Register.QUEUE_READY, 1)

    def notify(self, index: int) -> None:
        """Tell the device that queue ``index`` has buffers."""
        self.write(Register.QUEUE_NOTIFY, index)

    def wait(self, seconds: float) -> None:
        """Wait; raises :class:`ImplementationCrashed` at once if the machine ends meanwhile."""
        self._qtest.wait(seconds)

    def take_interrupts(self) -> Interrupt:
        """Return and acknowledge the pending interrupts."""
        pending = self.read(Register.INTERRUPT_STATUS)
        if pending:
            self.write(Register.INTERRUPT_ACKNOWLEDGE, pending)
        return Interrupt(pending)

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space, all of it from one generation (2.5.3)."""
        for _ in range(_RETRIES):
            before = self.read(Register.CONFIGURATION_GENERATION)
            data = b"".join(
                self._load(at, width).to_bytes(width, "little") for at, width in _pieces(offset, length_bytes)
            )
            if self.read(Register.CONFIGURATION_GENERATION) == before:
                return data
        raise ImplementationHung(f"ConfigGeneration changed in each of {_RETRIES} reads of the configuration")

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space, with one store if 1, 2 or 4 bytes go to an aligned offset."""
        for at, width in _pieces(offset, len(data)):
            value = int.from_bytes(data[at - offset : at - offset + width], "little")
            address = self.address + Register.CONFIGURATION + at
            if width == 4:
                self._qtest.writel(address, value)
            elif width == 2:
                self._qtest.writew(address, value)
            else:
                self._qtest.writeb(address, value)

    def _device_features(self, word: int) -> int:
        self.write(Register.DEVICE_FEATURES_SELECT, word)
        return self.read(Register.DEVICE_FEATURES)

    def _load(self, offset: int, width: int) -> int:
        address = self.address + Register.CONFIGURATION + offset
        if width == 4:
            return self._qtest.readl(address)
        return self._qtest.readw(address) if width == 2 else self._qtest.readb(address)


def _pieces(offset: int, length_bytes: int) -> list[tuple[int, int]]:
    """Cut a range of the configuration space into aligned (offset, width) accesses, as wide as possible."""
    pieces, end = [], offset + length_bytes
    while offset < end:
        width = next(w for w in (4, 2, 1) if not offset % w and offset + w <= end)
        pieces.append((offset, width))
        offset += width
    return pieces
