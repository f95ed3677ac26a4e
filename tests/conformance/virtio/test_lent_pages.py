"""What pages hold that a driver lends, and whether it is still there when they go back."""

from __future__ import annotations

import struct

import pytest

from balloon_conformance.virtio import GuestMemory, Region
from balloon_conformance.virtio.lent_pages import altered, contents, fills, lent
from balloon_spec.events import Segment
from balloon_spec.pages import EMPTY, PAGE_BYTES, PageSet

FIRST = 0x100
MEMORY = PageSet([(FIRST, 2048)])
WORD = bytes.fromhex("01020304")


@pytest.fixture
def guest():
    return GuestMemory([Region(FIRST * PAGE_BYTES, bytearray(MEMORY.size_bytes))])


def at(page, offset=0):
    return (FIRST + page) * PAGE_BYTES + offset


@pytest.mark.parametrize(
    ("address", "length_bytes", "pages"),
    [
        (at(3), 2 * PAGE_BYTES, PageSet([(FIRST + 3, 2)])),
        (at(3, 1), 2 * PAGE_BYTES, PageSet([(FIRST + 4, 1)])),
        (at(3), 2 * PAGE_BYTES - 1, PageSet([(FIRST + 3, 1)])),
        (at(3, 1), PAGE_BYTES, EMPTY),
        (at(2047), 2 * PAGE_BYTES, PageSet([(FIRST + 2047, 1)])),
        (at(0) - PAGE_BYTES, PAGE_BYTES, EMPTY),
    ],
)
def test_pages_are_lent_that_are_there_and_whole(address, length_bytes, pages):
    assert lent([Segment(length_bytes, True, address)], MEMORY) == pages


def test_pages_of_all_segments_are_lent_except_those_to_be_read_and_those_nobody_knows():
    segments = [
        Segment(PAGE_BYTES, False, at(1)),
        Segment(PAGE_BYTES, True, at(5)),
        Segment(PAGE_BYTES, True, None),
        Segment(PAGE_BYTES, True, at(7)),
    ]
    assert lent(segments, MEMORY) == PageSet([(FIRST + 5, 1), (FIRST + 7, 1)])


def test_filled_pages_are_told_apart_by_their_word(guest):
    guest.write(at(1), WORD * 1024)
    guest.write(at(2), WORD[::-1] * 1024)
    guest.write(at(1500), WORD * 1024)
    guest.write(at(4, 4095), b"\x01")
    # Two words in turn fill no page.
    guest.write(at(5), struct.pack("<II", 1, 2) * 512)
    told = {word: pages for pages, word in fills(contents(guest, MEMORY))}
    assert told.pop(WORD) == PageSet([(FIRST + 1, 1), (FIRST + 1500, 1)])
    assert told.pop(WORD[::-1]) == PageSet([(FIRST + 2, 1)])
    assert told.pop(b"") == PageSet([(FIRST + 4, 2)])
    assert told.keys() == {bytes(4)}
    assert PageSet.union(told.values()).pages == MEMORY.pages - 5


def test_so_many_words_are_told_apart_and_no_page_is_forgotten(guest):
    for page in range(100):
        guest.write(at(page), struct.pack("<I", page) * 1024)
    told = list(fills(contents(guest, PageSet([(FIRST, 100)]))))
    assert PageSet.union(pages for pages, _ in told) == PageSet([(FIRST, 100)])
    assert sum(bool(word) for _, word in told) == 16


@pytest.mark.parametrize("offset", [0, 4095, 2048])
@pytest.mark.parametrize("filling", [bytes(PAGE_BYTES), bytes(range(256)) * 16])
def test_a_page_of_which_one_byte_changed_is_altered(guest, filling, offset):
    for page in range(4):
        guest.write(at(page), filling)
    pages = PageSet([(FIRST, 4)])
    before = contents(guest, pages)
    assert altered(before, contents(guest, pages)) == EMPTY
    guest.write(at(2, offset), bytes([filling[offset] ^ 0x80]))
    assert altered(before, contents(guest, pages)) == PageSet([(FIRST + 2, 1)])


def test_a_page_that_holds_another_word_is_altered(guest):
    before = contents(guest, MEMORY)
    guest.write(at(2000), WORD * 1024)
    assert altered(before, contents(guest, MEMORY)) == PageSet([(FIRST + 2000, 1)])
