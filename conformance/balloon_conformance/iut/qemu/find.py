"""Finds the balloon of a machine by its transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balloon_conformance.iut.qemu.machines import InterruptKind, TransportKind
from balloon_conformance.iut.qemu.mmio import VirtioMmio
from balloon_conformance.iut.qemu.pci.function import PciFunction, place_bars
from balloon_conformance.iut.qemu.pci.interrupts import MessageWords
from balloon_conformance.iut.qemu.pci.legacy import LegacyPci
from balloon_conformance.iut.qemu.pci.modern import VirtioPci
from balloon_conformance.iut.qemu.transport import BALLOON_DEVICE_ID

if TYPE_CHECKING:
    from balloon_conformance.iut.qemu.options import QemuOptions
    from balloon_conformance.iut.qemu.qtest import QtestClient
    from balloon_conformance.iut.qemu.ram import GuestRam
    from balloon_conformance.iut.qemu.transport import Transport

__all__ = ["find_balloon"]


def find_balloon(options: QemuOptions, qtest: QtestClient, ram: GuestRam) -> Transport:
    """Return the balloon of a machine that has just been started.

    Raises :class:`AdapterError` if there is none, and :class:`ImplementationViolation` if a function's
    capabilities cannot be.
    """
    if options.transport is TransportKind.MMIO:
        return VirtioMmio.find(qtest)
    function = PciFunction.find(qtest, BALLOON_DEVICE_ID)
    bars = place_bars(function)
    is_msix = options.interrupts is InterruptKind.MSIX
    words = MessageWords(ram.reserved, ram.messages_address) if is_msix else None
    transport = LegacyPci if options.transport is TransportKind.PCI_LEGACY else VirtioPci
    return transport(qtest, function, bars, words)
