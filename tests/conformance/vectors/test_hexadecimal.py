"""Hex pairs: what they stand for, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_conformance.vectors.hexadecimal import LENGTH_LIMIT_BYTES, HexError, line_of, parse_hex


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", b""),
        (" # nothing\n\n", b""),
        ("00 fF 1a", b"\x00\xff\x1a"),
        ("00  # (10*\n10", b"\x00\x10"),
        ("00*3 01", b"\0\0\0\1"),
        ("00*0x10", bytes(16)),
        ("(00 10)*2 ff", b"\x00\x10\x00\x10\xff"),
        ("( 00*2\n 01 # two\n)*3", b"\0\0\1" * 3),
        ("(00)*1(01)*2", b"\0\1\1"),
        (f"00*{LENGTH_LIMIT_BYTES}", bytes(LENGTH_LIMIT_BYTES)),
    ],
)
def test_text_stands_for_bytes(text, value):
    assert parse_hex(text) == value


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("00\n0", 1, "'0' has an odd number of digits; write every byte with two digits"),
        ("0x10", 0, "'0x10' is not a hex pair; write two digits of 0 to 9 and a to f"),
        ("0010", 0, "'0010' holds several pairs; set them apart, as in 00 10"),
        ("00*", 0, "'' is not a number of repetitions; write '*' and a count from 1"),
        ("00*-1", 0, "'-1' is not a number of repetitions; write '*' and a count from 1"),
        ("(00)", 0, "'' is not a number of repetitions; write '*' and a count from 1"),
        ("\n(00", 1, "'(' is not closed; close the group with ')*' and a count"),
        ("00)*2", 0, "')' without '('; open the group, or remove the bracket"),
        ("((00)*2)*2", 0, "'(' inside brackets; brackets do not nest: write the inner part out"),
        ("()*2", 0, "brackets without bytes; put the pairs to repeat between them"),
        (f"00 00*{LENGTH_LIMIT_BYTES}", 0, "more than 1048576 bytes; lower the number of repetitions"),
        ("(00*1024)*1025", 0, "more than 1048576 bytes; lower the number of repetitions"),
        (f"00*{'9' * 100000}", 0, "more than 1048576 bytes; lower the number of repetitions"),
    ],
)
def test_what_is_no_hex_is_refused_on_its_line(text, line, says):
    with pytest.raises(HexError) as caught:
        parse_hex(text)
    assert (caught.value.line, str(caught.value)) == (line, says)


@given(st.binary(max_size=200))
def test_pairs_read_back(data):
    assert parse_hex(data.hex(" ")) == data


@given(st.binary(min_size=1, max_size=20), st.integers(1, 50))
def test_a_group_repeats_its_bytes(data, count):
    assert parse_hex(f"({data.hex(' ')})*{count}") == data * count


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("00 01", [0, 0]),
        ("00\n# none\n01 02\n\n03", [0, 2, 2, 4]),
        ("00\n01*3 02", [0, 1, 1, 1, 1]),
        ("00\n(01\n02)*2\n03", [0, 1, 1, 1, 1, 3]),
    ],
)
def test_every_byte_has_its_line(text, lines):
    assert len(parse_hex(text)) == len(lines)
    assert [line_of(text, offset) for offset in range(len(lines))] == lines


def test_a_byte_that_is_not_there_would_stand_on_the_last_line_with_bytes():
    assert line_of("00\n01\n", 2) == 1
    assert line_of("", 0) == 0
