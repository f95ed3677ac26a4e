import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_spec import bounds
from balloon_spec.pages import EMPTY, PFN_LIMIT, PageSet, Run

FEW = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=8)
MANY = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 3)), min_size=30, max_size=60)
RUNS = FEW | MANY


def expand(runs):
    return {pfn for first, count in runs for pfn in range(first, first + count)}


def contents(pages):
    return {pfn for run in pages for pfn in range(run.first, run.end)}


@given(RUNS, RUNS)
def test_the_algebra_is_that_of_sets(left, right):
    a, b = PageSet(left), PageSet(right)
    x, y = expand(left), expand(right)
    assert contents(a) == x
    assert contents(a | b) == x | y
    assert contents(a & b) == x & y
    assert contents(a - b) == x - y
    assert (a <= b) == (x <= y)
    assert a.isdisjoint(b) == x.isdisjoint(y)
    assert (a == b) == (x == y)
    assert bool(a) == bool(x)
    assert a.pages == len(x)
    assert a.size_bytes == 4096 * len(x)


@pytest.mark.parametrize("longest", [4, 8])
@given(MANY, st.lists(st.tuples(st.booleans(), st.integers(0, 220), st.integers(1, 40)), max_size=12))
def test_a_long_set_changes_run_by_run(longest, runs, changes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "_LONGEST", longest)
        patch.setattr(bounds, "_SHORTEST", longest // 4)
        pages, expected = PageSet(runs), expand(runs)
        for adds, first, count in changes:
            run, numbers = PageSet([(first, count)]), expand([(first, count)])
            assert contents(pages & run) == expected & numbers
            assert pages.isdisjoint(run) == expected.isdisjoint(numbers)
            assert (run <= pages) == (numbers <= expected)
            assert contents(run - pages) == numbers - expected
            pages = pages | run if adds else pages - run
            expected = expected | numbers if adds else expected - numbers
            assert contents(pages) == expected
            assert pages.pages == len(expected)
            assert pages.run_count == len(pages.runs)
            assert pages == PageSet(pages.runs)


@given(st.lists(RUNS, max_size=4))
def test_the_union_of_many(parts):
    assert contents(PageSet.union(map(PageSet, parts))) == set().union(*map(expand, parts))


@given(RUNS)
def test_runs_are_canonical(runs):
    pages = PageSet(runs)
    ends = [run.end for run in pages]
    assert all(end < following.first for end, following in zip(ends, pages.runs[1:], strict=False))
    assert all(run.count > 0 for run in pages)
    assert PageSet(reversed(pages.runs)) == pages
    assert hash(PageSet(pages.runs)) == hash(pages)


@given(RUNS, st.integers(-2, 80))
def test_membership(runs, pfn):
    assert (pfn in PageSet(runs)) == (pfn in expand(runs))


@given(st.lists(st.integers(0, 100)))
def test_page_frame_numbers_in_any_order_and_repeated(pfns):
    assert contents(PageSet.from_pfns(np.array(pfns, np.uint32))) == set(pfns)


@given(RUNS)
def test_texts_read_back(runs):
    pages = PageSet(runs)
    assert PageSet.parse(*pages.texts()) == pages


def test_the_largest_page_frame_numbers_fit():
    top = PageSet([(2**52 - 1, 2**52)])
    assert top.runs == (Run(2**52 - 1, 2**52),)
    assert (top | PageSet([(0, 1)])).pages == 2**52 + 1
    assert PageSet([(0, PFN_LIMIT)]) - top == PageSet([(0, 2**52 - 1), (2**53 - 1, 1)])


@pytest.mark.parametrize("run", [(-1, 1), (0, -1), (PFN_LIMIT, 1), (0, PFN_LIMIT + 1)])
def test_a_run_outside_the_numbers_is_refused(run):
    with pytest.raises(ValueError, match="leaves the page frame numbers"):
        PageSet([run])


@pytest.mark.parametrize("text", ["", "0x", "1+", "+1", "1-2", "0x10 +2", "page", "-1"])
def test_a_text_that_is_no_run_is_named(text):
    with pytest.raises(ValueError, match="write FIRST or FIRST\\+COUNT"):
        PageSet.parse(text)


def test_words_for_a_reader():
    assert str(EMPTY) == "no pages"
    assert str(PageSet.parse("0x10", "0x20+3")) == "0x10, 0x20+3"
    assert str(PageSet([(2 * n, 1) for n in range(10)])).endswith("0xe and 2 more runs")
    assert repr(PageSet.parse("7")) == "PageSet(['0x7'])"


def test_other_things_are_neither_members_nor_equal():
    assert "0x10" not in PageSet.parse("0x10")
    assert PageSet.parse("1") != {1}
