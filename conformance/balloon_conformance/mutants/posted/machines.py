"""The posted driver's defects on other machines: guest pages of 64 KiB, 32-bit addresses."""

from __future__ import annotations

import numpy as np

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_state import DriverState
from balloon_spec.pages import PageSet

__all__ = ["PostedCutsAddresses", "PostedTakesLargePagesForSmallOnes"]

_PARTS = 16
"""The number of 4 KiB pages in a guest page of 64 KiB."""


@mutant(
    "INF-03",
    "UNUSED-10",
    also=("DEF-04", "DEF-05", "CFG-05", "INF-10"),
    origin="posted driver, D9: one bit stands for a guest page in a map of 4 KiB pages",
)
class PostedTakesLargePagesForSmallOnes(Driver):
    """The host gets 4 KiB of each 64 KiB page, and unused pages are named at a sixteenth of their address.

    Pages that do not make up a whole guest page are named as they are: such a guest gives none up.
    """

    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Name the first part of each guest page, if the form is that of chunks."""
        if self.has(state, "CHUNK_TRANSFER"):
            whole = _whole(pages)
            firsts = (pfn for run in whole for pfn in range(run.first, run.end, _PARTS))
            pages = (pages - whole) | PageSet((pfn, 1) for pfn in firsts)
        return super().encode_pages(state, pages)

    def unused_pages(self, state: DriverState) -> PageSet:
        """Return guest pages under their own numbers."""
        pages = super().unused_pages(state)
        whole = _whole(pages)
        return (pages - whole) | PageSet((run.first // _PARTS, run.count // _PARTS) for run in whole)


def _whole(pages: PageSet) -> PageSet:
    """The pages that make up whole guest pages."""
    bounds = ((-(-run.first // _PARTS), run.end // _PARTS) for run in pages)
    return PageSet((first * _PARTS, (end - first) * _PARTS) for first, end in bounds if first < end)


@mutant(
    "CHUNK-01",
    also=("CHUNK-02",),
    origin="posted driver, D10: page frame numbers are shifted in an unsigned long of 32 bits",
)
class PostedCutsAddresses(Driver):
    """A 32-bit guest with more than 4 GiB has the host discard a page that it never gave up.

    The page named is the one a multiple of 4 GiB lower.
    """

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Build chunks, and keep 32 bits of each number."""
        words = np.frombuffer(super().encode_chunks(pages), "<u8")
        return (words & np.uint64(0xFFFF_FFFF)).tobytes()
