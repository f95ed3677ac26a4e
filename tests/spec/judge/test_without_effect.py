"""What closes an open request, and what only looks as if it did."""

import pytest
from judge_script import (
    DEVICE_QUIET,
    PROFILE,
    REQUESTS,
    A,
    B,
    chunk,
    deflate,
    held,
    inflate,
    message,
    post,
    request,
    start,
    unused,
    used,
)

from balloon_spec import events as ev
from balloon_spec.judge import Judge

WISH = ev.Operator(ev.OperatorAction.UNUSED_PAGES, 9)
WAITING = [*start(), request(), post("r1"), WISH]
"""Nothing but the open request 7 keeps the device from the next one."""
AGAIN = request("r1", 9)
PLAIN = [inflate("c", B), used(0, "c")]
STRAYS = {
    "REQ-19": [unused("x", flag=1, ident=8), used(REQUESTS, "x")],
    "REQ-25": [unused("x", A, flag=3, ident=7), used(REQUESTS, "x")],
    "HDR-05": [*PLAIN, DEVICE_QUIET, inflate("x", A, flag=1), used(0, "x")],
    "SAFE-08": [ev.Available(REQUESTS, "x", b"\0\1"), used(REQUESTS, "x")],
    "SAFE-06": [
        ev.Available(REQUESTS, "x", message(flag=1, ident=7, data_len=1) + b"\0"),
        used(REQUESTS, "x"),
    ],
}


def judged(*events):
    judge = Judge(PROFILE)
    return judge, [one.requirement for one in judge.feed_all(events) if one.subject is ev.Side.DEVICE]


@pytest.mark.parametrize("name", STRAYS)
def test_a_request_after_a_stray_is_the_strays_doing(name):
    assert judged(*WAITING, DEVICE_QUIET, *STRAYS[name], AGAIN)[1] == [name]


@pytest.mark.parametrize("name", STRAYS)
def test_a_device_that_goes_on_waiting_keeps_it(name):
    judge, findings = judged(*WAITING, DEVICE_QUIET, *STRAYS[name], DEVICE_QUIET)
    assert findings == []
    # The return of a message that answers nothing keeps REQ-19 as well.
    assert judge.exercised[name] == (2 if name == "REQ-19" else 1)


@pytest.mark.parametrize("name", ["REQ-19", "HDR-05", "SAFE-08"])
def test_without_proof_of_patience_an_early_request_is_no_more_than_early(name):
    assert judged(*WAITING, *STRAYS[name], AGAIN)[1] == ["REQ-05"]


def test_a_device_may_give_a_request_up_for_the_balloon():
    """It did so for a message with an ordinary header, or nobody saw that it would not."""
    assert judged(*WAITING, DEVICE_QUIET, *PLAIN, AGAIN)[1] == ["REQ-05"]
    unsettled = [inflate("x", A, flag=1), used(0, "x")]
    assert judged(*WAITING, DEVICE_QUIET, *unsettled, AGAIN)[1] == ["REQ-05"]
    assert judged(*WAITING, DEVICE_QUIET, *PLAIN, *unsettled, AGAIN)[1] == ["REQ-05"]


def test_the_true_done_closes_it_whatever_came_before():
    for stray in STRAYS.values():
        done = [unused("d", flag=1, ident=7), used(REQUESTS, "d")]
        assert judged(*WAITING, DEVICE_QUIET, *stray, *done, AGAIN)[1] == []


def test_a_device_need_not_take_a_done_that_is_malformed_for_the_end():
    assert judged(*WAITING, *STRAYS["SAFE-06"], DEVICE_QUIET)[1] == []
    assert judged(*WAITING, *STRAYS["SAFE-06"], AGAIN)[1] == []


@pytest.mark.parametrize(
    ("faulty", "name"),
    [
        (chunk(0x1000, 4, reserved=1), "REQ-20"),
        (chunk(0x1000, 0), "REQ-27"),
        (chunk(1 << 40, 1), "REQ-27"),
    ],
    ids=["reserved bits", "no pages", "outside memory"],
)
def test_a_done_ends_its_exchange_whatever_one_of_its_chunks_is(faulty, name):
    done = [unused("d", A, faulty, flag=1, ident=7), used(REQUESTS, "d")]
    assert judged(*WAITING, *done, DEVICE_QUIET)[1] == [name]
    judge, findings = judged(*WAITING, *done, AGAIN)
    assert (findings, judge.exercised[name]) == ([], 1)


@pytest.mark.parametrize(
    "vague",
    [
        ev.Available(REQUESTS, "d", message(A, flag=1, ident=7, data_len=32)),
        ev.Available(REQUESTS, "d", message(A, flag=1, ident=7), 16),
    ],
    ids=["more announced than there is", "a part to write to"],
)
def test_of_a_done_that_may_be_refused_whole_nothing_is_expected(vague):
    assert judged(*WAITING, vague, used(REQUESTS, "d"), DEVICE_QUIET)[1] == []
    assert judged(*WAITING, vague, used(REQUESTS, "d"), AGAIN)[1] == []


# -- pages ------------------------------------------------------------------------------------------------


def looks(*runs):
    return ev.Discarded(ev.PageSet.parse(*runs) if runs else ev.EMPTY, ev.PageSet([(0x1000, 8)]))


def test_pages_that_were_never_inflated_are_not_those_that_were_taken_back():
    never = [*start(), deflate("d", A), used(1, "d")]
    assert judged(*never, looks("0x1000"))[1] == ["DEF-07"]
    back = [*held(), looks("0x1000+4"), deflate("d", A), used(1, "d")]
    assert judged(*back, looks("0x1000"))[1] == ["DEF-08"]
    assert judged(*never)[0].feed_all([looks()]) == []


def test_an_inflate_buffer_ends_what_a_deflate_buffer_forbade():
    never = [*start(), deflate("d", A), used(1, "d"), inflate("m", A), used(0, "m")]
    assert judged(*never, looks("0x1000+4"))[1] == []


# -- a reset ----------------------------------------------------------------------------------------------


def test_a_buffer_of_any_session_before_is_stale():
    twice = [*start(), inflate("m", A), ev.Reset(), *start(), ev.Reset(), *start()]
    judge, findings = judged(*twice, looks("0x1000"), used(0, "m"))
    assert findings == ["RESET-06", "RESET-02"]
    assert judge.exercised["RESET-02"] == 1


def test_nothing_can_come_back_after_a_reset_with_nothing_in_flight():
    empty = [*start(posts=False), ev.Reset(), *start(posts=False), inflate("m", A), used(0, "m")]
    assert judged(*empty)[0].exercised["RESET-02"] == 0
