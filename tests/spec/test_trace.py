import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_script import FULL, start

from balloon_spec import events as ev
from balloon_spec.families.free_page_hint.events import Skipped
from balloon_spec.families.statistics.events import StatisticsRead
from balloon_spec.pages import PageSet
from balloon_spec.profiles import BASE, CHUNK_TRANSFER
from balloon_spec.queues import Numbering
from balloon_spec.trace import Entry, Header, TraceError, from_the_start, read, write


def covering(spans):
    """The pages on which spans of bytes lie."""
    return PageSet((at >> 12, (at + length - 1 >> 12) - (at >> 12) + 1) for at, length in spans)


PAGES = st.lists(st.tuples(st.integers(0, 2**40), st.integers(1, 2**20)), max_size=4).map(PageSet)
BYTES = st.binary(max_size=40)
NUMBER = st.integers(0, 2**32 - 1)
FEATURES = st.integers(0, 2**64 - 1)
ADDRESS = st.integers(0, 2**64 - 2**32)
NAME = st.text(max_size=8)
STRATEGIES = {
    ev.Negotiated: st.builds(ev.Negotiated, FEATURES, FEATURES, st.booleans(), st.just(((0, 128), (3, 2)))),
    ev.Memory: st.builds(ev.Memory, PAGES),
    ev.DriverOk: st.just(ev.DriverOk()),
    ev.Available: st.builds(
        ev.Available,
        st.integers(0, 3),
        NAME,
        BYTES,
        NUMBER,
        st.sampled_from([None, False, True]),
        st.lists(st.builds(ev.Segment, NUMBER, st.booleans(), st.none() | ADDRESS), max_size=3).map(tuple),
    ),
    ev.Used: st.builds(ev.Used, st.integers(0, 3), NAME, NUMBER, BYTES, st.sampled_from([None, False, True])),
    ev.Notified: st.builds(ev.Notified, st.sampled_from(ev.Side), st.integers(0, 3)),
    ev.BufferAltered: st.builds(ev.BufferAltered, st.integers(0, 3), NAME, BYTES, st.sampled_from(ev.Side)),
    ev.RingBroken: st.builds(ev.RingBroken, st.sampled_from(ev.Side), st.integers(0, 3), NAME, NAME),
    ev.ConfigurationRead: st.builds(ev.ConfigurationRead, NUMBER, BYTES),
    ev.ConfigurationWritten: st.builds(ev.ConfigurationWritten, NUMBER, BYTES),
    ev.ConfigurationChanged: st.builds(ev.ConfigurationChanged, BYTES),
    ev.Reset: st.just(ev.Reset()),
    ev.NeedsReset: st.just(ev.NeedsReset()),
    ev.Discarded: st.builds(ev.Discarded, PAGES, PAGES),
    Skipped: st.builds(Skipped, PAGES, PAGES),
    ev.Overwritten: st.builds(
        lambda pages, fill, spans: ev.Overwritten(pages | covering(spans), fill, spans),
        PAGES,
        BYTES,
        st.lists(st.tuples(ADDRESS, st.integers(1, 2**32 - 1)), max_size=3).map(tuple),
    ),
    ev.Contents: st.builds(ev.Contents, PAGES, BYTES),
    ev.Operator: st.builds(ev.Operator, st.sampled_from(tuple(ev.OperatorAction)), NUMBER),
    ev.Guest: st.builds(ev.Guest, st.sampled_from(tuple(ev.GuestAction)), PAGES),
    ev.Quiet: st.builds(ev.Quiet, st.sampled_from(ev.Side), st.floats(0, 100, exclude_min=True)),
    StatisticsRead: st.builds(
        StatisticsRead,
        st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, (1 << 64) - 1)), max_size=3).map(tuple),
    ),
    ev.Failed: st.builds(ev.Failed, st.sampled_from(ev.Side), st.sampled_from(ev.Failure), NAME),
}
EVENTS = st.one_of(*STRATEGIES.values())
HEAD = '{"trace": "virtio-balloon", "version": 1, "profile": "chunk-transfer"}'


@given(st.lists(EVENTS, max_size=6))
def test_every_event_round_trips(events):
    lines = list(write(Header(CHUNK_TRANSFER), events))
    header, *entries = read(line + "\n" for line in lines)
    assert header.profile == CHUNK_TRANSFER
    assert [entry.event for entry in entries] == events
    assert [entry.line for entry in entries] == list(range(2, len(events) + 2))


def test_every_kind_of_event_is_in_the_round_trip():
    assert STRATEGIES.keys() == set(ev.EVENTS.values())


def test_an_overwritten_page_of_an_earlier_trace_says_nothing_of_its_bytes():
    _, entry = read([HEAD + "\n", '{"event": "overwritten", "pages": ["0x1000+2"]}\n'])
    assert entry.event == ev.Overwritten(PageSet.parse("0x1000+2"), b"", ())


def test_times_bits_and_notes_are_kept():
    moved = CHUNK_TRANSFER.with_bits({"CHUNK_TRANSFER": 41})
    lines = list(write(Header(moved, {"kernel": "6.1"}), [Entry(ev.Reset(), 0, 0.25), ev.DriverOk()]))
    assert json.loads(lines[0]) == {
        "trace": "virtio-balloon",
        "version": 1,
        "profile": "chunk-transfer",
        "bits": {"CHUNK_TRANSFER": 41},
        "notes": {"kernel": "6.1"},
    }
    header, first, second = read(lines)
    assert header.profile == moved
    assert header.notes == {"kernel": "6.1"}
    assert (first.at_seconds, second.at_seconds) == (0.25, None)


def test_how_queues_are_numbered_is_kept_and_not_said_of_fixed_numbers():
    dense = CHUNK_TRANSFER.with_numbering(Numbering.DENSE_OFFERED)
    (line,) = write(Header(dense), ())
    assert json.loads(line)["numbering"] == "dense-offered"
    (header,) = read([line + "\n"])
    assert header.profile == dense != CHUNK_TRANSFER
    (line,) = write(Header(CHUNK_TRANSFER), ())
    assert "numbering" not in json.loads(line)
    with pytest.raises(TraceError, match=r"t:1: numbering: expected fixed or .*, found 'thin'"):
        list(read([HEAD[:-1] + ', "numbering": "thin"}\n'], "t"))


def test_a_line_is_what_the_documentation_says():
    event = ev.Available(0, "m1", bytes.fromhex("0000"), 0)
    assert json.loads(list(write(Header(BASE), [event]))[1]) == {
        "event": "available",
        "queue": 0,
        "buffer": "m1",
        "readable": "0000",
    }
    used = json.loads(list(write(Header(BASE), [ev.Negotiated(5, 1)]))[1])
    assert used == {"event": "negotiated", "offered": "0x5", "accepted": "0x1"}


def buffer_of(**fields):
    _, entry = read(line(event="available", queue=0, buffer="m", readable="00" * 24, **fields))
    return entry.event


def test_segments_are_written_as_lengths_if_these_say_everything():
    event = ev.Available(0, "m", segments=(ev.Segment(8), ev.Segment(16)))
    assert json.loads(list(write(Header(BASE), [event]))[1])["cut"] == [8, 16]
    event = ev.Available(0, "m", segments=(ev.Segment(8, address=0x5000), ev.Segment(16, writable=True)))
    assert json.loads(list(write(Header(BASE), [event]))[1])["segments"] == [
        {"address": "0x5000", "length": 8},
        {"length": 16, "writable": True},
    ]


@pytest.mark.parametrize(
    ("earlier", "segments"),
    [
        ({"cut": [8, 16]}, (ev.Segment(8), ev.Segment(16))),
        ({"extents": [[0x5000, 24]]}, (ev.Segment(24, address=0x5000),)),
        (
            {"cut": [8, 16], "extents": [[0x5000, 8], [0x6000, 16], [0x7000, 4]], "writable_bytes": 4},
            (ev.Segment(8, False, 0x5000), ev.Segment(16, False, 0x6000), ev.Segment(4, True, 0x7000)),
        ),
        (
            {"extents": [[0x5000, 24], [0x7000, 4]], "writable_bytes": 4},
            (ev.Segment(24, False, 0x5000), ev.Segment(4, True, 0x7000)),
        ),
    ],
)
def test_a_trace_that_says_segments_in_the_earlier_form_is_read(earlier, segments):
    assert buffer_of(**earlier).segments == segments


def test_blank_lines_are_passed_over_and_counted():
    _, entry = read([HEAD + "\n", "\n", '{"event": "reset"}\n'])
    assert entry.line == 3


def line(**fields):
    return [HEAD + "\n", json.dumps(fields) + "\n"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "t:1: empty; a trace begins with"),
        (["[]\n"], "t:1: expected a JSON object, found list"),
        (['{"event": "reset"}\n'], "t:1: trace: not the header of a trace"),
        (['{"trace": "virtio-balloon", "version": 2}\n'], "t:1: version: this program reads version 1"),
        ([HEAD[:-1] + ', "colour": 1}\n'], "t:1: colour: unknown field of a trace header"),
        (
            [HEAD[:-1] + ', "bits": {"STATS_VQ": "9"}}\n'],
            "t:1: bits: expected a feature name and a bit number",
        ),
        ([HEAD[:-1] + ', "notes": []}\n'], "t:1: notes: expected an object of texts"),
        ([HEAD.replace("chunk-transfer", "x") + "\n"], "t:1: profile: no profile 'x'"),
        ([HEAD + "\n", '{"event": "res'], "t:2: the trace is cut off in the middle of a line"),
        ([HEAD + "\n", '{"event": "res\n'], "t:2: not a JSON object"),
        (line(event="explosion"), "t:2: event: no event 'explosion'; there are negotiated, "),
        (line(event="needs-reset", why="x"), "t:2: why: needs-reset has no such field; it has none"),
        (line(event="used", queue=0), "t:2: buffer: missing; used must have it"),
        (line(event="used", queue="0", buffer="m"), "t:2: queue: expected a whole number, found '0'"),
        (line(event="used", queue=-1, buffer="m"), "t:2: queue: expected a whole number from 0, found -1"),
        (
            line(event="used", queue=True, buffer="m"),
            "t:2: queue: expected a whole number from 0, found True",
        ),
        (line(event="used", queue=0, buffer=5), "t:2: buffer: expected a string, found 5"),
        (
            line(event="used", queue=0, buffer="m", written="0"),
            "t:2: written: expected bytes as pairs of hex digits, as in \"00 1f\", found '0'",
        ),
        (line(event="memory", pages="0x0+1"), "t:2: pages: expected a list of runs"),
        *(
            (
                line(event="overwritten", pages=["0x10"], spans=[[0x10000, 1], wrong]),
                f"t:2: spans: {wrong[1]} bytes at {wrong[0]:#x} do not lie in pages; ",
            )
            for wrong in (
                [0, 16],
                [0x10FFF, 2],
                [0x10000, 0],
                [(1 << 64) - 1, 1],
                [(1 << 64) - 1, (1 << 32) - 1],
            )
        ),
        (line(event="memory", pages=["x"]), "t:2: pages: 'x' is not a run of pages"),
        (line(event="quiet", side="host"), "t:2: side: expected driver or device, found 'host'"),
        (line(event="quiet", side="driver", seconds="1"), "t:2: seconds: expected a number"),
        (line(event="negotiated", offered=1, accepted="0"), "t:2: offered: expected a feature set as a hex"),
        (line(event="available", queue=0, buffer="m", notified=1), "t:2: notified: expected true or false"),
        (line(event="available", queue=0, buffer="m", cut=4), "t:2: cut: expected a list of numbers"),
        (
            line(event="available", queue=0, buffer="m", extents=[[1]]),
            "t:2: extents: expected a list of pairs",
        ),
        *(
            (line(event="available", queue=0, buffer="m", segments=wrong), f"t:2: segments: {words}")
            for wrong, words in (
                (4, "expected a list of segments, as in "),
                ([4], "segment 0: expected a list of segments, as in "),
                (
                    [{"length": 1}, {"length": 4, "colour": 1}],
                    "segment 1: expected a list of segments, as in ",
                ),
                ([{}], "segment 0: expected a length as a whole number of 32 bits, found None"),
                (
                    [{"length": 1 << 32}],
                    "segment 0: expected a length as a whole number of 32 bits, found 4294967296",
                ),
                ([{"length": True}], "segment 0: expected a length as a whole number of 32 bits, found True"),
                ([{"length": 4, "writable": 1}], "segment 0: expected true or false for writable, found 1"),
                (
                    [{"length": 4, "address": 4}],
                    "segment 0: expected an address as a string, 0x and up to 16 hex digits",
                ),
                (
                    [{"length": 4, "address": "0x" + "1" * 17}],
                    "segment 0: expected an address as a string, 0x and up to 16 hex digits",
                ),
            )
        ),
        (
            line(event="available", queue=0, buffer="m", segments=[{"length": 4}], cut=[4]),
            "t:2: segments: stands beside cut; say it in segments alone",
        ),
        (
            line(event="available", queue=0, buffer="m", cut=[8, 16], extents=[[0x5000, 24]]),
            "t:2: extents: the lengths are not those of cut; leave one of the two fields out",
        ),
        (
            line(event="operator", action="target", value=1 << 32),
            "t:2: value: a target is a whole number of 32 bits, found 4294967296",
        ),
        (line(event="reset", t=float("nan")), "t:2: t: expected a time in seconds, found nan"),
        (
            line(event="quiet", side="driver"),
            "t:2: seconds: 0.0 is no time to act in; say how long the driver",
        ),
        (line(event="quiet", side="driver", seconds=0), "t:2: seconds: 0.0 is no time to act in"),
        (line(event="quiet", side="driver", seconds=-1), "t:2: seconds: expected a number of seconds from 0"),
        (
            line(event="quiet", side="driver", seconds=float("inf")),
            "t:2: seconds: expected a time in seconds",
        ),
        (line(event="quiet", side="driver", seconds=10**400), "t:2: seconds: expected a time in seconds"),
        (line(event="reset", t=10**400), "t:2: t: expected a time in seconds, found 0x"),
        (
            line(event="configuration-written", offset=10**40, data=""),
            "t:2: offset: expected a whole number of 32 ",
        ),
        (
            line(event="used", queue=1 << 16, buffer="m"),
            "t:2: queue: expected a whole number of 16 bits, found ",
        ),
        (
            line(event="available", queue=0, buffer="m", extents=[[-1, 4]]),
            "t:2: extents: expected a whole number from 0, found -1",
        ),
        (
            line(event="statistics-read", entries=[[0, 1 << 64]]),
            "t:2: entries: expected a whole number of 64 bits, found 0x1",
        ),
        (
            line(event="negotiated", offered="0x1" + "0" * 32, accepted="0x0"),
            "t:2: offered: expected a feature set of 128 bits as a hex string",
        ),
        (
            line(event="negotiated", offered="-0x1", accepted="0x0"),
            "t:2: offered: expected a feature set of 128 bits",
        ),
        (
            [HEAD + "\n", '{"event": "reset", "status": 0, "status": 1}\n'],
            "t:2: status: stands twice in one object; leave one of the two",
        ),
        ([HEAD + "\n", '{"event": "reset", "\\ud800": 1}\n'], "t:2: \\ud800: reset has no such field"),
        (
            [HEAD[:-1] + ', "bits": {"STATS_VQ": 128}}\n'],
            "t:1: profile: profile chunk-transfer: STATS_VQ: there is no feature bit 128; give it a number from 0",
        ),
        ([HEAD[:-1] + ', "bits": {"STATS_VQ": -1}}\n'], "t:1: profile: profile chunk-transfer: STATS_VQ: "),
        (line(event="reset", t="now"), "t:2: t: expected a time in seconds, found 'now'"),
    ],
)
def test_a_trace_that_cannot_be_read_is_refused_at_its_place(lines, words):
    with pytest.raises(TraceError) as error:
        list(read(lines, "t"))
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


def test_what_came_before_a_cut_is_kept():
    lines = list(write(Header(CHUNK_TRANSFER), start(FULL)))
    whole = [text + "\n" for text in lines[:-1]] + [lines[-1][:10]]
    trace = read(whole)
    seen = [next(trace) for _ in lines[:-1]]
    assert [entry.event for entry in seen[1:]] == start(FULL)[:-1]
    with pytest.raises(TraceError, match="cut off"):
        next(trace)


@pytest.mark.parametrize(
    "event",
    [
        ev.Available(0, "m"),
        ev.Used(0, "m"),
        ev.Notified(ev.Side.DRIVER, 0),
        ev.DriverOk(),
        ev.ConfigurationWritten(4, bytes(4)),
        ev.Discarded(PageSet.parse("0x10"), PageSet.parse("0x10")),
        StatisticsRead(()),
    ],
)
def test_a_trace_that_begins_after_the_negotiation_blames_nobody(event):
    lines = list(write(Header(BASE), [ev.ConfigurationRead(0, bytes(8)), event]))
    trace = from_the_start(read(lines, "t"), "t")
    assert [next(trace), next(trace)]
    with pytest.raises(TraceError, match="t:3: event: this comes before any negotiated line, so that nobody"):
        next(trace)


@pytest.mark.parametrize("first", [ev.Reset(), ev.Negotiated(0, 0)])
def test_a_trace_that_has_its_start_is_passed_on_whole(first):
    lines = list(write(Header(BASE), [first, ev.Available(0, "m"), ev.Used(0, "m")]))
    assert list(from_the_start(read(lines))) == list(read(lines))


@dataclass(frozen=True, slots=True)
class PageHinted(ev.Event):
    """An event that is declared here alone."""

    page: PageSet
    is_old: bool = False


def test_a_kind_of_event_that_is_declared_is_written_and_read():
    event = PageHinted(PageSet([(0x10, 2)]))
    with ev.added(PageHinted):
        lines = list(write(Header(BASE), [event]))
        assert json.loads(lines[1]) == {"event": "page-hinted", "page": ["0x10+2"]}
        _, entry = read(lines)
        assert entry.event == event
        with pytest.raises(ValueError, match="there is an event page-hinted already"):
            ev.declared(PageHinted)
    with pytest.raises(TraceError, match="no event 'page-hinted'"):
        list(read(lines))
