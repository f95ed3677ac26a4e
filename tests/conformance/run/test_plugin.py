"""``run``: pytest underneath, results on top, and every way in which it can end."""

import os
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree as ET

import pytest
from results_files import cases_of, lines_of
from run_command import run_command

from balloon_conformance.vectors.loader import load_all

ADAPTERS = dedent("""
    import os, select, signal, subprocess
    from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, PeerAbsent, PeerLeft
    from balloon_conformance.iut.reference.adapter import ReferenceDevice
    from balloon_spec.events import Used
    from pathlib import Path

    class Counting(ReferenceDevice):
        starts = 0

        def start(self, setup):
            type(self).starts += 1
            if self.starts == 3:
                self.act()
            super().start(setup)

    class Raising(Counting):
        def act(self):
            raise KeyError("three")

    class Unable(Counting):
        def act(self):
            raise AdapterError("the cable is out; plug it in")

    class Leaving(Counting):
        def act(self):
            raise SystemExit(4)

    class Crashing(Counting):
        def act(self):
            raise ImplementationCrashed("killed by SIGSEGV")

    class Gone(Counting):
        def act(self):
            type(self).starts -= 1
            raise PeerLeft("nobody listens any more")

    class Absent(Counting):
        def act(self):
            type(self).starts -= 1
            raise PeerAbsent("no driver connected")

    class AbsentOnce(Counting):
        def act(self):
            raise PeerAbsent("no driver connected")

    class Interrupting(Counting):
        def act(self):
            os.kill(os.getpid(), signal.SIGINT)

    class Holding(Counting):
        def __init__(self):
            super().__init__()
            self.held = None

        def start(self, setup):
            if self.held is None:
                self.held = subprocess.Popen(["sleep", "1000"])
                with Path("held").open("a") as file:
                    file.write(f"{self.held.pid} ")
            super().start(setup)

        def act(self):
            Path("third").touch()
            select.select([], [], [], 1000)

        def stop(self):
            if self.held is not None:
                self.held.kill()
                self.held.wait()
            super().stop()

    class Terminated(ReferenceDevice):
        def __init__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            super().__init__()

    class Dying(Counting):
        def act(self):
            os._exit(9)

    class Telling(ReferenceDevice):
        def stop(self):
            with Path("stops").open("a") as file:
                file.write("stop\\n")
            super().stop()

    class LongUsed(ReferenceDevice):
        def observe(self, deadline_seconds):
            print("chatter of an adapter")
            return [
                Used(e.queue, e.buffer, 4, b"") if isinstance(e, Used) and e.queue == 0 else e
                for e in super().observe(deadline_seconds)
            ]

    class Incapable(ReferenceDevice):
        capabilities = frozenset()

        def offered(self):
            return 0
    """)

AREA = "accept-stats or deflate-one"


@pytest.fixture
def here(tmp_path):
    """A directory with adapters, and with pytest settings that would ruin every run."""
    (tmp_path / "adapters.py").write_text(ADAPTERS)
    (tmp_path / "conftest.py").write_text("raise RuntimeError('a stranger')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n")
    return tmp_path


def test_a_sound_device_passes_and_every_form_of_results_agrees(here):
    done = run_command(
        here, "run", "reference-device", "-k", AREA, "--results", "r.jsonl", "--junitxml", "j.xml",
        PYTEST_ADDOPTS="--nonsense", PYTEST_PLUGINS="nonsense",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    lines = lines_of(here / "r.jsonl")
    cases = cases_of(here / "r.jsonl")
    assert (lines[0]["target"], lines[0]["side"], lines[0]["profile"]["name"]) == (
        "reference-device", "device", "chunk-transfer",
    )  # fmt: skip
    assert {case["status"] for case in cases.values()} == {"passed"}
    assert lines[-1]["summary"]["cases"]["passed"] == len(cases) > 4
    suite = ET.parse(here / "j.xml").getroot()[0]
    assert suite.get("tests") == str(len(cases))
    areas = {vector.id: vector.area for vector in load_all()}
    assert {(one.get("classname"), one.get("name")) for one in suite.iter("testcase")} == {
        (areas[case], case) for case in cases
    }
    assert f"; 0 broken; {len(cases)} cases" in done.out.splitlines()[-1]
    assert sorted(path.name for path in here.iterdir() if path.name != "__pycache__") == [
        "adapters.py", "conftest.py", "j.xml", "pytest.ini", "r.jsonl",
    ]  # fmt: skip


def test_cases_are_selected_by_id_area_requirement_and_scenario(here):
    for expression, wanted in (
        ("reset/reset-and-inflate-again", {"reset-and-inflate-again"}),
        ("NEG-09 and scenarios", {"every-legal-subset"}),
        ("what-the-host-reads[backwards]", {"what-the-host-reads[backwards]"}),
    ):
        done = run_command(here, "run", "reference-device", "-k", expression, "--results", "r.jsonl")
        assert done.code == 0
        assert set(cases_of(here / "r.jsonl")) == wanted


def test_workers_bring_their_outcomes_home_and_stop_their_adapters(here):
    done = run_command(
        here,
        "run",
        "python:adapters:Telling",
        "-k",
        f"{AREA} or every-legal",
        "-n",
        "2",
        "--results",
        "r.jsonl",
    )
    assert (done.code, done.err) == (0, "")
    cases = cases_of(here / "r.jsonl")
    assert {"every-legal-subset", "accept-stats"} <= cases.keys()
    assert lines_of(here / "r.jsonl")[-1]["summary"]["cases"]["passed"] == len(cases)
    # Once for each process, at its end.
    assert (here / "stops").read_text() == "stop\n" * 2


def test_a_broken_device_is_reported_with_its_findings_and_the_way_to_repeat_it(here):
    done = run_command(here, "run", "python:adapters:LongUsed", "-k", "inflate-two", "--junitxml", "j.xml")
    assert done.code == 1
    text = " ".join(done.out.split())
    assert "BUF-03 A device MUST report a used length of 0" in text
    assert "expected 0" in text
    assert "balloon-conformance run python:adapters:LongUsed -k 'inflate-two" in text
    assert "chatter" not in done.out
    assert "Traceback" not in done.out + done.err
    failure = next(ET.parse(here / "j.xml").getroot().iter("failure"))
    assert failure.text is not None
    assert failure.text.startswith("BUF-03 device MUST: ")
    assert "Traceback" not in failure.text


def test_the_first_failure_ends_the_run_where_that_is_asked_for(here):
    every = run_command(
        here, "run", "python:adapters:LongUsed", "-k", "inflate-two or inflate-one", "--results", "a.jsonl"
    )
    first = run_command(
        here,
        "run",
        "python:adapters:LongUsed",
        "-k",
        "inflate-two or inflate-one",
        "-x",
        "--results",
        "x.jsonl",
    )
    assert (every.code, first.code) == (1, 1)
    failed = [case for case in cases_of(here / "x.jsonl").values() if case["status"] == "failed"]
    assert len(failed) == 1
    assert len(cases_of(here / "x.jsonl")) < len(cases_of(here / "a.jsonl"))


@pytest.mark.parametrize(
    ("adapter", "status", "fault", "words"),
    [
        ("Raising", "error", "adapter-fault", "the adapter raised KeyError: 'three'; this is a defect of the adapter"),
        ("Unable", "error", "adapter-fault", "the cable is out; plug it in"),
        ("Leaving", "error", "adapter-fault", "the adapter raised SystemExit: 4; this is a defect of the adapter"),
        ("Crashing", "failed", "device-fault", "killed by SIGSEGV"),
    ],
)  # fmt: skip
def test_an_adapter_that_fails_in_one_case_spoils_no_other(here, adapter, status, fault, words):
    done = run_command(
        here, "run", f"python:adapters:{adapter}", "-k", AREA, "--results", "r.jsonl", "--junitxml", "j.xml"
    )
    cases = list(cases_of(here / "r.jsonl").values())
    third = cases[2]
    assert (third["status"], third["fault"]) == (status, fault)
    assert words in third["reason"] + str(third["findings"])
    assert {case["status"] for case in (*cases[:2], *cases[3:])} == {"passed"}
    assert len(cases) > 4
    assert done.code == (3 if status == "error" else 1)
    assert words in done.out
    assert "Traceback" not in done.out + done.err + (here / "j.xml").read_text()


@pytest.mark.parametrize(
    ("adapter", "code", "status"), [("Gone", 1, "failed"), ("Absent", 3, "error"), ("AbsentOnce", 3, "error")]
)
def test_a_run_ends_where_nobody_is_there_any_more(here, adapter, code, status):
    """After the second case in a row, and it says how many were not played."""
    done = run_command(here, "run", f"python:adapters:{adapter}", "-k", AREA, "--results", "r.jsonl")
    cases = list(cases_of(here / "r.jsonl").values())
    ended = [case for case in cases if case["status"] == status]
    assert done.code == code
    assert {case["how"] for case in ended} == {"absent"}
    early = "the run ended early: in 2 cases in a row nobody was at the other end" in " ".join(
        done.out.split()
    )
    if adapter == "AbsentOnce":
        assert (len(ended), len(cases) > 4, early) == (1, True, False)
    else:
        assert (len(ended), len(cases), early) == (2, 4, True)
        assert "cases were not played" in " ".join(done.out.split())


def test_a_worker_that_dies_is_an_error_of_its_case(here):
    done = run_command(here, "run", "python:adapters:Dying", "-k", AREA, "-n", "1", "--results", "r.jsonl")
    cases = cases_of(here / "r.jsonl")
    assert done.code == 3
    errors = [case for case in cases.values() if case["status"] == "error"]
    assert errors
    assert "the case could not be run" in errors[0]["reason"]
    assert "Traceback" not in done.out + done.err


def test_an_interrupt_writes_what_was_gathered(here):
    done = run_command(here, "run", "python:adapters:Interrupting", "-k", AREA, "--results", "r.jsonl")
    lines = lines_of(here / "r.jsonl")
    assert done.code == 130
    assert len(cases_of(here / "r.jsonl")) == 2
    assert lines[-1]["summary"]["interrupted"]
    assert lines[-1]["summary"]["exit"] == 130
    assert done.out.rstrip().endswith("interrupted")
    assert "Traceback" not in done.out + done.err


def wait_for_path(path):
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not appear"
        os.sched_yield()


# As a shell begins a command in front, and in the background.
@pytest.mark.parametrize(
    "begun", [(), ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")], ids=["in-front", "behind"]
)
@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["alone", "workers"])
def test_sigterm_ends_a_run_in_order_with_nothing_left_behind(here, more, begun):
    # Each adapter holds a process of its own, which nobody ends but its stop.
    arguments = ("run", "python:adapters:Holding", "-k", AREA, "--results", "r.jsonl", *more)
    with subprocess.Popen(
        [*begun, sys.executable, "-m", "balloon_conformance", *arguments],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as suite:
        wait_for_path(here / "third")
        suite.terminate()
        out, err = suite.communicate(timeout=60)
    assert suite.returncode == 143
    assert lines_of(here / "r.jsonl")[-1]["summary"]["interrupted"]
    assert lines_of(here / "r.jsonl")[-1]["summary"]["exit"] == 143
    assert out.rstrip().endswith("interrupted")
    assert "Traceback" not in out + err
    assert not [held for held in (here / "held").read_text().split() if Path("/proc", held).exists()]
    with pytest.raises(ProcessLookupError):
        os.killpg(suite.pid, 0)


def test_sigterm_before_anything_was_played_has_its_own_exit_code(here):
    done = run_command(here, "run", "python:adapters:Terminated", "-k", AREA)
    assert (done.code, done.out, done.err) == (143, "", "")


def test_nothing_exercised_is_an_error_and_never_a_pass(here):
    done = run_command(here, "run", "reference-device", "-k", "nomatch")
    assert done.code == 5
    assert done.err == (
        "balloon-conformance: nothing was exercised: no case matches -k 'nomatch'; "
        "see balloon-conformance vectors list\n"
    )


def test_what_an_implementation_cannot_do_is_skipped_with_the_reason(here):
    done = run_command(
        here, "run", "python:adapters:Incapable", "-k", "accept-stats", "--junitxml", "j.xml", "-v"
    )
    assert done.code == 5
    reasons = {one.get("message") for one in ET.parse(here / "j.xml").getroot().iter("skipped")}
    assert any("the device does not offer STATS_VQ" in str(reason) for reason in reasons)
    assert "the device does not offer" in done.out


def test_the_base_profile_leaves_chunk_transfer_out_and_says_so(here):
    done = run_command(
        here, "run", "reference-device", "--profile", "base", "-k", "accept-stats", "--results", "r.jsonl"
    )
    assert done.code == 0
    cases = cases_of(here / "r.jsonl")
    assert cases["base-accept-stats"]["status"] == "passed"
    assert cases["accept-stats"]["status"] == "not exercised"
    assert cases["accept-stats"]["reason"] == "profile base has no CHUNK_TRANSFER and no HOST_REQ_VQ"
    assert cases["accept-stats"]["how"] == "foreign"
    foreign = sum(case["how"] == "foreign" for case in cases.values())
    assert f"; {len(cases) - foreign} cases, {foreign} of other profiles left out" in done.out


def test_features_can_have_other_bit_numbers(here):
    done = run_command(
        here, "run", "reference-device", "--bit", "CHUNK_TRANSFER=41", "--bit", "HOST_REQ_VQ=42",
        "-k", "CHUNK-13 and not storm", "--results", "r.jsonl",
    )  # fmt: skip
    assert done.code == 0
    assert lines_of(here / "r.jsonl")[0]["profile"]["bits"]["CHUNK_TRANSFER"] == 41
    assert {case["status"] for case in cases_of(here / "r.jsonl").values()} == {"passed"}


def test_vectors_of_ones_own_are_played_instead_of_the_suites(here):
    text = next(one.path for one in load_all() if one.id == "accept-stats").read_text()
    (here / "mine").mkdir()
    (here / "mine" / "mine.yaml").write_text(text.replace("vector: accept-stats", "vector: mine"))
    done = run_command(here, "run", "reference-device", "--vectors", "mine", "--results", "r.jsonl")
    assert done.code == 0
    assert list(cases_of(here / "r.jsonl")) == ["mine"]


def test_a_vector_that_cannot_be_read_is_one_line(here):
    (here / "mine").mkdir()
    (here / "mine" / "twice.yaml").write_text("vector: twice\nvector: twice\n")
    done = run_command(here, "run", "reference-device", "--vectors", "mine")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert f"{here}/mine/twice.yaml:2: " in done.err
