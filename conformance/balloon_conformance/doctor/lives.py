"""What an implementation shows in a short life, through the contract of its adapter.

A life is a fixed exchange that every adapter can carry out: a start, a negotiation of what is common to all,
pages that go into the balloon. What is seen in it is written down in words, without anything that may differ
from one time to the next, and so two lives can be compared: that of a fresh adapter, and one that follows a
*busy* life in the same. Where they differ something survived ``start``.
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
from balloon_spec.features import BASE, Profile
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

__all__ = ["FIRST_PAGES", "LOOKED_AT", "Device", "Driver", "Sights", "configuration", "numbers"]

Sights = dict[str, str]
"""What was seen, by what was looked at."""

_QUIET_SECONDS: Final = 0.3
_MOST_TURNS: Final = 64
_MEMORY_PAGES: Final = 0x4000
_STATISTICS: Final = bytes.fromhex("04000000000100000000")
"""One statistic: tag 4, value 0x1000000."""

"""The queues whose buffers a driver waits for."""

FIRST_PAGES: Final = PageSet([(0x1001, 2)])
"""What goes into the balloon in the life that is looked at."""
_BUSY_PAGES: Final = PageSet([(0x1008, 3)])
_WISHED_PAGES: Final = PageSet([(0x1010, 4)])
LOOKED_AT: Final = PageSet([(0x1000, 0x20)])


def numbers(pages: PageSet) -> bytes:
    """Return the pages as an array of le32."""
    return b"".join(
        struct.pack("<I", page) for run in pages for page in range(run.first, run.first + run.count)
    )


def chunks(pages: PageSet) -> bytes:
    """Return the pages as a message of one chunk to a run: cmd 0, flag 0, id 0, length of the data."""
    data = b"".join(struct.pack("<QQ", run.first << 12, run.count << 12) for run in pages)
    return struct.pack("<BBHI", 0, 0, 0, len(data)) + data


def configuration(num_pages: int, actual: int = 0) -> bytes:
    """Return the configuration space of 8 bytes."""
    return struct.pack("<II", num_pages, actual)


_Adapter = TypeVar("_Adapter", bound=DeviceAdapter | DriverAdapter)


class _Life(Generic[_Adapter]):
    """What both sides share: an adapter, a profile, its bits that mean the same to all, and patience."""

    def __init__(self, adapter: _Adapter, profile: Profile) -> None:
        self.adapter = adapter
        self.setup = Setup(profile, _MEMORY_PAGES)
        self.common = BASE.mask(["VERSION_1", "STATS_VQ"])
        names = ["VERSION_1", "STATS_VQ", "DEFLATE_ON_OOM", "CHUNK_TRANSFER"]
        self.more = profile.mask([name for name in names if name in profile.by_name])
        self._chunks = profile.mask(["CHUNK_TRANSFER"]) if "CHUNK_TRANSFER" in profile.by_name else 0

    def index(self, queue: Queue) -> int:
        """Return the virtqueue index of a queue that exists in every life."""
        return self.setup.profile.queue_index(queue, self.common, self.common)

    def can(self, capability: Capability) -> bool:
        """Tell whether the adapter claims it."""
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
    """The lives of a device, of which the suite is the driver."""

    def begin(self, features: int) -> int | None:
        """Start it and negotiate what it offers of ``features``; return its offer, None if it refuses."""
        self.adapter.start(self.setup)
        offered = self.adapter.offered()
        if not self.adapter.accept(features & offered):
            return None
        self.adapter.prepare()
        return offered

    def give(self, name: str, said: bytes) -> None:
        """Give pages up, as ``said``."""
        self.adapter.make_available(self.index(INFLATE), Buffer(name, said, 0))

    def lend_statistics(self, name: str) -> None:
        """Lend the device a statistics buffer, which it may keep."""
        self.adapter.make_available(self.index(STATISTICS), Buffer(name, _STATISTICS, 0))

    def sights(self) -> Sights:
        """Live the life that is looked at."""
        seen: Sights = {}
        offered = self.begin(self.common)
        if offered is None:
            return {"the negotiation": "refused"}
        seen["what it offers"] = f"{offered:#x}"
        seen["the configuration"] = self.adapter.read_configuration(0, 8).hex()
        self.adapter.driver_ok()
        if offered & BASE.mask(["STATS_VQ"]):
            self.lend_statistics("doctor-1")
        self.give("doctor-2", numbers(FIRST_PAGES))
        seen["what it returns"] = _told(self.events())
        if self.can(Capability.DISCARDS):
            seen["what it discards"] = _pages(*self.adapter.discarded(LOOKED_AT))
        if self.can(Capability.OPERATOR_TARGET):
            self.adapter.operate(ev.OperatorAction.TARGET, 1)
            seen["what a target of 1 does"] = _told(self.events())
            seen["the configuration then"] = self.adapter.read_configuration(0, 8).hex()
        return seen

    def be_busy(self) -> None:
        """Live a life that leaves of everything something: in flight, in the balloon, not looked at."""
        offered = self.begin(self.more)
        if offered is None:
            return
        self.adapter.driver_ok()
        if offered & BASE.mask(["STATS_VQ"]):
            self.lend_statistics("doctor-busy")
        if self.can(Capability.OPERATOR_TARGET):
            self.adapter.operate(ev.OperatorAction.TARGET, 3)
        said = chunks if self.more & offered & self._chunks else numbers
        self.give("doctor-busy", said(_BUSY_PAGES))
        self.events()
        self.adapter.write_configuration(4, configuration(3)[:4])
        self.give("doctor-late", said(_WISHED_PAGES))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(filter(None, words)) or "nothing"


def _told(events: Iterable[ev.Event]) -> str:
    """Say what a device did."""
    return _listed(map(_act_of_device, events))


def _act_of_device(event: ev.Event) -> str:
    match event:
        case ev.Used():
            return f"{event.buffer} with length {event.length_bytes}"
        case ev.ConfigurationChanged():
            return f"a notification of {event.data.hex()}"
        case _:
            return type(event).__name__


def _pages(gone: PageSet, changed: PageSet) -> str:
    return f"{gone}" + (f", and {changed} overwritten" if changed else "") if gone or changed else "nothing"


class Driver(_Life[DriverAdapter]):
    """The lives of a driver, of which the suite is the device.

    ``wrong_reads`` are the configuration reads that did not find what is there, ``twice`` the buffers that
    were made available while one of the same name was in flight. ``inflated`` is what the last inflate buffer
    said.
    """

    def __init__(self, adapter: DriverAdapter, profile: Profile) -> None:
        super().__init__(adapter, profile)
        self.wrong_reads: list[str] = []
        self.twice: list[str] = []
        self.inflated = b""
        self._space = bytes(8)
        self._in_flight: set[tuple[int, str]] = set()
        self._pending: list[ev.Available] = []

    def begin(self, features: int, space: bytes) -> int | None:
        """Start it and offer features; return what the driver accepts."""
        self._in_flight.clear()
        self._pending.clear()
        self.adapter.start(self.setup)
        self._space = space
        return self.adapter.negotiate(features, space)

    def events(self) -> list[ev.Event]:
        """Return what the driver does until it rests; nothing is returned to it meanwhile."""
        found = super().events()
        for event in found:
            if isinstance(event, ev.Available):
                key = event.queue, event.buffer
                if key in self._in_flight:
                    self.twice.append(event.buffer)
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
        """Return every inflate and deflate buffer until the driver rests; tell what it did."""
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
        """Have the guest give up ``pages``, if it can be told so."""
        if self.can(Capability.STEER_PAGES):
            self.adapter.steer(ev.GuestAction.INFLATE, pages)

    def sights(self) -> Sights:
        """Live the life that is looked at."""
        seen: Sights = {}
        self.inflated = b""
        accepted = self.begin(self.common, configuration(0))
        seen["what it accepts"] = "nothing" if accepted is None else f"{accepted:#x}"
        if accepted is None:
            return seen
        seen["what it does at first"] = _done(self.serve())
        self.change(configuration(FIRST_PAGES.pages))
        steered = self.can(Capability.STEER_PAGES)
        if steered:
            seen["what it does without a wish of the guest"] = _done(self.serve())
            self.steer(FIRST_PAGES)
        done = self.serve()
        if steered:
            seen["the pages it gives up"] = self.inflated.hex()
        written = [one.data.hex() for one in done if isinstance(one, ev.ConfigurationWritten)]
        seen["the last that it writes of the configuration"] = written[-1] if written else "nothing"
        return seen

    def be_busy(self) -> None:
        """Live a life that leaves something of everything behind: in flight, in the balloon, wished for."""
        if self.begin(self.more, configuration(0)) is None:
            return
        self.change(configuration(3))
        self.steer(_BUSY_PAGES)
        self.serve()
        self.steer(_WISHED_PAGES)
        self.change(configuration(5))
        self.events()


def _done(events: Iterable[ev.Event]) -> str:
    """Say what a driver did, but for what it read."""
    return _listed(sorted(map(_act_of_driver, events)))


def _act_of_driver(event: ev.Event) -> str:
    if isinstance(event, ev.Available):
        return f"a buffer on queue {event.queue} with {event.writable_bytes} writable bytes"
    if isinstance(event, ev.ConfigurationWritten):
        return f"{event.data.hex()} written at offset {event.offset}"
    return ""
