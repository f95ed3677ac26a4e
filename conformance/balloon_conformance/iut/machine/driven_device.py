"""The part of a device adapter that drives a device through its registers, whoever reaches them and how.

A subclass provides the machine and its memory in ``start``, and what its operator can do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.lent_buffers import LentBuffers, Ram
from balloon_conformance.iut.machine.transport import Status
from balloon_conformance.iut.machine.watch import Watch
from balloon_conformance.iut.numbering_hint import hint
from balloon_conformance.iut.sight import NotVisible
from balloon_spec.pages import EMPTY, PageSet

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from balloon_conformance.iut.contract import Buffer
    from balloon_conformance.iut.machine.transport import ConfigurationWindow, Transport
    from balloon_conformance.iut.ring_breach import RingBreach
    from balloon_conformance.virtio import GuestMemory
    from balloon_spec.events import Event, Overwritten
    from balloon_spec.profiles import Profile
    from balloon_spec.queues import Queue
    from balloon_spec.segments import Range

__all__ = ["DrivenDevice", "MachineRam", "Negotiation"]


class MachineRam(Ram, Protocol):
    """A machine's memory: pages that buffers may name, and ``reserved``, where the queues and buffers lie."""

    reserved: GuestMemory
    reserved_address: int
    reserved_bytes: int
    nameable: PageSet
    changes: tuple[Overwritten, ...]

    def examine(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which were overwritten; then restore them."""

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Write ``data`` into each of the pages, over and over."""


@dataclass(slots=True)
class Negotiation:
    """The state between two resets; ``left_status`` is the device status that the reset left."""

    lent: LentBuffers | None = None
    watch: Watch = field(default_factory=Watch)
    offered: int = 0
    accepted: int = 0
    left_status: int = 0


class DrivenDevice(ABC):
    """A device whose driver is the suite, with queues of up to ``ring_size`` descriptors."""

    def __init__(self, ring_size: int) -> None:
        self._ring_size = ring_size
        self._profile: Profile | None = None
        self._now = Negotiation()

    @property
    @abstractmethod
    def _transport(self) -> Transport:
        """The device's registers; :class:`AdapterError` if no machine runs."""

    @property
    @abstractmethod
    def _memory(self) -> MachineRam | None:
        """The machine's memory; None if there is none."""

    @property
    def memory(self) -> PageSet:
        """The pages that buffers may name."""
        return EMPTY if self._memory is None else self._memory.nameable

    def reset(self) -> None:
        """Reset the device and begin anew, up to the DRIVER status bit."""
        self._now = Negotiation()
        device = self._transport
        self._now.left_status = int(device.reset())
        device.add_status(Status.ACKNOWLEDGE)
        device.add_status(Status.DRIVER)

    def offered(self) -> int:
        """Return the feature bits the device offers."""
        self._now.offered = self._transport.device_features()
        return self._now.offered

    def accept(self, features: int) -> bool:
        """Write the accepted features; return whether the device kept FEATURES_OK, which legacy ones lack."""
        device = self._transport
        device.accept_features(features)
        self._now.accepted = features
        if device.is_legacy:
            return True
        return Status.FEATURES_OK in device.add_status(Status.FEATURES_OK)

    @property
    def _queues(self) -> Mapping[int, Queue]:
        """The queues of the accepted features, by virtqueue index."""
        if self._profile is None:
            return {}
        return self._profile.queue_map(self._now.offered, self._now.accepted)

    def ring_sizes(self) -> tuple[tuple[int, int], ...]:
        """Return (queue index, descriptors) of the queues that were set up."""
        lent = self._now.lent
        return () if lent is None else lent.ring_sizes

    def prepare(self) -> None:
        """Set up the queues of the accepted features, at their indices (QUEUE-01)."""
        device, memory = self._transport, self._memory
        if memory is None or self._profile is None:
            raise AssertionError("a running device has both")
        names = self._profile.names(self._now.accepted)
        lent = self._now.lent = self._lay_out(
            memory, event_index="EVENT_IDX" in names, indirect="INDIRECT_DESC" in names
        )
        for index in self._queues:
            maximum = device.queue_size_maximum(index)
            if not maximum:
                raise AdapterError(
                    f"the device has no queue {index} for the features {self._now.accepted:#x} it accepted;"
                    f" does its build give the bits the meaning of profile {self._profile.name}?"
                    + hint(self.absent_queues, self._profile, self._now.offered, self._now.accepted)
                )
            size = maximum if device.is_legacy else min(self._ring_size, maximum)
            device.enable_queue(index, lent.set_up(index, size, is_legacy=device.is_legacy))

    def _lay_out(self, memory: MachineRam, *, event_index: bool, indirect: bool) -> LentBuffers:
        """Return the queues of a negotiation, none of which is set up."""
        return LentBuffers(
            memory.reserved,
            memory.reserved_address,
            memory.reserved_bytes,
            ram=memory,
            event_index=event_index,
            indirect=indirect,
        )

    def absent_queues(self, indices: Collection[int]) -> frozenset[int]:
        """Return those of the indices whose register says that a queue has no entries."""
        device = self._transport
        return frozenset(index for index in indices if not device.queue_size_maximum(index))

    def driver_ok(self) -> None:
        """Set DRIVER_OK."""
        device = self._transport
        self._now.watch.configuration = self._read_space(device, self._now.accepted)
        device.add_status(Status.DRIVER_OK)

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Make a buffer available and, unless the case omits that, notify the device, also before DRIVER_OK.

        If INDIRECT_DESC was accepted, a buffer of several descriptors takes an indirect table.
        """
        device = self._transport
        if self._now.lent is None:
            raise AdapterError(f"buffer {buffer.name}: no queue is set up; call prepare first")
        self._now.lent.lend(queue, buffer)
        if buffer.notify:
            device.notify(queue)

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Lay what no driver may into a virtqueue, and notify the device."""
        device = self._transport
        self._rings_of(queue).break_ring(queue, breach)
        device.notify(queue)

    def rings(self, queue: int) -> tuple[Range, Range, Range]:
        """Return where descriptor table, available ring and used ring of a queue lie, guest-physical."""
        return self._rings_of(queue).rings(queue)

    @property
    def registers_address(self) -> int | None:
        """The address of registers of the device, if they are no I/O ports."""
        return self._transport.registers_address

    def _rings_of(self, queue: int) -> LentBuffers:
        if self._now.lent is None:
            raise AdapterError(f"queue {queue} is not set up; call prepare first")
        return self._now.lent

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space."""
        return self._transport.read_configuration(offset, length_bytes)

    def generation(self) -> int | None:
        """Return the generation of the last read of the configuration space."""
        return self._transport.generation_read

    def read_window(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space through the window of PCI."""
        return self._window.read(offset, length_bytes)

    def write_window(self, offset: int, length_bytes: int, data: bytes) -> None:
        """Write the configuration space through the window of PCI."""
        self._window.write(offset, length_bytes, data)

    @property
    def _window(self) -> ConfigurationWindow:
        if self._transport.window is None:
            raise NotVisible("the device has no window onto its configuration space")
        return self._transport.window

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space, with one store if 1, 2 or 4 bytes go to an aligned offset."""
        self._transport.write_configuration(offset, data)

    def status(self) -> int:
        """Read the device status, without the bits that tell how far the driver has come.

        This adapter's reset sets ACKNOWLEDGE and DRIVER once the status has read 0. If it never did, this is
        the status that the reset left.
        """
        if self._now.left_status:
            return self._now.left_status
        return int(self._transport.status() & ~(Status.ACKNOWLEDGE | Status.DRIVER))

    def write_status_again(self) -> None:
        """Write the device status as it is."""
        self._transport.add_status(Status(0))

    def notify(self, queue: int) -> None:
        """Notify the device of a queue, set up or not."""
        self._transport.notify(queue)

    def discarded(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which overwritten, since the last call or start."""
        return (EMPTY, EMPTY) if self._memory is None else self._memory.examine(pages)

    def changes(self) -> Sequence[Overwritten]:
        """Return the overwritten pages that the last look found, with what they hold."""
        return () if self._memory is None else self._memory.changes

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Write to pages of guest memory, as the guest does."""
        if self._memory is not None:
            self._memory.write_pages(pages, data)

    def _look(self) -> list[Event]:
        """Collect everything that the device may have done."""
        now, device = self._now, self._transport
        return now.watch.look(device, now.lent, lambda: self._read_space(device, now.accepted))

    def _read_space(self, device: Transport, features: int) -> bytes:
        """Read the words of the configuration space that the profile has with these features.

        The space of a device is longer if it offers features that the profile does not have.
        """
        if self._profile is None:
            raise AssertionError("a running device has a profile")
        return device.read_configuration(0, self._profile.configuration_bytes(features))
