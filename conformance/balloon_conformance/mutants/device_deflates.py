"""Devices that are wrong about pages that come back from the balloon, or were never in it."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_conformance.iut.contract import ImplementationCrashed
from balloon_conformance.mutants.device_parts import Remembers, is_malformed, without_returns
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import BufferContent
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceOptions, DeviceOutput, DeviceState
from balloon_spec.events import Available, Reset
from balloon_spec.families.chunk_transfer import response_header
from balloon_spec.pages import EMPTY, PageSet

_LONG_RUN = 100
"""Runs of this length or more are not counted page by page."""

# -- pages that came back ---------------------------------------------------------------------------------


@mutant("DEF-08")
class DiscardsWhatCameBackAtTheNextTarget(Remembers):
    """Pages that a guest took back are emptied as soon as the operator changes the target."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Remember the pages that come back."""
        self.seen |= self.read_pages(state, buffer).pages & state.balloon
        return super().take_deflate(state, buffer)

    def change_target(self, state: DeviceState, value: int) -> Step:
        """Discard them, except those that were given up again."""
        back, self.seen = self.seen - state.balloon, EMPTY
        state, outputs = super().change_target(state, value)
        return state, (*outputs, *self.discard(back))


@mutant("DEF-08")
class DiscardsWhatIsDeflatedTwice(Remembers):
    """A page that a guest takes back twice is discarded the second time."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard pages that came back before."""
        pages = self.read_pages(state, buffer).pages
        twice = (pages & self.seen) - state.balloon
        self.seen |= pages & state.balloon
        state, outputs = super().take_deflate(state, buffer)
        return state, (*self.discard(twice), *outputs)


@mutant("SAFE-13")
class CrashesOnAForeignPageInDistress(Device):
    """With DEFLATE_ON_OOM a guest crashes its host process by taking back a page that it never gave up."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Look up a page that is not there."""
        foreign = self.read_pages(state, buffer).pages - state.balloon
        if foreign and self.has(state, "DEFLATE_ON_OOM"):
            raise ImplementationCrashed("exit status 139")
        return super().take_deflate(state, buffer)


@mutant("QUEUE-07")
class HoldsWhatGoesBelowTheTarget(Device):
    """A guest in distress waits for ever for pages that DEFLATE_ON_OOM lets it take back."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold a buffer that would leave fewer pages than the target."""
        after, outputs = super().take_deflate(state, buffer)
        below = after.balloon.pages < min(state.num_pages, state.balloon.pages)
        held = below and self.has(state, "DEFLATE_ON_OOM")
        return after, (without_returns(outputs) if held else outputs)


@mutant("DEF-08")
class CountsHowOftenAPageWasGiven(Device):
    """A page that was named twice and taken back once is emptied at the next inflation."""

    def __init__(self, options: DeviceOptions) -> None:
        super().__init__(options)
        self.counts: dict[int, int] = {}

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Count the times each page was named, and discard again what still counts as in the balloon."""
        for page in _few_pages(self.read_pages(state, buffer).pages):
            self.counts[page] = self.counts.get(page, 0) + 1
        state, outputs = super().take_inflate(state, buffer)
        counted = PageSet((page, 1) for page, count in self.counts.items() if count > 0)
        return state, (*self.discard(counted), *outputs)

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Count back."""
        for page in _few_pages(self.read_pages(state, buffer).pages):
            self.counts[page] = max(self.counts.get(page, 0) - 1, 0)
        return super().take_deflate(state, buffer)

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Count anew."""
        self.counts = {}
        return super().reset(state, given)


def _few_pages(pages: PageSet) -> Iterator[int]:
    """Yield the pages of the shorter runs."""
    return (page for run in pages if run.count < _LONG_RUN for page in range(run.first, run.end))


# -- malformed --------------------------------------------------------------------------------------------


@mutant("DEF-08", also=("SAFE-01",))
class InflatesByMalformedDeflates(Device):
    """A deflate message that ends within a chunk discards pages in use."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Act on its whole chunks as if they were to be inflated."""
        state, outputs = super().take_deflate(state, buffer)
        body = buffer.readable[response_header.LENGTH_BYTES :]
        if not self.has(state, "CHUNK_TRANSFER") or len(body) % 16 == 0 or not is_malformed(outputs):
            return state, outputs
        pages, _ = self.read_chunks(body[: len(body) & ~15], self.options.memory)
        return state, (*self.discard(pages), *outputs)


@mutant("DEF-07", also=("DEF-08",))
class InflatesByWritableDeflates(Device):
    """A deflate buffer with a device-writable part discards pages in use."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Act on it as if it were to be inflated."""
        state, outputs = super().take_deflate(state, buffer)
        if not buffer.writable_bytes:
            return state, outputs
        if self.has(state, "CHUNK_TRANSFER"):
            most = self.options.max_data_bytes
            pages = self.read_message(buffer.readable, self.options.memory, most).pages
        else:
            pages = self.read_array(buffer.readable, self.options.memory).pages
        return state, (*self.discard(pages), *outputs)


# -- reported as unused -----------------------------------------------------------------------------------


class _RemembersReports(Remembers):
    """Remembers the pages that were reported unused."""

    def act_on_unused(self, request: int, content: BufferContent) -> tuple[DeviceOutput, ...]:
        """Remember them."""
        self.seen |= content.pages
        return super().act_on_unused(request, content)


@mutant("CHUNK-13")
class TakesReportedPagesForGiven(_RemembersReports):
    """A page that was reported unused counts as in the balloon, and is not discarded when it is given up."""

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Leave out the reported pages."""
        return super().discard(pages - self.seen)


@mutant("QUEUE-07")
class DropsReportedPagesFromTheBalloon(_RemembersReports):
    """A guest waits for ever for a page of the balloon that it reported unused meanwhile."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Hold buffers with such pages."""
        dropped = self.read_pages(state, buffer).pages & self.seen
        state, outputs = super().take_deflate(state, buffer)
        return state, (without_returns(outputs) if dropped else outputs)


@mutant("UNUSED-01")
class DiscardsReportedPagesAsTheyComeBack(_RemembersReports):
    """A page of the balloon that was reported unused is discarded when the guest has it back."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard the reported pages."""
        reported = self.read_pages(state, buffer).pages & self.seen
        state, outputs = super().take_deflate(state, buffer)
        return state, (*outputs, *self.discard(reported))


@mutant("UNUSED-01")
class DiscardsReportedPagesItOnceHad(Remembers):
    """A page that was in the balloon before is discarded when it is reported unused."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Remember the pages that were given up."""
        self.seen |= self.read_pages(state, buffer).pages
        return super().take_inflate(state, buffer)

    def act_on_unused(self, request: int, content: BufferContent) -> tuple[DeviceOutput, ...]:
        """Treat them as given up again."""
        return (*super().act_on_unused(request, content), *self.discard(content.pages & self.seen))
