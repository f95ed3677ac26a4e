"""The legacy interface of a transitional virtio function: I/O ports behind BAR 0 (VIRTIO 1.2, 4.1.4.10).

It has 32 feature bits and no FEATURES_OK, no generation of the configuration space, and queues of the size
that the device chose. The suite's guest is little-endian, and so is what has the byte order of the guest.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Final

from balloon_conformance.iut.contract import AdapterError, ImplementationViolation
from balloon_conformance.iut.machine.pci.interrupts import Intx, Msix, Signals
from balloon_conformance.iut.machine.transport import Interrupts, Status, Transport
from balloon_conformance.iut.sight import NotVisible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from balloon_conformance.iut.machine.access import Machine
    from balloon_conformance.iut.machine.pci.function import Bar, ConfigurationSpace
    from balloon_conformance.iut.machine.pci.interrupts import MessageWords
    from balloon_conformance.virtio import RingLayout

__all__ = ["LegacyPci"]

_PAGE_SHIFT: Final = 12
_HEADER_BYTES: Final = 20
_VECTORS_BYTES: Final = 4
_SIZE_LIMIT: Final = 1 << 15
_QUEUES: Final = 64
"""As many queues as anybody asks a legacy device for: it does not tell how many it has."""


class _Register(IntEnum):
    """Offsets of the registers."""

    DEVICE_FEATURES = 0
    DRIVER_FEATURES = 4
    QUEUE_ADDRESS = 8
    QUEUE_SIZE = 12
    QUEUE_SELECT = 14
    QUEUE_NOTIFY = 16
    DEVICE_STATUS = 18
    ISR_STATUS = 19
    CONFIGURATION_VECTOR = 20
    QUEUE_VECTOR = 22


class LegacyPci(Transport):
    """A transitional function with its BARs in place, driven as by a driver that is older than VIRTIO 1.0.

    ``words`` are for the messages of MSI-X; without them the function raises INTx. Raises
    :class:`AdapterError` if the function has no legacy interface.
    """

    is_legacy: ClassVar[bool] = True

    def __init__(
        self,
        machine: Machine,
        space: ConfigurationSpace,
        bars: Mapping[int, Bar],
        words: MessageWords | None = None,
    ) -> None:
        bar = bars.get(0)
        if bar is None or not bar.is_ports:
            raise AdapterError("the device has no ports behind BAR 0; use --qemu-transport pci")
        header_bytes = _HEADER_BYTES + (_VECTORS_BYTES if words else 0)
        super().__init__(machine, bar.registers(machine, header_bytes))
        self._registers = bar.registers(machine)
        self._signals: Signals = (
            Msix.enabled(space, bars, machine, _QUEUES, words)
            if words
            else Intx(space, bar.registers(machine, _Register.ISR_STATUS))
        )

    def status(self) -> Status:
        """Read the device status."""
        return Status(self._registers.read(_Register.DEVICE_STATUS, 1))

    def write_status(self, status: int) -> None:
        """Write the device status."""
        self._registers.write(_Register.DEVICE_STATUS, 1, status)

    def begin(self) -> None:
        """Map configuration changes, which a reset unmapped."""
        self._signals.begin(self)

    def generation(self) -> None:
        """There is none."""

    def device_features(self) -> int:
        """Read the features the device offers, 32 bits."""
        return self._registers.read(_Register.DEVICE_FEATURES, 4)

    def accept_features(self, features: int) -> None:
        """Write the features the driver accepts; :class:`NotVisible` for a bit that has no register."""
        if features >> 32:
            raise NotVisible("the legacy interface has 32 feature bits, and the case needs another")
        self._registers.write(_Register.DRIVER_FEATURES, 4, features)

    def queue_size_maximum(self, index: int) -> int:
        """Return how many descriptors queue ``index`` has; 0 if it does not exist."""
        self._select(index)
        size = self._registers.read(_Register.QUEUE_SIZE, 2)
        if size & (size - 1) or size > _SIZE_LIMIT:
            raise ImplementationViolation(
                f"queue_size of queue {index} is {size}, and not 0 or a power of 2 up to {_SIZE_LIMIT} (2.7)"
            )
        return size

    def enable_queue(self, index: int, layout: RingLayout) -> None:
        """Give the device the number of the page at which queue ``index`` begins."""
        self._select(index)
        if self._registers.read(_Register.QUEUE_ADDRESS, 4):
            raise ImplementationViolation(
                f"queue {index} has an address although the device was reset and nobody gave it one since"
            )
        self._signals.add_queue(index, self)
        self._select(index)
        self._registers.write(_Register.QUEUE_ADDRESS, 4, layout.descriptors_address >> _PAGE_SHIFT)

    def notify(self, index: int) -> None:
        """Tell the device that queue ``index`` has buffers."""
        self._registers.write(_Register.QUEUE_NOTIFY, 2, index)

    def take_interrupts(self) -> Interrupts:
        """Return and acknowledge the pending interrupts."""
        return self._signals.take()

    def map_configuration(self, vector: int) -> int:
        """Map configuration changes to a vector; return what the register reads then."""
        self._registers.write(_Register.CONFIGURATION_VECTOR, 2, vector)
        return self._registers.read(_Register.CONFIGURATION_VECTOR, 2)

    def map_queue(self, index: int, vector: int) -> int:
        """Map used buffers of a queue to a vector; return what the register reads then."""
        self._select(index)
        self._registers.write(_Register.QUEUE_VECTOR, 2, vector)
        return self._registers.read(_Register.QUEUE_VECTOR, 2)

    def _select(self, index: int) -> None:
        self._registers.write(_Register.QUEUE_SELECT, 2, index)
