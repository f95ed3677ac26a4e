"""What the sessions with a device and with a driver share.

A session stands between the vectors and scenarios, which say what shall happen, and the adapter, which makes
it happen. Whatever either side does passes through it as an event: it is kept in the trace and shown to the
judge. What the judge finds against the side under test is a finding; what it finds against the suite's own
side is the suite's fault, unless the case declared that it would break just that.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import NoReturn, Self, TypeVar

from balloon_conformance.iut import observed
from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    DeviceAdapter,
    DriverAdapter,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    SetsUp,
    Setup,
)
from balloon_conformance.iut.sight import Fact, undecided, unseen_by
from balloon_conformance.running.adapter_defect import call_adapter
from balloon_conformance.running.not_exercised import NotExercised
from balloon_spec import events as ev
from balloon_spec.judge import Finding, Judge, Weighed
from balloon_spec.numberings import ALL
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import Profile
from balloon_spec.queues import Queue
from balloon_spec.requirement import catalogue
from balloon_spec.trace import Entry

__all__ = ["Ended", "Session", "Waits"]

_T = TypeVar("_T")

_ENDLESS_EVENTS = 10_000
"""After this many events in a row that nothing caused, without a pause, the implementation counts as hung."""
_ENDLESS_DEADLINES = 10
"""It counts as hung too if such events go on for this many of the session's deadlines."""
_MOST_DEADLINES = 3
"""A wait lasts no longer than this many deadlines, however often the implementation acts meanwhile."""


_OWN_DOING = (ev.ConfigurationRead, ev.BufferAltered)
"""Events by which an adapter may tell what the suite itself did; the suite knows better."""
_FRUITLESS_WAITS = 8


@dataclass(slots=True)
class Waits:
    """How often the suite waited for a discard in vain, and how often not, in all sessions that share this.

    A device that never discards does not follow INF-07, and breaks nothing else. The suite stops waiting for
    it after a few cases.
    """

    fruitless: int = 0
    fruitful: int = 0

    @property
    def worth_it(self) -> bool:
        """Whether to wait."""
        return self.fruitful > 0 or self.fruitless < _FRUITLESS_WAITS

    def count(self, *, found: bool) -> None:
        """Count a wait, by whether it found something; pages that were there at once count as found."""
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
        self._negotiated = ev.Negotiated(0, 0)
        self.numberings = ALL
        """What explains the virtqueue indices that were seen of the implementation."""
        self.trace: list[Entry] = []
        self.findings: list[Finding] = []
        self.slips: list[Finding] = []
        self.may_break: frozenset[str] = frozenset()
        """What the suite's own side breaks on purpose in this case."""
        self.told: list[Finding] = []
        """Those of ``slips`` that only the adapter can have made, by what it told."""
        # An adapter whose implementation lives in simulated time brings its clock.
        self.now: Callable[[], float] = getattr(adapter, "clock", time.monotonic)
        self._began = self.now()
        self._shown: Counter[str] = Counter()
        self._waiting: list[ev.Event] = []
        self._unrest = 0
        """How many events without a cause came since the suite acted, a buffer came back, or nothing came."""
        self._unrest_began = self._began
        self._moved = self._began
        """When either side did something last."""

    def __enter__(self) -> Self:
        self._call(lambda: self._adapter.start(self.setup))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A live implementation serves the next case too, because a new start costs more than most cases.
        # After a crash, a hang or a defect of the adapter it is stopped.
        if error is not None and isinstance(error, Ended | AdapterError):
            call_adapter(self._adapter.stop)

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
        """Count requirements that a step showed: the step could have failed, and did not."""
        self._shown.update(requirements)

    @property
    def unseen(self) -> Mapping[Fact, str]:
        """What the adapter does not show as of now, with the reasons."""
        return unseen_by(self._adapter)

    @property
    def service_notes(self) -> Sequence[str]:
        """What the adapter says about how it served the implementation, for the reader of the results."""
        told: Sequence[str] = getattr(self._adapter, "service_notes", ())
        return told

    def can(self, capability: Capability) -> bool:
        """Tell whether the implementation has the capability."""
        return capability in call_adapter(lambda: self._adapter.capabilities)

    def need(self, *capabilities: Capability) -> None:
        """Raise :class:`NotExercised` if the implementation lacks one of the capabilities."""
        missing = [capability for capability in capabilities if not self.can(capability)]
        if missing:
            raise NotExercised(f"the adapter lacks {', '.join(missing)}")

    def record(self, event: ev.Event) -> None:
        """Take an event into the trace and show it to the judge."""
        now = self.now()
        self._enter(self.judge.weigh(event, now - self._began), now)

    def index(self, queue: Queue) -> int:
        """Return the virtqueue index that the queue has for the features negotiated last."""
        sets = self._negotiated
        return self.profile.queue_index(queue, sets.offered, sets.accepted)

    def queue(self, index: int) -> Queue | None:
        """Return the queue with this virtqueue index, None if there is none."""
        sets = self._negotiated
        return self.profile.queue_map(sets.offered, sets.accepted).get(index)

    @property
    def configuration_bytes(self) -> int:
        """The length of the configuration space with the features negotiated last."""
        return self.profile.configuration_bytes(self._negotiated.accepted)

    def _enter(self, weighed: Weighed, now: float) -> None:
        if isinstance(weighed.event, ev.Negotiated):
            self._negotiated = weighed.event
        if not isinstance(weighed.event, ev.Quiet):
            self._moved = now
        self.trace.append(Entry(weighed.event, len(self.trace) + 1, now - self._began))
        for finding in self.judge.take(weighed):
            if finding.requirement in self.undecided:
                continue
            (self.findings if finding.subject == self.side else self.slips).append(finding)

    def intend(self, event: ev.Event) -> None:
        """Record what the suite is about to do, unless the implementation has made it wrong by now.

        Raises :class:`NotExercised` if the suite's own side would break a MUST because of what the
        implementation did, unless the case breaks it on purpose. Bytes that are wrong whatever the
        implementation did are recorded, and are the suite's fault. After a finding the case goes on, because
        no answer is right to a buffer that should not be there.
        """
        entries = catalogue()
        now = self.now()
        weighed = self.judge.weigh(event, now - self._began)
        if not any(finding.level.binding for finding in self.findings):
            for decision in weighed.broken:
                entry = entries[decision.requirement]
                own = entry.subject != self.side and entry.level.binding
                if own and decision.requirement not in self.may_break | weighed.faults:
                    raise NotExercised(
                        f"after what the {self.side} did the suite would break {decision.requirement} if it "
                        f"went on: {decision.words}"
                    )
        self._enter(weighed, now)

    def _act(self, action: Callable[[], _T]) -> _T:
        """Call the adapter to act on the implementation; what that does next counts as caused."""
        self._unrest = 0
        return self._call(action)

    def _call(self, action: Callable[[], _T]) -> _T:
        """Call the adapter; raises :class:`Ended` if the implementation cannot take part any more."""
        try:
            return call_adapter(action)
        except ImplementationCrashed as error:
            self.record(ev.Failed(self.side, ev.Failure.CRASH, str(error)))
            raise Ended(f"the {self.side} ended: {error}") from error
        except ImplementationHung as error:
            self.record(ev.Failed(self.side, ev.Failure.HANG, str(error)))
            raise Ended(f"the {self.side} does not answer: {error}") from error
        except ImplementationViolation as error:
            # No requirement is about a transport, except for virtqueues.
            if error.ring is not None:
                self.record(error.ring)
            raise Ended(f"the {self.side} broke its transport: {error}") from error

    def _observe(self, seconds: float) -> Sequence[ev.Event]:
        """Take in what the implementation did within ``seconds``; one that never pauses counts as hung.

        A notification is recorded and not returned, because the buffers before it said the same.
        """
        until = self.now() + seconds
        while events := self._observe_once(max(until - self.now(), 0.0)):
            if told := _told(events):
                return told
        return ()

    def _observe_once(self, seconds: float) -> Sequence[ev.Event]:
        events = self._call(lambda: observed.events(self._adapter.observe(seconds)))
        for event in events:
            # Each buffer is returned once, so that returns come to an end by themselves.
            if isinstance(event, ev.Used) and self.judge.is_in_flight(event.queue, event.buffer):
                self._unrest = 0
            else:
                if not self._unrest:
                    self._unrest_began = self.now()
                self._unrest += 1
            before = len(self.slips)
            self.record(event)
            if isinstance(event, _OWN_DOING):
                self.told += self.slips[before:]
        if not events:
            self._unrest = 0
        if not self._unrest:
            return events
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

        Events that are not wanted stay for later calls. When it returns None, the judge is told that the
        implementation was given its time, unless the deadline was shorter than the session's. If the
        implementation owes something, its time is the whole deadline since either side last acted.
        """
        deadline = self.deadline_seconds if deadline_seconds is None else deadline_seconds
        began = self.now()
        until = began + deadline
        looked_at = 0
        while True:
            # No event is looked at twice, or an implementation that acts without end would take ever longer.
            for at in range(looked_at, len(self._waiting)):
                if wanted(self._waiting[at]):
                    return self._waiting.pop(at)
            looked_at = len(self._waiting)
            busy = deadline >= self.deadline_seconds and self._is_setting_up()
            # An adapter that returns nothing has waited its time, or knows that nothing will come.
            fresh = self._observe(max(until - self.now(), 0.0))
            self._waiting.extend(fresh)
            if fresh:
                continue
            if busy:
                # The time counts from the moment it was ready.
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
        """Give the implementation time to act, tell the judge, and return the events that nobody claimed.

        The time is ``seconds``, and at least ``quiet_seconds`` of the session. If the implementation owes
        something after that, it gets the whole deadline, because a shorter time decides nothing.
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
        setting_up = self._setting_up
        return setting_up is not None and self._call(lambda: setting_up.is_setting_up())

    def leave(self, events: Sequence[ev.Event]) -> None:
        """Put events back that :meth:`settle` returned; they stay for later calls."""
        self._waiting = [*events, *self._waiting]

    def _rest(self, until: float, *, owing: bool = False) -> bool:
        """Take in what the implementation does until then, and while it goes on; return whether it acted.

        If it is ``owing``, the wait ends as soon as it owes nothing.
        """
        acted = False
        while events := self._observe_once(max(until - self.now(), 0.0)):
            self._waiting.extend(_told(events))
            acted = True
            if owing and not self.judge.awaits(self.side):
                break
        return acted


def _told(events: Sequence[ev.Event]) -> list[ev.Event]:
    """Return the events that a case can wait for: all but late notifications."""
    return [event for event in events if not isinstance(event, ev.Notified)]
