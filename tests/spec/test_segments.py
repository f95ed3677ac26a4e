"""Where the segments of a buffer point."""

import pytest

from balloon_spec.events import Segment
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.segments import (
    are_well_laid,
    from_lengths,
    inward,
    outward,
    over,
    segments_outside,
    writable_ranges,
)

PAGE = 0x1000


def test_only_device_writable_bytes_at_a_known_address_are_ranges():
    segments = [
        Segment(PAGE, writable=True, address=3 * PAGE),
        Segment(PAGE, writable=False, address=5 * PAGE),
        Segment(PAGE, writable=True, address=None),
        Segment(0, writable=True, address=7 * PAGE),
        Segment(8, writable=True, address=0),
    ]
    assert writable_ranges(segments) == ((3 * PAGE, 4 * PAGE), (0, 8))


@pytest.mark.parametrize(
    ("start", "end", "whole", "touched"),
    [
        (2 * PAGE, 4 * PAGE, [(2, 2)], [(2, 2)]),
        (2 * PAGE + 1, 4 * PAGE, [(3, 1)], [(2, 2)]),
        (2 * PAGE, 4 * PAGE - 1, [(2, 1)], [(2, 2)]),
        (2 * PAGE, 4 * PAGE + 1, [(2, 2)], [(2, 3)]),
        (2 * PAGE + 1, 3 * PAGE + 1, [], [(2, 2)]),
        (2 * PAGE + 1, 2 * PAGE + 2, [], [(2, 1)]),
        (0, 1, [], [(0, 1)]),
        ((1 << 64) - 1, 1 << 64, [], [((1 << 52) - 1, 1)]),
    ],
)
def test_a_range_holds_the_pages_inside_it_and_touches_those_it_begins_or_ends_in(start, end, whole, touched):
    assert inward([(start, end)]) == PageSet(whole)
    assert outward([(start, end)]) == PageSet(touched)


def test_the_pages_of_several_ranges_are_joined():
    ranges = [(0, PAGE), (4 * PAGE, 6 * PAGE), (5 * PAGE, 7 * PAGE)]
    assert inward(ranges) == outward(ranges) == PageSet([(0, 1), (4, 3)])


def test_pages_are_lent_run_by_run():
    lent = (Segment(2 * PAGE, True, 3 * PAGE), Segment(PAGE, True, 8 * PAGE))
    assert over(PageSet([(8, 1), (3, 2)])) == lent
    assert over(EMPTY) == ()


def test_a_segment_is_outside_memory_if_one_of_its_bytes_is():
    memory = PageSet([(0, 4)])
    inside = Segment(PAGE, address=3 * PAGE)
    across = Segment(PAGE + 1, address=3 * PAGE)
    nothing = Segment(0, address=9 * PAGE)
    nowhere = Segment(PAGE)
    assert segments_outside([inside, across, nothing, nowhere], memory) == (across,)
    assert segments_outside([across], None) == ()


@pytest.mark.parametrize(
    ("segments", "readable_bytes", "well_laid"),
    [
        ((), 8, True),
        (from_lengths((4, 4)), 8, True),
        ((Segment(4), Segment(8, True)), 4, True),
        ((Segment(8, True),), 4, True),
        (from_lengths((0, 8)), 8, False),
        ((Segment(4), Segment(0, True)), 4, False),
        ((Segment(8, True), Segment(4)), 4, False),
        ((Segment(9, address=0x1000),), 8, False),
        ((Segment(8, address=0x3FFC),), 8, False),
        ((Segment(32, address=(1 << 64) - 16),), 32, False),
    ],
)
def test_a_device_has_to_follow_descriptors_that_are_full_and_in_order_and_in_memory(
    segments, readable_bytes, well_laid
):
    assert are_well_laid(segments, readable_bytes, PageSet([(0, 4)])) is well_laid
