"""A session keeps what happened, in order and with times, tells the judge, and waits no longer than it should."""

from __future__ import annotations

import itertools

import pytest
from made_up import VECTORS

from balloon_conformance.iut.contract import (
    AdapterError,
    Buffer,
    Capability,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
)
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.iut.sight import Fact
from balloon_conformance.reference.device import Device
from balloon_conformance.running.not_exercised import NotExercised
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_conformance.running.session import DeviceSession, DriverSession, Ended
from balloon_spec import events as ev
from balloon_spec import trace
from balloon_spec.families.statistics.events import StatisticsRead
from balloon_spec.judge import Judge
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import BASE, CHUNK_TRANSFER
from balloon_spec.segments import from_lengths

VERSION, TELL, STATS = 1 << 32, 1 << 0, 1 << 1
ARRAY = (0x1000).to_bytes(4, "little")


class Scripted(ReferenceDevice):
    """A device adapter that is observed to do what the test says, a list of events a call."""

    def __init__(self, *observed):
        super().__init__()
        self.observed = [list(events) for events in observed]
        self.waits = []

    def observe(self, deadline_seconds):
        self.waits.append(deadline_seconds)
        return self.observed.pop(0) if self.observed else []


def started(adapter, **options):
    session = DeviceSession(adapter, BASE, memory_pages=0x4000, **options)
    session.__enter__()
    return session


def is_used(event):
    return isinstance(event, ev.Used)


# -- the trace --------------------------------------------------------------------------------------------


def test_every_event_is_recorded_in_order_with_its_time():
    with DeviceSession(ReferenceDevice(), BASE, memory_pages=0x4000) as session:
        assert session.negotiate(VERSION) is True
        session.driver_ok()
        session.operate(ev.OperatorAction.TARGET, 1)
        session.make_available(0, Buffer("m1", ARRAY, segments=from_lengths((2, 2)), notify=False))
        assert session.wait_for(is_used) == ev.Used(0, "m1", notified=True)
        session.write_configuration(4, b"\1\0\0\0")
        assert session.read_configuration(0, 8) == b"\1\0\0\0\1\0\0\0"
        assert session.look(PageSet([(0xFFF, 3)])) == (PageSet([(0x1000, 1)]), EMPTY)
        session.reset()
    whole = PageSet([(0, 0x4000)])
    assert [entry.event for entry in session.trace] == [
        ev.Negotiated(session.offered(), VERSION, True, ((0, 1024), (1, 1024))),
        ev.Memory(whole),
        ev.DriverOk(),
        ev.ConfigurationRead(0, bytes(8), 1),
        ev.Operator(ev.OperatorAction.TARGET, 1),
        ev.Available(0, "m1", ARRAY, 0, False, from_lengths((2, 2))),
        ev.ConfigurationChanged(b"\1\0\0\0\0\0\0\0"),
        ev.Used(0, "m1", notified=True),
        ev.ConfigurationRead(0, b"\1\0\0\0\0\0\0\0", 2),
        ev.ConfigurationWritten(4, b"\1\0\0\0"),
        ev.ConfigurationRead(0, b"\1\0\0\0\1\0\0\0", 3),
        ev.Discarded(PageSet([(0x1000, 1)]), PageSet([(0xFFF, 3)])),
        ev.Discarded(EMPTY, whole),
        ev.Discarded(EMPTY, PageSet([(0x1000, 1)])),
        ev.Reset(0),
    ]
    assert [entry.line for entry in session.trace] == list(range(1, 16))
    times = [entry.at_seconds for entry in session.trace]
    assert all(earlier <= later for earlier, later in itertools.pairwise(times))
    assert times[0] >= 0


class _DiscardsOnePageTooMany(Device):
    def discard(self, pages):
        return super().discard(PageSet((run.first, run.count + 1) for run in pages))


class _KeepsMessages(Device):
    def take_unused_message(self, state, buffer):
        return state, ()


@pytest.mark.parametrize(
    ("vector", "device"),
    [
        ("inflate-two-runs", _DiscardsOnePageTooMany),
        ("data-len-24", _DiscardsOnePageTooMany),
        ("request-answered-in-two-messages", _KeepsMessages),
    ],
)
def test_a_recorded_session_is_judged_as_the_live_one_was(vector, device):
    outcome = play(VECTORS[vector], ReferenceDevice(device), ev.Side.DEVICE)
    header, *entries = trace.read(line + "\n" for line in outcome.trace)
    assert header.profile == VECTORS[vector].profile
    judge = Judge(header.profile)
    found = [finding for one in entries for finding in judge.feed(one.event, one.at_seconds)]
    own = [finding for finding in found if finding.subject is ev.Side.DEVICE]
    assert own == sorted([*outcome.findings, *outcome.advice], key=lambda finding: finding.event)
    assert own
    kept = {name: judge.exercised[name] for name in outcome.exercised}
    assert kept == outcome.exercised


def test_a_recorded_driver_session_reads_back_event_by_event():
    with DriverSession(ReferenceDriver(), CHUNK_TRANSFER, memory_pages=0x4000) as session:
        assert session.negotiate(VERSION | STATS, bytes(8)) == VERSION | STATS
        buffer = session.wait_for(lambda event: isinstance(event, ev.Available))
        session.use(buffer.queue, buffer.buffer, 0, b"")
        session.operate(ev.OperatorAction.TARGET, 1)
        session.change_configuration(b"\1\0\0\0\0\0\0\0")
        session.steer(ev.GuestAction.INFLATE, PageSet([(0x1000, 1)]))
        session.settle(0.1)
        session.reset()
    lines = [line + "\n" for line in trace.write(trace.Header(session.profile), session.trace)]
    _, *entries = trace.read(lines)
    assert [entry.event for entry in entries] == [entry.event for entry in session.trace]
    assert [entry.at_seconds for entry in entries] == [round(entry.at_seconds, 6) for entry in session.trace]
    kinds = {type(entry.event) for entry in session.trace}
    assert {ev.Negotiated, ev.Memory, ev.Used, ev.Operator, ev.Guest, ev.Quiet, ev.Reset} <= kinds
    assert session.findings == session.slips == []


def test_findings_are_against_the_implementation_and_slips_against_the_suite():
    session = started(Scripted([ev.Used(0, "nothing")]))
    session.negotiate(VERSION | TELL)
    session.driver_ok()
    session.make_available(0, Buffer("m1", b"\1"))
    session.collect()
    assert [finding.requirement for finding in session.findings] == ["BUF-04"]
    assert [slip.requirement for slip in session.slips] == ["PFN-02"]
    assert session.exercised["PFN-02"] == 1


# -- waiting ----------------------------------------------------------------------------------------------


def test_what_the_implementation_made_wrong_the_suite_does_not_do():
    """A target of 16 came when nobody asked for one: to deflate would break DEF-09."""
    adapter = ReferenceDevice()
    with started(adapter, quiet_seconds=0.0) as session:
        session.negotiate(VERSION | TELL)
        session.driver_ok()
        session.make_available(0, Buffer("m", ARRAY))
        session.wait_for(is_used)
        session.write_configuration(4, bytes([1, 0, 0, 0]))
        session.record(ev.ConfigurationChanged(bytes([16, 0, 0, 0, 1, 0, 0, 0])))
        before = len(session.trace)
        with pytest.raises(NotExercised, match="the suite would break DEF-09 if it went on"):
            session.make_available(1, Buffer("d", ARRAY))
        assert (len(session.trace), session.slips) == (before, [])
        session.may_break = frozenset({"DEF-09"})
        session.make_available(1, Buffer("d", ARRAY))
        assert [one.requirement for one in session.slips] == ["DEF-09"]


def test_events_that_are_not_wanted_stay_for_later_calls():
    change = ev.ConfigurationChanged(bytes(8))
    session = started(Scripted([change, ev.Used(0, "a")], [ev.Used(0, "b")]))
    assert session.wait_for(lambda event: event == ev.Used(0, "b")) == ev.Used(0, "b")
    assert session.wait_for(is_used) == ev.Used(0, "a")
    assert session.settle(0.0) == [change]
    assert session.settle(0.0) == []


def test_collected_events_are_found_by_a_later_wait():
    session = started(Scripted([ev.Used(0, "a")]))
    session.collect()
    assert session.wait_for(is_used) == ev.Used(0, "a")
    assert not [entry for entry in session.trace if isinstance(entry.event, ev.Quiet)]


def test_when_the_deadline_passes_the_judge_is_told():
    adapter = Scripted()
    session = started(adapter, deadline_seconds=0.25)
    assert session.wait_for(is_used) is None
    assert session.trace[-1].event == ev.Quiet(ev.Side.DEVICE, 0.25)
    assert 0 < adapter.waits[0] <= 0.25


def test_a_wait_that_is_shorter_than_the_sessions_deadline_proves_nothing():
    session = started(Scripted(), deadline_seconds=0.25)
    assert session.wait_for(is_used, 0.125) is None
    assert session.trace == []
    assert session.wait_for(is_used, 0.5) is None
    assert session.trace[-1].event == ev.Quiet(ev.Side.DEVICE, 0.5)


def test_to_settle_is_to_wait_until_nothing_comes():
    adapter = Scripted([ev.Used(0, "a")], [ev.Used(0, "b")])
    session = started(adapter, quiet_seconds=0.125)
    assert session.settle() == [ev.Used(0, "a"), ev.Used(0, "b")]
    assert session.trace[-1].event == ev.Quiet(ev.Side.DEVICE, 0.125)
    assert len(adapter.waits) == 3
    assert session.settle(0.5) == []
    assert session.trace[-1].event == ev.Quiet(ev.Side.DEVICE, 0.5)


class Slow(ReferenceDevice):
    """A device in simulated time that takes ``seconds`` for each of its acts, one after another."""

    def __init__(self, seconds):
        super().__init__()
        self._seconds = seconds
        self._due = []

    def observe(self, deadline_seconds):
        now = self.clock()
        for event in super().observe(0.0):
            self._due.append((max([now, *(when for when, _ in self._due)]) + self._seconds, event))
        if self._due and self._due[0][0] <= now + deadline_seconds:
            self.clock.wait(max(self._due[0][0] - now, 0.0))
            return [self._due.pop(0)[1]]
        self.clock.wait(deadline_seconds)
        return []


@pytest.mark.parametrize(("seconds", "broken"), [(0.6, []), (1.4, ["QUEUE-07"])])
def test_a_short_pause_decides_nothing_and_the_deadline_does(seconds, broken):
    session = started(Slow(seconds), deadline_seconds=1.0)
    session.negotiate(VERSION)
    session.driver_ok()
    session.make_available(0, Buffer("m1", ARRAY))
    session.settle(0.2)
    assert [finding.requirement for finding in session.findings] == broken


def test_a_device_that_works_its_way_through_a_ring_has_the_deadline_for_each_buffer():
    session = started(Slow(0.8), deadline_seconds=1.0)
    session.negotiate(VERSION)
    session.driver_ok()
    session.make_available(0, Buffer("m1", ARRAY))
    session.make_available(0, Buffer("m2", (0x1001).to_bytes(4, "little")))
    assert session.wait_for(lambda event: isinstance(event, ev.ConfigurationChanged)) is None
    assert session.findings == []
    assert [event.buffer for event in session.settle()] == ["m1", "m2"]


# -- the ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "failure", "words"),
    [
        (ImplementationCrashed("exit status 1"), ev.Failure.CRASH, "the device ended: exit status 1"),
        (ImplementationHung("no answer"), ev.Failure.HANG, "the device does not answer: no answer"),
    ],
)
def test_a_crash_and_a_hang_are_recorded_and_end_the_case(error, failure, words):
    class Fails(ReferenceDevice):
        stopped = False

        def driver_ok(self):
            raise error

        def stop(self):
            self.stopped = True

    adapter = Fails()
    with pytest.raises(Ended, match=words), DeviceSession(adapter, BASE) as session:  # noqa: PT012 - the session ends by it
        session.negotiate(VERSION)
        session.driver_ok()
    assert session.trace[-1].event == ev.Failed(ev.Side.DEVICE, failure, str(error))
    assert adapter.stopped


class _Restless(ReferenceDevice):
    """A device that has always just done something."""

    def __init__(self, doing, seconds=0.0):
        super().__init__()
        self.doing, self.seconds, self.passed = doing, seconds, 0.0

    def clock(self):
        return self.passed

    def observe(self, deadline_seconds):
        self.passed += self.seconds
        return [self.doing]


@pytest.mark.untraced
@pytest.mark.parametrize("seconds", [0.0, 1.0])
@pytest.mark.parametrize(
    "wait", [lambda session: session.wait_for(is_used), lambda session: session.settle(1.0)]
)
def test_a_device_that_acts_without_end_is_hung_by_number_or_by_time(wait, seconds):
    session = started(_Restless(ev.ConfigurationChanged(bytes(8)), seconds))
    with pytest.raises(Ended, match=r"acts without end: .* the last of them ConfigurationChanged"):
        wait(session)
    assert session.trace[-1].event.failure is ev.Failure.HANG


def test_what_the_suite_gave_cause_for_is_not_without_end():
    session = started(_Restless(ev.ConfigurationChanged(bytes(8)), 1.0))
    for _ in range(20):
        session.collect()
        session.write_configuration(4, bytes(4))
    assert len(session.trace) == 60


class _OneAtATime(ReferenceDevice):
    """It does all it is asked to, and shows one event in so many seconds."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.left = seconds, []

    def observe(self, deadline_seconds):
        self.left += super().observe(0.0)
        self.clock.wait(self.seconds if self.left else deadline_seconds)
        return [self.left.pop(0)] if self.left else []


def test_returns_have_an_end_however_slow_they_are():
    session = started(_OneAtATime(0.5))
    session.negotiate(VERSION)
    session.driver_ok()
    for at in range(60):
        session.make_available(0, Buffer(f"m{at}", (0x1000 + at).to_bytes(4, "little")))
    left = session.settle()
    assert len(left) == 60
    assert session.now() >= 30
    assert session.findings == []


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, "observe returned None; return a list of events"),
        (["nonsense"], "observe returned str 'nonsense' among its events"),
        ([ev.Used("0", "a")], "observe returned Used with queue str '0'; it holds int"),
        ([ev.Used(True, "a")], "observe returned Used with queue bool True; it holds int"),
        ([ev.Used(0, "a", 0, None)], "observe returned Used with written None; it holds bytes"),
        (
            [ev.Available(0, "a", b"", 0, None, (8,))],
            "Available with int 8 among its segments; each is a Segment",
        ),
        ([StatisticsRead(((1, "2"),))], r"StatisticsRead with tuple \(1, '2'\) among its entries"),
    ],
)
def test_what_is_no_event_is_the_adapters_fault(returned, words):
    class Confused(ReferenceDevice):
        def observe(self, deadline_seconds):
            return returned

    with pytest.raises(AdapterError, match=words):
        started(Confused()).collect()


def test_a_broken_transport_ends_the_case_and_is_no_event():
    class Fails(ReferenceDriver):
        def negotiate(self, offered, configuration):
            raise ImplementationViolation("the ring has no room")

    with (
        pytest.raises(Ended, match="the driver broke its transport"),
        DriverSession(Fails(), BASE) as session,
    ):
        session.negotiate(VERSION, bytes(8))
    assert session.trace == []


@pytest.mark.parametrize(
    ("error", "stops"), [(None, False), (ValueError("x"), False), (AdapterError("x"), True)]
)
def test_a_live_implementation_serves_the_next_case_too(error, stops):
    class Counts(ReferenceDevice):
        stopped = False

        def stop(self):
            self.stopped = True

    adapter = Counts()
    session = DeviceSession(adapter, BASE)
    session.__enter__()
    session.__exit__(type(error) if error else None, error, None)
    assert adapter.stopped is stops


# -- negotiation, memory, reset ---------------------------------------------------------------------------


def test_features_that_are_refused_leave_no_queues():
    session = started(ReferenceDevice(type("No", (Device,), {"allows": lambda self, features: False})))
    assert session.negotiate(VERSION) is False
    (entry,) = session.trace
    assert entry.event == ev.Negotiated(session.offered(), VERSION, False)


def test_a_driver_that_refuses_the_device_negotiated_nothing():
    class Refuses(ReferenceDriver):
        def negotiate(self, offered, configuration):
            return None

    with DriverSession(Refuses(), BASE) as session:
        assert session.negotiate(VERSION, bytes(8)) is None
    assert session.trace == []


def test_overwritten_pages_are_told_from_discarded_ones():
    class Overwrites(ReferenceDevice):
        def discarded(self, pages):
            return EMPTY, pages

    session = started(Overwrites())
    assert session.look(PageSet([(1, 1)])) == (EMPTY, PageSet([(1, 1)]))
    assert [entry.event for entry in session.trace] == [
        ev.Discarded(EMPTY, PageSet([(1, 1)])),
        ev.Overwritten(PageSet([(1, 1)])),
    ]
    assert [finding.requirement for finding in session.findings] == ["INF-08"]


@pytest.mark.parametrize("sees", [True, False])
def test_before_a_reset_what_was_done_is_taken_in(sees):
    class Adapter(ReferenceDevice):
        capabilities = ReferenceDevice.capabilities - (set() if sees else {Capability.DISCARDS})

    session = started(Adapter())
    session.negotiate(VERSION)
    session.driver_ok()
    session.make_available(0, Buffer("m1", ARRAY))
    session.reset()
    kinds = [type(entry.event) for entry in session.trace]
    # What was done until the reset is complete is looked at once more.
    looks = [ev.Discarded, ev.Discarded] if sees else []
    assert kinds[-len(looks) - 2 :] == [ev.Used, *looks, ev.Reset]
    assert session.settle(0.0) == []
    assert session.memory == PageSet([(0, 0x4000)])
    assert session.can(Capability.DISCARDS) is sees


class _TakesItsTime(ReferenceDriver):
    """A driver that shows one event a look, ``seconds`` apart, its DRIVER_OK among them, or never that."""

    def __init__(self, seconds, *, sets_driver_ok=True):
        super().__init__()
        self._seconds, self._sets_driver_ok, self._shown = seconds, sets_driver_ok, []
        self.returned = 0

    def reset(self):
        super().reset()
        self.log.events, self._shown = [], []

    def observe(self, deadline_seconds):
        fresh, self.log.events = self.log.events, []
        self._shown += [one for one in fresh if self._sets_driver_ok or not isinstance(one, ev.DriverOk)]
        if not self._shown or deadline_seconds < self._seconds:
            self.clock.wait(deadline_seconds)
            return []
        self.clock.wait(self._seconds)
        return [self._shown.pop(0)]

    def use(self, queue, buffer, length_bytes, written):
        self.returned += 1
        super().use(queue, buffer, length_bytes, written)


LATE = ["statistics-asked-three-times", "request-answered-by-one-done", "exchange-before-an-inflation"]


@pytest.mark.parametrize("vector", LATE)
def test_no_buffer_is_returned_before_the_driver_set_driver_ok(vector):
    outcome = play(VECTORS[vector], _TakesItsTime(0.01), ev.Side.DRIVER)
    assert (outcome.status, outcome.reason) == (Status.PASSED, "")


def test_to_a_driver_that_never_sets_driver_ok_nothing_is_returned():
    adapter = _TakesItsTime(0.01, sets_driver_ok=False)
    outcome = play(VECTORS[LATE[0]], adapter, ev.Side.DRIVER)
    assert (outcome.status, adapter.returned) == (Status.NOT_EXERCISED, 0)
    assert outcome.reason.startswith("the driver did not set DRIVER_OK")


def test_where_driver_ok_cannot_be_seen_nobody_waits_for_it():
    adapter = _TakesItsTime(0.01, sets_driver_ok=False)
    adapter.unseen = {Fact.DRIVER_OK: "it is not shown"}
    assert play(VECTORS[LATE[0]], adapter, ev.Side.DRIVER).status is Status.PASSED
