"""``run`` beside a list of known failures, with what has to be exercised, and after a hang."""

import re
from textwrap import dedent
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from results_files import cases_of, lines_of
from run_command import run_command

from balloon_conformance.cli import main

ADAPTERS = dedent("""
    from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung
    from balloon_conformance.iut.reference.adapter import ReferenceDevice
    from balloon_spec.events import Used

    class LongUsed(ReferenceDevice):
        def observe(self, deadline_seconds):
            return [
                Used(e.queue, e.buffer, 4, b"") if isinstance(e, Used) and e.queue == 0 else e
                for e in super().observe(deadline_seconds)
            ]

    class Hanging(ReferenceDevice):
        deflated = 0

        def make_available(self, queue, buffer):
            if queue == 1:
                type(self).deflated += 1
                self.act()
            super().make_available(queue, buffer)

        def act(self):
            raise ImplementationHung("no answer in 1 s")

    class HangingOnce(Hanging):
        def act(self):
            if self.deflated == 1:
                super().act()

    class HangingThenCrashing(Hanging):
        def act(self):
            if self.deflated == 1:
                super().act()
            raise ImplementationCrashed("signal 11")

    class HangingThenGone(Hanging):
        def start(self, setup):
            if self.deflated:
                raise AdapterError("the cable is out; plug it in")
            super().start(setup)

    class HangingThenBad(Hanging):
        def start(self, setup):
            if self.deflated:
                raise SystemExit(4)
            super().start(setup)

    class HangingUnlessFresh(Hanging):
        first = None

        def act(self):
            kind = type(self)
            kind.first = kind.first or self
            if self is kind.first:
                super().act()

    class Crashing(ReferenceDevice):
        def read_configuration(self, offset, length_bytes):
            raise ImplementationCrashed("signal 11")
    """)
TWO = "inflate-two-runs or deflate-one-page"


@pytest.fixture
def here(tmp_path):
    (tmp_path / "adapters.py").write_text(ADAPTERS)
    return tmp_path


def run(here, adapter: str, *arguments: str):
    return run_command(
        here, "run", f"python:adapters:{adapter}", "--results", "r.jsonl", "--junitxml", "j.xml", *arguments
    )


def entry(here, text: str) -> None:
    (here / "known.yaml").write_text(f"known_failures:\n  - {{{text}}}\n")


LONG = "requirement: BUF-03, finding: the used length"
WHY = "reason: our transport counts so, link: 'https://example.org/3'"


# -- known failures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_a_known_failure_is_shown_as_such_everywhere_and_fails_nothing(here, processes):
    entry(here, f"{LONG}, {WHY}")
    done = run(here, "LongUsed", "-k", TWO, "-x", "--known-failures", "known.yaml", *processes)
    assert (done.code, done.err) == (0, "")
    case = cases_of(here / "r.jsonl")["inflate-two-runs"]
    assert (case["status"], case["fault"]) == ("failed", "device-fault")
    assert case["known"] == [
        {
            "requirement": "BUF-03",
            "case": "",
            "finding": "the used length",
            "reason": "our transport counts so",
            "link": "https://example.org/3",
        }
    ]
    lines = lines_of(here / "r.jsonl")
    verdict = next(line for line in lines if line.get("requirement") == "BUF-03")
    assert (verdict["verdict"], verdict["known"]) == ("broken", case["known"])
    summary = lines[-1]["summary"]
    assert (summary["broken"], summary["known"], summary["known_failures"], summary["exit"]) == (0, 1, [], 0)
    assert summary["known_cases"] == summary["cases"]["failed"] == len(cases_of(here / "r.jsonl"))
    root = ET.parse(here / "j.xml").getroot()
    assert not list(root.iter("failure"))
    (message, *_) = {one.get("message") for one in root.iter("skipped")}
    assert message == "known failure: our transport counts so (https://example.org/3)"
    assert "Known failures\n  BUF-03 in " in done.out
    assert "our transport counts so (https://example.org/3)" in done.out
    assert "0 broken, 1 as known; " in done.out
    assert "\nBroken" not in done.out


def test_what_is_not_listed_still_fails(here):
    entry(here, f"requirement: INF-08, finding: x, {WHY}")
    done = run(here, "LongUsed", "-k", TWO, "--known-failures", "known.yaml")
    assert done.code == 1
    assert "The list of known failures" not in done.out
    assert list(ET.parse(here / "j.xml").getroot().iter("failure"))


def test_a_listed_case_that_passes_fails_the_run(here):
    entry(here, f"case: deflate-one-page, finding: x, {WHY}")
    done = run_command(
        here, "run", "reference-device", "-k", TWO, "--known-failures", "known.yaml", "--results", "r.jsonl"
    )
    assert done.code == 1
    summary = lines_of(here / "r.jsonl")[-1]["summary"]
    (words,) = summary["known_failures"]
    assert words.endswith("known.yaml:2: deflate-one-page ('x') passes; remove it from the list")
    assert (summary["cases"]["failed"], summary["exit"]) == (0, 1)
    assert f"The list of known failures is not right\n  {words}\n" in done.out
    assert "; 1 wrong in the list of known failures" in done.out.splitlines()[-1]


def test_a_list_is_made_filled_in_and_kept_by_whole_runs_alone(here):
    update = ("--known-failures", "known.yaml", "--update-known-failures", "--profile", "base")
    done = run(here, "LongUsed", *update)
    assert done.code == 1
    assert "known.yaml: added BUF-03: the used length of a buffer" in done.out
    assert "fill in reason and link of what was added" in done.out
    made = (here / "known.yaml").read_text()
    assert made.endswith('    reason: ""\n    link: ""\n')
    again = run(here, "LongUsed", "-k", TWO, "--known-failures", "known.yaml")
    assert again.code == 1
    assert "known.yaml:4: BUF-03 ('the used length of a buffer" in again.out
    assert "has no reason; write it" in again.out
    filled = made.replace('reason: ""', "reason: it is so").replace('link: ""', "link: https://example.org")
    (here / "known.yaml").write_text(filled)
    assert run(here, "LongUsed", *update).code == 0
    assert (here / "known.yaml").read_text() == filled
    done = run_command(here, "run", "reference-device", *update)
    assert done.code == 1
    assert "known.yaml: dropped BUF-03: the used length" in done.out
    assert (here / "known.yaml").read_text().endswith("known_failures: []\n")
    assert [path.name for path in here.glob(".known*")] == []


@pytest.mark.parametrize("partial", [("-k", TWO), ("-x",), ("--vectors", ".")])
def test_an_update_is_refused_where_a_part_is_run(here, partial):
    done = run(here, "LongUsed", *partial, "--known-failures", "known.yaml", "--update-known-failures")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"--update-known-failures with {partial[0]}: a part of the suite cannot tell" in done.err
    assert not (here / "known.yaml").exists()


def test_an_update_is_refused_after_a_run_with_errors(here):
    done = run(
        here,
        "HangingThenGone",
        "--profile",
        "base",
        "--known-failures",
        "known.yaml",
        "--update-known-failures",
    )
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "known.yaml is left as it was: the run was not whole; " in done.err
    assert not (here / "known.yaml").exists()
    assert lines_of(here / "r.jsonl")[-1]["summary"]["cases"]["error"]


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        (None, ("--known-failures", "known.yaml"), "known.yaml: there is no such file; name one, or have it made"),
        (None, ("--update-known-failures",), "--update-known-failures needs --known-failures FILE"),
        ("known_failures: 4\n", ("--known-failures", "known.yaml"), "known.yaml:1: known_failures: 4 is not a list"),
        (None, ("--known-failures", "."), "File '.' is a directory"),
        (None, ("--require-exercised", "MUST,WILL"), "no level 'WILL'; write MUST, SHOULD or MAY"),
    ],
)  # fmt: skip
def test_bad_usage_gets_one_line(tmp_path, monkeypatch, text, arguments, words):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "known.yaml").write_text(text)
    done = CliRunner().invoke(main, ["run", "reference-device", *arguments])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr


# -- what has to be exercised -----------------------------------------------------------------------------


def test_every_must_is_exercised_by_the_reference_device(reference_run):
    done = reference_run("device")
    assert (done.code, done.err) == (0, "")
    assert "To be exercised, and not exercised" not in done.out


def test_the_reference_driver_leaves_unexercised_what_rests_on_descriptors_and_nothing_else(reference_run):
    done = reference_run("driver")
    assert (done.code, done.err) == (1, "")
    holes = done.out.partition("To be exercised, and not exercised")[2]
    # In this process buffers have neither descriptors nor addresses.
    assert set(re.findall(r"^  ([A-Z]+-[0-9]+) ", holes, re.MULTILINE)) == {"QUEUE-11", "CONC-01", "BUF-05"}


def test_a_hole_is_listed_with_its_reason_and_fails_the_run(here):
    done = run_command(
        here, "run", "reference-device", "-k", TWO, "--require-exercised", "MUST", "--results", "r.jsonl"
    )
    assert done.code == 1
    summary = lines_of(here / "r.jsonl")[-1]["summary"]
    assert "CHUNK-06" in summary["unexercised"]
    # A SHOULD was not asked for, and what cannot be observed is not to be had.
    assert not {"NEG-07", "BUF-08"} & set(summary["unexercised"])
    assert "To be exercised, and not exercised" in done.out
    assert "  CHUNK-06 (MUST): not run: " in done.out
    assert f"; {len(summary['unexercised'])} to be exercised and not exercised" in done.out.splitlines()[-1]


# -- hangs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("adapter", "repeats", "words"),
    [
        ("Hanging", "yes", "run again alone, it hung again"),
        ("HangingOnce", "no", "run again alone, it passed"),
        (
            "HangingThenCrashing",
            "no",
            "run again alone, it did not hang, and failed: the device ended: signal 11",
        ),
        ("HangingThenGone", "unknown", "run again alone, it could not be run: the cable is out; plug it in"),
        (
            "HangingThenBad",
            "unknown",
            "run again alone, it could not be run: the adapter raised SystemExit: 4",
        ),
        # The adapter for the description, and that of the first attempt, hang.
        ("HangingUnlessFresh", "no", "run again alone, it passed"),
    ],
)
def test_a_case_that_hangs_is_run_again_alone_and_every_report_says_whether_it_repeats(
    here, adapter, repeats, words
):
    done = run(here, adapter, "-k", "deflate-one-page and not pfn")
    assert done.code == 1
    (case,) = cases_of(here / "r.jsonl").values()
    assert (case["status"], case["fault"], case["how"]) == ("failed", "device-fault", "hang")
    assert case["repeats"] == repeats
    assert words in case["reason"]
    (failure,) = ET.parse(here / "j.xml").getroot().iter("failure")
    assert f"repeats: {repeats}" in str(failure.text)
    assert words in str(failure.text)
    assert any(line.split()[:2] == ["repeats", repeats] for line in done.out.splitlines())


def test_a_scenario_that_hangs_is_run_again_too(here):
    done = run(here, "HangingOnce", "-k", "storm-of-chunks[1]")
    assert done.code == 1
    (case,) = cases_of(here / "r.jsonl").values()
    assert (case["how"], case["repeats"]) == ("hang", "no")


def test_what_did_not_hang_says_nothing_of_repeating(here):
    run(here, "LongUsed", "-k", TWO)
    assert not any("repeats" in case for case in cases_of(here / "r.jsonl").values())


# -- what the sources leave open --------------------------------------------------------------------------


def test_a_crash_that_is_known_is_pinned_by_its_reason(here):
    entry(here, f"requirement: SAFE-12, finding: x, {WHY}")
    done = run(here, "Crashing", "-k", "actual-reads-back", "--known-failures", "known.yaml")
    assert done.code == 1
    (case,) = cases_of(here / "r.jsonl").values()
    assert case["how"] == "crash"
    assert all("choice" in one for one in case["findings"])
    ((requirement, words),) = {(one["requirement"], one["seen"]) for one in case["findings"]}
    entry(here, f"requirement: {requirement}, finding: '{words}', {WHY}")
    assert run(here, "Crashing", "-k", "actual-reads-back", "--known-failures", "known.yaml").code == 0
