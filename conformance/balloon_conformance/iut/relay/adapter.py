"""A balloon device under test, driven from inside a guest of its VMM.

The guest boots once and serves many cases. Every case begins with a reset, a target of 0 and ``actual`` 0; a
device that does not come back to that, that crashed, hung or needed a reset before, gets another boot.

What a case may name ends where the case says that memory ends. The guest has more memory than that, in which
its kernel lives. So a case that names pages beyond is left out, unless the machine has no memory there.
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
)
from balloon_conformance.iut.machine.driven_device import DrivenDevice
from balloon_conformance.iut.patterned_ram import pages_of
from balloon_conformance.iut.relay.buffers import RelayedBuffers
from balloon_conformance.iut.relay.find import find_balloon, ram_of
from balloon_conformance.iut.relay.guest import Guest
from balloon_conformance.iut.relay.ram import RelayedRam
from balloon_conformance.iut.relay.reach import RelayedMachine
from balloon_conformance.iut.sight import NotVisible
from balloon_spec.events import NeedsReset, OperatorAction
from balloon_spec.judge.shape import read_content
from balloon_spec.pages import PAGE_BYTES, PageSet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from balloon_conformance.iut.contract import Buffer, Setup
    from balloon_conformance.iut.lent_buffers import LentBuffers
    from balloon_conformance.iut.machine.driven_device import MachineRam
    from balloon_conformance.iut.machine.transport import Transport
    from balloon_conformance.iut.relay.options import RelayOptions
    from balloon_spec.events import Event

__all__ = ["RelayedDevice"]

_CAPABILITIES: Final = frozenset(
    {
        Capability.DISCARDS,
        Capability.DESCRIPTORS,
        Capability.ADDRESSES,
        Capability.RAW_FEATURES,
        Capability.REGISTERS,
        Capability.WRITE_PAGES,
    }
)
_PAGES_PER_MIB: Final = 256
_ACTUAL_OFFSET: Final = 4
_PAUSE_SECONDS: Final = 0.01


class RelayedDevice(DrivenDevice):
    """A device adapter for the balloon of any VMM that boots Linux with its console on standard streams."""

    def __init__(self, options: RelayOptions) -> None:
        super().__init__(options.ring_size)
        self._options = options
        self._guest: Guest | None = None
        self._ram: RelayedRam | None = None
        self._device: Transport | None = None
        self._spent = False

    @property
    def unseen(self) -> Mapping[sight.Fact, str]:
        """What a guest cannot see of its own memory."""
        return sight.unseen(sight.Kind.RELAY)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the registers and memory of a guest allow; with a command for it, targets are set."""
        has_operator = bool(self._options.target_command)
        return _CAPABILITIES | ({Capability.OPERATOR_TARGET} if has_operator else frozenset())

    @property
    def description(self) -> str:
        """The VMM's command, before anything is put into it."""
        return " ".join(self._options.command)

    @property
    def largest_target(self) -> int:
        """The pages that a case may name: a larger balloon would be a matter of the guest's kernel."""
        return self.memory.pages

    def start(self, setup: Setup) -> None:
        """Provide a device as after power-on, in the guest of the case before if it is in order."""
        self._profile = setup.profile
        span = PageSet([(_PAGES_PER_MIB, (self._options.memory_mib - 1) * _PAGES_PER_MIB)])
        if not self._is_as_new():
            self.stop()
            self._boot(span)
        if self._ram is None:
            raise AssertionError("a guest that booted has memory")
        self._ram.begin(setup.memory)
        self.reset()

    def stop(self) -> None:
        """Kill the VMM."""
        if self._guest is not None:
            self._guest.stop()
        self._guest = self._ram = self._device = None
        self._spent = False

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Make a buffer available and, unless the case omits that, notify the device.

        Raises :class:`NotVisible` for one that would touch the memory of the guest's kernel.
        """
        self._refuse_foreign_pages(queue, buffer)
        super().make_available(queue, buffer)

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the device did since the last call; wait for it until the deadline."""
        device, until = self._transport, time.monotonic() + deadline_seconds
        while True:
            events = self._look()
            left_seconds = until - time.monotonic()
            if events or left_seconds <= 0:
                self._spent = self._spent or any(isinstance(one, NeedsReset) for one in events)
                return events
            device.wait(min(_PAUSE_SECONDS, left_seconds))

    def operate(self, action: OperatorAction, value: int) -> None:
        """Have the VMM set the target, in 4 KiB pages."""
        if action != OperatorAction.TARGET or not self._options.target_command:
            raise AdapterError(f"nobody can ask this VMM for {action}; see the adapter's capabilities")
        if self._guest is None:
            raise AdapterError("no guest runs; start the adapter first")
        words = {
            "{pages}": str(value),
            "{bytes}": str(value * PAGE_BYTES),
            "{mib}": str(value // _PAGES_PER_MIB),
        }
        command = list(self._options.target_command)
        for place, number in words.items():
            command = [word.replace(place, number) for word in command]
        self._guest.have(command)

    @property
    def _transport(self) -> Transport:
        if self._device is None:
            raise AdapterError("no guest runs; start the adapter first")
        return self._device

    @property
    def _memory(self) -> RelayedRam | None:
        return self._ram

    def _lay_out(self, memory: MachineRam, *, event_index: bool, indirect: bool) -> LentBuffers:
        del memory
        if self._ram is None:
            raise AssertionError("a running device has memory")
        return RelayedBuffers(self._ram, event_index=event_index, indirect=indirect)

    def _boot(self, span: PageSet) -> None:
        self._guest = Guest(self._options)
        try:
            machine = RelayedMachine(self._guest.link)
            exists = _with(span, ram_of(machine))
            self._device = find_balloon(machine)
            self._ram = RelayedRam(machine, span, exists)
        except BaseException:
            self.stop()
            raise

    def _is_as_new(self) -> bool:
        """Bring the device back to its state at power-on; False if only another boot will do."""
        device = self._device
        if device is None or self._spent:
            return False
        try:
            if device.reset():
                return False
            device.write_configuration(_ACTUAL_OFFSET, bytes(4))
            if self._options.target_command and device.read_configuration(0, 4) != bytes(4):
                self.operate(OperatorAction.TARGET, 0)
            device.take_interrupts()
            return not any(self._read_space(device, device.device_features())) and not device.status()
        except (ImplementationCrashed, ImplementationHung, AdapterError):
            return False

    def _refuse_foreign_pages(self, queue: int, buffer: Buffer) -> None:
        if self._ram is None or self._profile is None:
            raise AdapterError("no guest runs; start the adapter first")
        features = self._profile.names(self._now.accepted)
        exists, nameable = self._ram.exists, self._ram.nameable
        named = read_content(self._queues.get(queue), buffer.readable, exists, features).pages
        for segment in buffer.segments:
            if segment.address is not None and segment.length_bytes:
                named |= pages_of(segment.address, segment.length_bytes) & exists
        if foreign := named - nameable:
            raise NotVisible(
                f"the guest's kernel may have its memory in pages {foreign}, which the case names"
            )


def _with(span: PageSet, exists: PageSet) -> PageSet:
    """Return the pages that exist; :class:`AdapterError` if the span is not among them."""
    if missing := span - exists:
        raise AdapterError(
            f"the guest has no memory at pages {missing}; give it 256 MiB more than --relay-memory says"
        )
    return exists
