"""The modern interface of a virtio function: structures behind BARs (VIRTIO 1.2, section 4.1.4)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut.contract import ImplementationViolation
from balloon_conformance.iut.machine.pci.capabilities import StructureKind, choose, structures
from balloon_conformance.iut.machine.pci.interrupts import Intx, Msix, Signals
from balloon_conformance.iut.machine.pci.window import Window
from balloon_conformance.iut.machine.transport import Interrupts, Status, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from balloon_conformance.iut.machine.access import Machine
    from balloon_conformance.iut.machine.pci.capabilities import Structure
    from balloon_conformance.iut.machine.pci.function import Bar, ConfigurationSpace
    from balloon_conformance.iut.machine.pci.interrupts import MessageWords
    from balloon_conformance.virtio import RingLayout

__all__ = ["Common", "VirtioPci"]

_SIZE_LIMIT: Final = 1 << 15
_NOTIFICATION_BYTES: Final = 2


class Common(IntEnum):
    """Offsets in the common configuration (4.1.4.3)."""

    DEVICE_FEATURE_SELECT = 0
    DEVICE_FEATURE = 4
    DRIVER_FEATURE_SELECT = 8
    DRIVER_FEATURE = 12
    CONFIGURATION_VECTOR = 16
    QUEUE_COUNT = 18
    DEVICE_STATUS = 20
    CONFIGURATION_GENERATION = 21
    QUEUE_SELECT = 22
    QUEUE_SIZE = 24
    QUEUE_VECTOR = 26
    QUEUE_ENABLE = 28
    QUEUE_NOTIFY_OFFSET = 30
    QUEUE_DESCRIPTORS = 32
    QUEUE_DRIVER = 40
    QUEUE_DEVICE = 48


class VirtioPci(Transport):
    """A virtio function with its BARs in place.

    ``words`` are for the messages of MSI-X; without them the function raises INTx. Raises
    :class:`ImplementationViolation` for capabilities that cannot be.
    """

    def __init__(
        self,
        machine: Machine,
        space: ConfigurationSpace,
        bars: Mapping[int, Bar],
        words: MessageWords | None = None,
    ) -> None:
        found = choose(structures(space), bars)
        common, notify, isr, device = (
            bars[found[kind].bar].registers(machine, found[kind].offset)
            for kind in (
                StructureKind.COMMON,
                StructureKind.NOTIFICATIONS,
                StructureKind.ISR,
                StructureKind.DEVICE,
            )
        )
        super().__init__(machine, device)
        self._common, self._notifications = common, notify
        if (window := found.get(StructureKind.WINDOW)) is not None:
            self.window = Window(space, window, found[StructureKind.DEVICE])
        self._notify: Structure = found[StructureKind.NOTIFICATIONS]
        self._signals: Signals = (
            Msix.enabled(space, bars, machine, common.read(Common.QUEUE_COUNT, 2), words)
            if words
            else Intx(space, isr)
        )

    def status(self) -> Status:
        """Read the device status."""
        return Status(self._common.read(Common.DEVICE_STATUS, 1))

    def write_status(self, status: int) -> None:
        """Write the device status."""
        self._common.write(Common.DEVICE_STATUS, 1, status)

    def begin(self) -> None:
        """Map configuration changes, which a reset unmapped."""
        self._signals.begin(self)

    def generation(self) -> int:
        """Read config_generation."""
        return self._common.read(Common.CONFIGURATION_GENERATION, 1)

    def device_features(self) -> int:
        """Read the features the device offers, 64 bits."""
        features = 0
        for word in (0, 1):
            self._common.write(Common.DEVICE_FEATURE_SELECT, 4, word)
            features |= self._common.read(Common.DEVICE_FEATURE, 4) << 32 * word
        return features

    def accept_features(self, features: int) -> None:
        """Write the features the driver accepts, 64 bits."""
        for word in (0, 1):
            self._common.write(Common.DRIVER_FEATURE_SELECT, 4, word)
            self._common.write(Common.DRIVER_FEATURE, 4, features >> 32 * word & 0xFFFF_FFFF)

    def queue_size_maximum(self, index: int) -> int:
        """Return how many descriptors queue ``index`` may have; 0 if it does not exist.

        Raises :class:`ImplementationViolation` for a number that no split virtqueue can have.
        """
        self._select(index)
        size = self._common.read(Common.QUEUE_SIZE, 2)
        if size & (size - 1) or size > _SIZE_LIMIT:
            raise ImplementationViolation(
                f"queue_size of queue {index} is {size}; for split virtqueues it is 0 or a power of 2 up to"
                f" {_SIZE_LIMIT} (4.1.4.3.1)"
            )
        return size

    def enable_queue(self, index: int, layout: RingLayout) -> None:
        """Give the device the size, the vector and the addresses of queue ``index``, and enable it."""
        self._select(index)
        if self._common.read(Common.QUEUE_ENABLE, 2):
            raise ImplementationViolation(
                f"queue {index} is enabled although the device was reset and nobody did so since (4.1.4.3.1)"
            )
        self._signals.add_queue(index, self)
        self._select(index)
        self._common.write(Common.QUEUE_SIZE, 2, layout.size)
        if (size := self._common.read(Common.QUEUE_SIZE, 2)) != layout.size:
            raise ImplementationViolation(
                f"queue_size of queue {index} reads {size} after the driver wrote {layout.size} (4.1.4.3)"
            )
        for offset, address in (
            (Common.QUEUE_DESCRIPTORS, layout.descriptors_address),
            (Common.QUEUE_DRIVER, layout.available_address),
            (Common.QUEUE_DEVICE, layout.used_address),
        ):
            self._common.write(offset, 4, address & 0xFFFF_FFFF)
            self._common.write(offset + 4, 4, address >> 32)
        self._common.write(Common.QUEUE_ENABLE, 2, 1)

    def notify(self, index: int) -> None:
        """Tell the device that queue ``index`` has buffers, at the queue's own address."""
        self._select(index)
        offset = self._notify.multiplier * self._common.read(Common.QUEUE_NOTIFY_OFFSET, 2)
        if offset + _NOTIFICATION_BYTES > self._notify.length_bytes:
            raise ImplementationViolation(
                f"queue {index} is notified at {offset:#x}; the structure for that has"
                f" {self._notify.length_bytes:#x} bytes (4.1.4.4.1)"
            )
        self._notifications.write(offset, _NOTIFICATION_BYTES, index)

    def take_interrupts(self) -> Interrupts:
        """Return and acknowledge the pending interrupts."""
        return self._signals.take()

    def map_configuration(self, vector: int) -> int:
        """Map configuration changes to a vector; return what the register reads then."""
        self._common.write(Common.CONFIGURATION_VECTOR, 2, vector)
        return self._common.read(Common.CONFIGURATION_VECTOR, 2)

    def map_queue(self, index: int, vector: int) -> int:
        """Map used buffers of a queue to a vector; return what the register reads then."""
        self._select(index)
        self._common.write(Common.QUEUE_VECTOR, 2, vector)
        return self._common.read(Common.QUEUE_VECTOR, 2)

    def _select(self, index: int) -> None:
        self._common.write(Common.QUEUE_SELECT, 2, index)
