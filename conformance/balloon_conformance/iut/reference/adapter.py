"""Adapters to the reference device and the reference driver, in this process.

Both answer at once, so an ``observe`` that finds nothing never waits: nothing will come, and the deadline
passes on a simulated clock. Subclasses of :class:`~balloon_conformance.reference.device.Device` and
:class:`~balloon_conformance.reference.driver.Driver` use the same adapters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace

from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import (
    AdapterError,
    Buffer,
    Capability,
    Setup,
    Target,
    operator_capability,
)
from balloon_conformance.iut.reference.followed_ring import follow, places
from balloon_conformance.iut.reference.simulated_clock import SimulatedClock
from balloon_conformance.iut.ring_breach import RingBreach
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import (
    Accept,
    Copied,
    DeviceOptions,
    DeviceOutput,
    DevicePhase,
    Discard,
    FeaturesOk,
    Overwrite,
    StatisticsReport,
    Wrote,
)
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_state import Accepted, DriverOptions, DriverOutput, Fill, Offer
from balloon_conformance.reference.machine import Note, Refused
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationRead,
    ConfigurationWritten,
    Contents,
    DriverOk,
    Event,
    Guest,
    GuestAction,
    Memory,
    NeedsReset,
    Operator,
    OperatorAction,
    Overwritten,
    Reset,
    Side,
    Used,
)
from balloon_spec.feature import RING_FEATURES
from balloon_spec.pages import EMPTY, PAGE_SHIFT, PageSet
from balloon_spec.segments import Range, are_in_order, segments_outside

__all__ = [
    "WINDOW_LENGTHS",
    "ReferenceDevice",
    "ReferenceDriver",
    "reference_device_target",
    "reference_driver_target",
]

MakeDevice = Callable[[DeviceOptions], Device]
MakeDriver = Callable[[DriverOptions], Driver]

RING_SIZE = 1024
"""The number of descriptors that the reference device reports for every queue."""

_FEATURE_BITS = 128
"""As many as in VIRTIO 1.4. The reference takes a feature set of any length."""

_GENERATIONS = 256
"""As many as PCI has room for."""

_INDIRECT_BIT = next(one.bit for one in RING_FEATURES if one.name == "INDIRECT_DESC")

WINDOW_LENGTHS = frozenset({1, 2, 4})
"""The lengths of an access through a window onto the configuration space."""

_NOT_STARTED = "the adapter is not started; call start first"

_WISHES = frozenset(map(operator_capability, OperatorAction))


class _OutputLog:
    """The outputs of a machine: events for ``observe``, and counts of everything else."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.notes: Counter[str] = Counter()
        """How often the other side broke each requirement, by its id."""
        self.refused: Counter[str] = Counter()
        """How often an input had no effect, by the kind of input."""

    def enter(self, output: DeviceOutput | DriverOutput) -> None:
        """Record one output. The machine's own adapter handles what is neither an event nor counted."""
        match output:
            case Note():
                self.notes[output.clause] += 1
            case Refused():
                self.refused[output.what] += 1
            case Fill():
                self.events.append(Contents(output.pages, output.data))
            case (
                Used() | ConfigurationChanged() | NeedsReset() | Memory() | DriverOk() | Available()
                | ConfigurationRead() | ConfigurationWritten() | Guest()
            ):  # fmt: skip
                self.events.append(output)
            case _:
                pass

    def take_events(self, clock: SimulatedClock, deadline_seconds: float) -> list[Event]:
        """Return the events since the last call; if there are none, let the deadline pass."""
        events, self.events = self.events, []
        if events:
            clock.act()
        else:
            clock.wait(deadline_seconds)
        return events


_STATUS: Mapping[DevicePhase, int] = {
    DevicePhase.FRESH: 0,
    DevicePhase.NEGOTIATED: 11,
    DevicePhase.RUNNING: 15,
}
"""The device status of each phase: ACKNOWLEDGE, DRIVER and FEATURES_OK, and then DRIVER_OK."""


class ReferenceDevice:
    """A :class:`~balloon_conformance.iut.contract.DeviceAdapter` to a device in this process.

    ``make`` builds the device from its options; it may be a subclass of ``Device``. ``offered`` are the
    feature bits to offer; None leaves the choice to the device.
    """

    capabilities = frozenset(
        {
            *_WISHES,
            Capability.DISCARDS,
            Capability.DESCRIPTORS,
            Capability.ADDRESSES,
            Capability.BROKEN_RINGS,
            Capability.RAW_FEATURES,
            Capability.MEMORY_HOLES,
            Capability.HOST_STATISTICS,
            Capability.REGISTERS,
            Capability.WINDOW,
            Capability.WRITE_PAGES,
            Capability.SKIPS,
        }
    )
    unseen = sight.unseen(sight.Kind.REFERENCE_DEVICE)

    def __init__(
        self,
        make: MakeDevice = Device,
        *,
        offered: int | None = None,
        description: str = "reference device, in this process",
    ) -> None:
        self.description = description
        # Families that were made known since this module was imported have wishes too.
        self.capabilities |= frozenset(map(operator_capability, OperatorAction)) - _WISHES
        self.clock = SimulatedClock()
        self.log = _OutputLog()
        self._make = make
        self._offered = offered
        self._device: Device | None = None
        self._discarded = EMPTY
        self._overwritten: tuple[Overwritten, ...] = ()
        self._changes: tuple[Overwritten, ...] = ()
        self._after_a_return = EMPTY
        """The pages that were discarded after buffers were returned which nobody has observed yet."""
        self._statistics: tuple[tuple[int, int], ...] = ()
        self._missing: PageSet | None = None
        """The pages that the last copy of guest memory lacks; None if there was none."""
        self._space = b""
        """The configuration space as it was read last."""
        self._generation = 0

    @property
    def device(self) -> Device:
        """The device; :class:`AdapterError` before ``start`` and after ``stop``."""
        if self._device is None:
            raise AdapterError(_NOT_STARTED)
        return self._device

    @property
    def memory(self) -> PageSet:
        """The guest pages that exist: none before ``start`` and after ``stop``."""
        return self._device.options.memory if self._device is not None else EMPTY

    def start(self, setup: Setup) -> None:
        """Build a fresh device with the memory of the case."""
        self._device = self._make(DeviceOptions(setup.profile, setup.memory, self._offered))
        self.log = _OutputLog()
        self._discarded = self._after_a_return = EMPTY
        self._overwritten = self._changes = ()
        self._statistics = ()
        self._missing = None
        self._space, self._generation = b"", 0

    def stop(self) -> None:
        """Drop the device."""
        self._device = None

    def reset(self) -> None:
        """Reset the device."""
        self._tell(Reset())

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the device did since the last call."""
        events = self.log.take_events(self.clock, deadline_seconds)
        if not events:
            self._time_passes()
        return events

    def offered(self) -> int:
        """Return the feature bits the device offers."""
        return self.device.offer()

    def accept(self, features: int) -> bool:
        """Write the accepted features; return whether FEATURES_OK stayed."""
        outputs = self._tell(Accept(features))
        return any(isinstance(output, FeaturesOk) and output.kept for output in outputs)

    def ring_sizes(self) -> tuple[tuple[int, int], ...]:
        """Return the reported size of every queue of the accepted features."""
        device = self.device
        there = device.options.profile.queue_map(device.offer(), device.state.accepted)
        return tuple((index, RING_SIZE) for index in there)

    def prepare(self) -> None:
        """Do nothing: there are no rings to lay out."""

    def driver_ok(self) -> None:
        """Set DRIVER_OK."""
        self._tell(DriverOk())

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Hand a whole buffer over; :class:`AdapterError` if the segments do not add up to the buffer.

        If a segment lies where no memory is, or device-readable ones behind device-writable ones, the device
        reads nothing of the buffer and writes nothing.
        """
        if buffer.cut and sum(buffer.cut) < len(buffer.readable):
            raise AdapterError(
                f"buffer {buffer.name} is cut into {sum(buffer.cut)} bytes and has {len(buffer.readable)}; "
                "make the lengths add up"
            )
        readable, writable_bytes = buffer.readable, buffer.writable_bytes
        if segments_outside(buffer.segments, self.memory) or not are_in_order(buffer.segments):
            readable, writable_bytes = b"", 0
        self._tell(Available(queue, buffer.name, readable, writable_bytes, buffer.notify, buffer.segments))

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Have rings followed that are broken; the device goes on as if nothing had been there."""
        del queue
        follow(breach, indirect=bool(self.device.state.accepted >> _INDIRECT_BIT & 1))

    def rings(self, queue: int) -> tuple[Range, Range, Range]:
        """Return where rings would lie: above all guest memory."""
        return places(queue)

    @property
    def registers_address(self) -> int | None:
        """None: a device in this process has no registers."""
        return None

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space; bytes beyond its end are zeros."""
        space = self.device.configuration()
        if space != self._space:
            self._space, self._generation = space, (self._generation + 1) % _GENERATIONS
        return space[offset : offset + length_bytes].ljust(length_bytes, b"\0")

    def read_window(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space through a window; one of an illegal length shows zeros."""
        if length_bytes not in WINDOW_LENGTHS:
            return bytes(4)
        return self.read_configuration(offset, length_bytes)

    def write_window(self, offset: int, length_bytes: int, data: bytes) -> None:
        """Write the configuration space through a window; nothing is written with an illegal length."""
        if length_bytes in WINDOW_LENGTHS:
            self.write_configuration(offset, data[:length_bytes])

    def generation(self) -> int | None:
        """Return the generation of the configuration space, which a read changes that shows something new."""
        return self._generation

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space with one store."""
        self._tell(ConfigurationWritten(offset, data))

    def discarded(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded since the last call for them, and which were changed.

        As with real memory, a discarded page stays discarded until somebody looks at it. The acts of a device
        in one step are seen in their order: a look after a return does not show what came after that return.
        """
        found = self._discarded & pages
        self._discarded -= pages
        self._changes = _on(self._overwritten, pages - found)
        self._overwritten = _on(self._overwritten, self.memory - pages)
        self._time_passes()
        return found, PageSet.union(one.pages for one in self._changes)

    def changes(self) -> Sequence[Overwritten]:
        """Return the overwritten pages that the last look found, with what the device did to them."""
        return self._changes

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Write to pages as the guest. There is no memory behind them; what they were before is gone."""
        del data
        self._tell(Wrote(pages))
        self._discarded -= pages
        self._overwritten = _on(self._overwritten, self.memory - pages)

    def _time_passes(self) -> None:
        self._discarded |= self._after_a_return
        self._after_a_return = EMPTY

    def status(self) -> int:
        """Return the device status: 0 before features were accepted."""
        return _STATUS[self.device.state.phase]

    def write_status_again(self) -> None:
        """Write the status as it is. A running device receives DRIVER_OK once more."""
        if self.device.state.phase is DevicePhase.RUNNING:
            self._tell(DriverOk())

    def notify(self, queue: int) -> None:
        """Do nothing: the device takes every buffer it is given, without a notification."""

    def statistics(self) -> tuple[tuple[int, int], ...]:
        """Return what the device reported last."""
        return self._statistics

    def skipped(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return those of the pages that the copy lacks; of all of them it is known."""
        return (EMPTY, EMPTY) if self._missing is None else (self._missing & pages, pages)

    def operate(self, action: OperatorAction, value: int) -> None:
        """Carry out an operator's request."""
        self._tell(Operator(action, value))

    def _tell(self, given: object) -> tuple[DeviceOutput, ...]:
        self._time_passes()
        returned = False
        outputs = self.device.receive(given)
        for output in outputs:
            if isinstance(output, Used):
                # As on a ring: a device that does not say otherwise notifies the driver.
                self.log.enter(replace(output, notified=output.notified is not False))
                returned = True
                continue
            self.log.enter(output)
            if isinstance(output, Discard) and returned:
                self._after_a_return |= output.pages
            elif isinstance(output, Discard):
                self._discarded |= output.pages
            elif isinstance(output, Overwrite):
                self._overwritten = (
                    *_on(self._overwritten, self.memory - output.pages),
                    Overwritten(output.pages, output.fill, output.spans),
                )
            elif isinstance(output, StatisticsReport):
                self._statistics = output.entries
            elif isinstance(output, Copied):
                self._missing = output.missing
        return outputs


def _on(changes: Sequence[Overwritten], pages: PageSet) -> tuple[Overwritten, ...]:
    """Return what of the changes is on some pages."""
    on_them = ((one, one.pages & pages) for one in changes)
    return tuple(
        replace(one, pages=there, spans=tuple(span for span in one.spans if span[0] >> PAGE_SHIFT in there))
        for one, there in on_them
        if there
    )


class ReferenceDriver:
    """A :class:`~balloon_conformance.iut.contract.DriverAdapter` to a driver in this process.

    ``make`` builds the driver from its options; it may be a subclass of ``Driver``, or a function that
    replaces some options. With ``steered`` False the driver chooses the pages it gives up out of
    ``own_memory``, by default all of guest memory, and cannot be told which.
    """

    unseen = sight.unseen(sight.Kind.REFERENCE_DRIVER)

    def __init__(
        self,
        make: MakeDriver = Driver,
        *,
        supported: int | None = None,
        steered: bool = True,
        own_memory: PageSet | None = None,
        description: str = "reference driver, in this process",
    ) -> None:
        self.description = description
        self.clock = SimulatedClock()
        self.capabilities = frozenset(
            {Capability.RAW_FEATURES, Capability.MEMORY_HOLES}
            | ({Capability.STEER_PAGES} if steered else set())
        )
        self.log = _OutputLog()
        self._make = make
        self._supported = supported
        self.steered = steered
        self._own_memory = own_memory
        self._driver: Driver | None = None

    @property
    def driver(self) -> Driver:
        """The driver; :class:`AdapterError` before ``start`` and after ``stop``."""
        if self._driver is None:
            raise AdapterError(_NOT_STARTED)
        return self._driver

    def left_free(self) -> ReferenceDriver:
        """Return an adapter, not started, to the same driver that cannot be told which pages to give up."""
        free = copy(self)
        free.capabilities -= {Capability.STEER_PAGES}
        free.clock, free.log = SimulatedClock(), _OutputLog()
        free.steered = False
        return free

    def start(self, setup: Setup) -> None:
        """Build a fresh driver with the memory of the case."""
        memory = setup.memory
        own_memory = None if self.steered else self.own_memory_of(memory)
        self._driver = self._make(
            DriverOptions(setup.profile, memory, self._supported, own_memory=own_memory)
        )
        self.log = _OutputLog()

    def own_memory_of(self, memory: PageSet) -> PageSet:
        """Return the pages of guest memory that a driver which is not steered may give up by itself."""
        return memory if self._own_memory is None else self._own_memory & memory

    def stop(self) -> None:
        """Drop the driver."""
        self._driver = None

    def reset(self) -> None:
        """Have the driver begin anew."""
        self._tell(Reset())

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the driver did since the last call."""
        return self.log.take_events(self.clock, deadline_seconds)

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Offer features; return what the driver accepted. The driver runs from here on."""
        for output in self._tell(Offer(offered, configuration)):
            if isinstance(output, Accepted):
                return output.features
        raise AdapterError("the driver is bound to a device already; call reset before it negotiates again")

    def use(self, queue: int, buffer: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver."""
        self._tell(Used(queue, buffer, length_bytes, written))

    def change_configuration(self, configuration: bytes) -> None:
        """Change the configuration space and notify the driver."""
        self._tell(ConfigurationChanged(configuration))

    def steer(self, action: GuestAction, pages: PageSet) -> None:
        """Carry out a guest's request; :class:`AdapterError` if the driver chooses by itself."""
        if not self.steered:
            raise AdapterError("the driver chooses its own pages; build the adapter with steered=True")
        self._tell(Guest(action, pages))

    def enter(self, output: DriverOutput) -> None:
        """Record one act of the driver."""
        self.log.enter(output)

    def _tell(self, given: object) -> tuple[DriverOutput, ...]:
        outputs = self.driver.receive(given)
        for output in outputs:
            self.enter(output)
        return outputs


def reference_device_target(
    name: str = "reference-device", make: MakeDevice = Device, *, offered: int | None = None
) -> Target:
    """Return the target of the reference device, or of a subclass under another name."""
    return Target(
        name,
        Side.DEVICE,
        lambda: ReferenceDevice(make, offered=offered, description=name),
        feature_bits=_FEATURE_BITS,
    )


def reference_driver_target(
    name: str = "reference-driver", make: MakeDriver = Driver, *, steered: bool = True
) -> Target:
    """Return the target of the reference driver, or of a subclass under another name."""
    return Target(
        name,
        Side.DRIVER,
        lambda: ReferenceDriver(make, steered=steered, description=name),
        feature_bits=_FEATURE_BITS,
    )
