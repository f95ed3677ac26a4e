"""From a set of pages to the buffers that name them: pages, chunks, messages split at capacity.

The encoding is the canonical one: maximal runs in ascending order, and every message but the last filled to
its capacity (a sender is free to choose another, CHUNK-12). Page frame numbers are in 4 KiB units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from balloon_spec.pages import EMPTY, PageSet

__all__ = ["CHUNK_BYTES", "lowest", "page_numbers", "run_table", "split_at_pages", "split_at_runs"]

CHUNK_BYTES = 16


def run_table(pages: PageSet) -> NDArray[np.uint64]:
    """Return the maximal runs as rows of (first page frame number, count), ascending."""
    return np.array(pages.runs, dtype=np.uint64).reshape(-1, 2)


def page_numbers(pages: PageSet) -> NDArray[np.uint64]:
    """Return every page frame number, ascending."""
    runs = run_table(pages)
    counts = runs[:, 1].astype(np.int64)
    offsets = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(runs[:, 0], counts) + offsets.astype(np.uint64)


def split_at_runs(pages: PageSet, runs: int) -> tuple[PageSet, ...]:
    """Cut a set into sets of ``runs`` runs each; the last has the rest. An empty set gives no sets."""
    table = run_table(pages)
    return tuple(
        PageSet.from_bounds(table[at : at + runs, 0], table[at : at + runs, 1])
        for at in range(0, len(table), runs)
    )


def split_at_pages(pages: PageSet, count: int) -> tuple[PageSet, ...]:
    """Cut a set into sets of ``count`` pages each; the last has the rest. An empty set gives no sets."""
    numbers = page_numbers(pages)
    return tuple(PageSet.from_pfns(numbers[at : at + count]) for at in range(0, len(numbers), count))


def lowest(pages: PageSet, count: int) -> PageSet:
    """Return the ``count`` lowest pages of a set: all if the set has fewer, none if ``count`` is negative."""
    if count >= pages.pages:
        return pages
    if count <= 0:
        return EMPTY
    taken: list[tuple[int, int]] = []
    left = count
    for first, length in pages.runs:
        taken.append((first, min(length, left)))
        left -= taken[-1][1]
        if not left:
            break
    return PageSet(taken)
