"""Numbers and runs of pages, as every part of the second encoder needs them.

All fields are little-endian and without padding: those of the configuration always (CFG-01), and arrays and
statistics because the guests of the vectors are little-endian even if VERSION_1 is not accepted (PFN-08,
STATS-06).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

__all__ = ["BITS", "Run", "feature_bits", "maximal_runs", "parts", "without", "word"]

Run = tuple[int, int]
"""The first page frame number of a run of 4 KiB pages, and how many pages it has."""

BITS: Mapping[str, int] = MappingProxyType(
    {"INDIRECT_DESC": 28, "EVENT_IDX": 29, "VERSION_1": 32, "IN_ORDER": 35}
)
"""The bits that every kind of device has."""

_Item = TypeVar("_Item")


def feature_bits(names: Iterable[str], bits: Mapping[str, int]) -> int:
    """Return the feature bits of ``names`` as one number; :class:`KeyError` for a name without a bit."""
    word = 0
    for name in names:
        word |= 1 << bits[name]
    return word


def word(number: int) -> bytes:
    """Return 32 bits: num_pages, actual (CFG-01), or a length of the rings."""
    return struct.pack("<I", number)


def maximal_runs(runs: Iterable[Run]) -> list[Run]:
    """Return the same pages in ascending order, each run as long as it can be."""
    merged: list[Run] = []
    for first, count in sorted(runs):
        if merged and first <= sum(merged[-1]):
            start, _ = merged[-1]
            merged[-1] = (start, max(sum(merged[-1]), first + count) - start)
        else:
            merged.append((first, count))
    return merged


def without(runs: Sequence[Run], taken: Sequence[Run]) -> list[Run]:
    """Return ``runs`` less the pages of ``taken``."""
    left = list(runs)
    for first, count in taken:
        end = first + count
        left = [
            (low, high - low)
            for start, length in left
            for low, high in ((start, min(start + length, first)), (max(start, end), start + length))
            if low < high
        ]
    return left


def parts(whole: Sequence[_Item], most: int) -> list[Sequence[_Item]]:
    """Cut a sequence into parts of ``most`` items, and the rest."""
    return [whole[at : at + most] for at in range(0, len(whole), most)]
