"""Lines of the protocol: the published schemas and the reader agree, and the page's transcripts keep both."""

import copy
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import extend
from places import STDIO_PAGE

from balloon_conformance.iut.stdio import messages, schema
from balloon_conformance.iut.stdio.forms import COMMANDS, EVENTS, ErrorKind, known_capabilities
from balloon_conformance.iut.stdio.messages import BadMessageError
from balloon_conformance.iut.stdio.values import CHANGES
from balloon_spec.events import Segment, Side
from balloon_spec.pages import PageSet

PACKAGE = Path(schema.__file__).parent

MESSAGE = "0000000010000000" + "0000000100000000" + "0000010000000000"
"""A response header with data_len 16, and the chunk of 16 pages from 0x1000."""

START = {
    "protocol": 2,
    "suite": "0.1.0",
    "profile": "chunk-transfer",
    "bits": {"STATS_VQ": 1, "CHUNK_TRANSFER": 41},
    "queues": {"inflate": 0, "free-page": 3},
    "numbering": "dense-offered",
    "memory_pages": 65536,
    "may_ask": ["synchronous", "something-new"],
}
COMMAND_SAMPLES = {
    ("start", Side.DEVICE): START,
    ("start", Side.DRIVER): START,
    ("reset", Side.DEVICE): {},
    ("reset", Side.DRIVER): {},
    ("negotiate", Side.DEVICE): {"accepted": "0x10000000a"},
    ("negotiate", Side.DRIVER): {"offered": "0x8000000000000000", "configuration": "1300000000000000"},
    ("driver-ok", Side.DEVICE): {},
    ("available", Side.DEVICE): {
        "queue": 0,
        "buffer": "m1",
        "readable": MESSAGE,
        "writable": 0,
        "notify": False,
        "segments": [{"address": "0x1000", "length": 24}, {"length": 8, "writable": True}],
    },
    ("used", Side.DRIVER): {"queue": 3, "buffer": "b1", "length": 16, "written": "00" * 16},
    ("configuration-read", Side.DEVICE): {"offset": 0, "length": 8},
    ("configuration-write", Side.DEVICE): {"offset": 4, "data": "13000000"},
    ("configuration-change", Side.DRIVER): {"data": "1300000000000000"},
    ("operator", Side.DEVICE): {"action": "unused-pages", "value": "0xffffffffffffffff"},
    ("guest", Side.DRIVER): {"action": "inflate", "pages": [[4096, 16]]},
    ("guest-command", Side.DRIVER): {"words": ["fragment", "holes", 2500]},
    ("discarded", Side.DEVICE): {"pages": [[4095, 18], [0, 1]]},
    ("write-pages", Side.DEVICE): {"pages": [[4096, 2]], "data": "01020304"},
    ("skipped", Side.DEVICE): {"pages": [[4096, 2]]},
    ("host-statistics", Side.DEVICE): {},
    ("reread", Side.DEVICE): {"queue": 0, "buffer": "m1"},
    ("reread", Side.DRIVER): {"queue": 0, "buffer": "m1"},
    ("memory-read", Side.DRIVER): {"address": "0x1000000", "length": 4096},
    ("memory-write", Side.DRIVER): {"address": "0x1000000", "data": "ee"},
    ("observe", Side.DEVICE): {"milliseconds": 200},
    ("observe", Side.DRIVER): {"milliseconds": 0},
    ("stop", Side.DEVICE): {},
    ("stop", Side.DRIVER): {},
}
ANSWER_SAMPLES = {
    ("start", Side.DEVICE): {
        "protocol": 2,
        "role": "device",
        "name": "d",
        "version": "1",
        "capabilities": ["discards"],
        "memory": [[0, 16]],
        "offered": "0x1f",
    },
    ("start", Side.DRIVER): {
        "protocol": 2,
        "role": "driver",
        "name": "d",
        "version": "",
        "capabilities": ["steer-pages", "synchronous"],
    },
    ("reset", Side.DEVICE): {"offered": "0x0"},
    ("negotiate", Side.DEVICE): {"features_ok": True, "ring_sizes": [[0, 256]], "memory": []},
    ("negotiate", Side.DRIVER): {"accepted": None},
    ("configuration-read", Side.DEVICE): {"data": "1300000000000000"},
    ("discarded", Side.DEVICE): {
        "discarded": [[4096, 16]],
        "overwritten": [[1, 2]],
        "changes": [
            {"pages": [[1, 1]], "fill": "01020304"},
            {"pages": [[2, 1]], "spans": [["0x2ffe", 2]]},
        ],
    },
    ("skipped", Side.DEVICE): {"skipped": [[4096, 1]]},
    ("host-statistics", Side.DEVICE): {"statistics": [[4, "0xffffffffffffffff"], [65535, "0x0"]]},
    ("reread", Side.DEVICE): {"readable": "aBCD"},
    ("reread", Side.DRIVER): {"readable": ""},
    ("memory-read", Side.DRIVER): {"data": "00"},
}
EVENT_SAMPLES = {
    (Side.DEVICE, "used"): {"queue": 0, "buffer": "m1", "length": 0, "written": "", "notify": False},
    (Side.DEVICE, "notified"): {"queue": 0},
    (Side.DRIVER, "notified"): {"queue": 2},
    (Side.DEVICE, "configuration-changed"): {"data": "1300000000000000"},
    (Side.DRIVER, "available"): {
        "queue": 0,
        "buffer": "m1",
        "readable": MESSAGE,
        "writable": 0,
        "notify": True,
        "segments": [{"address": "0xfffffffffffff000", "length": 24}, {"length": 4, "writable": True}],
    },
    (Side.DRIVER, "configuration-read"): {"offset": 0, "data": "13000000"},
    (Side.DRIVER, "configuration-written"): {"offset": 4, "data": "13000000"},
    (Side.DRIVER, "guest-used"): {"pages": [[1, 1]]},
    (Side.DRIVER, "contents"): {"pages": [[1, 1]], "fill": "00"},
    (Side.DRIVER, "guest-answer"): {"text": ""},
    (Side.DRIVER, "guest-refused"): {"text": "no memory"},
}


def test_the_published_schemas_are_those_of_the_table():
    for name, made in (("commands", schema.command_schema()), ("answers", schema.answer_schema())):
        text = (PACKAGE / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
        assert text == json.dumps(made, indent=2) + "\n", f"write schemas/{name}.schema.json again"


def test_every_command_of_either_side_has_a_sample_and_no_side_has_many():
    wanted = {(form.name, side) for form in COMMANDS.values() for side in form.sides}
    assert wanted == COMMAND_SAMPLES.keys()
    assert {side: sum(one is side for _, one in wanted) for side in Side} == {
        Side.DEVICE: 15,
        Side.DRIVER: 12,
    }


# To JSON Schema 16.0 is an integer; to us it is none.
_Strict = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def _validator(whole, name):
    return _Strict({**whole, "anyOf": [{"$ref": f"#/$defs/{name}"}]})


def _command_schema(name, side):
    whole = schema.command_schema()
    return _validator(whole, name if name in whole["$defs"] else f"{name}-{side}")


def _answer_schema(name, side):
    whole = schema.answer_schema()
    own = f"answer-{name}"
    return _validator(whole, own if own in whole["$defs"] else f"{own}-{side}")


def _keys(samples):
    return [pytest.param(*key, id="-".join(map(str, key))) for key in samples]


@pytest.mark.parametrize(("name", "side"), _keys(COMMAND_SAMPLES))
def test_the_schema_and_the_reader_take_every_command(name, side):
    line = {"seq": 1, "command": name, **COMMAND_SAMPLES[name, side]}
    _command_schema(name, side).validate(line)
    assert messages.read_command(line, side)[0] == name
    # A program passes over what it does not know, and a later suite may write it.
    messages.read_command({**line, "later": 1}, side)
    assert _command_schema(name, side).is_valid({**line, "later": 1})


@pytest.mark.parametrize(("name", "side"), _keys(ANSWER_SAMPLES))
def test_the_schema_and_the_reader_take_every_answer(name, side):
    line = {"seq": 1, **ANSWER_SAMPLES[name, side]}
    _answer_schema(name, side).validate(line)
    messages.read_answer(line, name, side)


@pytest.mark.parametrize(("side", "name"), _keys(EVENTS))
def test_the_schema_and_the_reader_take_every_event(side, name):
    event = {"event": name, **EVENT_SAMPLES.get((side, name), {})}
    line = {"seq": 1, "events": [event]}
    _answer_schema("observe", side).validate(line)
    ((read, _),) = messages.read_answer(line, "observe", side).events
    assert read == name


def test_values_come_out_as_what_the_suite_works_with():
    line = {
        "seq": 9,
        "discarded": [[9216, 3], [4096, 16]],
        "events": [{"event": "used", **EVENT_SAMPLES[Side.DEVICE, "used"]}],
    }
    answer = messages.read_answer(line, "discarded", Side.DEVICE)
    assert answer.fields == {
        "discarded": PageSet([(0x1000, 16), (0x2400, 3)]),
        "overwritten": None,
        "changes": (),
    }
    used = {"queue": 0, "buffer": "m1", "length": 0, "written": b"", "notify": False}
    assert answer.events == (("used", used),)
    line = {"seq": 1, "events": [{"event": "available", **EVENT_SAMPLES[Side.DRIVER, "available"]}]}
    ((_, fields),) = messages.read_answer(line, "observe", Side.DRIVER).events
    assert fields["readable"] == bytes.fromhex(MESSAGE)
    assert fields["segments"] == (Segment(24, address=0xFFFFFFFFFFFFF000), Segment(4, writable=True))


@pytest.mark.parametrize("kind", ErrorKind)
def test_an_error_is_an_answer_to_anything(kind):
    answer = messages.read_answer({"seq": 1, "error": str(kind), "text": "why"}, "start", None)
    assert (answer.error, answer.text) == (kind, "why")


_WRONG = (
    *(None, True, False, -1, 1.5, 16.0, 1 << 32, 1 << 64, "", "0", "0X1", "0x", "0x1g", "00 ", "0 0", "000"),
    *("0x10000000000000000", "used", [], [1], [[1]], [[1, 2, 3]], [[-1, 1]], [[0, 0]], [["0x1", "2"]], {}),
    *(
        [True],
        ["discards", "discards"],
        ["flying"],
        [{}],
        "\t",
        {"A": 64},
        {"A": True},
        "x" * 5000,
        [[0.0, 1]],
    ),
)


def _mutants(sample):
    """Give every field every wrong value, leave each out, and add one."""
    for name in sample:
        for value in _WRONG:
            yield {**sample, name: value}
        yield {key: value for key, value in sample.items() if key != name}
    yield {**sample, "unheard-of": 1}


def _refusal(read, line):
    """Say why a line is refused, in one line; empty where it is taken."""
    try:
        read(line)
    except BadMessageError as error:
        return str(error)
    return ""


def _agree(validator, read, line):
    refusal = _refusal(read, line)
    assert "\n" not in refusal
    assert validator.is_valid(line) == (not refusal), line


@pytest.mark.parametrize(("name", "side"), _keys(ANSWER_SAMPLES))
def test_the_schema_and_the_reader_refuse_the_same_answers(name, side):
    for line in _mutants({"seq": 1, **ANSWER_SAMPLES[name, side]}):
        # The number and the role are compared elsewhere: they are the exchange's, not the message's.
        if repr(line.get("seq")) == "1" and line.get("role", side) == side:
            _agree(_answer_schema(name, side), lambda line: messages.read_answer(line, name, side), line)


@pytest.mark.parametrize(("side", "name"), _keys(EVENTS))
def test_the_schema_and_the_reader_refuse_the_same_events(side, name):
    for event in _mutants(EVENT_SAMPLES.get((side, name), {})):
        line = {"seq": 1, "events": [{"event": name, **event}]}
        _agree(
            _answer_schema("observe", side), lambda line: messages.read_answer(line, "observe", side), line
        )


@pytest.mark.parametrize(("name", "side"), _keys(COMMAND_SAMPLES))
def test_the_schema_and_the_reader_refuse_the_same_commands(name, side):
    for fields in _mutants(COMMAND_SAMPLES[name, side]):
        line = {"seq": 1, "command": name, **fields}
        if "unheard-of" not in line:
            _agree(_command_schema(name, side), lambda line: messages.read_command(line, side), line)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["events", "error", "text", "data", "offered"]), _JSON), _JSON)
def test_any_json_is_read_or_refused_in_one_line(answer, event):
    for line in (answer, {"events": [event]}, {"events": [{"event": event}]}):
        for side in (Side.DEVICE, Side.DRIVER, None):
            before = copy.deepcopy(line)
            refusal = _refusal(lambda line: messages.read_answer(line, "start", side), line)  # noqa: B023 - called here
            assert "\n" not in refusal
            assert line == before


def test_a_side_claims_only_capabilities_of_its_own_by_the_schema():
    validator = _answer_schema("start", Side.DRIVER)
    line = {"seq": 1, **ANSWER_SAMPLES["start", Side.DRIVER]}
    assert validator.is_valid({**line, "capabilities": list(known_capabilities(Side.DRIVER))})
    assert not validator.is_valid({**line, "capabilities": ["discards"]})


# -- the page ---------------------------------------------------------------------------------------------


def transcripts():
    """Return the transcripts of the page, each as (mark, line) pairs."""
    blocks = re.findall(
        r"<!-- transcript -->\n```text\n(.*?)```", STDIO_PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    return [[(line[0], line[2:]) for line in block.splitlines()] for block in blocks]


def test_the_transcripts_of_the_page_keep_the_schemas():
    commands = Draft202012Validator(schema.command_schema())
    answers = Draft202012Validator(schema.answer_schema())
    found = transcripts()
    assert len(found) == 3
    for transcript in found:
        for mark, line in transcript:
            (commands if mark == ">" else answers).validate(json.loads(line))


def test_the_page_names_every_command_event_capability_and_error():
    text = STDIO_PAGE.read_text(encoding="utf-8")
    for name in (*COMMANDS, *(name for _, name in EVENTS), *known_capabilities(), *ErrorKind):
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("span", [["0x2ffe", 3], ["0x1fff", 1], ["0x2000", 0]])
def test_the_bytes_that_changed_lie_in_the_pages_that_changed(span):
    change = {"pages": [[2, 1]], "spans": [["0x2000", 1], span]}
    with pytest.raises(ValueError, match="spans of one byte or more that lie in pages"):
        CHANGES.read([change])
    assert CHANGES.read([change | {"spans": [["0x2000", 4096]]}])[0].spans == ((0x2000, 4096),)
