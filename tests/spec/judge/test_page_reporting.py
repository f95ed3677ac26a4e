"""What is judged of reports of free pages, by addresses, by the bytes of memory and by when they changed."""

from __future__ import annotations

import pytest
from judge_script import DEVICE_QUIET, INFLATE, MEMORY, VERSION, array, gone, used, wants
from report_script import (
    PLAIN,
    POISON,
    REPORTING,
    WORD,
    back,
    begun,
    filled,
    report,
    torn,
    whole,
)

from balloon_spec import events as ev
from balloon_spec.judge import Judge
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import MAINLINE


def judge_of(features=PLAIN, *, poison=None, memory=MEMORY):
    judge = Judge(MAINLINE)
    judge.steers(steered=True)
    assert not found(judge, *begun(features, poison=poison, memory=memory)[:-1])
    judge.feed(ev.DriverOk())
    return judge


def found(judge, *events):
    return [finding.requirement for finding in judge.feed_all(events)]


def test_a_report_that_is_discarded_and_returned_keeps_what_it_tests():
    judge = judge_of()
    assert not found(judge, whole("p", "0x1000+16"), gone("0x1000+16"), back(), gone())
    kept = {name for name in judge.exercised if name.startswith("REPORT")}
    assert kept == {f"REPORT-{n}" for n in ("05", "08", "10", "11", "13", "14", "15", "16", "17")}


def test_a_device_that_returns_every_report_and_does_nothing_is_found_out():
    judge = judge_of()
    assert found(judge, whole("p", "0x1000+16"), gone(looked=PageSet.parse("0x1000+16")), back()) == [
        "REPORT-15"
    ]


def test_nobody_looked_so_nothing_is_said_of_memory():
    judge = judge_of()
    assert not found(judge, whole("p", "0x1000+16"), back())
    assert not judge.exercised.keys() & {"REPORT-11", "REPORT-13", "REPORT-14", "REPORT-15"}


@pytest.mark.parametrize(
    ("ranges", "discarded", "broken"),
    [
        ([(0x1000200, 0x1000)], [], []),
        ([(0x1000200, 0x1000)], ["0x1000"], ["REPORT-14"]),
        ([(0x1000000, 0x800)], ["0x1000"], ["REPORT-14"]),
        ([(0x1000200, 0x2000)], ["0x1001"], []),
        ([(0x1000200, 0x2000)], ["0x1001+2"], ["REPORT-14"]),
        ([(0x1000000, 0x1000)], ["0x1000+2"], ["REPORT-14"]),
        ([(0x1001000, 0x1000)], ["0x1000+2"], ["REPORT-14"]),
        ([(0x1000000, 0x1000)], ["0x1000+256"], ["REPORT-14"]),
        ([(0x1000000, 0x1000)], ["0x1000", "0x3000"], ["REPORT-14"]),
        # Two halves of a page are a page: a device may give it back, and need not.
        ([(0x1000000, 0x800), (0x1000800, 0x800)], ["0x1000"], []),
        ([(0x1000000, 0x800), (0x1000800, 0x800)], [], []),
    ],
)
def test_ranges_are_rounded_inward(ranges, discarded, broken):
    judge = judge_of()
    assert set(found(judge, report("p", *ranges))) <= {"REPORT-10"}
    seen = found(judge, gone(*discarded), back())
    assert [name for name in seen if name != "REPORT-15"] == broken


def test_what_changes_after_another_buffer_is_not_blamed_on_the_report():
    judge = judge_of()
    inflate = ev.Available(INFLATE, "m", array(0x2000), notified=True)
    assert found(judge, whole("p", "0x1000"), gone("0x1000"), back(), inflate, gone("0x3000")) == ["INF-08"]


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (torn((0x1000000, 0x800), pages=["0x1000"]), []),
        (torn((0x1000000, 0x10), (0x10007FF, 1), pages=["0x1000"]), []),
        (torn((0x1000000, 0x801), pages=["0x1000"]), ["REPORT-14"]),
        (torn((0x1000000, 0x800), (0x1000FFF, 1), pages=["0x1000"]), ["REPORT-14"]),
        (torn((0x1001000, 1), pages=["0x1001"]), ["REPORT-14"]),
        (filled(bytes(4), "0x1000"), ["REPORT-14"]),
        # Nobody looked at the bytes.
        (torn(pages=["0x1000"]), []),
        (torn(pages=["0x1001"]), ["REPORT-14"]),
    ],
)
def test_of_half_a_page_a_device_may_change_that_half(change, broken):
    judge = judge_of()
    judge.feed(report("p", (0x1000000, 0x800)))
    assert found(judge, change) == broken


def test_what_is_returned_is_the_guests():
    judge = judge_of()
    judge.feed_all([whole("p", "0x1000+4"), gone("0x1000+4"), back()])
    assert found(judge, gone("0x1001")) == ["REPORT-13"]
    assert found(judge, filled(WORD, "0x1002")) == ["REPORT-13"]
    # Reported again, they may go again.
    assert not found(judge, whole("p", "0x1000+4"), gone("0x1000+4"), back())
    assert found(judge, gone("0x1003")) == ["REPORT-13"]


def test_half_a_page_is_the_guests_again_too():
    judge = judge_of()
    judge.feed_all([report("p", (0x1000000, 0x800)), back()])
    assert found(judge, torn((0x1000000, 1), pages=["0x1000"])) == ["REPORT-13"]


def test_a_page_that_is_inflated_may_go_after_its_report_came_back():
    judge = judge_of()
    inflate = ev.Available(INFLATE, "m", array(0x1000, 0x1001), notified=True)
    judge.feed_all([whole("p", "0x1000+2"), inflate, back()])
    assert not found(judge, gone("0x1000+2"), used(INFLATE, "m"), gone())


def test_after_a_reset_nothing_may_be_discarded_any_more():
    judge = judge_of()
    judge.feed_all([whole("p", "0x1000+2"), whole("q", "0x2000"), back("p"), ev.Reset()])
    judge.feed_all([ev.Negotiated(PLAIN, PLAIN, True), ev.DriverOk()])
    assert found(judge, gone("0x2000")) == ["RESET-06"]
    assert found(judge, gone("0x1000")) == ["REPORT-13"]


@pytest.mark.parametrize(
    ("poison", "seen", "broken"),
    [
        (WORD, gone("0x1000+2"), ["REPORT-12"]),
        (WORD, gone(), []),
        (WORD, filled(WORD, "0x1000+2"), []),
        (WORD, filled(WORD[::-1], "0x1000+2"), ["REPORT-12"]),
        (WORD, filled(WORD * 2, "0x1000+2"), []),
        (b"\xaa" * 4, filled(b"\xaa", "0x1000+2"), []),
        (b"\xaa" * 4, filled(b"\xab", "0x1000+2"), ["REPORT-12"]),
        (WORD, torn((0x1000010, 4), pages=["0x1000"]), ["REPORT-12"]),
        (WORD, torn(pages=["0x1000"]), []),
        (bytes(4), gone("0x1000+2"), []),
        (bytes(4), filled(bytes(4), "0x1000+2"), []),
        (bytes(4), filled(WORD, "0x1000+2"), ["REPORT-12"]),
    ],
)
def test_a_page_holds_the_poison_or_what_it_held(poison, seen, broken):
    judge = judge_of(PLAIN | POISON, poison=poison)
    judge.feed(whole("p", "0x1000+2"))
    assert found(judge, seen) == broken
    assert judge.exercised["REPORT-12"] == (seen != torn(pages=["0x1000"]))
    assert not judge.exercised["REPORT-11"]


def test_a_device_that_cannot_fill_pages_with_a_value_keeps_them():
    judge = judge_of(PLAIN | POISON, poison=WORD)
    assert not found(judge, whole("p", "0x1000+2"), gone(), back())
    assert not judge.exercised["REPORT-15"]
    judge = judge_of(PLAIN | POISON, poison=bytes(4))
    assert found(judge, whole("p", "0x1000+2"), gone(), back()) == ["REPORT-15"]


def test_a_poison_that_nobody_wrote_counts_as_zero():
    judge = judge_of(PLAIN | POISON)
    judge.feed(whole("p", "0x1000+2"))
    assert not found(judge, gone("0x1000"))
    assert found(judge, filled(WORD, "0x1001")) == ["REPORT-12"]


def test_what_a_page_says_is_no_list_of_pages():
    judge = judge_of()
    spelled = array(0x2000, 0x2001, 0x5000, 0x2000)
    assert not found(judge, ev.Contents(PageSet.parse("0x1000"), spelled), whole("p", "0x1000"))
    assert not found(judge, gone("0x1000"), back())
    assert judge.exercised["REPORT-18"]
    assert found(judge, gone("0x2000")) == ["REPORT-18"]


def test_a_device_may_leave_an_uneven_range():
    judge = judge_of()
    judge.feed(report("p", (0x1000200, 0x4000), (0x2000000, 0x1000)))
    assert not found(judge, gone("0x2000"), back())
    assert judge.exercised["REPORT-15"]


@pytest.mark.parametrize(
    ("known", "change", "broken"),
    [
        (WORD, torn((0x1000000, 0x10), pages=["0x1000"]), ["REPORT-12"]),
        (WORD, torn((0x10007FF, 2), pages=["0x1000"]), ["REPORT-14"]),
        (WORD, torn(pages=["0x1000"]), []),
        # What the page held before nobody knows, or it was not filled.
        (None, torn((0x1000000, 0x10), pages=["0x1000"]), []),
        (b"", torn((0x1000000, 0x10), pages=["0x1000"]), []),
    ],
)
def test_the_reported_part_of_a_filled_page_stays_filled(known, change, broken):
    judge = judge_of(PLAIN | POISON, poison=WORD)
    if known is not None:
        judge.feed(ev.Contents(PageSet.parse("0x1000"), known))
    judge.feed(report("p", (0x1000000, 0x800)))
    assert found(judge, change) == broken


@pytest.mark.parametrize(
    ("features", "seen", "decided"),
    [
        (PLAIN, filled(bytes(4), "0x1000+2"), False),
        (PLAIN, gone("0x1000+2"), True),
        # The device may have filled pages with what they hold.
        (PLAIN | POISON, gone(looked=PageSet.parse("0x1000+2")), False),
        (PLAIN | POISON, gone("0x1000+2"), True),
    ],
)
def test_a_device_that_fills_pages_may_say_how_much(features, seen, decided):
    judge = judge_of(features, poison=bytes(4) if features & POISON else None)
    broken = found(judge, whole("p", "0x1000+2"), seen, back(length=0x2000))
    assert ("REPORT-17" in broken) == decided
    assert bool(judge.exercised["REPORT-17"]) == decided


@pytest.mark.parametrize("length", [1, 0x2000])
def test_a_used_length_says_what_was_not_written(length):
    assert found(judge_of(), whole("p", "0x1000+2"), back(length=length)) == ["REPORT-17"]


def test_a_used_length_beyond_the_ranges_is_a_fault_of_its_own():
    assert found(judge_of(), whole("p", "0x1000"), back(length=0x1001)) == ["BUF-07", "REPORT-17"]


def test_a_report_comes_back():
    assert found(judge_of(), whole("p", "0x1000"), DEVICE_QUIET) == ["REPORT-16"]
    assert found(judge_of(), report("p", (0x1000200, 16)), DEVICE_QUIET) == ["REPORT-10", "REPORT-16"]
    # Where no memory is, a device may ask for a reset.
    assert found(judge_of(), whole("p", "0x3fff+2"), DEVICE_QUIET) == ["QUEUE-11"]


def test_a_readable_report_is_malformed_and_comes_back():
    judge = judge_of()
    assert found(judge, report("p", readable=bytes(16)), DEVICE_QUIET) == ["REPORT-08", "SAFE-03"]
    assert not found(judge, back(), whole("q", "0x1000"), back("q"))
    assert judge.exercised["SAFE-03"]


def test_a_device_that_served_reports_serves_them_after_a_malformed_one():
    judge = judge_of()
    events = [whole("p", "0x1000"), back(), report("q", readable=bytes(16)), back("q"), whole("r", "0x1000")]
    judge.feed_all(events)
    assert found(judge, DEVICE_QUIET) == ["SAFE-05"]


# -- drivers ----------------------------------------------------------------------------------------------


def test_pages_are_reported_once_at_a_time():
    judge = judge_of()
    assert not found(judge, whole("p", "0x1000+4"), whole("q", "0x2000"))
    assert judge.exercised["REPORT-09"]
    assert found(judge, whole("r", "0x1003+4")) == ["REPORT-09"]


def test_pages_of_the_balloon_are_not_reported():
    judge = judge_of()
    judge.feed(wants("inflate", "0x1000"))
    judge.feed_all([ev.Operator(ev.OperatorAction.TARGET, 1)])
    judge.feed_all([ev.Available(INFLATE, "m", array(0x1000), notified=True), used(INFLATE, "m")])
    assert not found(judge, whole("p", "0x2000"))
    assert judge.exercised["REPORT-09"]
    assert found(judge, whole("q", "0x0fff+2")) == ["REPORT-09"]


def test_pages_are_filled_before_they_are_reported():
    judge = judge_of(PLAIN | POISON, poison=WORD)
    pages = PageSet.parse("0x1000+4")
    assert not found(judge, ev.Contents(pages, WORD), whole("p", "0x1000+4"), back())
    assert judge.exercised["REPORT-03"]
    assert not found(judge, ev.Contents(pages, WORD * 2), whole("p", "0x1000+4"), back())
    assert found(judge, ev.Contents(PageSet.parse("0x1002")), whole("p", "0x1000+4"), back()) == ["REPORT-03"]
    assert found(judge, ev.Contents(pages, WORD[::-1]), whole("p", "0x1000+4"), back()) == ["REPORT-03"]
    judge.feed(wants("use", "0x1000+4"))
    before = judge.exercised["REPORT-03"]
    assert not found(judge, whole("p", "0x1000+4"))
    assert judge.exercised["REPORT-03"] == before


def test_of_a_page_that_is_reported_in_part_the_guest_has_the_rest():
    judge = judge_of(PLAIN | POISON, poison=WORD)
    half = report("p", (0x1000000, 0x1800))
    assert not found(judge, ev.Contents(PageSet.parse("0x1001")), half)[1:]
    assert not judge.exercised["REPORT-03"]
    assert not found(judge, wants("use", "0x1001"))
    assert not judge.exercised["REPORT-04"]
    assert found(judge, wants("use", "0x1000+2")) == ["REPORT-04"]


def test_without_page_poison_a_page_holds_what_it_likes():
    judge = judge_of()
    assert not found(judge, ev.Contents(PageSet.parse("0x1000")), whole("p", "0x1000"))
    assert not judge.exercised["REPORT-03"]


def test_a_reported_page_is_not_used_until_it_is_back():
    judge = judge_of()
    judge.feed(whole("p", "0x1000+4"))
    assert not found(judge, wants("leave", "0x1000+4"))
    assert judge.exercised["REPORT-04"] == 1
    assert found(judge, wants("use", "0x1003")) == ["REPORT-04"]
    judge.feed(back())
    assert not found(judge, wants("use", "0x1000+4"), wants("use", "0x2000"))
    assert judge.exercised["REPORT-04"] == 3


@pytest.mark.parametrize(
    ("relies", "offered", "accepted", "decided", "broken"),
    [
        (True, REPORTING, REPORTING, 1, ["REPORT-01"]),
        (True, REPORTING, 0, 1, []),
        (True, REPORTING | POISON, REPORTING | POISON, 1, []),
        (True, REPORTING | POISON, REPORTING, 1, ["REPORT-01"]),
        (True, POISON, POISON, 0, []),
        (False, REPORTING, REPORTING, 0, []),
    ],
)
def test_a_guest_that_relies_on_its_free_pages_says_what_they_hold(
    relies, offered, accepted, decided, broken
):
    judge = Judge(MAINLINE)
    if relies:
        judge.feed(ev.Guest(ev.GuestAction.RELY, EMPTY))
    assert found(judge, ev.Negotiated(VERSION | offered, VERSION | accepted)) == broken
    assert judge.exercised["REPORT-01"] == decided
