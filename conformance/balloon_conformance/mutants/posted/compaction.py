"""The posted driver's defect when the guest moves a page of the balloon."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.coalesce import lowest
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import DriverOptions, DriverState
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.pages import PageSet

__all__ = ["PostedKeepsMovedPagesToItself"]


@mutant(
    "DEF-05",
    "CFG-05",
    also=("INF-11",),
    origin="posted driver, D3: the helper for one page appends a chunk and sends nothing",
)
class PostedKeepsMovedPagesToItself(Driver):
    """After compaction the host discards a page that the guest has got back: memory is corrupted.

    For each page that moves, the chunks of the new page and of the old one wait in the buffer for the next
    message, whatever its queue is. On the inflate queue the old page is sent too, on the deflate queue the
    new one. A host request before that overwrites both.

    A guest moves a page if it gives one up and wants one back, and the target leaves no room for either.
    """

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self._kept: list[PageSet] = []

    def consider(self, state: DriverState, given: object) -> Step:
        """Move pages, then do everything else that is wanted."""
        balloon = state.ballooning.balloon
        wanted, offered = state.to_deflate & balloon, state.to_inflate & self.nameable(state) - balloon
        count = min(wanted.pages, offered.pages)
        if not count or balloon.pages != state.num_pages or not self.has(state, "CHUNK_TRANSFER"):
            return super().consider(state, given)
        old, new = lowest(wanted, count), lowest(offered, count)
        for one in (new, old):
            self._kept += [PageSet([run]) for run in one]
        state = replace(
            state,
            to_deflate=state.to_deflate - old,
            to_inflate=state.to_inflate - new,
            unused=state.unused - new,
            ballooning=replace(state.ballooning, balloon=(balloon - old) | new),
        )
        state, outputs = super().consider(state, given)
        return state, (*self.let_use(old), *outputs)

    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Build a message of the waiting chunks and of ``pages``."""
        data = super().encode_pages(state, pages)
        if not self._kept or not self.has(state, "CHUNK_TRANSFER"):
            return data
        kept = b"".join(self.encode_chunks(one) for one in self._kept)
        self._kept.clear()
        header = self.encode_header(0, 0, 0, len(data) - 8 + len(kept))
        return header + kept + data[8:]

    def answer(self, state: DriverState, request: HostRequest) -> Step:
        """Begin an answer in the place of the waiting chunks."""
        self._kept.clear()
        return super().answer(state, request)
