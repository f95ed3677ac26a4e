"""A device and a driver that keep every requirement, without any input or output of their own.

Both are tables that list, for each phase, which inputs may come and which method answers them. A machine
takes one input, returns the outputs that follow from it, and never waits; adapters connect it to the outside
(:mod:`balloon_conformance.iut.reference.adapter`). Each small method keeps one requirement, which the comment
above it names. So a subclass that overrides one method breaks one requirement.
"""

from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import DeviceOptions, DeviceState
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_state import DriverOptions, DriverState

__all__ = ["Device", "DeviceOptions", "DeviceState", "Driver", "DriverOptions", "DriverState"]
