"""Finds the balloon of a machine by its transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balloon_conformance.iut.machine.mmio import VirtioMmio
from balloon_conformance.iut.machine.pci.function import PciFunction, place_bars
from balloon_conformance.iut.machine.pci.interrupts import MessageWords
from balloon_conformance.iut.machine.pci.legacy import LegacyPci
from balloon_conformance.iut.machine.pci.modern import VirtioPci
from balloon_conformance.iut.machine.transport import BALLOON_DEVICE_ID
from balloon_conformance.iut.qemu.machines import InterruptKind, TransportKind

if TYPE_CHECKING:
    from balloon_conformance.iut.machine.transport import Transport
    from balloon_conformance.iut.qemu.options import QemuOptions
    from balloon_conformance.iut.qemu.qtest import QtestClient
    from balloon_conformance.iut.qemu.ram import GuestRam

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
