"""What a person reads at the end of a run."""

import io
from types import MappingProxyType

import pytest
from rich.console import Console

from balloon_conformance.report.results import Results
from balloon_conformance.report.terminal import print_header, print_results
from balloon_conformance.run.live import ProgressBar
from balloon_conformance.running.outcome import Fault, How, Outcome, Status
from balloon_spec.events import Side
from balloon_spec.judge import Finding
from balloon_spec.profiles import CHUNK_TRANSFER
from balloon_spec.requirement import Level

REPEAT = "balloon-conformance run python:mine:Device"
BROKEN = Finding(
    "INF-08", Level.MUST_NOT, Side.DEVICE, 12, "another page [0x1] was discarded", "page", "0x1000", "0x1001",
    bytes(range(60)),
)  # fmt: skip
ADVICE = Finding("NEG-07", Level.SHOULD, Side.DEVICE, 1, "the device refused a legal set", "status")


def shown(*outcomes: Outcome, width: int = 80, verbose: bool = False, faults=(), interrupted=False) -> str:
    results = Results(Side.DEVICE, CHUNK_TRANSFER, {"one": ("INF-06",)})
    for outcome in outcomes:
        results.add(outcome)
    results.faults.extend(faults)
    results.interrupted = interrupted
    file = io.StringIO()
    print_results(Console(file=file, width=width, highlight=False), results, REPEAT, verbose=verbose)
    return file.getvalue()


KEPT = Outcome("kept", Status.PASSED, exercised=MappingProxyType({"INF-06": 3}))
FAILED = Outcome("bad", Status.FAILED, "x", Fault.DEVICE, How.VIOLATION, (BROKEN,))


def test_a_broken_requirement_is_shown_with_everything_needed_to_see_it_again():
    text = shown(KEPT, FAILED)
    for words in (
        "INF-08  A device MUST NOT",
        "another page [0x1] was discarded",
        "MUST NOT, of the device",
        "0x1000",
        "0x1001",
        "00 01 02 03",
        "bad, event 12",
        f"{REPEAT} -k 'bad'",
    ):
        assert words in text


def test_the_summary_is_one_line_with_the_counts():
    last = shown(KEPT, FAILED).splitlines()[-1]
    assert last.startswith("2 requirements exercised of ")
    assert "that apply to a device under profile chunk-transfer, " in last
    assert last.endswith(" of which can be seen here; 1 broken; 2 cases, 1 failed")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_width(width):
    text = shown(KEPT, width=width)
    table = text.split("\n\n")[0].splitlines()
    assert any("Inflate" in line for line in table)
    assert max(map(len, table)) <= width


def test_areas_count_their_verdicts():
    rows = [line.split() for line in shown(KEPT, FAILED).splitlines()]
    inflate = next(row for row in rows if row[:1] == ["Inflate"])
    assert inflate == ["Inflate", "1", "1", "-", "2"]


def test_the_same_finding_of_several_cases_is_shown_once():
    more = [Outcome(f"bad{n}", Status.FAILED, "x", Fault.DEVICE, How.VIOLATION, (BROKEN,)) for n in range(6)]
    text = shown(*more)
    assert text.count("another page [0x1] was discarded") == 1
    assert "bad0, event 12; also bad1, bad2, bad3 and 2 more" in " ".join(text.split())


def test_advice_stands_apart_from_what_is_broken():
    text = shown(Outcome("soft", Status.PASSED, "", advice=(ADVICE,)))
    assert "Advice (a SHOULD that was not followed)" in text
    assert "\nBroken" not in text
    assert "0 broken, 1 not followed as advised" in text


def test_a_crash_that_no_rule_attributes_is_still_shown():
    text = shown(Outcome("dead", Status.FAILED, "the device ended: signal 11", Fault.DEVICE, How.CRASH))
    assert "dead: crash: the device ended: signal 11" in text


def test_errors_with_one_reason_are_shown_once_and_with_their_fault():
    errors = [Outcome(f"c{n}", Status.ERROR, "cannot start", Fault.ADAPTER) for n in range(5)]
    text = shown(*errors, faults=["KeyError: x"])
    assert text.count("adapter-fault: cannot start") == 1
    assert "in c0, c1, c2 and 2 more" in text
    assert "suite-fault: KeyError: x" in text
    assert "6 in error" in text


def test_verbose_lists_each_requirement_and_why_it_was_not_exercised():
    text = shown(KEPT, verbose=True)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "INF-06 kept decided 3 times" in lines
    assert "BUF-08 not exercised cannot be observed: A read leaves no trace that" in lines
    assert "BUF-08" not in shown(KEPT)


def test_an_interrupted_run_says_so():
    assert shown(KEPT, interrupted=True).rstrip().endswith("interrupted")


def test_there_is_color_on_a_terminal_only_and_not_against_a_persons_wish(monkeypatch):
    def written(**options) -> str:
        file = io.StringIO()
        console = Console(file=file, width=80, highlight=False, **options)
        print_results(console, Results(Side.DEVICE, CHUNK_TRANSFER, {}), REPEAT)
        return file.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b" not in written()
    assert "\x1b[1;31m" in written(force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31m" not in written(force_terminal=True)


def test_the_header_names_what_judges_what():
    file = io.StringIO()
    console = Console(file=file, width=40, highlight=False)
    header = {
        "suite": "1.0",
        "target": "qemu",
        "description": "QEMU 7.2 [stock]",
        "profile": {"name": "base"},
    }
    print_header(console, header | {"numbering": {"used": "dense-offered", "source": "implementation"}})
    fixed = {"used": "fixed", "source": "default"}
    print_header(console, header | {"target": "x", "description": "x", "numbering": fixed})
    assert file.getvalue().splitlines() == [
        f"balloon-conformance 1.0: {said}"
        for said in (
            "qemu (QEMU 7.2 [stock]), profile base, dense-offered queue numbers (as its adapter states)",
            "x, profile base, fixed queue numbers (the default)",
        )
    ]


def test_progress_names_the_case_that_runs_on_a_terminal_and_is_silent_elsewhere():
    def drawn(*, terminal: bool) -> str:
        file = io.StringIO()
        with ProgressBar(Console(file=file, force_terminal=terminal, width=100)) as bar:
            bar.expect(7)
            bar.show("a-case[all]")
            bar.show("b" * 60)
            bar.step()
        return file.getvalue()

    text = drawn(terminal=True)
    assert "a-case[all]" in text
    assert "1/7" in text
    assert "b" * 41 + "..." in text
    assert drawn(terminal=False).strip() == ""
