"""The reference implementations while an intent is filled: each is played, and what it did is kept.

Both answer at once. A return that the intent holds back is kept here until the intent takes it. An act that
is not taken by the end of the script is a difference.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from balloon_conformance.iut.contract import Buffer, Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.vectors.model import FeatureSets
from balloon_conformance.vectors.steps import BufferStep
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationWritten,
    Event,
    GuestAction,
    OperatorAction,
    Side,
    Used,
)
from balloon_spec.families.base import configuration
from balloon_spec.pages import EMPTY, PAGE_SHIFT, PageSet
from balloon_spec.queues import Queue

__all__ = ["DiffersFromIntent", "ObservedDevice", "ObservedDriver"]


class DiffersFromIntent(Exception):  # noqa: N818 - a fact about an intent, told as an error by who fills it
    """The reference implementation acts otherwise than the intent says; one line that says what it does."""


class _Pending:
    """The acts of an implementation that nobody has taken yet, oldest first."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._events: list[Event] = []

    def enter(self, events: Sequence[Event], kinds: tuple[type[Any], ...]) -> None:
        """Keep those events of ``events`` that a script speaks of."""
        self._events += [event for event in events if isinstance(event, kinds)]

    def take(self, what: str, *wanted: Any, **fields: Any) -> Any:
        """Take the oldest event of the type ``wanted`` with these fields; ``what`` describes it."""
        for event in self._events:
            if isinstance(event, wanted) and all(getattr(event, key) == fields[key] for key in fields):
                self._events.remove(event)
                return event
        raise DiffersFromIntent(f"the reference {self._side} does not {what}")

    def drop(self) -> None:
        """Forget everything: a reset."""
        self._events.clear()

    def nothing_left(self, *, but: Collection[int] = ()) -> None:
        """Raise an error for acts that were not taken, except buffers of the queues ``but``."""
        for event in self._events:
            if not (isinstance(event, Available) and event.queue in but):
                raise DiffersFromIntent(f"the reference {self._side} does more: {event}")


class ObservedDevice:
    """The reference device, which offers every feature in any of ``offers``."""

    def __init__(self, setup: Setup, offers: Sequence[int]) -> None:
        offered = 0
        for offer in offers:
            offered |= offer
        self._adapter = ReferenceDevice(offered=offered)
        self._adapter.start(setup)
        self._profile = setup.profile
        self._sets = FeatureSets(0, 0)
        self._pending = _Pending(Side.DEVICE)
        self._lent: dict[str, PageSet] = {}
        """The pages at which device-writable segments of buffers in flight point, by the buffer."""
        self._fresh = True

    def _observe(self) -> None:
        self._pending.enter(self._adapter.observe(0), (Used, ConfigurationChanged))

    def negotiate(self, sets: FeatureSets, *, driver_ok: bool) -> None:
        """Begin anew with these features."""
        if not self._fresh:
            self._adapter.reset()
            self._pending.drop()
            self._adapter.observe(0)
        self._fresh = False
        self._sets = sets
        if self._adapter.accept(sets.accepted) != sets.features_ok:
            word = "refuse" if sets.features_ok else "keep"
            raise DiffersFromIntent(f"the reference device does {word} the features")
        if sets.features_ok and driver_ok:
            self.driver_ok()

    def driver_ok(self) -> None:
        """Set DRIVER_OK."""
        self._adapter.driver_ok()
        self._observe()

    def operate(self, action: OperatorAction, value: int) -> None:
        """Carry out an operator's wish."""
        self._adapter.operate(action, value)
        self._observe()

    def make_available(self, step: BufferStep) -> None:
        """Make the buffer of a step available."""
        buffer = Buffer(step.name, step.readable, step.writable_bytes, step.segments, step.notify)
        self._lent[step.name] = PageSet(
            (one.address >> PAGE_SHIFT, (one.length_bytes >> PAGE_SHIFT) + 2)
            for one in step.segments
            if one.writable and one.address is not None
        )
        index = self._profile.queue_index(step.queue, self._sets.offered, self._sets.accepted)
        self._adapter.make_available(index, buffer)
        self._observe()

    def returned(self, name: str) -> Used:
        """Take the return of a buffer."""
        used: Used = self._pending.take(f"return {name}", Used, buffer=name)
        # As a session does, which looks at these pages when the buffer comes back.
        self._adapter.discarded(self._lent.pop(name, EMPTY))
        return used

    def changed(self, num_pages: int) -> None:
        """Take a change of num_pages."""
        event = self._pending.take("change the configuration", ConfigurationChanged)
        seen = int.from_bytes(event.data[:4], "little")
        if seen != num_pages:
            raise DiffersFromIntent(f"the reference device sets num_pages to {seen}")

    def announces(self, offset: int, data: bytes) -> None:
        """Take a change of a word of the configuration space."""
        event = self._pending.take("change the configuration", ConfigurationChanged)
        seen = event.data[offset : offset + len(data)]
        if seen != data:
            raise DiffersFromIntent(f"the reference device sets {seen.hex(' ')} at {offset}")

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write to the configuration space."""
        self._adapter.write_configuration(offset, data)
        self._observe()

    def reads(self, offset: int, data: bytes) -> None:
        """Read the configuration space, and compare it with ``data``."""
        seen = self._adapter.read_configuration(offset, len(data))
        if seen != data:
            raise DiffersFromIntent(f"the reference device answers the read with {seen.hex(' ')}")

    def discards(self, discarded: PageSet, kept: PageSet) -> None:
        """Compare the pages that were discarded since the last look with these two sets."""
        around = PageSet((max(run.first - 1, 0), run.count + 2) for run in discarded)
        gone, _ = self._adapter.discarded((around | kept) & self._adapter.memory)
        if gone != discarded:
            raise DiffersFromIntent(f"the reference device discarded {gone} of the pages looked at")

    def write_pages(self, pages: PageSet) -> None:
        """Write to pages as the guest."""
        self._adapter.write_pages(pages, b"\0")

    def copied(self, missing: PageSet, there: PageSet) -> None:
        """Compare the copy of guest memory with these two sets."""
        seen, _ = self._adapter.skipped(missing | there)
        if seen != missing:
            raise DiffersFromIntent(f"the copy of the reference device lacks {seen} of the pages looked at")

    def nothing_left(self) -> None:
        """Raise an error for acts that were not taken."""
        self._pending.nothing_left()


class ObservedDriver:
    """The reference driver, which accepts every feature in any of ``accepts``."""

    def __init__(self, setup: Setup, accepts: Sequence[int]) -> None:
        supported = 0
        for accepted in accepts:
            supported |= accepted
        self._profile = setup.profile
        self._adapter = ReferenceDriver(supported=supported)
        self._adapter.start(setup)
        self._pending = _Pending(Side.DRIVER)
        self._names: dict[str, tuple[int, str]] = {}
        self._sets = FeatureSets(0, 0)
        self._num_pages = 0
        self._space = b""
        self._fresh = True

    def _observe(self) -> None:
        self._pending.enter(self._adapter.observe(0), (Available, ConfigurationWritten))

    def negotiate(self, sets: FeatureSets) -> None:
        """Begin anew with these features; the target is kept."""
        if not self._fresh:
            self._adapter.reset()
            self._pending.drop()
            self._adapter.observe(0)
        self._fresh = False
        self._sets = sets
        self._names.clear()
        self._space = configuration.build(configuration.Configuration(self._num_pages, 0))
        accepted = self._adapter.negotiate(sets.offered, self._space)
        if accepted != sets.accepted:
            names = ", ".join(sorted(self._profile.names(accepted or 0)))
            raise DiffersFromIntent(f"the reference driver accepts {names or 'nothing'}")
        self._observe()

    def steer(self, action: GuestAction, pages: PageSet) -> None:
        """Carry out a guest's wish."""
        self._adapter.steer(action, pages)
        self._observe()

    def _index(self, queue: Queue) -> int:
        return self._profile.queue_index(queue, self._sets.offered, self._sets.accepted)

    def makes_available(self, queue: Queue, name: str, **fields: Any) -> Available:
        """Take the next buffer on a queue with these fields, and call it ``name`` from here on."""
        event: Available = self._pending.take(
            f"make a buffer available on the {queue} queue", Available, queue=self._index(queue), **fields
        )
        self._names[name] = (event.queue, event.buffer)
        return event

    def writes(self, offset: int, data: bytes) -> None:
        """Take a write to the configuration space."""
        event = self._pending.take("write to the configuration space", ConfigurationWritten)
        if (event.offset, event.data) != (offset, data):
            raise DiffersFromIntent(
                f"the reference driver writes {event.data.hex(' ')} to the configuration at {event.offset}"
            )

    def use(self, name: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver."""
        if name not in self._names:
            raise DiffersFromIntent(f"the reference driver has made no {name} available")
        queue, buffer = self._names[name]
        self._adapter.use(queue, buffer, length_bytes, written)
        self._observe()

    def change_configuration(self, space: bytes) -> None:
        """Change the first words of the configuration space; those behind them stay."""
        self._num_pages = int.from_bytes(space[:4], "little")
        self._space = space + self._space[len(space) :]
        self._adapter.change_configuration(self._space)
        self._observe()

    def change_word(self, offset: int, data: bytes) -> None:
        """Change one word of the configuration space."""
        space = self._space
        self.change_configuration(space[:offset].ljust(offset, b"\0") + data + space[offset + len(data) :])

    def nothing_left(self) -> None:
        """Raise an error for acts that were not taken; a buffer may be left that a device holds anyway."""
        queues = self._profile.queue_map(self._sets.offered, self._sets.accepted)
        self._pending.nothing_left(but=[index for index, queue in queues.items() if queue.held])
