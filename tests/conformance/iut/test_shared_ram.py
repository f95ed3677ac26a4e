"""What a look at shared memory says of the bytes of pages, and of pages that a case wrote to."""

from __future__ import annotations

import mmap

import pytest

from balloon_conformance.iut.shared_ram import SharedRam
from balloon_spec.events import Overwritten
from balloon_spec.pages import EMPTY, PageSet

PAGE = 4096
WORD = bytes.fromhex("04030201")


@pytest.fixture
def ram():
    ram = SharedRam(0x400)
    yield ram
    ram.close()


@pytest.fixture
def other_side(ram):
    with mmap.mmap(ram.descriptor, 0x400 * PAGE) as mapped:
        yield mapped


def one(page, count=1):
    return PageSet([(page, count)])


def test_of_a_page_that_changed_in_part_the_bytes_are_named(ram, other_side):
    other_side[0x10 * PAGE + 0x800 : 0x11 * PAGE] = bytes(0x800)
    other_side[0x20 * PAGE + 7] ^= 0xFF
    other_side[0x20 * PAGE + 9] ^= 0xFF
    assert ram.examine(ram.nameable) == (EMPTY, one(0x10) | one(0x20))
    spans = ((0x10800, 0x800), (0x20007, 1), (0x20009, 1))
    assert ram.changes == (Overwritten(one(0x10) | one(0x20), spans=spans),)
    assert ram.examine(ram.nameable) == (EMPTY, EMPTY)
    assert ram.changes == ()


def test_pages_filled_with_a_word_are_told_by_the_word(ram, other_side):
    for page, word in ((0x10, WORD), (0x11, WORD), (0x18, bytes(4))):
        other_side[page * PAGE : (page + 1) * PAGE] = word * 1024
    other_side[0x20 * PAGE : 0x21 * PAGE] = WORD * 1023 + WORD[::-1]
    ram.examine(ram.nameable)
    filled, zeroed, torn = ram.changes
    assert (filled, zeroed) == (Overwritten(one(0x10, 2), WORD), Overwritten(one(0x18), bytes(4)))
    assert (torn.pages, torn.fill) == (one(0x20), b"")
    assert 0 < len(torn.spans) <= 64


def test_what_a_case_writes_is_no_change_and_is_put_back(ram, other_side):
    ram.write_pages(one(0x10, 4), WORD)
    assert other_side[0x10 * PAGE : 0x14 * PAGE] == WORD * 4096
    assert ram.examine(ram.nameable) == (EMPTY, EMPTY)
    other_side.madvise(mmap.MADV_REMOVE, 0x10 * PAGE, PAGE)
    other_side[0x11 * PAGE] ^= 1
    assert ram.examine(one(0x10, 2)) == (one(0x10), one(0x11))
    assert ram.changes == (Overwritten(one(0x11), spans=((0x11000, 1),)),)
    assert other_side[0x10 * PAGE : 0x14 * PAGE] == WORD * 4096


def test_what_is_written_last_counts_until_all_is_restored(ram, other_side):
    before = other_side[0x10 * PAGE : 0x14 * PAGE]
    ram.write_pages(one(0x10, 4), WORD)
    ram.write_pages(one(0x12), bytes(PAGE - 1) + b"\x01")
    assert ram.examine(ram.nameable) == (EMPTY, EMPTY)
    assert other_side[0x12 * PAGE : 0x14 * PAGE] == bytes(PAGE - 1) + b"\x01" + WORD * 1024
    ram.restore()
    assert other_side[0x10 * PAGE : 0x14 * PAGE] == before
    assert ram.examine(ram.nameable) == (EMPTY, EMPTY)


def test_a_buffer_that_lay_in_a_page_is_gone_once_the_page_is_written(ram, other_side):
    ram.lay(0x10 * PAGE, b"buffer")
    ram.write_pages(one(0x10), WORD)
    other_side[0x10 * PAGE] ^= 1
    assert ram.examine(one(0x10)) == (EMPTY, one(0x10))


def test_a_page_in_which_everything_differs_has_some_of_its_bytes_named(ram, other_side):
    page = bytearray(other_side[0x10 * PAGE : 0x11 * PAGE])
    for at in range(0, PAGE, 2):
        page[at] ^= 0xFF
    other_side[0x10 * PAGE : 0x11 * PAGE] = bytes(page)
    ram.examine(one(0x10))
    (torn,) = ram.changes
    assert torn.spans == tuple((0x10000 + at, 1) for at in range(0, 128, 2))
