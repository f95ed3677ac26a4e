"""Whatever profile mainline requires of either side, a wrong implementation is found out in another process.

The campaign plays mutants in this process. Here they are back-ends and front-ends with rings, pages and notifications
in memory that they share with the suite, as over any vhost-user; or programs, for what does not show there.
"""

from __future__ import annotations

import subprocess
import sys

import live_plays
import pytest
from places import ROOT

from balloon_conformance.campaign import cases as campaign_cases
from balloon_conformance.campaign.cases import cases
from balloon_conformance.campaign.examine import play_against
from balloon_conformance.campaign.excuses import no_mutant
from balloon_conformance.iut.stdio.device import StdioDevice
from balloon_conformance.iut.stdio.driver import StdioDriver
from balloon_conformance.iut.stdio.program import StdioOptions
from balloon_conformance.iut.stdio.target import introduce
from balloon_conformance.iut.vhost_user.device import VhostUserDevice, VhostUserOptions
from balloon_conformance.iut.vhost_user.steered_driver import SteeredVhostUserDriver
from balloon_conformance.mutants import mutants
from balloon_conformance.report.results import applies
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import Patience
from balloon_conformance.suite.plan import plan
from balloon_spec.events import Side
from balloon_spec.profiles import MAINLINE
from balloon_spec.requirement import catalogue

PROGRAM = str(ROOT / "tests" / "serve_mutants.py")
START_SECONDS = 60
PATIENCE = Patience(deadline_seconds=1.0, quiet_seconds=0.02)

IN_ADAPTER = "the mutant is wrong in its adapter, which is served as a program"
NO_COPY = "the served device makes no copy in which pages could be missing"
STATISTICS_UNTOLD = "nobody can ask the served device what it read of the statistics"
NO_MEMORY = "a page that is used shows in memory, at which a case that steers the guest does not look"

ONLY_STREAMS = {
    **dict.fromkeys(
        ("QUEUE-05", "REPORT-18", "CFG-15", "SAFE-02", "SAFE-12", "SAFE-13", "QUEUE-11"), IN_ADAPTER
    ),
    **dict.fromkeys(("HINT-17", "HINT-26"), NO_COPY),
    **dict.fromkeys(("STATS-12", "STATS-13"), STATISTICS_UNTOLD),
    **dict.fromkeys(("INF-04", "DEF-05"), NO_MEMORY),
    "QUEUE-10": "virtqueues are handed over when the driver is ready, and not before",
    "PFN-07": "the page that a signed number names is no page of the served device",
    "REPORT-13": "what follows a return is there when the return is seen",
    "CFG-12": "a notification carries nothing of the space, which is read afterwards",
    "BUF-04": "the served rings have nothing to return a second time",
    "RESET-02": "the served rings have nothing left of before a reset",
    "NEG-05": "the served front-end hangs up if its features are refused",
    "NEG-12": "a front-end may keep VERSION_1 to itself",
    "QUEUE-02": "the served front-end hands over no virtqueue that does not exist",
    "QUEUE-09": "the served front-end has nothing to notify with before DRIVER_OK",
    "CFG-02": "a store is told from the rest of the space by what it changes",
    "BUF-05": "the served front-end lays every buffer out anew",
    "RESET-09": "a driver without a device has no connection",
}
"""What shows over vhost-user of none of the wrong implementations, and why; it shows over standard streams."""

NEITHER = {
    "QUEUE-06": (
        "takes-four-buffers-of-a-queue",
        "eight-inflate-buffers-in-flight",
        "a served device returns each buffer before it takes the next",
    ),
    "QUEUE-14": (
        "starts-again-at-each-driver-ok",
        "driver-ok-is-written-again",
        "no adapter to another process writes DRIVER_OK twice; QEMU's does",
    ),
    "CFG-16": (
        "keeps-its-generation",
        "the-configuration-stays-what-it-is",
        "neither vhost-user nor the protocol over streams has a generation of the space; QEMU's registers have one",
    ),
    "BUF-01": (
        "changes-a-buffer-in-flight",
        "pfn-inflate-answered-late",
        "the wrong driver changes what its adapter tells, and no memory; Linux breaks it in earnest",
    ),
    "BUF-02": (
        "writes-into-inflate-buffers",
        "pfn-inflate-one-page",
        "the wrong device changes what its adapter tells, and no memory",
    ),
    "RESET-07": (
        "does-nothing-at-a-reset",
        "reset-keeps-the-target",
        "the wrong device never begins anew, so the first driver after another is refused",
    ),
}
"""What no wrong implementation breaks in another process: a mutant, a case that finds it out in this one, and why."""

NO_OCCASION = {"RESET-01": "the features that change the form of a buffer are not in the profile"}
"""What no wrong implementation breaks in a case that the profile can play, and why."""

PLAYS = {
    **dict.fromkeys(live_plays.DEVICES, (Side.DEVICE, False)),
    **dict.fromkeys(live_plays.DEVICES_OVER_STREAMS, (Side.DEVICE, True)),
    **dict.fromkeys(live_plays.DRIVERS, (Side.DRIVER, False)),
    **dict.fromkeys(live_plays.DRIVERS_OVER_STREAMS, (Side.DRIVER, True)),
}
NAMED = {
    **live_plays.DEVICES,
    **live_plays.DEVICES_OVER_STREAMS,
    **live_plays.DRIVERS,
    **live_plays.DRIVERS_OVER_STREAMS,
}


class Served:
    """A process that serves mutants of one side; it ends with the block."""

    def __init__(self, *arguments):
        command = [sys.executable, PROGRAM, *arguments, MAINLINE.name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        self.await_word()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(START_SECONDS)
        self.process.stdout.close()

    def await_word(self):
        assert self.process.stdout.readline() == b"ready\n"

    def be(self, name):
        """Be another driver from here on."""
        self.process.stdin.write(f"{name}\n".encode())
        self.process.stdin.flush()
        self.await_word()


@pytest.fixture(scope="module")
def devices(tmp_path_factory):
    """The directory in which every mutant device listens at a socket of its name."""
    directory = tmp_path_factory.mktemp("devices")
    with Served("devices", str(directory)):
        yield directory


@pytest.fixture(scope="module")
def drivers(tmp_path_factory):
    """The process that is whatever mutant driver is asked for, and the directory of its sockets."""
    directory = tmp_path_factory.mktemp("drivers")
    with Served("drivers", str(directory / "socket"), str(directory / "control")) as served:
        yield served, directory


def program(mutant):
    """An adapter to a mutant that is a program."""
    options = StdioOptions((sys.executable, PROGRAM, "streams", mutant.name))
    kind = StdioDevice if mutant.side is Side.DEVICE else StdioDriver
    return kind(options, introduce(options))


def peer(mutant, request):
    """An adapter to a mutant at the other end of a socket."""
    if mutant.side is Side.DEVICE:
        path = str(request.getfixturevalue("devices") / mutant.name)
        return VhostUserDevice(VhostUserOptions(path, f"{path}.control"))
    served, directory = request.getfixturevalue("drivers")
    served.be(mutant.name)
    return SteeredVhostUserDriver(str(directory / "socket"), str(directory / "control"))


def found_out(mutant, case, adapter):
    """The outcome of a case, and what it names."""
    try:
        outcome = cases(mutant.side)[case].play(adapter, MAINLINE)
    finally:
        adapter.stop()
    return outcome, {one.requirement for one in outcome.findings}


def is_playable(side, case):
    """Whether the profile has the features that a case needs."""
    return plan(side).needs()[case.partition("[")[0]] <= MAINLINE.by_name.keys()


@pytest.fixture(autouse=True)
def real_time(monkeypatch):
    monkeypatch.setattr(campaign_cases, "PATIENCE", PATIENCE)


@pytest.mark.untraced
@pytest.mark.parametrize("requirement", PLAYS)
def test_a_wrong_implementation_is_found_out(requirement, request):
    side, over_streams = PLAYS[requirement]
    mutant, case = mutants()[NAMED[requirement][0]], NAMED[requirement][1]
    assert mutant.side is side
    assert requirement in mutant.breaks
    assert is_playable(side, case)
    adapter = program(mutant) if over_streams else peer(mutant, request)
    outcome, named = found_out(mutant, case, adapter)
    assert requirement in named, (outcome.status, outcome.reason)
    assert outcome.status is Status.FAILED


@pytest.mark.untraced
@pytest.mark.parametrize("requirement", NEITHER)
def test_what_shows_in_no_other_process_does_not_show_there(requirement):
    name, case, reason = NEITHER[requirement]
    assert reason
    mutant = mutants()[name]
    assert requirement in play_against(name, case).named
    _, there = found_out(mutant, case, program(mutant))
    assert requirement not in there


def test_every_must_of_the_profile_is_in_one_table_or_the_other():
    bound = {
        name
        for name, entry in catalogue().items()
        if entry.level.binding and applies(entry, MAINLINE) and not entry.not_observable
    }
    assert bound - no_mutant().keys() == PLAYS.keys() | NEITHER.keys() | NO_OCCASION.keys()
    assert len(PLAYS) + len(NEITHER) + len(NO_OCCASION) == len(
        PLAYS.keys() | NEITHER.keys() | NO_OCCASION.keys()
    )
    assert {name for name, (_, over_streams) in PLAYS.items() if over_streams} == ONLY_STREAMS.keys()


@pytest.mark.untraced
@pytest.mark.parametrize("requirement", NO_OCCASION)
def test_what_has_no_occasion_is_broken_in_no_case_that_is_about_it(requirement):
    wrong = [one for one in mutants().values() if requirement in one.breaks]
    assert wrong
    for mutant in wrong:
        for case in cases(mutant.side).values():
            if requirement in case.about and is_playable(mutant.side, case.id):
                assert requirement not in {
                    one.requirement for one in case.play(mutant.make(), MAINLINE).findings
                }
