"""The bounds of a set of runs: one ascending sequence of numbers, kept in blocks.

The bounds are the start and the end of each run in turn. No two runs overlap or touch, so all numbers differ,
and whether a number is inside a run shows by an odd or even number of bounds at or below it.

A long sequence is cut into blocks of whole runs. To add a run or to take one out makes a new sequence that
shares all blocks but the one or two that change. So a change costs the same whether a set has a hundred runs
or a hundred thousand, and the set as it was before is still there. The blocks of a long sequence are arrays
of machine words: to copy one touches no object for each number.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

__all__ = ["NOTHING", "Block", "Bounds", "merged"]

Block: TypeAlias = tuple[int, ...]
"""Bounds of some runs, start and end in turn, ascending."""
_Words: TypeAlias = "array[int]"

_LONGEST = 1024
"""The most bounds of a block; even, so that no run is cut in two."""
_SHORTEST = 64
"""A block that gets shorter is joined to the one beside it, and a sequence that is no longer is a tuple."""


class Bounds(NamedTuple):
    """Bounds in blocks; ``lasts`` is the last number of each block, ``runs`` how many runs there are."""

    blocks: tuple[Block | _Words, ...]
    lasts: tuple[int, ...] | _Words
    runs: int

    @classmethod
    def of(cls, flat: Block) -> Bounds:
        """Cut bounds that ascend already into blocks."""
        blocks = _cut_up(flat)
        return cls(blocks, _lasts(blocks), len(flat) // 2)

    @property
    def flat(self) -> Block:
        """All bounds in one tuple."""
        only = self.blocks[0] if len(self.blocks) == 1 else None
        return only if isinstance(only, tuple) else tuple(chain.from_iterable(self.blocks))

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of each run."""
        return _pairs(chain.from_iterable(self.blocks))

    def end_of_run_at(self, number: int) -> int | None:
        """Return the end of the run that ``number`` is in, None if it is in none."""
        at = bisect_right(self.lasts, number)
        if at == len(self.blocks):
            return None
        block = self.blocks[at]
        inside = bisect_right(block, number)
        return block[inside] if inside % 2 else None

    def meets(self, start: int, end: int) -> bool:
        """Tell whether a number from ``start`` to before ``end`` is in a run."""
        at = bisect_right(self.lasts, start)
        if at == len(self.blocks):
            return False
        block = self.blocks[at]
        inside = bisect_right(block, start)
        return inside % 2 == 1 or block[inside] < end

    def clipped(self, start: int, end: int) -> Block:
        """Return what of a run is there."""
        low = bisect_right(self.lasts, start)
        high = low
        while high < len(self.blocks) and self.blocks[high][0] < end:
            high += 1
        if high - low == 1:
            return _clipped(self.blocks[low], start, end)
        return _clipped(tuple(chain.from_iterable(self.blocks[low:high])), start, end)

    def missing(self, start: int, end: int) -> Block:
        """Return what of a run is not there."""
        gaps = _pairs((start, *self.clipped(start, end), end))
        return tuple(number for gap in gaps if gap[0] < gap[1] for number in gap)

    def laid(self, start: int, end: int) -> Bounds:
        """Add a run; the same bounds if it is there already."""
        return self._changed(_laid, start, end)

    def cut(self, start: int, end: int) -> Bounds:
        """Take a run out; the same bounds if nothing of it is there."""
        return self._changed(_cut, start, end)

    def _changed(self, change: _Change, start: int, end: int) -> Bounds:
        """Apply a change of one block to those that the run reaches."""
        blocks, lasts, runs = self
        low = high = bisect_left(lasts, start)
        while high < len(blocks) and blocks[high][0] <= end:
            high += 1
        if low == high:
            # The run lies between two blocks: it joins the one before.
            low = max(low - 1, 0)
            high = min(low + 1, len(blocks))
        before = blocks[low] if high - low == 1 else _joined(blocks[low:high]) if blocks else ()
        after = change(before, start, end)
        if after is before:
            return self
        runs += (len(after) - len(before)) // 2
        if len(after) < _SHORTEST and high < len(blocks):
            after = _joined((after, blocks[high]))
            high += 1
        fresh = (after,) if 0 < len(after) <= _LONGEST else _cut_up(after)
        if len(fresh) == high - low == len(blocks):
            return Bounds(fresh, _lasts(fresh), runs)
        rest = blocks[:low] + fresh + blocks[high:]
        if isinstance(lasts, tuple) or len(rest) < 2:
            return Bounds(rest, _lasts(rest), runs)
        return Bounds(rest, lasts[:low] + array("q", [one[-1] for one in fresh]) + lasts[high:], runs)


_Change: TypeAlias = "Callable[[Block | _Words, int, int], Block | _Words]"

NOTHING = Bounds((), (), 0)
"""The bounds of no runs."""


def merged(runs: list[tuple[int, int]]) -> Block:
    """Sort (start, end) pairs, drop empty ones, and merge those that overlap or touch."""
    bounds: list[int] = []
    for start, end in sorted(runs):
        if start == end:
            continue
        if not bounds or start > bounds[-1]:
            bounds += (start, end)
        elif end > bounds[-1]:
            bounds[-1] = end
    return tuple(bounds)


def _pairs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    one_by_one = iter(numbers)
    return zip(one_by_one, one_by_one, strict=True)


def _lasts(blocks: tuple[Block | _Words, ...]) -> tuple[int, ...] | _Words:
    if len(blocks) == 1:
        return (blocks[0][-1],)
    return array("q", [block[-1] for block in blocks])


def _joined(blocks: Sequence[Block | _Words]) -> _Words:
    whole = array("q")
    for block in blocks:
        whole.extend(block)
    return whole


def _cut_up(flat: Block | _Words) -> tuple[Block | _Words, ...]:
    """Cut bounds into blocks of about one length, none longer than ``_LONGEST``."""
    if len(flat) <= _LONGEST:
        return (flat if len(flat) <= _SHORTEST else array("q", flat),) if flat else ()
    size = _LONGEST // 2
    words = array("q", flat)
    return tuple(words[at : at + size] for at in range(0, len(words), size))


def _pieced(block: Block | _Words, low: int, middle: Block, high: int) -> Block | _Words:
    """Put ``middle`` in the place of the bounds from ``low`` to before ``high``."""
    if isinstance(block, tuple):
        return block[:low] + middle + block[high:]
    return block[:low] + array("q", middle) + block[high:]


def _laid(block: Block | _Words, start: int, end: int) -> Block | _Words:
    # A number that a run begins or ends at counts as inside it: runs that touch become one.
    low, high = bisect_left(block, start), bisect_right(block, end)
    if low == high and low % 2:
        return block
    return _pieced(block, low, (start,)[low % 2 :] + (end,)[high % 2 :], high)


def _cut(block: Block | _Words, start: int, end: int) -> Block | _Words:
    low, high = bisect_left(block, start), bisect_right(block, end)
    if low == high and not low % 2:
        return block
    return _pieced(block, low, (start,)[: low % 2] + (end,)[: high % 2], high)


def _clipped(block: Block | _Words, start: int, end: int) -> Block:
    low, high = bisect_right(block, start), bisect_left(block, end)
    return (start,)[: low % 2] + tuple(block[low:high]) + (end,)[: high % 2]
