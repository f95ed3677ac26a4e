"""A session with a driver under test: the suite is the device."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Self

from balloon_conformance.iut.contract import (
    Capability,
    DeviceAdapter,
    DriverAdapter,
    LooksAgain,
    ReachesMemory,
    ShowsQueuesSetUp,
    SteersGuest,
    TellsReliance,
)
from balloon_conformance.iut.sight import Fact
from balloon_conformance.running.not_exercised import NotExercised
from balloon_conformance.running.session.shared import Session
from balloon_spec import events as ev
from balloon_spec.numberings import maps, numberings
from balloon_spec.pages import PageSet
from balloon_spec.profiles import Profile

__all__ = ["DriverSession"]


class DriverSession(Session):
    """A session with a driver under test: the suite is the device."""

    side = ev.Side.DRIVER
    _adapter: DriverAdapter
    _offered = 0

    def __init__(self, adapter: DeviceAdapter | DriverAdapter, profile: Profile, **settings: Any) -> None:
        super().__init__(adapter, profile, **settings)
        self._words: dict[int, bytes] = {}
        """What stands in the words of further features, by offset: what was written whole, or announced."""
        self._first = b""

    def __enter__(self) -> Self:
        super().__enter__()
        adapter = self._adapter
        if isinstance(adapter, TellsReliance) and self._call(lambda: adapter.relies_on_free_pages):
            self.record(ev.Guest(ev.GuestAction.RELY))
        return self

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Offer features; return what the driver accepted, None if it refused the device.

        ``configuration`` are the first words of the space. The words of further features follow: 0, and then
        as the driver wrote them.
        """
        self._offered = offered
        self._first = configuration
        configuration = self._whole(configuration)
        self.judge.steers(steered=self.can(Capability.STEER_PAGES))
        accepted = self._act(lambda: self._adapter.negotiate(offered, configuration))
        if accepted is not None:
            legal = self.profile.may_accept(offered, accepted)
            shown = Fact.REFUSAL not in self.unseen
            self.record(ev.Negotiated(offered, accepted, legal, shown=shown))
            self.record(ev.ConfigurationRead(0, configuration))
        return accepted

    def use(self, queue: int, buffer: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver; what the driver did before is taken in first.

        Raises :class:`NotExercised` if the buffer is no longer in flight, which is the driver's doing, or if
        the driver does not set DRIVER_OK.
        """
        self.collect()
        self._await_driver_ok()
        self._look_again(queue, buffer)
        if not self.judge.is_in_flight(queue, buffer):
            raise NotExercised(
                f"buffer {buffer} of queue {queue} is in flight no more: the driver reset the device, or "
                "made it available twice"
            )
        self.intend(ev.Used(queue, buffer, length_bytes, written))
        self._act(lambda: self._adapter.use(queue, buffer, length_bytes, written))

    def _look_again(self, queue: int, buffer: str) -> None:
        """Take in what the guest did with the pages of a buffer, before they are the guest's again."""
        adapter = self._adapter
        if isinstance(adapter, LooksAgain) and self.judge.is_in_flight(queue, buffer):
            self._act(lambda: adapter.look_again(queue, buffer))
            self.collect()

    def _await_driver_ok(self) -> None:
        """Wait until the driver sets DRIVER_OK; before that no device returns a buffer (QUEUE-10)."""
        if self._sees_running():
            return
        self.wait_for(lambda event: isinstance(event, ev.DriverOk))
        # An adapter may find only now that this driver shows no DRIVER_OK.
        if not self._sees_running():
            raise NotExercised(
                "the driver did not set DRIVER_OK, and until it does no device may return a buffer"
            )

    def _sees_running(self) -> bool:
        """Tell whether the driver set DRIVER_OK, or the transport does not show it."""
        return self.judge.driver_ok or Fact.DRIVER_OK in self.unseen

    def change_configuration(self, configuration: bytes) -> None:
        """Change the first words of the configuration space and notify the driver."""
        self._first = configuration
        self._announce()

    def announce(self, offset: int, word: bytes) -> None:
        """Change a word of a further feature and notify the driver; it stands there until a reset."""
        self._words[offset] = word
        self._announce()

    def _announce(self) -> None:
        configuration = self._whole(self._first)
        self.intend(ev.ConfigurationChanged(configuration))
        self._act(lambda: self._adapter.change_configuration(configuration))

    def _whole(self, first: bytes) -> bytes:
        """Return the whole configuration space: ``first``, and behind it the words of further features."""
        space = bytearray(self.profile.configuration_bytes(self._offered))
        for word in self.profile.configuration_words(self._offered):
            written = self._words.get(word.offset_bytes, b"")
            space[word.offset_bytes : word.offset_bytes + len(written)] = written
        space[: len(first)] = first
        return bytes(space)

    def record(self, event: ev.Event) -> None:
        """Take an event in, and keep what the driver writes to its words of the configuration space."""
        super().record(event)
        if isinstance(event, ev.Available):
            self._see_indices({event.queue})
        elif isinstance(event, ev.Reset):
            self._words.clear()
        elif isinstance(event, ev.ConfigurationWritten):
            self._keep(event)

    def _keep(self, event: ev.ConfigurationWritten) -> None:
        """Keep what a store, of whatever length, changes of the words that are the driver's."""
        for word in self.profile.words:
            if word.written_by is not ev.Side.DRIVER or not word.is_touched(event.offset, len(event.data)):
                continue
            if word.feature is None:
                at = slice(word.offset_bytes, word.end_bytes)
                after = word.after(self._first[at], event.offset, event.data)
                self._first = self._first[: at.start] + bytes(after) + self._first[at.stop :]
            else:
                before = self._words.get(word.offset_bytes, bytes(word.length_bytes))
                self._words[word.offset_bytes] = bytes(word.after(before, event.offset, event.data))

    def settle(self, seconds: float = 0.0) -> Sequence[ev.Event]:
        """Give the driver time to act; the virtqueues that it has set up by then tell how it numbers them."""
        left = super().settle(seconds)
        adapter = self._adapter
        if isinstance(adapter, ShowsQueuesSetUp):
            indices = self._call(adapter.queues_set_up)
            sets = self._negotiated
            exact = maps(self.profile, sets.offered, sets.accepted).values()
            # A front-end may set up more queues than its driver has. Then they tell nothing.
            if any(queues.keys() == indices for queues in exact):
                self._see_indices(indices)
        return left

    def _see_indices(self, indices: Collection[int]) -> None:
        sets = self._negotiated
        if sets.features_ok:
            self.numberings &= numberings(self.profile, sets.offered, sets.accepted, indices)

    def operate(self, action: ev.OperatorAction, value: int) -> None:
        """Record an operator's wish; the suite, being the device, acts on it by itself."""
        self.record(ev.Operator(action, value))

    def steer(self, action: ev.GuestAction, pages: PageSet) -> None:
        """Make a guest's wish known to the driver."""
        self.record(ev.Guest(action, pages))
        self._act(lambda: self._adapter.steer(action, pages))

    def command_guest(self, command: str, *words: str | int) -> None:
        """Give the guest around the driver a command; :meth:`guest_answer` tells when it is carried out."""
        adapter = self._adapter
        assert isinstance(adapter, SteersGuest)
        self._act(lambda: adapter.guest_begin(command, *words))

    def guest_answer(self, deadline_seconds: float) -> str | None:
        """Return the guest's answer, or None if it has none yet; the events until then are taken in."""
        adapter = self._adapter
        assert isinstance(adapter, SteersGuest)
        answer = self._act(lambda: adapter.guest_answer(deadline_seconds))
        self.collect()
        return answer

    def read_memory(self, address: int, length_bytes: int) -> bytes:
        """Read guest memory, as a device may."""
        adapter = self._adapter
        assert isinstance(adapter, ReachesMemory)
        return self._act(lambda: adapter.read_memory(address, length_bytes))

    def write_memory(self, address: int, data: bytes) -> None:
        """Write guest memory, as a device may to pages of the balloon."""
        adapter = self._adapter
        assert isinstance(adapter, ReachesMemory)
        self._act(lambda: adapter.write_memory(address, data))

    def reset(self) -> None:
        """Have the driver begin anew."""
        self.collect()
        self._act(lambda: self._adapter.reset())
        self._waiting.clear()
        self.record(ev.Reset())
