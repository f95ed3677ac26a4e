"""``check``: a recorded trace, judged as far as it can be read."""

import json

import pytest
from click.testing import CliRunner

from balloon_conformance.cli import main
from balloon_spec import events as ev
from balloon_spec import trace
from balloon_spec.pages import PageSet
from balloon_spec.profiles import BASE

STATS = 1 << 1 | 1 << 32
SOUND = [
    ev.Negotiated(1 << 32, 1 << 32),
    ev.Memory(PageSet([(0, 0x1000)])),
    ev.DriverOk(),
    ev.Available(0, "a", bytes.fromhex("00010000")),
    ev.Used(0, "a"),
]
TWICE = [*SOUND, ev.Used(0, "a")]
ADVICE = [ev.Negotiated(1 << 32 | 1, 1 << 32), ev.Memory(PageSet([(0, 0x1000)]))]


def lines(events) -> str:
    return "".join(f"{line}\n" for line in trace.write(trace.Header(BASE), events))


def check(tmp_path, text: str, *options: str):
    path = tmp_path / "trace.jsonl"
    path.write_text(text)
    return CliRunner().invoke(main, ["check", str(path), *options])


def test_a_sound_trace_exits_zero_and_says_how_much_it_exercised(tmp_path):
    done = check(tmp_path, lines(SOUND))
    assert done.exit_code == 0
    assert done.stdout.startswith("5 events, ")
    assert done.stdout.endswith("0 broken, 0 not followed as advised\n")


def test_a_finding_names_its_line_and_its_requirement(tmp_path):
    done = check(tmp_path, lines(TWICE))
    assert done.exit_code == 1
    assert done.stdout.splitlines()[0].startswith("line 7: BUF-04 device MUST NOT: ")


def test_findings_as_json_carry_the_line(tmp_path):
    done = check(tmp_path, lines(TWICE), "--json")
    finding, summary = map(json.loads, done.stdout.splitlines())
    assert (finding["requirement"], finding["line"], finding["subject"]) == ("BUF-04", 7, "device")
    assert (summary["summary"]["events"], summary["summary"]["broken"]) == (6, 1)


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), 1)])
def test_advice_breaks_nothing_unless_asked_to(tmp_path, options, code):
    done = check(tmp_path, lines(ADVICE), *options)
    assert "NEG-10 driver SHOULD" in done.stdout
    assert done.exit_code == code


def test_a_cut_trace_gives_what_was_found_before_the_cut_and_one_line(tmp_path):
    text = lines([*TWICE, ev.Reset()])
    done = check(tmp_path, text[:-4])
    assert done.exit_code == 2
    assert "BUF-04" in done.stdout
    assert done.stderr == (
        f"balloon-conformance: {tmp_path}/trace.jsonl:8: the trace is cut off in the middle of a line; "
        "remove the line or record again\n"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: empty; a trace begins with"),
        ('{"trace": "other"}\n', ":1: trace: not "),
        (lines([]) + '{"event": "nonsense"}\n', ":2: event: no event 'nonsense'"),
        (lines([]) + "[]\n", ":2: expected a JSON object"),
        (lines(SOUND[3:]), ":2: event: this comes before any negotiated line"),
        (
            '{"t": 1, "event": "config_write", "offset": 4, "data": "01000000"}\n',
            ":1: event: this comes before any ",
        ),
    ],
)
def test_what_is_no_trace_gets_one_line(tmp_path, text, words):
    done = check(tmp_path, text)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there_or_not_text_gets_one_line(tmp_path):
    done = CliRunner().invoke(main, ["check", str(tmp_path / "none")])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "No such file or directory; name a trace that can be read" in done.stderr
    (tmp_path / "binary").write_bytes(b"\xff\xfe\n")
    done = CliRunner().invoke(main, ["check", str(tmp_path / "binary")])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "this is not UTF-8" in done.stderr


def test_a_trace_is_read_from_standard_input():
    done = CliRunner().invoke(main, ["check", "-"], input=lines(TWICE))
    assert (done.exit_code, done.stdout.splitlines()[0].split(":")[0]) == (1, "line 7")
