"""What is known of each page: runs of pages, each with a value.

A page has one value at most. The runs are kept in blocks, so that a change costs by the runs that it meets
and not by those that are there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from balloon_spec.pages import PageSet

__all__ = ["PageMap", "Piece"]

_T = TypeVar("_T")

_LONGEST = 512
"""The most runs of a block."""


class Piece(NamedTuple, Generic[_T]):
    """The pages from ``start`` to before ``end``, which have one value."""

    start: int
    end: int
    value: _T


class PageMap(Generic[_T]):
    """Pages and their values; pages without one are not in it."""

    def __init__(self) -> None:
        self._blocks: list[list[Piece[_T]]] = []
        self._starts: list[int] = []
        """The start of the first run of each block."""

    def __len__(self) -> int:
        """Return how many runs there are."""
        return sum(map(len, self._blocks))

    def change(self, pages: PageSet, change: Callable[[_T | None], _T]) -> None:
        """Give each of ``pages`` the value that ``change`` makes of the one it has; None is no value."""
        for run in pages:
            met = list(self.within(PageSet([run])))
            ends = [run.first, *(end for _, end, _ in met)]
            starts = [*(start for start, _, _ in met), run.end]
            fresh = [Piece(end, start, change(None)) for end, start in zip(ends, starts, strict=True)]
            fresh += [Piece(start, end, change(value)) for start, end, value in met]
            self._replace(
                run.first, run.end, sorted((one for one in fresh if one.start < one.end), key=_start)
            )

    def remove(self, pages: PageSet) -> list[Piece[_T]]:
        """Take pages out, and return what they had."""
        before: list[Piece[_T]] = []
        for run in pages:
            before += self._replace(run.first, run.end, [])
        return before

    def within(self, pages: PageSet) -> Iterator[Piece[_T]]:
        """Yield what is there of ``pages``, ascending."""
        for run in pages:
            at = max(bisect_right(self._starts, run.first) - 1, 0)
            for block in self._blocks[at:]:
                if block[0].start >= run.end:
                    break
                for piece in _met(block, run.first, run.end):
                    yield Piece(max(piece.start, run.first), min(piece.end, run.end), piece.value)

    def _replace(self, start: int, end: int, fresh: list[Piece[_T]]) -> list[Piece[_T]]:
        """Put ``fresh`` in the place of all that is there of a run, and return that."""
        low = max(bisect_right(self._starts, start) - 1, 0)
        high = max(bisect_left(self._starts, end, low), low + 1)
        if high - low == 1 and self._blocks:
            block = self._blocks[low]
        else:
            block = [piece for one in self._blocks[low:high] for piece in one]
        met = _met(block, start, end)
        left = [Piece(met[0].start, start, met[0].value)] if met and met[0].start < start else []
        right = [Piece(end, met[-1].end, met[-1].value)] if met and met[-1].end > end else []
        at = bisect_left(block, (met[0].start if met else start,))
        block[at : at + len(met)] = [*left, *fresh, *right]
        blocks = [block] if block else []
        if len(block) > _LONGEST:
            half = _LONGEST // 2
            blocks = [block[at : at + half] for at in range(0, len(block), half)]
        self._blocks[low:high] = blocks
        self._starts[low:high] = [one[0].start for one in blocks]
        return [Piece(max(one.start, start), min(one.end, end), one.value) for one in met]


def _start(piece: Piece[_T]) -> int:
    return piece.start


def _met(block: list[Piece[_T]], start: int, end: int) -> list[Piece[_T]]:
    """Return the runs of a block that have a page from ``start`` to before ``end``."""
    low, high = bisect_left(block, (start,)), bisect_left(block, (end,))
    if low and block[low - 1].end > start:
        low -= 1
    return block[low:high]
