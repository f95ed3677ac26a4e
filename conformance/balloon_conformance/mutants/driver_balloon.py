"""Drivers that are wrong about the balloon: which pages, when they may be used, and what ``actual`` says."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.mutants.driver_parts import is_deflating
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import BalloonPhase, DriverOutput, DriverState, Flight
from balloon_spec.events import Available, ConfigurationWritten, Guest, GuestAction, Used
from balloon_spec.families.base import DEFLATE
from balloon_spec.pages import EMPTY, PageSet

# -- pages ------------------------------------------------------------------------------------------------


@mutant("INF-10", also=("CONC-04",))
class NeverInflates(Driver):
    """The operator asks for memory and gets none.

    It does not inflate while messages of unused pages are with the device either.
    """

    def pages_to_inflate(self, state: DriverState) -> PageSet:
        """Find no pages."""
        return EMPTY


@mutant("INF-02")
class SendsAnEmptyMessageFirst(Driver):
    """Every inflation begins with a message that names no page."""

    def start_inflating(self, state: DriverState, pages: PageSet) -> Step:
        """Send it first."""
        state, outputs = super().start_inflating(state, pages)
        if not self.has(state, "CHUNK_TRANSFER"):
            return state, outputs
        return state, (Available(0, f"empty-{state.buffers}", bytes(8)), *outputs)


@mutant("DEF-02")
class TakesNothingBackFirst(Driver):
    """Every deflation begins with a message that names no page."""

    def start_deflating(self, state: DriverState, pages: PageSet) -> Step:
        """Send it first."""
        state, outputs = super().start_deflating(state, pages)
        if not self.has(state, "CHUNK_TRANSFER"):
            return state, outputs
        return state, (Available(1, f"empty-{state.buffers}", bytes(8)), *outputs)


@mutant("INF-11", origin="posted driver, D5: pages of the balloon are named again")
class InflatesWhatIsInTheBalloon(Driver):
    """The cost of every inflation grows with the balloon, because the whole balloon is named again."""

    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Name the balloon as well."""
        again = EMPTY if is_deflating(state) else state.ballooning.balloon
        return super().encode_pages(state, pages | again)


@mutant(
    "DEF-11",
    also=("DEF-05",),
    origin="posted driver, D2: a batch of one page is taken back without a message",
)
class TakesPagesBackInSilence(Driver):
    """The device discards a page that the guest has long used again, because it was not told.

    With MUST_TELL_HOST this is above all a use without the host's permission.
    """

    def start_deflating(self, state: DriverState, pages: PageSet) -> Step:
        """Continue as if a deflate buffer that names them had come back."""
        wanted = state.to_deflate & state.ballooning.balloon
        ballooning = replace(state.ballooning, phase=BalloonPhase.DEFLATING, promised=wanted & pages)
        state = replace(state, to_deflate=wanted - pages, ballooning=ballooning)
        return self.deflated(state, Flight(DEFLATE, pages))


@mutant("DEF-03")
class DeflatesBeforeInflateIsUsed(Driver):
    """The device discards a page after it was taken back, because it learns of both in the wrong order.

    The device is told of pages that are wanted back while their inflate buffer is in flight.
    """

    def start_inflating(self, state: DriverState, pages: PageSet) -> Step:
        """Send a deflate buffer at once."""
        state, outputs = super().start_inflating(state, pages)
        return state, (*outputs, Available(1, f"early-{state.buffers}", self.encode_pages(state, pages)))


@mutant("DEF-04")
class DeflatesTwice(Driver):
    """Pages are taken back that were not given up.

    When its first buffer came back, the pages have left the balloon.
    """

    def deflated(self, state: DriverState, flight: Flight) -> Step:
        """Send the same once more."""
        state, outputs = super().deflated(state, flight)
        data = self.encode_pages(state, flight.pages)
        return state, (*outputs, Available(1, f"again-{state.buffers}", data))


@mutant("DEF-09")
class ShrinksBelowTheTarget(Driver):
    """The host lacks memory that the guest had agreed to leave to it."""

    def most_wanted(self, state: DriverState, _excess: int) -> int:
        """Give back whatever the guest wants."""
        return state.ballooning.balloon.pages


@mutant("INF-04")
class LetsPagesBeUsedEarly(Driver):
    """Data that the guest writes to a page it has just given up is lost."""

    def start_inflating(self, state: DriverState, pages: PageSet) -> Step:
        """Let the guest use the pages: at once, or as soon as it takes free memory."""
        state, outputs = super().start_inflating(state, pages)
        if self.options.own_memory is not None:
            return replace(state, pool=state.pool | pages), outputs
        return state, (*outputs, Guest(GuestAction.USE, pages))

    def inflate_returned(self, state: DriverState, flight: Flight, used: Used) -> Step:
        """Keep the pages from here on."""
        return super().inflate_returned(replace(state, pool=state.pool - flight.pages), flight, used)


@mutant(
    "DEF-05",
    origin="viobaloon for Windows frees pages before it tells the host, as it may without MUST_TELL_HOST",
)
class LetsPagesBeUsedBeforeTheHostIsTold(Driver):
    """Data that the guest writes to a page it takes back is lost, on a host with MUST_TELL_HOST."""

    def start_deflating(self, state: DriverState, pages: PageSet) -> Step:
        """Let the guest use the pages."""
        state, outputs = super().start_deflating(state, pages)
        return state, (*outputs, Guest(GuestAction.USE, pages))


# -- actual -----------------------------------------------------------------------------------------------


@mutant("INF-05")
class CountsBeforeTheReturn(Driver):
    """The operator believes pages given up that the device has not seen yet."""

    def start_inflating(self, state: DriverState, pages: PageSet) -> Step:
        """Write actual at once."""
        state, outputs = super().start_inflating(state, pages)
        return state, (*outputs, *self.write_actual(self.held(state).pages))


@mutant("CFG-04", also=("BUF-06",))
class NeverWritesActual(Driver):
    """The operator never sees how large the balloon is.

    It does not write after a return with a used length either, which might be taken for the reason.
    """

    def write_actual(self, pages: int) -> tuple[DriverOutput, ...]:
        """Write nothing."""
        return ()


@mutant("CFG-05")
class WritesActualBigEndian(Driver):
    """A big-endian guest's balloon seems to hold millions of pages."""

    def write_actual(self, pages: int) -> tuple[DriverOutput, ...]:
        """Swap the bytes."""
        return (ConfigurationWritten(4, pages.to_bytes(4, "big")),)


@mutant("CFG-05")
class CountsAPageTooFewInActual(Driver):
    """The operator sees one page less than the guest gave up."""

    def count(self, state: DriverState) -> int:
        """Count one less."""
        return max(super().count(state) - 1, 0)


@mutant("INF-03", origin="posted driver, D1 and D2: pages that were never sent are counted")
class CountsAPageTooManyInActual(Driver):
    """The operator believes a page given up that the guest still has."""

    def count(self, state: DriverState) -> int:
        """Count one more."""
        return super().count(state) + 1


@mutant("CFG-05")
class CutsActualTo16Bits(Driver):
    """The operator sees a balloon of 256 MiB shrink to nothing as it grows."""

    def count(self, state: DriverState) -> int:
        """Keep the low 16 bits."""
        return super().count(state) & 0xFFFF


@mutant("CFG-03")
class WritesActualByBytes(Driver):
    """A host that reads in between sees a size that the balloon never had."""

    def write_actual(self, pages: int) -> tuple[DriverOutput, ...]:
        """Write a byte at a time."""
        data = pages.to_bytes(4, "little")
        return tuple(ConfigurationWritten(4 + at, data[at : at + 1]) for at in range(4))


@mutant(
    "CFG-02", origin="QEMU as a vhost-user front-end: any write sends the whole configuration space along"
)
class WritesTheWholeConfiguration(Driver):
    """A new target is lost, because the driver writes the old one back together with actual."""

    def write_actual(self, pages: int) -> tuple[DriverOutput, ...]:
        """Write eight bytes."""
        return (ConfigurationWritten(0, bytes(4) + pages.to_bytes(4, "little")),)


@mutant("BUF-06")
class DistrustsUsedLengths(Driver):
    """On a device that reports the length of what it read, the balloon stops after one buffer."""

    def inflate_returned(self, state: DriverState, flight: Flight, used: Used) -> Step:
        """Ignore a return with a length."""
        return (state, ()) if used.length_bytes else super().inflate_returned(state, flight, used)
