"""How virtqueues are numbered is a property of the peer: stated, recorded, and what it is judged by."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from invented_family import VECTORS, invented
from results_files import lines_of, write
from rich.console import Console
from served_peer import ServedPeer
from test_invented_family import command

from balloon_conformance.cli.check import command as check
from balloon_conformance.iut import linux_uml, qemu, registry
from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.numbering_hint import hint
from balloon_conformance.iut.reference import adapter as reference
from balloon_conformance.iut.stdio.device import StdioDevice
from balloon_conformance.iut.stdio.driver import StdioDriver
from balloon_conformance.iut.stdio.program import StdioOptions
from balloon_conformance.iut.stdio.target import introduce
from balloon_conformance.iut.vhost_user.device import VhostUserDevice, VhostUserOptions
from balloon_conformance.iut.vhost_user.driver import VhostUserDriver
from balloon_conformance.report.results_file import read_results
from balloon_conformance.report.terminal import print_results
from balloon_conformance.run.options import RunOptions
from balloon_conformance.running.outcome import Outcome, Status
from balloon_conformance.running.player import play
from balloon_conformance.running.session import DeviceSession, DriverSession
from balloon_conformance.suite.plan import move
from balloon_conformance.vectors.loader import load, load_all
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.numberings import ALL
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, profile
from balloon_spec.queues import Numbering

PATH = VECTORS / "echo" / "echo-is-returned.yaml"
FIXED, OFFERED, NEGOTIATED = Numbering
BROKEN_IF_OTHERWISE = {Side.DEVICE: "ECHO-01", Side.DRIVER: "QUEUE-02"}
"""What a peer breaks that uses other numbers: a device does not serve the queue, a driver uses none there is."""


@pytest.fixture(autouse=True)
def known():
    with invented():
        yield


def profiles():
    return profile("invented"), profile("invented-dense")


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


def played(peer, side, judged_by):
    vector = load(PATH)
    return play(replace(vector, profile=vector.profile.with_numbering(judged_by)), peer, side)


def verdict(outcome, side):
    """How the case ended, and whether the peer broke what one with other numbers has to break."""
    found = {finding.requirement for finding in outcome.findings}
    return outcome.status, BROKEN_IF_OTHERWISE[side] in found, bool(found)


def judged(peer, side, judged_by):
    return verdict(played(peer, side, judged_by), side)


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
        outcomes = [played(peer, side, one) for one in (FIXED, NEGOTIATED)]
    finally:
        peer.stop()
    assert [verdict(one, side) for one in outcomes] == [BLAMED, CLEAN]
    # The served device has more queues than the driver needs under any numbering, so that nothing is told.
    seen = {OFFERED, NEGOTIATED} if side is Side.DRIVER else ALL
    assert [one.numberings for one in outcomes] == [seen, seen]


@pytest.mark.parametrize(
    ("its_own", "seen"),
    [(FIXED, {FIXED}), (NEGOTIATED, {OFFERED, NEGOTIATED}), (OFFERED, {OFFERED, NEGOTIATED})],
)
def test_what_a_driver_uses_tells_how_it_numbers_its_queues_whatever_it_is_judged_by(its_own, seen):
    for judged_by in Numbering:
        assert played(in_process(Side.DRIVER, its_own), Side.DRIVER, judged_by).numberings == seen


@pytest.mark.parametrize(
    ("set_up", "seen"),
    [({0, 1, 5}, {FIXED}), ({0, 1, 2}, {OFFERED, NEGOTIATED}), ({0, 1}, ALL), (set(range(8)), ALL)],
)
def test_queues_that_are_set_up_and_idle_tell_it_too_unless_a_front_end_sets_up_others(set_up, seen):
    class Idle(reference.ReferenceDriver):
        def queues_set_up(self):
            return frozenset(set_up)

    (fixed, _), driver = profiles(), Idle(supported=0)
    with DriverSession(driver, fixed) as session:
        session.record(ev.Negotiated(mask := fixed.mask(["VERSION_1", "ECHO"]), mask))
        session.settle()
    assert session.numberings == seen


@pytest.mark.parametrize(
    ("absent", "seen"), [((5,), {OFFERED, NEGOTIATED}), ((2, 3), {FIXED}), ((), ALL), ((2, 3, 5), set())]
)
def test_the_queues_that_a_device_lacks_tell_how_it_numbers_them(absent, seen):
    class Lacking(reference.ReferenceDevice):
        def absent_queues(self, indices):
            return frozenset(indices) & frozenset(absent)

    fixed, _ = profiles()
    with DeviceSession(Lacking(offered=fixed.mask(["VERSION_1", "ECHO"])), fixed) as session:
        session.negotiate(fixed.mask(["VERSION_1", "ECHO"]))
    assert session.numberings == seen
    with DeviceSession(Lacking(), fixed) as session:
        session.negotiate(fixed.mask(["VERSION_1", "STATS_VQ"]))
    assert session.numberings == ALL


def test_a_device_that_lacks_a_queue_is_not_said_to_number_them_so_by_chance():
    fixed, _ = profiles()
    sets = 2 * [fixed.mask(["VERSION_1", "ECHO"])]
    assert hint(frozenset({5}).intersection, fixed, *sets) == (
        " Or give --numbering dense-offered, if it numbers its queues so"
    )
    assert hint(frozenset({2, 5}).intersection, fixed, *sets) == ""
    assert hint(frozenset({1}).intersection, fixed, *2 * [fixed.mask(["STATS_VQ"])]) == ""


def test_results_say_what_was_seen_and_what_to_do_about_it(tmp_path):
    outcome = played(in_process(Side.DRIVER, NEGOTIATED), Side.DRIVER, FIXED)
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))).numberings == {OFFERED, NEGOTIATED}
    fixed, _ = profiles()
    path = write(tmp_path / "r.jsonl", outcome, profile=fixed, side=Side.DRIVER)
    assert lines_of(path)[-1]["summary"]["numberings"] == ["dense-offered", "dense-negotiated"]
    text = io.StringIO()
    print_results(Console(file=text, width=200), read_results(path).results(), "again")
    assert "and not fixed: give --numbering dense-offered if the implementation numbers" in text.getvalue()


def test_check_says_what_was_seen_of_a_trace(tmp_path):
    outcome = played(in_process(Side.DRIVER, NEGOTIATED), Side.DRIVER, FIXED)
    path = tmp_path / "t.jsonl"
    path.write_text("".join(f"{line}\n" for line in outcome.trace), encoding="utf-8")
    checked = CliRunner().invoke(check, [str(path)])
    assert "QUEUE-02" in checked.output
    assert "dense-offered or dense-negotiated, and not fixed" in checked.output
    dense = outcome.trace[0].replace("}", ', "numbering": "dense-negotiated"}')
    path.write_text("".join(f"{line}\n" for line in (dense, *outcome.trace[1:])), encoding="utf-8")
    checked = CliRunner().invoke(check, [str(path), "--json"])
    summary = json.loads(checked.output.splitlines()[-1])["summary"]
    assert (summary["broken"], summary["numbering"]) == (0, "dense-negotiated")
    assert summary["numberings"] == ["dense-offered", "dense-negotiated"]


def test_numbers_counted_over_the_offer_differ_from_those_counted_over_what_was_accepted():
    vector = load(PATH)
    offered = vector.profile.mask(["VERSION_1", "ECHO", "STATS_VQ"])
    sets = replace(vector.features, offered=offered)
    numbered = [
        replace(vector, profile=vector.profile.with_numbering(one), features=sets).queue_indices()
        for one in Numbering
    ]
    assert [set(one.values()) for one in numbered] == [{5}, {3}, {2}]


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
        RunOptions("qemu", "base", numbering="fixed").chosen_profile(replace(qemu.target(), numbering=FIXED))
        == BASE
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
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    # It is kept, and proven by a mutant that uses the same numbers.
    (echo,) = (line for line in lines if line.get("requirement") == "ECHO-01")
    assert (echo["verdict"], echo["proof"]["mutant"]) == ("kept", "mumbles-the-echo")
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
