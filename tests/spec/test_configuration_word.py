"""What an access to the configuration space does to a word of it."""

import pytest

from balloon_spec.events import Side
from balloon_spec.families.family import ConfigurationWord

WORD = ConfigurationWord("pitch", 8, Side.DRIVER, "how far apart the rows are")


@pytest.mark.parametrize(
    ("offset", "data", "within", "after"),
    [
        (8, b"abcd", b"abcd", b"abcd"),
        (4, b"0123abcd", b"abcd", b"abcd"),
        (8, b"abcd4567", b"abcd", b"abcd"),
        (0, b"0123456789abcdef", b"89ab", b"89ab"),
        (8, b"abc", None, b"abcD"),
        (9, b"bcd", None, b"Abcd"),
        (10, b"c", None, b"ABcD"),
        (6, b"67ab", None, b"abCD"),
        (11, b"d123", None, b"ABCd"),
    ],
)
def test_an_access_covers_the_word_in_whole_or_in_part(offset, data, within, after):
    assert WORD.is_touched(offset, len(data))
    assert WORD.within(offset, data) == within
    assert bytes(WORD.after(b"ABCD", offset, data)) == after


@pytest.mark.parametrize(("offset", "data"), [(0, b"01234567"), (4, b"4567"), (12, b"cdef"), (9, b"")])
def test_an_access_beside_the_word_leaves_it_alone(offset, data):
    assert not WORD.is_touched(offset, len(data))
    assert WORD.within(offset, data) is None
    assert bytes(WORD.after(b"ABCD", offset, data)) == b"ABCD"
