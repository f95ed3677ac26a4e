"""Every classic mistake, made by hand, gets its hint and no other; what is well-formed gets none."""

import struct

import pytest
import wire_strategies as wire
from hand_bytes import array, message, request, space, statistics
from hypothesis import given
from hypothesis import strategies as st
from wire_strategies import law

from balloon_spec.families.base import DEFLATE as DEFLATE_QUEUE
from balloon_spec.families.base import INFLATE as INFLATE_QUEUE
from balloon_spec.families.base.mistakes import BYTE_ADDRESSES, WIDE_ENTRIES
from balloon_spec.families.chunk_transfer.chunk_hints import (
    ADDRESS_NOT_SHIFTED,
    PAGES_NOT_SHIFTED,
    SHIFTED_TWICE,
    SIZE_IN_BYTES,
    SIZE_ZERO,
    WRAP,
)
from balloon_spec.families.chunk_transfer.mistakes import (
    ARRAY_FOR_MESSAGE,
    DATA_LEN_COUNTS_HEADER,
    ID_SWAPPED,
    IDLE_HEADER,
    MESSAGE_FOR_ARRAY,
    SHORT_HEADER,
)
from balloon_spec.families.free_page_hint.mistakes import WIDE_ID
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.registry import queues, structures
from balloon_spec.wire.hint import Context, Mistake
from balloon_spec.wire.hints import hints

HEADER = struct.Struct("<BBHI")
RIGHT = message((0x1234, 16), (0x2401, 3))
DONE = message((0x1234, 1), flag=1, identifier=0x1234)


def chunks(*words: int, header: bytes | None = None) -> bytes:
    """A message whose chunks have exactly these words."""
    data = struct.pack(f"<{len(words)}Q", *words)
    return (header or HEADER.pack(0, 0, 0, len(data))) + data


def big(data: bytes, first: str) -> bytes:
    """The same message by somebody who writes every word big-endian; ``first`` is the form of the header."""
    count = (len(data) - 8) // 8
    words = struct.unpack_from(f"<{count}Q", data, 8)
    return struct.pack(first, *HEADER.unpack_from(data)) + struct.pack(f">{count}Q", *words)


INFLATE = Context(queue=INFLATE_QUEUE)
DEFLATE = Context(queue=DEFLATE_QUEUE)
KNOWN = Context(queue=INFLATE_QUEUE, memory_pages=0x4000)

MISTAKES = {
    "a whole message big-endian": (
        Mistake.BYTE_ORDER, "response-message", big(RIGHT, ">BBHI"), RIGHT, INFLATE,
    ),
    "an answer big-endian, its id too": (
        Mistake.BYTE_ORDER, "response-message", big(DONE, ">BBHI"), DONE, Context(),
    ),
    "only data_len big-endian": (
        Mistake.BYTE_ORDER, "response-message", bytes(4) + bytes.fromhex("00 00 00 20") + RIGHT[8:], RIGHT, INFLATE,
    ),
    "only the chunks big-endian": (
        Mistake.BYTE_ORDER, "response-message", big(RIGHT, "<BBHI"), RIGHT, KNOWN,
    ),
    "chunks big-endian that cannot be meant in any guest": (
        Mistake.BYTE_ORDER, "response-message", big(message((0x1, 1)), "<BBHI"), message((0x1, 1)), Context(),
    ),
    "one chunk big-endian": (
        Mistake.BYTE_ORDER, "chunk", struct.pack(">QQ", 0x1234000, 0x1000), struct.pack("<QQ", 0x1234000, 0x1000),
        Context(),
    ),
    "a request whose id is big-endian": (
        Mistake.BYTE_ORDER, "host-request", struct.pack(">HHHHQ", 0, 0, 0, 0, 0x1234), request(0, 0x1234), Context(),
    ),
    "a PFN array of a big-endian guest": (
        Mistake.BYTE_ORDER, "pfn-array", struct.pack(">4I", *range(0x1000, 0x1004)), array(*range(0x1000, 0x1004)),
        Context(),
    ),
    "one page of a big-endian guest whose memory is known": (
        Mistake.BYTE_ORDER, "pfn-array", struct.pack(">I", 0x1000), array(0x1000), KNOWN,
    ),
    "one page of a big-endian guest far beyond 1 TiB": (
        Mistake.BYTE_ORDER, "pfn-array", struct.pack(">I", 0x1234), array(0x1234), Context(),
    ),
    "statistics of a big-endian guest": (
        Mistake.BYTE_ORDER, "statistics", struct.pack(">HQHQ", 0, 1, 4, 1 << 24), statistics((0, 1), (4, 1 << 24)),
        Context(),
    ),
    "a big-endian configuration": (
        Mistake.BYTE_ORDER, "configuration", struct.pack(">II", 20000, 0), space(20000), Context(),
    ),
    "data_len with the header": (
        DATA_LEN_COUNTS_HEADER, "response-message", HEADER.pack(0, 0, 0, 40) + RIGHT[8:], RIGHT, INFLATE,
    ),
    "data_len of an empty answer with the header": (
        DATA_LEN_COUNTS_HEADER, "response-message", HEADER.pack(0, 1, 7, 8), HEADER.pack(0, 1, 7, 0), Context(),
    ),
    "pages in place of size": (
        PAGES_NOT_SHIFTED, "response-message", chunks(0x1234000, 16, 0x2401000, 3), RIGHT, INFLATE,
    ),
    "pages in place of size, one of them a round number": (
        PAGES_NOT_SHIFTED, "response-message", chunks(0x1234000, 0x2000, 0x8401000, 3),
        message((0x1234, 0x2000), (0x8401, 3)), INFLATE,
    ),
    "pages in place of size in a chunk alone": (
        PAGES_NOT_SHIFTED, "chunk", struct.pack("<QQ", 0x1234000, 16), struct.pack("<QQ", 0x1234000, 0x10000),
        Context(),
    ),
    "bytes in place of pages, more than memory": (
        SIZE_IN_BYTES, "response-message", chunks(0x1234000, 16 << 24, 0x2401000, 3 << 24), RIGHT, KNOWN,
    ),
    "bytes in place of pages, over the next chunk": (
        SIZE_IN_BYTES, "response-message", chunks(0x1234000, 16 << 24, 0x2401000, 3 << 24), RIGHT, INFLATE,
    ),
    "page frame numbers in place of addresses": (
        ADDRESS_NOT_SHIFTED, "response-message", chunks(0x1234, 0x10000, 0x2401, 0x3000), RIGHT, INFLATE,
    ),
    "page frame numbers in place of addresses, one of them round": (
        ADDRESS_NOT_SHIFTED, "response-message", chunks(0x1000, 0x10000, 0x2401, 0x3000),
        message((0x1000, 16), (0x2401, 3)), KNOWN,
    ),
    "a PFN array under chunk transfer": (
        ARRAY_FOR_MESSAGE, "response-message", array(0x1236, 0x1235, 0x1234), message((0x1234, 3)), INFLATE,
    ),
    "a PFN array of one page under chunk transfer": (
        ARRAY_FOR_MESSAGE, "response-message", array(0x1234), message((0x1234, 1)), DEFLATE,
    ),
    "a PFN array of two pages under chunk transfer": (
        ARRAY_FOR_MESSAGE, "response-message", array(0x100, 0x200), message((0x100, 1), (0x200, 1)), INFLATE,
    ),
    "a PFN array of 8-byte entries under chunk transfer": (
        ARRAY_FOR_MESSAGE, "response-message", struct.pack("<2Q", 0x1234, 0x1300),
        message((0x1234, 1), (0x1300, 1)), INFLATE,
    ),
    "a message without chunk transfer": (
        MESSAGE_FOR_ARRAY, "pfn-array", message((0x1234, 2), (0x2401, 1)), array(0x1234, 0x1235, 0x2401),
        INFLATE,
    ),
    "entries of 8 bytes": (
        WIDE_ENTRIES, "pfn-array", struct.pack("<3Q", 0x1236, 0x1235, 0x1234), array(0x1236, 0x1235, 0x1234),
        INFLATE,
    ),
    "a reserved bit of base": (
        Mistake.RESERVED_BITS, "response-message", chunks(0x1234001, 0x10000, 0x2401000, 0x3000), RIGHT, INFLATE,
    ),
    "reserved bits of both words": (
        Mistake.RESERVED_BITS, "response-message", chunks(0x1234FFF, 0x10FFF, 0x2401800, 0x3000), RIGHT, INFLATE,
    ),
    "a reserved bit of base below 16 MiB of a small guest": (
        Mistake.RESERVED_BITS, "response-message", chunks(0x200001, 0x1000), message((0x200, 1)), KNOWN,
    ),
    "a reserved word of a request": (
        Mistake.RESERVED_BITS, "host-request", struct.pack("<HHHHQ", 0, 0, 5, 0, 7), request(0, 7), Context(),
    ),
    "a chunk without pages": (
        SIZE_ZERO, "response-message", chunks(0x1234000, 0x10000, 0x2401000, 0), message((0x1234, 16), (0x2401, 1)),
        INFLATE,
    ),
    "a size below zero": (
        WRAP, "response-message", chunks(0x1234000, (1 << 64) - 0x1000),
        chunks(0x1234000, (1 << 64) - 0x1234000), INFLATE,
    ),
    "the last page and one more": (
        WRAP, "chunk", struct.pack("<QQ", (1 << 64) - 0x1000, 0x2000),
        struct.pack("<QQ", (1 << 64) - 0x1000, 0x1000), Context(),
    ),
    "the header of an answer on the inflate queue": (
        IDLE_HEADER, "response-message", HEADER.pack(0, 1, 0x1234, 32) + RIGHT[8:], RIGHT, INFLATE,
    ),
    "a header with an id on the deflate queue": (
        IDLE_HEADER, "response-header", HEADER.pack(0, 0, 9, 32), HEADER.pack(0, 0, 0, 32), DEFLATE,
    ),
    "addresses shifted left once more": (
        SHIFTED_TWICE, "response-message", chunks(0x1234000 << 12, 0x10000, 0x2401000 << 12, 0x3000), RIGHT,
        KNOWN,
    ),
    "addresses in place of page frame numbers": (
        BYTE_ADDRESSES, "pfn-array", array(0x1003000, 0x1002000, 0x1001000, 0x1000000),
        array(0x1003, 0x1002, 0x1001, 0x1000), Context(),
    ),
    "two addresses in place of page frame numbers, outside memory": (
        BYTE_ADDRESSES, "pfn-array", array(0x1234000, 0x1000000), array(0x1234, 0x1000), KNOWN,
    ),
    "a header of data_len alone": (
        SHORT_HEADER, "response-message", RIGHT[4:], RIGHT, INFLATE,
    ),
    "data_len of a header alone big-endian": (
        Mistake.BYTE_ORDER, "response-header", bytes.fromhex("00 01 34 12 00 00 00 20"), HEADER.pack(0, 1, 0x1234, 32),
        Context(),
    ),
    "the id of an answer swapped": (
        ID_SWAPPED, "response-message", bytes.fromhex("00 01 12 34") + DONE[4:], DONE,
        Context(queue=HOST_REQUEST, request_id=0x1234),
    ),
    "a command id of 64 bits": (
        WIDE_ID, "command-id", struct.pack("<Q", 0x80000001), struct.pack("<I", 0x80000001), Context(),
    ),
    "a big-endian command id": (
        Mistake.BYTE_ORDER, "command-id", struct.pack(">I", 0x80000001), struct.pack("<I", 0x80000001), Context(),
    ),
    "the first command id of a device that counts from 2, big-endian": (
        Mistake.BYTE_ORDER, "command-id", struct.pack(">I", 2), struct.pack("<I", 2), Context(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_made_by_hand_is_recognised_alone_and_mended(name):
    mistake, structure, wrong, right, context = MISTAKES[name]
    (hint,) = hints(structure, wrong, context)
    assert hint.mistake is mistake
    assert hint.mend(wrong) == right
    assert hints(structure, right, context) == ()


def test_every_mistake_is_made_once():
    assert {made[0] for made in MISTAKES.values()} == set(Mistake)


def test_a_hint_says_what_was_seen_why_and_what_is_right():
    (hint,) = hints("response-message", HEADER.pack(0, 0, 0, 40) + RIGHT[8:], INFLATE)
    assert hint.sentence == (
        "data_len is 40, and 32 bytes follow the header: the difference is the 8 bytes of the header, which "
        "data_len does not count; the right bytes at 0x0004 are 20 00 00 00"
    )


def test_long_right_bytes_are_cut_in_the_sentence_and_whole_in_the_hint():
    wrong = array(*range(0x1000, 0x1100, 2))
    (hint,) = hints("response-message", wrong, INFLATE)
    assert hint.sentence.endswith(
        "at 0x0000 are 00 00 00 00 00 08 00 00 00 00 00 01 00 00 00 00 ... (2056 bytes)"
    )
    assert hint.mend(wrong) == message(*((pfn, 1) for pfn in range(0x1000, 0x1100, 2)))


def test_two_mistakes_are_two_hints_that_mend_one_after_the_other():
    wrong = HEADER.pack(0, 1, 7, 40) + chunks(0x1234, 16, 0x2401, 3)[8:]
    found = hints("response-message", wrong, INFLATE)
    assert [hint.mistake for hint in found] == [
        DATA_LEN_COUNTS_HEADER,
        IDLE_HEADER,
        ADDRESS_NOT_SHIFTED,
        PAGES_NOT_SHIFTED,
    ]
    for hint in found:
        wrong = hint.mend(wrong)
    assert wrong == RIGHT


@pytest.mark.parametrize(
    ("structure", "data", "context"),
    [
        # An array of page 0x1000 and then 0, or of one page: as good as any other.
        ("pfn-array", array(0x1000, 0), INFLATE),
        ("pfn-array", array(0x1000), INFLATE),
        ("pfn-array", array(0), Context()),
        # The last page frame number there is, beside a good one.
        ("pfn-array", array(0x1000, 0x80000000), Context()),
        ("pfn-array", array(0x1000, 0xFFFFFFFF), Context()),
        # The header of an answer that lost its chunks is no array of two pages.
        ("response-message", HEADER.pack(0, 1, 0x34, 16), Context()),
        # No answer, and a request whose id nobody knows.
        ("response-message", HEADER.pack(0, 1, 0x3412, 0), Context(queue=HOST_REQUEST)),
        ("response-message", HEADER.pack(0, 1, 0x77, 0), Context(request_id=0x1234)),
        ("host-request", request(0, 0x11234), Context()),
        ("host-request", request(9, 0x3412000000000000), Context()),
        # 1 GiB is a round number of pages and of bytes.
        ("response-message", message((0x40000, 0x40000)), Context()),
        # Too long for an array that anybody would write.
        ("pfn-array", message((0, 1 << 21)), Context()),
        # Page frame numbers that are round, three in a row and four not, the largest inside memory.
        ("pfn-array", array(0x1000, 0x2000, 0x3000), KNOWN),
        ("pfn-array", array(0x1000, 0x2000, 0x3000, 0x5000), Context()),
        # Not an address among them: one page is no multiple of a page's length.
        ("pfn-array", array(0x1000000, 0x1001000, 0x1002000, 0x1003001), Context()),
        # Nor where page 0 would be among the pages meant, or one is outside as an address too.
        ("pfn-array", array(0, 0x1000, 0x2000, 0x3000), Context()),
        ("pfn-array", array(0x1000, 0x4000000), KNOWN),
        # Outside memory, but neither shifted twice nor anything else.
        ("response-message", message((0x4000, 1)), KNOWN),
        ("response-message", message((0x4001, 1), (0x1000, 1)), KNOWN),
        ("response-message", message((0x1000000, 1)), INFLATE),
        # As long as a message may get, and one whose data_len makes no whole chunks either way.
        ("response-header", HEADER.pack(0, 0, 0, 1 << 24), Context()),
        ("response-header", bytes.fromhex("00 00 00 00 00 00 00 11"), Context()),
        # A message of more than 4 GiB of addresses has no array.
        ("pfn-array", message(((1 << 32) - 1, 2)), Context()),
        ("statistics", b"", Context()),
        ("statistics", bytes(10), Context()),
        ("statistics", statistics((0xFFFF, 0)), Context()),
        ("configuration", space(0, 0), Context()),
        ("configuration", space(256, 0), Context()),
        ("configuration", space(20000, 19)[:5], Context()),
    ],
)  # fmt: skip
def test_what_can_be_meant_as_it_stands_gets_no_hint(structure, data, context):
    assert hints(structure, data, context) == ()


@pytest.mark.parametrize("name", list(wire.VALUES))
@law
@given(
    data=st.binary(max_size=90),
    queue=st.sampled_from([None, *queues()]),
    memory=st.sampled_from([None, 0x4000]),
)
def test_any_bytes_may_be_asked_about(name, data, queue, memory):
    for hint in hints(name, data, Context(queue, memory, 0x1234)):
        assert hint.sentence
        assert 0 <= hint.offset <= hint.offset + hint.length_bytes <= len(data)


def test_every_structure_can_be_asked_about_and_no_other():
    assert [hints(name, b"") for name in structures()] == [()] * len(structures())
    with pytest.raises(KeyError):
        hints("chunks", b"")
