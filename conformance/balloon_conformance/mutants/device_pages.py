"""Devices that give back other pages than were named, or pages nobody gave up."""

from __future__ import annotations

from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.device_parts import Remembers
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import Reading
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceOutput, DeviceState, Discard
from balloon_spec.events import Available, Reset
from balloon_spec.pages import PageSet


@mutant("INF-08", also=("UNUSED-01", "DEF-08"))
class DiscardsOnePageTooMany(Device):
    """The page after every inflated run is emptied too, and the guest loses what stood there.

    Now and then that page is one which was reported unused, or taken back.
    """

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Discard one page more a run."""
        return super().discard(PageSet((run.first, run.count + 1) for run in pages))


@mutant(
    "INF-08",
    also=("UNUSED-01", "DEF-08"),
    origin="QEMU, commit 483f13524b: more than the 4 KiB page named is discarded where host pages are larger",
)
class DiscardsWholeHostPages(Device):
    """On a host with pages of 64 KiB, 15 pages of the guest go with every one that it gave up.

    Among them, in some cases, those it took back or merely reported unused.
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
    """A page the guest has taken back is emptied when its neighbour is inflated.

    Once each half of a host page of 8 KiB was inflated the whole of it is discarded, whatever was deflated
    in between.
    """

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Discard the neighbours as well that were seen before."""
        known, self.seen = self.seen, self.seen | pages
        neighbours = PageSet((run.first & ~1, ((run.end + 1) & ~1) - (run.first & ~1)) for run in pages)
        return super().discard(pages | (neighbours & known))


@mutant("CHUNK-13", "PFN-05", also=("INF-07", "CHUNK-08", "CHUNK-10", "QUEUE-05"))
class DiscardsOnePageTooFew(Device):
    """The host never has the last page of a run back.

    It is left whatever the buffer puts to the test besides.
    """

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Discard one page less a run."""
        return super().discard(PageSet((run.first, run.count - 1) for run in pages))


@mutant(
    "INF-07",
    origin="cloud-hypervisor, commit 3fed07419, and Firecracker, bd85e437c: no effect on shared memory",
)
class DiscardsNothing(Device):
    """The balloon inflates, and the host has not a page more."""

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Do nothing."""
        return ()


@mutant("DEF-08")
class DiscardsWhatIsDeflated(Device):
    """Pages are emptied just as the guest has them back."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard after the return."""
        pages = self.read_pages(state, buffer).pages & state.balloon
        state, outputs = super().take_deflate(state, buffer)
        return state, (*outputs, *self.discard(pages))


@mutant("DEF-08")
class EmptiesWhatItEverInflated(Remembers):
    """Pages vanish that the guest took back, as soon as it gives up others.

    With each inflate buffer it discards the whole balloon again, and knows of no page that left it.
    """

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard all that was inflated since the reset."""
        state, outputs = super().take_inflate(state, buffer)
        self.seen |= state.balloon
        return state, (*self.discard(self.seen), *outputs)


@mutant("DEF-07")
class DiscardsWhatWasNeverInflated(Device):
    """Pages that a guest names by mistake are emptied when it asks for them back."""

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard what is not in the balloon."""
        foreign = self.read_pages(state, buffer).pages - state.balloon
        state, outputs = super().take_deflate(state, buffer)
        return state, (*self.discard(foreign), *outputs)


@mutant("INF-08", also=("UNUSED-01", "DEF-08"))
class ClearsTheNextPage(ReferenceDevice):
    """The page after every inflated run is overwritten, and the guest loses what stood there.

    It does not give the page back, it writes to it; now and then that is one which was reported unused, or
    taken back.
    """

    def discarded(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Find the next page altered."""
        gone, _ = super().discarded(pages)
        return gone, PageSet((run.end, 1) for run in gone) & (pages - gone)


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
    """Page 0 and other low pages of the guest vanish, because the message is taken for page frame numbers.

    Whatever a page is there for, a word of some message names it.
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
    """The balloon frees nothing for a driver that has host requests and no chunks.

    As soon as HOST_REQ_VQ is negotiated every buffer is taken for a message. Without it, and with
    CHUNK_TRANSFER, all is well: no case by itself can tell it from a device that may not discard.
    """

    def read_pages(self, state: DeviceState, buffer: Available) -> Reading:
        """Read an array as a message."""
        if self.has(state, "HOST_REQ_VQ"):
            return self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        return super().read_pages(state, buffer)


class _CollectsParts(Remembers):
    """Discards a page of the host, of 64 KiB, when all of its parts were inflated; forgets none of them."""

    parts = 16

    def discard(self, pages: PageSet) -> tuple[DeviceOutput, ...]:
        """Discard what became whole."""
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

    A page of the host goes when each of its parts was inflated once, whatever was deflated in between.
    """


@mutant(
    "RESET-06",
    also=("INF-07",),
    origin="QEMU, commit a8cd64d488: the parts of a host page are kept across requests, here across a reset",
)
class KeepsPartsOverAReset(_CollectsParts):
    """After a reboot the guest loses pages that the one before gave up, when it gives up their neighbours."""

    def reset(self, state: DeviceState, given: Reset) -> Step:
        """Keep the parts."""
        seen = self.seen
        done = super().reset(state, given)
        self.seen = seen
        return done

    def take_deflate(self, state: DeviceState, buffer: Available) -> Step:
        """Forget what is taken back."""
        state, outputs = super().take_deflate(state, buffer)
        self.seen -= self.read_pages(state, buffer).pages
        return state, outputs


@mutant("CHUNK-13", "PFN-05", also=("INF-07",))
class LosesTheLastPageIfItMustBeTold(Device):
    """Under MUST_TELL_HOST the host never has the last page of a run back."""

    def take_inflate(self, state: DeviceState, buffer: Available) -> Step:
        """Discard one page less a run."""
        state, outputs = super().take_inflate(state, buffer)
        if self.has(state, "MUST_TELL_HOST"):
            outputs = tuple(_without_last(one) if isinstance(one, Discard) else one for one in outputs)
        return state, outputs


def _without_last(discard: Discard) -> Discard:
    return Discard(PageSet((run.first, run.count - 1) for run in discard.pages))
