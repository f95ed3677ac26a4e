"""Every bit of every field lands where the layout says: one bit walks through each structure."""

import pytest
import wire_strategies as wire

from balloon_spec.families.base import pfn_array
from balloon_spec.families.free_page_hint import command_id
from balloon_spec.families.registry import structures
from balloon_spec.families.statistics import statistics
from balloon_spec.wire.errors import WireError
from balloon_spec.wire.layout import read_layout

BY_HAND = pytest.mark.parametrize("name", list(wire.LAYOUTS))


def functions(name):
    by_hand = wire.LAYOUTS[name]
    structure = structures()[by_hand.structure or name]
    if by_hand.byteorder == "little":
        return structure.parse, structure.build
    return lambda raw: structure.parse(raw, "big"), lambda value: structure.build(value, "big")


def with_bit_flipped(raw, byte, bit):
    flipped = bytearray(raw)
    flipped[byte] ^= 1 << bit
    return bytes(flipped)


@BY_HAND
def test_the_layout_by_hand_gives_each_bit_to_one_field(name):
    by_hand = wire.LAYOUTS[name]
    bits = [
        place.bit(index, by_hand.byteorder)
        for place in by_hand.places.values()
        for index in range(place.width)
    ]
    assert sorted(bits) == [(byte, bit) for byte in range(by_hand.length) for bit in range(8)]


def walk(name, numbers, raw):
    """Flip each bit of each field but data_len of a message, in the numbers and in the bytes."""
    by_hand = wire.LAYOUTS[name]
    parse, build = functions(name)
    assert build(by_hand.make(numbers)) == raw
    for field, place in by_hand.places.items():
        if field in by_hand.base:
            continue
        for index in range(place.width):
            value = by_hand.make(numbers | {field: numbers[field] ^ 1 << index})
            expected = with_bit_flipped(raw, *place.bit(index, by_hand.byteorder))
            assert parse(expected) == value, (field, index)
            assert build(value) == expected, (field, index)


@BY_HAND
def test_one_set_bit_walks_through_zeros(name):
    by_hand = wire.LAYOUTS[name]
    raw = bytearray(by_hand.length)
    if name == "response-message":
        raw[4] = 32
    walk(name, dict.fromkeys(by_hand.places, 0) | by_hand.base, bytes(raw))


@BY_HAND
def test_one_cleared_bit_walks_through_ones(name):
    by_hand = wire.LAYOUTS[name]
    raw = bytearray(b"\xff" * by_hand.length)
    if name == "response-message":
        raw[4:8] = b"\x20\0\0\0"
    ones = {field: (1 << place.width) - 1 for field, place in by_hand.places.items()}
    walk(name, ones | by_hand.base, bytes(raw))


@pytest.mark.parametrize("index", range(32))
def test_any_flipped_bit_of_data_len_makes_a_message_illegal(index):
    raw = bytes([0, 0, 0, 0, 32, 0, 0, 0]) + bytes(32)
    with pytest.raises(WireError, match="data_len at byte 4"):
        structures()["response-message"].parse(with_bit_flipped(raw, 4 + index // 8, index % 8))


@BY_HAND
def test_the_layout_read_off_the_schema_is_the_layout_by_hand(name):
    by_hand = wire.LAYOUTS[name]
    structure = by_hand.structure or name
    schema = {"pfn-array": pfn_array, "statistics": statistics, "command-id": command_id}.get(structure)
    layout = read_layout(schema.SCHEMAS[by_hand.byteorder] if schema else structures()[structure].schema)
    seen = {
        record.path(bits.name): (
            record.start_bytes + word.offset_bytes,
            word.length_bytes,
            bits.low,
            bits.width,
        )
        for record in layout.records(by_hand.length)
        for word in record.words
        for bits in word.fields
    }
    assert seen == {
        field: (place.offset, place.word, place.low, place.width) for field, place in by_hand.places.items()
    }
    orders = {word.byteorder for word in (*layout.words, *layout.element) if word.length_bytes > 1}
    assert orders == {by_hand.byteorder}
