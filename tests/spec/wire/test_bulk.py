"""The numpy path, and that of plain struct, say what the schema says."""

import numpy as np
import pytest
import wire_strategies as wire
from hypothesis import given
from hypothesis import strategies as st
from wire_strategies import law

from balloon_spec.families.base import pfn_array
from balloon_spec.families.chunk_transfer import chunk, response_header, response_message
from balloon_spec.families.chunk_transfer.chunk import Chunk
from balloon_spec.families.chunk_transfer.response_message import message
from balloon_spec.wire.errors import WireError

chunk_lists = st.lists(wire.chunks, max_size=12)


@law
@given(values=chunk_lists, container=st.sampled_from([bytes, bytearray, memoryview]))
def test_decode_gives_the_words_of_the_schema(values, container):
    raw = b"".join(chunk.build(value) for value in values)
    words = chunk.decode(container(raw))
    assert (words.dtype, words.shape, words.flags.writeable) == (np.dtype("<u8"), (len(values), 2), False)
    parsed = [chunk.parse(raw[start : start + 16]) for start in range(0, len(raw), 16)]
    assert words.tolist() == [[value.base, value.size] for value in parsed]
    assert chunk.from_array(words) == tuple(parsed)


@law
@given(values=chunk_lists, order=st.sampled_from("<>"))
def test_encode_gives_the_bytes_of_the_schema_whatever_the_byte_order_of_the_array(values, order):
    words = chunk.to_array(values).astype(f"{order}u8")
    assert chunk.encode(words) == b"".join(chunk.build(value) for value in values)


@law
@given(raw=st.binary(min_size=8, max_size=8), container=st.sampled_from([bytes, bytearray, memoryview]))
def test_a_header_is_what_its_schema_says(raw, container):
    value = response_header.parse(container(raw))
    fields = response_header.SCHEMA.parse(raw)
    assert response_header.to_numbers(value) == {
        name: fields[name] for name in ("cmd", "flag", "id", "data_len")
    }
    assert response_header.build(value) == response_header.SCHEMA.build(response_header.to_numbers(value))


@law
@given(value=wire.messages())
def test_a_message_is_what_its_schema_says(value):
    raw = response_message.build(value)
    container = response_message.SCHEMA.parse(raw)
    numbers = [
        (entry.base.pfn, entry.size.pages, entry.base.base_reserved, entry.size.size_reserved)
        for entry in container.chunks
    ]
    assert [Chunk(*entry) for entry in numbers] == list(value.chunks)
    assert container.header.data_len == value.header.data_len
    assert response_message.SCHEMA.build(container) == raw


def test_the_largest_message_of_a_guest_with_4_kib_pages_goes_through_whole():
    whole = message(Chunk(2 * at, 1) for at in range(2048))
    raw = response_message.build(whole)
    assert len(raw) == 32776
    assert response_message.parse(raw) == whole


def test_a_view_shares_memory_with_the_buffer():
    raw = bytearray(32)
    words = chunk.decode(raw)
    raw[17] = 0x10
    assert words.tolist() == [[0, 0], [0x1000, 0]]


@pytest.mark.parametrize("length", [length for length in range(50) if length % 16])
def test_a_broken_tail_is_refused(length):
    with pytest.raises(WireError) as caught:
        chunk.decode(bytes(length))
    whole, left = divmod(length, 16)
    line = f"chunk: chunks[{whole}] at byte {whole * 16}: expected 16 bytes, seen {left}"
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (np.zeros(4, "<u8"), "chunk: chunks: expected an array of shape (n, 2), seen shape (4,)"),
        (np.zeros((2, 3), "<u8"), "chunk: chunks: expected an array of shape (n, 2), seen shape (2, 3)"),
        (np.zeros((2, 1), "<u8"), "chunk: chunks: expected an array of shape (n, 2), seen shape (2, 1)"),
        (
            np.zeros((2, 2, 2), "<u8"),
            "chunk: chunks: expected an array of shape (n, 2), seen shape (2, 2, 2)",
        ),
        (np.zeros((2, 2)), "chunk: chunks: expected an array of integers, seen float64"),
        (
            np.array([[0, 4096], [0, -1], [-2, 0]]),
            "chunk: chunks[1].size at byte 24: expected an integer from 0, seen -1",
        ),
    ],
)
def test_an_array_that_is_not_words_is_refused(array, line):
    with pytest.raises(WireError) as caught:
        chunk.encode(array)
    assert str(caught.value) == line


@law
@given(value=wire.arrays, order=st.sampled_from(["little", "big"]))
def test_page_frame_numbers_decode_to_those_of_the_schema(value, order):
    pfns = pfn_array.decode(bytearray(pfn_array.build(value, order)), order)
    assert tuple(pfns.tolist()) == value.pfns
    assert (pfns.dtype, pfns.flags.writeable) == (np.dtype({"little": "<u4", "big": ">u4"}[order]), False)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 1023])
def test_an_array_of_page_frame_numbers_is_a_positive_multiple_of_4_bytes(length):
    with pytest.raises(WireError, match=rf"pfn-array: pfns\[{length // 4}\]"):
        pfn_array.decode(bytes(length))
