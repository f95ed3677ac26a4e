"""Guest memory of a front-end: two sealed files, told in a table whose user addresses are their own."""

from __future__ import annotations

import os
from fcntl import F_GET_SEALS, F_SEAL_GROW, F_SEAL_SHRINK, fcntl

import pytest
from served_peer import open_descriptors

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.vhost_user.front_end_memory import FrontEndMemory
from balloon_spec.pages import EMPTY, PageSet


@pytest.fixture
def memory():
    memory = FrontEndMemory(0x100)
    yield memory
    memory.close()


def test_the_table_tells_ram_and_rings(memory):
    ram, rings = memory.table.regions
    assert (ram.guest_address, ram.length_bytes, ram.offset_bytes) == (0, 0x100000, 0)
    assert (rings.guest_address, rings.length_bytes, rings.offset_bytes) == (0x7F_0000_0000, 0x100_0000, 0)
    for region in (ram, rings):
        assert region.user_address == region.guest_address + 0x7F00_0000_0000
    assert [os.fstat(one).st_size for one in memory.descriptors] == [ram.length_bytes, rings.length_bytes]


def test_a_hole_is_in_no_region_and_holds_no_pattern():
    memory = FrontEndMemory(0x100, holes=PageSet([(0x10, 0x20)]))
    low, high, rings = memory.table.regions
    assert (low.guest_address, low.length_bytes, low.offset_bytes) == (0, 0x10000, 0)
    assert (high.guest_address, high.length_bytes, high.offset_bytes) == (0x30000, 0xD0000, 0x30000)
    assert rings.guest_address == 0x7F_0000_0000
    for region in (low, high):
        assert region.user_address == region.guest_address + 0x7F00_0000_0000
    assert memory.descriptors[:2] == (memory.ram.descriptor,) * 2
    assert len(memory.descriptors) == 3
    assert memory.existing == memory.ram.nameable == PageSet([(0, 0x10), (0x30, 0xD0)])
    assert os.lseek(memory.ram.descriptor, 0, os.SEEK_HOLE) == 0x10000
    assert os.lseek(memory.ram.descriptor, 0x10000, os.SEEK_DATA) == 0x30000
    memory.close()


def test_nobody_can_shrink_it(memory):
    for descriptor in memory.descriptors:
        assert fcntl(descriptor, F_GET_SEALS) == F_SEAL_SHRINK | F_SEAL_GROW
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 0)


def test_the_rings_are_written_through(memory):
    memory.rings.write(0x7F_0000_0010, b"ring")
    assert os.pread(memory.descriptors[1], 4, 0x10) == b"ring"


def test_only_what_shall_hold_the_pattern_is_filled():
    memory = FrontEndMemory(0x100, EMPTY)
    assert os.lseek(memory.ram.descriptor, 0, os.SEEK_HOLE) == 0
    assert memory.ram.examine(PageSet([(0, 0x100)])) == (EMPTY, EMPTY)
    memory.close()


@pytest.mark.parametrize("pages", [0, 0x400_0001])
def test_too_little_or_too_much_is_refused(pages):
    before = open_descriptors()
    with pytest.raises(AdapterError, match=f"{pages} pages of guest memory: ask for 1 to {0x400_0000}"):
        FrontEndMemory(pages)
    assert open_descriptors() == before


def test_closing_gives_everything_back_and_may_be_repeated():
    before = open_descriptors()
    memory = FrontEndMemory(0x100)
    memory.close()
    memory.close()
    assert open_descriptors() == before
