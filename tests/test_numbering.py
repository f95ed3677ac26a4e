"""How virtqueues are numbered is a property of the peer: stated, recorded, and what it is judged by."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from invented_family import VECTORS, invented
from served_peer import ServedPeer
from test_invented_family import command

from balloon_conformance.iut import linux_uml, qemu, registry
from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.reference import adapter as reference
from balloon_conformance.iut.stdio.device import StdioDevice
from balloon_conformance.iut.stdio.driver import StdioDriver
from balloon_conformance.iut.stdio.program import StdioOptions
from balloon_conformance.iut.stdio.target import introduce
from balloon_conformance.iut.vhost_user.device import VhostUserDevice, VhostUserOptions
from balloon_conformance.iut.vhost_user.driver import VhostUserDriver
from balloon_conformance.report.results_file import read_results
from balloon_conformance.run.options import RunOptions
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_conformance.suite.plan import move
from balloon_conformance.vectors.loader import load, load_all
from balloon_spec.events import Side
from balloon_spec.profiles import BASE, CHUNK_TRANSFER
from balloon_spec.queues import Numbering

PATH = VECTORS / "echo" / "echo-is-returned.yaml"
FIXED, OFFERED, NEGOTIATED = Numbering
BROKEN_IF_OTHERWISE = {Side.DEVICE: "ECHO-01", Side.DRIVER: "QUEUE-02"}
"""What a peer breaks that uses other numbers: a device does not serve the queue, a driver uses none there is."""


@pytest.fixture(autouse=True)
def known():
    with invented():
        yield


class Numbered:
    """Mixed into a reference adapter: a peer that numbers queues in its own way, or as it is told."""

    def __init__(self, its_own):
        super().__init__()
        self.its_own = its_own

    def start(self, setup):
        own = setup.profile.with_numbering(self.its_own or setup.profile.numbering)
        super().start(replace(setup, profile=own))


class NumberedDevice(Numbered, reference.ReferenceDevice):
    pass


class NumberedDriver(Numbered, reference.ReferenceDriver):
    pass


class StatingDevice(NumberedDevice):
    @property
    def numbering(self):
        return self.its_own


def in_process(side, its_own):
    return (NumberedDevice if side is Side.DEVICE else NumberedDriver)(its_own)


def program(side, its_own, kind="Numbered"):
    code = "import sys; from invented_family import invented; import test_numbering as t\n"
    code += "from balloon_conformance.iut.stdio.serve import serve\nwith invented():\n"
    own = f"t.Numbering('{its_own}')" if its_own else None
    code += f"    peer = t.{kind}{side.capitalize()}({own})\n"
    code += f"    serve(peer, sys.stdin.buffer, sys.stdout.buffer, side=t.Side('{side}'), name='numbered',"
    code += " version='1', claims=frozenset({'synchronous'}))"
    path = f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n"
    return StdioOptions((sys.executable, "-c", path + code))


def over_streams(side, its_own):
    options = program(side, its_own)
    return (StdioDevice if side is Side.DEVICE else StdioDriver)(options, introduce(options))


def judged(peer, side, judged_by):
    """How the case ended, and whether the peer broke what one with other numbers has to break."""
    vector = load(PATH)
    outcome = play(replace(vector, profile=vector.profile.with_numbering(judged_by)), peer, side)
    found = {finding.requirement for finding in outcome.findings}
    return outcome.status, BROKEN_IF_OTHERWISE[side] in found, bool(found)


BLAMED, CLEAN = (Status.FAILED, True, True), (Status.PASSED, False, False)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("its_own", list(Numbering))
def test_a_peer_is_blamed_if_its_numbers_are_not_those_that_it_is_said_to_have(side, its_own):
    for judged_by in Numbering:
        # A driver is offered nothing here that it does not accept, so both kinds of dense numbers are the same.
        same = side is Side.DRIVER and FIXED not in {its_own, judged_by}
        ended = judged(in_process(side, its_own), side, judged_by)
        assert ended == (CLEAN if same or its_own is judged_by else BLAMED), judged_by


@pytest.mark.parametrize("side", list(Side))
def test_a_program_is_told_the_numbers_and_blamed_if_it_has_others(side):
    peer = over_streams(side, NEGOTIATED)
    try:
        assert [judged(peer, side, one) for one in (FIXED, NEGOTIATED)] == [BLAMED, CLEAN]
    finally:
        peer.stop()


@pytest.mark.parametrize("side", list(Side))
def test_a_program_that_takes_the_numbers_from_the_start_is_clean_under_any(side):
    peer = over_streams(side, None)
    try:
        assert [judged(peer, side, one) for one in Numbering] == [CLEAN] * len(Numbering)
    finally:
        peer.stop()


@pytest.fixture
def served(tmp_path):
    """Start the reference of a side on a socket, with queue numbers of its own; it is ended afterwards."""
    started = []
    code = f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n"
    code += "import invented_family, balloon_conformance.cli as cli\n"
    code += "with invented_family.invented(): cli.main()"

    def start(side, its_own):
        numbering = ("--profile", "invented", "--numbering", its_own)
        program = ("-c", code, "serve")
        started.append(ServedPeer(f"reference-{side}", tmp_path, *numbering, control=False, program=program))
        socket = started[-1].socket
        return (
            VhostUserDevice(VhostUserOptions(socket))
            if side is Side.DEVICE
            else VhostUserDriver(socket, ready_seconds=0.5)
        )

    yield start
    for one in started:
        one.kill()


@pytest.mark.parametrize("side", list(Side))
def test_a_peer_over_vhost_user_is_blamed_if_its_numbers_are_not_those_that_it_is_said_to_have(served, side):
    peer = served(side, NEGOTIATED)
    try:
        assert [judged(peer, side, one) for one in (FIXED, NEGOTIATED)] == [BLAMED, CLEAN]
    finally:
        peer.stop()


def test_numbers_counted_over_the_offer_differ_from_those_counted_over_what_was_accepted():
    vector = load(PATH)
    offered = vector.profile.mask(["VERSION_1", "ECHO", "STATS_VQ"])
    sets = replace(vector.features, offered=offered)
    numbered = [
        replace(vector, profile=vector.profile.with_numbering(one), features=sets).queue_indices()[0]
        for one in Numbering
    ]
    assert numbered == [5, 3, 2]


def test_what_a_person_states_counts_more_than_the_file_and_that_more_than_the_adapter(tmp_path):
    silent = Target("it", Side.DEVICE, reference.ReferenceDevice)
    stating = replace(silent, numbering=OFFERED)
    chosen = {
        (options.numbering_source(target).value, options.chosen_profile(target).numbering)
        for options, target in (
            (RunOptions("it"), silent),
            (RunOptions("it"), stating),
        )
    }
    assert chosen == {("default", FIXED), ("implementation", OFFERED)}
    options = RunOptions("reference-device", numbering="dense-negotiated")
    target = options.target()
    assert options.numbering_source(target).value == "stated"
    assert options.chosen_profile(target) == CHUNK_TRANSFER.with_numbering(NEGOTIATED) != CHUNK_TRANSFER


def test_the_kinds_state_what_is_known_of_their_peers():
    assert (qemu.target().numbering, linux_uml.target().numbering) == (OFFERED, NEGOTIATED)
    assert registry.resolve("reference-device").numbering is None
    assert (
        RunOptions("qemu", numbering="fixed").chosen_profile(replace(qemu.target(), numbering=FIXED)) == BASE
    )


def test_an_adapter_and_a_program_may_state_it(monkeypatch):
    stated = StatingDevice(OFFERED)
    monkeypatch.setattr(sys.modules[__name__], "stated", stated, raising=False)
    assert registry.resolve(f"python:{__name__}:stated").numbering is OFFERED
    assert introduce(program(Side.DEVICE, NEGOTIATED, "Stating")).numbering is NEGOTIATED


def test_every_vector_takes_over_how_the_run_numbers_queues():
    dense = CHUNK_TRANSFER.with_numbering(NEGOTIATED)
    vectors = [one for one in load_all() if one.profile.name in {"base", "chunk-transfer"}]
    assert {move(one, dense).profile.numbering for one in vectors} == {NEGOTIATED}
    assert all(move(one, CHUNK_TRANSFER) is one for one in vectors if one.profile == CHUNK_TRANSFER)
    assert {one.profile.name for one in vectors} == {"base", "chunk-transfer"}


@pytest.mark.parametrize("said", [(), ("--numbering", "dense-negotiated")], ids=["default", "stated"])
def test_a_run_records_it_and_is_read_back(tmp_path, said):
    paths = results, page = tmp_path / "r.jsonl", tmp_path / "r.html"
    run = command(
        *("run", "reference-device", "--profile", "invented", "--vectors", VECTORS, *said),
        *("--results", results, "--html", page),
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    header = json.loads(results.read_text(encoding="utf-8").splitlines()[0])
    used, source = ("dense-negotiated", "stated") if said else ("fixed", "default")
    assert header["numbering"] == {"used": used, "source": source}
    words = f"{used} queue numbers ({'as stated' if said else 'the default'})"
    assert words in run.stdout
    assert words in paths[1].read_text(encoding="utf-8")
    read = read_results(results)
    assert read.results().profile.numbering is read.numbering.used is Numbering(used)
    older = {name: value for name, value in header.items() if name != "numbering"}
    assert replace(read, header=older).results().profile.numbering is FIXED


def test_the_trace_of_a_failed_case_says_how_queues_were_numbered():
    vector = load(PATH)
    dense = replace(vector, profile=vector.profile.with_numbering(NEGOTIATED))
    outcome = play(dense, in_process(Side.DRIVER, FIXED), Side.DRIVER)
    assert json.loads(outcome.trace[0])["numbering"] == "dense-negotiated"
