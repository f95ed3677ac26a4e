"""Whatever a device must do in profile mainline beyond the base, a wrong one is found out over real virtqueues.

The campaign plays mutants in this process. Here they are back-ends in another one, with rings, pages and
notifications in memory that they share with the suite, as any vhost-user back-end has them.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import islice

import pytest
from places import ROOT

from balloon_conformance.campaign import cases as campaign_cases
from balloon_conformance.campaign.cases import cases
from balloon_conformance.iut.vhost_user.device import VhostUserDevice, VhostUserOptions
from balloon_conformance.mutants import mutants
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import Patience
from balloon_spec.events import Side
from balloon_spec.profiles import BASE, MAINLINE
from balloon_spec.requirement import catalogue

START_SECONDS = 60
PATIENCE = Patience(deadline_seconds=1.0, quiet_seconds=0.02)
MOST_PLAYS = 40
"""How many cases a requirement may take until a wrong device is found out."""
AREAS = {area.area for family in MAINLINE.families if family not in BASE.families for area in family.areas}

HIDDEN = {}
"""The requirements of which nothing shows over vhost-user, each with the reason."""


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
    program = str(ROOT / "tests" / "serve_mutants.py")
    with subprocess.Popen(
        [sys.executable, program, str(directory), MAINLINE.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdout.readline() == b"ready\n"
        yield directory
        server.stdin.close()
        server.wait(START_SECONDS)


def _attempts(requirement):
    """Each wrong device with each case that is about the requirement, the likeliest first."""
    suite = [one for one in cases(Side.DEVICE).values() if requirement in one.about]
    suite.sort(key=lambda one: (not one.is_vector, len(one.about)))
    breakers = [one for one in mutants().values() if requirement in one.breaks]
    return [(mutant, case) for case in suite for mutant in breakers]


@pytest.mark.untraced
@pytest.mark.parametrize("requirement", [name for name in _binding() if name not in HIDDEN])
def test_a_wrong_device_is_found_out(requirement, sockets, monkeypatch):
    monkeypatch.setattr(campaign_cases, "PATIENCE", PATIENCE)
    tried = []
    for mutant, case in islice(_attempts(requirement), MOST_PLAYS):
        path = str(sockets / mutant.name)
        adapter = VhostUserDevice(VhostUserOptions(path, f"{path}.control"))
        try:
            outcome = case.play(adapter, MAINLINE)
        finally:
            adapter.stop()
        if requirement in {one.requirement for one in outcome.findings}:
            assert outcome.status is Status.FAILED
            return
        tried.append(f"{mutant} in {case.id}: {outcome.status} {outcome.reason}")
    pytest.fail("\n".join(("nobody is found out", *tried)))
