"""From outcomes to verdicts, exit codes and the reasons why something was not exercised."""

from types import MappingProxyType

import pytest

from balloon_conformance.report.results import Exit, Results, Verdict, applies
from balloon_conformance.running.outcome import Fault, How, Outcome, Status
from balloon_spec.events import Side
from balloon_spec.judge import Finding
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, MAINLINE
from balloon_spec.requirement import catalogue

ABOUT = {"one": ("INF-06",), "two": ("INF-06", "DEF-07"), "storm": ("QUEUE-06",)}


def finding(name: str) -> Finding:
    entry = catalogue()[name]
    return Finding(name, entry.level, entry.subject, 7, "it went wrong", "page", "0x1", "0x2", b"\x01")


def outcome(case: str, status: Status = Status.PASSED, reason: str = "", **exercised: int) -> Outcome:
    counts = {name.replace("_", "-"): count for name, count in exercised.items()}
    return Outcome(case, status, reason, exercised=MappingProxyType(counts))


@pytest.fixture
def results() -> Results:
    return Results(Side.DEVICE, CHUNK_TRANSFER, ABOUT)


def verdict(results: Results, name: str):
    return next(one for one in results.requirements() if one.requirement.id == name)


def test_only_the_requirements_of_the_side_are_judged(results):
    subjects = {one.requirement.subject for one in results.requirements()}
    assert subjects == {Side.DEVICE}


def test_a_requirement_that_was_decided_and_never_broken_is_kept(results):
    results.add(outcome("one", INF_06=2))
    results.add(outcome("two", INF_06=3))
    assert (verdict(results, "INF-06").verdict, verdict(results, "INF-06").decisions) == (Verdict.KEPT, 5)
    assert results.exit_code() is Exit.WELL


def test_one_finding_breaks_a_requirement_however_often_it_was_kept(results):
    results.add(outcome("one", INF_06=2))
    results.add(Outcome("two", Status.FAILED, "it", Fault.DEVICE, How.VIOLATION, (finding("INF-06"),)))
    one = verdict(results, "INF-06")
    assert one.verdict is Verdict.BROKEN
    assert list(one.broken_by) == ["two"]
    assert not one.is_advice
    assert results.exit_code() is Exit.BROKEN


def test_a_should_that_was_not_followed_is_advice_and_fails_only_when_strict(results):
    results.add(Outcome("one", Status.PASSED, advice=(finding("NEG-07"),)))
    assert verdict(results, "NEG-07").is_advice
    assert results.summary()["advice"] == 1
    assert results.summary()["broken"] == 0
    assert results.exit_code() is Exit.WELL
    assert results.exit_code(strict=True) is Exit.BROKEN


def test_a_case_in_error_says_nothing_about_the_implementation(results):
    counts = MappingProxyType({"INF-06": 4})
    results.add(
        Outcome("one", Status.ERROR, "oh", Fault.SUITE, findings=(finding("INF-06"),), exercised=counts)
    )
    assert verdict(results, "INF-06").verdict is Verdict.NOT_EXERCISED
    assert results.exit_code() is Exit.FAULT


def test_broken_outranks_an_error_and_an_interrupt_outranks_both(results):
    results.add(Outcome("one", Status.ERROR, "oh", Fault.ADAPTER))
    results.add(Outcome("two", Status.FAILED, "ended", Fault.DEVICE, How.CRASH))
    assert results.exit_code() is Exit.BROKEN
    results.interrupted = True
    assert results.exit_code() is Exit.INTERRUPTED


def test_a_fault_outside_every_case_is_a_fault(results):
    results.add(outcome("one", INF_06=1))
    results.faults.append("KeyError: x")
    assert results.exit_code() is Exit.FAULT


def test_cases_that_exercise_nothing_are_not_a_pass(results):
    assert results.exit_code() is Exit.NOTHING
    results.add(outcome("one"))
    results.add(outcome("two", Status.NOT_EXERCISED, "the adapter lacks discards"))
    assert results.exit_code() is Exit.NOTHING


def test_a_later_error_replaces_the_outcome_of_a_case_and_nothing_else_does(results):
    results.add(outcome("one", INF_06=1))
    results.add(outcome("one", Status.NOT_EXERCISED, "again"))
    assert results.outcomes["one"].status is Status.PASSED
    results.add(outcome("one", Status.ERROR, "fell over at its end"))
    assert results.outcomes["one"].status is Status.ERROR


@pytest.mark.parametrize(
    ("given", "name", "reason"),
    [
        ([], "INF-06", "not run: one, two"),
        ([], "NEG-08", "no case of the suite is about it, and no rule saw an occasion"),
        ([], "BUF-08", "cannot be observed: A read leaves no trace that another can see."),
        ([outcome("two", Status.NOT_EXERCISED, "the adapter lacks discards")], "DEF-07", "the adapter lacks discards"),
        ([outcome("two", Status.FAILED, "x")], "DEF-07", "two failed before it came to this"),
        ([outcome("two", Status.ERROR, "x")], "DEF-07", "two ended in an error"),
        ([outcome("two")], "DEF-07", "no occasion arose in two"),
        (
            [outcome(f"storm[{n}]", Status.NOT_EXERCISED, f"reason {n}") for n in range(4)],
            "QUEUE-06",
            "reason 0; reason 1; and 2 more",
        ),
    ],
)  # fmt: skip
def test_what_was_not_exercised_says_why(results, given, name, reason):
    for one in given:
        results.add(one)
    assert verdict(results, name).reason == reason


def test_a_profile_without_the_feature_is_the_reason_before_all_others():
    results = Results(Side.DEVICE, BASE, ABOUT)
    assert verdict(results, "CHUNK-06").reason == "profile base: it binds when CHUNK_TRANSFER or HOST_REQ_VQ"
    assert results.summary()["binding"] < Results(Side.DEVICE, CHUNK_TRANSFER, ABOUT).summary()["binding"]


def test_a_requirement_applies_where_a_legal_set_of_the_profile_meets_its_condition():
    entries = catalogue()
    # NEG-09 binds for HOST_REQ_VQ without CHUNK_TRANSFER; PFN-01 for all sets without CHUNK_TRANSFER.
    assert applies(entries["NEG-09"], CHUNK_TRANSFER)
    assert not applies(entries["NEG-09"], BASE)
    assert applies(entries["NEG-01"], CHUNK_TRANSFER)
    assert not any(applies(entries[f"NEG-0{number}"], BASE) for number in (1, 2, 3, 4))
    assert applies(entries["PFN-01"], BASE)
    assert applies(entries["PFN-01"], CHUNK_TRANSFER)
    assert applies(entries["BUF-03"], BASE)


def test_the_summary_counts_each_verdict_once(results):
    results.add(Outcome("one", Status.FAILED, "x", Fault.DEVICE, How.VIOLATION, (finding("INF-06"),)))
    results.add(outcome("two", DEF_07=1))
    summary = results.summary()
    assert (summary["exercised"], summary["kept"], summary["broken"]) == (2, 1, 1)
    assert summary["cases"] == {"passed": 1, "failed": 1, "not exercised": 0, "error": 0}


def test_what_no_run_of_the_implementation_can_show_is_not_counted_as_missing():
    about = {"one": ("POISON-02", "HINT-12", "QUEUE-13", "QUEUE-04"), "two": ("REPORT-08",)}
    results = Results(Side.DRIVER, MAINLINE, about)
    before = results.summary()
    results.unprovable = {"QUEUE-08": "the ring has no room"}
    hidden = {"QUEUE-13": "nobody sees a notification"}
    results.add(
        Outcome(
            "one", Status.PASSED, exercised={"REPORT-05": 1}, hidden=hidden, negotiated=("FREE_PAGE_HINT",)
        )
    )
    reasons = results.out_of_sight()
    assert reasons["QUEUE-08"] == "the ring has no room"
    assert reasons["QUEUE-13"] == "nobody sees a notification"
    assert reasons["POISON-01"].startswith("What a guest writes")
    assert reasons["DEF-06"] == "it is a permission, and no use of it was seen"
    assert reasons["POISON-02"] == "it binds when PAGE_POISON, and no case negotiated that"
    # A permission that was used, a feature that was negotiated, a case that was not carried out.
    assert reasons.keys().isdisjoint({"REPORT-05", "HINT-12", "REPORT-08"})
    after = results.summary()
    assert after["observable"] == after["binding"] - len(reasons)
    assert before["binding"] == after["binding"]
    assert before["exercised"] == 0 < after["exercised"] <= after["observable"] < before["observable"]
    assert verdict(results, "QUEUE-08").reason == "the ring has no room"
