"""Drivers that are wrong about the numbers of their virtqueues."""

from __future__ import annotations

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import DriverOptions, DriverState
from balloon_spec.events import Reset
from balloon_spec.queues import Numbering, Queue


@mutant(
    "QUEUE-02",
    also=("HINT-04",),
    origin="crosvm, commit 4ce4bbc22, and arcbox, pull request 392: fixed indices, where the peer counts",
)
class NumbersItsQueuesOtherwise(Driver):
    """The driver's hints and reports are on queues that its device does not have.

    As no command comes back, it hints nothing.
    """

    def index(self, state: DriverState, queue: Queue) -> int:
        """Number queues without gaps if the device does not, and by their places if it does."""
        profile = self.options.profile
        fixed = profile.numbering is Numbering.FIXED
        other = profile.with_numbering(Numbering.DENSE_NEGOTIATED if fixed else Numbering.FIXED)
        return other.queue_index(queue, state.offered, state.accepted)


@mutant("MQ-03", also=("QUEUE-02", "HINT-04"))
class ChangesItsNumbering(NumbersItsQueuesOtherwise):
    """A device that serves the driver once does not find its buffers after a reset.

    They are on a queue that the device does not have, and no command comes back.
    """

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self.resets = 0

    def reset(self, state: DriverState, given: Reset) -> Step:
        """Count."""
        self.resets += 1
        return super().reset(state, given)

    def index(self, state: DriverState, queue: Queue) -> int:
        """Number queues as it is said in the first session, and otherwise later."""
        return super().index(state, queue) if self.resets else Driver.index(self, state, queue)
