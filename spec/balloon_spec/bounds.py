"""The bounds of a set of runs: one ascending sequence of numbers, kept in blocks.

The bounds are the start and the end of each run in turn. No two runs overlap or touch, so all numbers differ,
and whether a number is inside a run shows by an odd or even number of bounds at or below it.

A long sequence is cut into blocks of whole runs. To add a run or to take one out makes a new sequence that
shares all blocks but the one or two that change. So a change costs the same whether a set has a hundred runs
or a hundred thousand, and the set as it was before is still there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, TypeAlias

__all__ = ["NOTHING", "Block", "Bounds", "merged"]

Block: TypeAlias = tuple[int, ...]
"""Bounds of some runs, start and end in turn, ascending."""

_LONGEST = 512
"""The most bounds of a block; even, so that no run is cut in two."""
_SHORTEST = _LONGEST // 4
"""A block that gets shorter is joined to the one beside it."""


class Bounds(NamedTuple):
    """Bounds in blocks; ``lasts`` is the last number of each block, ``runs`` how many runs there are."""

    blocks: tuple[Block, ...]
    lasts: tuple[int, ...]
    runs: int

    @classmethod
    def of(cls, flat: Block) -> Bounds:
        """Cut bounds that ascend already into blocks."""
        blocks = _cut_up(flat)
        return cls(blocks, tuple(block[-1] for block in blocks), len(flat) // 2)

    @property
    def flat(self) -> Block:
        """All bounds in one tuple."""
        return self.blocks[0] if len(self.blocks) == 1 else tuple(chain.from_iterable(self.blocks))

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

    def _changed(self, change: Callable[[Block, int, int], Block], start: int, end: int) -> Bounds:
        """Apply a change of a flat tuple to those blocks alone that the run reaches."""
        blocks, lasts, runs = self
        low = high = bisect_left(lasts, start)
        while high < len(blocks) and blocks[high][0] <= end:
            high += 1
        if low == high:
            # The run lies between two blocks: it joins the one before.
            low = max(low - 1, 0)
            high = min(low + 1, len(blocks))
        before = blocks[low] if high - low == 1 else tuple(chain.from_iterable(blocks[low:high]))
        after = change(before, start, end)
        if after is before:
            return self
        runs += (len(after) - len(before)) // 2
        if len(after) < _SHORTEST and high < len(blocks):
            after += blocks[high]
            high += 1
        fresh = (after,) if 0 < len(after) <= _LONGEST else _cut_up(after)
        if len(fresh) == high - low == len(blocks):
            return Bounds(fresh, tuple(block[-1] for block in fresh), runs)
        return Bounds(
            blocks[:low] + fresh + blocks[high:],
            lasts[:low] + tuple(block[-1] for block in fresh) + lasts[high:],
            runs,
        )


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


def _cut_up(flat: Block) -> tuple[Block, ...]:
    """Cut bounds into blocks of about one length, none longer than ``_LONGEST``."""
    if len(flat) <= _LONGEST:
        return (flat,) if flat else ()
    size = _LONGEST // 2
    return tuple(flat[at : at + size] for at in range(0, len(flat), size))


def _laid(block: Block, start: int, end: int) -> Block:
    # A number that a run begins or ends at counts as inside it: runs that touch become one.
    low, high = bisect_left(block, start), bisect_right(block, end)
    if low == high and low % 2:
        return block
    return block[:low] + (start,)[low % 2 :] + (end,)[high % 2 :] + block[high:]


def _cut(block: Block, start: int, end: int) -> Block:
    low, high = bisect_left(block, start), bisect_right(block, end)
    if low == high and not low % 2:
        return block
    return block[:low] + (start,)[: low % 2] + (end,)[: high % 2] + block[high:]


def _clipped(block: Block, start: int, end: int) -> Block:
    low, high = bisect_right(block, start), bisect_left(block, end)
    return (start,)[: low % 2] + block[low:high] + (end,)[: high % 2]
