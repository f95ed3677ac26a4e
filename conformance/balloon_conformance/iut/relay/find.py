"""Finds the balloon and the memory of the guest's machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.machine.mmio import VirtioMmio
from balloon_conformance.iut.machine.pci.function import PciFunction, bars_in_place
from balloon_conformance.iut.machine.pci.modern import VirtioPci
from balloon_conformance.iut.machine.transport import BALLOON_DEVICE_ID
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT, PageSet

if TYPE_CHECKING:
    from balloon_conformance.iut.machine.transport import Transport
    from balloon_conformance.iut.relay.reach import RelayedMachine

__all__ = ["find_balloon", "ram_of"]

_ON_COMMAND_LINE: Final = re.compile(r"virtio_mmio\.device=[0-9a-zA-Z]+@(0x[0-9a-fA-F]+|[0-9]+):")
_IN_TABLES: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) : LNRO0005")
"""A virtio-mmio device that ACPI tells of, in /proc/iomem."""
_RAM: Final = "System RAM"


def find_balloon(machine: RelayedMachine) -> Transport:
    """Return the balloon, on virtio-mmio if the kernel was told of such devices, otherwise on PCI.

    Raises :class:`AdapterError` if there is none.
    """
    for address in _mmio_addresses(machine):
        if device := VirtioMmio.at(machine, address, BALLOON_DEVICE_ID):
            return device
    function = PciFunction.find(machine, BALLOON_DEVICE_ID)
    return VirtioPci(machine, function, bars_in_place(function))


def ram_of(machine: RelayedMachine) -> PageSet:
    """Return the whole pages of the machine's RAM, as its firmware tells the kernel."""
    runs = []
    for number in count():
        start, end, kind = (
            (machine.file(f"/sys/firmware/memmap/{number}/{part}") or "").strip()
            for part in ("start", "end", "type")
        )
        if not kind:
            break
        if kind == _RAM:
            first = -(-int(start, 16) // PAGE_BYTES)
            runs.append((first, (int(end, 16) + 1 >> PAGE_SHIFT) - first))
    if not runs:
        raise AdapterError(
            "the guest's kernel has no /sys/firmware/memmap; use one with CONFIG_FIRMWARE_MEMMAP"
        )
    return PageSet(runs)


def _mmio_addresses(machine: RelayedMachine) -> Iterator[int]:
    """Yield where the kernel was told of virtio-mmio devices."""
    for match in _ON_COMMAND_LINE.finditer(machine.file("/proc/cmdline") or ""):
        yield int(match[1], 0)
    for match in _IN_TABLES.finditer(machine.file("/proc/iomem") or ""):
        yield int(match[1], 16)
