"""QEMU's own balloon device under test, driven from outside: no guest, no KVM, no root.

QEMU runs a machine whose firmware halts. The suite is the driver: it reaches the registers of the device, on
virtio-mmio or on PCI, through qtest, and lays real split virtqueues in guest RAM that both processes map.
Through QMP it is also the operator.
"""

from __future__ import annotations

from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.kind import Given, Kind
from balloon_conformance.iut.qemu.adapter import QemuDevice
from balloon_conformance.iut.qemu.command_line import OPTIONS, parse
from balloon_conformance.iut.qemu.machines import TransportKind
from balloon_conformance.iut.qemu.options import QemuOptions
from balloon_spec.events import Side
from balloon_spec.queues import Numbering

__all__ = ["KIND", "QemuDevice", "QemuOptions", "target"]


_STOCK_NOTE = (
    "bits 3 to 5 of a stock QEMU have the meaning of mainline; "
    "give --profile chunk-transfer if this build speaks chunk transfer"
)


def target(options: QemuOptions | None = None) -> Target:
    """Return QEMU as the command line names it; its bits 3 to 5 are those of profile mainline.

    It counts its virtqueues over the features that it offers.
    """
    chosen = options or QemuOptions()
    return Target(
        "qemu",
        Side.DEVICE,
        lambda: QemuDevice(chosen),
        default_profile="mainline",
        stock_note=_STOCK_NOTE,
        feature_bits=32 if chosen.transport is TransportKind.PCI_LEGACY else 64,
        numbering=Numbering.DENSE_OFFERED,
    )


def _resolve(_name: str, given: Given) -> Target:
    return target(parse(given))


KIND = Kind("qemu", _resolve, OPTIONS)
