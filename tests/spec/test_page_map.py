import pytest
from hypothesis import given
from hypothesis import strategies as st

from balloon_spec import page_map
from balloon_spec.page_map import PageMap
from balloon_spec.pages import PageSet

SETS = st.lists(st.tuples(st.integers(0, 80), st.integers(0, 12)), max_size=3)
CHANGES = st.lists(st.tuples(st.sampled_from(["name", "remove"]), SETS), max_size=30)


def numbers(runs):
    return {pfn for first, count in runs for pfn in range(first, first + count)}


@pytest.fixture(autouse=True)
def _short_blocks(monkeypatch):
    monkeypatch.setattr(page_map, "_LONGEST", 4)


@given(CHANGES, SETS)
def test_each_page_has_the_names_it_was_given_since_it_was_removed(changes, asked):
    pages, expected = PageMap(), {}
    for number, (kind, runs) in enumerate(changes):
        if kind == "name":
            pages.change(PageSet(runs), lambda before, number=number: (*(before or ()), number))
            expected |= {pfn: (*expected.get(pfn, ()), number) for pfn in numbers(runs)}
        else:
            removed = pages.remove(PageSet(runs))
            gone = {pfn: value for start, end, value in removed for pfn in range(start, end)}
            assert gone == {pfn: expected.pop(pfn) for pfn in numbers(runs) & expected.keys()}
    found = [(pfn, value) for start, end, value in pages.within(PageSet(asked)) for pfn in range(start, end)]
    assert found == sorted((pfn, expected[pfn]) for pfn in numbers(asked) & expected.keys())
