"""Where drivers come to rest: what is right but unusual stays clean, and what VIRTIO allows is advice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from balloon_conformance.campaign.cases import cases
from balloon_conformance.families.statistics.reference import StatisticsOfDriver
from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.mutants.driver_convergence import NeverDeflates
from balloon_conformance.reference.coalesce import lowest
from balloon_conformance.reference.driver import Driver
from balloon_conformance.running.case import carry_out
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import driver_rests, of
from balloon_spec.events import Side
from balloon_spec.families.statistics.statistics import Statistic, Statistics, Tag
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

PAGES = 0x4000


def play(function, adapter, *arguments):
    session = DriverSession(adapter, CHUNK_TRANSFER, memory_pages=PAGES)

    def action():
        function(session, *arguments)
        return ()

    return carry_out(of(function), session, action)


def said(outcome):
    return {finding.requirement for finding in (*outcome.findings, *outcome.advice)}


class InSmallSteps(Driver):
    """Moves 256 pages at a time and counts them, as Linux does."""

    def pages_to_inflate(self, state):
        return lowest(super().pages_to_inflate(state), 256)

    def pages_to_deflate(self, state):
        return lowest(super().pages_to_deflate(state), 256)


class OnLargePages(Driver):
    """A guest of 64 KiB pages, which rounds every target up to one of them."""

    def target(self, data):
        return -(-super().target(data) // 16) * 16


class OnHugePages(Driver):
    """Gives up pages of 2 MiB alone, and rounds every target up to one of them."""

    def target(self, data):
        return -(-super().target(data) // 512) * 512


class HasLittleToSpare(StatisticsOfDriver):
    """A guest that has some 100 pages to spare, and says so."""

    def statistics(self, state):
        entries = (Statistic(Tag.MEMFREE, state.pool.size_bytes), Statistic(Tag.MEMTOT, PAGES << 12))
        return Statistics(entries)


def short_of_memory(options):
    return Driver(options, (HasLittleToSpare,))


class WithoutStatistics(Driver):
    """A guest that does not say what is free."""

    def choose(self, offered):
        return super().choose(offered & ~(1 << 1 | 1 << 3 | 1 << 4))


class Slow(ReferenceDriver):
    """Does nothing for most of a second after each thing that is done to it."""

    pause_seconds = 0.8

    def __init__(self):
        super().__init__(InSmallSteps, steered=False)
        self.ready_at = 0.0

    def use(self, *arguments):
        super().use(*arguments)
        self.ready_at = self.clock() + self.pause_seconds

    def change_configuration(self, configuration):
        super().change_configuration(configuration)
        self.ready_at = self.clock() + self.pause_seconds

    def observe(self, deadline_seconds):
        left = self.ready_at - self.clock()
        if left > deadline_seconds:
            self.clock.wait(deadline_seconds)
            return []
        self.clock.wait(max(left, 0.0))
        return super().observe(deadline_seconds)


def free(kind=Driver, own_memory=None):
    return ReferenceDriver(kind, steered=False, own_memory=own_memory)


UNUSUAL = {
    "steered": ReferenceDriver,
    "free": free,
    "256 pages at a time": lambda: free(InSmallSteps),
    "pages of 64 KiB": lambda: free(OnLargePages, PageSet([(0x1000, 0x2000)])),
    "short of memory": lambda: free(short_of_memory, PageSet([(0x1001, 101)])),
    "without statistics": lambda: free(WithoutStatistics),
    "slow": Slow,
}

CASES = [
    (driver_rests.test_rest_at_each_target, ([],)),
    (driver_rests.test_rest_at_each_target, (["DEFLATE_ON_OOM"],)),
    *(
        (driver_rests.test_a_target_that_moves_while_a_buffer_is_held, (target, held))
        for target in (128, 1024)
        for held in ("inflate", "deflate")
    ),
]


@pytest.mark.parametrize(("function", "arguments"), CASES)
@pytest.mark.parametrize("name", UNUSUAL)
def test_a_driver_that_is_right_but_unusual_is_not_even_advised(name, function, arguments):
    outcome = play(function, UNUSUAL[name](), *arguments)
    assert (outcome.status, outcome.reason, said(outcome)) == (Status.PASSED, "", set())


def test_a_guest_short_of_memory_has_not_kept_what_it_could_not_do():
    stopped = play(driver_rests.test_rest_at_each_target, UNUSUAL["short of memory"](), [])
    reached = play(driver_rests.test_rest_at_each_target, UNUSUAL["free"](), [])
    # Of the targets upwards it reaches the first alone.
    assert (stopped.exercised["INF-10"], reached.exercised["INF-10"]) == (1, 3)


def test_a_driver_that_rests_above_its_target_is_advised_and_no_more():
    outcome = play(driver_rests.test_rest_at_each_target, NeverDeflates(), [])
    assert (outcome.status, outcome.findings) == (Status.PASSED, ())
    assert said(outcome) == {"DEF-12"}


class Generous(Driver):
    """Gives the guest whatever it wants back, DEFLATE_ON_OOM or not."""

    def most_wanted(self, state, excess):
        return state.ballooning.balloon.pages


class Stubborn(Driver):
    """Gives nothing back at the target, though DEFLATE_ON_OOM would let it."""

    def most_wanted(self, state, excess):
        return max(excess, 0)


@pytest.mark.parametrize(
    ("kind", "without", "expected"),
    [
        (Driver, [], set()),
        (Driver, ["DEFLATE_ON_OOM"], set()),
        (Stubborn, [], set()),
        (Generous, [], set()),
        (Generous, ["DEFLATE_ON_OOM"], {"DEF-09"}),
    ],
)
def test_deflate_on_oom_decides_whether_a_guest_gets_pages_back_at_the_target(kind, without, expected):
    outcome = play(driver_rests.test_a_guest_that_wants_pages_at_the_target, ReferenceDriver(kind), without)
    assert said(outcome) == expected
    assert ("DEF-09" in outcome.exercised) is bool(without)


class Patient(Driver):
    """Inflates again what was taken back, once."""

    again = True

    def finish(self, state):
        if state.ballooning.promised and self.again:
            self.again = False
            state = replace(state, to_inflate=state.to_inflate | state.ballooning.promised)
        return super().finish(state)


def test_a_driver_that_tries_once_more_after_it_took_pages_back_is_not_advised():
    outcome = play(driver_rests.test_a_guest_that_wants_pages_at_the_target, ReferenceDriver(Patient), [])
    assert said(outcome) == set()


@pytest.mark.parametrize("held", ["inflate", "deflate"])
@pytest.mark.parametrize("target", [1000, 125])
def test_a_driver_that_rounds_to_2_mib_is_advised_of_that_and_not_of_a_lost_target(target, held):
    adapter = ReferenceDriver(OnHugePages, steered=False)
    outcome = play(driver_rests.test_a_target_that_moves_while_a_buffer_is_held, adapter, target, held)
    assert outcome.status is Status.PASSED
    assert said(outcome) <= {"INF-12", "DEF-12"}
    # Twice 512 is what it rounds 1000 to, and near enough where nothing was lost on the way down.
    assert (target == 1000 and held == "inflate") != bool(said(outcome))


class GivesBackInBulk(Driver):
    """With DEFLATE_ON_OOM it takes back whole blocks of 256 pages around those that its guest wants."""

    def pages_to_deflate(self, state):
        wanted = super().pages_to_deflate(state)
        if not self.has(state, "DEFLATE_ON_OOM"):
            return wanted
        blocks = {run.first // 256 + at for run in wanted for at in range(-(-run.count // 256) + 1)}
        more = PageSet((block * 256, 256) for block in blocks) & state.ballooning.balloon
        return wanted | more if wanted else wanted


class ReportsAllThatIsFree(Driver):
    """Names as unused, besides what the guest says is, what it is to give up and has not yet."""

    def unused_pages(self, state):
        return super().unused_pages(state) | (state.to_inflate - self.held(state))


@pytest.mark.parametrize("kind", [GivesBackInBulk, ReportsAllThatIsFree])
def test_a_driver_that_takes_back_or_reports_more_than_it_was_asked_for_is_not_wrong(kind):
    """By the feature it may take back more, and what is not in use is unused, whoever said so."""
    for case in cases(Side.DRIVER).values():
        outcome = case.play(ReferenceDriver(kind), CHUNK_TRANSFER)
        assert outcome.status in {Status.PASSED, Status.NOT_EXERCISED}, (case.id, outcome.reason)
        assert not outcome.advice, case.id
