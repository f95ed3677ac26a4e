"""What the command line says about QEMU, read into :class:`QemuOptions`."""

from __future__ import annotations

import re
from typing import Final

from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.kind import Given, Option
from balloon_conformance.iut.qemu.machines import MACHINES, InterruptKind, TransportKind
from balloon_conformance.iut.qemu.options import QemuOptions

__all__ = ["OPTIONS", "parse"]

_BINARY = Option("qemu-binary", "PATH", "The QEMU to start (default: qemu-system-x86_64).")
_PROPERTIES = Option("qemu-device-properties", "NAME=VALUE,...", "More properties of QEMU's device.")
_LEAST_MEMORY = Option("qemu-memory", "SIZE", "The least guest memory, as in 256M.")
_TRANSPORT = Option(
    "qemu-transport", "KIND", f"How the device is reached: {', '.join(TransportKind)} (default: mmio)."
)
_MACHINE = Option("qemu-machine", "NAME", f"QEMU's machine: {', '.join(MACHINES)}.")
_INTERRUPTS = Option(
    "qemu-interrupts", "KIND", f"How a PCI device interrupts: {', '.join(InterruptKind)} (default: intx)."
)
OPTIONS: Final = (_BINARY, _PROPERTIES, _LEAST_MEMORY, _TRANSPORT, _MACHINE, _INTERRUPTS)

_MEMORY: Final = re.compile(r"([0-9]+)([MG]?)(?:iB)?")
_PROPERTY: Final = re.compile(r"[A-Za-z0-9_.-]+=[^,=]*")


def parse(given: Given) -> QemuOptions:
    """Return the options; what was not given keeps its default.

    A memory is as in ``64M``, ``2G`` or ``64`` (MiB).

    Raises :class:`IutError` for a property that is not ``NAME=VALUE``, a memory that is no size, and a
    transport, machine or kind of interrupt that there is not or that does not go with the others.
    """
    stock = QemuOptions()
    properties = given.get(_PROPERTIES.name, "")
    memory = given.get(_LEAST_MEMORY.name)
    for word in filter(None, properties.split(",")):
        if not _PROPERTY.fullmatch(word):
            raise IutError(
                f"--qemu-device-properties: {word!r} is not NAME=VALUE; "
                "write them as in deflate-on-oom=off,iommu_platform=on"
            )
    transport = _transport(given)
    return QemuOptions(
        transport=transport,
        machine_name=_machine(given, transport),
        interrupts=_interrupts(given, transport),
        binary=given.get(_BINARY.name, stock.binary),
        device_properties=properties.strip(","),
        memory_mib=stock.memory_mib if memory is None else _mib(memory),
    )


def _transport(given: Given) -> TransportKind:
    text = given.get(_TRANSPORT.name, TransportKind.MMIO.value)
    if text not in frozenset(TransportKind):
        raise IutError(f"--qemu-transport: there is no {text!r}; take one of {', '.join(TransportKind)}")
    return TransportKind(text)


def _machine(given: Given, transport: TransportKind) -> str:
    """Return the name that was given, empty if none was."""
    if (name := given.get(_MACHINE.name)) is None:
        return ""
    fit = [one.name for one in MACHINES.values() if transport in one.transports]
    if name not in fit:
        raise IutError(
            f"--qemu-machine: {name!r} is no machine with transport {transport}; take {' or '.join(fit)}"
            + (", or give --qemu-transport" if name in MACHINES else "")
        )
    return name


def _interrupts(given: Given, transport: TransportKind) -> InterruptKind:
    text = given.get(_INTERRUPTS.name)
    if text is None:
        return InterruptKind.INTX
    if text not in frozenset(InterruptKind):
        raise IutError(f"--qemu-interrupts: there is no {text!r}; take one of {', '.join(InterruptKind)}")
    if transport is TransportKind.MMIO:
        raise IutError("--qemu-interrupts is for PCI; remove it, or give --qemu-transport")
    return InterruptKind(text)


def _mib(text: str) -> int:
    match = _MEMORY.fullmatch(text.strip())
    if not match or not int(match[1]):
        raise IutError(f"--qemu-memory: {text!r} is not a size; write it as in 64M or 2G")
    return int(match[1]) * (1024 if match[2] == "G" else 1)
