"""Which requirement is blamed where several could be, and for what is blamed nobody."""

from __future__ import annotations

import pytest
from judge_script import (
    ARRAYS,
    CHUNKS,
    DEFLATE,
    DEVICE_QUIET,
    DRIVER_QUIET,
    FULL,
    HOST,
    INFLATE,
    MESSAGES,
    OOM,
    REQUESTS,
    STATISTICS,
    STATS,
    TELL,
    VERSION,
    A,
    B,
    actual,
    array,
    chunk,
    deflate,
    gone,
    inflate,
    message,
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
from balloon_spec.profiles import CHUNK_TRANSFER

WISH = ev.Operator(ev.OperatorAction.UNUSED_PAGES, 8)
RESET = [ev.Reset(), *start(FULL)]
SHORT = ev.Available(INFLATE, "m", b"\0" * 7)
PLAIN = [inflate("plain", chunk(0x800, 1)), used(INFLATE, "plain"), gone("0x800")]


def blamed(*events):
    return [finding.requirement for finding in Judge(CHUNK_TRANSFER).feed_all(events)]


@pytest.mark.parametrize(
    ("requirement", "events"),
    [
        ("REQ-20", [*start(), request(), unused("u"), used(REQUESTS, "u"), post(), WISH]),
        ("RESET-03", [*start(), request(), *RESET, WISH]),
        (
            "QUEUE-04",
            [
                *start(posts=False, driver_ok=False),
                ev.Available(REQUESTS, "r", b"", 16, False),
                ev.DriverOk(),
                WISH,
            ],
        ),
        ("NEG-09", [*start(VERSION | STATS | HOST), WISH]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_request_that_is_not_made_is_blamed_on_what_went_before(requirement, events):
    assert blamed(*events, DEVICE_QUIET) == [requirement]


@pytest.mark.parametrize(
    "events",
    [
        [*start(), WISH],
        [*start(posts=False), WISH],
        [*start(), request(), WISH],
        [*start(), request(), post(), WISH],
        [*start(), WISH, request()],
        [*start(), SHORT, ev.NeedsReset(), WISH],
    ],
    ids=["first", "without a buffer", "while open", "while open with a buffer", "made", "needs reset"],
)
def test_a_request_that_need_not_be_made_is_blamed_on_nobody(events):
    made = [
        name for name in blamed(*events, DEVICE_QUIET) if name in {"REQ-20", "RESET-03", "QUEUE-04", "NEG-09"}
    ]
    assert made == []


@pytest.mark.parametrize(
    "buffer",
    [
        SHORT,
        ev.Available(INFLATE, "m", message(A), 16),
        ev.Available(INFLATE, "m", array(0x1000)),
        ev.Available(STATISTICS, "m", b"\0" * 3),
        ev.Available(STATISTICS, "m", b""),
        ev.Available(REQUESTS, "m", b"", 8),
        inflate("m"),
        unused("m", flag=2),
        unused("m", flag=0),
    ],
    ids=["short", "writable", "array", "entry", "no entry", "small", "no chunk", "flag", "empty cont"],
)
def test_what_a_device_does_after_a_malformed_buffer_is_judged_as_that(buffer):
    first = [*start(), request(), buffer]
    assert "SAFE-05" in blamed(*first, inflate("good", B), DEVICE_QUIET)
    assert "QUEUE-07" not in blamed(*first, ev.NeedsReset())


def test_a_stray_message_is_not_malformed():
    # It is to be returned without effect, so that a device which gives up at it breaks just that.
    assert "REQ-19" in blamed(*start(), request(), unused("u", A, ident=9), ev.NeedsReset())


def test_what_happens_after_a_look_is_not_the_doing_of_an_earlier_malformed_buffer():
    harmless = [*start(), SHORT, used(INFLATE, "m"), gone()]
    assert blamed(*harmless, inflate("n", B), used(INFLATE, "n"), gone("0x2000+3"))[-1] == "INF-08"
    unseen = [*start(), SHORT, used(INFLATE, "m")]
    assert blamed(*unseen, inflate("n", B), used(INFLATE, "n"), gone("0x2000+3"))[-1] == "SAFE-08"
    held = [*start(), SHORT, gone()]
    assert blamed(*held, inflate("n", B), used(INFLATE, "n"), gone("0x2000+3"))[-1] == "SAFE-08"


def test_an_unused_page_discarded_after_a_reset_is_still_blamed_on_the_message():
    told = [*start(), request(), unused("u", A), used(REQUESTS, "u"), *RESET]
    assert blamed(*told, gone("0x1000")) == ["UNUSED-01"]


def test_only_a_device_that_discards_is_blamed_for_what_a_discard_puts_to_the_test():
    dirty = [inflate("n", chunk(0x2000, 2, 1)), used(INFLATE, "n")]
    assert blamed(*start(), *dirty, gone())[-1] == "INF-07"
    assert blamed(*start(), *PLAIN, *dirty, gone())[-1] == "CHUNK-06"
    partly = [inflate("m", A), used(INFLATE, "m"), gone("0x1000+3")]
    assert blamed(*start(), *partly, *dirty, gone("0x2000")) == ["CHUNK-13", "CHUNK-03", "CHUNK-13"]


def test_a_plain_buffer_found_in_the_same_look_shows_that_the_device_discards():
    both = [
        inflate("m", A),
        inflate("n", chunk(0x2000, 4), chunk(0x1800, 1)),
        used(INFLATE, "m"),
        used(INFLATE, "n"),
    ]
    # It may be one that discards when it is notified the next time.
    assert blamed(*start(), *both, gone("0x1000+4")) == ["INF-07"]
    both += [inflate("o", chunk(0x3000, 2)), used(INFLATE, "o")]
    assert blamed(*start(), *both, gone("0x1000+4")) == ["CHUNK-13", "INF-07"]


def test_two_buffers_held_back_are_blamed_on_what_is_in_flight_beside_them():
    assert blamed(*start(MESSAGES), inflate("m", A), inflate("n", B), DEVICE_QUIET) == [
        "QUEUE-07",
        "QUEUE-06",
    ]
    answered = [*start(), request(), unused("u"), inflate("m", A)]
    assert blamed(*answered, DEVICE_QUIET) == ["REQ-18", "CONC-06"]
    without_requests = [*start(MESSAGES), inflate("m", A), deflate("d", B)]
    assert blamed(*without_requests, DEVICE_QUIET)[1:] == ["QUEUE-07", "DEF-07"]


def test_silence_before_driver_ok_is_not_held_against_the_device_later():
    early = [*start(MESSAGES, driver_ok=False, posts=False), ev.Available(INFLATE, "m", message(A), 0, False)]
    noticed = [ev.DriverOk(), inflate("n", B), used(INFLATE, "n"), DEVICE_QUIET]
    assert blamed(*early, DEVICE_QUIET, *noticed) == ["QUEUE-07"]
    assert blamed(*early, DEVICE_QUIET) == []


@pytest.mark.parametrize(
    ("offset", "data", "requirement"),
    [(4, "00", "CFG-06"), (5, "01", "CFG-06"), (4, "00 00 00 04", "CFG-01"), (0, "00 00 00 00 05", "CFG-06")],
)
def test_a_part_of_actual_is_compared_with_what_was_written(offset, data, requirement):
    events = [*start(), inflate("m", A), used(INFLATE, "m"), actual(4)]
    assert blamed(*events, ev.ConfigurationRead(offset, bytes.fromhex(data))) == [requirement]
    right = b"\0\0\0\0\4\0\0\0"[offset : offset + len(bytes.fromhex(data))]
    assert blamed(*events, ev.ConfigurationRead(offset, right)) == []


def test_chunks_without_a_header_are_told_from_a_wrong_length():
    assert blamed(*start(), ev.Available(INFLATE, "m", A + B)) == ["HDR-01"]
    assert "HDR-02" in blamed(*start(), ev.Available(INFLATE, "m", message(A)[:-8]))


def test_a_buffer_of_the_host_request_queue_is_recognised_on_another():
    assert blamed(*start(posts=False), ev.Available(STATISTICS, "r", b"", 16)) == ["QUEUE-01"]
    asked = [*start(), request()]
    assert blamed(*asked, ev.Available(DEFLATE, "u", message(A, flag=1, ident=7))) == ["QUEUE-01"]
    assert blamed(*asked, ev.Available(INFLATE, "u", message(A, ident=9))) == ["HDR-04"]
    assert blamed(*start(), ev.Available(INFLATE, "u", message(A, ident=7))) == ["HDR-04"]


def test_actual_written_on_the_return_of_another_buffer_is_blamed_on_the_mix_up():
    flying = [*start(), request(), inflate("m", A), unused("u")]
    assert blamed(*flying, used(REQUESTS, "u"), actual(4)) == ["CONC-05"]
    assert blamed(*flying, actual(4)) == ["INF-05"]
    assert blamed(*flying, used(REQUESTS, "u"), post(), actual(4)) == ["INF-05"]


def test_a_driver_that_stops_at_a_used_length_is_blamed_for_that():
    stopped = [*start(MESSAGES), inflate("m", A)]
    assert blamed(*stopped, used(INFLATE, "m", 24), DRIVER_QUIET) == ["BUF-03", "BUF-06"]
    assert blamed(*stopped, used(INFLATE, "m"), DRIVER_QUIET) == ["CFG-04"]


def test_pages_outside_memory_do_not_count_as_pages_of_an_exchange():
    far = chunk(0x100000, 0x100000)
    assert blamed(*start(), request(), unused("u", A, far)) == ["CHUNK-05"]


@pytest.mark.parametrize(
    ("named", "requirement"),
    [(chunk(0x1001, 4), "CHUNK-01"), (chunk(0x1001, 5), "CHUNK-02"), (chunk(0x1000, 5), "CHUNK-02")],
)
def test_a_run_that_is_not_the_meant_one_is_blamed_on_base_or_size(named, requirement):
    events = [*start(MESSAGES), wants("inflate", "0x1000+4"), inflate("m", named)]
    assert blamed(*events) == [requirement]


def test_a_page_of_the_balloon_reported_unused_is_not_an_error_of_arithmetic():
    held = [*start(), inflate("m", A), used(INFLATE, "m"), actual(4), wants("unused", "0x3000"), request()]
    assert blamed(*held, unused("u", A, chunk(0x3000, 1))) == ["UNUSED-02"]


def test_a_target_is_followed_even_where_deflation_on_demand_was_not_negotiated():
    shrunk = [*start(MESSAGES & ~OOM), target(4), inflate("m", A), used(INFLATE, "m"), actual(4), target(2)]
    out = [deflate("d", chunk(0x1000, 2)), used(DEFLATE, "d"), actual(2)]
    assert blamed(*shrunk, *out) == []


def test_statistics_that_come_late_and_changed_are_two_findings():
    late = [*start(MESSAGES), used(STATISTICS, "s0"), DRIVER_QUIET]
    assert blamed(*late, ev.Available(STATISTICS, "s1", statistics((5, 1)))) == ["STATS-03", "STATS-05"]


def test_a_driver_that_counts_what_it_did_not_send_is_at_its_target():
    # actual says 4 of 4, so nothing is left to inflate; that the device heard of 2 pages is INF-03's.
    events = [*start(), target(4), wants("inflate", "0x1000+4"), inflate("m", chunk(0x1000, 2))]
    assert blamed(*events, used(INFLATE, "m"), actual(4), DRIVER_QUIET) == ["INF-03"]
    assert blamed(*events, used(INFLATE, "m"), actual(2), DRIVER_QUIET) == ["INF-10"]


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("SAFE-06", unused("u", A, data_len=24)),
        ("SAFE-07", unused("u", data_len=0)),
        ("CHUNK-09", unused("u", chunk(0x1000, 0))),
        ("SAFE-11", unused("u", chunk(0x3FFF, 2))),
    ],
)
def test_a_malformed_hint_is_no_permission_where_arrays_carry_the_balloon(requirement, message):
    """HOST_REQ_VQ alone has the same messages, and the same rules against what is wrong with them."""
    page = {"SAFE-11": "0x3fff"}.get(requirement, "0x1000")
    if requirement == "SAFE-07":
        message = ev.Available(REQUESTS, "u", message.readable + A)
    found = blamed(*start(VERSION | STATS | HOST), request(), message, used(REQUESTS, "u"), gone(page))
    assert requirement in found


def test_a_request_with_reserved_words_is_refused_in_silence_or_with_its_buffer():
    answered = [*start(), request(), unused("a"), used(REQUESTS, "a"), post()]
    marked = [*answered, request("r1", 8, reserved=(1, 0, 0))]
    assert blamed(*marked, post("r2")) == ["REQ-04", "REQ-24"]
    assert blamed(*marked, DRIVER_QUIET) == ["REQ-04", "REQ-24"]
    # What was begun is another matter: the words were no reason.
    assert blamed(*marked, unused("u", A, flag=0, ident=8), post("r2")) == ["REQ-04", "REQ-17"]
    begun = [unused("u", A, flag=0, ident=8), used(REQUESTS, "u")]
    assert blamed(*marked, *begun, DRIVER_QUIET) == ["REQ-04", "REQ-11"]
    judge = Judge(CHUNK_TRANSFER)
    assert [one.requirement for one in judge.feed_all([*marked, unused("u", ident=8), post("r2")])] == [
        "REQ-04"
    ]
    assert judge.exercised["REQ-24"] == 1
    assert "REQ-24" not in blamed(*start(), request(), post())


def test_a_driver_that_was_never_seen_to_answer_does_not_mind_reserved_words():
    marked = [*start(), request(reserved=(1, 0, 0))]
    assert blamed(*marked, DRIVER_QUIET) == ["REQ-04", "REQ-11"]
    assert blamed(*marked, post()) == ["REQ-04", "REQ-17"]
    # It answered where there was something to say.
    said = [*start(), wants("unused", "0x1000+4"), request(), unused("u", A), used(REQUESTS, "u"), post()]
    empty = [*said, wants("unused"), request("r1", 8, reserved=(1, 0, 0)), DRIVER_QUIET]
    assert blamed(*empty) == ["REQ-04", "REQ-11"]


@pytest.mark.parametrize(
    ("requirement", "events"),
    [
        ("DEF-11", [actual(4), actual(1)]),
        ("DEF-11", [actual(4), used(STATISTICS, "s0"), actual(1)]),
        # Something came that the driver may have miscounted.
        ("CFG-05", [actual(4), inflate("n", B), actual(3)]),
        ("CFG-05", [actual(4), inflate("n", B), used(INFLATE, "n"), actual(3)]),
        ("CFG-05", [actual(4), deflate("d", chunk(0x1000, 1)), used(DEFLATE, "d"), actual(1)]),
        # It was wrong before.
        ("CFG-05", [actual(1)]),
    ],
)
def test_a_count_too_low_is_blamed_on_silence_where_nothing_was_said_at_all(requirement, events):
    assert blamed(*start(), inflate("m", A), used(INFLATE, "m"), *events) == [requirement]


def test_a_balloon_that_shrinks_by_a_deflate_buffer_is_told_of():
    counts = Judge(CHUNK_TRANSFER)
    returned = [deflate("d", A), used(DEFLATE, "d")]
    assert not counts.feed_all([*start(), inflate("m", A), used(INFLATE, "m"), actual(4), *returned])
    assert not counts.exercised["DEF-11"]
    assert not counts.feed(actual(0))
    assert counts.exercised["DEF-11"] == 1


@pytest.mark.parametrize("accepted", [VERSION | CHUNKS, VERSION | STATS | TELL])
def test_nothing_is_judged_after_a_refusal_that_could_not_be_told(accepted):
    """The driver does not know that it was refused, and its buffers mean what it believes."""
    negotiated = ev.Negotiated(VERSION | STATS | CHUNKS, accepted, False, shown=False)
    after = [ev.Available(INFLATE, "m", b"\0" * 7), ev.Available(9, "n"), DRIVER_QUIET]
    assert all(name.startswith("NEG") for name in blamed(negotiated, *after))
    assert "QUEUE-02" in blamed(negotiated, *after, ev.Reset(), *start(ARRAYS), ev.Available(9, "n"))
    shown = ev.Negotiated(VERSION | STATS | CHUNKS, accepted, False)
    assert "QUEUE-02" in blamed(shown, *after)


@pytest.mark.parametrize("accepted", [ARRAYS, VERSION | CHUNKS])
def test_a_device_without_features_ok_is_neither_right_nor_wrong_about_it(accepted):
    judge = Judge(CHUNK_TRANSFER)
    judge.feed(ev.Negotiated(FULL, accepted, True, shown=False))
    assert not {"NEG-06", "NEG-07", "NEG-08", "NEG-09"} & judge.exercised.keys()


COUNTED = [inflate("m", A), used(INFLATE, "m"), actual(4)]
"""Four pages in the balloon, and four that the driver is known to be able to give up."""
EMPTIED = [*COUNTED, deflate("d", A), used(DEFLATE, "d"), actual(0)]
BESIDE = [request(), unused("u")]
"""An unused-page message that is not returned."""


@pytest.mark.parametrize(
    ("events", "requirements"),
    [
        ([*start(), *EMPTIED, *BESIDE, target(4), DRIVER_QUIET], ["CONC-04"]),
        ([*start(), *EMPTIED, inflate("n", B), used(INFLATE, "n"), actual(2), *BESIDE, target(0), DRIVER_QUIET], ["CONC-04"]),
        ([*start(), *COUNTED, *BESIDE, inflate("n", B), used(INFLATE, "n"), DRIVER_QUIET], ["CONC-04"]),
        # One that never held so many may have no memory for them, and one that never shrank may stay.
        ([*start(), *EMPTIED, *BESIDE, target(5), DRIVER_QUIET], []),
        ([*start(), *COUNTED, *BESIDE, target(0), DRIVER_QUIET], []),
        # It is at its target, or on its way there.
        ([*start(), *EMPTIED, *BESIDE, target(0), DRIVER_QUIET], []),
        ([*start(), *EMPTIED, *BESIDE, target(4), inflate("n", B), DRIVER_QUIET], []),
        # The message was returned: nothing is waited for.
        ([*start(), *EMPTIED, *BESIDE, used(REQUESTS, "u"), post(), target(4), DRIVER_QUIET], []),
        # A guest that is told what to give up was told of nothing.
        ([*start(), *EMPTIED, wants("deflate", "0x1000"), *BESIDE, target(4), DRIVER_QUIET], []),
    ],
)  # fmt: skip
def test_ballooning_that_waits_for_a_message_is_told_from_a_driver_that_cannot(events, requirements):
    assert blamed(*events) == requirements


BACKWARDS = [inflate("n", B), inflate("o", chunk(0x3000, 1)), used(INFLATE, "o"), used(INFLATE, "n")]


@pytest.mark.parametrize(
    ("events", "requirements"),
    [
        ([*start(), *COUNTED, *BACKWARDS, DRIVER_QUIET], ["CONC-05"]),
        ([*start(), *COUNTED, *BACKWARDS, actual(7), DRIVER_QUIET], []),
        # One that never wrote actual is not known to go on at all.
        ([*start(), *BACKWARDS, DRIVER_QUIET], ["CFG-04"]),
        # What came out of order was counted since.
        (
            [
                *start(),
                *COUNTED,
                *BACKWARDS,
                actual(7),
                inflate("p", chunk(0x3100, 1)),
                used(INFLATE, "p"),
                DRIVER_QUIET,
            ],
            ["CFG-04"],
        ),
        # A statistics buffer of another queue changes no order.
        (
            [
                *start(),
                *COUNTED,
                inflate("n", B),
                used(STATISTICS, "s0"),
                used(INFLATE, "n"),
                ev.Available(STATISTICS, "s1", statistics((4, 1))),
                DRIVER_QUIET,
            ],
            ["CFG-04"],
        ),
    ],
)
def test_a_driver_that_stops_after_returns_in_another_order_matched_them_by_order(events, requirements):
    assert blamed(*events) == requirements
