"""Reading a layout off a schema: what the other tests of this directory do not reach."""

import pytest
from construct import Int8ul as Byte
from construct import Int24ul, Prefixed, Struct

from balloon_spec.families.base import configuration
from balloon_spec.families.chunk_transfer import response_message
from balloon_spec.families.host_requests import host_request
from balloon_spec.wire.layout import Bits, read_layout


def test_bits_are_taken_out_of_a_word():
    middle = Bits("middle", 4, 8)
    assert (middle.high, middle.of(0xABCDE), middle.of(0xF00F)) == (11, 0xCD, 0)


def test_a_word_is_found_by_name():
    layout = read_layout(host_request.SCHEMA)
    assert layout.word("reserved[2]").offset_bytes == 6
    with pytest.raises(KeyError):
        read_layout(configuration.SCHEMA).word("poison_val")


def test_an_array_has_elements_as_long_as_their_first_byte_is_there():
    layout = read_layout(response_message.SCHEMA)
    assert (layout.fixed_bytes, layout.element_bytes) == (8, 16)
    names = {length: [record.name for record in layout.records(length)] for length in (0, 8, 9, 24, 25)}
    assert names == {
        0: [""],
        8: [""],
        9: ["", "chunks[0]"],
        24: ["", "chunks[0]"],
        25: ["", "chunks[0]", "chunks[1]"],
    }


@pytest.mark.parametrize("part", [Int24ul, Prefixed(Byte, Byte)])
def test_a_part_without_a_layout_is_refused_by_name(part):
    with pytest.raises(TypeError, match="no layout for odd"):
        read_layout(Struct("odd" / part))
