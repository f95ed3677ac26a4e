"""An implementation that serves case after case: what it complains of, its replacement, and the repeat line."""

import shlex
from dataclasses import replace
from itertools import pairwise
from textwrap import dedent
from xml.etree import ElementTree as ET

import click
import pytest
from results_files import cases_of
from run_command import run_command

from balloon_conformance.cli.iut_options import iut_options
from balloon_conformance.cli.run import command as run
from balloon_conformance.iut.registry import OPTIONS as IUT_OPTIONS

# One "kernel" counts the starts since it was booted; which start goes wrong is the subclass's.
ADAPTERS = dedent("""
    from balloon_conformance.iut.contract import ImplementationCrashed
    from balloon_conformance.iut.reference.adapter import ReferenceDevice
    from balloon_spec.events import Used
    from dataclasses import replace
    from pathlib import Path

    def told(line):
        with Path("told").open("a") as file:
            file.write(line + "\\n")

    class Kernel(ReferenceDevice):
        def __init__(self):
            super().__init__()
            self.served = 0
            self.boots = 0
            self.printed = []

        def start(self, setup):
            if not self.served:
                self.boots += 1
            self.served += 1
            told(f"start {self.boots}.{self.served}")
            self.printed = []
            super().start(setup)

        def conclude(self, *, suspect):
            told(f"conclude {suspect}")
            if suspect:
                self.served = 0

        def alarms(self):
            return self.printed

    class Warning(Kernel):
        def accept(self, features):
            self.printed.append("WARNING: at drivers/<virtio>")
            return super().accept(features)

    class Dying(Kernel):
        def conclude(self, *, suspect):
            self.served = 0
            self.printed.append("BUG: Bad page state")
            raise ImplementationCrashed("it panicked as its device was taken away")

    class BadAlways(Kernel):
        def bad(self):
            return True

        def observe(self, seconds):
            events = super().observe(seconds)
            return [replace(e, length_bytes=9) if isinstance(e, Used) and self.bad() else e for e in events]

    class BadLater(BadAlways):
        accepted = 0

        def accept(self, features):
            type(self).accepted += 1
            return super().accept(features)

        def bad(self):
            return self.accepted > 1

    class BadInCompany(BadAlways):
        def bad(self):
            return self.served > 1
""")

TWO = "inflate-one-page or inflate-two-pages"


@pytest.fixture
def here(tmp_path):
    (tmp_path / "adapters.py").write_text(ADAPTERS, encoding="utf-8")
    return tmp_path


def judge(here, adapter, expression, *more):
    files = ("--results", "r.jsonl", "--html", "r.html", "--junitxml", "j.xml")
    return run_command(here, "run", f"python:adapters:{adapter}", "-k", expression, *files, *more)


def test_what_it_complains_of_is_attached_to_a_case_that_passed(here):
    done = judge(here, "Warning", "inflate-two-runs")
    assert done.code == 0
    (case,) = cases_of(here / "r.jsonl").values()
    assert (case["status"], case["said"]) == ("passed", ["WARNING: at drivers/<virtio>"])
    assert "Said in cases in which nothing was found" in done.out
    assert "said    WARNING: at drivers/<virtio>" in done.out
    page = (here / "r.html").read_text(encoding="utf-8")
    assert "WARNING: at drivers/&lt;virtio&gt;" in page
    (said,) = ET.parse(here / "j.xml").getroot().iter("property")
    assert said.attrib == {"name": "said", "value": "WARNING: at drivers/<virtio>"}


def test_without_a_complaint_nothing_is_said(here):
    done = judge(here, "Kernel", "inflate-two-runs")
    assert done.code == 0
    assert "said" not in next(iter(cases_of(here / "r.jsonl").values()))
    assert "Said in cases" not in done.out
    assert "Said in cases" not in (here / "r.html").read_text(encoding="utf-8")
    assert not list(ET.parse(here / "j.xml").getroot().iter("property"))


def test_one_that_does_not_survive_the_end_of_a_case_failed_in_it(here):
    done = judge(here, "Dying", "inflate-two-runs")
    assert done.code == 1
    (case,) = cases_of(here / "r.jsonl").values()
    assert (case["status"], case["fault"], case["how"]) == ("failed", "device-fault", "crash")
    assert case["reason"] == "after the case: it panicked as its device was taken away"
    assert case["said"] == ["BUG: Bad page state"]
    (failure,) = ET.parse(here / "j.xml").getroot().iter("failure")
    assert "said: BUG: Bad page state" in failure.text


def test_a_case_with_a_finding_is_the_last_of_its_implementation(here):
    done = judge(here, "BadAlways", "inflate-two or accept-stats")
    assert done.code == 1
    told = (here / "told").read_text().splitlines()
    # What was started, and whether anything was found in it; the examination before the run concludes nothing.
    ended = [(start, end) for start, end in pairwise(told) if end.startswith("conclude")]
    assert len(ended) > 1
    found = [end == "conclude True" for _, end in ended]
    assert any(found)
    firsts = [start.endswith(".1") for start, _ in ended]
    assert firsts[1:] == found[:-1]


def test_a_finding_in_company_is_looked_for_again_alone(here):
    done = judge(here, "BadInCompany", TWO)
    assert done.code == 1
    failed = [case for case in cases_of(here / "r.jsonl").values() if case["status"] == "failed"]
    assert failed
    assert {case["repeats"] for case in failed} == {"no"}
    assert all("; run again alone, it passed" in case["reason"] for case in failed)


def test_a_finding_in_company_that_is_found_alone_too_says_so(here):
    done = judge(here, "BadLater", "inflate-two-runs or inflate-one-page")
    assert done.code == 1
    _, *others = cases_of(here / "r.jsonl").values()
    failed = next(case for case in others if case["status"] == "failed")
    assert failed["repeats"] == "yes"
    assert "; run again alone, it failed in the same way" in failed["reason"]


# -- the line that repeats a finding ------------------------------------------------------------------------

OPTIONS = {
    "reference-device": [],
    "reference-driver": [
        "--profile",
        "chunk-transfer",
        "--bit",
        "CHUNK_TRANSFER=41",
        "--bit",
        "HOST_REQ_VQ=40",
    ],
    "python:adapters:Kernel": ["--vectors", "."],
    "stdio:./my device --fast": ["--stdio-start-seconds", "3", "--stdio-answer-seconds", "2.5"],
    "qemu": [
        "--qemu-binary",
        "/a b/qemu",
        "--qemu-device-properties",
        "x=1,y=2",
        "--qemu-memory",
        "256M",
        "--qemu-transport",
        "pci",
        "--qemu-machine",
        "pc",
        "--qemu-interrupts",
        "msi-x",
    ],
    "relay:vmm {kernel} {initrd} {cmdline}": [
        "--relay-kernel",
        "/k/vmlinuz",
        "--relay-memory",
        "256M",
        "--relay-target",
        "set {pages}",
        "--relay-start-seconds",
        "30",
    ],
    "linux-uml": [
        "--uml-kernel",
        "/k/linux",
        "--uml-module",
        "built-in",
        "--uml-memory",
        "64M",
        "--uml-arguments",
        "a 'b c'",
    ],
    "vhost-user-device:/run/b.sock": ["--control", "/run/c.sock", "--vhost-user-without", "STATUS"],
    "vhost-user-driver:/run/d.sock": ["--profile", "mainline", "--control", "/run/c.sock"],
}


@pytest.mark.parametrize("iut", OPTIONS)
def test_the_repeat_line_asks_for_the_same_implementation(iut, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taken = []

    def parse(words):
        @click.command()
        @click.option("--vectors", "vectors", default="")
        @click.option("--deadline", "deadline", default="1.0")
        @iut_options
        def took(*, asked, vectors, deadline):
            taken.append((asked, vectors, deadline))
            return 0

        took.main(words, standalone_mode=False)
        return taken.pop()

    first, vectors, _ = parse([iut, *OPTIONS[iut]])
    written = replace(first.written, vectors=vectors, deadline_seconds=2.5)
    line = shlex.split(replace(first, written=written).repeat("run"))
    assert line[:2] == ["balloon-conformance", "run"]
    again, vectors_again, deadline = parse(line[2:])
    assert again.written == first.written
    assert (vectors_again, deadline) == (vectors, "2.5")
    # Whatever run takes of it, it is told by the same names.
    names = {name for option in run.params for name in option.opts}
    assert {word for word in line[2:] if word.startswith("--")} <= names


def test_every_option_of_an_implementation_is_tried_above():
    tried = {word for words in OPTIONS.values() for word in words if word.startswith("--")}
    assert {f"--{name}" for name in IUT_OPTIONS} <= tried


def test_the_repeat_line_is_printed_with_the_deadline_that_found_it(here):
    done = judge(here, "BadAlways", "inflate-two-runs", "--deadline", "0.5")
    assert (
        "balloon-conformance run python:adapters:BadAlways --deadline 0.5 -k 'inflate-two-runs'" in done.out
    )
    line = next(line for line in done.out.splitlines() if line.strip().startswith("repeat "))
    words = shlex.split(line)[2:]
    again = run_command(here, *words)
    assert again.code == 1
