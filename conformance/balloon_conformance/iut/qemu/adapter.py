"""QEMU's balloon device behind the contract of a device under test.

Every case begins as after power-on. QEMU keeps ``num_pages``, ``actual`` and the polling of statistics over a
device reset. So a process that serves another case is reset, these three are set back, and the configuration
space is read. A process whose space is not zero, or that crashed, hung or needed a reset before, is replaced.
The guest's RAM outlives the process, because filling it costs time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    ImplementationCrashed,
    ImplementationHung,
    operator_capability,
)
from balloon_conformance.iut.machine.driven_device import DrivenDevice, Negotiation
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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from balloon_conformance.iut.contract import Buffer, Setup
    from balloon_conformance.iut.machine.transport import Transport
    from balloon_conformance.iut.qemu.options import QemuOptions
    from balloon_spec.events import Event
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


class QemuDevice(DrivenDevice):
    """A device adapter for QEMU's balloon; :class:`QemuOptions` has the choices, the transport among them.

    Its ``memory`` ends where the case says that guest memory ends. It lacks pages 0x40 to 0xff, which hold
    the rings, the buffers and the firmware; no buffer may name them.
    """

    def __init__(self, options: QemuOptions) -> None:
        super().__init__(options.ring_size)
        self._options = options
        self._properties: frozenset[str] = frozenset()
        """What the running process was given for its profile, of what profiles give a meaning."""
        self._ram: GuestRam | None = None
        self._process: QemuProcess | None = None
        self._device: Transport | None = None
        self._operator: Operator | None = None
        self._spent = False
        self._copy: GuestCopy | None = None
        """The copy of the guest that the operator finished last."""
        self._reported = False
        """Whether there was a statistics buffer since the reset: QEMU keeps its statistics over one."""
        self._awaiting = False
        """Whether an operator's request shows no effect yet."""

    @property
    def unseen(self) -> Mapping[sight.Fact, str]:
        """What the transport does not show: the legacy interface has not all bits of the device status."""
        is_legacy = self._options.transport is TransportKind.PCI_LEGACY
        return sight.unseen(sight.Kind.QEMU, () if is_legacy else {sight.MODERN})

    @property
    def feature_bits(self) -> int:
        """The legacy interface has room for half of them."""
        return 32 if self._options.transport is TransportKind.PCI_LEGACY else 64

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All capabilities of a device except requests for unused pages, which QEMU cannot make."""
        has_window = self._options.transport in {TransportKind.PCI, TransportKind.PCI_TRANSITIONAL}
        return _CAPABILITIES | {Capability.WINDOW} if has_window else _CAPABILITIES

    @property
    def description(self) -> str:
        """QEMU's version and the device's arguments."""
        return f"QEMU {version(find_binary(self._options.binary))}, {self._options.description}"

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
        self._reported = self._awaiting = False
        super().reset()
        self._qemu().see_reset()

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Make a buffer available and, unless the case omits that, notify the device."""
        super().make_available(queue, buffer)
        self._reported = self._reported or self._queues.get(queue) is STATISTICS

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the device did since the last call.

        QEMU serves a notification before it answers the register write, but may serve an operator's request
        later, and hints in a thread of their own. So this waits until the deadline only if such a request
        shows no effect yet, or if hints are to be returned.
        """
        device, operator = self._transport, self._qemu()
        now = time.monotonic()
        deadline, settled = now + deadline_seconds, now + self._options.settle_seconds
        looks = 0
        while True:
            if events := self._look():
                self._awaiting = False
                return events
            looks += 1
            now = time.monotonic()
            if now >= deadline:
                self._awaiting = False
                return ()
            busy = self._awaiting or operator.polling or self._serves_hints()
            if not busy and looks >= _SETTLED_LOOKS and now >= settled:
                return ()
            device.wait(min(_PAUSE_SECONDS, deadline - now))

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
            self._awaiting = True
        elif action == OperatorAction.STATISTICS:
            operator.refresh_statistics()
        elif action is HINT:
            self._begin_copy(operator)
            self._awaiting = True
        elif action is END_HINTS:
            self._finish_copy(operator)
            self._awaiting = True
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
        return self._qemu().statistics() if self._reported else ()

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

    def _look(self) -> list[Event]:
        events = super()._look()
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
        self._reported = self._awaiting = False
        self._now = Negotiation()

    @property
    def _transport(self) -> Transport:
        if self._device is None:
            raise AdapterError("QEMU is not running; start the adapter first")
        return self._device

    @property
    def _memory(self) -> GuestRam | None:
        return self._ram

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
