"""What holds for every structure: parse and build undo each other, and nothing illegal passes."""

import pickle

import pytest
import wire_strategies as wire
from construct import ConstructError
from hypothesis import assume, given
from hypothesis import strategies as st
from wire_strategies import law

from balloon_spec.families.base.configuration import Configuration
from balloon_spec.families.base.pfn_array import PfnArray
from balloon_spec.families.chunk_transfer.chunk import Chunk
from balloon_spec.families.chunk_transfer.response_header import ResponseHeader
from balloon_spec.families.chunk_transfer.response_message import ResponseMessage, message
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.families.registry import structures
from balloon_spec.families.statistics.statistics import Statistic, Statistics
from balloon_spec.wire.errors import WireError

EVERY = pytest.mark.parametrize("name", list(wire.VALUES))
LEGACY = pytest.mark.parametrize("name", ["pfn-array", "statistics"])
FIXED_BYTES = {"chunk": 16, "response-header": 8, "host-request": 16, "configuration": 8}


def test_the_registry_names_every_structure_and_the_tests_cover_each():
    assert set(structures()) == set(wire.VALUES)
    assert all(structure.name == name for name, structure in structures().items())
    assert all(structure.title for structure in structures().values())


@EVERY
@law
@given(data=st.data())
def test_build_lays_a_value_out_as_plain_struct_does(name, data):
    value = data.draw(wire.VALUES[name])
    assert structures()[name].build(value) == wire.encode(name, value)


@EVERY
@law
@given(data=st.data())
def test_parse_of_build_is_the_value(name, data):
    value = data.draw(wire.VALUES[name])
    assert structures()[name].parse(structures()[name].build(value)) == value


@EVERY
@law
@given(data=st.data(), container=st.sampled_from([bytes, bytearray, memoryview]))
def test_build_of_parse_is_the_bytes(name, data, container):
    raw = data.draw(wire.legal_bytes(name))
    assert structures()[name].build(structures()[name].parse(container(raw))) == raw


@pytest.mark.parametrize("name", list(FIXED_BYTES))
@law
@given(data=st.data())
def test_any_bytes_of_the_right_length_are_a_fixed_structure(name, data):
    raw = data.draw(st.binary(min_size=FIXED_BYTES[name], max_size=FIXED_BYTES[name]))
    assert structures()[name].build(structures()[name].parse(raw)) == raw


@LEGACY
@law
@given(data=st.data())
def test_the_laws_hold_in_the_byte_order_of_a_big_endian_guest(name, data):
    value = data.draw(wire.VALUES[name])
    raw = structures()[name].build(value, "big")
    assert raw == wire.encode(name, value, "big")
    assert structures()[name].parse(raw, "big") == value


@EVERY
@law
@given(data=st.data())
def test_the_schema_alone_agrees_and_refuses_trailing_bytes(name, data):
    raw = data.draw(wire.legal_bytes(name))
    schema = structures()[name].schema
    assert schema.build(schema.parse(raw)) == raw
    with pytest.raises(ConstructError):
        schema.parse(raw + b"\0")


# Lengths


def is_legal(name, length):
    if name in FIXED_BYTES:
        return length == FIXED_BYTES[name]
    if name == "pfn-array":
        return length > 0 and length % 4 == 0
    return length % 10 == 0


@pytest.mark.parametrize("name", [*FIXED_BYTES, "pfn-array", "statistics"])
@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_every_length_that_is_not_legal_is_refused_and_every_legal_one_is_not(name, fill):
    parse = structures()[name].parse
    for length in range(65):
        if is_legal(name, length):
            parse(fill * length)
            continue
        with pytest.raises(WireError) as caught:
            parse(fill * length)
        assert caught.value.structure == name
        assert caught.value.field
        assert 0 <= caught.value.offset <= length


def test_every_length_of_a_message_but_the_announced_one_is_refused():
    parse = structures()["response-message"].parse
    whole = bytes.fromhex("00 01 34 12  20 00 00 00") + bytes(64)
    for length in range(len(whole)):
        if length == 40:
            assert len(parse(whole[:length]).chunks) == 2
            continue
        with pytest.raises(WireError) as caught:
            parse(whole[:length])
        wrong = {0: "cmd", 1: "flag", 2: "id", 3: "id"}.get(length, "data_len")
        assert (caught.value.structure, caught.value.field) == ("response-message", wrong)


@EVERY
@law
@given(data=st.data(), tail=st.binary(min_size=1, max_size=40))
def test_trailing_bytes_are_refused(name, data, tail):
    raw = data.draw(wire.legal_bytes(name)) + tail
    assume(name in FIXED_BYTES or name == "response-message" or not is_legal(name, len(raw)))
    with pytest.raises(WireError):
        structures()[name].parse(raw)


@pytest.mark.parametrize(
    ("name", "raw", "line"),
    [
        ("chunk", bytes(12), "chunk: size at byte 8: expected 8 bytes, seen 4"),
        ("chunk", bytes(17), "chunk: trailing bytes at byte 16: expected 16 bytes in all, seen 17"),
        ("response-header", b"", "response-header: cmd at byte 0: expected 1 bytes, seen 0"),
        ("response-header", bytes(7), "response-header: data_len at byte 4: expected 4 bytes, seen 3"),
        ("host-request", bytes(5), "host-request: reserved[1] at byte 4: expected 2 bytes, seen 1"),
        ("host-request", bytes(15), "host-request: param at byte 8: expected 8 bytes, seen 7"),
        (
            "pfn-array",
            b"",
            "pfn-array: pfns[0] at byte 0: expected at least one page frame number of 4 bytes, seen 0 bytes",
        ),
        ("pfn-array", bytes(1026), "pfn-array: pfns[256] at byte 1024: expected 4 bytes, seen 2"),
        ("statistics", bytes(17), "statistics: entries[1].value at byte 12: expected 8 bytes, seen 5"),
        ("statistics", bytes(12), "statistics: entries[1].value at byte 12: expected 8 bytes, seen 0"),
        ("statistics", bytes(11), "statistics: entries[1].tag at byte 10: expected 2 bytes, seen 1"),
        (
            "configuration",
            bytes(12),
            "configuration: trailing bytes at byte 8: expected 8 bytes in all, seen 12",
        ),
        (
            "response-message",
            bytes.fromhex("00000000 20000000") + bytes(16),
            "response-message: data_len at byte 4: expected 16, the bytes of response data, seen 32",
        ),
        (
            "response-message",
            bytes.fromhex("00000000 14000000") + bytes(20),
            "response-message: data_len at byte 4: expected a multiple of 16, the bytes of a chunk, seen 20",
        ),
        (
            "response-message",
            bytes.fromhex("00000000 18000000") + bytes(16),  # the header counted into data_len
            "response-message: data_len at byte 4: expected 16, the bytes of response data, seen 24",
        ),
    ],
)
def test_a_refused_length_is_one_line_that_names_the_field(name, raw, line):
    with pytest.raises(WireError) as caught:
        structures()[name].parse(raw)
    assert str(caught.value) == line


def test_an_empty_statistics_buffer_and_a_message_without_chunks_are_legal():
    assert structures()["statistics"].parse(b"") == Statistics(())
    assert structures()["response-message"].parse(bytes.fromhex("0001341200000000")).chunks == ()


# Numbers that do not fit

ONE_CHUNK = message([Chunk(1, 1)])


@pytest.mark.parametrize(
    ("name", "value", "field", "offset"),
    [
        ("chunk", Chunk(1 << 52, 1), "pfn", 0),
        ("chunk", Chunk(-1, 1), "pfn", 0),
        ("chunk", Chunk(1, 1 << 52), "pages", 8),
        ("chunk", Chunk(1, -1), "pages", 8),
        ("chunk", Chunk(1, 1, base_reserved=1 << 12), "base_reserved", 0),
        ("chunk", Chunk(1, 1, base_reserved=-1), "base_reserved", 0),
        ("chunk", Chunk(1, 1, size_reserved=1 << 12), "size_reserved", 8),
        ("chunk", Chunk(1.0, 1), "pfn", 0),
        ("chunk", Chunk(1, None), "pages", 8),
        ("response-header", ResponseHeader(256, 0, 0, 0), "cmd", 0),
        ("response-header", ResponseHeader(0, 256, 0, 0), "flag", 1),
        ("response-header", ResponseHeader(0, 0, 1 << 16, 0), "id", 2),
        ("response-header", ResponseHeader(0, 0, 0, 1 << 32), "data_len", 4),
        ("response-header", ResponseHeader(0, 0, -1, 0), "id", 2),
        ("response-message", message([], cmd=256), "cmd", 0),
        ("response-message", message([], id=0x11234), "id", 2),
        ("response-message", message([Chunk(1, 1), Chunk(1 << 52, 1)]), "chunks[1].pfn", 24),
        ("response-message", message([Chunk(1, 1), Chunk(1, 1, 0, 1 << 12)]), "chunks[1].size_reserved", 32),
        ("response-message", ResponseMessage(ResponseHeader(0, 0, 0, 0), ONE_CHUNK.chunks), "data_len", 4),
        ("response-message", ResponseMessage(ResponseHeader(0, 0, 0, 24), ONE_CHUNK.chunks), "data_len", 4),
        ("response-message", ResponseMessage(ONE_CHUNK.header, ()), "data_len", 4),
        ("host-request", HostRequest(1 << 16), "cmd", 0),
        ("host-request", HostRequest(0, (0, 1 << 16, 0)), "reserved[1]", 4),
        ("host-request", HostRequest(0, (0, 0)), "reserved", 2),
        ("host-request", HostRequest(0, (0, 0, 0, 0)), "reserved", 2),
        ("host-request", HostRequest(0, (0, 0, 0), 1 << 64), "param", 8),
        ("pfn-array", PfnArray((1, 1 << 32)), "pfns[1]", 4),
        ("pfn-array", PfnArray((-1,)), "pfns[0]", 0),
        ("pfn-array", PfnArray(()), "pfns[0]", 0),
        ("statistics", Statistics((Statistic(0, 0), Statistic(1 << 16, 0))), "entries[1].tag", 10),
        ("statistics", Statistics((Statistic(0, 0), Statistic(0, 1 << 64))), "entries[1].value", 12),
        ("configuration", Configuration(1 << 32, 0), "num_pages", 0),
        ("configuration", Configuration(0, -1), "actual", 4),
    ],
)
def test_a_number_that_does_not_fit_is_refused_by_name(name, value, field, offset):
    with pytest.raises(WireError) as caught:
        structures()[name].build(value)
    error = caught.value
    assert (error.structure, error.field, error.offset) == (name, field, offset)
    assert "\n" not in str(error)


def test_the_error_says_the_range_and_the_number():
    with pytest.raises(WireError) as caught:
        structures()["chunk"].build(Chunk(1, 1, base_reserved=0x1001))
    assert (
        str(caught.value)
        == "chunk: base_reserved at byte 0: expected an integer from 0 to 0xfff, seen 0x1001"
    )


def test_an_error_without_a_place_leaves_it_out_and_survives_pickling():
    error = WireError("chunk", "chunks", None, "an array of integers", "float64")
    copied = pickle.loads(pickle.dumps(error))
    assert str(copied) == str(error) == "chunk: chunks: expected an array of integers, seen float64"
    assert copied.offset is None
    assert isinstance(copied, ValueError)
