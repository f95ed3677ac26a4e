"""QEMU's balloon device behind the contract of a device under test.

Every case begins as after power-on. QEMU keeps ``num_pages``, ``actual`` and the polling of statistics over a
device reset. So a process that serves another case is reset, these three are set back, and the configuration
space is read. A process whose space is not zero, or that crashed, hung or needed a reset before, is replaced.
The guest's RAM outlives the process, because filling it costs time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    ImplementationCrashed,
    ImplementationHung,
    operator_capability,
)
from balloon_conformance.iut.lent_buffers import LentBuffers
from balloon_conformance.iut.machine.transport import Status
from balloon_conformance.iut.machine.watch import Watch
from balloon_conformance.iut.numbering_hint import hint
from balloon_conformance.iut.qemu.find import find_balloon
from balloon_conformance.iut.qemu.guest_copy import GuestCopy
from balloon_conformance.iut.qemu.machines import TransportKind
from balloon_conformance.iut.qemu.operator import Operator
from balloon_conformance.iut.qemu.options import MEANINGS
from balloon_conformance.iut.qemu.process import QemuProcess, find_binary, version
from balloon_conformance.iut.qemu.qmp import require_library
from balloon_conformance.iut.qemu.ram import GuestRam
from balloon_spec.events import NeedsReset, OperatorAction, Used
from balloon_spec.families.free_page_hint import END_HINTS, FREE_PAGE, HINT
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from balloon_conformance.iut.contract import Buffer, Setup
    from balloon_conformance.iut.machine.transport import Transport
    from balloon_conformance.iut.qemu.options import QemuOptions
    from balloon_spec.events import Event, Overwritten
    from balloon_spec.profiles import Profile

__all__ = ["QemuDevice"]

_CAPABILITIES: Final = frozenset(
    {
        Capability.OPERATOR_TARGET,
        Capability.OPERATOR_STATISTICS,
        operator_capability(HINT),
        operator_capability(END_HINTS),
        Capability.DISCARDS,
        Capability.DESCRIPTORS,
        Capability.ADDRESSES,
        Capability.BROKEN_RINGS,
        Capability.RAW_FEATURES,
        Capability.HOST_STATISTICS,
        Capability.REGISTERS,
        Capability.WRITE_PAGES,
        Capability.SKIPS,
    }
)
_ACTUAL_OFFSET: Final = 4
_PAUSE_SECONDS: Final = 0.001
_SETTLED_LOOKS: Final = 8


@dataclass(slots=True)
class _Negotiation:
    """The state between two resets.

    ``reported`` says that there was a statistics buffer: QEMU keeps its statistics over a reset. ``awaiting``
    says that an operator's request shows no effect yet. ``left_status`` is the device status that the reset
    left.
    """

    lent: LentBuffers | None = None
    watch: Watch = field(default_factory=Watch)
    offered: int = 0
    accepted: int = 0
    reported: bool = False
    awaiting: bool = False
    left_status: int = 0


class QemuDevice:
    """A device adapter for QEMU's balloon; :class:`QemuOptions` has the choices, the transport among them.

    Its ``memory`` ends where the case says that guest memory ends. It lacks pages 0x40 to 0xff, which hold
    the rings, the buffers and the firmware; no buffer may name them.
    """

    def __init__(self, options: QemuOptions) -> None:
        self._options = options
        self._properties: frozenset[str] = frozenset()
        """What the running process was given for its profile, of what profiles give a meaning."""
        self._profile: Profile | None = None
        self._ram: GuestRam | None = None
        self._process: QemuProcess | None = None
        self._device: Transport | None = None
        self._operator: Operator | None = None
        self._spent = False
        self._copy: GuestCopy | None = None
        """The copy of the guest that the operator finished last."""
        self._now = _Negotiation()

    @property
    def unseen(self) -> Mapping[sight.Fact, str]:
        """What the transport does not show: the legacy interface has not all bits of the device status."""
        is_legacy = self._options.transport is TransportKind.PCI_LEGACY
        return sight.unseen(sight.Kind.QEMU, () if is_legacy else {sight.MODERN})

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All capabilities of a device except requests for unused pages, which QEMU cannot make."""
        return _CAPABILITIES

    @property
    def description(self) -> str:
        """QEMU's version and the device's arguments."""
        return f"QEMU {version(find_binary(self._options.binary))}, {self._options.description}"

    @property
    def memory(self) -> PageSet:
        """The pages that buffers may name."""
        return self._ram.nameable if self._ram else EMPTY

    def start(self, setup: Setup) -> None:
        """Provide a device as after power-on, in the process of the case before if it is in order."""
        require_library()
        self._refuse_foreign_bits(setup.profile)
        self._profile = setup.profile
        memory_map = self._options.machine.memory_map
        pages = memory_map.ram_pages(setup.memory_pages, self._options.memory_mib)
        if self._ram and self._ram.pages != pages:
            self.stop()
        if not self._options.can_serve(setup.profile, self._properties):
            self._end_process()
            self._properties = self._options.meant_by(setup.profile)
        self._copy = None
        if self._ram:
            self._ram.writer = None
        if not self._power_on_again():
            self._end_process()
            if self._ram:
                self._ram.restore()
            else:
                self._ram = GuestRam(pages, memory_map)
            options = self._options.with_properties(self._properties)
            self._process = QemuProcess(options, self._ram.descriptor, self._ram.size_bytes)
            self._operator = Operator(self._process.monitor, self._ram.pages, self._options.migration_seconds)
            self._device = find_balloon(options, self._process.qtest, self._ram)
            self._spent = False
        self.reset()

    def stop(self) -> None:
        """Kill QEMU and give its memory back."""
        self._end_process()
        if self._ram:
            self._ram.close()
            self._ram = None

    def reset(self) -> None:
        """Reset the device and begin anew, up to the DRIVER status bit."""
        self._now = _Negotiation()
        device = self._running()
        self._now.left_status = int(device.reset())
        self._qemu().see_reset()
        device.add_status(Status.ACKNOWLEDGE)
        device.add_status(Status.DRIVER)

    def offered(self) -> int:
        """Return the feature bits the device offers."""
        self._now.offered = self._running().device_features()
        return self._now.offered

    def accept(self, features: int) -> bool:
        """Write the accepted features; return whether the device kept FEATURES_OK, which legacy ones lack."""
        device = self._running()
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
        device = self._running()
        if self._ram is None or self._profile is None:
            raise AssertionError("a running device has both")
        names = self._profile.names(self._now.accepted)
        lent = self._now.lent = LentBuffers(
            self._ram.reserved,
            self._ram.reserved_address,
            self._ram.reserved_bytes,
            ram=self._ram,
            event_index="EVENT_IDX" in names,
            indirect="INDIRECT_DESC" in names,
        )
        for index in self._queues:
            maximum = device.queue_size_maximum(index)
            if not maximum:
                raise AdapterError(
                    f"the device has no queue {index} for the features {self._now.accepted:#x} it accepted;"
                    f" does its build give the bits the meaning of profile {self._profile.name}?"
                    + hint(self.absent_queues, self._profile, self._now.offered, self._now.accepted)
                )
            size = maximum if device.is_legacy else min(self._options.ring_size, maximum)
            device.enable_queue(index, lent.set_up(index, size, is_legacy=device.is_legacy))

    def absent_queues(self, indices: Collection[int]) -> frozenset[int]:
        """Return those of the indices whose register says that a queue has no entries."""
        device = self._running()
        return frozenset(index for index in indices if not device.queue_size_maximum(index))

    def driver_ok(self) -> None:
        """Set DRIVER_OK."""
        device = self._running()
        self._now.watch.configuration = self._read_space(device, self._now.accepted)
        device.add_status(Status.DRIVER_OK)

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Make a buffer available and, unless the case omits that, notify the device, also before DRIVER_OK.

        If INDIRECT_DESC was accepted, a buffer of several descriptors takes an indirect table.
        """
        device = self._running()
        if self._now.lent is None:
            raise AdapterError(f"buffer {buffer.name}: no queue is set up; call prepare first")
        self._now.lent.lend(queue, buffer)
        self._now.reported = self._now.reported or self._queues.get(queue) is STATISTICS
        if buffer.notify:
            device.notify(queue)

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space."""
        return self._running().read_configuration(offset, length_bytes)

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space, with one store if 1, 2 or 4 bytes go to an aligned offset."""
        self._running().write_configuration(offset, data)

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the device did since the last call.

        QEMU serves a notification before it answers the register write, but may serve an operator's request
        later, and hints in a thread of their own. So this waits until the deadline only if such a request
        shows no effect yet, or if hints are to be returned.
        """
        device, operator = self._running(), self._qemu()
        now = time.monotonic()
        deadline, settled = now + deadline_seconds, now + self._options.settle_seconds
        looks = 0
        while True:
            if events := self._look(device):
                self._now.awaiting = False
                return events
            looks += 1
            now = time.monotonic()
            if now >= deadline:
                self._now.awaiting = False
                return ()
            busy = self._now.awaiting or operator.polling or self._serves_hints()
            if not busy and looks >= _SETTLED_LOOKS and now >= settled:
                return ()
            device.wait(min(_PAUSE_SECONDS, deadline - now))

    def status(self) -> int:
        """Read the device status, without the bits that tell how far the driver has come.

        This adapter's reset sets ACKNOWLEDGE and DRIVER once the status has read 0. If it never did, this is
        the status that the reset left.
        """
        if self._now.left_status:
            return self._now.left_status
        return int(self._running().status() & ~(Status.ACKNOWLEDGE | Status.DRIVER))

    def write_status_again(self) -> None:
        """Write the device status as it is."""
        self._running().add_status(Status(0))

    def notify(self, queue: int) -> None:
        """Notify the device of a queue, set up or not."""
        self._running().notify(queue)

    def discarded(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which overwritten, since the last call or start."""
        return self._ram.examine(pages) if self._ram else (EMPTY, EMPTY)

    def changes(self) -> Sequence[Overwritten]:
        """Return the overwritten pages that the last look found, with what they hold."""
        return self._ram.changes if self._ram else ()

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Write to pages of guest memory, as the guest does."""
        if self._ram:
            self._ram.write_pages(pages, data)

    @property
    def largest_target(self) -> int:
        """One page less than guest memory."""
        return 0 if self._operator is None else self._operator.largest_target

    def operate(self, action: OperatorAction, value: int) -> None:
        """Set the target, in 4 KiB pages, have the statistics refreshed once, or copy the guest.

        A copy is a migration, which begins by asking for hints, and goes on slowly until it is finished.
        """
        operator = self._qemu()
        if action == OperatorAction.TARGET:
            operator.set_target(value)
            self._now.awaiting = True
        elif action == OperatorAction.STATISTICS:
            operator.refresh_statistics()
        elif action is HINT:
            self._begin_copy(operator)
            self._now.awaiting = True
        elif action is END_HINTS:
            self._finish_copy(operator)
            self._now.awaiting = True
        else:
            raise AdapterError(f"QEMU cannot be asked for {action}; see the adapter's capabilities")

    def skipped(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of the pages the last finished copy lacks, and of which of them that is known.

        A page is lacking if the copy does not have what it held at the end.
        """
        if self._copy is None:
            return EMPTY, EMPTY
        return self._copy.skipped & pages, self._copy.known & pages

    def statistics(self) -> tuple[tuple[int, int], ...]:
        """Return the statistics that QEMU read; empty before it read any."""
        return self._qemu().statistics() if self._now.reported else ()

    def _begin_copy(self, operator: Operator) -> None:
        operator.begin_copy()
        if self._ram is not None and self._process is not None:
            # QEMU copies again what it sees written.
            self._ram.writer = self._process.qtest.write

    def _finish_copy(self, operator: Operator) -> None:
        finished = operator.finish_copy()
        if self._ram is not None and finished is not None:
            self._ram.writer = None
            stream, early_bytes = finished
            self._copy = GuestCopy.of(stream, self._ram.nameable, self._ram.read, early_bytes)

    def _look(self, device: Transport) -> list[Event]:
        """Collect everything that the device may have done."""
        now = self._now
        events = now.watch.look(device, now.lent, lambda: self._read_space(device, now.accepted))
        for event in events:
            if isinstance(event, Used) and self._queues.get(event.queue) is STATISTICS:
                self._qemu().stop_polling()
            self._spent = self._spent or isinstance(event, NeedsReset)
        return events

    def _serves_hints(self) -> bool:
        """Tell whether a buffer is to be returned, or notified of, by QEMU's thread for hints."""
        lent = self._now.lent
        indices = [index for index, queue in self._queues.items() if queue is FREE_PAGE]
        return lent is not None and any(
            lent.in_flight(index) or self._now.watch.awaits(index) for index in indices
        )

    def _read_space(self, device: Transport, features: int) -> bytes:
        """Read the words of the configuration space that the profile has with these features.

        QEMU's space is longer if it offers features that the profile does not have.
        """
        if self._profile is None:
            raise AssertionError("a running device has a profile")
        return device.read_configuration(0, self._profile.configuration_bytes(features))

    def _power_on_again(self) -> bool:
        """Bring the running process back to its state at power-on; False if only a fresh one will do."""
        device, operator = self._device, self._operator
        if device is None or operator is None or self._ram is None or self._spent or not self._options.reuse:
            return False
        try:
            if device.reset():
                return False
            operator.withdraw()
            device.write_configuration(_ACTUAL_OFFSET, bytes(4))
            device.take_interrupts()
            fit = not any(self._read_space(device, device.device_features())) and not device.status()
        except (ImplementationCrashed, ImplementationHung, AdapterError):
            return False
        if fit:
            self._ram.restore()
        return fit

    def _end_process(self) -> None:
        if self._operator:
            self._operator.close()
        if self._process:
            self._process.stop()
        self._process = self._device = self._operator = None
        self._now = _Negotiation()

    def _running(self) -> Transport:
        if self._device is None:
            raise AdapterError("QEMU is not running; start the adapter first")
        return self._device

    def _qemu(self) -> Operator:
        if self._operator is None:
            raise AdapterError("QEMU is not running; start the adapter first")
        return self._operator

    def _refuse_foreign_bits(self, profile: Profile) -> None:
        for name, (bit, feature) in MEANINGS.items():
            meant = profile.by_bit.get(bit)
            if meant is not None and meant.name != feature and self._options.switched_on(name):
                raise AdapterError(
                    f"with {name}=on bit {bit} is not {meant.name}; use profile mainline,"
                    f" or leave {name} off with a QEMU that speaks {profile.name}"
                )
