"""Which pages a migration stream lacks, told by what they hold."""

from __future__ import annotations

import os

import pytest

from balloon_conformance.iut.qemu.guest_copy import GuestCopy
from balloon_conformance.iut.shared_ram import SharedRam
from balloon_spec.pages import PAGE_BYTES, PageSet

PAGES = 8
ALL = PageSet([(0, PAGES)])
ZEROS = bytes(PAGE_BYTES)


@pytest.fixture
def ram():
    ram = SharedRam(PAGES)
    yield ram
    ram.close()


def stream_of(ram, *pages):
    """A stream with these pages, each behind bytes of its own."""
    return b"".join(f"page {page:>4}".encode() + ram.read(page * PAGE_BYTES, PAGE_BYTES) for page in pages)


def test_what_is_not_in_the_stream_was_skipped(ram):
    copy = GuestCopy.of(stream_of(ram, 7, 0, 1, 2, 5, 0), ALL, ram.read)
    assert copy == GuestCopy(PageSet.parse("3+2", "6"), ALL)


def test_only_the_pages_asked_for_are_looked_at(ram):
    copy = GuestCopy.of(stream_of(ram, 0), PageSet.parse("0+2", "4"), ram.read)
    assert copy == GuestCopy(PageSet.parse("1", "4"), PageSet.parse("0+2", "4"))


def test_a_page_is_there_only_with_its_last_contents(ram):
    before = stream_of(ram, *range(PAGES))
    for page in (2, 3):
        os.pwrite(ram.descriptor, bytes([page]) * PAGE_BYTES, page * PAGE_BYTES)
    os.pwrite(ram.descriptor, b"x", 5 * PAGE_BYTES - 1)
    copy = GuestCopy.of(before + stream_of(ram, 3), ALL, ram.read)
    assert copy == GuestCopy(PageSet.parse("2", "4"), ALL)


def test_zeros_and_twins_tell_nothing(ram):
    os.pwrite(ram.descriptor, ZEROS, PAGE_BYTES)
    for page in (3, 4):
        os.pwrite(ram.descriptor, b"twin" * (PAGE_BYTES // 4), page * PAGE_BYTES)
    known = ALL - PageSet.parse("1", "3+2")
    assert GuestCopy.of(b"", ALL, ram.read) == GuestCopy(known, known)
    assert GuestCopy.of(stream_of(ram, *range(PAGES)), ALL, ram.read).known == known


def test_a_mark_alone_is_no_page(ram):
    stream = ram.read(3 * PAGE_BYTES, 100) + stream_of(ram, 0, 1, 2, 4, 5, 6, 7)
    assert GuestCopy.of(stream, ALL, ram.read).skipped == PageSet.parse("3")


def test_a_page_that_was_sent_early_tells_nothing(ram):
    early = stream_of(ram, 0, 1, 2)
    os.pwrite(ram.descriptor, b"x", 2 * PAGE_BYTES + 100)
    copy = GuestCopy.of(early + bytes(1 << 17) + stream_of(ram, 3, 1, 2), ALL, ram.read, len(early))
    assert copy == GuestCopy(PageSet.parse("4+4"), ALL - PageSet.parse("0"))
