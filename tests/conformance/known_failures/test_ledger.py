"""What a list of known failures excuses, and what a run finds wrong with it."""

import pytest
from known_lists import entries, failed, finding, passed

from balloon_conformance.known_failures.ledger import KnownFailures, Problem
from balloon_conformance.running.outcome import How, Outcome, Status

A = "requirement: BUF-03, finding: went wrong"


def problems(known: KnownFailures, *outcomes: Outcome, whole: bool = True) -> list[Problem]:
    return [one.problem for one in known.complaints(outcomes, whole=whole)]


# -- what is excused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pin", ["went wrong", "pag", "0x2", "0x"])
def test_a_pin_is_literal_text_of_the_words_the_field_or_what_was_seen(pin):
    known = entries(f"requirement: BUF-03, finding: '{pin}'")
    assert known.mark(failed("one", finding("BUF-03"))).known == known.entries


@pytest.mark.parametrize("pin", ["0x1", "went.*", "WENT", "BUF-03"])
def test_nothing_else_is_pinned(pin):
    known = entries(f"requirement: BUF-03, finding: '{pin}'")
    assert known.mark(failed("one", finding("BUF-03"))).fails


def test_an_entry_with_a_requirement_excuses_it_in_every_case_and_no_other():
    known = entries(A)
    assert not known.mark(failed("one", finding("BUF-03"))).fails
    assert not known.mark(failed("two", finding("BUF-03"))).fails
    assert known.mark(failed("one", finding("INF-08"))).fails


def test_an_entry_with_a_case_excuses_what_it_pins_there_and_nowhere_else():
    known = entries("case: one, finding: went wrong")
    assert not known.mark(failed("one", finding("BUF-03"), finding("INF-08"))).fails
    assert known.mark(failed("two", finding("BUF-03"))).fails


def test_an_entry_with_both_excuses_the_requirement_in_the_case():
    known = entries(f"case: one, {A}")
    assert not known.mark(failed("one", finding("BUF-03"))).fails
    assert known.mark(failed("two", finding("BUF-03"))).fails
    assert known.mark(failed("one", finding("INF-08"))).fails


def test_a_case_without_brackets_is_the_case_with_all_its_parameters():
    known = entries("case: storm, finding: went wrong")
    assert not known.mark(failed("storm[3]", finding("BUF-03"))).fails
    assert known.mark(failed("storms", finding("BUF-03"))).fails
    assert entries("case: 'storm[1]', finding: went").mark(failed("storm[3]", finding("BUF-03"))).fails


def test_a_case_is_excused_only_where_all_of_it_is():
    known = entries(A)
    assert known.mark(failed("one", finding("BUF-03"), finding("INF-08"))).fails
    both = entries(A, "requirement: INF-08, finding: page")
    marked = both.mark(failed("one", finding("BUF-03"), finding("INF-08")))
    assert marked.known == both.entries


def test_a_case_that_ended_without_a_finding_is_pinned_by_its_reason():
    dead = failed("one", reason="the device ended: signal 11", how=How.CRASH)
    assert not entries("case: one, finding: signal 11").mark(dead).fails
    assert entries("case: one, finding: signal 9").mark(dead).fails
    assert entries("case: one, requirement: BUF-03, finding: signal 11").mark(dead).fails


def test_only_failures_are_marked():
    known = entries(A)
    error = Outcome("one", Status.ERROR, "it went wrong", findings=(finding("BUF-03"),))
    for outcome in (error, passed("one", "BUF-03")):
        assert known.mark(outcome) is outcome


@pytest.mark.parametrize(
    "line",
    [
        f"{A}, reason: '', link: x",
        f"{A}, reason: x, link: ''",
        f"{A}, reason: x, link: x, expires: 2026-06-14",
    ],
)
def test_an_entry_without_reason_or_link_or_that_has_expired_excuses_nothing(line):
    assert entries(line).mark(failed("one", finding("BUF-03"))).fails


def test_an_entry_excuses_to_the_end_of_its_last_day():
    known = entries(f"{A}, reason: x, link: x, expires: 2026-06-15")
    assert not known.mark(failed("one", finding("BUF-03"))).fails
    assert problems(known, failed("one", finding("BUF-03"))) == []


# -- what is wrong with the list --------------------------------------------------------------------------


def test_nothing_is_wrong_with_an_entry_that_fails_as_pinned():
    assert problems(entries(A), passed("two", "BUF-03"), failed("one", finding("BUF-03"))) == []


def test_advice_that_is_pinned_happens_too():
    known = entries("requirement: NEG-07, finding: refused")
    advice = passed("one", advice=(finding("NEG-07", "the device refused a set"),))
    assert problems(known, advice) == []
    assert problems(known, passed("one", "NEG-07")) == [Problem.PASSES]


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (A, passed("one", "BUF-03")),
        ("case: one, finding: went", passed("one")),
        (f"case: one, {A}", passed("one")),
        # Another requirement fails the case; this one was put to the test and kept.
        (A, Outcome("one", Status.FAILED, findings=(finding("INF-08"),), exercised={"BUF-03": 1})),
    ],
)
def test_an_entry_that_passes_is_said_to(line, outcome):
    (one,) = entries(line).complaints([outcome], whole=True)
    assert one.problem is Problem.PASSES
    assert one.words.startswith("known.yaml:2: ")
    assert one.words.endswith(" passes; remove it from the list")


@pytest.mark.parametrize(
    ("line", "outcome", "words"),
    [
        (A, failed("one", finding("BUF-03", "another way")), "BUF-03 in one: another way"),
        ("case: one, finding: went", failed("one", finding("BUF-03", "another way")), "BUF-03 in one: another way"),
        (f"case: one, {A}", failed("one", finding("INF-08", "elsewhere")), "INF-08 in one: elsewhere"),
        ("case: one, finding: went", failed("one", reason="signal 11"), "one: signal 11"),
    ],
)  # fmt: skip
def test_an_entry_that_fails_differently_says_how(line, outcome, words):
    (one,) = entries(line).complaints([outcome], whole=True)
    assert one.problem is Problem.DIFFERS
    assert f" fails differently: {words}; mend its finding" in one.words


def test_other_advice_is_no_other_failure_of_a_case():
    assert problems(entries("case: one, finding: went"), passed("one", advice=(finding("NEG-07", "x"),))) == [
        Problem.PASSES
    ]


@pytest.mark.parametrize(
    ("line", "outcomes"),
    [
        (A, [passed("one")]),
        ("case: one, finding: went", []),
        ("case: one, finding: went", [Outcome("one", Status.NOT_EXERCISED, "the adapter lacks discards")]),
        ("case: one, finding: went", [Outcome("one", Status.ERROR, "went", findings=(finding("BUF-03"),))]),
    ],
)
def test_an_entry_that_was_not_run_is_wrong_in_a_whole_run_alone(line, outcomes):
    known = entries(line)
    assert problems(known, *outcomes) == [Problem.NOT_RUN]
    assert problems(known, *outcomes, whole=False) == []


def test_what_was_not_run_says_why_where_that_is_known():
    outcome = Outcome("one", Status.NOT_EXERCISED, "the adapter lacks discards")
    (one,) = entries("case: one, finding: went").complaints([outcome], whole=True)
    assert "was not run: the adapter lacks discards; " in one.words


def test_of_a_part_of_the_suite_nothing_follows_for_a_requirement_alone():
    assert problems(entries(A), passed("one", "BUF-03"), whole=False) == []
    assert problems(entries("case: one, finding: went"), passed("one"), whole=False) == [Problem.PASSES]


def test_what_has_expired_or_is_not_filled_in_is_wrong_whether_it_happens_or_not():
    for outcomes in ([], [failed("one", finding("BUF-03"))]):
        for whole in (True, False):
            known = entries(
                f"{A}, reason: x, link: x, expires: 2026-06-14",
                "case: two, finding: x, reason: '', link: x",
                "case: two, finding: y, reason: x, link: ''",
            )
            found = known.complaints(outcomes, whole=whole)
            assert [one.problem for one in found] == [Problem.EXPIRED, Problem.INCOMPLETE, Problem.INCOMPLETE]
            assert "has expired on 2026-06-14; " in found[0].words
            assert [words.words.rpartition(" has ")[2] for words in found[1:]] == [
                "no reason; write it",
                "no link; write it",
            ]


def test_no_list_excuses_nothing_and_has_nothing_wrong():
    none = KnownFailures()
    assert none.mark(failed("one", finding("BUF-03"))).fails
    assert problems(none) == []
