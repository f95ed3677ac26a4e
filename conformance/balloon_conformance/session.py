"""One exchange with an implementation under test: performed, observed, recorded and judged.

A session stands between the vectors and scenarios, which say what shall happen, and the adapter, which makes
it happen. Whatever either side does passes through it as an event: it is kept in the trace and shown to the
judge. What the judge finds against the side under test is a finding; what it finds against the suite's own
side is the suite's fault, unless the case declared that it would break just that.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType, TracebackType
from typing import NoReturn, Self, TypeVar

from balloon_conformance.iut import observed
from balloon_conformance.iut.contract import (
    AdapterError,
    Buffer,
    Capability,
    DeviceAdapter,
    DriverAdapter,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    ReachesMemory,
    ReachesRegisters,
    SetsUp,
    Setup,
    SteersGuest,
    TellsStatistics,
)
from balloon_conformance.iut.sight import Fact, undecided, unseen_by
from balloon_conformance.not_exercised import NotExercised
from balloon_spec import events as ev
from balloon_spec.features import Profile
from balloon_spec.judge import Finding, Judge
from balloon_spec.judge.given_back import GivenBack
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.requirement import catalogue
from balloon_spec.trace import Entry
from balloon_spec.wire import configuration

__all__ = ["DeviceSession", "DriverSession", "Ended", "Session", "Waits"]

_T = TypeVar("_T")

_ENDLESS_EVENTS = 10_000
"""So many events in a row, to which the suite did nothing and among which there was no pause, have no end."""
_ENDLESS_DEADLINES = 10
"""Nor have events that go on for so many of the session's deadlines."""
_MOST_DEADLINES = 3
"""A wait lasts no longer than this many deadlines, however often the implementation acts meanwhile."""


_OWN_DOING = (ev.ConfigurationRead, ev.BufferAltered)
"""Events that may tell of the suite's own side, where the suite knows better."""
_LOOKS = 16
"""So often memory is looked at before a deadline passes."""
_FRUITLESS_WAITS = 8


@dataclass(slots=True)
class Waits:
    """How often the suite has waited for a discard in vain, in all sessions that share this.

    A device that never discards keeps INF-07 from being followed and breaks nothing else. It is not waited
    for in every case.
    """

    fruitless: int = 0
    fruitful: int = 0

    @property
    def worth_it(self) -> bool:
        """Whether to wait."""
        return self.fruitful > 0 or self.fruitless < _FRUITLESS_WAITS

    def count(self, *, found: bool) -> None:
        """Take in how a wait ended, or that pages were found at once."""
        if found:
            self.fruitful += 1
        else:
            self.fruitless += 1


class Ended(Exception):  # noqa: N818 - says that the case is over, not that the suite erred
    """The implementation crashed, hung or broke its transport; the case cannot go on."""


class Session:
    """What the sessions with a device and with a driver share.

    ``findings`` are against the implementation, ``slips`` against the suite's own side. ``trace`` is every
    event so far, with its time in seconds since the session began. ``now`` is the clock it goes by.
    """

    side: ev.Side

    def __init__(
        self,
        adapter: DeviceAdapter | DriverAdapter,
        profile: Profile,
        *,
        deadline_seconds: float = 1.0,
        quiet_seconds: float = 0.0,
        memory_pages: int = 0x10000,
        memory_holes: PageSet = EMPTY,
        waits: Waits | None = None,
    ) -> None:
        self._adapter = adapter
        self._setting_up = adapter if isinstance(adapter, SetsUp) else None
        self.setup = Setup(profile, memory_pages, memory_holes)
        self.deadline_seconds = deadline_seconds
        self.quiet_seconds = quiet_seconds
        self.waits = Waits() if waits is None else waits
        self._hasty: set[int] = set()
        """The numbers of looks at memory for which the device was given no time."""
        self.judge = Judge(profile)
        self.trace: list[Entry] = []
        self.findings: list[Finding] = []
        self.slips: list[Finding] = []
        self.told: list[Finding] = []
        """Those of ``slips`` that only the adapter can have made, by what it told."""
        # An adapter whose implementation lives in simulated time brings its clock.
        self.now: Callable[[], float] = getattr(adapter, "clock", time.monotonic)
        self._began = self.now()
        self._shown: Counter[str] = Counter()
        self._waiting: list[ev.Event] = []
        self._unrest = 0
        """How many events came since the suite last did something, or found that nothing came."""
        self._unrest_began = self._began
        self._moved = self._began
        """When either side did something last."""

    def __enter__(self) -> Self:
        self._call(lambda: self._adapter.start(self.setup))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A live implementation serves the next case too: starting it anew costs more than most cases. After
        # a crash, a hang or a defect of the adapter nothing of it can be trusted.
        if error is not None and isinstance(error, Ended | AdapterError):
            self._adapter.stop()

    @property
    def profile(self) -> Profile:
        """The profile the session is judged under."""
        return self.setup.profile

    @property
    def exercised(self) -> Counter[str]:
        """How often each requirement was decided by a rule or shown by a step, as far as it could be seen."""
        hidden = self.undecided
        counted = self.judge.exercised | self._shown
        return Counter({name: times for name, times in counted.items() if name not in hidden})

    @property
    def undecided(self) -> Mapping[str, str]:
        """The requirements that cannot be decided by what the adapter shows as of now, with the reasons."""
        return undecided(self.unseen)

    def hidden_from(self, about: Iterable[str]) -> Mapping[str, str]:
        """Return the requirements that could not be decided, of those in ``about`` or met with, and why."""
        met = {*about, *self.judge.exercised, *self._shown}
        subjects = catalogue()
        return {
            name: because
            for name, because in self.undecided.items()
            if name in met and subjects[name].subject == self.side
        }

    def show(self, requirements: Iterable[str]) -> None:
        """Count requirements that a step showed: it could have failed, and came true."""
        self._shown.update(requirements)

    @property
    def unseen(self) -> Mapping[Fact, str]:
        """What the adapter does not show as of now, with the reasons."""
        return unseen_by(self._adapter)

    @property
    def remarks(self) -> Sequence[str]:
        """What the adapter has to say of how the implementation was served, for whoever reads the results."""
        told: Sequence[str] = getattr(self._adapter, "remarks", ())
        return told

    def can(self, capability: Capability) -> bool:
        """Tell whether the implementation has the capability."""
        return capability in self._adapter.capabilities

    def record(self, event: ev.Event) -> None:
        """Take an event into the trace and show it to the judge."""
        now = self.now()
        if not isinstance(event, ev.Quiet):
            self._moved = now
        seconds = now - self._began
        self.trace.append(Entry(event, len(self.trace) + 1, seconds))
        for finding in self.judge.feed(event, seconds):
            if finding.requirement in self.undecided:
                continue
            (self.findings if finding.subject == self.side else self.slips).append(finding)

    def _act(self, action: Callable[[], _T]) -> _T:
        """Do something to the implementation, which may do what it likes in answer."""
        self._unrest = 0
        return self._call(action)

    def _call(self, action: Callable[[], _T]) -> _T:
        """Call the adapter; what keeps the implementation from taking part any more ends the case."""
        try:
            return action()
        except ImplementationCrashed as error:
            self.record(ev.Failed(self.side, ev.Failure.CRASH, str(error)))
            raise Ended(f"the {self.side} ended: {error}") from error
        except ImplementationHung as error:
            self.record(ev.Failed(self.side, ev.Failure.HANG, str(error)))
            raise Ended(f"the {self.side} does not answer: {error}") from error
        except ImplementationViolation as error:
            # Of the transport no requirement speaks, except where it is a virtqueue.
            if error.ring is not None:
                self.record(error.ring)
            raise Ended(f"the {self.side} broke its transport: {error}") from error

    def _observe(self, seconds: float) -> Sequence[ev.Event]:
        """Take in what the implementation did; one that acts and acts and never pauses is hung.

        A notification by itself is recorded and no more: it says nothing that the buffers before it did not.
        """
        until = self.now() + seconds
        while events := self._observe_once(max(until - self.now(), 0.0)):
            if told := _told(events):
                return told
        return ()

    def _observe_once(self, seconds: float) -> Sequence[ev.Event]:
        events = self._call(lambda: observed.events(self._adapter.observe(seconds)))
        for event in events:
            before = len(self.slips)
            self.record(event)
            if isinstance(event, _OWN_DOING):
                self.told += self.slips[before:]
        if not events:
            self._unrest = 0
            return events
        if not self._unrest:
            self._unrest_began = self.now()
        self._unrest += len(events)
        lasted = self.now() - self._unrest_began
        if self._unrest > _ENDLESS_EVENTS or lasted > _ENDLESS_DEADLINES * self.deadline_seconds:
            self._call(partial(self._never_pauses, type(events[-1]).__name__, lasted))
        return events

    def _never_pauses(self, kind: str, seconds: float) -> NoReturn:
        raise ImplementationHung(
            f"it acts without end: {self._unrest} events in {seconds:.1f} s to which nothing gave cause, "
            f"the last of them {kind}"
        )

    def collect(self, seconds: float = 0.0) -> None:
        """Take in what the implementation has done, without expecting anything."""
        self._waiting.extend(self._observe(seconds))

    def wait_for(
        self, wanted: Callable[[ev.Event], bool], deadline_seconds: float | None = None
    ) -> ev.Event | None:
        """Return the first event not yet claimed that is ``wanted``, or None when the deadline passes.

        Events that are not wanted stay for later calls. On None, and unless the deadline was shorter than
        the session's, the judge is told that the implementation was given its time: the whole deadline since
        either side did something, if anything is owed.
        """
        deadline = self.deadline_seconds if deadline_seconds is None else deadline_seconds
        began = self.now()
        until = began + deadline
        while True:
            for at, event in enumerate(self._waiting):
                if wanted(event):
                    return self._waiting.pop(at)
            busy = deadline >= self.deadline_seconds and self._is_setting_up()
            # An adapter that returns nothing has waited its time, or knows that nothing will come.
            fresh = self._observe(max(until - self.now(), 0.0))
            self._waiting.extend(fresh)
            if fresh:
                continue
            if busy:
                # The time counts from when it was found ready.
                began = self.now()
                until = began + deadline
                continue
            if deadline < self.deadline_seconds:
                return None
            later = min(self._moved, began + (_MOST_DEADLINES - 1) * deadline) + deadline
            if later > until and self.judge.awaits(self.side):
                until = later
                continue
            self.record(ev.Quiet(self.side, deadline))
            return None

    def settle(self, seconds: float = 0.0) -> Sequence[ev.Event]:
        """Give the implementation time to act, tell the judge, and return what nobody claimed.

        The time is ``seconds``, and ``quiet_seconds`` of the session at the least. If the implementation owes
        something then, it is given the whole deadline: a shorter time decides nothing.
        """
        while self._is_setting_up():
            self._waiting.extend(self._observe(self.deadline_seconds))
        seconds = max(seconds, self.quiet_seconds)
        began = self.now()
        self._rest(began + seconds)
        last = began + _MOST_DEADLINES * self.deadline_seconds
        while self.judge.awaits(self.side):
            until = min(self._moved + self.deadline_seconds, last)
            if until <= self.now():
                break
            seconds = until - began
            if not self._rest(until, owing=True):
                break
        self.record(ev.Quiet(self.side, seconds))
        left, self._waiting = self._waiting, []
        return left

    def _is_setting_up(self) -> bool:
        """Tell whether the implementation is not ready yet, and owes nothing."""
        return self._setting_up is not None and self._call(self._setting_up.is_setting_up)

    def leave(self, events: Sequence[ev.Event]) -> None:
        """Put events back that :meth:`settle` returned; they stay for later calls."""
        self._waiting = [*events, *self._waiting]

    def _rest(self, until: float, *, owing: bool = False) -> bool:
        """Take in what the implementation does until then and while it goes on; tell if it acted.

        One that is ``owing`` is waited for no longer than it owes something.
        """
        acted = False
        while events := self._observe_once(max(until - self.now(), 0.0)):
            self._waiting.extend(_told(events))
            acted = True
            if owing and not self.judge.awaits(self.side):
                break
        return acted


def _told(events: Sequence[ev.Event]) -> list[ev.Event]:
    """Return what a case can wait for: a late notification says no more than its buffers did."""
    return [event for event in events if not isinstance(event, ev.Notified)]


class DeviceSession(Session):
    """A session with a device under test: the suite is the driver."""

    side = ev.Side.DEVICE
    _adapter: DeviceAdapter
    _rooms: Mapping[int, int] = MappingProxyType({})
    """How many buffers fit each queue, as far as the adapter tells."""

    def negotiate(self, accepted: int, offered: int | None = None) -> bool:
        """Accept features, set up the queues, and return whether the device kept FEATURES_OK.

        ``offered`` is what the device offers, asked for when it is None.
        """
        seen = self.offered() if offered is None else offered
        kept = self._act(lambda: self._adapter.accept(accepted))
        if kept:
            self._act(self._adapter.prepare)
        sizes = self._act(self._adapter.ring_sizes) if kept else ()
        # A refusal that was seen is one, whatever the transport has for it.
        shown = not kept or Fact.REFUSAL not in self.unseen
        self._rooms = dict(sizes)
        self.record(ev.Negotiated(seen, accepted, kept, sizes, shown))
        if kept:
            self.record(ev.Memory(self._adapter.memory))
        return kept

    @property
    def memory(self) -> PageSet:
        """The guest pages that exist."""
        return self._adapter.memory

    def offered(self) -> int:
        """Ask what the device offers."""
        return self._act(self._adapter.offered)

    def driver_ok(self) -> None:
        """Set DRIVER_OK; what the device did before is taken in first."""
        self.collect()
        self.record(ev.DriverOk())
        self._act(self._adapter.driver_ok)

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Make a buffer available; raises :class:`NotExercised` where the ring has no room for it."""
        room = self._rooms.get(queue)
        if room is not None and self.judge.in_flight(queue) >= room:
            raise NotExercised(f"the ring of queue {queue} has {room} descriptors, and the case needs more")
        self.record(
            ev.Available(
                queue, buffer.name, buffer.readable, buffer.writable_bytes, buffer.notify, buffer.cut
            )
        )
        self._act(lambda: self._adapter.make_available(queue, buffer))

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space."""
        data = self._act(lambda: self._adapter.read_configuration(offset, length_bytes))
        self.record(ev.ConfigurationRead(offset, data))
        return data

    def write_configuration(self, offset: int, data: bytes) -> None:
        """Write the configuration space."""
        self.record(ev.ConfigurationWritten(offset, data))
        self._act(lambda: self._adapter.write_configuration(offset, data))

    def read_statistics(self) -> None:
        """Ask the host what it read of the statistics; a device is given until the deadline to tell it.

        Raises :class:`NotExercised` where the host cannot be asked.
        """
        adapter = self._adapter
        if not self.can(Capability.HOST_STATISTICS) or not isinstance(adapter, TellsStatistics):
            raise NotExercised(f"the adapter lacks {Capability.HOST_STATISTICS}")
        until = self.now() + self.deadline_seconds
        while True:
            event = ev.StatisticsRead(self._act(adapter.statistics))
            if self.judge.accepts(event) or (now := self.now()) >= until:
                break
            self._waiting.extend(self._observe(min(self.deadline_seconds / _LOOKS, until - now)))
            if self.now() == now:
                # The adapter knows that nothing will come.
                break
        self.record(event)

    def operate(self, action: ev.OperatorAction, value: int) -> None:
        """Make an operator's wish known to the device.

        What the device did before is taken in first, and what stands in the configuration space is read, so
        that nothing of it is held against the wish.
        """
        self.collect()
        if action is ev.OperatorAction.TARGET:
            self.read_configuration(0, configuration.LENGTH_BYTES)
        self.record(ev.Operator(action, value))
        self._act(lambda: self._adapter.operate(action, value))

    def _observe_once(self, seconds: float) -> Sequence[ev.Event]:
        """Take in what the device did; a change of the configuration is read at once, as a driver would.

        Where the read shows something else it is repeated, so that nobody can take it for an old one.
        """
        events = super()._observe_once(seconds)
        told = next((one.data for one in reversed(events) if isinstance(one, ev.ConfigurationChanged)), None)
        read = partial(self._adapter.read_configuration, 0, configuration.LENGTH_BYTES)
        for _ in range(2 if told is not None else 0):
            data = self._call(read)
            self.record(ev.ConfigurationRead(0, data))
            if data == told:
                break
        return events

    def record(self, event: ev.Event) -> None:
        """Take an event in; before pages are taken back, what was discarded of them until then."""
        if isinstance(event, ev.Used) and self.can(Capability.DISCARDS):
            until_now = self.judge.taken_back(event)
            gone, _ = self._call(partial(self._adapter.discarded, until_now)) if until_now else (EMPTY, EMPTY)
            if gone:
                super().record(ev.Discarded(gone, gone))
        super().record(event)

    def look(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Look at guest memory; return which of ``pages`` were discarded, and which overwritten.

        Where pages are missing that the device was to discard it is given until the deadline: no requirement
        says when they go, but for INF-07, which is a SHOULD.
        """
        began = self.now()
        gone, changed = self._act(lambda: self._adapter.discarded(pages))
        if gone:
            self.waits.count(found=True)
        late, seconds = EMPTY, 0.0
        if self.judge.hopes(pages) - gone:
            late, altered = self._look_again(pages, gone, began)
            gone, changed, seconds = gone | late, changed | altered, self.now() - began
        self.record(ev.Discarded(gone, pages, late, seconds))
        if changed:
            self.record(ev.Overwritten(changed))
        return gone, changed

    def _look_again(self, pages: PageSet, gone: PageSet, began: float) -> tuple[PageSet, PageSet]:
        """Look at what is missing until it is gone, or the deadline passes; return what was found."""
        late = changed = EMPTY
        if not self.waits.worth_it:
            self._hasty.add(len(self.trace) + 1)
            return late, changed
        pause, until = self.deadline_seconds / _LOOKS, began + self.deadline_seconds
        while (before := self.now()) < until and (left := self.judge.hopes(pages) - gone - late):
            self._waiting.extend(self._observe(min(pause, until - before)))
            more, altered = self._call(partial(self._adapter.discarded, left))
            late, changed = late | more, changed | altered
            if self.now() - before < pause / 2 and not more:
                # The adapter knows that nothing will come.
                break
        self.waits.count(found=bool(late))
        return late, changed

    @property
    def given_back(self) -> GivenBack:
        """What the device gave back, and what it left although it was given its time."""
        seen = self.judge.given_back
        return replace(seen, left=tuple(one for one in seen.left if one.event not in self._hasty))

    def look_at_all(self) -> None:
        """Look at all of guest memory, if a buffer could have had an effect since the last reset.

        A device may touch pages that nobody thought of, and later nobody could tell what it did that for.
        """
        if self.can(Capability.DISCARDS) and self.judge.worth_a_look_at_all:
            self.look(self.memory)

    def reset(self) -> None:
        """Reset the device; what it did until the reset is complete is taken in, and what it discarded."""
        self.collect()
        looks = self.can(Capability.DISCARDS)
        self.look_at_all()
        self._act(self._adapter.reset)
        if looks and self.judge.worth_a_look:
            # Until the reset is complete a device may go on with what it was given.
            self.look(self.judge.worth_a_look)
        self._waiting.clear()
        self.record(ev.Reset(self._status()))

    def _status(self) -> int | None:
        """Read the device status, where that can be done."""
        if not self.can(Capability.REGISTERS):
            return None
        return self._act(self._registers.status)

    @property
    def _registers(self) -> ReachesRegisters:
        adapter = self._adapter
        assert isinstance(adapter, ReachesRegisters)
        return adapter

    def driver_ok_again(self) -> None:
        """Write the device status once more as it is, with DRIVER_OK in it."""
        self.collect()
        self.record(ev.DriverOk())
        self._act(self._registers.write_status_again)

    def notify(self, queue: int) -> None:
        """Notify the device of a queue in which nothing new is available."""
        self.record(ev.Notified(ev.Side.DRIVER, queue))
        self._act(lambda: self._registers.notify(queue))


class DriverSession(Session):
    """A session with a driver under test: the suite is the device."""

    side = ev.Side.DRIVER
    _adapter: DriverAdapter

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Offer features; return what the driver accepted, None where it refused the device."""
        self.judge.steers(steered=self.can(Capability.STEER_PAGES))
        accepted = self._act(lambda: self._adapter.negotiate(offered, configuration))
        if accepted is not None:
            legal = self.profile.may_accept(offered, accepted)
            shown = Fact.REFUSAL not in self.unseen
            self.record(ev.Negotiated(offered, accepted, legal, shown=shown))
            self.record(ev.ConfigurationRead(0, configuration))
        return accepted

    def use(self, queue: int, buffer: str, length_bytes: int, written: bytes) -> None:
        """Return a buffer to the driver; what became of it while the device held it is taken in first.

        Raises :class:`NotExercised` where it is in flight no more, which is the driver's doing.
        """
        self.collect()
        if not self.judge.is_in_flight(queue, buffer):
            raise NotExercised(
                f"buffer {buffer} of queue {queue} is in flight no more: the driver reset the device, or "
                "made it available twice"
            )
        self.record(ev.Used(queue, buffer, length_bytes, written))
        self._act(lambda: self._adapter.use(queue, buffer, length_bytes, written))

    def change_configuration(self, configuration: bytes) -> None:
        """Change the configuration space and notify the driver."""
        self.record(ev.ConfigurationChanged(configuration))
        self._act(lambda: self._adapter.change_configuration(configuration))

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
        """Return the guest's answer, or None where it has none yet; the events since then are taken in."""
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
        self._act(self._adapter.reset)
        self._waiting.clear()
        self.record(ev.Reset())
