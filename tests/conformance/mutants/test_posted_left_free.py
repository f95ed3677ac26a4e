"""Each defect of the posted driver is found in a driver that chooses its own pages, under the right name."""

from functools import cache

import pytest

from balloon_conformance.campaign.cases import cases
from balloon_conformance.iut.reference.free_driver import FreeReferenceDriver
from balloon_conformance.mutants import mutants
from balloon_conformance.mutants.posted import DEFECTS, PostedDriver, posted_driver_left_free
from balloon_conformance.reference.driver import Driver
from balloon_conformance.running.outcome import Status
from balloon_spec.events import Side
from balloon_spec.requirement import catalogue

SHOWN = {
    "D1": [("a-fragmented-guest[3500]", "INF-03", "posted-loses-a-chunk-at-each-flush")],
    "D2": [
        ("one-page-at-a-time[up]", "INF-03", "posted-skips-single-pages"),
        ("one-page-at-a-time[down]", "DEF-11", "posted-skips-single-pages"),
    ],
    "D3": [("compaction-with-canaries", "DEF-05", "posted-keeps-moved-pages-to-itself")],
    "D4": [("a-request-before-the-first-inflation", "HDR-04", "posted-sends-stale-headers")],
    "D5": [("one-page-at-a-time[up]", "INF-11", "posted-reports-the-balloon-again")],
    "D6": [("many-isolated-unused-pages[5000]", "CHUNK-05", "posted-answers-with-freed-memory")],
    "D7": [
        ("a-request-beside-an-unanswered-buffer[inflate]", "CONC-02", "posted-hangs-of-a-request"),
        ("a-request-beside-an-unanswered-buffer[deflate]", "CONC-03", "posted-hangs-of-a-request"),
    ],
    "D8": [("many-isolated-unused-pages[3500]", "UNUSED-05", "posted-answers-without-end")],
    "D9": [("canaries-in-the-balloon[told]", "INF-03", "posted-takes-large-pages-for-small-ones")],
    "D10": [("canaries-in-a-large-guest", "DEF-05", "posted-cuts-addresses")],
    "D11": [
        ("an-unknown-command[9]", "REQ-14", "posted-loses-the-request-buffer"),
        ("a-request-that-is-not-whole[8]", "REQ-15", "posted-loses-the-request-buffer"),
    ],
    "D12": [
        (
            "chunk-transfer-offered-without-statistics[alone]",
            "NEG-03",
            "posted-gives-features-up-too-late",
        ),
        ("host-requests-offered-without-statistics[alone]", "NEG-04", "posted-gives-features-up-too-late"),
    ],
    "D14": [("nothing-but-what-is-due-at-first", "QUEUE-09", "posted-notifies-early")],
    "D15": [
        ("a-request-beside-an-unanswered-buffer[inflate]", "CONC-02", "posted-has-one-lock"),
        ("a-request-beside-an-unanswered-buffer[deflate]", "CONC-03", "posted-has-one-lock"),
        ("inflating-beside-an-unanswered-message", "CONC-04", "posted-has-one-lock"),
    ],
}
"""Case, requirement and mutant, by defect. D13 is by design, and no defect of the driver."""

ROWS = [(defect, *row) for defect, rows in SHOWN.items() for row in rows]
PLAYED = sorted({case for _, case, _, _ in ROWS})

OUTSIDE_THE_WHOLE_DRIVER = frozenset({"D9", "D10"})
"""They show on machines with larger guest pages, or shorter addresses."""


@cache
def outcome(case, kind):
    played = cases(Side.DRIVER)[case].play(FreeReferenceDriver(kind))
    assert played.status is not Status.ERROR, played.reason
    return played


def kind_of(mutant):
    return mutants()[mutant].make.args[0]


def firsts(played):
    """The first requirement broken, and the first that was not followed."""
    return [group[0].requirement for group in (played.findings, played.advice) if group]


@pytest.mark.parametrize(("defect", "case", "requirement", "mutant"), ROWS)
def test_a_defect_is_named_first_by_its_case(defect, case, requirement, mutant):
    assert firsts(outcome(case, kind_of(mutant)))[0] == requirement
    assert requirement in firsts(outcome(case, kind_of(mutant)))
    assert mutants()[mutant].origin.startswith(f"posted driver, {defect}: ")


@pytest.mark.parametrize("case", PLAYED)
def test_the_reference_left_free_is_blamed_for_nothing_there(case):
    played = outcome(case, Driver)
    assert (played.status, played.findings, played.advice) == (Status.PASSED, (), ())


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("case", "requirement"),
    [row[1:3] for row in ROWS if row[0] not in OUTSIDE_THE_WHOLE_DRIVER],
)
def test_a_defect_is_found_in_the_whole_driver_too(case, requirement):
    found = {
        one.requirement
        for one in (*outcome(case, PostedDriver).findings, *outcome(case, PostedDriver).advice)
    }
    assert requirement in found


def test_an_id_that_is_cut_is_nobodys_defect():
    played = outcome("an-id-of-more-than-16-bits", PostedDriver)
    assert played.exercised["REQ-08"]
    assert "REQ-08" not in {one.requirement for one in (*played.findings, *played.advice)}


def test_the_page_on_the_posted_driver_says_the_same():
    told = {one.id: one for one in DEFECTS}
    for defect, rows in SHOWN.items():
        assert [row[:2] for row in rows] == list(told[defect].found_by)
        assert {row[2] for row in rows} == {told[defect].mutant}
    assert told["D13"].found_by == (("an-id-of-more-than-16-bits", "REQ-08"),)
    wire = [one.id for one in DEFECTS if one.id.startswith("D")]
    assert [one.id for one in DEFECTS if one.found_by] == wire
    assert set(wire) - {"D13"} == set(SHOWN)


def test_a_mutant_that_is_a_driver_can_be_left_free():
    assert isinstance(mutants()["posted-has-one-lock"].left_free(), FreeReferenceDriver)
    assert mutants()["changes-a-buffer-in-flight"].left_free() is None
    assert all(one.left_free() is None for one in mutants().values() if one.side is Side.DEVICE)
    assert posted_driver_left_free().description.startswith("the driver posted in March 2017")


def test_the_requirements_named_exist():
    assert {requirement for _, _, requirement, _ in ROWS} <= set(catalogue())
