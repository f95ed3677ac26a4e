"""What a feature family adds to the reference device and driver: its queues, its words, what it remembers.

A part belongs to one machine, and remembers nothing itself: what it knows stands in the state of the machine,
under the name of its family. Each family declares its parts in ``balloon_conformance.families``; a machine
has those of its profile, or others in their place. What a part makes happen it returns as outputs of the
machine: buffers returned or made available, pages discarded, words written or announced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from balloon_conformance import family
from balloon_spec.families.family import Family
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

if TYPE_CHECKING:
    # The machines ask their parts, and so stand above this module.
    from balloon_conformance.reference.device import Device
    from balloon_conformance.reference.device_requests import Step as DeviceStep
    from balloon_conformance.reference.device_state import DeviceState
    from balloon_conformance.reference.driver import Driver
    from balloon_conformance.reference.driver_pages import Step as DriverStep
    from balloon_conformance.reference.driver_state import DriverState, Flight
    from balloon_spec.events import Available, GuestAction, OperatorAction, Used

__all__ = ["DevicePart", "DriverPart", "device_parts", "driver_parts"]

_State = TypeVar("_State", bound="DeviceState | DriverState")


class _Part:
    family: ClassVar[Family]

    def recall(self, state: DeviceState | DriverState) -> Any:
        """Return what the part remembers; None if it has remembered nothing since the reset."""
        return state.parts.get(self.family.name)

    def remember(self, state: _State, value: object) -> _State:
        """Return the state in which the part remembers ``value``."""
        return replace(state, parts=MappingProxyType({**state.parts, self.family.name: value}))


class DevicePart(_Part):
    """What a family adds to a reference device; each method does nothing unless a family needs it.

    ``wishes`` are the wishes of the operator that it carries out.
    """

    wishes: ClassVar[frozenset[OperatorAction]] = frozenset()

    def __init__(self, device: Device) -> None:
        self.device = device

    # -- the life of the device ---------------------------------------------------------------------------

    def negotiated(self, state: DeviceState) -> DeviceStep:
        """Do what is due once features are accepted."""
        return state, ()

    def begin(self, state: DeviceState) -> DeviceStep:
        """Do what is due at DRIVER_OK, before any buffer is taken."""
        return state, ()

    def reset(self, _before: DeviceState, fresh: DeviceState) -> DeviceState:
        """Return the state after a reset, with what is to be remembered of the one before."""
        return fresh

    # -- what the driver does -----------------------------------------------------------------------------

    def take(self, state: DeviceState, _queue: Queue, _buffer: Available) -> DeviceStep:
        """Take a buffer from one of the family's queues."""
        return state, ()

    def word(self, _state: DeviceState, _name: str) -> int:
        """Return what stands in one of the family's words of the configuration space."""
        return 0

    def wrote(self, state: DeviceState, _pages: PageSet) -> DeviceState:
        """See that the guest wrote to pages of its memory."""
        return state

    def store(self, state: DeviceState, _name: str, _value: int) -> DeviceStep:
        """Take the driver's write to one of the family's words that the driver may write."""
        return state, ()

    # -- what the host does -------------------------------------------------------------------------------

    def operate(self, state: DeviceState, _action: OperatorAction, _value: int) -> DeviceStep:
        """Carry out one of :attr:`wishes` while the driver runs."""
        return state, ()

    def expire(self, state: DeviceState) -> DeviceStep:
        """Wait no longer for whatever the driver was asked."""
        return state, ()


class DriverPart(_Part):
    """What a family adds to a reference driver; each method does nothing unless a family needs it.

    ``wishes`` are the wishes of the guest that it takes.
    """

    wishes: ClassVar[frozenset[GuestAction]] = frozenset()

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    # -- the life of the driver ---------------------------------------------------------------------------

    def choose(self, _offered: int, chosen: int) -> int:
        """Return the features to accept; ``chosen`` are legal, and so must be what is returned."""
        return chosen

    def set_up(self, state: DriverState) -> DriverStep:
        """Do what is due before DRIVER_OK: buffers made available, words written."""
        return state, ()

    def reset(self, _before: DriverState, fresh: DriverState) -> DriverState:
        """Return the state after a reset, with what is to be remembered of the one before."""
        return fresh

    def keeps(self, _state: DriverState) -> PageSet:
        """Return the pages that are with the device for another reason than that they are in the balloon."""
        return EMPTY

    # -- what the device does -----------------------------------------------------------------------------

    def returned(self, state: DriverState, _flight: Flight, _used: Used) -> DriverStep:
        """Take a buffer of one of the family's queues back."""
        return state, ()

    def changed(self, state: DriverState, _space: bytes) -> DriverStep:
        """See the configuration space, as it was when it was read or announced."""
        return state, ()

    # -- what the guest does ------------------------------------------------------------------------------

    def remember_wish(self, state: DriverState, _action: GuestAction, _pages: PageSet) -> DriverState:
        """Take one of :attr:`wishes` in, whether there is a device or not."""
        return state

    def act(self, state: DriverState) -> DriverStep:
        """Act on a wish that was taken in while there is a device."""
        return state, ()


def device_parts(
    device: Device, families: Sequence[Family], others: Sequence[type[DevicePart]]
) -> tuple[DevicePart, ...]:
    """Return the parts that these families add to a device; ``others`` take the place of those declared."""
    declared = {one.family: one.device for one in family.additions() if one.device is not None}
    declared |= {one.family: one for one in others}
    return tuple(declared[one](device) for one in families if one in declared)


def driver_parts(
    driver: Driver, families: Sequence[Family], others: Sequence[type[DriverPart]]
) -> tuple[DriverPart, ...]:
    """Return the parts that these families add to a driver, as :func:`device_parts` does for a device."""
    declared = {one.family: one.driver for one in family.additions() if one.driver is not None}
    declared |= {one.family: one for one in others}
    return tuple(declared[one](driver) for one in families if one in declared)
