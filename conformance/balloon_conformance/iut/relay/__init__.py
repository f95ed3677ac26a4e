"""Any VMM's balloon, from inside a guest (``relay:COMMAND``): the suite is the guest.

A VMM that only boots a kernel has no socket for tests. So a small program, the ``init`` of an initramfs,
carries out the suite's accesses to registers and memory, which come over the serial console. The suite lays
the rings and drives the device as it does from outside.
"""

from __future__ import annotations

from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.kind import Given, Kind
from balloon_conformance.iut.relay.adapter import RelayedDevice
from balloon_conformance.iut.relay.options import OPTIONS, RelayOptions, parse
from balloon_spec.events import Side

__all__ = ["KIND", "RelayOptions", "RelayedDevice"]


def _resolve(name: str, given: Given) -> Target:
    options = parse(name, given)
    return Target(options.name, Side.DEVICE, lambda: RelayedDevice(options), default_profile="mainline")


KIND = Kind("relay:COMMAND", _resolve, OPTIONS)
