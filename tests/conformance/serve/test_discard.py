"""Discarding guest memory: what is a file gets a hole, whatever part of it the region is."""

from __future__ import annotations

import mmap
import os

import pytest
from served_peer import open_descriptors

from balloon_conformance.serve.discard import HostMemory, punch_hole
from balloon_conformance.vhost_user.messages import MemoryRegion
from balloon_spec.pages import PageSet

PAGE = 4096


@pytest.fixture
def file():
    descriptor = os.memfd_create("ram")
    os.write(descriptor, b"\x55" * 16 * PAGE)
    yield descriptor
    os.close(descriptor)


def holes(descriptor):
    """The pages of the file that have no data; found without reading."""
    return [page for page in range(16) if os.lseek(descriptor, page * PAGE, os.SEEK_HOLE) == page * PAGE]


def test_pages_are_looked_up_by_region_and_offset(file):
    regions = (MemoryRegion(0, 4 * PAGE, 0, 0), MemoryRegion(0x100 * PAGE, 8 * PAGE, 0, 6 * PAGE))
    memory = HostMemory(regions, (file, file))
    memory.discard(PageSet([(1, 2), (0x101, 1), (0x107, 9)]))
    assert holes(file) == [1, 2, 7, 13]
    memory.discard(PageSet([(50, 10)]))
    assert holes(file) == [1, 2, 7, 13]
    memory.close()


def test_a_mapping_reads_zeros_afterwards(file):
    with mmap.mmap(file, 16 * PAGE) as mapping:
        punch_hole(file, PAGE, PAGE)
        assert mapping[: 3 * PAGE] == b"\x55" * PAGE + bytes(PAGE) + b"\x55" * PAGE


def test_memory_without_holes_is_told_by_its_mapping(tmp_path, monkeypatch, file):
    """No file system at hand lacks holes, so the kernel's answer is stood in for."""
    told = []

    def refuse(descriptor, offset_bytes, length_bytes):
        raise OSError(95, "Operation not supported")

    class Mapping:
        def __init__(self, descriptor, length_bytes, offset=0):
            self.where = (length_bytes, offset)

        def madvise(self, advice, start, length_bytes):
            told.append((*self.where, advice, start, length_bytes))

        def close(self):
            told.append("closed")

    monkeypatch.setattr("balloon_conformance.serve.discard.punch_hole", refuse)
    monkeypatch.setattr(mmap, "mmap", Mapping)
    memory = HostMemory((MemoryRegion(0x10 * PAGE, 4 * PAGE, 0, 2 * PAGE),), (file,))
    memory.discard(PageSet([(0x11, 2)]))
    memory.close()
    assert told == [(4 * PAGE, 2 * PAGE, mmap.MADV_DONTNEED, PAGE, 2 * PAGE), "closed"]


def test_another_refusal_is_an_error(file):
    with pytest.raises(OSError, match="Bad file descriptor"):
        punch_hole(-1, 0, PAGE)


def test_the_descriptors_are_copies_that_are_closed(file):
    before = open_descriptors()
    memory = HostMemory((MemoryRegion(0, PAGE, 0, 0),), (file,))
    assert open_descriptors() == before + 1
    memory.close()
    memory.close()
    assert open_descriptors() == before
