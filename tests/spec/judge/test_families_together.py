"""What a family says to the rules of others, by one that is declared here and named nowhere else.

A driver reports pages that it does not use, as device-writable entries: their addresses are all that is said. The
device may discard them until it returns the report. An echo of the invented family stands for its requirement.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import pytest
from invented_family import FAMILY
from judge_script import (
    DEVICE_QUIET,
    DRIVER_QUIET,
    INFLATE,
    MEMORY,
    STATS,
    VERSION,
    array,
    gone,
    target,
    used,
)

from balloon_spec import events as ev
from balloon_spec.families import registry
from balloon_spec.judge import Judge
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.companion import Companion
from balloon_spec.judge.content import Content
from balloon_spec.judge.interpretation import Interpreter
from balloon_spec.judge.shape import Shape
from balloon_spec.judge.trials import Trial, Trials
from balloon_spec.pages import PAGE_SHIFT, PageSet
from balloon_spec.profile import Profile
from balloon_spec.profiles import BASE
from balloon_spec.queues import Queue

REPORTS = Queue("reports", 6, feature="ECHO", written="report", names_pages=True)
ECHO = 1 << 20
WAITS = "an inflate buffer waits for a report"


def read(_queue, event, memory, _features, _meant):
    """The address is the message."""
    runs = PageSet((address >> PAGE_SHIFT, length >> PAGE_SHIFT) for address, length in event.extents)
    return Content(pages=runs & memory, total=runs.pages)


REPORT = Shape("report", "report", "a report", names_pages=True, read=read)


@dataclass(slots=True, eq=False)
class Reported(Companion):
    def pages(self):
        return PageSet.union(one.content.pages for one in self.exchange[Buffers].on(REPORTS))

    def lets_go(self):
        return self.pages()

    def keeps_driver(self):
        return bool(self.pages())

    def in_particular(self, requirement, buffer=None, other=None):
        if requirement == "QUEUE-07" and buffer.queue is REPORTS:
            return "ECHO-01", "a report is not returned"
        return None


def tried(exchange, buffer):
    if buffer.queue is not REPORTS and exchange[Reported].pages():
        yield "ECHO-01"


REPORTING = replace(
    FAMILY,
    queues=(*FAMILY.queues, REPORTS),
    rules=(),
    ledgers=(Reported,),
    shapes=(REPORT,),
    interpreter=Interpreter((REPORTS,), tried),
    trials=(Trial("ECHO-01", 5, WAITS),),
    particulars={"QUEUE-07": ("ECHO-01",)},
)


@pytest.fixture
def judge():
    with registry.added(Profile("reporting", (*BASE.families, REPORTING))) as profile:
        judge = Judge(profile)
        judge.steers(steered=False)
        judge.feed_all(
            [
                ev.Negotiated(VERSION | ECHO, VERSION | ECHO, True),
                ev.Memory(MEMORY),
                ev.DriverOk(),
            ]
        )
        yield judge


def report(name="p", first=0x3000, pages=2):
    segment = ev.Segment(pages << PAGE_SHIFT, True, first << PAGE_SHIFT)
    return ev.Available(REPORTS.place, name, b"", pages << PAGE_SHIFT, True, segments=(segment,))


def inflate(name="m", first=0x1000):
    return ev.Available(INFLATE, name, array(first, first + 1), notified=True)


def found(judge, *events):
    return [(one.requirement, one.words) for one in judge.feed_all(events)]


def test_pages_are_named_by_an_address(judge):
    assert not judge.feed(report())
    (buffer,) = judge[Buffers].on(REPORTS)
    assert (buffer.shape, buffer.content.pages, buffer.is_sound) == (REPORT, PageSet.parse("0x3000+2"), True)


def test_a_family_says_in_particular_what_another_says_in_general(judge):
    assert found(judge, report(), DEVICE_QUIET) == [("ECHO-01", "a report is not returned")]
    assert "ECHO-01" in next(one for one in registry.rules() if one.name == "nothing_is_held_back").decides


def test_the_trial_with_the_least_place_is_blamed(judge):
    events = (
        report(),
        used(REPORTS.place, "p"),
        inflate("m"),
        report("q"),
        inflate("n", 0x2000),
        used(REPORTS.place, "q"),
    )
    assert found(judge, *events, DEVICE_QUIET) == [
        ("QUEUE-07", "a well-formed buffer is not returned"),
        ("ECHO-01", WAITS),
    ]


def test_what_a_family_lets_go_may_be_discarded(judge):
    assert not found(judge, report(), gone("0x3000+2"))
    judge.feed(used(REPORTS.place, "p"))
    assert [name for name, _ in found(judge, gone("0x3008+2"))] == ["INF-08"]


def test_a_driver_that_waits_for_a_family_need_not_be_at_its_target(judge):
    assert not found(judge, target(4), report(), DRIVER_QUIET)
    assert "INF-10" in [name for name, _ in found(judge, used(REPORTS.place, "p"), target(5), DRIVER_QUIET)]


def test_what_a_family_does_not_answer_is_not_so(judge):
    assert found(judge, report(), ev.DriverOk(), DEVICE_QUIET) == [("ECHO-01", "a report is not returned")]
    bits = VERSION | STATS | ECHO
    judge.feed_all([ev.Reset(), ev.Negotiated(bits, bits, True), ev.DriverOk(), DEVICE_QUIET])
    assert not judge.exercised["RESET-12"]


@pytest.mark.parametrize(("writable_bytes", "blamed"), [(0, "QUEUE-07"), (1, "SAFE-03"), (4, "SAFE-03")])
def test_a_buffer_that_nobody_writes_has_no_part_to_be_written(writable_bytes, blamed):
    judge = Judge(BASE)
    judge.feed_all([ev.Negotiated(VERSION, VERSION, True), ev.Memory(MEMORY), ev.DriverOk()])
    judge.feed(ev.Available(INFLATE, "m", array(0x1000), writable_bytes, True))
    assert [one.requirement for one in judge.feed(DEVICE_QUIET)] == [blamed]


def test_without_the_family_nothing_is_said_for_it():
    judge = Judge(BASE)
    judge.feed_all([ev.Negotiated(VERSION, VERSION, True), ev.Memory(MEMORY), ev.DriverOk()])
    assert [name for name, _ in found(judge, inflate(), DEVICE_QUIET)] == ["QUEUE-07"]


@pytest.mark.parametrize(
    ("trials", "problem"),
    [
        ((Trial("INF-06", 7), Trial("DEF-07", 7)), "INF-06 and DEF-07 both have place 7"),
        ((Trial("INF-06", 7), Trial("INF-06", 8)), "a requirement has two trials"),
    ],
)
def test_two_trials_are_told_apart(trials, problem):
    with pytest.raises(ValueError, match=problem):
        Trials(trials)


def test_the_families_of_the_package_try_each_requirement_once():
    places = Counter(one.place for family in registry.families() for one in family.trials)
    assert max(places.values()) == 1
