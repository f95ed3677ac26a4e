"""Devices that are wrong about the numbers of their virtqueues."""

from __future__ import annotations

from collections.abc import Collection

from balloon_conformance.iut.contract import Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import DeviceOptions, DeviceState
from balloon_spec.queues import Numbering, Queue


@mutant(
    "MQ-02",
    also=("HINT-22", "REPORT-16"),
    origin="crosvm, commits 14a0ab90a and 6d7143990: optional queues were handed out as they came",
)
class HandsOutQueuesAsTheyCome(Device):
    """A driver that leaves statistics out finds nobody at the queues behind them, after one that had them."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.first: frozenset[Queue] = frozenset()

    def queue(self, state: DeviceState, index: int) -> Queue | None:
        """Serve a queue only if every queue before it is there that was there for the first driver."""
        profile, queue = self.options.profile, super().queue(state, index)
        there = frozenset(profile.queue_map(self.offer(), state.accepted).values())
        self.first = self.first or there
        if queue is None or queue.feature is None:
            return queue
        missing = self.first - there
        return None if any(profile.place(one) < profile.place(queue) for one in missing) else queue


@mutant("MQ-01")
class LacksQueuesNowHereNowThere(ReferenceDevice):
    """A driver that found out how the device numbers its queues is wrong after the next reset."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions = 0

    def start(self, setup: Setup) -> None:
        """Begin counting."""
        self.sessions = 0
        super().start(setup)

    def absent_queues(self, indices: Collection[int]) -> frozenset[int]:
        """Lack what one numbering does not have, and in every other session what another does not."""
        device, self.sessions = self.device, self.sessions + 1
        numbering = Numbering.FIXED if self.sessions % 2 else Numbering.DENSE_NEGOTIATED
        profile = device.options.profile.with_numbering(numbering)
        return frozenset(indices) - profile.queue_map(device.offer(), device.state.accepted).keys()
