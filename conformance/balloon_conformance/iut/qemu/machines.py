"""The machines of QEMU that the adapter starts, and what each has: transports, memory, arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from balloon_conformance.iut.qemu.ram import MICROVM_MAP, PC_MAP, Q35_MAP, MemoryMap

__all__ = ["DEFAULT_MACHINE", "DEVICES", "MACHINES", "InterruptKind", "Machine", "TransportKind"]


class TransportKind(StrEnum):
    """How the driver reaches the device."""

    MMIO = "mmio"
    """virtio-mmio, version 2."""
    PCI = "pci"
    """A function that has the modern interface alone."""
    PCI_TRANSITIONAL = "pci-transitional"
    """A transitional function, through its modern interface."""
    PCI_LEGACY = "pci-legacy"
    """A transitional function, through its legacy interface."""


class InterruptKind(StrEnum):
    """How a PCI function interrupts its driver."""

    INTX = "intx"
    MSIX = "msi-x"


DEVICES: Final[Mapping[TransportKind, str]] = MappingProxyType(
    {
        TransportKind.MMIO: "virtio-balloon-device",
        TransportKind.PCI: "virtio-balloon-pci,disable-legacy=on",
        TransportKind.PCI_TRANSITIONAL: "virtio-balloon-pci,disable-legacy=off",
        TransportKind.PCI_LEGACY: "virtio-balloon-pci,disable-legacy=off",
    }
)
"""How each transport's device begins in the argument of ``-device``."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine: ``properties`` of ``-machine`` beside its name, further ``arguments``, and its memory."""

    name: str
    properties: str
    transports: frozenset[TransportKind]
    memory_map: MemoryMap
    arguments: tuple[str, ...] = ()


_PCI: Final = frozenset(TransportKind) - {TransportKind.MMIO}
MACHINES: Final[Mapping[str, Machine]] = MappingProxyType(
    {
        machine.name: machine
        for machine in (
            Machine(
                "microvm",
                "pit=off,pic=off,rtc=off,isa-serial=off,x-option-roms=off,auto-kernel-cmdline=off",
                frozenset({TransportKind.MMIO}),
                MICROVM_MAP,
                ("-global", "virtio-mmio.force-legacy=false"),
            ),
            Machine("q35", "vmport=off", _PCI, Q35_MAP),
            Machine("pc", "vmport=off", _PCI, PC_MAP),
        )
    }
)
DEFAULT_MACHINE: Final[Mapping[TransportKind, str]] = MappingProxyType(
    {kind: "microvm" if kind is TransportKind.MMIO else "q35" for kind in TransportKind}
)
