"""What every transport of a virtio device gives a driver: registers, whichever way they are reached.

A transport is a subclass of :class:`Transport`. It says where its registers are; what a driver does with them
in the same way everywhere stands here.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from balloon_conformance.iut.contract import ImplementationHung
from balloon_conformance.iut.machine.registers import MemoryRegisters, pieces

if TYPE_CHECKING:
    from balloon_conformance.iut.machine.access import Machine
    from balloon_conformance.iut.machine.registers import Registers
    from balloon_conformance.virtio import RingLayout

__all__ = ["BALLOON_DEVICE_ID", "ConfigurationWindow", "Interrupts", "Status", "Transport"]

BALLOON_DEVICE_ID: Final = 5
_RETRIES: Final = 1000
_RESET_SECONDS: Final = 5.0
"""How long a device may take to be reset."""


class Status(IntFlag):
    """Bits of the device status (section 2.1)."""

    ACKNOWLEDGE = 1
    DRIVER = 2
    DRIVER_OK = 4
    FEATURES_OK = 8
    DEVICE_NEEDS_RESET = 64
    FAILED = 128


@dataclass(frozen=True, slots=True)
class Interrupts:
    """Interrupts that were taken.

    ``configuration`` is one of a configuration change, ``used`` one of used buffers that all queues share.
    ``queues`` are those with an interrupt of their own that came.
    """

    configuration: bool = False
    used: bool = False
    queues: frozenset[int] = frozenset()

    def __or__(self, other: Interrupts) -> Interrupts:
        return Interrupts(
            self.configuration or other.configuration, self.used or other.used, self.queues | other.queues
        )


class ConfigurationWindow(Protocol):
    """Another way to the configuration space of the device, beside its registers."""

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Read at an offset; what an illegal length shows means nothing."""

    def write(self, offset: int, length_bytes: int, data: bytes) -> None:
        """Write at an offset."""


class Transport(ABC):
    """One virtio device as its driver reaches it; ``configuration`` is its configuration space."""

    is_legacy: ClassVar[bool] = False
    """Whether this is the legacy interface: 32 feature bits, no FEATURES_OK, queues of the device's size."""

    def __init__(self, machine: Machine, configuration: Registers) -> None:
        self._machine = machine
        self._configuration = configuration
        self.window: ConfigurationWindow | None = None
        """The window onto the configuration space; None if the transport or the device has none."""
        self.generation_read: int | None = None
        """The generation in which the configuration space was read last."""

    @property
    def registers_address(self) -> int | None:
        """A guest-physical address at which it has registers; None if they are I/O ports."""
        registers = self._configuration
        return registers.address if isinstance(registers, MemoryRegisters) else None

    @abstractmethod
    def status(self) -> Status:
        """Read the device status."""

    @abstractmethod
    def write_status(self, status: int) -> None:
        """Write the device status."""

    @abstractmethod
    def generation(self) -> int | None:
        """Read the generation of the configuration space; None if the transport has none."""

    @abstractmethod
    def device_features(self) -> int:
        """Read the features the device offers."""

    @abstractmethod
    def accept_features(self, features: int) -> None:
        """Write the features the driver accepts."""

    @abstractmethod
    def queue_size_maximum(self, index: int) -> int:
        """Return how many descriptors queue ``index`` may have; 0 if it does not exist."""

    @abstractmethod
    def enable_queue(self, index: int, layout: RingLayout) -> None:
        """Give the device the addresses of queue ``index``, and tell it that the queue is ready."""

    @abstractmethod
    def notify(self, index: int) -> None:
        """Tell the device that queue ``index`` has buffers."""

    @abstractmethod
    def take_interrupts(self) -> Interrupts:
        """Return and acknowledge the pending interrupts."""

    def reset(self, deadline_seconds: float = _RESET_SECONDS) -> Status:
        """Reset the device and wait until it is done (2.4); return its status then.

        That is 0, unless the deadline passed.
        """
        self.write_status(0)
        until = time.monotonic() + deadline_seconds
        while (left := self.status()) and time.monotonic() < until:
            pass
        self.begin()
        return left

    def begin(self) -> None:  # noqa: B027 - most transports have nothing to do
        """Prepare for interrupts again, of which a reset left nothing."""

    def add_status(self, bits: Status) -> Status:
        """Set more bits of the device status; return the status that the device shows then."""
        self.write_status(self.status() | bits)
        return self.status()

    def wait(self, seconds: float) -> None:
        """Wait; raises :class:`ImplementationCrashed` at once if the machine ends meanwhile."""
        self._machine.wait(seconds)

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space, all of it from one generation (2.5.3).

        Without a generation it is read until two reads in a row show the same (2.5.4).
        """
        last = None
        for _ in range(_RETRIES):
            before = self.generation()
            data = b"".join(
                self._configuration.read(at, width).to_bytes(width, "little")
                for at, width in pieces(offset, length_bytes)
            )
            if data == last if before is None else self.generation() == before:
                self.generation_read = before
                return data
            last = data
        raise ImplementationHung(f"the configuration changed in each of {_RETRIES} reads of it")

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space, with one store if 1, 2 or 4 bytes go to an aligned offset."""
        for at, width in pieces(offset, len(data)):
            value = int.from_bytes(data[at - offset : at - offset + width], "little")
            self._configuration.write(at, width, value)
