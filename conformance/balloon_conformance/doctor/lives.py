"""Short exchanges with an implementation through the contract of its adapter.

A *life* is a fixed exchange that every adapter can carry out: a start, a negotiation of features that mean
the same to all, pages that go into the balloon. What the implementation does is described in text, without
anything that may differ between two times. So two lives can be compared: one of a fresh adapter, and one that
follows a *busy* life of the same adapter. If they differ, something survived ``start``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from balloon_conformance.iut.contract import (
    Buffer,
    Capability,
    DeviceAdapter,
    DriverAdapter,
    Setup,
)
from balloon_spec import events as ev
from balloon_spec.families.base import BALLOON_QUEUES, INFLATE
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.pages import PageSet
from balloon_spec.profiles import BASE, Profile
from balloon_spec.queues import Queue

__all__ = ["COMPARED_PAGES", "FIRST_PAGES", "Device", "Driver", "Observations", "configuration", "numbers"]

Observations = dict[str, str]
"""What was observed, by the name of what was looked at."""

_QUIET_SECONDS: Final = 0.3
_MOST_TURNS: Final = 64
_MEMORY_PAGES: Final = 0x4000
_STATISTICS: Final = bytes.fromhex("04000000000100000000")
"""One statistic: tag 4, value 0x1000000."""

"""The queues whose buffers a driver waits for."""

FIRST_PAGES: Final = PageSet([(0x1001, 2)])
"""The pages that go into the balloon in the life that is compared."""
_BUSY_PAGES: Final = PageSet([(0x1008, 3)])
_WISHED_PAGES: Final = PageSet([(0x1010, 4)])
COMPARED_PAGES: Final = PageSet([(0x1000, 0x20)])


def numbers(pages: PageSet) -> bytes:
    """Return the pages as an array of le32 page frame numbers."""
    return b"".join(
        struct.pack("<I", page) for run in pages for page in range(run.first, run.first + run.count)
    )


def chunks(pages: PageSet) -> bytes:
    """Return the pages as a message with one chunk for each run: cmd 0, flag 0, id 0, data_len."""
    data = b"".join(struct.pack("<QQ", run.first << 12, run.count << 12) for run in pages)
    return struct.pack("<BBHI", 0, 0, 0, len(data)) + data


def configuration(num_pages: int, actual: int = 0) -> bytes:
    """Return the 8 bytes of the configuration space."""
    return struct.pack("<II", num_pages, actual)


_Adapter = TypeVar("_Adapter", bound=DeviceAdapter | DriverAdapter)


class _Life(Generic[_Adapter]):
    """What both sides share: the adapter, the setup of a start, and the features to negotiate."""

    def __init__(self, adapter: _Adapter, profile: Profile) -> None:
        self.adapter = adapter
        self.setup = Setup(profile, _MEMORY_PAGES)
        self.common = BASE.mask(["VERSION_1", "STATS_VQ"])
        names = ["VERSION_1", "STATS_VQ", "DEFLATE_ON_OOM", "CHUNK_TRANSFER"]
        self.features = profile.mask([name for name in names if name in profile.by_name])
        self._chunks = profile.mask(["CHUNK_TRANSFER"]) if "CHUNK_TRANSFER" in profile.by_name else 0

    @property
    def space_bytes(self) -> int:
        """The length of the configuration space in a life that is compared."""
        return self.setup.profile.configuration_bytes(self.common)

    def index(self, queue: Queue) -> int:
        """Return the virtqueue index of a queue that exists in every life."""
        return self.setup.profile.queue_index(queue, self.common, self.common)

    def can(self, capability: Capability) -> bool:
        """Tell whether the adapter claims a capability."""
        return capability in self.adapter.capabilities

    def events(self) -> list[ev.Event]:
        """Return what the implementation does until it rests."""
        found: list[ev.Event] = []
        for _ in range(_MOST_TURNS):
            if not (fresh := self.adapter.observe(_QUIET_SECONDS)):
                break
            found += fresh
        return found


class Device(_Life[DeviceAdapter]):
    """The lives of a device. The suite is its driver."""

    def begin(self, features: int) -> int | None:
        """Start the device, accept what it offers of ``features``; return its offer, None if it refuses."""
        self.adapter.start(self.setup)
        offered = self.adapter.offered()
        if not self.adapter.accept(features & offered):
            return None
        self.adapter.prepare()
        return offered

    def give(self, name: str, readable: bytes) -> None:
        """Give pages up with an inflate buffer that holds ``readable``."""
        self.adapter.make_available(self.index(INFLATE), Buffer(name, readable, 0))

    def lend_statistics(self, name: str) -> None:
        """Make a statistics buffer available. The device may keep it."""
        self.adapter.make_available(self.index(STATISTICS), Buffer(name, _STATISTICS, 0))

    def observe_compared_life(self) -> Observations:
        """Live the life that is compared, and return what was observed."""
        seen: Observations = {}
        offered = self.begin(self.common)
        if offered is None:
            return {"the negotiation": "refused"}
        seen["what it offers"] = f"{offered:#x}"
        seen["the configuration"] = self.adapter.read_configuration(0, self.space_bytes).hex()
        self.adapter.driver_ok()
        if offered & BASE.mask(["STATS_VQ"]):
            self.lend_statistics("doctor-1")
        self.give("doctor-2", numbers(FIRST_PAGES))
        seen["what it returns"] = _described_device(self.events())
        if self.can(Capability.DISCARDS):
            seen["what it discards"] = _pages(*self.adapter.discarded(COMPARED_PAGES))
        if self.can(Capability.OPERATOR_TARGET):
            self.adapter.operate(ev.OperatorAction.TARGET, 1)
            seen["what a target of 1 does"] = _described_device(self.events())
            seen["the configuration then"] = self.adapter.read_configuration(0, self.space_bytes).hex()
        return seen

    def live_busily(self) -> None:
        """Live a life that leaves buffers in flight, pages in the balloon, and pages nobody asked about."""
        offered = self.begin(self.features)
        if offered is None:
            return
        self.adapter.driver_ok()
        if offered & BASE.mask(["STATS_VQ"]):
            self.lend_statistics("doctor-busy")
        if self.can(Capability.OPERATOR_TARGET):
            self.adapter.operate(ev.OperatorAction.TARGET, 3)
        encode = chunks if self.features & offered & self._chunks else numbers
        self.give("doctor-busy", encode(_BUSY_PAGES))
        self.events()
        self.adapter.write_configuration(4, configuration(3)[:4])
        self.give("doctor-late", encode(_WISHED_PAGES))


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(filter(None, parts)) or "nothing"


def _described_device(events: Iterable[ev.Event]) -> str:
    """Describe what a device did."""
    return _listed(map(_device_act, events))


def _device_act(event: ev.Event) -> str:
    match event:
        case ev.Used():
            return f"{event.buffer} with length {event.length_bytes}"
        case ev.ConfigurationChanged():
            return f"a notification of {event.data.hex()}"
        case _:
            return type(event).__name__


def _pages(discarded: PageSet, changed: PageSet) -> str:
    return (
        f"{discarded}" + (f", and {changed} overwritten" if changed else "")
        if discarded or changed
        else "nothing"
    )


class Driver(_Life[DriverAdapter]):
    """The lives of a driver. The suite is its device.

    ``wrong_reads`` lists the configuration reads that did not return the configuration. ``reused_names``
    lists the buffers that were made available while one of the same name was in flight. ``inflated`` holds
    the readable bytes of the last inflate buffer.
    """

    def __init__(self, adapter: DriverAdapter, profile: Profile) -> None:
        super().__init__(adapter, profile)
        self.wrong_reads: list[str] = []
        self.reused_names: list[str] = []
        self.inflated = b""
        self._space = bytes(self.space_bytes)
        self._in_flight: set[tuple[int, str]] = set()
        self._pending: list[ev.Available] = []

    def begin(self, features: int, space: bytes) -> int | None:
        """Start the driver and offer features; return what it accepts, None if it refuses."""
        self._in_flight.clear()
        self._pending.clear()
        self.adapter.start(self.setup)
        self._space = space
        return self.adapter.negotiate(features, space)

    def events(self) -> list[ev.Event]:
        """Return what the driver does until it rests. No buffer is returned to it meanwhile."""
        found = super().events()
        for event in found:
            if isinstance(event, ev.Available):
                key = event.queue, event.buffer
                if key in self._in_flight:
                    self.reused_names.append(event.buffer)
                self._in_flight.add(key)
                self._pending.append(event)
            elif isinstance(event, ev.ConfigurationRead):
                there = self._space[event.offset : event.offset + len(event.data)]
                if event.data != there:
                    self.wrong_reads.append(f"{event.data.hex()} at offset {event.offset} for {there.hex()}")
        return found

    def change(self, space: bytes) -> None:
        """Change the configuration space."""
        self._space = space
        self.adapter.change_configuration(space)

    def serve(self) -> list[ev.Event]:
        """Return every inflate and deflate buffer until the driver rests; return what it did."""
        found = self.events()
        awaited_queues = {self.index(queue) for queue in BALLOON_QUEUES}
        for _ in range(_MOST_TURNS):
            awaited = [one for one in self._pending if one.queue in awaited_queues]
            if not awaited:
                break
            for one in awaited:
                if one.queue == self.index(INFLATE):
                    self.inflated = one.readable
                self._pending.remove(one)
                self._in_flight.discard((one.queue, one.buffer))
                self.adapter.use(one.queue, one.buffer, 0, b"")
            found += self.events()
        return found

    def steer(self, pages: PageSet) -> None:
        """Have the guest give up ``pages``, if the adapter can tell it so."""
        if self.can(Capability.STEER_PAGES):
            self.adapter.steer(ev.GuestAction.INFLATE, pages)

    def observe_compared_life(self) -> Observations:
        """Live the life that is compared, and return what was observed."""
        seen: Observations = {}
        self.inflated = b""
        accepted = self.begin(self.common, configuration(0))
        seen["what it accepts"] = "nothing" if accepted is None else f"{accepted:#x}"
        if accepted is None:
            return seen
        seen["what it does at first"] = _described_driver(self.serve())
        self.change(configuration(FIRST_PAGES.pages))
        steered = self.can(Capability.STEER_PAGES)
        if steered:
            seen["what it does without a wish of the guest"] = _described_driver(self.serve())
            self.steer(FIRST_PAGES)
        done = self.serve()
        if steered:
            seen["the pages it gives up"] = self.inflated.hex()
        written = [one.data.hex() for one in done if isinstance(one, ev.ConfigurationWritten)]
        seen["the last that it writes of the configuration"] = written[-1] if written else "nothing"
        return seen

    def live_busily(self) -> None:
        """Live a life that leaves buffers in flight, pages in the balloon, and pages still to be given up."""
        if self.begin(self.features, configuration(0)) is None:
            return
        self.change(configuration(3))
        self.steer(_BUSY_PAGES)
        self.serve()
        self.steer(_WISHED_PAGES)
        self.change(configuration(5))
        self.events()


def _described_driver(events: Iterable[ev.Event]) -> str:
    """Describe what a driver did, except for what it read."""
    return _listed(sorted(map(_driver_act, events)))


def _driver_act(event: ev.Event) -> str:
    if isinstance(event, ev.Available):
        return f"a buffer on queue {event.queue} with {event.writable_bytes} writable bytes"
    if isinstance(event, ev.ConfigurationWritten):
        return f"{event.data.hex()} written at offset {event.offset}"
    return ""
