"""Page poison in the references: a device that keeps the value, and a driver that says it in time."""

from __future__ import annotations

from typing import Final

from balloon_conformance.reference.device_requests import Step as DeviceStep
from balloon_conformance.reference.device_state import DeviceState
from balloon_conformance.reference.driver_pages import Step as DriverStep
from balloon_conformance.reference.driver_state import DriverState
from balloon_conformance.reference.parts import DevicePart, DriverPart
from balloon_spec.events import ConfigurationWritten
from balloon_spec.families.page_poison import POISON_VAL
from balloon_spec.families.page_poison.declaration import FAMILY

__all__ = ["VALUE", "PoisonOfDevice", "PoisonOfDriver", "store_of"]

VALUE: Final = 0x01020304
"""With what the driver fills pages: four bytes that differ, so that their order shows."""


def store_of(value: int) -> ConfigurationWritten:
    """Return the store of a value, 32 bits, little-endian."""
    return ConfigurationWritten(POISON_VAL.offset_bytes, value.to_bytes(POISON_VAL.length_bytes, "little"))


class PoisonOfDevice(DevicePart):
    """A device that keeps what the driver says."""

    family = FAMILY

    # POISON-07: a reset leaves nothing of it.
    def word(self, state: DeviceState, _name: str) -> int:
        """Return what the driver wrote last, or 0."""
        value: int = self.recall(state) or 0
        return value

    # POISON-06.
    def store(self, state: DeviceState, _name: str, value: int) -> DeviceStep:
        """Keep what the driver wrote."""
        return self.remember(state, value), ()


class PoisonOfDriver(DriverPart):
    """A driver that says with what it fills pages, once, before DRIVER_OK."""

    family = FAMILY

    # POISON-02; POISON-08: not without the feature. POISON-03: it never writes again.
    def set_up(self, state: DriverState) -> DriverStep:
        """Write the value."""
        return state, (store_of(VALUE),) if self.driver.has(state, "PAGE_POISON") else ()
