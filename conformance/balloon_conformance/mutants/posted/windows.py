"""The posted driver's defects between pages and chunks: bitmaps that cover windows of page numbers.

The posted driver marks the pages of a batch in up to 32 bitmaps of 262144 bits, over the range from the
lowest to the highest page, rounded to multiples of 64.
"""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.mutants.posted.guest import Mortal, OneInFlight, span_pages
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import BalloonPhase, DriverState, Flight
from balloon_spec.events import Guest
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.pages import EMPTY, PageSet

__all__ = [
    "PostedDiesOfAWideSpan",
    "PostedDiesOfScatteredPages",
    "PostedForgetsPagesForWantOfMemory",
    "PostedLocksItselfOut",
    "PostedMissesIsolatedPages",
    "PostedReportsTheBalloonAgain",
    "PostedSkipsSinglePages",
]

_ROUNDING = 64
_BITMAP_PAGES = 8 * 4096 * 8
_MOST_BITMAPS = 32


@mutant(
    "INF-03",
    "DEF-05",
    also=("CFG-05", "CONC-04", "DEF-11"),
    origin="posted driver, D2: the range is rounded to 64 down and up, and a single such page makes it empty",
)
class PostedSkipsSinglePages(Driver):
    """One in 64 pages goes into the balloon, or out of it, without a message to the host.

    It is a page whose number is a multiple of 64 and that is alone in its batch.
    """

    def split(self, state: DriverState, pages: PageSet) -> tuple[PageSet, ...]:
        """Make no message for a range that ends where it begins."""
        return () if self._is_skipped(state, pages) else super().split(state, pages)

    def start_inflating(self, state: DriverState, pages: PageSet) -> Step:
        """Continue at once if nothing was sent."""
        skipped = self._is_skipped(state, pages)
        state, outputs = super().start_inflating(state, pages)
        if not skipped:
            return state, outputs
        state, more = self.inflated(state, Flight(INFLATE, pages))
        return state, (*outputs, *more)

    def start_deflating(self, state: DriverState, pages: PageSet) -> Step:
        """Continue at once if nothing was sent."""
        skipped = self._is_skipped(state, pages)
        state, outputs = super().start_deflating(state, pages)
        if not skipped:
            return state, outputs
        state, more = self.deflated(state, Flight(DEFLATE, pages))
        return state, (*outputs, *more)

    def _is_skipped(self, state: DriverState, pages: PageSet) -> bool:
        single = pages.pages == 1 and pages.runs[0].first % _ROUNDING == 0
        return single and self.has(state, "CHUNK_TRANSFER")


@mutant(
    "INF-11",
    origin="posted driver, D5: the walk filters the whole balloon by the range of the batch alone",
)
class PostedReportsTheBalloonAgain(Driver):
    """Pages of the balloon that lie among new ones are named again, and discarded again."""

    def split(self, state: DriverState, pages: PageSet) -> tuple[PageSet, ...]:
        """Divide the new pages, with those of the balloon between them, among buffers."""
        balloon = state.ballooning.balloon
        if pages.isdisjoint(balloon) and self.has(state, "CHUNK_TRANSFER"):
            pages |= self._between(pages) & balloon
        return super().split(state, pages)

    def _between(self, pages: PageSet) -> PageSet:
        """The range of the batch."""
        runs = pages.runs
        first = runs[0].first // _ROUNDING * _ROUNDING
        end = -(-runs[-1].end // _ROUNDING) * _ROUNDING
        return PageSet([(first, end - first)])


class _DiesOfABatch(Mortal):
    """A driver that oopses at certain batches of pages."""

    def last_words(self, _state: DriverState, _pages: PageSet) -> int | None:
        """Return how many messages of the batch are sent before the oops, None if there is none."""
        return None

    def start_inflating(self, state: DriverState, pages: PageSet) -> Step:
        """Inflate, or send the messages before the oops."""
        messages = self.last_words(state, pages)
        return self._cut_short(super().start_inflating(state, pages), messages)

    def start_deflating(self, state: DriverState, pages: PageSet) -> Step:
        """Deflate, or send the messages before the oops."""
        messages = self.last_words(state, pages)
        return self._cut_short(super().start_deflating(state, pages), messages)

    def _cut_short(self, step: Step, messages: int | None) -> Step:
        if messages is None:
            return step
        self.die()
        state, outputs = step
        return state, outputs[:messages]


@mutant(
    "CFG-04",
    also=("INF-10",),
    origin="posted driver, G1: all bitmaps but the first are freed after every send, in the middle of a walk",
)
class PostedDiesOfScatteredPages(_DiesOfABatch):
    """The guest oopses when it gives up more than 2048 runs that extend over more than a GiB.

    The first message is sent and returned; after it the walk continues in a bitmap that was freed. The pages
    that it named are with the host, and `actual` never includes them.
    """

    def last_words(self, state: DriverState, pages: PageSet) -> int | None:
        """Die after the first message, if there are a second one and a second bitmap."""
        wide = self.has(state, "CHUNK_TRANSFER") and span_pages(pages) > _BITMAP_PAGES
        if wide and len(self.split(state, pages)) > 1:
            return 1
        return super().last_words(state, pages)


@mutant(
    "INF-10",
    origin="posted driver, G2: the walk takes one bitmap too many when all 32 are in use",
)
class PostedDiesOfAWideSpan(_DiesOfABatch):
    """The guest oopses when it gives up pages more than 32 GiB apart, and is never heard of again."""

    def last_words(self, state: DriverState, pages: PageSet) -> int | None:
        """Die before the first message, if the bitmaps do not cover the range."""
        if self.has(state, "CHUNK_TRANSFER") and span_pages(pages) > _MOST_BITMAPS * _BITMAP_PAGES:
            return 0
        return super().last_words(state, pages)


@mutant(
    "INF-03",
    also=("DEF-04", "INF-10"),
    origin="posted driver, G3: the range is reset before the lock is taken, in fill and in leak",
)
class PostedForgetsPagesForWantOfMemory(OneInFlight):
    """A guest that runs out of memory while it inflates counts pages that the host is never told of.

    The deflation clears the range of the inflation, so what was not sent by then is never sent.
    """

    def want_back(self, state: DriverState, given: Guest) -> DriverState:
        """Note the request, and lose the unsent rest of an inflation under way."""
        state = super().want_back(state, given)
        now = state.ballooning
        if now.phase is not BalloonPhase.INFLATING or not self.has(state, "DEFLATE_ON_OOM"):
            return state
        lost = PageSet.union(now.left) if self.has(state, "CHUNK_TRANSFER") else EMPTY
        left = () if lost else now.left
        return replace(state, ballooning=replace(now, left=left, balloon=now.balloon | lost))


@mutant(
    "INF-03",
    also=("DEF-04",),
    origin="posted driver, G4: the balloon is walked without the lock under which pages are isolated",
)
class PostedMissesIsolatedPages(OneInFlight):
    """Pages that compaction isolates at the wrong moment are counted, and the host is never told of them.

    They are pages that the guest wants back while their inflation is under way. On a kernel this is a race,
    and the walk may also go astray.
    """

    def want_back(self, state: DriverState, given: Guest) -> DriverState:
        """Note the request, and miss its pages."""
        state = super().want_back(state, given)
        now = state.ballooning
        missed = given.pages & PageSet.union(now.left)
        if now.phase is not BalloonPhase.INFLATING or not self.has(state, "CHUNK_TRANSFER"):
            return state
        left = tuple(rest for pages in now.left if (rest := pages - missed))
        return replace(state, ballooning=replace(now, left=left, balloon=now.balloon | missed))


@mutant(
    "INF-10",
    origin="posted driver, G6: bitmaps are allocated under the lock that want of memory takes",
)
class PostedLocksItselfOut(Mortal):
    """A guest that is asked for more than it has stops for good, and neither inflates nor deflates again."""

    def consider(self, state: DriverState, given: object) -> Step:
        """Start an operation, unless it needs the last free page."""
        if state.num_pages > self.options.memory.pages and self.pages_to_inflate(state):
            self.die()
            return state, ()
        return super().consider(state, given)
