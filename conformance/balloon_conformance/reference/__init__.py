"""A device and a driver that keep every requirement, without any input or output of their own.

Both are tables: what may happen in which phase, and the method that answers it. A machine takes one input,
gives back the outputs it leads to, and never waits; adapters join it to the outside
(:mod:`balloon_conformance.iut.reference.adapter`). Each small method keeps one requirement, which is named
above it, so that a subclass which overrides one method breaks one requirement.
"""

from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import DeviceOptions, DeviceState
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_state import DriverOptions, DriverState

__all__ = ["Device", "DeviceOptions", "DeviceState", "Driver", "DriverOptions", "DriverState"]
