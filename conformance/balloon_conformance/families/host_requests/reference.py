"""Host requests in the references: when the machines come to them.

What the device and the driver do is in :mod:`balloon_conformance.reference.device_requests` and
:mod:`balloon_conformance.reference.driver_requests`, as tables that the machines carry out.
"""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.reference.device_requests import Step as DeviceStep
from balloon_conformance.reference.device_state import DeviceState, RequestInput
from balloon_conformance.reference.driver_pages import Step as DriverStep
from balloon_conformance.reference.driver_state import DriverState, Flight
from balloon_conformance.reference.parts import DevicePart, DriverPart
from balloon_spec.events import Available, GuestAction, OperatorAction, Used
from balloon_spec.families.host_requests.declaration import FAMILY
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

__all__ = ["AnswersOfDriver", "RequestsOfDevice"]


class RequestsOfDevice(DevicePart):
    """A device that asks for unused pages when its operator does."""

    family = FAMILY
    wishes = frozenset({OperatorAction.UNUSED_PAGES})

    def begin(self, state: DeviceState) -> DeviceStep:
        """Open the queue if it exists."""
        if not self.device.has(state, "HOST_REQ_VQ"):
            return state, ()
        return self.device.request(RequestInput.START, state, None)

    def take(self, state: DeviceState, _queue: Queue, buffer: Available) -> DeviceStep:
        """Take a request buffer or a message."""
        return self.device.take_host_request_buffer(state, buffer)

    def operate(self, state: DeviceState, _action: OperatorAction, value: int) -> DeviceStep:
        """Make a request, now or as soon as it is possible."""
        return self.device.want_unused_pages(state, value)

    def expire(self, state: DeviceState) -> DeviceStep:
        """Give the open request up."""
        return self.device.request(RequestInput.EXPIRE, state, None)


class AnswersOfDriver(DriverPart):
    """A driver that answers with the pages that its guest does not use."""

    family = FAMILY
    wishes = frozenset({GuestAction.UNUSED})

    def set_up(self, state: DriverState) -> DriverStep:
        """Make the request buffer available."""
        return self.driver.set_up_requests(state)

    def returned(self, state: DriverState, flight: Flight, used: Used) -> DriverStep:
        """Take a request buffer or a message back."""
        return self.driver.host_request_returned(state, flight, used)

    def remember_wish(self, state: DriverState, _action: GuestAction, pages: PageSet) -> DriverState:
        """Remember which pages the guest does not use. That replaces what it said before."""
        return replace(state, unused=pages)
