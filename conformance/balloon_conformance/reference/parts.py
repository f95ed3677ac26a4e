"""What a feature family adds to the reference device and driver: its queues, its words, what it remembers.

A part is a set of answers, and remembers nothing itself: what it knows stands in the state of the machine,
under the name of its family. :func:`added` makes the parts of a family known. The families of the profiles
of this project are written into the machines, a module each; a new one brings parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from balloon_spec.families.family import Family
from balloon_spec.queues import Queue

if TYPE_CHECKING:
    # The machines ask their parts, and so stand above this module.
    from balloon_conformance.reference.device import Device
    from balloon_conformance.reference.device_requests import Step as DeviceStep
    from balloon_conformance.reference.device_state import DeviceState
    from balloon_conformance.reference.driver import Driver
    from balloon_conformance.reference.driver_pages import Step as DriverStep
    from balloon_conformance.reference.driver_state import DriverState, Flight
    from balloon_spec.events import Available, Used

__all__ = ["DevicePart", "DriverPart", "added", "device_parts", "driver_parts", "remember"]

_State = TypeVar("_State", bound="DeviceState | DriverState")


def remember(state: _State, family: Family, value: object) -> _State:
    """Return the state in which the part of ``family`` remembers ``value``, until the next reset."""
    return replace(state, parts=MappingProxyType({**state.parts, family.name: value}))


class _Part:
    family: Family

    def recall(self, state: DeviceState | DriverState, otherwise: Any) -> Any:
        """Return what the part remembers, ``otherwise`` if that is nothing."""
        return state.parts.get(self.family.name, otherwise)


class DevicePart(_Part):
    """What a family adds to the reference device; each method does nothing unless a family needs it."""

    def begin(self, _device: Device, state: DeviceState) -> DeviceStep:
        """Do what is due at DRIVER_OK."""
        return state, ()

    def take(self, device: Device, state: DeviceState, queue: Queue, buffer: Available) -> DeviceStep:
        """Take a buffer from one of the family's queues."""
        raise NotImplementedError(f"the {self.family.name} family takes no buffer from the {queue} queue")

    def word(self, _state: DeviceState, _name: str) -> int:
        """Return what stands in one of the family's words of the configuration space."""
        return 0

    def store(self, state: DeviceState, _name: str, _value: int) -> DeviceState:
        """Take the driver's write to one of the family's words that the driver may write."""
        return state


class DriverPart(_Part):
    """What a family adds to the reference driver; each method does nothing unless a family needs it."""

    def set_up(self, _driver: Driver, state: DriverState) -> DriverStep:
        """Do what is due before DRIVER_OK."""
        return state, ()

    def returned(self, _driver: Driver, state: DriverState, _flight: Flight, _used: Used) -> DriverStep:
        """Take a buffer of one of the family's queues back."""
        return state, ()

    def changed(self, _driver: Driver, state: DriverState, _space: bytes) -> DriverStep:
        """See the configuration space, as it was when it was read or announced."""
        return state, ()


@dataclass(frozen=True, slots=True)
class _Parts:
    device: DevicePart | None
    driver: DriverPart | None


_parts: dict[Family, _Parts] = {}


@contextmanager
def added(device: DevicePart | None = None, driver: DriverPart | None = None) -> Iterator[None]:
    """Make the parts of a family known until the end of the block."""
    part = device or driver
    if part is None:
        raise ValueError("there is no part; give one of a device, of a driver, or of both")
    _parts[part.family] = _Parts(device, driver)
    try:
        yield
    finally:
        del _parts[part.family]


def device_parts(families: tuple[Family, ...]) -> tuple[DevicePart, ...]:
    """Return the parts that these families add to a device."""
    return tuple(one.device for family in families if (one := _parts.get(family)) and one.device)


def driver_parts(families: tuple[Family, ...]) -> tuple[DriverPart, ...]:
    """Return the parts that these families add to a driver."""
    return tuple(one.driver for family in families if (one := _parts.get(family)) and one.driver)
