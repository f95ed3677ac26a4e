"""The allocator of guest memory: aligned, never overlapping, merging, and clear when it is exhausted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_conformance.virtio import Arena, ArenaExhaustedError


def test_first_fit_takes_the_lowest_range_that_fits():
    arena = Arena(0x1000, 0x100)
    first, second, third = (arena.allocate(0x20) for _ in range(3))
    assert (first, second, third) == (0x1000, 0x1020, 0x1040)
    arena.free(first)
    assert arena.allocate(0x30) == 0x1060
    assert arena.allocate(0x10) == 0x1000


def test_alignment_leaves_the_gap_free_for_smaller_buffers():
    arena = Arena(0x1004, 0x2000)
    assert arena.allocate(0x10, 0x1000) == 0x2000
    assert arena.allocate(4, 4) == 0x1004
    assert arena.free_bytes == 0x2000 - 0x14


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 0, 2)])
def test_freed_neighbours_merge_in_whatever_order_they_come_back(order):
    arena = Arena(0, 48)
    addresses = [arena.allocate(16) for _ in range(3)]
    for index in order:
        arena.free(addresses[index])
    assert arena.allocate(48) == 0


def test_an_exhausted_arena_says_what_was_asked_and_what_is_left():
    arena = Arena(0x1000, 64)
    kept = [arena.allocate(16) for _ in range(4)]
    arena.free(kept[0])
    arena.free(kept[2])
    with pytest.raises(
        ArenaExhaustedError, match=r"32 bytes aligned to 16 .*32 bytes are free, 16 in the longest"
    ):
        arena.allocate(32)


@pytest.mark.parametrize(("length", "alignment"), [(0, 16), (-1, 16), (8, 0), (8, 3)])
def test_requests_without_meaning_are_refused(length, alignment):
    with pytest.raises(ValueError, match="power of 2"):
        Arena(0, 64).allocate(length, alignment)


def test_an_empty_arena_is_refused():
    with pytest.raises(ValueError, match="holds nothing"):
        Arena(0, 0)


def test_only_an_allocated_address_can_be_freed_and_only_once():
    arena = Arena(0, 64)
    address = arena.allocate(16)
    with pytest.raises(ValueError, match="not allocated"):
        arena.free(address + 1)
    arena.free(address)
    with pytest.raises(ValueError, match="freed already"):
        arena.free(address)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(1, 100), st.sampled_from([1, 2, 16, 64])),
            st.integers(0, 30),
        ),
        max_size=60,
    )
)
def test_allocations_stay_inside_aligned_and_apart(operations):
    arena = Arena(0x30, 512)
    owners: dict[int, int] = {}
    held: list[tuple[int, int]] = []
    for operation in operations:
        if isinstance(operation, int):
            if held:
                address, length = held.pop(operation % len(held))
                arena.free(address)
                for byte in range(address, address + length):
                    del owners[byte]
            continue
        length, alignment = operation
        try:
            address = arena.allocate(length, alignment)
        except ArenaExhaustedError:
            free = [
                all(low + byte not in owners for byte in range(length)) for low in range(0x30, 0x231 - length)
            ]
            assert not any(fits for low, fits in enumerate(free, 0x30) if low % alignment == 0)
            continue
        assert address % alignment == 0
        for byte in range(address, address + length):
            assert 0x30 <= byte < 0x230
            assert byte not in owners
            owners[byte] = address
        held.append((address, length))
        assert arena.free_bytes == 512 - len(owners)
    for address, _ in held:
        arena.free(address)
    assert arena.allocate(512, 1) == 0x30
