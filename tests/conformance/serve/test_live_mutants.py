"""Whatever a device must do in profile mainline beyond the base, a wrong one is found out in another process.

The campaign plays mutants in this process. Here they are back-ends with rings, pages and notifications in memory
that they share with the suite, as any vhost-user back-end has them; or programs, for what does not show there.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import islice, product

import pytest
from places import ROOT

from balloon_conformance.campaign import cases as campaign_cases
from balloon_conformance.campaign.cases import cases
from balloon_conformance.campaign.examine import play_against
from balloon_conformance.iut.stdio.device import StdioDevice
from balloon_conformance.iut.stdio.program import StdioOptions
from balloon_conformance.iut.stdio.target import introduce
from balloon_conformance.iut.vhost_user.device import VhostUserDevice, VhostUserOptions
from balloon_conformance.mutants import mutants
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import Patience
from balloon_spec.events import Side
from balloon_spec.profiles import BASE, MAINLINE
from balloon_spec.requirement import catalogue

PROGRAM = str(ROOT / "tests" / "serve_mutants.py")
START_SECONDS = 60
PATIENCE = Patience(deadline_seconds=1.0, quiet_seconds=0.02)
MOST_PLAYS = 8
"""How many cases that find a wrong device out in this process are tried in another."""
AREAS = {area.area for family in MAINLINE.families if family not in BASE.families for area in family.areas}

OVER_STREAMS = {
    "HINT-17": "the served device makes no copy in which pages could be missing",
    "HINT-26": "the served device makes no copy in which pages could be missing",
    "HINT-29": "a store to a word of the device's does not get as far as the device",
    "REPORT-13": "what follows a return is there when the return is seen",
    "REPORT-18": "the wrong device has memory of its own to look into",
}
"""What shows over vhost-user of none of the wrong devices, and why; it shows over standard streams."""


def _binding():
    """What the families of mainline require of a device that somebody outside can see."""
    return [
        name
        for name, entry in catalogue().items()
        if entry.area in AREAS
        and entry.subject is Side.DEVICE
        and entry.level.binding
        and not entry.not_observable
    ]


@pytest.fixture(scope="module")
def sockets(tmp_path_factory):
    """The directory in which every mutant device listens at a socket of its name."""
    directory = tmp_path_factory.mktemp("mutants")
    command = [sys.executable, PROGRAM, "sockets", str(directory), MAINLINE.name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"ready\n"
        yield directory
        server.stdin.close()
        server.wait(START_SECONDS)


def _attempts(requirement):
    """Each wrong device with each case that finds it out in this process, the likeliest first."""
    entries = catalogue()
    area = {name for name, entry in entries.items() if entry.area == entries[requirement].area}
    suite = [one for one in cases(Side.DEVICE).values() if area & one.about]
    suite.sort(key=lambda one: (requirement not in one.about, not one.is_vector, len(one.about)))
    breakers = [one for one in mutants().values() if requirement in one.breaks]
    for case, mutant in product(suite, breakers):
        if requirement in play_against(mutant.name, case.id).named:
            yield mutant, case


def _over_vhost_user(mutant, sockets):
    path = str(sockets / mutant.name)
    return VhostUserDevice(VhostUserOptions(path, f"{path}.control"))


def _over_streams(mutant, _sockets):
    options = StdioOptions((sys.executable, PROGRAM, "streams", mutant.name))
    return StdioDevice(options, introduce(options))


@pytest.mark.untraced
@pytest.mark.parametrize("requirement", _binding())
def test_a_wrong_device_is_found_out(requirement, sockets, monkeypatch):
    # Found before the patience is changed: others ask for the same reactions.
    attempts = list(islice(_attempts(requirement), MOST_PLAYS))
    monkeypatch.setattr(campaign_cases, "PATIENCE", PATIENCE)
    adapter_to = _over_streams if requirement in OVER_STREAMS else _over_vhost_user
    tried = []
    for mutant, case in attempts:
        adapter = adapter_to(mutant, sockets)
        try:
            outcome = case.play(adapter, MAINLINE)
        finally:
            adapter.stop()
        if requirement in {one.requirement for one in outcome.findings}:
            assert outcome.status is Status.FAILED
            return
        tried.append(f"{mutant} in {case.id}: {outcome.status} {outcome.reason}")
    pytest.fail("\n".join(("nobody is found out", *tried)))
