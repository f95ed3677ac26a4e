"""The text of a vector: every buffer reads back as the bytes it was written from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_conformance.vectors.comments import comment_on_space, comment_on_written, readable_lines
from balloon_conformance.vectors.hexadecimal import parse_hex
from balloon_conformance.vectors.write import _text
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.profiles import CHUNK_TRANSFER

CHUNKS, NO_CHUNKS = {"CHUNK_TRANSFER"}, set()
RECORD = st.sampled_from([bytes(16), bytes(range(16)), b"\xff" * 16, bytes.fromhex("00100000" * 4)])


@given(
    queue=st.sampled_from(CHUNK_TRANSFER.queues),
    chunks=st.booleans(),
    data=st.one_of(
        st.binary(min_size=1, max_size=80),
        st.builds(
            lambda head, records, tail: head + b"".join(records) + tail,
            st.binary(min_size=8, max_size=8),
            st.lists(RECORD, max_size=60),
            st.binary(max_size=15),
        ),
    ),
)
def test_any_buffer_reads_back(queue, chunks, data):
    lines = readable_lines(queue, data, CHUNKS if chunks else NO_CHUNKS)
    assert parse_hex("\n".join(lines)) == data
    assert all("  # " in line for line in lines)


def test_what_repeats_is_written_once():
    data = bytes.fromhex("00000000 f0000000") + (b"\x11" * 16 + b"\x22" * 16) * 7 + b"\x33" * 16
    lines = readable_lines(INFLATE, data, CHUNKS)
    assert len(lines) == 4
    assert lines[1].startswith("(11 11")
    assert ")*7" in lines[2]
    assert "these 2 7 times" in lines[2]
    assert parse_hex("\n".join(lines)) == data


def test_many_records_share_a_line():
    pfns = b"".join(number.to_bytes(4, "little") for number in range(0x1000, 0x1000 + 64))
    lines = readable_lines(INFLATE, pfns, NO_CHUNKS)
    assert len(lines) == 8
    assert lines[0].endswith("# pages 0x1000, 0x1001, 0x1002, 0x1003, 0x1004, 0x1005, 0x1006, 0x1007")


def test_what_lies_beyond_data_len_is_said_to():
    data = bytes.fromhex("00000000 10000000") + bytes(range(16)) * 2 + b"\x01"
    comments = [line.split("  # ")[1] for line in readable_lines(DEFLATE, data, CHUNKS)]
    assert ["(beyond data_len)" in comment for comment in comments] == [False, False, True, True]
    assert comments[3].startswith("1 byte of the 16 of a chunk")


def test_flags_are_named_where_they_mean_something():
    data = bytes.fromhex("0001341200000000")
    assert readable_lines(HOST_REQUEST, data, CHUNKS) == [
        "00 01 34 12  00 00 00 00  # cmd 0, flag 1 (DONE), id 0x1234, data_len 0"
    ]
    assert readable_lines(INFLATE, data, CHUNKS) == [
        "00 01 34 12  00 00 00 00  # cmd 0, flag 1, id 0x1234, data_len 0"
    ]


@pytest.mark.parametrize(
    ("offset", "data", "comment"),
    [
        (0, "10000000", "num_pages 16"),
        (4, "02000000", "actual 2"),
        (0, "1000000002000000", "num_pages 16, actual 2"),
        (5, "00", "byte 5"),
        (8, "ffffffff", "bytes 8 to 11"),
    ],
)
def test_bytes_of_the_configuration_are_named(offset, data, comment):
    assert comment_on_space(offset, bytes.fromhex(data), CHUNK_TRANSFER.words) == comment


def test_a_request_says_its_fields():
    assert (
        comment_on_written(HOST_REQUEST, bytes.fromhex("0900 0000 0000 0000 2000000000000000"))
        == "cmd 9, param 0x20"
    )
    assert (
        comment_on_written(HOST_REQUEST, bytes.fromhex("0000 0100 0000 0000 2000000000000000"))
        == "cmd 0, param 0x20, reserved words 0x1, 0x0, 0x0"
    )
    assert comment_on_written(HOST_REQUEST, bytes(8)) == "8 bytes of 16"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Two runs of pages", "Two runs of pages"),
        ("64 ones are a value", '"64 ones are a value"'),
        ("CONT of 1: DONE", '"CONT of 1: DONE"'),
        ("A comment # is none", '"A comment # is none"'),
    ],
)
def test_text_that_yaml_would_read_otherwise_is_quoted(text, written):
    assert _text(text) == written
