"""Sets of 4 KiB guest pages, kept as canonical runs.

A :class:`PageSet` is immutable and canonical: runs ascend, do not overlap and do not touch, so two sets
are equal exactly when their runs are. Page frame numbers are in units of 4 KiB whatever the guest's page
size, and reach 2**52; a run may end at 2**53 at most, which leaves the sums of hostile chunks representable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PAGE_BYTES", "PAGE_SHIFT", "PFN_LIMIT", "PageSet", "Run"]

PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT
PFN_LIMIT = 1 << 53
"""One past the highest page a set may hold: the largest chunk base plus the largest chunk size."""

_RUN = re.compile(r"(0x[0-9a-f]+|[0-9]+)(?:\+(0x[0-9a-f]+|[0-9]+))?", re.IGNORECASE)

_Bounds = NDArray[np.int64]


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

    __slots__ = ("_ends", "_starts")
    _starts: _Bounds
    _ends: _Bounds

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        """Build from (first, count) pairs in any order, overlapping or not; empty runs vanish.

        Raises :class:`ValueError` for a negative number or a run that ends above ``PFN_LIMIT``.
        """
        pairs = [(int(first), int(first) + int(count)) for first, count in runs]
        for first, end in pairs:
            if first < 0 or end < first or end > PFN_LIMIT:
                raise ValueError(
                    f"run {first:#x}+{end - first} leaves the page frame numbers 0 to {PFN_LIMIT:#x}"
                )
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        self._starts, self._ends = _canonical(table[:, 0], table[:, 1])

    @classmethod
    def _of(cls, starts: _Bounds, ends: _Bounds) -> PageSet:
        """Wrap bounds that are canonical already."""
        pages = cls.__new__(cls)
        pages._starts, pages._ends = starts, ends  # noqa: SLF001 - this is the class's own constructor
        return pages

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
        starts = first.astype(np.int64)
        return cls._of(*_canonical(starts, starts + count.astype(np.int64)))

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
        return cls._of(
            *_canonical(
                np.concatenate([part._starts for part in sets]),  # noqa: SLF001 - same class
                np.concatenate([part._ends for part in sets]),  # noqa: SLF001 - same class
            )
        )

    @property
    def runs(self) -> tuple[Run, ...]:
        """The canonical runs, ascending."""
        return tuple(
            Run(start, end - start)
            for start, end in zip(self._starts.tolist(), self._ends.tolist(), strict=True)
        )

    @property
    def pages(self) -> int:
        """How many pages the set holds (a count, not a length: it may exceed ``sys.maxsize``)."""
        return int((self._ends - self._starts).sum())

    @property
    def size_bytes(self) -> int:
        """How many bytes the pages hold."""
        return self.pages << PAGE_SHIFT

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def __bool__(self) -> bool:
        return len(self._starts) > 0

    def __contains__(self, pfn: object) -> bool:
        if not isinstance(pfn, int):
            return False
        at = int(np.searchsorted(self._starts, pfn, side="right")) - 1
        return at >= 0 and pfn < int(self._ends[at])

    def __or__(self, other: PageSet) -> PageSet:
        if not other:
            return self
        if not self:
            return other
        return PageSet._of(
            *_canonical(
                np.concatenate((self._starts, other._starts)),
                np.concatenate((self._ends, other._ends)),
            )
        )

    def __sub__(self, other: PageSet) -> PageSet:
        return self & other._complement() if self and other else self

    def __and__(self, other: PageSet) -> PageSet:
        """Intersect by laying each run of one set against the runs of the other it can touch."""
        if not self or not other:
            return EMPTY
        low = np.searchsorted(other._ends, self._starts, side="right")
        high = np.searchsorted(other._starts, self._ends, side="left")
        touched = high - low
        mine = np.repeat(np.arange(len(self._starts)), touched)
        offset = np.arange(len(mine)) - np.repeat(np.cumsum(touched) - touched, touched)
        theirs = np.repeat(low, touched) + offset
        return PageSet._of(
            np.maximum(self._starts[mine], other._starts[theirs]),
            np.minimum(self._ends[mine], other._ends[theirs]),
        )

    def _complement(self) -> PageSet:
        """All pages up to ``PFN_LIMIT`` that are not in the set."""
        starts = np.concatenate((np.zeros(1, np.int64), self._ends))
        ends = np.concatenate((self._starts, np.full(1, PFN_LIMIT, np.int64)))
        holds = starts < ends
        return PageSet._of(starts[holds], ends[holds])

    def isdisjoint(self, other: PageSet) -> bool:
        """Tell whether no page is in both sets."""
        return not self & other

    def __le__(self, other: PageSet) -> bool:
        """Tell whether every page is also in ``other``."""
        return not self - other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PageSet):
            return NotImplemented
        return np.array_equal(self._starts, other._starts) and np.array_equal(self._ends, other._ends)

    def __hash__(self) -> int:
        return hash((self._starts.tobytes(), self._ends.tobytes()))

    def __str__(self) -> str:
        """Name the pages briefly, as in ``0x1000+16, 0x2400``; a long set ends with how many runs follow."""
        shown = [str(run) for run in self.runs[:8]]
        more = len(self._starts) - len(shown)
        return ", ".join(shown) + (f" and {more} more runs" if more > 0 else "") or "no pages"

    def __repr__(self) -> str:
        return f"PageSet({[str(run) for run in self.runs]})"

    def texts(self) -> list[str]:
        """Return the runs as strings that :meth:`parse` reads back."""
        return [str(run) for run in self.runs]


def _canonical(starts: _Bounds, ends: _Bounds) -> tuple[_Bounds, _Bounds]:
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
