"""Writing a list anew: what passes goes, what fails comes, and a person's file stays a person's file."""

from textwrap import dedent

import pytest
from known_lists import failed, finding, listed, passed

from balloon_conformance.known_failures.loader import KnownFailuresError
from balloon_conformance.known_failures.rewrite import BEGINNING, changes, rewrite
from balloon_conformance.running.outcome import How

LIST = """\
# What we know.

known_failures:   # by age

  # From the first release.
  - requirement: BUF-03   # long known
    finding: went wrong
    # It is in the tracker.
    reason: >-
      First line,

      second.
    link: https://example.org/1

  # Crashes.
  - case: two
    finding: signal 11
    reason: r
    link: l
    expires: 2026-12-31
  # The last.
  - case: storm
    finding: page
    reason: r
    link: l
"""
BUF = failed("one", finding("BUF-03"))
TWO = failed("two", reason="the device ended: signal 11", how=How.CRASH)
STORM = failed("storm[1]", finding("INF-08", "elsewhere"))


def rewritten(text, *outcomes, strict=False):
    known = listed(text)
    what = changes(known, outcomes, strict=strict)
    return rewrite(text, known, what)


def test_a_list_that_is_right_stays_as_it_is_to_the_byte():
    assert rewritten(LIST, BUF, TWO, STORM) == LIST


@pytest.mark.parametrize(
    ("first", "last", "outcomes"),
    [
        ("  - requirement: BUF-03", "link: https://example.org/1", (passed("one", "BUF-03"), TWO, STORM)),
        ("  - case: two", "expires: 2026-12-31", (BUF, passed("two"), STORM)),
        ("  - case: storm", "link: l", (BUF, TWO, passed("storm[1]"))),
    ],
)
def test_what_passes_is_dropped_and_every_line_outside_it_stays(first, last, outcomes):
    lines = LIST.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith(first))
    end = next(n for n in range(begin, len(lines)) if lines[n].endswith(last))
    assert rewritten(LIST, *outcomes).splitlines() == lines[:begin] + lines[end + 1 :]


def test_the_last_entry_leaves_an_empty_list_and_its_comments():
    text = rewritten(LIST, passed("one", "BUF-03"), passed("two"), passed("storm"))
    assert text == dedent("""\
        # What we know.

        known_failures: []   # by age

          # From the first release.

          # Crashes.
          # The last.
        """)
    assert listed(text).entries == ()


def test_what_fails_is_added_at_the_end_without_reason_and_link():
    new = failed("one", finding("INF-08", 'another "page"'), finding("BUF-03"))
    text = rewritten(LIST, new, failed("two", finding("INF-08", 'another "page"')), TWO, STORM)
    assert text == LIST + (
        '  - requirement: INF-08\n    finding: "another \\"page\\""\n    reason: ""\n    link: ""\n'
    )
    assert listed(text).entries[-1].finding == 'another "page"'


def test_a_case_that_ended_without_a_finding_is_added_by_its_name():
    text = rewritten(BEGINNING, failed("storm[2]", reason="the device ended: signal 9"))
    assert text == BEGINNING.replace(" []", "") + (
        '  - case: "storm[2]"\n    finding: "the device ended: signal 9"\n    reason: ""\n    link: ""\n'
    )


def test_what_fails_differently_is_dropped_and_added_as_it_fails_now():
    text = rewritten(LIST, failed("one", finding("BUF-03", "another way")), TWO, STORM)
    assert [one.finding for one in listed(text).entries] == ["signal 11", "page", "another way"]
    assert listed(text).entries[-1].incomplete() == "reason"


def test_a_fresh_entry_is_listed_and_not_added_again_and_goes_when_it_passes():
    fresh = rewritten(BEGINNING, BUF)
    assert rewritten(fresh, BUF) == fresh
    assert listed(rewritten(fresh, passed("one", "BUF-03"))).entries == ()


def test_an_entry_that_has_expired_or_was_not_run_stays():
    text = LIST.replace("2026-12-31", "2026-01-01")
    assert rewritten(text, BUF, TWO, STORM) == text
    assert rewritten(LIST, BUF, STORM) == LIST


def test_advice_is_added_where_it_counts():
    advice = passed("one", advice=(finding("NEG-07", "refused"),))
    assert rewritten(BEGINNING, advice) == BEGINNING
    assert [one.requirement for one in listed(rewritten(BEGINNING, advice, strict=True)).entries] == [
        "NEG-07"
    ]


@pytest.mark.parametrize("text", ["known_failures:\n- case: two\n  finding: signal 11\n  reason: r\n  link: l\n",
                                  "known_failures:\n  -\n    case: two\n    finding: signal 11\n    reason: r\n    link: l\n",
                                  "known_failures:\n  - case: two\n    finding: signal 11\n    reason: r\n    link: l"])  # fmt: skip
def test_other_layouts_are_kept(text):
    added = rewritten(text, TWO, BUF)
    assert added.startswith(text.rstrip())
    assert [one.name for one in listed(added).entries] == ["two", "BUF-03"]
    assert listed(rewritten(text, passed("two"))).entries == ()


def test_a_layout_that_cannot_be_kept_is_left_to_the_person():
    text = "known_failures: [{case: two, finding: signal 11, reason: r, link: l}]\n"
    with pytest.raises(
        KnownFailuresError, match=r"known\.yaml:1: known_failures: the entries are not laid out"
    ):
        rewritten(text, TWO, BUF)
    with pytest.raises(KnownFailuresError):
        rewritten(text, passed("two"))
