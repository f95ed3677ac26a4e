"""Any buffer is explained, well-formed or not."""

import pytest
import wire_strategies as wire
from hypothesis import given
from hypothesis import strategies as st
from wire_strategies import law

from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.chunk_transfer.chunk import Chunk
from balloon_spec.families.chunk_transfer.response_message import build, message
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.registry import structures
from balloon_spec.wire.annotate import annotate
from balloon_spec.wire.errors import WireError
from balloon_spec.wire.hint import NOTHING_KNOWN, Context
from balloon_spec.wire.structure import Field

EVERY = pytest.mark.parametrize("name", list(wire.VALUES))
GOOD = bytes.fromhex("00 00 00 00 10 00 00 00   00 00 00 40 00 00 00 00   00 00 00 40 00 00 00 00")


def by_name(structure, text, byteorder="little", context=NOTHING_KNOWN):
    data = bytes.fromhex(text) if isinstance(text, str) else text
    return {field.name: field for field in annotate(structure, data, byteorder, context)}


def problems(structure, text, context=NOTHING_KNOWN):
    found = by_name(structure, text, context=context)
    return {name: field.problem for name, field in found.items() if field.problem}


@EVERY
@pytest.mark.parametrize("order", ["little", "big"])
@law
@given(data=st.binary(max_size=90), container=st.sampled_from([bytes, bytearray, memoryview]))
def test_any_bytes_are_explained_and_none_is_left_out(name, order, data, container):
    fields = annotate(name, container(data), order)
    assert b"".join(field.raw for field in fields) == data
    assert all(field.meaning and field.name for field in fields)
    assert all(field.problem is None or field.problem for field in fields)
    at = 0
    for field in fields:
        assert field.offset == at or not field.raw
        at += len(field.raw)


def refused_field(name, data):
    try:
        structures()[name].parse(data)
    except WireError as error:
        return error.field
    return None


@EVERY
@law
@given(data=st.binary(max_size=90))
def test_what_parse_refuses_has_a_problem_where_parse_saw_it(name, data):
    if name == "configuration":
        # Behind it stand words of other families, which the base family does not parse.
        data = data[:8]
    blamed = {field.name for field in annotate(name, data) if field.problem}
    assert {refused_field(name, data)} - {None} <= blamed


@EVERY
@law
@given(data=st.data())
def test_in_what_parse_accepts_every_number_is_there(name, data):
    raw = data.draw(wire.legal_bytes(name))
    assert None not in {field.value for field in annotate(name, raw)}


@EVERY
@law
@given(data=st.data())
def test_the_numbers_are_those_at_the_places_written_by_hand(name, data):
    by_hand = wire.LAYOUTS[name]
    numbers = {
        field: data.draw(wire.unsigned(place.width)) for field, place in by_hand.places.items()
    } | by_hand.base
    explained = by_name(name, wire.encode(name, by_hand.make(numbers)))
    assert {field: explained[field].value for field in by_hand.places} == numbers
    assert {field: explained[field].offset for field in by_hand.places} == {
        field: place.offset for field, place in by_hand.places.items()
    }


def test_a_whole_message_word_by_word_and_bit_by_bit():
    idle = "; no meaning on the inflate and deflate queues"
    gib = bytes.fromhex("00 00 00 40 00 00 00 00")
    assert annotate("response-message", GOOD) == (
        Field(0, b"\0", "cmd", 0, "GET_UNUSED_PAGES" + idle),
        Field(1, b"\0", "flag", 0, "CONT, more messages of the answer follow" + idle),
        Field(2, b"\0\0", "id", 0, "answers the request with id 0x0" + idle),
        Field(4, b"\x10\0\0\0", "data_len", 16, "16 bytes of response data: 1 chunk"),
        Field(8, gib, "chunks[0].base", 0x40000000, "guest-physical address 0x40000000"),
        Field(8, b"", "chunks[0].pfn", 0x40000, "first page: page frame number 0x40000"),
        Field(8, b"", "chunks[0].base_reserved", 0, "reserved, bits 11 to 0 of base"),
        Field(16, gib, "chunks[0].size", 0x40000000, "1 GiB"),
        Field(
            16,
            b"",
            "chunks[0].pages",
            262144,
            "262144 pages (1 GiB) from guest-physical address 0x40000000",
        ),
        Field(16, b"", "chunks[0].size_reserved", 0, "reserved, bits 11 to 0 of size"),
    )


def test_a_page_outside_guest_memory_is_a_problem_where_its_size_is_known():
    outside = "it is not among the 0x4000 pages of guest memory"
    array = "00 40 00 00  ff 3f 00 00  ff ff ff ff"
    assert problems("pfn-array", array, Context()) == {}
    assert problems("pfn-array", array, Context(memory_pages=0x4000)) == {
        "pfns[0]": outside,
        "pfns[2]": outside,
    }
    last = "00 f0 ff 03 00 00 00 00  00 {}0 00 00 00 00 00 00"
    assert problems("chunk", last.format("1"), Context(memory_pages=0x4000)) == {}
    assert problems("chunk", last.format("2"), Context()) == {}
    assert problems("chunk", last.format("2"), Context(memory_pages=0x4000)) == {
        "pages": "not all of them are among the 0x4000 pages of guest memory"
    }


def test_an_id_that_is_not_that_of_the_request_is_a_problem_where_it_means_something():
    header = "00 01 34 12  00 00 00 00"
    asked = "the request has id 0x11235"
    assert problems("response-header", header, Context(request_id=0x51234)) == {}
    assert problems("response-header", header, Context(request_id=0x11235)) == {"id": asked}
    on_its_queue = Context(HOST_REQUEST, request_id=0x11235)
    assert problems("response-message", header, on_its_queue) == {"id": asked}
    assert problems("response-header", header, Context(INFLATE, request_id=0x11235))["id"] == "not zero"


@pytest.mark.parametrize("queue", [INFLATE, DEFLATE])
def test_on_the_queues_of_the_balloon_three_fields_of_a_header_mean_nothing(queue):
    head = {
        field.name: (field.meaning, field.problem)
        for field in annotate(
            "response-message", bytes.fromhex("00 01 34 12 00 00 00 00"), context=Context(queue)
        )
    }
    nothing = "no meaning on this queue"
    assert head == {
        "cmd": (nothing, None),
        "flag": (nothing, "not zero"),
        "id": (nothing, "not zero"),
        "data_len": ("0 bytes of response data: 0 chunks", "a message names at least one chunk"),
    }
    assert not [
        field for field in annotate("response-message", GOOD, context=Context(queue)) if field.problem
    ]


def test_on_the_host_request_queue_a_header_means_what_it_means():
    done = bytes.fromhex("00 01 34 12 00 00 00 00")
    assert annotate("response-message", done, context=Context(HOST_REQUEST)) == annotate(
        "response-message", done
    )


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        (1, "1 page (4 KiB)"),
        (3, "3 pages (12 KiB)"),
        (1024, "1024 pages (4 MiB)"),
        (1 << 51, f"{1 << 51} pages (8 EiB)"),
    ],
)
def test_lengths_are_written_in_the_largest_whole_unit(pages, words):
    explained = by_name("chunk", wire.encode("chunk", Chunk(0, pages)))
    assert explained["pages"].meaning == f"{words} from guest-physical address 0x0"


@law
@given(value=wire.chunks)
def test_a_chunk_has_a_problem_for_each_thing_wrong_with_it(value):
    expected = set()
    if value.base_reserved:
        expected.add("base_reserved")
    if value.size_reserved:
        expected.add("size_reserved")
    if value.pages == 0 or value.pfn + value.pages > 1 << 52:
        expected.add("pages")
    assert set(problems("chunk", wire.encode("chunk", value))) == expected


def test_reserved_bits_are_named():
    assert problems("chunk", "01 08 00 00 00 00 00 00   00 18 00 00 00 00 00 00") == {
        "base_reserved": "bits 0, 11 of base not zero",
        "size_reserved": "bit 11 of size not zero",
    }


def test_chunks_without_pages_and_beyond_the_address_space_are_problems():
    assert problems("chunk", "00 10 00 00 00 00 00 00" + "00" * 8) == {
        "pages": "a chunk has at least one page"
    }
    last_page = "00 f0 ff ff ff ff ff ff"
    assert problems("chunk", last_page + "00 10 00 00 00 00 00 00") == {}
    assert problems("chunk", last_page + "00 20 00 00 00 00 00 00") == {
        "pages": "the chunk ends beyond the 64-bit address space"
    }


CHUNK = "00 00 00 40 00 00 00 00   00 30 00 00 00 00 00 00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00 01 34 12 00 00 00 00", {}),
        (
            "00 00 34 12 00 00 00 00",
            {"data_len": "only the last message of an answer, DONE, may be without chunks"},
        ),
        ("09 00 00 00 10 00 00 00" + CHUNK, {"cmd": "the only command is GET_UNUSED_PAGES (0)"}),
        ("00 02 00 00 10 00 00 00" + CHUNK, {"flag": "a flag is CONT (0) or DONE (1)"}),
        ("00 00 00 00 20 00 00 00" + CHUNK, {"data_len": "16 bytes of response data follow"}),
        (
            "00 00 00 00 18 00 00 00" + CHUNK,
            {"data_len": "16 bytes of response data follow; not a multiple of 16, the bytes of a chunk"},
        ),
        (
            "00 01 00 00 00 00 00 00" + CHUNK,
            {
                "data_len": "16 bytes of response data follow",
                "chunks[0].base": "beyond the response data that data_len announces",
                "chunks[0].size": "beyond the response data that data_len announces",
            },
        ),
        (
            "00 00 00 00 10 00 00 00" + CHUNK + "ff ff ff",
            {
                "data_len": "19 bytes of response data follow",
                "chunks[1].base": "cut short: 3 of 8 bytes; beyond the response data that data_len announces",
                "chunks[1].size": "missing",
            },
        ),
        (
            "00 00 00 00 13 00 00 00" + CHUNK + "ff ff ff",
            {
                "data_len": "not a multiple of 16, the bytes of a chunk",
                "chunks[1].base": "cut short: 3 of 8 bytes",
                "chunks[1].size": "missing",
            },
        ),
        ("00 00 34", {"id": "cut short: 1 of 2 bytes", "data_len": "missing"}),
        ("", dict.fromkeys(["cmd", "flag", "id", "data_len"], "missing")),
    ],
)
def test_what_is_wrong_with_a_message(text, expected):
    assert problems("response-message", text) == expected


def test_a_header_alone_is_not_held_against_what_follows():
    assert problems("response-header", "00 00 00 00 10 00 00 00") == {}
    assert problems("response-header", "00 00 00 00 11 00 00 00") == {
        "data_len": "not a multiple of 16, the bytes of a chunk"
    }
    assert problems("response-header", "00 01 00 00 00 00 00 00 00") == {
        "trailing bytes": "the structure ends after 8 bytes"
    }


def test_every_chunk_of_a_long_message_is_explained():
    explained = by_name("response-message", build(message(Chunk(2 * at + 1, 1) for at in range(2048))))
    assert len(explained) == 4 + 6 * 2048
    assert explained["chunks[2047].base"].offset == 8 + 16 * 2047
    assert explained["chunks[2047].pages"].meaning == "1 page (4 KiB) from guest-physical address 0xfff000"


def test_a_host_request():
    assert problems("host-request", "00 00 00 00 00 00 00 00   34 12 00 00 00 00 00 00") == {}
    explained = by_name("host-request", "00 00 00 00 05 00 00 00   34 12 01 00 00 00 00 00")
    assert explained["reserved[1]"].problem == "not zero"
    assert explained["param"].meaning == "request id; answers carry id 0x1234"
    assert "from 0 to 65535" in explained["param"].problem
    unknown = by_name("host-request", "09 00 00 00 00 00 00 00   34 12 01 00 00 00 00 00")
    assert unknown["cmd"].problem == "the only command is GET_UNUSED_PAGES (0)"
    assert unknown["param"] == Field(
        8, bytes.fromhex("3412010000000000"), "param", 0x11234, "argument of an unknown command"
    )


def test_a_pfn_array_in_either_byte_order():
    assert (
        by_name("pfn-array", "00 10 00 00")["pfns[0]"].meaning == "page at guest-physical address 0x1000000"
    )
    assert by_name("pfn-array", "00 00 10 00", "big")["pfns[0]"].value == 0x1000
    assert problems("pfn-array", "") == {"pfns[0]": "missing: the array is empty"}
    assert problems("pfn-array", "00 10 00 00 01") == {"pfns[1]": "cut short: 1 of 4 bytes"}


def test_statistics_name_their_tags():
    text = (
        "05 00 00 00 00 08 00 00 00 00   03 00 07 00 00 00 00 00 00 00   0a 00 02 00 00 00 00 00 00 00   ff ff"
        + "ff" * 8
    )
    explained = by_name("statistics", text)
    assert {name: field.meaning for name, field in explained.items()} == {
        "entries[0].tag": "MEMTOT: bytes of memory in all",
        "entries[0].value": "134217728 bytes of memory in all (128 MiB)",
        "entries[1].tag": "MINFLT: minor page faults",
        "entries[1].value": "7 minor page faults",
        "entries[2].tag": "OOM_KILL: processes killed for want of memory (sent by Linux, not in the standard)",
        "entries[2].value": "2 processes killed for want of memory",
        "entries[3].tag": "unknown tag: ignored (UNEVICTABLE, of ChromeOS; Windows fills entries with this"
        " tag that it has no statistic for)",
        "entries[3].value": "value of a statistic that the standard does not have",
    }
    assert problems("statistics", text) == {}
    assert problems("statistics", text[:-2]) == {"entries[3].value": "cut short: 7 of 8 bytes"}
    assert annotate("statistics", b"") == ()
    assert by_name("statistics", "00 05 00 00 00 00 08 00 00 00", "big")["entries[0].value"].value == 1 << 27


def test_a_longer_configuration_space_belongs_to_other_features():
    explained = by_name("configuration", "20 4e 00 00  01 00 00 00" + 5 * "  00 00 00 00")
    assert explained["num_pages"].meaning == "the balloon is to hold 20000 pages (80000 KiB)"
    assert explained["actual"].meaning == "the balloon holds 1 page (4 KiB)"
    assert explained["trailing bytes"] == Field(
        16,
        bytes(12),
        "trailing bytes",
        None,
        "12 bytes outside every field",
        "the structure ends after 16 bytes",
    )


def test_a_structure_that_does_not_exist_is_a_mistake_of_the_caller():
    with pytest.raises(KeyError):
        annotate("chunks", b"")
