"""Guest memory: what lies inside, what spans regions, what is refused, and that an mmap can be closed."""

from __future__ import annotations

import mmap
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_conformance.virtio import GuestMemory, GuestMemoryError, Region


def three_regions() -> GuestMemory:
    """0x1000 to 0x1010 and 0x1010 to 0x1018 touch; 0x2000 to 0x2008 stands apart. Given out of order."""
    return GuestMemory(
        [
            Region(0x2000, bytearray(b"ABCDEFGH")),
            Region(0x1000, bytearray(range(16))),
            Region(0x1010, memoryview(bytearray(range(16, 24)))),
        ]
    )


def test_regions_are_kept_in_ascending_order():
    assert three_regions().ranges == ((0x1000, 16), (0x1010, 8), (0x2000, 8))
    assert repr(three_regions()) == "GuestMemory(0x1000+0x10, 0x1010+0x8, 0x2000+0x8)"


@pytest.mark.parametrize(
    ("address", "length", "expected"),
    [
        (0x1000, 4, bytes([0, 1, 2, 3])),
        (0x100E, 4, bytes([14, 15, 16, 17])),
        (0x1000, 24, bytes(range(24))),
        (0x1017, 1, bytes([23])),
        (0x2006, 2, b"GH"),
        (0x9999, 0, b""),
    ],
)
def test_a_read_returns_the_bytes_at_the_address_across_touching_regions(address, length, expected):
    assert three_regions().read(address, length) == expected


def test_a_write_that_spans_touching_regions_changes_those_bytes_and_no_neighbour():
    memory = three_regions()
    memory.write(0x100E, b"wxyz")
    assert memory.read(0x1000, 24) == bytes(range(14)) + b"wxyz" + bytes(range(18, 24))
    assert memory.read(0x2000, 8) == b"ABCDEFGH"


@pytest.mark.parametrize(
    ("address", "length"),
    [
        (0xFFF, 1),
        (0xFFF, 2),
        (0x1018, 1),
        (0x1017, 2),
        (0x1010, 0x1000),
        (0x2007, 2),
        (0x1000, -1),
        (-1, 1),
        ((1 << 64) - 1, 2),
        (1 << 70, 1),
    ],
)
def test_an_access_outside_is_refused_and_changes_nothing(address, length):
    memory = three_regions()
    assert not memory.contains(address, length)
    with pytest.raises(GuestMemoryError) as caught:
        memory.read(address, length)
    assert (caught.value.address, caught.value.length_bytes) == (address, length)
    assert caught.value.regions == memory.ranges
    assert "0x1000 to 0x1010, 0x1010 to 0x1018, 0x2000 to 0x2008" in str(caught.value)
    assert "\n" not in str(caught.value)
    if length > 0:
        with pytest.raises(GuestMemoryError):
            memory.write(address, b"!" * length)
    assert memory.read(0x1000, 24) == bytes(range(24))
    assert memory.read(0x2000, 8) == b"ABCDEFGH"


@given(
    cuts=st.lists(st.integers(1, 63), unique=True, max_size=5).map(sorted),
    start=st.integers(0, 70),
    length=st.integers(0, 70),
    data=st.data(),
)
def test_memory_cut_into_touching_regions_behaves_as_one_buffer(cuts, start, length, data):
    bounds = [0, *cuts, 64]
    whole = bytearray(range(64))
    memory = GuestMemory(Region(0x100 + low, bytearray(whole[low:high])) for low, high in pairwise(bounds))
    inside = length == 0 or start + length <= 64
    assert memory.contains(0x100 + start, length) is inside
    if inside:
        new = data.draw(st.binary(min_size=length, max_size=length))
        memory.write(0x100 + start, new)
        if length:
            whole[start : start + length] = new
        assert memory.read(0x100 + start, length) == new
        assert memory.read(0x100, 64) == bytes(whole)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GuestMemory([]), "at least one region"),
        (lambda: GuestMemory([Region(0, bytearray(8)), Region(7, bytearray(8))]), "overlaps the one at 0x7"),
        (lambda: GuestMemory([Region(4, bytearray(8)), Region(4, bytearray(8))]), "overlaps the one at 0x4"),
        (lambda: Region(0, bytearray()), "must not be empty"),
        (lambda: Region(0, memoryview(b"constant")), "must be writable"),
        (lambda: Region(0, memoryview(bytearray(8))[::2]), "contiguous"),
        (lambda: Region(-1, bytearray(8)), "64-bit"),
        (lambda: Region((1 << 64) - 7, bytearray(8)), "64-bit"),
    ],
)
def test_regions_that_cannot_be_are_refused(make, words):
    with pytest.raises(GuestMemoryError, match=words):
        make()


def test_a_region_may_end_with_the_last_64_bit_address():
    memory = GuestMemory([Region((1 << 64) - 8, bytearray(8))])
    memory.write((1 << 64) - 1, b"z")
    assert memory.read((1 << 64) - 8, 8) == bytes(7) + b"z"


def test_a_region_counts_bytes_not_items_of_its_buffer():
    backing = bytearray(16)
    region = Region(0, memoryview(backing).cast("I"))
    assert region.length_bytes == 16
    GuestMemory([region]).write(12, b"\x01\x02\x03\x04")
    assert backing == bytes(12) + b"\x01\x02\x03\x04"


def test_writes_reach_an_mmap_which_can_be_closed_after_release():
    backing = mmap.mmap(-1, 8192)
    with GuestMemory([Region(0x100000, backing)]) as memory:
        memory.write(0x100FFE, b"\x01\x02\x03\x04")
        assert backing[4094:4098] == b"\x01\x02\x03\x04"
        memory.view(0x100000, 16)
        memory.words(0x100010, 16)
        with pytest.raises(BufferError):
            backing.close()
    backing.close()
    assert backing.closed


def test_released_memory_refuses_every_access_and_its_views_have_ended():
    memory = three_regions()
    view = memory.view(0x1000, 4)
    memory.release()
    memory.release()
    for access in (
        lambda: memory.read(0x1000, 1),
        lambda: memory.write(0x1000, b"x"),
        lambda: memory.view(0x1000, 4),
    ):
        with pytest.raises(GuestMemoryError, match="released"):
            access()
    with pytest.raises(ValueError, match="released"):
        view[0]


def test_a_view_is_the_memory_itself_and_cannot_span_regions():
    memory = three_regions()
    memory.view(0x1004, 4)[0] = 0xEE
    assert memory.read(0x1004, 1) == b"\xee"
    with pytest.raises(GuestMemoryError, match="within one region"):
        memory.view(0x100E, 4)
    with pytest.raises(GuestMemoryError, match="not all in guest memory"):
        memory.view(0x2006, 4)


def test_words_are_little_endian():
    memory = three_regions()
    words = memory.words(0x1002, 4)
    words[1] = 0x1234
    assert memory.read(0x1002, 4) == b"\x02\x03\x34\x12"


def test_words_are_refused_on_a_big_endian_machine(monkeypatch):
    monkeypatch.setattr("sys.byteorder", "big")
    with pytest.raises(GuestMemoryError, match="little-endian"):
        three_regions().words(0x1000, 4)
