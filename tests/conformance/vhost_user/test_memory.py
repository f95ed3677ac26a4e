"""Mapping what a front-end shares, honest or not."""

from __future__ import annotations

import mmap
import os
from contextlib import contextmanager

import pytest
from vhost_user_by_hand import GUEST, open_descriptors

from balloon_conformance.vhost_user.errors import PeerBroke
from balloon_conformance.vhost_user.memory import SharedMemory
from balloon_conformance.vhost_user.messages import MemoryRegion, MemoryTable
from balloon_spec.pages import PageSet

USER = 0x7F00_0000_0000


@pytest.fixture
def file():
    before = open_descriptors()
    descriptor = os.memfd_create("guest")
    os.ftruncate(descriptor, 0x8000)
    yield descriptor
    os.close(descriptor)
    assert open_descriptors() == before, "descriptors were left behind"


@contextmanager
def mapped(file, *regions):
    memory = SharedMemory(
        MemoryTable(tuple(MemoryRegion(*one) for one in regions)), [os.dup(file) for _ in regions]
    )
    try:
        yield memory
    finally:
        memory.close()
        memory.close()


def refused(file, *regions):
    before = open_descriptors()
    with pytest.raises(PeerBroke) as caught, mapped(file, *regions):
        pass
    assert open_descriptors() == before
    return str(caught.value)


def test_a_region_begins_at_its_offset_in_the_file(file):
    os.pwrite(file, b"here", 0x3000)
    with mapped(file, (GUEST, 0x2000, USER, 0x3000)) as memory:
        assert memory.guest.read(GUEST, 4) == b"here"
        memory.guest.write(GUEST + 0x1FFF, b"!")
        assert os.pread(file, 2, 0x4FFF) == b"!\0"
        assert memory.guest.ranges == ((GUEST, 0x2000),)


def test_an_offset_within_a_page(file):
    os.pwrite(file, b"here", 0x1234)
    with mapped(file, (0x5000, 0x100, USER, 0x1234)) as memory:
        assert memory.guest.read(0x5000, 4) == b"here"
        assert memory.guest.ranges == ((0x5000, 0x100),)


def test_an_offset_as_large_as_the_guest_address():
    """Linux in user mode shares its memory so."""
    descriptor = os.memfd_create("guest")
    os.ftruncate(descriptor, GUEST + 0x1000)
    with mapped(descriptor, (GUEST, 0x1000, GUEST, GUEST)) as memory:
        memory.guest.write(GUEST, b"x")
    assert os.pread(descriptor, 1, GUEST) == b"x"
    os.close(descriptor)


def test_user_addresses_are_not_guest_addresses(file):
    regions = (0x10000, 0x1000, USER, 0), (0x20000, 0x1000, USER + 0x1000, 0x1000)
    with mapped(file, *regions) as memory:
        assert memory.guest_address(USER + 0x10, 16, "here") == 0x10010
        assert memory.guest_address(USER + 0x1FF0, 16, "here") == 0x20FF0
        for user, length in ((USER - 1, 1), (USER + 0xFFF, 2), (USER + 0x2000, 1), (0x10000, 1)):
            with pytest.raises(PeerBroke, match=f"here: {length} bytes at user address {user:#x}"):
                memory.guest_address(user, length, "here")


def test_only_whole_pages_count(file):
    regions = (0x10800, 0x1800, USER, 0), (0x20000, 0x800, USER + 0x8000, 0x4000)
    with mapped(file, *regions) as memory:
        assert memory.pages == PageSet([(0x11, 1)])


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        ([(0, 0x9000, USER, 0)], "region 0 ends at byte 0x9000 of its file, which has 0x8000 bytes"),
        ([(0, 0x1000, USER, 0x7001)], "region 0 ends at byte 0x8001 of its file"),
        (
            [(0, 0x1000, USER, 0), (0x1000, 1, USER + 0x1000, 2**64 - 1)],
            "region 1 ends at byte 0x1000000000000",
        ),
        ([(0, 0, USER, 0)], "a memory region has 0x0 bytes at guest address 0x0"),
        ([(2**64 - 0x1000, 0x2000, USER, 0)], "0x2000 bytes at guest address 0xfffffffffffff000"),
        ([(0, 0x2000, 2**64 - 0x1000, 0)], "0x2000 bytes at user address 0xfffffffffffff000"),
        ([(0, 0x2000, 0, 0), (0x1000, 1, 0x9000, 0)], "guest addresses 0x0 and 0x1000 overlap"),
        ([(0, 0x2000, 0, 0), (0x9000, 1, 0x1FFF, 0)], "user addresses 0x0 and 0x1fff overlap"),
    ],
)
def test_a_table_that_cannot_be_is_refused(file, regions, words):
    assert words in refused(file, *regions)


def test_what_is_no_file_is_refused():
    ours, theirs = os.pipe()
    assert "of its file, which has 0x0 bytes" in refused(ours, (0, 0x1000, 0, 0))
    os.close(ours)
    os.close(theirs)


def test_a_file_that_may_only_be_read_is_refused(file):
    read_only = os.open(f"/proc/self/fd/{file}", os.O_RDONLY)
    assert "guest address 0x0 cannot be mapped: Permission denied" in refused(read_only, (0, 0x1000, 0, 0))
    os.close(read_only)


def test_a_file_that_shrank_is_found(file):
    with mapped(file, (0, 0x8000, USER, 0)) as memory:
        memory.check()
        os.ftruncate(file, 0x7FFF)
        with pytest.raises(PeerBroke, match="region 0 ends at byte 0x8000 of its file, which has 0x7fff"):
            memory.check()


def test_a_file_no_mapping_can_hold_is_refused(file, monkeypatch):
    def no_room(*_args, **_kwargs):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", no_room)
    assert "cannot be mapped: Cannot allocate memory" in refused(file, (0, 0x1000, 0, 0))
