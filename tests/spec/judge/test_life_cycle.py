"""What begins and ends a session: the status, the same features again, and nothing in between."""

import pytest
from judge_script import (
    DEFLATE,
    DEVICE_QUIET,
    DRIVER_QUIET,
    FULL,
    INFLATE,
    MESSAGES,
    PROFILE,
    REQUESTS,
    STATISTICS,
    STATS,
    TELL,
    VERSION,
    A,
    actual,
    chunk,
    deflate,
    held,
    inflate,
    post,
    request,
    start,
    statistics,
    target,
    unused,
    used,
    wants,
)

from balloon_spec import events as ev
from balloon_spec.judge import Judge

WISH = ev.Operator(ev.OperatorAction.STATISTICS)


def refreshed(number):
    fresh = ev.Available(STATISTICS, f"s{number + 1}", statistics((4, 1)), notified=True)
    return [used(STATISTICS, f"s{number}"), fresh]


def wish(number):
    return ev.Operator(ev.OperatorAction.UNUSED_PAGES, number)


def answered(number):
    """A request that is made and answered, and a fresh request buffer."""
    done = unused(f"u{number}", flag=1, ident=number)
    again = [done, used(REQUESTS, f"u{number}"), post(f"r{number + 1}")]
    return [wish(number), request(f"r{number}", number), *again]


def judged(*events):
    judge = Judge(PROFILE)
    return judge, [finding.requirement for finding in judge.feed_all(events)]


@pytest.mark.parametrize(("status", "findings", "count"), [(0, [], 1), (4, ["RESET-07"], 1), (None, [], 0)])
def test_the_status_counts_where_it_can_be_read(status, findings, count):
    judge, found = judged(*start(), ev.Reset(status))
    assert (found, judge.exercised["RESET-07"]) == (findings, count)


def test_a_reset_before_anything_was_negotiated_shows_nothing():
    assert judged(ev.Reset(0))[0].exercised["RESET-07"] == 0
    assert judged(ev.Reset(15))[1] == ["RESET-07"]


def negotiated(offered, accepted, ok):
    return ev.Negotiated(offered, accepted, ok)


def test_a_right_to_refuse_does_not_cover_what_was_accepted_before():
    first = negotiated(VERSION | TELL, VERSION, True)
    found = judged(first, ev.Reset(), negotiated(VERSION | TELL, VERSION, False))[1]
    assert sorted(found) == ["NEG-10", "NEG-10", "RESET-08"]
    assert judged(first, ev.Reset(), ev.Reset(), first)[0].exercised["RESET-08"] == 1


def test_a_set_that_was_never_accepted_is_not_refused_again():
    other = negotiated(VERSION | TELL | STATS, VERSION | STATS, False)
    assert "RESET-08" not in judged(negotiated(VERSION | TELL | STATS, VERSION, True), ev.Reset(), other)[1]
    refused = negotiated(VERSION | TELL, VERSION, False)
    assert "RESET-08" not in judged(refused, ev.Reset(), refused)[1]


def test_what_was_not_offered_when_it_was_accepted_need_not_be_offered_again():
    first = negotiated(VERSION, VERSION | 1 << 40, True)
    assert judged(first, ev.Reset(), negotiated(VERSION, VERSION, True))[1] == ["NEG-05", "NEG-06"]


@pytest.mark.parametrize(("served", "blamed"), [(True, "SAFE-04"), (False, "QUEUE-07")])
def test_deflate_buffers_that_stay_out_were_returned_before_or_not(served, blamed):
    before = [*held(features=FULL), deflate("d", chunk(0x1000, 1))]
    before += [used(DEFLATE, "d")] if served else []
    bad = [
        ev.Available(INFLATE, "bad", b"\xff"),
        ev.Reset(),
        *start(FULL),
        inflate("n", A),
        used(INFLATE, "n"),
    ]
    found = judged(*before, *bad, deflate("last", A), DEVICE_QUIET)[1]
    assert blamed in found
    assert len({"SAFE-04", "QUEUE-07"} & {*found}) == 1


def test_actual_stays_if_driver_ok_is_written_again():
    shown = ev.ConfigurationRead(4, bytes(4))
    judge, found = judged(*start(), shown, ev.DriverOk(), shown)
    assert (judge.exercised["CFG-08"], found) == (1, [])
    assert judged(*start(), shown, ev.DriverOk(), ev.ConfigurationRead(4, b"\1\0\0\0"))[1] == ["CFG-08"]


UNBOUND = {
    "a buffer in flight": [*start(MESSAGES), inflate("m", A), ev.Reset()],
    "pages given up": [*held(), ev.Reset(), wants("inflate", "0x2000")],
    "pages wanted back": [*held(), ev.Reset(), wants("deflate", "0x1000")],
}


@pytest.mark.parametrize("before", UNBOUND.values(), ids=UNBOUND)
def test_a_driver_without_a_device_keeps_still(before):
    judge, found = judged(*before, DRIVER_QUIET)
    assert (found, judge.exercised["RESET-09"]) == ([], 1)
    assert judged(*before, actual(0))[1][0] == "RESET-09"
    assert judged(*before, ev.Available(INFLATE, "n", bytes(4)))[1][0] == "RESET-09"


def test_a_driver_that_had_no_reason_to_act_shows_nothing():
    assert judged(*start(), ev.Reset(), DRIVER_QUIET)[0].exercised["RESET-09"] == 0


def test_a_driver_without_a_device_owes_no_inflation():
    open_target = [*start(MESSAGES), target(4), wants("inflate", "0x1000+4"), ev.Reset()]
    assert judged(*open_target, wants("inflate", "0x2000"), DRIVER_QUIET)[1] == []


# -- DRIVER_OK once more ----------------------------------------------------------------------------------


def test_a_held_statistics_buffer_is_lost_only_by_a_device_that_returned_two_before():
    served = [*start(MESSAGES), WISH, *refreshed(0), WISH, *refreshed(1), ev.DriverOk(), WISH]
    assert judged(*served, DEVICE_QUIET)[1] == ["QUEUE-14"]
    for often in ([], [WISH, *refreshed(0)]):
        # It may serve one wish and hold the next buffer for ever (STATS-09).
        assert judged(*start(MESSAGES), *often, ev.DriverOk(), WISH, DEVICE_QUIET)[1] == []
    judge, found = judged(*served, used(STATISTICS, "s2"))
    assert (found, judge.exercised["QUEUE-14"]) == ([], 1)


def session(*events, features=FULL, notified=False):
    """A session that begins with a statistics buffer that was there at DRIVER_OK, and ends with a reset."""
    early = ev.Available(STATISTICS, "s0", statistics((4, 1)), notified=notified)
    begins = [*start(features, posts=False, driver_ok=False), early, ev.DriverOk()]
    return [*begins, *events, ev.Reset()]


def test_statistics_that_were_there_at_driver_ok_are_missed_by_a_device_that_returned_two_before():
    served = session(WISH, *refreshed(0), WISH, *refreshed(1))
    missed = session(WISH, DEVICE_QUIET)
    assert judged(*session(), *served, *missed)[1] == ["QUEUE-04"]
    judge, found = judged(*session(), *served, *session(WISH, *refreshed(0)))
    assert (found, judge.exercised["QUEUE-04"]) == ([], 2)


@pytest.mark.parametrize(
    "events",
    [
        session(WISH, DEVICE_QUIET),
        [*session(), *session(WISH, *refreshed(0)), *session(WISH, DEVICE_QUIET)],
        [*session(WISH, *refreshed(0), WISH, *refreshed(1)), *session(WISH, DEVICE_QUIET)],
        [
            *session(),
            *session(WISH, *refreshed(0), WISH, *refreshed(1), features=MESSAGES),
            *session(WISH, DEVICE_QUIET),
        ],
        [*session(), *session(*refreshed(0), *refreshed(1)), *session(WISH, DEVICE_QUIET)],
        [*session(), *session(WISH, *refreshed(0), WISH, *refreshed(1)), *session(DEVICE_QUIET)],
        [
            *session(),
            *session(WISH, *refreshed(0), WISH, *refreshed(1)),
            *session(WISH, DEVICE_QUIET, features=MESSAGES),
        ],
        [
            *session(),
            *session(WISH, *refreshed(0), WISH, *refreshed(1)),
            *session(ev.Notified(ev.Side.DRIVER, STATISTICS), WISH, DEVICE_QUIET),
        ],
    ],
    ids=[
        "holds them all",
        "served one",
        "served after no reset",
        "served without host requests",
        "returned unasked",
        "without a wish",
        "without host requests",
        "notified since",
    ],
)
def test_statistics_are_held_and_not_missed(events):
    assert "QUEUE-04" not in judged(*events)[1]


def test_a_buffer_that_came_since_is_not_held_over():
    late = [*start(MESSAGES, posts=False), ev.DriverOk(), inflate("m", A), used(INFLATE, "m")]
    assert judged(*late)[0].exercised["QUEUE-14"] == 0


def test_a_request_buffer_is_used_after_driver_ok_was_written_again():
    served = [*start(FULL), *answered(0), *answered(1)]
    judge, found = judged(*served, ev.DriverOk(), wish(7), request("r2", 7))
    assert (found, judge.exercised["QUEUE-14"]) == ([], 1)
    assert judged(*served, ev.DriverOk(), wish(7), DEVICE_QUIET)[1] == ["QUEUE-14"]
    # Nobody saw that it would have made a second one.
    assert judged(*start(FULL), *answered(0), ev.DriverOk(), wish(7), DEVICE_QUIET)[1] == []


def test_buffers_of_a_running_driver_were_not_notified_too_early():
    loud = ev.Available(INFLATE, "m", b"", notified=True)
    found = judged(*start(MESSAGES, posts=False), loud, ev.DriverOk())[1]
    assert "QUEUE-09" not in found
