"""Pages are shared out to buffers in the canonical way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_conformance.reference.coalesce import (
    lowest,
    page_numbers,
    run_table,
    split_at_pages,
    split_at_runs,
)
from balloon_spec.pages import PageSet

pages = st.sets(st.integers(0, 200), max_size=60)


def pages_of(parts: tuple[PageSet, ...]) -> list[int]:
    return [pfn for part in parts for run in part for pfn in range(run.first, run.end)]


def as_set(numbers: set[int]) -> PageSet:
    return PageSet([(number, 1) for number in numbers])


@given(pages, st.integers(1, 7))
def test_every_page_stands_in_one_part_in_ascending_order(numbers: set[int], size: int) -> None:
    assert pages_of(split_at_runs(as_set(numbers), size)) == sorted(numbers)
    assert pages_of(split_at_pages(as_set(numbers), size)) == sorted(numbers)


@given(pages, st.integers(1, 7))
def test_every_part_but_the_last_is_full(numbers: set[int], size: int) -> None:
    by_runs = [len(part.runs) for part in split_at_runs(as_set(numbers), size)]
    by_pages = [part.pages for part in split_at_pages(as_set(numbers), size)]
    for lengths in (by_runs, by_pages):
        assert all(length == size for length in lengths[:-1])
        assert all(0 < length <= size for length in lengths)


@given(pages, st.integers(-2, 70))
def test_lowest_takes_the_lowest(numbers: set[int], count: int) -> None:
    assert pages_of((lowest(as_set(numbers), count),)) == sorted(numbers)[: max(count, 0)]


@pytest.mark.parametrize("split", [split_at_runs, split_at_pages])
def test_no_pages_make_no_part(split) -> None:
    assert split(PageSet(), 3) == ()


def test_tables_hold_the_highest_pages_exactly() -> None:
    top = PageSet([((1 << 52) - 2, 2)])
    assert run_table(top).tolist() == [[(1 << 52) - 2, 2]]
    assert page_numbers(top).tolist() == [(1 << 52) - 2, (1 << 52) - 1]
