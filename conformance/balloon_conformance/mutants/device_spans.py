"""Devices that discard more than a buffer names: between its runs, around them, or by truncated numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import numpy as np

from balloon_conformance.mutants.device_parts import Remembers
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import Words
from balloon_conformance.reference.device_state import DeviceOutput
from balloon_spec.pages import PageSet

_HUGE = 512
"""The pages of 4 KiB in 2 MiB."""


class _SwallowsGaps(Device):
    """Joins runs that are close together, to save calls of the host."""

    gaps: ClassVar[range]

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Discard the pages between them as well."""
        between = ((one.end, two.first - one.end) for one, two in pairwise(pages))
        return super().discard(pages | PageSet(gap for gap in between if gap[1] in self.gaps))


@mutant("INF-08")
class SwallowsShortGaps(_SwallowsGaps):
    """Two, three or four pages between two given-up runs are discarded with them."""

    gaps = range(2, 5)


@mutant("INF-08", also=("DEF-08",))
class SwallowsLongerGaps(_SwallowsGaps):
    """Thirty or more pages between two given-up runs are discarded with them.

    Sometimes these are pages that were taken back.
    """

    gaps = range(30, 60)


@mutant("INF-08")
class SwallowsGapsBetweenBuffers(Remembers):
    """A few pages between runs of two buffers are discarded with the second."""

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Fill up to where an earlier run ends or begins."""
        before, self.seen = self.seen, self.seen | pages
        gaps = ((one.end, two.first - one.end) for one, two in pairwise(self.seen))
        between = (PageSet([gap]) for gap in gaps if 1 < gap[1] < 4 and PageSet([(gap[0] - 1, 1)]) <= before)
        return super().discard(pages | PageSet.union(list(between)))


@mutant("INF-08")
class RoundsLongRunsToHugePages(Device):
    """A guest that gives up 2 MiB or more loses what is before and after, up to multiples of 2 MiB.

    The host has memory in pages of that size and gives back whole pages.
    """

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Round outwards."""
        bounds = [
            (run.first // _HUGE * _HUGE, -(-run.end // _HUGE) * _HUGE) for run in pages if run.count >= _HUGE
        ]
        whole = PageSet((first, end - first) for first, end in bounds)
        return super().discard(pages | (whole & self.options.memory))


# -- numbers cut short ------------------------------------------------------------------------------------


@mutant("SAFE-11", origin="cloud-hypervisor, commit 50da100af: page addresses cut to 32 bits; here sizes")
class CutsSizesToWords(Device):
    """A chunk that exceeds memory by gigabytes discards pages which nobody may have meant."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Read 32 bits of the size."""
        first, count = super().chunk_pages(words)
        return first, count & np.uint64((1 << 20) - 1)


@mutant("SAFE-11")
class ReadsSizesAsSigned(Device):
    """A chunk that is larger than any memory discards pages, because its sign bit is dropped."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Leave bit 63 out."""
        first, count = super().chunk_pages(words)
        return first, count & np.uint64((1 << 51) - 1)
