"""The strict loader: what it reads, what it refuses, and that every refusal names the place in one line."""

from __future__ import annotations

import json
import re
import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from balloon_spec import strict_yaml
from balloon_spec.strict_yaml import DEPTH_LIMIT, StrictYamlError, load

PARSERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])]


@pytest.fixture(params=PARSERS, ids=lambda parser: parser.__name__, autouse=True, scope="module")
def parser(request):
    """Run everything with libyaml and without it: an installation may lack it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_yaml, "_PARSER", request.param)
        yield request.param


def outcome(text: str) -> StrictYamlError | None:
    """Return the refusal, or None for text that is read."""
    try:
        load(text, "v.yaml")
    except StrictYamlError as error:
        return error
    return None


def refusal(text: str) -> str:
    with pytest.raises(StrictYamlError) as caught:
        load(text, "v.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"v.yaml:{caught.value.line}: ")
    assert "; " in message
    return message


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("4096", 4096),
        ("0x10", 16),
        ("0x0010", 16),
        ("-0xFf", -255),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("2.5e3", 2500.0),
    ],
)
def test_words_and_numbers_that_all_loaders_agree_on_have_their_type(written, read):
    value = load(f"key: {written}\n", "v.yaml").data["key"]
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    "written",
    [
        "on",
        "off",
        "yes",
        "no",
        "y",
        "n",
        "True",
        "FALSE",
        "Null",
        "~",
        "2017-04-05",
        "1.2.3",
        "0x1000+16",
        "00 10",
        "0xg",
    ],
)
def test_everything_else_is_text_as_it_stands(written):
    assert load(f"key: {written}\n", "v.yaml").data == {"key": written}


@pytest.mark.parametrize("written", ['"01020304"', "'true'", '"null"', "'1e5'", '"12:30"'])
def test_quotes_make_text(written):
    assert load(f"key: {written}\n", "v.yaml").data == {"key": written[1:-1]}


def test_a_block_of_hex_pairs_is_text_even_when_it_looks_like_a_number():
    assert load("readable: |\n  01020304\n", "v.yaml").data == {"readable": "01020304\n"}
    assert load("readable: >-\n  00\n", "v.yaml").data == {"readable": "00"}


@pytest.mark.parametrize("written", ["01020304", "00", "007", "-012", "00.5", "0_1"])
def test_a_leading_zero_is_refused_with_the_way_to_write_bytes(written):
    message = refusal(f"first: 1\nreadable: {written}\n")
    assert message == (
        f"v.yaml:2: {written} has a leading zero, which makes it octal to some readers of YAML; "
        "write bytes in quotes or as hex pairs in a block ('|'), and a number without the zero"
    )


@pytest.mark.parametrize(
    "written",
    [
        "1_000",
        "0b101",
        "0o17",
        "12:30",
        "1:02:03",
        "1e5",
        "10E+2",
        "+5",
        ".5",
        "5.",
        ".inf",
        "-.INF",
        ".nan",
        "0X10",
        "0x_1",
        "9.9e999",
    ],
)
def test_numbers_to_some_loaders_only_are_refused(written):
    assert refusal(f"key: {written}\n") == (
        f"v.yaml:1: {written} is a number to some readers of YAML and text to others; "
        "put quotes around text; write a number in decimal, as 0x and hex digits, or as 1.5"
    )


def test_a_number_as_long_as_a_buffer_is_refused():
    assert refusal("a: 1\nb: " + "1" * 5000) == (
        "v.yaml:2: a number of 5000 characters; put quotes around it if it is text or bytes"
    )


def test_a_duplicate_key_names_both_lines():
    assert refusal("a: 1\nb:\n  x: 1\n  y: 2\n  x: 3\n") == (
        "v.yaml:5: key 'x' stands here and on line 3; remove one of the two"
    )


def test_a_key_that_only_looks_different_is_a_duplicate():
    assert refusal("a: 1\n'a': 2\n").startswith("v.yaml:2: key 'a' stands here and on line 1")


def test_the_same_key_in_two_mappings_is_no_duplicate():
    assert load("- {a: 1}\n- {a: 2}\n", "v.yaml").data == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: &name 2\n", "v.yaml:2: anchor &name; remove it: anchors are not allowed"),
        ("a: &m\n  x: 1\n", "v.yaml:1: anchor &m; remove it: anchors are not allowed"),
        ("a: 1\n&k b: 2\n", "v.yaml:2: anchor &k; remove it: anchors are not allowed"),
        ("a: 1\nb: *name\n", "v.yaml:2: alias *name; write the value out: aliases are not allowed"),
        ("- [x]\n- !!str 5\n", "v.yaml:2: tag !!str; remove it: tags are not allowed, quotes make text"),
        ("a: !pages [1]\n", "v.yaml:1: tag !pages; remove it: tags are not allowed, quotes make text"),
        ("a: ! b\n", "v.yaml:1: tag !; remove it: tags are not allowed, quotes make text"),
        ("a: {}\n1: x\n", "v.yaml:2: key 1 is not a string; put quotes around it"),
        ("a: {}\ntrue: x\n", "v.yaml:2: key true is not a string; put quotes around it"),
        ("a: {}\nnull: x\n", "v.yaml:2: key null is not a string; put quotes around it"),
        ("? [1, 2]\n: x\n", "v.yaml:1: a list or a mapping as a key; use a string"),
        (
            "a: 1\n---\nb: 2\n",
            "v.yaml:2: a second document begins; keep one document a file: remove what follows '---'",
        ),
        ("%YAML 1.1\n---\na: 1\n", "v.yaml:1: a % directive stands before the document; remove it"),
        ("", "v.yaml:1: there is nothing here; write the document, or remove the file"),
        ("# nothing but a comment\n", "v.yaml:1: there is nothing here; "),
        (
            "a: 1\nb: \x07\n",
            "v.yaml:2: character 0x0007 is not text; remove it, or write it escaped in double quotes",
        ),
        (
            "a: 1\nb: \ud800\n",
            "v.yaml:2: character 0xd800 is not text; remove it, or write it escaped in double quotes",
        ),
    ],
)
def test_what_is_not_strict_is_refused_where_it_stands(text, message):
    assert refusal(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: {b: 1,\n", 2),
        ("steps:\n  - 'cut here\n", 3),
        ('a: "cut', 1),
        ("a: 1\nb: [1, 2\n", 3),
        ("a: 1\nreq\n", 3),
        ("a: 1\n\t- x\n", 2),
        ("a: 1\nb: @x\n", 2),
    ],
)
def test_text_that_is_cut_or_broken_gives_one_line_near_the_place(text, line):
    message = refusal(text)
    assert message.split(": ")[1] == "not YAML"
    assert abs(int(message.split(":")[1]) - line) <= 1
    assert message.endswith("; close what is open there, mend the indentation, or quote the text")


WHOLE = """\
area: chunk
requirements:
  - id: "X-01"
    source: {patch: '<a@b>'}
    text: >-
      A driver.
  - {id: X-02}
"""


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_file_cut_anywhere_is_read_or_refused_in_one_line(length):
    error = outcome(WHOLE[:length])
    assert error is None or re.match(r"v\.yaml:\d+: .+; .+\Z", str(error))
    assert error is None or 1 <= error.line <= WHOLE[:length].count("\n") + 1
    open_quote = WHOLE.index('"X') < length <= WHOLE.index('"\n')
    open_brace = WHOLE.index("{patch") < length <= WHOLE.index("}\n")
    assert error is not None or not (open_quote or open_brace)


def test_nesting_is_bounded():
    deepest = "[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT
    assert json.dumps(load(deepest, "v.yaml").data) == deepest
    assert refusal("a: 1\nb: " + "[" * 400 + "]" * 400) == (
        f"v.yaml:2: nested deeper than {DEPTH_LIMIT} levels; flatten it"
    )


def test_lines_are_those_of_keys_and_items():
    document = load(
        "# comment\narea: chunk\nlist:\n\n  - id: 1\n    text: >-\n      two\n      lines\n  - [x,\n     y]\n",
        "v.yaml",
    )
    assert dict(document.lines) == {
        (): 2,
        ("area",): 2,
        ("list",): 3,
        ("list", 0): 5,
        ("list", 0, "id"): 5,
        ("list", 0, "text"): 6,
        ("list", 1): 9,
        ("list", 1, 0): 9,
        ("list", 1, 1): 10,
    }
    assert len(document.lines) == 9


def test_a_missing_field_is_placed_where_its_mapping_begins():
    document = load("a:\n  - x: 1\n  - y: 1\n", "v.yaml")
    assert document.place(("a", 1, "x")) == "v.yaml:3"
    assert document.place(("b", "c")) == "v.yaml:1"
    assert document.place() == "v.yaml:1"


def test_carriage_returns_and_a_byte_order_mark_do_not_shift_lines():
    document = load("\ufeffa: 1\r\nb: 2\r\n", "v.yaml")
    assert document.data == {"a": 1, "b": 2}
    assert document.place(("b",)) == "v.yaml:2"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.text(string.printable, max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(string.ascii_letters + " :#-1", max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_json_is_read_as_json_reads_it(value):
    # JSON quotes every string, so nothing is left to resolve but numbers and the three words.
    assert load(json.dumps(value), "v.yaml").data == value


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_one_line(text):
    error = outcome(text)
    assert error is None or re.match(r"v\.yaml:\d+: .+; .+\Z", str(error))


@given(st.integers(0, 2**64))
def test_decimal_and_hexadecimal_agree(number):
    assert load(f"[{number}, {number:#x}, {number:#X}]".replace("0X", "0x"), "v.yaml").data == [number] * 3
