"""The finding that is read first is the nearest to the cause."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from results_files import write
from rich.console import Console

from balloon_conformance.campaign.cases import cases
from balloon_conformance.mutants import mutants
from balloon_conformance.report.comparison import compare
from balloon_conformance.report.html import render
from balloon_conformance.report.ranking import circumstances, explain, rank
from balloon_conformance.report.results import Results
from balloon_conformance.report.results_file import read_results
from balloon_conformance.report.terminal import print_results
from balloon_conformance.run.plugin import explained
from balloon_conformance.running.outcome import Outcome, Status
from balloon_spec.events import Side
from balloon_spec.judge import Finding
from balloon_spec.profiles import CHUNK_TRANSFER
from balloon_spec.requirement import Level


def finding(requirement, event, rule="a_rule"):
    return Finding(requirement, Level.MUST, Side.DEVICE, event, "it differs", rule=rule)


def outcome(case, *found, features=0, malformed=False, lines=()):
    names = tuple(f"F{number}" for number in range(features))
    trace = ('{"trace": 1}', *lines, *('{"event": "quiet"}',) * 9)
    return Outcome(case, Status.FAILED, findings=found, trace=trace, negotiated=names, malformed=malformed)


def ranked(*outcomes):
    broken = {}
    for one in outcomes:
        for found in one.findings:
            broken.setdefault(found.requirement, {}).setdefault(one.case, found)
    return [
        (one.requirement, one.case, one.consequences)
        for one in rank(broken, {one.case: one for one in outcomes})
    ]


def test_the_fewest_features_and_the_plainest_buffers_come_first():
    sent = '{"event": "available", "readable": "0011"}'
    long = '{"event": "available", "readable": "00112233"}'
    cut = '{"event": "available", "readable": "0011", "cut": [1, 1]}'
    plain = outcome("plain", finding("INF-07", 2, "a"), features=1, lines=(sent,))
    others = [
        outcome("longer", finding("INF-08", 2, "b"), features=1, lines=(long,)),
        outcome("two", finding("INF-09", 3, "c"), features=1, lines=(sent, sent)),
        outcome("cut", finding("QUEUE-05", 2, "d"), features=1, lines=(cut,)),
        outcome("reset", finding("RESET-01", 3, "e"), features=1, lines=('{"event": "reset"}', sent)),
        outcome("features", finding("HDR-05", 2, "f"), features=2, lines=(sent,)),
        outcome("malformed", finding("SAFE-01", 1, "g"), malformed=True),
    ]
    assert [name for name, *_ in ranked(*reversed(others), plain)] == [
        *("INF-07", "INF-08", "INF-09", "QUEUE-05", "RESET-01", "HDR-05", "SAFE-01")
    ]


def test_what_one_rule_finds_in_less_plain_circumstances_follows():
    assert ranked(
        outcome("cut", finding("QUEUE-05", 3), features=2),
        outcome("plain", finding("CHUNK-13", 3), features=1),
    ) == [("CHUNK-13", "plain", ("QUEUE-05",))]


def test_what_never_comes_without_another_before_it_follows():
    both = outcome("one", finding("CHUNK-11", 2, "a"), finding("INF-03", 5, "b"))
    assert ranked(both) == [("CHUNK-11", "one", ("INF-03",))]
    alone = outcome("two", finding("INF-03", 5, "b"), features=3)
    assert [name for name, *_ in ranked(both, alone)] == ["CHUNK-11", "INF-03"]


def test_within_a_case_what_came_later_is_told_as_a_consequence():
    found = [finding("INF-03", 5), finding("CHUNK-11", 2), finding("CHUNK-05", 2)]
    assert [(one.requirement, later) for one, later in explain(found)] == [
        *(("CHUNK-11", False), ("CHUNK-05", False), ("INF-03", True))
    ]


def test_a_trace_is_read_as_far_as_the_finding():
    one = outcome("one", finding("INF-07", 1), lines=('{"event": "quiet"}', '{"event": "reset"}'))
    assert circumstances(one, one.findings[0]) == (False, 0, 0, 0, 0, 0, 1)


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("discards-one-page-too-many", "INF-08"),
        ("discards-one-page-too-few", "PFN-05"),
        ("reads-chunks-big-endian", "CHUNK-13"),
        ("ends-on-its-second-buffer", "SAFE-13"),
        ("sends-chunks-big-endian", "CHUNK-11"),
        ("counts-a-page-too-many-in-chunks", "CHUNK-02"),
    ],
)
def test_of_what_a_mutant_breaks_its_own_requirement_comes_first(name, first):
    mutant = mutants()[name]
    results = Results(mutant.side, CHUNK_TRANSFER, {})
    for case in list(cases(mutant.side).values())[::6]:
        results.add(case.play(mutant.make()))
    results.settle()
    nearest, *others = results.causes(binding=True)
    assert nearest.requirement == first
    # A page too many may lie where no memory is: that breaks something else, and the mutant says so.
    assert {one.requirement for one in others} <= mutant.declared
    assert nearest.case == next(
        iter(next(one for one in results.requirements() if one.requirement.id == first).broken_by)
    )
    places = results.places()
    assert places[first] == {"rank": 1}
    assert all(places[name]["follows_from"] == first for name in nearest.consequences)


def test_what_follows_is_folded_on_the_terminal_on_the_page_and_in_a_file(tmp_path):
    both = (finding("CHUNK-13", 1), finding("QUEUE-05", 2))
    path = write(tmp_path / "one.jsonl", outcome("case", *both), profile=CHUNK_TRANSFER)
    read = read_results(path)
    assert (read.verdicts["CHUNK-13"].follows_from, read.verdicts["QUEUE-05"].follows_from) == (
        "",
        "CHUNK-13",
    )
    results = read.results()
    console = Console(file=io.StringIO(), width=100)
    print_results(console, results, "again")
    text = console.file.getvalue()
    assert text.index("CHUNK-13  A device") < text.index("also, as a consequence") < text.index("QUEUE-05")
    page = render(results, read.header | {"started": datetime(2026, 1, 1, tzinfo=UTC)}, "again")
    assert 'also, as a consequence: <a href="#QUEUE-05">' in page
    row = next(one for one in compare([read]).rows if one.requirement == "QUEUE-05")
    assert row.cells[0].note == "follows from CHUNK-13: case"
    lines = list(explained(outcome("case", *reversed(both))))
    assert [line.partition(" device")[0] for line in lines if "event" in line] == [
        *("CHUNK-13", "also, as a consequence: QUEUE-05")
    ]
