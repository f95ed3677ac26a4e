"""The reference device on real virtqueues: it takes buffers from the rings and returns them there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import (
    Accept,
    DeviceOptions,
    DeviceOutput,
    DevicePhase,
    Discard,
    FeaturesOk,
    Overwrite,
)
from balloon_conformance.reference.machine import Note, Refused
from balloon_conformance.reference.quick_device import QuickDevice
from balloon_conformance.virtio import Chain, DeviceQueue, RingError, RingFault
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationWritten,
    DriverOk,
    Operator,
    Reset,
    Segment,
    Used,
)
from balloon_spec.pages import PageSet

__all__ = ["READ_LIMIT_BYTES", "RingDevice"]

READ_LIMIT_BYTES: Final = 1 << 24
"""How many bytes of one buffer are read. Segments may overlap, so a small guest can offer 4 GiB."""


class RingDevice:
    """Joins the device that ``make`` builds to :class:`DeviceQueue` objects.

    ``discard`` gives pages back to the host, ``overwrite`` changes what they hold, ``call`` notifies the
    driver of used buffers on a queue, and ``changed`` notifies it of a new configuration. A queue whose ring
    is broken beyond repair is not served again before a reset, and ``broken`` is called. Chains that break a
    rule are returned unread.
    """

    def __init__(
        self,
        options: DeviceOptions,
        *,
        make: Callable[[DeviceOptions], Device] = QuickDevice,
        discard: Callable[[PageSet], None],
        overwrite: Callable[[Overwrite], None],
        call: Callable[[int], None],
        changed: Callable[[], None],
        broken: Callable[[int], None],
    ) -> None:
        self.device = make(options)
        self.noted: Counter[str] = Counter()
        """How often the driver broke each requirement, by its id, and how often each ring fault occurred."""
        self._discard = discard
        self._overwrite = overwrite
        self._call = call
        self._changed = changed
        self._broken = broken
        self._queues: dict[int, DeviceQueue] = {}
        self._owed: dict[int, list[Used]] = {}
        self._chains: dict[tuple[int, str], Chain] = {}
        self._touched: set[int] = set()

    @property
    def running(self) -> bool:
        """Whether DRIVER_OK is set."""
        return self.device.state.phase is DevicePhase.RUNNING

    @property
    def accepted(self) -> int | None:
        """The accepted features, or None before any were accepted."""
        state = self.device.state
        return None if state.phase is DevicePhase.FRESH else state.accepted

    def remember(self, memory: PageSet) -> None:
        """Store which guest pages exist."""
        self.device.options = replace(self.device.options, memory=memory)

    def reset(self) -> None:
        """Reset the device and release every queue."""
        self._queues.clear()
        self._owed.clear()
        self._chains.clear()
        self._touched.clear()
        self._tell(Reset())

    def accept(self, features: int) -> bool:
        """Take the driver's features; return whether FEATURES_OK stays."""
        outputs = self._tell(Accept(features))
        return any(isinstance(output, FeaturesOk) and output.kept for output in outputs)

    def driver_ok(self) -> None:
        """Begin, and serve every queue (QUEUE-04)."""
        self._tell(DriverOk())
        for index in list(self._queues):
            self.serve(index)

    def start_queue(self, index: int, queue: DeviceQueue) -> None:
        """Serve a queue from here on. If the driver runs, the buffers already in it are served at once.

        A queue that was stopped since the reset goes on: buffers that the device holds are still held.
        """
        self._queues[index] = queue
        for used in self._owed.pop(index, ()):
            self._use(used)
        self.serve(index)

    def stop_queue(self, index: int) -> None:
        """Stop serving a queue until it is started again; its memory is not touched meanwhile."""
        self._touched.discard(index)
        self._queues.pop(index, None)

    def next_available(self, index: int) -> int | None:
        """Return the available index at which a queue would go on, or None if it is not served."""
        queue = self._queues.get(index)
        return None if queue is None else queue.next_available

    def serve(self, index: int) -> None:
        """Serve every buffer that is available on a queue."""
        queue = self._queues.get(index)
        if queue is None or not self.running:
            return
        while True:
            try:
                chain = queue.pop()
            except RingError as error:
                self.noted[error.fault] += 1
                if not self._survives(index, queue, error):
                    break
                continue
            if chain is None:
                break
            name = str(chain.head)
            self._chains[index, name] = chain
            readable = queue.read(chain, limit_bytes=READ_LIMIT_BYTES) if chain.readable else b""
            segments = tuple(
                Segment(one.length_bytes, one.writable, one.address)
                for one in (*chain.readable, *chain.writable)
            )
            buffer = Available(index, name, readable, chain.writable_bytes, segments=segments)
            self._carry_out(self.device.receive(buffer))
        self._notify()

    def operate(self, wish: Operator) -> None:
        """Carry out an operator's request."""
        self._tell(wish)

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Take the driver's write."""
        self._tell(ConfigurationWritten(offset, data))

    def configuration(self) -> bytes:
        """Return the whole configuration space."""
        return self.device.configuration()

    def _tell(self, given: object) -> tuple[DeviceOutput, ...]:
        outputs = self.device.receive(given)
        self._carry_out(outputs)
        self._notify()
        return outputs

    def _carry_out(self, outputs: tuple[DeviceOutput, ...]) -> None:
        for output in outputs:
            match output:
                case Used():
                    self._use(output)
                case Discard():
                    self._discard(output.pages)
                case Overwrite():
                    self._overwrite(output)
                case Note():
                    self.noted[output.clause] += 1
                case ConfigurationChanged():
                    self._changed()
                case Refused():
                    self.noted[output.what] += 1
                case _:
                    # Hints and statistics are for a host that migrates or measures; this one does neither.
                    pass

    def _use(self, used: Used) -> None:
        queue = self._queues.get(used.queue)
        if queue is None:
            self._owed.setdefault(used.queue, []).append(used)
            return
        chain = self._chains.pop((used.queue, used.buffer))
        if used.written:
            queue.write(chain, used.written)
        try:
            queue.push(chain.head, used.length_bytes)
        except ValueError:
            # The chain was taken before the queue was stopped, so the queue's present object does not know
            # the head.
            queue.push_raw(chain.head, used.length_bytes)
        if used.notified is not False:
            self._touched.add(used.queue)

    def _survives(self, index: int, queue: DeviceQueue, error: RingError) -> bool:
        """Return a chain that breaks a rule; return False if the ring itself is unusable."""
        if error.head is not None:
            queue.push(error.head, 0)
            self._touched.add(index)
            return True
        if error.fault is RingFault.AVAILABLE_JUMP:
            self._queues.pop(index)
            self._broken(index)
            return False
        return True

    def _notify(self) -> None:
        for index in self._touched:
            queue = self._queues.get(index)
            if queue is not None and queue.needs_interrupt():
                self._call(index)
        self._touched.clear()
