"""Guest RAM in which discarded and overwritten pages are found."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from balloon_conformance.iut.qemu.ram import GuestRam
from balloon_spec.pages import EMPTY, PageSet

PAGES = 0x800


@pytest.fixture
def ram():
    ram = GuestRam(PAGES)
    yield ram
    ram.close()


@pytest.fixture
def other_side(ram):
    """The same RAM as another process would map it."""
    with mmap.mmap(ram.descriptor, PAGES * 4096) as mapped:
        yield mapped


def test_holds_every_page_but_those_of_the_suite_and_the_firmware(ram):
    assert ram.nameable == PageSet([(0, 0x40), (0x100, 0x700)])
    assert (ram.reserved_address, ram.reserved_bytes) == (0x40000, 0xAF000)


def test_fresh_memory_is_neither_discarded_nor_overwritten(ram):
    assert ram.examine(ram.nameable) == (EMPTY, EMPTY)


def test_no_two_pages_are_alike(ram, other_side):
    contents = [ram.read(page * 4096, 4096) for page in (0x100, 0x1FF, 0x200, 0x7FF)]
    assert len(set(contents)) == 4
    other_side[0x300 * 4096 : 0x301 * 4096] = other_side[0x301 * 4096 : 0x302 * 4096]
    assert ram.examine(ram.nameable) == (EMPTY, PageSet([(0x300, 1)]))


def test_finds_exactly_the_discarded_pages(ram, other_side):
    for first, count in ((0, 1), (0x3F, 1), (0x100, 3), (0x7FF, 1)):
        other_side.madvise(mmap.MADV_REMOVE, first * 4096, count * 4096)
    assert ram.examine(ram.nameable) == (PageSet([(0, 1), (0x3F, 1), (0x100, 3), (0x7FF, 1)]), EMPTY)


def test_finds_exactly_the_overwritten_pages(ram, other_side):
    other_side[0x200 * 4096] ^= 1
    other_side[0x301 * 4096 - 1] ^= 0x80
    other_side[0x400 * 4096 : 0x401 * 4096] = bytes(4096)
    assert ram.examine(ram.nameable) == (EMPTY, PageSet([(0x200, 1), (0x300, 1), (0x400, 1)]))


def test_looks_only_where_it_is_told_to(ram, other_side):
    other_side.madvise(mmap.MADV_REMOVE, 0x200 * 4096, 4 * 4096)
    assert ram.examine(PageSet([(0x201, 2)])) == (PageSet([(0x201, 2)]), EMPTY)
    assert ram.examine(PageSet([(0x1F0, 0x20)])) == (PageSet([(0x200, 1), (0x203, 1)]), EMPTY)


def test_reports_a_discard_once_and_again_when_it_happens_again(ram, other_side):
    pages = PageSet([(0x200, 1)])
    for _ in range(2):
        other_side.madvise(mmap.MADV_REMOVE, 0x200 * 4096, 4096)
        assert ram.examine(pages) == (pages, EMPTY)
        assert ram.examine(pages) == (EMPTY, EMPTY)


def test_looking_at_a_discarded_page_does_not_bring_it_back(ram, other_side):
    other_side.madvise(mmap.MADV_REMOVE, 0x200 * 4096, 4096)
    assert ram.examine(PageSet([(0x1FF, 1), (0x201, 1)])) == (EMPTY, EMPTY)
    assert os.lseek(ram.descriptor, 0x200 * 4096, os.SEEK_HOLE) == 0x200 * 4096


def test_restore_heals_all_pages(ram, other_side):
    other_side.madvise(mmap.MADV_REMOVE, 0x200 * 4096, 4096)
    other_side[0x300 * 4096] ^= 1
    ram.restore()
    assert ram.examine(ram.nameable) == (EMPTY, EMPTY)


def test_pages_that_nobody_may_name_are_not_looked_at(ram):
    assert ram.examine(PageSet([(0x40, 0xC0), (PAGES, 100)])) == (EMPTY, EMPTY)


def test_the_suite_and_the_other_side_see_the_same_bytes(ram, other_side):
    ram.reserved.write(0x40010, b"ring")
    assert other_side[0x40010:0x40014] == b"ring"


def test_closing_gives_the_descriptor_back_and_may_be_repeated():
    before = len(list(Path("/proc/self/fd").iterdir()))
    ram = GuestRam(0x200)
    ram.close()
    ram.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
