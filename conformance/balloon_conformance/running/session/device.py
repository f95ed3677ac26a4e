"""A session with a device under test: the suite is the driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, NoReturn, Self, cast

from balloon_conformance.iut.contract import (
    AdapterError,
    BoundsTargets,
    BreaksRings,
    Buffer,
    Capability,
    DeviceAdapter,
    DriverAdapter,
    ReachesRegisters,
    ReachesThroughWindow,
    TellsAbsentQueues,
    TellsChanges,
    TellsGeneration,
    TellsSkipped,
    TellsStatistics,
    WritesPages,
)
from balloon_conformance.iut.ring_breach import RingBreach
from balloon_conformance.iut.sight import Fact
from balloon_conformance.running.not_exercised import NotExercised
from balloon_conformance.running.session.shared import Session
from balloon_spec import events as ev
from balloon_spec.families.base.discards import Discards
from balloon_spec.families.base.given_back import GivenBack
from balloon_spec.families.base.guest_memory import GuestMemory
from balloon_spec.families.free_page_hint.events import Skipped
from balloon_spec.families.statistics.events import StatisticsRead
from balloon_spec.feature import insisted_on
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.numberings import maps, numberings_of_device
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import Profile
from balloon_spec.segments import Range

__all__ = ["DeviceSession"]

_MOST_PAGES = (1 << 32) - 1
"""What fits num_pages."""
_LOOKS = 16
"""How often memory is looked at within a deadline."""


class DeviceSession(Session):
    """A session with a device under test: the suite is the driver."""

    side = ev.Side.DEVICE
    _adapter: DeviceAdapter
    _rooms: Mapping[int, int] = MappingProxyType({})
    """How many buffers each queue holds, by its index, as far as the adapter tells."""

    def __init__(self, adapter: DeviceAdapter | DriverAdapter, profile: Profile, **settings: Any) -> None:
        super().__init__(adapter, profile, **settings)
        self.chosen: dict[int, int] = {}
        """Numbers that the device chose, by those that a vector has in their place."""

    def __enter__(self) -> Self:
        super().__enter__()
        # Bringing a device up resets it.
        if left := self._status():
            self.record(ev.Reset(left))
        return self

    def negotiate(self, accepted: int, offered: int | None = None) -> bool:
        """Accept features, set up the queues, and return whether the device kept FEATURES_OK.

        ``offered`` is what the device offers; if it is None, the device is asked.
        """
        seen = self.offered() if offered is None else offered
        if accepted & ~seen and "NEG-05" not in self.may_break:
            self._miss(seen, accepted)
        return self._accept(seen, accepted)

    def _miss(self, offered: int, wanted: int) -> NoReturn:
        """Raise :class:`NotExercised` with the features that the device does not offer.

        If it accepted them before, the rest is accepted first, which is what RESET-08 is judged by.
        """
        profile = self.profile
        if self.judge.took(wanted):
            rest = offered & wanted
            self._accept(offered, rest if profile.may_accept(offered, rest) else 0)
        names = ", ".join(sorted(profile.names(wanted & ~offered))) or f"bits {wanted & ~offered:#x}"
        raise NotExercised(f"the device does not offer {names}")

    def _accept(self, seen: int, accepted: int) -> bool:
        kept = self._act(lambda: self._adapter.accept(accepted))
        sizes: tuple[tuple[int, int], ...] = ()
        if kept:
            absent = self._absent_queues(seen, accepted)
            self._act(lambda: self._adapter.prepare())
            sizes = self._act(lambda: self._adapter.ring_sizes())
            sizes = tuple((index, 0 if index in absent else size) for index, size in sizes)
            sizes = (*sizes, *((index, 0) for index in sorted(absent - dict(sizes).keys())))
        # A refusal that was seen counts, whether or not the transport has a field for it.
        shown = not kept or Fact.REFUSAL not in self.unseen
        self._rooms = {index: size for index, size in sizes if size}
        self.record(ev.Negotiated(seen, accepted, kept, sizes, shown))
        if kept:
            self.record(ev.Memory(self.memory))
        return kept

    def _absent_queues(self, offered: int, accepted: int) -> frozenset[int]:
        """Ask which queues the device lacks, if that tells how it numbers them; return their indices."""
        adapter = self._adapter
        each = maps(self.profile, offered, accepted)
        if not each or not isinstance(adapter, TellsAbsentQueues):
            return frozenset()
        indices = frozenset(index for queues in each.values() for index in queues)
        absent = self._act(lambda: adapter.absent_queues(indices))
        self.numberings &= numberings_of_device(self.profile, offered, accepted, absent)
        return absent

    def ambiguity(self, accepted: int, offered: int) -> str:
        """Return why a set that the device accepted may have been refused all the same; empty if it was not.

        A device may insist on VERSION_1 (VIRTIO 1.2, 6.2), and some transports do not show a refusal.
        """
        hidden = self.unseen.get(Fact.REFUSAL, "")
        if hidden and "VERSION_1" in insisted_on(offered, accepted):
            return f"ambiguous: the device may insist on VERSION_1, and {hidden}"
        return ""

    @property
    def memory(self) -> PageSet:
        """The guest pages that exist."""
        return self._call(lambda: self._adapter.memory)

    def offered(self) -> int:
        """Ask what the device offers."""
        return self._act(lambda: self._adapter.offered())

    def driver_ok(self) -> None:
        """Set DRIVER_OK; what the device did before is taken in first."""
        self.collect()
        self.intend(ev.DriverOk())
        self._act(lambda: self._adapter.driver_ok())

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Make a buffer available; raises :class:`NotExercised` if the ring has no room for it."""
        room = self._rooms.get(queue)
        if room is not None and self.judge.in_flight(queue) >= room:
            raise NotExercised(f"the ring of queue {queue} has {room} descriptors, and the case needs more")
        self.intend(
            ev.Available(
                queue, buffer.name, buffer.readable, buffer.writable_bytes, buffer.notify, buffer.segments
            )
        )
        self._act(lambda: self._adapter.make_available(queue, buffer))

    def break_ring(self, queue: int, breach: RingBreach) -> None:
        """Lay what no driver may into a virtqueue; raises :class:`NotExercised` if the suite cannot."""
        self.need(Capability.BROKEN_RINGS)
        adapter = cast("BreaksRings", self._adapter)
        self.intend(ev.RingBroken(ev.Side.DRIVER, queue, breach.value))
        self._act(lambda: adapter.break_ring(queue, breach))

    def give_up_ring(self, queue: int) -> None:
        """Say that the driver is about to give up the memory of a virtqueue, with all that lies there."""
        self.intend(ev.RingBroken(ev.Side.DRIVER, queue, "in-the-balloon"))

    def rings(self, queue: int) -> tuple[Range, Range, Range]:
        """Return where descriptor table, available ring and used ring of a queue lie, guest-physical."""
        self.need(Capability.BROKEN_RINGS)
        adapter = cast("BreaksRings", self._adapter)
        return self._call(lambda: adapter.rings(queue))

    @property
    def registers_address(self) -> int | None:
        """A guest-physical address at which the device itself has registers; None if it has none there."""
        self.need(Capability.BROKEN_RINGS)
        adapter = cast("BreaksRings", self._adapter)
        return self._call(lambda: adapter.registers_address)

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space."""
        read = self._act(lambda: self._read(offset, length_bytes))
        self.record(read)
        return read.data

    def _read(self, offset: int, length_bytes: int) -> ev.ConfigurationRead:
        """Have bytes of the configuration space read, with their generation if it can be seen."""
        adapter = self._adapter
        data = adapter.read_configuration(offset, length_bytes)
        generation = None
        if isinstance(adapter, TellsGeneration) and Fact.GENERATION not in self.unseen:
            generation = adapter.generation()
        return ev.ConfigurationRead(offset, data, generation)

    def read_window(self, offset: int, length_bytes: int) -> None:
        """Read the configuration space through the window; with a legal length it shows what a read shows."""
        data = self._act(lambda: self._window.read_window(offset, length_bytes))
        if length_bytes in {1, 2, 4}:
            self.record(ev.ConfigurationRead(offset, data))

    def write_window(self, offset: int, length_bytes: int, data: bytes) -> None:
        """Write the configuration space through the window, with one store if the length is legal."""
        if length_bytes in {1, 2, 4}:
            self.intend(ev.ConfigurationWritten(offset, data[:length_bytes]))
        self._act(lambda: self._window.write_window(offset, length_bytes, data))

    @property
    def _window(self) -> ReachesThroughWindow:
        # The adapter claims to have it. If it lacks a method, the call says so.
        return cast("ReachesThroughWindow", self._adapter)

    def read_whole_configuration(self) -> bytes:
        """Read every word of the configuration space that exists with the negotiated features."""
        return self.read_configuration(0, self.configuration_bytes)

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space."""
        self.intend(ev.ConfigurationWritten(offset, data))
        self._act(lambda: self._adapter.write_configuration(offset, data))

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Have the guest write ``data`` into each of the pages, over and over."""
        self.need(Capability.WRITE_PAGES)
        adapter = cast("WritesPages", self._adapter)
        self._act(lambda: adapter.write_pages(pages, data))
        self.record(ev.Contents(pages, data))

    def read_statistics(self) -> None:
        """Ask the host which statistics it read; a device has until the deadline to tell it.

        Raises :class:`NotExercised` if the host cannot be asked.
        """
        adapter = self._adapter
        if not self.can(Capability.HOST_STATISTICS) or not isinstance(adapter, TellsStatistics):
            raise NotExercised(f"the adapter lacks {Capability.HOST_STATISTICS}")
        until = self.now() + self.deadline_seconds
        while True:
            event = StatisticsRead(self._act(adapter.statistics))
            if self.judge.accepts(event) or (now := self.now()) >= until:
                break
            self._waiting.extend(self._observe(min(self.deadline_seconds / _LOOKS, until - now)))
            if self.now() == now:
                # The adapter knows that nothing will come.
                break
        self.record(event)

    def look_at_copy(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of the pages the device left out of its copy of memory, and which were looked at.

        Raises :class:`NotExercised` if nobody can look at it, or nothing can be told of these pages.
        """
        adapter = self._adapter
        if not self.can(Capability.SKIPS) or not isinstance(adapter, TellsSkipped):
            raise NotExercised(f"the adapter lacks {Capability.SKIPS}")
        self.collect()
        missing, looked = self._act(lambda: adapter.skipped(pages))
        if not looked:
            raise NotExercised("there is no copy of guest memory in which these pages could be found")
        self.record(Skipped(missing, looked))
        return missing, looked

    @property
    def largest_target(self) -> int:
        """The largest target that the operator can have, in pages."""
        adapter = self._adapter
        return (
            self._call(lambda: adapter.largest_target) if isinstance(adapter, BoundsTargets) else _MOST_PAGES
        )

    def operate(self, action: ev.OperatorAction, value: int) -> None:
        """Make an operator's wish known to the device.

        What the device did before is taken in first, and the configuration space is read, so that neither
        is judged by the new wish.
        """
        self.collect()
        if action is ev.OperatorAction.TARGET:
            self.read_whole_configuration()
            # A change announced before does not answer this wish.
            self._waiting = [one for one in self._waiting if not isinstance(one, ev.ConfigurationChanged)]
        self.record(ev.Operator(action, value))
        self._act(lambda: self._adapter.operate(action, value))

    def _observe_once(self, seconds: float) -> Sequence[ev.Event]:
        """Take in what the device did; read the configuration at once if it changed, as a driver would.

        If the read shows another configuration than the notification, it is repeated once: the first read may
        have been overtaken.
        """
        events = super()._observe_once(seconds)
        told = next((one.data for one in reversed(events) if isinstance(one, ev.ConfigurationChanged)), None)
        for _ in range(2 if told is not None else 0):
            read = self._call(lambda: self._read(0, self.configuration_bytes))
            self.record(read)
            if read.data == told:
                break
        return events

    def record(self, event: ev.Event) -> None:
        """Take an event in; before pages are taken back, record what became of them."""
        if isinstance(event, ev.Used) and self.can(Capability.DISCARDS):
            if back := self.judge[GuestMemory].comes_back(event):
                gone, changed = self._call(partial(self._discarded, back))
                for seen in (ev.Discarded(gone, back), *changed):
                    super().record(seen)
            until_now = self.judge[GuestMemory].taken_back(event)
            gone, _ = self._call(partial(self._discarded, until_now)) if until_now else (EMPTY, ())
            if gone:
                super().record(ev.Discarded(gone, gone))
        super().record(event)

    def look(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Look at guest memory; return which of ``pages`` were discarded, and which overwritten.

        If pages are still there that the device was to discard, it is given until the deadline. Only INF-07,
        a SHOULD, says when they go.
        """
        began = self.now()
        gone, changed = self._act(partial(self._discarded, pages))
        if gone:
            self.waits.count(found=True)
        late, seconds = EMPTY, 0.0
        if self.judge[Discards].awaited_of(pages) - gone:
            late, altered = self._look_again(pages, gone, began)
            gone, changed, seconds = gone | late, changed + altered, self.now() - began
        self.record(ev.Discarded(gone, pages, late, seconds))
        for one in changed:
            self.record(one)
        return gone, PageSet.union(one.pages for one in changed)

    def _discarded(self, pages: PageSet) -> tuple[PageSet, tuple[ev.Overwritten, ...]]:
        """Ask the adapter which of the pages were discarded, and which overwritten and how."""
        gone, changed = self._adapter.discarded(pages)
        if not changed or not isinstance(self._adapter, TellsChanges):
            return gone, (ev.Overwritten(changed),) if changed else ()
        told = tuple(self._adapter.changes())
        of_them = PageSet.union(one.pages for one in told)
        if foreign := of_them - changed:
            raise AdapterError(
                f"changes told of {foreign}, which discarded did not find overwritten; leave that out"
            )
        rest = changed - of_them
        return gone, (*told, ev.Overwritten(rest)) if rest else told

    def _look_again(
        self, pages: PageSet, gone: PageSet, began: float
    ) -> tuple[PageSet, tuple[ev.Overwritten, ...]]:
        """Look again until the pages are discarded or the deadline passes; return what was found."""
        late = EMPTY
        changed: tuple[ev.Overwritten, ...] = ()
        if not self.waits.worth_it:
            self._hasty.add(len(self.trace) + 1)
            return late, changed
        pause, until = self.deadline_seconds / _LOOKS, began + self.deadline_seconds
        while (before := self.now()) < until and (
            left := self.judge[Discards].awaited_of(pages) - gone - late
        ):
            self._waiting.extend(self._observe(min(pause, until - before)))
            more, altered = self._call(partial(self._discarded, left))
            late, changed = late | more, changed + altered
            if self.now() - before < pause / 2 and not more:
                # The adapter knows that nothing will come.
                break
        self.waits.count(found=bool(late))
        return late, changed

    @property
    def given_back(self) -> GivenBack:
        """What the device gave back, and what it left although it had its time."""
        seen = self.judge[Discards].given_back
        return replace(seen, left=tuple(one for one in seen.left if one.event not in self._hasty))

    def look_at_all(self) -> None:
        """Look at all of guest memory, if a buffer could have had an effect since the last reset.

        A device may touch pages that no case thinks of, and later it could not be told which buffer was the
        cause.
        """
        if self.can(Capability.DISCARDS) and self.judge.memory is not None and self.judge[Buffers].count:
            self.look(self.memory)

    def reset(self) -> None:
        """Reset the device; what it did until the reset is complete is taken in, and what it discarded."""
        self.collect()
        looks = self.can(Capability.DISCARDS)
        self.look_at_all()
        self._act(lambda: self._adapter.reset())
        if looks and (left := self.judge[GuestMemory].left_to_device):
            # Until the reset is complete a device may go on with what it was given.
            self.look(left)
        self._waiting.clear()
        self.record(ev.Reset(self._status()))

    def _status(self) -> int | None:
        """Read the device status, where that can be done."""
        if not self.can(Capability.REGISTERS):
            return None
        return self._act(lambda: self._registers.status())

    @property
    def _registers(self) -> ReachesRegisters:
        # The adapter claims to have them. If it lacks a method, the call says so.
        return cast("ReachesRegisters", self._adapter)

    def driver_ok_again(self) -> None:
        """Write the device status once more as it is, with DRIVER_OK in it."""
        self.collect()
        self.record(ev.DriverOk())
        self._act(lambda: self._registers.write_status_again())

    def notify(self, queue: int) -> None:
        """Notify the device of a queue in which nothing new is available."""
        self.record(ev.Notified(ev.Side.DRIVER, queue))
        self._act(lambda: self._registers.notify(queue))
