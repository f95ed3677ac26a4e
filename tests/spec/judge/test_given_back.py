"""What pages that a device left behind break, by what it gave back elsewhere."""

from __future__ import annotations

import dataclasses

import pytest
from judge_script import INFLATE, A, B, chunk, gone, inflate, request, start, used

from balloon_spec.families.base.discards import Discards
from balloon_spec.families.base.given_back import Circumstances, LeftBehind, Since, blame, host_page_of
from balloon_spec.judge import Judge
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

PAGES = PageSet.parse("0x1000+16")
FEATURES = frozenset({"VERSION_1", "STATS_VQ"})


def where(*tests, form="message", features=FEATURES, since=Since.NOTHING, asked=False):
    return Circumstances(form, features, frozenset(tests), since, asked)


def left(*tests, missing=PAGES, seconds=1.0, **fields):
    return LeftBehind(where(*tests, **fields), 5, PAGES, missing, seconds)


PLAIN = where()
ARRAY = where("PFN-05", form="array")


@pytest.mark.parametrize(
    ("lost", "able", "blamed"),
    [
        (left(), [], None),
        (left(), [PLAIN], "CHUNK-13"),
        (left("CHUNK-06"), [PLAIN], "CHUNK-06"),
        (left("CHUNK-06"), [where("CHUNK-06")], "CHUNK-13"),
        # The one in which the two differ, not the one that comes first.
        (left("QUEUE-05", "CHUNK-13"), [where("QUEUE-05")], "CHUNK-13"),
        (left("QUEUE-05", "CHUNK-13"), [where("CHUNK-13")], "QUEUE-05"),
        (left("QUEUE-05", "CHUNK-13"), [PLAIN], "QUEUE-05"),
        (left("PFN-05", form="array"), [where(form="array")], "PFN-05"),
        # Who reads an array in another byte order finds none of its pages.
        (left("PFN-10", "PFN-05", form="array"), [ARRAY], "PFN-10"),
        (left("PFN-10", "PFN-05", form="array", missing=PageSet.parse("0x100f")), [], "PFN-05"),
        # A part of it is passed over, and so may the whole be, whatever else it holds.
        (left("PFN-06", "PFN-05", form="array"), [ARRAY], "PFN-06"),
        (left("PFN-06", "PFN-05", form="array", missing=PageSet.parse("0x100f")), [], "PFN-06"),
        (left("CHUNK-06", "CHUNK-08"), [where("CHUNK-08")], "CHUNK-08"),
        (left("RESET-01", "CHUNK-08"), [PLAIN, where("CHUNK-08")], "CHUNK-08"),
        # Nothing is known of this form.
        (left(), [ARRAY], None),
        (left("RESET-01"), [ARRAY], None),
        (left("RESET-01"), [PLAIN], "RESET-01"),
        # Other features may be what makes the difference.
        (left("RESET-01", features=FEATURES | {"HOST_REQ_VQ"}), [PLAIN], None),
        # A part, and nothing else was seen.
        (left(missing=PageSet.parse("0x100f")), [], "CHUNK-13"),
        (left("HDR-05", missing=PageSet.parse("0x100f")), [], "HDR-05"),
        (left("RESET-01", missing=PageSet.parse("0x100f")), [], None),
        # It may not discard while it is asked for pages, and collects until it is notified again.
        (left(asked=True), [PLAIN], None),
        (left(asked=True), [where(asked=True)], "CHUNK-13"),
        (left(), [where(since=Since.SOMETHING)], None),
        (left(since=Since.SOMETHING), [where(since=Since.SOMETHING)], None),
        (left(since=Since.INFLATED), [where(since=Since.SOMETHING)], "CHUNK-13"),
    ],
)
def test_pages_that_are_left_break_what_makes_the_difference(lost, able, blamed):
    assert blame(lost, dict.fromkeys(able, 0.5), 1) == blamed


def test_a_device_that_was_slower_elsewhere_was_not_given_its_time():
    assert blame(left(seconds=1.0), {PLAIN: 1.5}, 1) is None
    assert blame(left(seconds=1.5), {PLAIN: 1.5}, 1) == "CHUNK-13"


@pytest.mark.parametrize(("host_page", "blamed"), [(1, "CHUNK-13"), (16, "CHUNK-13"), (32, None)])
def test_less_than_a_page_of_the_host_cannot_be_given_back(host_page, blamed):
    assert blame(left(), {PLAIN: 0.0}, host_page) == blamed


@pytest.mark.parametrize(
    ("lost", "able", "blamed"),
    [
        (left(), ARRAY, "CHUNK-13"),
        (left("RESET-01"), ARRAY, "CHUNK-13"),
        (left("PFN-05", form="array"), PLAIN, "PFN-05"),
        (left("PFN-06", form="array"), PLAIN, "PFN-06"),
        (left(asked=True), ARRAY, None),
    ],
)
def test_at_the_end_the_other_form_shows_what_a_device_can_do(lost, able, blamed):
    assert blame(lost, {able: 0.0}, 1, final=True) == blamed


def test_what_a_simpler_buffer_was_blamed_for_is_blamed_again():
    losses = {("message", frozenset()): "CHUNK-13"}
    assert blame(left("RESET-01"), {PLAIN: 0.0}, 1, losses=losses) == "CHUNK-13"
    other = {("array", frozenset()): "PFN-05", ("message", frozenset({"HDR-05"})): "HDR-05"}
    assert blame(left("RESET-01"), {PLAIN: 0.0}, 1, losses=other) == "RESET-01"


def test_the_largest_page_of_the_host_explains_every_discard():
    around = PageSet.parse("0x0+0x8000")
    assert host_page_of(EMPTY, around) == 0
    assert host_page_of(PageSet.parse("0x1000+16", "0x2000+8"), around) == 8
    assert host_page_of(PageSet.parse("0x1000+16", "0x2001"), around) == 1
    # Where nobody looked on, nothing ends.
    assert host_page_of(PageSet.parse("0x1000+3"), PageSet.parse("0xfff+4")) == 4096
    assert host_page_of(PageSet.parse("0x1000+3"), PageSet.parse("0x1000+4")) == 1


def test_a_judge_hands_over_what_it_could_not_decide():
    judge = Judge(CHUNK_TRANSFER)
    judge.feed_all([*start(), inflate("m", A), used(INFLATE, "m")])
    (finding,) = judge.feed(gone())
    assert finding.requirement == "INF-07"
    (lost,) = judge[Discards].given_back.left
    assert (lost.event, lost.missing) == (finding.event, PageSet.parse("0x1000+4"))
    judge.feed_all([inflate("n", B, chunk(0x3000, 1)), used(INFLATE, "n"), gone("0x2000+2", "0x3000")])
    assert [dataclasses.replace(one, features=frozenset()) for one in judge[Discards].given_back.able] == [
        where(features=frozenset())
    ]
    assert judge[Discards].given_back.host_page == 1
    # What comes late is not lost.
    judge.feed(gone("0x1000+4"))
    assert judge[Discards].given_back.left == ()


def test_what_comes_after_the_return_does_not_follow_the_advice():
    late = dataclasses.replace(gone("0x1000+4"), late=PageSet.parse("0x1003"), seconds=0.5)
    judge = Judge(CHUNK_TRANSFER)
    judge.feed_all([*start(), inflate("m", A), used(INFLATE, "m")])
    (finding,) = judge.feed(late)
    assert (finding.requirement, finding.seen) == ("INF-07", "still there after it: 0x1003")
    assert judge[Discards].given_back.left == ()


def test_a_message_on_the_wrong_queue_may_be_acted_on_by_its_queue():
    judge = Judge(CHUNK_TRANSFER)
    judge.feed_all([*start(), request(), inflate("m", A, flag=1, ident=7), used(INFLATE, "m")])
    assert judge.feed(gone("0x1000+4")) == []


def test_a_page_that_many_buffers_name_takes_no_other_page_of_them_out_of_sight():
    judge = Judge(CHUNK_TRANSFER)
    events = [*start(), inflate("m", chunk(0x2000, 1)), used(INFLATE, "m"), gone("0x2000")]
    events += [inflate("both", chunk(0x1000, 1), chunk(0x1100, 1)), used(INFLATE, "both")]
    for number in range(17):
        events += [inflate(f"again{number}", chunk(0x1000, 1)), used(INFLATE, f"again{number}")]
    judge.feed_all(events)
    (finding,) = judge.feed(gone("0x1000"), None)
    assert (finding.requirement, finding.seen) == ("CHUNK-13", "still there: 0x1100")
