"""Recordings: lines of queues and heads become events, strictly, and `check` takes them like traces."""

import json

import pytest
from click.testing import CliRunner
from places import POSTED_RECORDINGS

from balloon_conformance.cli import main
from balloon_conformance.traces import recording
from balloon_spec import events as ev
from balloon_spec.judge import Judge
from balloon_spec.pages import PageSet
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, MAINLINE
from balloon_spec.queues import Numbering
from balloon_spec.trace import Entry, Header, TraceError

BASIC = POSTED_RECORDINGS / "v8-basic.jsonl"

NEGOTIATED = {"t": 0.5, "event": "negotiated", "offered": "0x10000001f", "accepted": "0x100000003"}
MEMORY = {"t": 0.5, "event": "memory", "regions": [["0x10000", "0x3000"], ["0x100000", "0x1000"]]}
ARRAY = {"t": 0.6, "event": "available", "queue": 0, "id": 7, "readable": "10000000", "writable": 0}
RETURNED = {"t": 0.7, "event": "used", "queue": 0, "id": 7, "written": ""}
ACTUAL = {"t": 0.8, "event": "config_write", "offset": 4, "data": "01000000"}


def lines(*objects) -> list[str]:
    return [json.dumps(one) + "\n" for one in objects]


def events(*objects, **options) -> list[ev.Event]:
    header, *entries = recording.read(lines(*objects), CHUNK_TRANSFER, **options)
    assert header == Header(CHUNK_TRANSFER)
    return [entry.event for entry in entries if isinstance(entry, Entry)]


def test_every_kind_of_line_becomes_its_event():
    changed = {"t": 0.55, "event": "config_change", "config": "0100000000000000"}
    request = {"t": 0.7, "event": "used", "queue": 3, "id": 0, "written": "00" * 16}
    note = {"t": 0.75, "event": "note", "text": "nothing"}
    assert events(NEGOTIATED, MEMORY, changed, ARRAY, RETURNED, request, note, ACTUAL) == [
        ev.Negotiated(0x1_0000_001F, 0x1_0000_0003),
        ev.Memory(PageSet([(0x10, 3), (0x100, 1)])),
        ev.ConfigurationChanged(bytes.fromhex("0100000000000000")),
        ev.Available(0, "7", bytes.fromhex("10000000"), 0),
        ev.Used(0, "7", 0, b""),
        ev.Used(3, "0", 16, bytes(16)),
        ev.ConfigurationWritten(4, bytes.fromhex("01000000")),
    ]


def test_bytes_that_are_others_by_the_return_were_altered_by_the_driver():
    returned = RETURNED | {"readable_now": "11000000"}
    assert events(NEGOTIATED, ARRAY, returned)[-2:] == [
        ev.BufferAltered(0, "7", bytes.fromhex("11000000"), ev.Side.DRIVER),
        ev.Used(0, "7", 0, b""),
    ]


def test_a_second_negotiation_is_a_driver_that_began_anew():
    assert events(NEGOTIATED, NEGOTIATED)[1:2] == [ev.Reset()]


def test_time_in_which_nothing_happens_was_the_drivers_and_a_note_is_nothing():
    note = {"t": 1.5, "event": "note", "text": "waiting"}
    late = ACTUAL | {"t": 2.25}
    assert events(RETURNED, note, late) == [
        ev.Used(0, "7", 0, b""),
        ev.Quiet(ev.Side.DRIVER, 1.55),
        ev.ConfigurationWritten(4, bytes.fromhex("01000000")),
    ]
    assert not any(isinstance(one, ev.Quiet) for one in events(RETURNED, late, quiet_seconds=2.0))
    assert not any(isinstance(one, ev.Quiet) for one in events(RETURNED, RETURNED | {"t": 1.6}))


def test_a_driver_that_sets_up_or_was_gone_has_more_time():
    late = ACTUAL | {"t": 1.75}
    begun = [NEGOTIATED | {"t": 0.0}, MEMORY | {"t": 0.0}]
    assert not any(isinstance(one, ev.Quiet) for one in events(*begun, late))
    assert ev.Quiet(ev.Side.DRIVER, 1.75) in events(*begun, late, quiet_seconds=0.175)
    assert ev.Quiet(ev.Side.DRIVER, 8.25) in events(*begun, late, ACTUAL | {"t": 10.0})
    assert not any(isinstance(one, ev.Quiet) for one in events(*begun, late, NEGOTIATED | {"t": 100.0}))


def test_an_event_that_was_put_in_has_the_line_it_came_before():
    entries = list(recording.read(lines(RETURNED, ACTUAL | {"t": 9}), CHUNK_TRANSFER))[1:]
    assert [entry.line for entry in entries if isinstance(entry, Entry)] == [1, 2, 2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (ACTUAL | {"event": "dance"}, "event: a recording has no event 'dance'; there are negotiated, "),
        (ACTUAL | {"event": ["note"]}, "event: a recording has no event ['note']"),
        (ACTUAL | {"t": "soon"}, "t: expected a time in seconds, found 'soon'"),
        (ACTUAL | {"t": float("nan")}, "t: expected a time in seconds, found nan"),
        (ACTUAL | {"t": float("inf")}, "t: expected a time in seconds, found inf"),
        (ACTUAL | {"t": True}, "t: expected a time in seconds, found True"),
        (ACTUAL | {"t": 0.4}, "t: 0.4 comes after 0.5; keep the lines in the order they happened"),
        (ACTUAL | {"extra": 1}, "extra: config_write has no such field; it has t, event, offset, data"),
        ({"t": 1, "event": "config_write", "offset": 4}, "data: missing; config_write must have it"),
        (ACTUAL | {"offset": -1}, "offset: expected a whole number of at least 0 and of 32 bits, found -1"),
        (
            ACTUAL | {"offset": True},
            "offset: expected a whole number of at least 0 and of 32 bits, found True",
        ),
        (ACTUAL | {"data": "0x"}, "data: expected bytes as pairs of hex digits, found '0x'"),
        (ACTUAL | {"data": 4}, "data: expected bytes as pairs of hex digits, found 4"),
        (NEGOTIATED | {"offered": 31}, 'offered: expected a number of 64 bits as hex text, as in "0x1f"'),
        (NEGOTIATED | {"accepted": "1f"}, 'accepted: expected a number of 64 bits as hex text, as in "0x1f"'),
        (MEMORY | {"regions": []}, "regions: expected at least one pair of address and length"),
        (MEMORY | {"regions": [["0x1000"]]}, "regions: expected pairs of address and length"),
        (MEMORY | {"regions": [["0x1000", "0x10"]]}, "regions: expected whole pages of 4096 bytes"),
        (MEMORY | {"regions": [["0x1000", "0x0"]]}, "regions: expected whole pages of 4096 bytes"),
        ({"t": 1, "event": "note", "text": 5}, "text: expected a text, found 5"),
        (ACTUAL | {"t": 10**400}, "t: expected a time in seconds, found 0x"),
        (
            ACTUAL | {"offset": 10**40},
            "offset: expected a whole number of at least 0 and of 32 bits, found 0x1d",
        ),
        (
            ARRAY | {"queue": 1 << 16},
            "queue: expected a whole number of at least 0 and of 16 bits, found 65536",
        ),
    ],
)
def test_a_line_that_is_wrong_is_named_with_its_field(line, words):
    with pytest.raises(TraceError) as caught:
        list(recording.read(lines(NEGOTIATED, line), CHUNK_TRANSFER, "r.jsonl"))
    assert str(caught.value).startswith(f"r.jsonl:2: {words}")
    assert "\n" not in str(caught.value)


def test_an_empty_recording_is_an_error():
    with pytest.raises(TraceError, match="r:1: empty; a recording has an event a line"):
        list(recording.read(["\n"], CHUNK_TRANSFER, "r"))


# -- the command ------------------------------------------------------------------------------------------


def check(text: str, *options: str):
    return CliRunner().invoke(main, ["check", "-", *options], input=text)


def test_check_tells_a_recording_by_its_first_line():
    done = check("\n" + "".join(lines(NEGOTIATED | {"accepted": "0x100000020"})))
    assert done.exit_code == 1
    assert done.stdout.startswith("line 2: NEG-05 driver MUST NOT: ")


def test_a_recording_that_puts_nothing_to_the_test_is_no_pass():
    done = check('{"t": 0, "event": "note", "text": "nobody came"}\n')
    assert done.exit_code == 5
    assert done.stdout.startswith("0 events, 0 requirements exercised")


def test_check_is_told_the_profile_of_a_recording():
    plain = NEGOTIATED | {"offered": "0x100000018", "accepted": "0x100000018"}
    assert "NEG-03" in check("".join(lines(plain))).stdout
    done = check("".join(lines(plain)), "--profile", BASE.name)
    assert "NEG-03" not in done.stdout
    assert (
        "NEG-03" in check("".join(lines(plain)), "--bit", "CHUNK_TRANSFER=4", "--bit", "HOST_REQ_VQ=3").stdout
    )


@pytest.mark.parametrize(
    ("options", "text", "words"),
    [
        (("--format", "trace"), "".join(lines(NEGOTIATED)), ":1: trace: not the header of a trace"),
        (("--format", "recording"), '{"trace": "virtio-balloon"}\n', ":1: event: a recording has no event"),
        ((), "nonsense\n", ":1: not a JSON object: "),
        ((), "[" * 100_000 + "\n", ":1: nested too deep"),
        (("--format", "recording"), "", ":1: empty; a recording has an event a line"),
        (("--profile", "base"), '{"trace": "virtio-balloon"}\n', ": a trace states its profile in its first"),
        (("--profile", "mine"), "".join(lines(NEGOTIATED)), "no profile 'mine'; choose one of"),
        (
            ("--bit", "CHUNK_TRANSFER"),
            "".join(lines(NEGOTIATED)),
            "--bit CHUNK_TRANSFER: write FEATURE=NUMBER",
        ),
    ],
)
def test_check_refuses_in_one_line(options, text, words):
    done = check(text, *options)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_recording_cut_in_half_gives_what_was_found_and_says_that_it_was_cut():
    text = BASIC.read_text()
    at = text.index("\n", text.index('"queue": 1')) + 1
    done = check(text[: at + 40])
    assert done.exit_code == 2
    assert "line 14: HDR-04 driver MUST: " in done.stdout
    assert done.stdout.endswith("1 broken, 1 not followed as advised, up to the line that cannot be read\n")
    assert done.stderr.startswith("balloon-conformance: standard input:15: the trace is cut off")
    assert (
        json.loads(check(text[: at + 40], "--json").stdout.splitlines()[-1])["summary"]["complete"] is False
    )
    assert json.loads(check(text, "--json").stdout.splitlines()[-1])["summary"]["complete"] is True


# -- profile mainline --------------------------------------------------------------------------------------

REPORTED = [{"address": "0x5000", "length": 4096, "writable": True}]
REPORT = {"event": "available", "queue": 2, "readable": "", "writable": 4096, "segments": REPORTED}
BOTH = "0x100000030"
UNDER_MAINLINE = (
    {"t": 0, "event": "memory", "regions": [["0x0", "0x4000000"]]},
    {"t": 0, "event": "negotiated", "offered": BOTH, "accepted": BOTH},
    {"t": 0.1, "event": "config_write", "offset": 12, "data": "01020304"},
    {"t": 0.2, "event": "config_read", "offset": 12, "data": "ffffffff"},
    {"t": 0.3, "id": 7, **REPORT},
    {"t": 0.4, "id": 8, **REPORT},
)


def test_a_recording_under_mainline_has_reports_and_poison():
    dense = MAINLINE.with_numbering(Numbering.DENSE_NEGOTIATED)
    judge, found = Judge(dense), []
    for item in recording.read(lines(*UNDER_MAINLINE), dense):
        if isinstance(item, Entry):
            found += [(item.line, one.requirement) for one in judge.feed(item.event, item.at_seconds)]
    assert found == [(4, "CFG-15"), (4, "POISON-06"), (6, "REPORT-09")]
    assert judge.exercised["REPORT-08"]


def test_segments_of_a_recording_are_read_strictly():
    wrong = {"t": 0, "id": 7, **REPORT, "segments": [{"address": 20480, "length": 1}]}
    with pytest.raises(TraceError, match="recording:1: segments: segment 0: expected an address"):
        list(recording.read(lines(wrong), MAINLINE))
