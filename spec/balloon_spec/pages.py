"""Sets of 4 KiB guest pages, kept as canonical runs.

A :class:`PageSet` is immutable and canonical: runs ascend, do not overlap and do not touch, so two sets
are equal exactly when their runs are. Page frame numbers are in units of 4 KiB whatever the guest's page
size, and reach 2**52; a run may end at 2**53 at most, which leaves the sums of hostile chunks representable.

A set has two forms, each made when it is first asked for. The :class:`~balloon_spec.bounds.Bounds` are one
ascending sequence of the starts and ends: a set of few runs is laid into another of any length at a cost that
does not grow with the other. The *table* is the same as two numpy arrays, for two sets of many runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from balloon_spec.bounds import NOTHING, Block, Bounds, merged

__all__ = ["PAGE_BYTES", "PAGE_SHIFT", "PFN_LIMIT", "PageSet", "Run"]

PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT
PFN_LIMIT = 1 << 53
"""One past the highest page a set may hold: the largest chunk base plus the largest chunk size."""

_RUN = re.compile(r"(0x[0-9a-f]+|[0-9]+)(?:\+(0x[0-9a-f]+|[0-9]+))?", re.IGNORECASE)
_FEW = 16
"""Up to so many runs are laid into another set one by one; more go through numpy."""
_FEW_OF = 64
"""So are the runs of a set that has no more than this part of the other's: one in sixty-four."""

_Column: TypeAlias = NDArray[np.int64]
_Table: TypeAlias = tuple[_Column, _Column]


class Run(NamedTuple):
    """``count`` contiguous pages from page frame number ``first``."""

    first: int
    count: int  # type: ignore[assignment]  # nobody counts within a run as tuple.count would

    @property
    def end(self) -> int:
        """One past the last page frame number."""
        return self.first + self.count

    def __str__(self) -> str:
        return f"{self.first:#x}" if self.count == 1 else f"{self.first:#x}+{self.count}"


class PageSet:
    """An immutable set of pages: canonical runs, with the algebra everything else speaks."""

    __slots__ = ("_bounds", "_pages", "_table")
    _bounds: Bounds | None
    _pages: int | None
    _table: _Table | None

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        """Build from (first, count) pairs in any order, overlapping or not; empty runs vanish.

        Raises :class:`ValueError` for a negative number or a run that ends above ``PFN_LIMIT``.
        """
        ends = [(int(first), int(first) + int(count)) for first, count in runs]
        for first, end in ends:
            if first < 0 or end < first or end > PFN_LIMIT:
                raise ValueError(
                    f"run {first:#x}+{end - first} leaves the page frame numbers 0 to {PFN_LIMIT:#x}"
                )
        self._bounds, self._pages, self._table = Bounds.of(merged(ends)), None, None

    @classmethod
    def _of(cls, bounds: Bounds, pages: int | None = None) -> PageSet:
        """Wrap bounds that are canonical already, of so many pages if that is known."""
        made = cls.__new__(cls)
        made._bounds, made._pages, made._table = bounds, pages, None  # noqa: SLF001 - the class's own constructor
        return made

    @classmethod
    def _of_flat(cls, flat: Block) -> PageSet:
        """Wrap bounds that are canonical already and in no blocks."""
        return cls._of(Bounds.of(flat) if flat else NOTHING)

    @classmethod
    def _of_table(cls, starts: _Column, ends: _Column) -> PageSet:
        """Wrap a table that is canonical already."""
        made = cls.__new__(cls)
        made._bounds, made._pages, made._table = None, None, (starts, ends)  # noqa: SLF001 - its own constructor
        return made

    @classmethod
    def parse(cls, *texts: str) -> PageSet:
        """Build from strings like ``"0x1000+16"`` or ``"42"``; :class:`ValueError` names the bad one."""
        runs = []
        for text in texts:
            match = _RUN.fullmatch(text.strip())
            if not match:
                raise ValueError(
                    f"{text!r} is not a run of pages; write FIRST or FIRST+COUNT, as in 0x1000+16"
                )
            runs.append((int(match[1], 0), int(match[2], 0) if match[2] else 1))
        return cls(runs)

    @classmethod
    def from_bounds(cls, first: NDArray[np.integer], count: NDArray[np.integer]) -> PageSet:
        """Build from two equally long arrays of page frame numbers and page counts, without a Python loop.

        The caller has seen to it that no sum exceeds ``PFN_LIMIT``.
        """
        if len(first) <= _FEW:
            return cls._of_flat(
                merged([(low, low + run) for low, run in zip(first.tolist(), count.tolist(), strict=True)])
            )
        starts = first.astype(np.int64)
        return cls._of_table(*_canonical(starts, starts + count.astype(np.int64)))

    @classmethod
    def from_pfns(cls, pfns: NDArray[np.integer]) -> PageSet:
        """Build from an array of page frame numbers in any order, repeated or not."""
        return cls.from_bounds(pfns, np.ones(len(pfns), dtype=np.int64))

    @classmethod
    def union(cls, parts: Iterable[PageSet]) -> PageSet:
        """Return the union of many sets, sorted once and not once a set."""
        sets = [part for part in parts if part]
        if len(sets) < 2:
            return sets[0] if sets else EMPTY
        tables = [part.table for part in sets]
        return cls._of_table(
            *_canonical(
                np.concatenate([starts for starts, _ in tables]),
                np.concatenate([ends for _, ends in tables]),
            )
        )

    @property
    def bounds(self) -> tuple[int, ...]:
        """Start and end of each run in turn, ascending: an odd number of them is at or below a member."""
        return self._in_blocks.flat

    @property
    def _in_blocks(self) -> Bounds:
        if self._bounds is None:
            self._bounds = Bounds.of(tuple(np.stack(self.table, axis=1).ravel().tolist()))
        return self._bounds

    @property
    def table(self) -> _Table:
        """The starts and the ends of the runs, two arrays that are not to be written to."""
        if self._table is None:
            flat = np.array(self.bounds, dtype=np.int64)
            self._table = flat[0::2], flat[1::2]
        return self._table

    @property
    def runs(self) -> tuple[Run, ...]:
        """The canonical runs, ascending."""
        return tuple(self)

    @property
    def pages(self) -> int:
        """How many pages the set holds (a count, not a length: it may exceed ``sys.maxsize``)."""
        if self._pages is None:
            if self._bounds is None:
                starts, ends = self.table
                self._pages = int((ends - starts).sum())
            else:
                self._pages = _count(self.bounds)
        return self._pages

    @property
    def size_bytes(self) -> int:
        """How many bytes the pages hold."""
        return self.pages << PAGE_SHIFT

    @property
    def run_count(self) -> int:
        """How many canonical runs there are."""
        return len(self.table[0]) if self._bounds is None else self._bounds.runs

    def __iter__(self) -> Iterator[Run]:
        return (Run(start, end - start) for start, end in self._in_blocks.pairs())

    def __bool__(self) -> bool:
        return bool(self._bounds.blocks) if self._bounds is not None else len(self.table[0]) > 0

    def __contains__(self, pfn: object) -> bool:
        return isinstance(pfn, int) and self._in_blocks.end_of_run_at(pfn) is not None

    def holds(self, first: int, count: int) -> bool:
        """Tell whether every one of ``count`` pages from ``first`` on is in the set; of none every one is."""
        if count <= 0:
            return True
        end = self._in_blocks.end_of_run_at(first)
        return end is not None and first + count <= end

    def __or__(self, other: PageSet) -> PageSet:
        few, many = (self, other) if self.run_count < other.run_count else (other, self)
        if not few._is_few_to(many):
            return PageSet.union((few, many))
        before = bounds = many._in_blocks
        pages = many.pages
        for start, end in few._in_blocks.pairs():
            pages += end - start - _count(bounds.clipped(start, end))
            bounds = bounds.laid(start, end)
        return many if bounds is before else PageSet._of(bounds, pages)

    def __sub__(self, other: PageSet) -> PageSet:
        if other._is_few_to(self):
            before = bounds = self._in_blocks
            pages = self.pages
            for start, end in other._in_blocks.pairs():
                pages -= _count(bounds.clipped(start, end))
                bounds = bounds.cut(start, end)
            return self if bounds is before else PageSet._of(bounds, pages)
        if self._is_few_to(other):
            theirs = other._in_blocks
            parts = (theirs.missing(start, end) for start, end in self._in_blocks.pairs())
            return PageSet._of_flat(tuple(chain.from_iterable(parts)))
        return self & other._complement()

    def __and__(self, other: PageSet) -> PageSet:
        few, many = (self, other) if self.run_count < other.run_count else (other, self)
        if few._is_few_to(many):
            theirs = many._in_blocks
            parts = (theirs.clipped(start, end) for start, end in few._in_blocks.pairs())
            return PageSet._of_flat(tuple(chain.from_iterable(parts)))
        return PageSet._of_table(*_overlap(few.table, many.table))

    def _is_few_to(self, other: PageSet) -> bool:
        """Tell whether the runs are so few that they are laid into ``other`` one by one."""
        return (own := self.run_count) <= _FEW or own * _FEW_OF <= other.run_count

    def _complement(self) -> PageSet:
        """All pages up to ``PFN_LIMIT`` that are not in the set."""
        starts, ends = self.table
        starts, ends = np.concatenate(([0], ends)), np.concatenate((starts, [PFN_LIMIT]))
        holds = starts < ends
        return PageSet._of_table(starts[holds], ends[holds])

    def isdisjoint(self, other: PageSet) -> bool:
        """Tell whether no page is in both sets."""
        few, many = (self, other) if self.run_count < other.run_count else (other, self)
        if not few._is_few_to(many):  # noqa: SLF001 - one of its own class
            return not few & many
        theirs = many._in_blocks  # noqa: SLF001
        return not any(theirs.meets(start, end) for start, end in few._in_blocks.pairs())  # noqa: SLF001

    def __le__(self, other: PageSet) -> bool:
        """Tell whether every page is also in ``other``."""
        if not self._is_few_to(other):
            return not self - other
        return all(other.holds(start, end - start) for start, end in self._in_blocks.pairs())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PageSet):
            return NotImplemented
        if self._bounds is not None and self._bounds == other._bounds:
            return True
        return self.run_count == other.run_count and self.bounds == other.bounds

    def __hash__(self) -> int:
        return hash(self.bounds)

    def __str__(self) -> str:
        """Name the pages briefly, as in ``0x1000+16, 0x2400``; a long set ends with how many runs follow."""
        shown = [str(run) for run in islice(self, 8)]
        more = self.run_count - len(shown)
        return ", ".join(shown) + (f" and {more} more runs" if more > 0 else "") or "no pages"

    def __repr__(self) -> str:
        return f"PageSet({[str(run) for run in self]})"

    def texts(self) -> list[str]:
        """Return the runs as strings that :meth:`parse` reads back."""
        return [str(run) for run in self]


def _count(bounds: Block) -> int:
    """Return how many numbers are in the runs."""
    return sum(bounds[1::2]) - sum(bounds[0::2]) if bounds else 0


def _overlap(mine: _Table, other: _Table) -> _Table:
    """Intersect by laying each run of one set against the runs of the other it can touch."""
    starts, ends = mine
    other_starts, other_ends = other
    low = np.searchsorted(other_ends, starts, side="right")
    touched = np.searchsorted(other_starts, ends, side="left") - low
    own = np.repeat(np.arange(len(starts)), touched)
    offset = np.arange(len(own)) - np.repeat(np.cumsum(touched) - touched, touched)
    theirs = np.repeat(low, touched) + offset
    return np.maximum(starts[own], other_starts[theirs]), np.minimum(ends[own], other_ends[theirs])


def _canonical(starts: _Column, ends: _Column) -> _Table:
    """Sort, drop empty runs, and merge runs that overlap or touch."""
    holds = ends > starts
    if not holds.all():
        starts, ends = starts[holds], ends[holds]
    if len(starts) < 2:
        return starts.copy(), ends.copy()
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    reach = np.maximum.accumulate(ends)
    fresh = np.concatenate(([True], starts[1:] > reach[:-1]))
    last = np.concatenate((fresh[1:], [True]))
    return starts[fresh], reach[last]


EMPTY = PageSet()
"""The set without pages."""
