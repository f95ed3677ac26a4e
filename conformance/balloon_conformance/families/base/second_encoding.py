"""Arrays of page frame numbers by :mod:`struct` alone, for the second encoder."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from balloon_conformance.second_encoder.structures import Run, maximal_runs, parts

__all__ = ["ARRAY_ENTRIES", "page_frame_arrays", "page_frame_numbers", "pages_named"]

ARRAY_ENTRIES = 256
"""The page frame numbers of a filled array: 1 MiB of guest memory."""


def page_frame_arrays(runs: Iterable[Run]) -> list[bytes]:
    """Return ascending page frame numbers in arrays, each but the last filled (PFN-01 to PFN-03)."""
    numbers = [number for first, count in maximal_runs(runs) for number in range(first, first + count)]
    return [page_frame_numbers(part) for part in parts(numbers, ARRAY_ENTRIES)]


def page_frame_numbers(numbers: Sequence[int]) -> bytes:
    """Return page frame numbers of 32 bits as they come."""
    return struct.pack(f"<{len(numbers)}I", *numbers)


def pages_named(data: bytes) -> list[Run]:
    """Return the pages that an array names, as maximal runs; :class:`struct.error` for part of an entry."""
    return maximal_runs((number, 1) for (number,) in struct.iter_unpack("<I", data))
