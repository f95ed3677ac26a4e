"""Worked examples: whole buffers as a person writes them down, and the constants of each structure."""

import pytest

from balloon_spec.families.base import configuration, pfn_array
from balloon_spec.families.base.configuration import Configuration
from balloon_spec.families.base.pfn_array import PfnArray
from balloon_spec.families.chunk_transfer import chunk, response_header, response_message
from balloon_spec.families.chunk_transfer.chunk import Chunk
from balloon_spec.families.chunk_transfer.response_header import ResponseHeader
from balloon_spec.families.chunk_transfer.response_message import ResponseMessage, message
from balloon_spec.families.host_requests import host_request
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.families.statistics import statistics
from balloon_spec.families.statistics.statistics import (
    LINUX_TAG_MEANINGS,
    LINUX_TAG_NAMES,
    TAG_MEANINGS,
    Statistic,
    Statistics,
    Tag,
)


def test_inflate_three_pages_at_one_gibibyte():
    raw = bytes.fromhex("00 00 00 00 10 00 00 00   00 00 00 40 00 00 00 00   00 30 00 00 00 00 00 00")
    expected = ResponseMessage(
        ResponseHeader(cmd=0, flag=0, id=0, data_len=16), (Chunk(pfn=0x40000, pages=3),)
    )
    assert response_message.parse(raw) == expected
    assert response_message.build(expected) == raw
    assert message([Chunk(0x40000, 3)]) == expected


@pytest.mark.parametrize("idle", ["ab cd ef 01", "00 01 34 12", "ff ff ff ff"])
def test_header_bytes_that_mean_nothing_on_a_queue_are_kept_as_they_are(idle):
    raw = bytes.fromhex(idle + "10 00 00 00   00 00 00 40 00 00 00 00   00 30 00 00 00 00 00 00")
    parsed = response_message.parse(raw)
    assert parsed.chunks == (Chunk(0x40000, 3),)
    assert response_message.build(parsed) == raw


def test_a_request_with_id_1234():
    raw = bytes.fromhex("00 00 00 00 00 00 00 00   34 12 00 00 00 00 00 00")
    expected = HostRequest(cmd=response_header.CMD_GET_UNUSED_PAGES, param=0x1234)
    assert host_request.parse(raw) == expected
    assert host_request.build(expected) == raw


def test_an_empty_last_message():
    raw = bytes.fromhex("00 01 34 12 00 00 00 00")
    expected = message([], flag=response_header.FLAG_DONE, id=0x1234)
    assert expected.header == ResponseHeader(0, 1, 0x1234, 0)
    assert response_message.parse(raw) == expected
    assert response_message.build(expected) == raw
    assert response_header.parse(raw) == expected.header
    assert response_header.build(expected.header) == raw


def test_one_block_of_four_mebibytes_above_four_gibibytes_with_more_to_follow():
    raw = bytes.fromhex("00 00 34 12 10 00 00 00   00 00 00 00 01 00 00 00   00 00 40 00 00 00 00 00")
    expected = message([Chunk(0x100000, 1024)], flag=response_header.FLAG_CONT, id=0x1234)
    assert response_message.parse(raw) == expected
    assert response_message.build(expected) == raw


def test_two_runs_of_pages():
    raw = bytes.fromhex(
        "00 00 00 00  20 00 00 00"
        "00 00 00 01 00 00 00 00  00 00 01 00 00 00 00 00"
        "00 00 40 02 00 00 00 00  00 30 00 00 00 00 00 00"
    )
    assert response_message.build(message([Chunk(0x1000, 16), Chunk(0x2400, 3)])) == raw


def test_a_chunk_reads_as_address_and_length():
    parsed = chunk.parse(bytes.fromhex("03 00 00 00 01 00 00 00   00 0c 40 00 00 00 00 00"))
    assert parsed == Chunk(pfn=0x100000, pages=1024, base_reserved=3, size_reserved=0xC00)
    assert (parsed.base, parsed.size, parsed.end_pfn) == (0x1_0000_0003, 0x400C00, 0x100400)
    assert Chunk.from_words(0x1_0000_0003, 0x400C00) == parsed


def test_a_pfn_array_in_both_byte_orders():
    value = PfnArray((0x1000, 0x1001, 0xFFFFFFFF))
    assert pfn_array.build(value) == bytes.fromhex("00 10 00 00  01 10 00 00  ff ff ff ff")
    assert pfn_array.build(value, "big") == bytes.fromhex("00 00 10 00  00 00 10 01  ff ff ff ff")


def test_statistics_keep_their_order_and_tags_nobody_knows():
    value = Statistics((Statistic(Tag.MEMTOT, 0x8000000), Statistic(10, 2), Statistic(0xFFFF, (1 << 64) - 1)))
    raw = bytes.fromhex(
        "05 00  00 00 00 08 00 00 00 00   0a 00  02 00 00 00 00 00 00 00   ff ff  ff ff ff ff ff ff ff ff"
    )
    assert statistics.build(value) == raw
    assert statistics.parse(raw) == value
    swapped = bytes.fromhex("00 05  00 00 00 00 08 00 00 00")
    assert statistics.build(Statistics(value.entries[:1]), "big") == swapped


def test_configuration_space_of_a_balloon_on_its_way():
    raw = bytes.fromhex("20 4e 00 00  13 00 00 00")
    assert configuration.parse(raw) == Configuration(num_pages=20000, actual=19)
    assert configuration.build(Configuration(20000, 19)) == raw


def test_the_numbers_of_the_protocol():
    assert (chunk.LENGTH_BYTES, response_header.LENGTH_BYTES, host_request.LENGTH_BYTES) == (16, 8, 16)
    assert (pfn_array.ENTRY_BYTES, statistics.ENTRY_BYTES, configuration.LENGTH_BYTES) == (4, 10, 8)
    assert (configuration.NUM_PAGES_OFFSET, configuration.ACTUAL_OFFSET) == (0, 4)
    assert (response_header.FLAG_CONT, response_header.FLAG_DONE) == (0, 1)
    assert response_header.CMD_GET_UNUSED_PAGES == 0
    assert chunk.RESERVED_MASK == 0xFFF


def test_the_tags_of_the_standard_are_0_to_9_and_those_of_linux_follow():
    standard = "SWAP_IN SWAP_OUT MAJFLT MINFLT MEMFREE MEMTOT AVAIL CACHES HTLB_PGALLOC HTLB_PGFAIL"
    assert [(tag.name, tag.value) for tag in Tag] == [(name, at) for at, name in enumerate(standard.split())]
    assert list(LINUX_TAG_NAMES) == list(LINUX_TAG_MEANINGS) == [10, 11, 12, 13, 14, 15]
    in_bytes = [tag for tag, meaning in LINUX_TAG_MEANINGS.items() if meaning.startswith("bytes")]
    assert [LINUX_TAG_NAMES[tag] for tag in in_bytes] == [
        *("ASYNC_SCAN", "DIRECT_SCAN", "ASYNC_RECLAIM", "DIRECT_RECLAIM"),
    ]
    assert set(TAG_MEANINGS) == set(Tag)
