"""At the limits of every rule no more and no less is found, and a requirement counts only where it is tested."""

from __future__ import annotations

import pytest
from judge_limits import (
    buffers,
    configuration,
    contents,
    convergence,
    memory,
    negotiation,
    notifications,
    pages,
    requests,
    statistics_queue,
)
from judge_limits.requests import OPEN
from judge_script import (
    DEFLATE,
    INFLATE,
    MEMORY,
    A,
    B,
    chunk,
    deflate,
    gone,
    inflate,
    message,
    request,
    start,
    unused,
    used,
)

from balloon_spec import events as ev
from balloon_spec.families.base.discards import Discards
from balloon_spec.families.base.guest_memory import GuestMemory
from balloon_spec.judge import Judge
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

AREAS = (
    *(requests, buffers, notifications, negotiation, statistics_queue, configuration),
    *(contents, convergence, pages, memory),
)
FOUND, COUNTED, SEEN = (
    {
        f"{area.__name__.split('.')[-1]}: {name}": case
        for area in AREAS
        for name, case in getattr(area, table).items()
    }
    for table in ("FOUND", "COUNTED", "SEEN")
)


def judged(events):
    judge = Judge(CHUNK_TRANSFER)
    return judge, judge.feed_all(events)


@pytest.mark.parametrize("name", FOUND)
def test_no_more_and_no_less_is_found(name):
    events, expected = FOUND[name]
    assert [finding.requirement for finding in judged(events)[1]] == expected


@pytest.mark.parametrize("name", COUNTED)
def test_a_requirement_counts_where_it_was_put_to_the_test_and_only_there(name):
    events, expected = COUNTED[name]
    counts = judged(events)[0].exercised
    assert {requirement: counts[requirement] for requirement in expected} == expected


@pytest.mark.parametrize("name", SEEN)
def test_a_finding_says_what_was_expected_and_what_was_seen(name):
    events, expected = SEEN[name]
    finding = judged(events)[1][-1]
    assert (finding.field, finding.expected, finding.seen) == expected


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (buffers.FOUND["the driver alters a buffer"][0], "the driver changed a buffer that is in flight"),
        (buffers.FOUND["the device alters a buffer"][0], "the device wrote to a device-readable buffer"),
        ([*start(), used(INFLATE, "m")], "a buffer is returned that is not in flight"),
        (
            [*start(), inflate("m", A), ev.Reset(), *start(), used(INFLATE, "m")],
            "a buffer from before the reset is returned",
        ),
        (buffers.SEEN["a chain that loops"][0], "the driver made available what cannot be a buffer"),
        (
            buffers.SEEN["a used ring that runs ahead"][0],
            "the used ring names what cannot have been in flight",
        ),
        (memory.FOUND["a device that ends"][0], "the device ended although no malformed buffer was sent"),
        (
            memory.FOUND["a device that hangs"][0],
            "the device does not answer, or never pauses, although no malformed buffer was sent",
        ),
        (
            [*start(posts=False), ev.Available(INFLATE, "r0", writable_bytes=16)],
            "a request buffer was made available on another queue",
        ),
        (
            [*OPEN, ev.Available(INFLATE, "u", message(A, flag=1, ident=7))],
            "an unused-page message was made available on another queue",
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_the_words_are_those_of_the_requirement(events, words):
    assert [finding.words for finding in judged(events)[1]] == [words]


@pytest.mark.parametrize(
    ("chunks", "at"),
    [
        ((chunk(0x9000, 1), A), 0),
        ((A, chunk(0x9000, 1)), 1),
        ((A, B, chunk(0x3000, 1, 3), A), 2),
        ((A, B, A, chunk(0x3000, 0)), 3),
        ((contents.SWAPPED, contents.OTHER_SWAPPED), 0),
    ],
)
def test_what_is_wrong_with_a_chunk_is_shown_with_that_chunk_alone(chunks, at):
    finding = judged([*start(), inflate("m", *chunks)])[1][0]
    assert finding.data == chunks[at]


@pytest.mark.parametrize("fields", [{"ident": 8}, {"flag": 2}])
def test_what_is_wrong_with_a_header_is_shown_with_the_header_alone(fields):
    (finding,) = judged([*OPEN, unused("u", A, **fields)])[1]
    assert finding.data == message(A, **({"flag": 1, "ident": 7} | fields))[:8]


@pytest.mark.parametrize(
    ("first", "second", "found", "counted"),
    [(10.5, 12.0, [], 1), (11.0, 11.0, [], 1), (11.5, 11.5, ["REQ-22"], 1), (None, 12.0, [], 0)],
)
def test_the_first_message_alone_is_timed_and_only_where_there_are_times(first, second, found, counted):
    judge = Judge(CHUNK_TRANSFER)
    judge.feed_all(start())
    judge.feed(request(), 10.0)
    findings = [*judge.feed(unused("u", A, flag=0), first), *judge.feed(unused("v", B), second)]
    assert [finding.requirement for finding in findings] == found
    assert judge.exercised["REQ-22"] == counted


def test_a_request_without_a_time_has_no_answer_that_is_late():
    judge = Judge(CHUNK_TRANSFER)
    judge.feed_all(OPEN)
    assert judge.feed(unused("u", A), 12.0) == []
    assert judge.exercised["REQ-22"] == 0


def test_a_judge_tells_what_is_worth_a_look_and_whether_the_device_discards():
    judge = Judge(CHUNK_TRANSFER)
    assert (judge.memory, judge[GuestMemory].may_be_discarded, bool(judge[Discards].able)) == (
        None,
        EMPTY,
        False,
    )
    judge.feed_all([*start(), inflate("m", A, B), used(INFLATE, "m")])
    assert judge.memory == MEMORY
    assert judge[GuestMemory].may_be_discarded == PageSet.parse("0x1000+4", "0x2000+2")
    judge.feed(gone("0x1000+4", "0x2000"))
    assert judge[GuestMemory].may_be_discarded == PageSet.parse("0x1000+4", "0x2000+2")
    assert not judge[Discards].able
    judge.feed_all([inflate("n", B), used(INFLATE, "n"), gone("0x2000+2")])
    assert judge[Discards].able


def test_until_a_deflate_buffer_is_returned_its_pages_may_be_discarded_again():
    judge = Judge(CHUNK_TRANSFER)
    judge.feed_all([*start(), inflate("m", A, B), used(INFLATE, "m"), gone("0x1000+4", "0x2000+2")])
    judge.feed(deflate("d", A))
    assert judge[GuestMemory].taken_back(used(DEFLATE, "d")) == PageSet.parse("0x1000+4")
    assert judge.feed(gone("0x1000+4")) == []
    judge.feed(used(DEFLATE, "d"))
    assert judge[GuestMemory].may_be_discarded == PageSet.parse("0x2000+2")
    assert [one.requirement for one in judge.feed(gone("0x1000+4"))] == ["DEF-08"]


@pytest.mark.parametrize("taken_back", [False, True])
def test_after_a_reset_no_page_of_before_may_be_discarded_again(taken_back):
    judge = Judge(CHUNK_TRANSFER)
    judge.feed_all([*start(), inflate("m", A), used(INFLATE, "m"), gone("0x1000+4")])
    if taken_back:
        judge.feed_all([deflate("d", A), used(DEFLATE, "d")])
    judge.feed_all([ev.Reset(), *start()])
    assert [one.requirement for one in judge.feed(gone("0x1000+4"))] == ["RESET-06"]
