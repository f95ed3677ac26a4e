"""Devices and drivers that are wrong about page poison."""

from __future__ import annotations

from balloon_conformance.families.page_poison.reference import (
    VALUE,
    PoisonOfDevice,
    PoisonOfDriver,
    store_of,
)
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device_requests import Step as DeviceStep
from balloon_conformance.reference.device_state import DeviceState
from balloon_conformance.reference.driver_pages import Step as DriverStep
from balloon_conformance.reference.driver_state import DriverState

# -- devices ----------------------------------------------------------------------------------------------


@mutant("POISON-06")
class ForgetsThePoison(PoisonOfDevice):
    """The driver's value is lost, and pages come back with 0 in them."""

    def store(self, state: DeviceState, _name: str, _value: int) -> DeviceStep:
        """Drop it."""
        return state, ()


@mutant("POISON-06")
class ReadsThePoisonBigEndian(PoisonOfDevice):
    """Pages come back with the bytes of the value in the opposite order."""

    def word(self, state: DeviceState, name: str) -> int:
        """Swap it."""
        return int.from_bytes(super().word(state, name).to_bytes(4, "little"), "big")


@mutant("POISON-06")
class KeepsOneByteOfThePoison(PoisonOfDevice):
    """The device takes the value for one byte that is repeated, as memset does."""

    def word(self, state: DeviceState, name: str) -> int:
        """Repeat the lowest byte."""
        return (super().word(state, name) & 0xFF) * 0x01010101


@mutant("POISON-07")
class KeepsThePoisonOverAReset(PoisonOfDevice):
    """The next driver meets the value of the one before."""

    def reset(self, before: DeviceState, fresh: DeviceState) -> DeviceState:
        """Keep it."""
        return self.remember(fresh, self.recall(before))


# -- drivers ----------------------------------------------------------------------------------------------


@mutant("POISON-02")
class KeepsThePoisonToItself(PoisonOfDriver):
    """The device takes the value for 0, and so are the pages that it gives back."""

    def set_up(self, state: DriverState) -> DriverStep:
        """Write nothing."""
        return state, ()


@mutant("POISON-02")
class SaysThePoisonTooLate(PoisonOfDriver):
    """The device acts on pages before it knows what they hold."""

    def set_up(self, state: DriverState) -> DriverStep:
        """Write nothing yet."""
        return state, ()

    def changed(self, state: DriverState, _space: bytes) -> DriverStep:
        """Write the value when the target is read."""
        return state, (store_of(VALUE),) if self.driver.has(state, "PAGE_POISON") else ()


@mutant("POISON-03")
class ChangesThePoison(PoisonOfDriver):
    """Pages that the device filled hold what the guest no longer expects."""

    def changed(self, state: DriverState, _space: bytes) -> DriverStep:
        """Write another value at each change of the target."""
        return state, (store_of(VALUE + state.num_pages),) if self.driver.has(state, "PAGE_POISON") else ()


@mutant("POISON-08")
class SaysThePoisonUnasked(PoisonOfDriver):
    """A field of a device without page poison is overwritten."""

    def set_up(self, state: DriverState) -> DriverStep:
        """Write the value whatever was negotiated."""
        return state, (store_of(VALUE),)
