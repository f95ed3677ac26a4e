"""The second encoder's structures against bytes written by hand from the specification's worked examples."""

import pytest

from balloon_conformance.families.base import second_encoding as arrays
from balloon_conformance.families.chunk_transfer import second_encoding as messages
from balloon_conformance.families.host_requests import second_encoding as requests
from balloon_conformance.families.statistics.second_encoding import statistics
from balloon_conformance.generation.intents.vocabulary import numbers_of_features, numbers_of_queues
from balloon_conformance.second_encoder import structures


def written(text: str) -> bytes:
    return bytes.fromhex(text)


def test_three_pages_at_1_gib_inflate_as_24_bytes():
    assert messages.balloon_messages([(0x40000, 3)]) == [
        written("00 00 00 00 10 00 00 00  00 00 00 40 00 00 00 00  00 30 00 00 00 00 00 00")
    ]


def test_a_request_is_16_bytes():
    assert requests.request(0, 0x1234) == written("00 00 00 00 00 00 00 00  34 12 00 00 00 00 00 00")
    assert requests.request(0x0102, 2**64 - 2, (0xA1, 0xB2, 0xC3)) == written(
        "02 01 a1 00 b2 00 c3 00  fe ff ff ff ff ff ff ff"
    )


def test_an_empty_done_is_a_header():
    assert requests.unused_page_messages([], 0x1234) == [written("00 01 34 12 00 00 00 00")]


def test_a_cont_carries_one_block_of_4_mib_above_4_gib():
    data = messages.response_data([(0x100000, 1024)])
    assert messages.message(data, flag=0, identifier=0x1234) == written(
        "00 00 34 12 10 00 00 00  00 00 00 00 01 00 00 00  00 00 40 00 00 00 00 00"
    )


def test_every_field_of_a_header_has_its_place():
    assert messages.header(0x01, 0x02, 0x0403, 0x08070605) == written("01 02 03 04 05 06 07 08")


def test_reserved_bits_stand_below_the_page_frame_number_and_the_count():
    assert messages.chunk(0xF_FFFF_FFFF_FFFF, 1, base_low=0x001, size_low=0x800) == written(
        "01 f0 ff ff ff ff ff ff  00 18 00 00 00 00 00 00"
    )


def test_the_id_of_a_message_is_the_low_16_bits_of_the_request():
    (done,) = requests.unused_page_messages([(0x1000, 1)], 0x11234)
    assert done == written("00 01 34 12 10 00 00 00  00 00 00 01 00 00 00 00  00 10 00 00 00 00 00 00")


@pytest.mark.parametrize(
    ("runs", "merged"),
    [
        ([], []),
        ([(5, 1)], [(5, 1)]),
        ([(9, 1), (5, 4)], [(5, 5)]),
        ([(5, 4), (6, 1), (20, 2)], [(5, 4), (20, 2)]),
        ([(5, 4), (8, 4), (13, 1)], [(5, 7), (13, 1)]),
        ([(5, 1), (5, 1)], [(5, 1)]),
    ],
)
def test_runs_are_merged_and_ascend(runs, merged):
    assert structures.maximal_runs(runs) == merged


@pytest.mark.parametrize(
    ("runs", "chunks"), [(2047, [2047]), (2048, [2048]), (2049, [2048, 1]), (4096, [2048, 2048])]
)
def test_a_message_is_filled_before_the_next_begins(runs, chunks):
    every_second = [(2 * index, 1) for index in range(runs)]
    filled = messages.balloon_messages(every_second)
    assert [(len(one) - 8) // 16 for one in filled] == chunks
    assert [one[:4] for one in filled] == [bytes(4)] * len(chunks)
    assert b"".join(one[8:] for one in filled) == b"".join(
        (2 * index * 4096).to_bytes(8, "little") + written("00 10 00 00 00 00 00 00") for index in range(runs)
    )
    # The same pages unused: the remainder is in the DONE.
    unused = requests.unused_page_messages(every_second, 7)
    assert [one[:4] for one in unused] == [written("00 00 07 00")] * (len(chunks) - 1) + [
        written("00 01 07 00")
    ]
    assert [one[4:] for one in unused] == [one[4:] for one in filled]


def test_an_array_holds_256_page_frame_numbers_and_the_next_one_the_rest():
    first, second = arrays.page_frame_arrays([(0x2000, 1), (0x1000, 257)])
    assert first == b"".join(number.to_bytes(4, "little") for number in range(0x1000, 0x1100))
    assert second == written("00 11 00 00  00 20 00 00")


def test_statistics_are_entries_of_ten_bytes():
    assert statistics([(4, 0x1000000), (0xFFFE, 1)]) == written(
        "04 00 00 00 00 01 00 00 00 00  fe ff 01 00 00 00 00 00 00 00"
    )


def test_the_configuration_is_stored_in_four_bytes():
    assert structures.word(0x01020304) == written("04 03 02 01")


def bits(*names: str) -> int:
    return structures.feature_bits(names, {**structures.BITS, **numbers_of_features()})


def test_feature_bits_have_the_numbers_of_the_specification():
    assert bits() == 0
    assert bits("MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM") == 0b111
    assert bits("STATS_VQ", "CHUNK_TRANSFER", "HOST_REQ_VQ", "VERSION_1") == 0x1_0000_001A
    assert bits("PAGE_POISON") == 1 << 4
    assert bits("INDIRECT_DESC", "EVENT_IDX", "IN_ORDER") == 1 << 28 | 1 << 29 | 1 << 35


def test_queues_have_the_numbers_of_the_specification():
    numbers = numbers_of_queues()
    assert [numbers[name] for name in ("inflate", "deflate", "statistics", "host-request")] == [0, 1, 2, 3]
