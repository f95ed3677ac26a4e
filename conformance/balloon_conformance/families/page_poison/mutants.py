"""Devices and drivers that are wrong about page poison."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.families.page_poison.reference import (
    VALUE,
    PoisonOfDevice,
    PoisonOfDriver,
    store_of,
)
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step as DeviceStep
from balloon_conformance.reference.device_state import DeviceState
from balloon_conformance.reference.driver_pages import Step as DriverStep
from balloon_conformance.reference.driver_state import DriverState
from balloon_spec.events import ConfigurationWritten
from balloon_spec.families.page_poison import POISON_VAL

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


@mutant("POISON-06")
class TakesWholeStoresOfThePoisonAlone(Device):
    """The value of a driver that writes it in parts is lost."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> DeviceStep:
        """Drop stores of less than four bytes."""
        if (
            POISON_VAL.is_touched(given.offset, len(given.data))
            and len(given.data) != POISON_VAL.length_bytes
        ):
            return state, ()
        return super().configure(state, given)


@mutant("POISON-06")
class ClearsTheRestOfThePoison(Device):
    """Of a value that is written in parts the last part alone is kept."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> DeviceStep:
        """Take zeros for the bytes that a store leaves out."""
        first = given.offset - POISON_VAL.offset_bytes
        if 0 <= first < POISON_VAL.length_bytes and len(given.data) < POISON_VAL.length_bytes:
            data = (bytes(first) + given.data).ljust(POISON_VAL.length_bytes, b"\0")
            given = ConfigurationWritten(POISON_VAL.offset_bytes, data[: POISON_VAL.length_bytes])
        return super().configure(state, given)


@mutant("POISON-06")
class TakesAPoisonOfZeroForNone(PoisonOfDevice):
    """A driver that goes back to zeros before DRIVER_OK finds the value from before."""

    def store(self, state: DeviceState, name: str, value: int) -> DeviceStep:
        """Keep another value than 0 only."""
        return super().store(state, name, value) if value else (state, ())


@mutant("CFG-06")
class ForgetsActualForThePoison(Device):
    """The size of the balloon is lost when the driver writes its value once more."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> DeviceStep:
        """Count from zero."""
        state, outputs = super().configure(state, given)
        if POISON_VAL.is_touched(given.offset, len(given.data)) and self.has(state, "PAGE_POISON"):
            state = replace(state, actual=0)
        return state, outputs


@mutant("POISON-07")
class KeepsThePoisonOverADriverWithoutIt(PoisonOfDevice):
    """A driver meets the value of the one before the last, who had page poison while the last had not."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.last = 0

    def reset(self, before: DeviceState, fresh: DeviceState) -> DeviceState:
        """Forget the value of a driver that wrote one, and show it again to the driver after the next."""
        if self.device.has(before, "PAGE_POISON"):
            self.last = self.word(before, POISON_VAL.name)
            return fresh
        return self.remember(fresh, self.last)


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
