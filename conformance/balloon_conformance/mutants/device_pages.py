"""Devices that give back other pages than were named, or pages that nobody gave up."""

from __future__ import annotations

from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.device_parts import Remembers
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import BufferContent
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceOutput, DeviceState, Discard
from balloon_spec.events import Available, Reset
from balloon_spec.pages import PageSet


@mutant("INF-08", also=("UNUSED-01", "DEF-08"))
class DiscardsOnePageTooMany(Device):
    """The page after every inflated run is discarded too, and the guest loses its contents.

    Sometimes that page was reported unused, or was taken back.
    """

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Discard one page more for each run."""
        return super().discard(PageSet((run.first, run.count + 1) for run in pages))


@mutant(
    "INF-08",
    also=("UNUSED-01", "DEF-08"),
    origin="QEMU, commit 483f13524b: more than the 4 KiB page named is discarded where host pages are larger",
)
class DiscardsWholeHostPages(Device):
    """On a host with pages of 64 KiB, each page that the guest gives up takes 15 others with it.

    In some cases these were taken back or merely reported unused.
    """

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Round outwards."""
        whole = PageSet((run.first & ~15, ((run.end + 15) & ~15) - (run.first & ~15)) for run in pages)
        return super().discard(whole & self.options.memory)


@mutant(
    "DEF-08",
    origin="QEMU, commits b27b323914 and a8cd64d488: parts of a host page count across deflation",
)
class CountsPartsOfHostPagesForEver(Remembers):
    """A page that the guest has taken back is discarded when its neighbour is inflated.

    Once each half of a host page of 8 KiB was inflated, the whole page is discarded, whatever was deflated in
    between.
    """

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Discard the neighbours as well that were named before."""
        known, self.seen = self.seen, self.seen | pages
        neighbours = PageSet((run.first & ~1, ((run.end + 1) & ~1) - (run.first & ~1)) for run in pages)
        return super().discard(pages | (neighbours & known))


@mutant("CHUNK-13", "PFN-05", also=("INF-07", "CHUNK-08", "CHUNK-10", "QUEUE-05"))
class DiscardsOnePageTooFew(Device):
    """The host never gets the last page of a run back.

    It leaves that page whatever else the buffer tests.
    """

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Discard one page less for each run."""
        return super().discard(PageSet((run.first, run.count - 1) for run in pages))


@mutant(
    "INF-07",
    origin="cloud-hypervisor, commit 3fed07419, and Firecracker, bd85e437c: no effect on shared memory",
)
class DiscardsNothing(Device):
    """The balloon inflates, and the host gets no memory."""

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Do nothing."""
        return ()


@mutant("DEF-08")
class DiscardsWhatIsDeflated(Device):
    """Pages are discarded after the guest has them back."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard after the return."""
        pages = self.read_pages(state, buffer).pages & state.balloon
        state, outputs = super().take_deflate(state, buffer)
        return state, (*outputs, *self.discard(pages))


@mutant("DEF-08")
class EmptiesWhatItEverInflated(Remembers):
    """Pages that the guest took back are discarded as soon as it gives up others.

    Each inflate buffer discards the whole balloon again, and the device forgets no page that left it.
    """

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard all that was inflated since the reset."""
        state, outputs = super().take_inflate(state, buffer)
        self.seen |= state.balloon
        return state, (*self.discard(self.seen), *outputs)


@mutant("DEF-07")
class DiscardsWhatWasNeverInflated(Device):
    """Pages that a guest names by mistake are discarded when it asks for them back."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard what is not in the balloon."""
        foreign = self.read_pages(state, buffer).pages - state.balloon
        state, outputs = super().take_deflate(state, buffer)
        return state, (*self.discard(foreign), *outputs)


@mutant("INF-08", also=("UNUSED-01", "DEF-08"))
class ClearsTheNextPage(ReferenceDevice):
    """The page after every inflated run is overwritten, and the guest loses its contents.

    The device does not give that page back, it writes to it. Sometimes the page was reported unused, or was
    taken back.
    """

    def discarded(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Find the next page altered."""
        discarded, _ = super().discarded(pages)
        return discarded, PageSet((run.end, 1) for run in discarded) & (pages - discarded)


@mutant(
    "INF-07",
    "INF-08",
    also=(
        *("DEF-07", "DEF-08", "UNUSED-01", "RESET-01", "SAFE-01", "SAFE-06", "SAFE-07", "SAFE-09", "SAFE-11"),
        *("CHUNK-09", "HDR-05", "CHUNK-13"),
    ),
    origin="any mainline device with bit 3 forced on it: a message is read as page frame numbers",
)
class ReadsMessagesAsArrays(Device):
    """Page 0 and other low pages of the guest are discarded, because a message is read as page frame numbers.

    Some word of some message names every such page.
    """

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Read the words of the message as numbers of pages."""
        if not self.has(state, "CHUNK_TRANSFER"):
            return super().take_inflate(state, buffer)
        pages = self.read_array(buffer.readable, self.options.memory).pages
        return state, (
            (Discard(pages), self.return_buffer(buffer)) if pages else (self.return_buffer(buffer),)
        )


@mutant("PFN-05", also=("INF-07",))
class ReadsArraysAsMessagesBesideRequests(Device):
    """The balloon frees nothing for a driver that accepts host requests without chunks.

    As soon as HOST_REQ_VQ is negotiated, every buffer is read as a message. Without it, and with
    CHUNK_TRANSFER, all is well. So no case alone can tell the device from one that may not discard.
    """

    def read_pages(self, state: DeviceState, buffer: Available) -> BufferContent:
        """Read an array as a message."""
        if self.has(state, "HOST_REQ_VQ"):
            return self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        return super().read_pages(state, buffer)


class _CollectsParts(Remembers):
    """Discards a host page of 64 KiB once all of its parts were inflated, and forgets none of them."""

    parts = 16

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Discard host pages that became complete."""
        self.seen |= pages
        inward = [(-(-run.first // self.parts), run.end // self.parts) for run in self.seen]
        whole = PageSet(
            (first * self.parts, (end - first) * self.parts) for first, end in inward if end > first
        )
        self.seen -= whole
        return super().discard(whole)


@mutant(
    "DEF-08",
    also=("INF-07",),
    origin="QEMU, commits b27b323914 and a8cd64d488: what is deflated still counts as a part of a host page",
)
class CollectsPartsOfLargeHostPages(_CollectsParts):
    """On a host with pages of 64 KiB the guest loses pages that it took back, when it gives up the others.

    A host page is discarded once each of its parts was inflated, whatever was deflated in between.
    """


@mutant(
    "RESET-06",
    also=("INF-07",),
    origin="QEMU, commit a8cd64d488: the parts of a host page are kept across requests, here across a reset",
)
class KeepsPartsOverAReset(_CollectsParts):
    """After a reboot a guest that gives up pages loses their neighbours, which the one before gave up."""

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Keep the parts."""
        seen = self.seen
        done = super().reset(state, given)
        self.seen = seen
        return done

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Forget pages that are taken back."""
        state, outputs = super().take_deflate(state, buffer)
        self.seen -= self.read_pages(state, buffer).pages
        return state, outputs


@mutant("CHUNK-13", "PFN-05", also=("INF-07",))
class LosesTheLastPageIfItMustBeTold(Device):
    """Under MUST_TELL_HOST the host never gets the last page of a run back."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard one page less for each run."""
        state, outputs = super().take_inflate(state, buffer)
        if self.has(state, "MUST_TELL_HOST"):
            outputs = tuple(_without_last(one) if isinstance(one, Discard) else one for one in outputs)
        return state, outputs


def _without_last(discard: Discard) -> Discard:
    return Discard(PageSet((run.first, run.count - 1) for run in discard.pages))
