"""Guest memory and split virtqueues (VIRTIO 1.2, 2.7), the driver's side and the device's."""

from balloon_conformance.virtio.arena import Arena, ArenaExhaustedError
from balloon_conformance.virtio.device import Chain, DeviceQueue
from balloon_conformance.virtio.driver import DriverQueue, QueueFullError
from balloon_conformance.virtio.memory import GuestMemory, GuestMemoryError, Region
from balloon_conformance.virtio.ring import (
    Descriptor,
    DescriptorFlag,
    RingError,
    RingFault,
    RingLayout,
    Segment,
    UsedElement,
    need_event,
)

__all__ = [
    "Arena",
    "ArenaExhaustedError",
    "Chain",
    "Descriptor",
    "DescriptorFlag",
    "DeviceQueue",
    "DriverQueue",
    "GuestMemory",
    "GuestMemoryError",
    "QueueFullError",
    "Region",
    "RingError",
    "RingFault",
    "RingLayout",
    "Segment",
    "UsedElement",
    "need_event",
]
