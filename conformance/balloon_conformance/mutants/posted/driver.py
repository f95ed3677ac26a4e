"""The posted driver as a whole: all its defects in one guest."""

from __future__ import annotations

from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.iut.reference.free_driver import FreeReferenceDriver
from balloon_conformance.mutants.posted.buffer import PostedLosesAChunkAtEachFlush, PostedSendsStaleHeaders
from balloon_conformance.mutants.posted.compaction import PostedKeepsMovedPagesToItself
from balloon_conformance.mutants.posted.machines import (
    PostedCutsAddresses,
    PostedTakesLargePagesForSmallOnes,
)
from balloon_conformance.mutants.posted.requests import (
    PostedHangsOfARequest,
    PostedHasOneLock,
    PostedLosesTheRequestBuffer,
)
from balloon_conformance.mutants.posted.start import PostedGivesFeaturesUpTooLate, PostedNotifiesEarly
from balloon_conformance.mutants.posted.unused import PostedAnswersWithFreedMemory, PostedAnswersWithoutEnd
from balloon_conformance.mutants.posted.windows import (
    PostedDiesOfAWideSpan,
    PostedDiesOfScatteredPages,
    PostedForgetsPagesForWantOfMemory,
    PostedLocksItselfOut,
    PostedMissesIsolatedPages,
    PostedReportsTheBalloonAgain,
    PostedSkipsSinglePages,
)

__all__ = ["PostedDriver", "PostedDriverElsewhere", "posted_driver", "posted_driver_left_free"]


# A class that is listed earlier acts later on the bytes. So the header is written before the slots, slot 0
# holds what compaction left there, and an interrupt is taken before the lock is asked for.
class PostedDriver(
    PostedNotifiesEarly,
    PostedGivesFeaturesUpTooLate,
    PostedLosesTheRequestBuffer,
    PostedHangsOfARequest,
    PostedHasOneLock,
    PostedLocksItselfOut,
    PostedSendsStaleHeaders,
    PostedLosesAChunkAtEachFlush,
    PostedKeepsMovedPagesToItself,
    PostedSkipsSinglePages,
    PostedReportsTheBalloonAgain,
    PostedDiesOfScatteredPages,
    PostedDiesOfAWideSpan,
    PostedForgetsPagesForWantOfMemory,
    PostedMissesIsolatedPages,
    PostedAnswersWithFreedMemory,
    PostedAnswersWithoutEnd,
):
    """The posted driver in a 64-bit guest with pages of 4 KiB: every defect except D9 and D10.

    It is no mutant, because it breaks more than one thing. In most cases it shows HDR-04 first (D4).
    """


class PostedDriverElsewhere(PostedTakesLargePagesForSmallOnes, PostedCutsAddresses, PostedDriver):
    """The posted driver with larger guest pages and shorter addresses: it also has D9 and D10.

    No machine has both; each shows where the other does not.
    """


def posted_driver() -> ReferenceDriver:
    """Return an adapter to the posted driver; ``run`` takes it as ``python:`` and the name of its module."""
    return ReferenceDriver(PostedDriver, description="the driver posted in March 2017, modelled")


def posted_driver_left_free() -> FreeReferenceDriver:
    """Return an adapter to the posted driver in a guest that chooses its own pages, as on a kernel."""
    return FreeReferenceDriver(
        PostedDriver, description="the driver posted in March 2017, modelled in a guest of its own"
    )
