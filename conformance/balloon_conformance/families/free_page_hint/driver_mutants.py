"""Drivers that are wrong about hints: what they say of a round, and which pages they hint."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.families.free_page_hint.driver_reference import (
    Hinting,
    HintsOfDriver,
    RoundInput,
    RoundPhase,
)
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import DriverState, Flight
from balloon_spec.events import Available, ConfigurationWritten, Segment
from balloon_spec.families.free_page_hint import COMMAND_ID, DONE, FIRST_ID, FREE_PAGE, STOP
from balloon_spec.pages import EMPTY, PAGE_BYTES, PAGE_SHIFT, PageSet

# -- what they say of a round -----------------------------------------------------------------------------


@mutant("HINT-01")
class SendsIdsOf64Bits(HintsOfDriver):
    """The device ignores every hint, or asks for a reset."""

    def encode(self, _state: DriverState, number: int) -> bytes:
        """Send 8 bytes."""
        return number.to_bytes(8, "little")


@mutant("HINT-02")
class HintsBeforeTheId(HintsOfDriver):
    """The device ignores the first hints of each round."""

    def begin_round(self, state: DriverState) -> Step:
        """Hint a block, and send the id behind it."""
        free = self.free(state)
        first: Step = (state, ())
        if free:
            first = self.hint(state, free.runs[0].first, 1)
        state, more = super().begin_round(first[0])
        return state, (*first[1], *more)


@mutant("HINT-02")
class BeginsNoRound(HintsOfDriver):
    """The device ignores all hints."""

    def send(self, state: DriverState, number: int) -> Step:
        """Send 0 alone."""
        return (state, ()) if number >= FIRST_ID else super().send(state, number)


@mutant("HINT-03")
class AnswersEveryChange(HintsOfDriver):
    """A change of the target is taken for another question, and the device stops to listen."""

    def is_new(self, _before: Hinting, number: int) -> bool:
        """Answer whatever is there."""
        return number >= FIRST_ID


@mutant("HINT-04")
class HintsNothing(HintsOfDriver):
    """A migration takes as long as it would without hints."""

    def free(self, _state: DriverState) -> PageSet:
        """Have no page to hint."""
        return EMPTY


@mutant("HINT-05")
class HintsOnAfterStop(HintsOfDriver):
    """A guest goes on to give up memory that nobody wants."""

    def follow(self, state: DriverState, kind: RoundInput) -> Step:
        """Stop when nothing is left."""
        is_told = kind is RoundInput.STOPPED and self.hinting(state).register == STOP
        return (state, ()) if is_told else super().follow(state, kind)


@mutant("HINT-05")
class HintsOnAfterDone(HintsOfDriver):
    """A guest that has its memory back gives it up once more, and no migration is under way."""

    def follow(self, state: DriverState, kind: RoundInput) -> Step:
        """Stop when nothing is left."""
        is_told = kind is RoundInput.STOPPED and self.hinting(state).register == DONE
        return (state, ()) if is_told else super().follow(state, kind)


@mutant("HINT-06")
class NeverEndsARound(HintsOfDriver):
    """The device may never use an id again, and waits for hints that do not come."""

    def send(self, state: DriverState, number: int) -> Step:
        """Send no 0."""
        return (state, ()) if number == STOP else super().send(state, number)


@mutant("HINT-06")
class EndsOnlyWhatIsExhausted(HintsOfDriver):
    """A device that stopped a round does not learn that the driver has noticed."""

    def follow(self, state: DriverState, kind: RoundInput) -> Step:
        """Leave a round that is stopped without a word."""
        if kind is RoundInput.STOPPED:
            return self.remember(state, replace(self.hinting(state), phase=RoundPhase.IDLE)), ()
        return super().follow(state, kind)


@mutant("HINT-06")
class BeginsTheNextRoundAtOnce(HintsOfDriver):
    """The device takes the second id for the end of the round, as some do, and ignores the hints."""

    def follow(self, state: DriverState, kind: RoundInput) -> Step:
        """Begin without an end."""
        is_in_round = self.hinting(state).phase is RoundPhase.HINTING
        return (
            self.begin_round(state)
            if kind is RoundInput.NEW_ID and is_in_round
            else super().follow(state, kind)
        )


@mutant("HINT-10", origin="Linux, February 2020: hinted pages were leaked when the driver was unloaded")
class KeepsPagesOverDone(HintsOfDriver):
    """The guest has less memory after every migration."""

    def release(self, state: DriverState) -> DriverState:
        """Keep them."""
        return state


@mutant("HINT-12")
class SendsTheIdAfter(HintsOfDriver):
    """The device ignores all hints."""

    def send(self, state: DriverState, number: int) -> Step:
        """Count up first."""
        return super().send(state, number if number == STOP else number % (1 << 32) - 1)


@mutant("HINT-12", also=("HINT-06",))
class EndsWithDone(HintsOfDriver):
    """The device does not see the end of the round."""

    def send(self, state: DriverState, number: int) -> Step:
        """Send the device's word."""
        return super().send(state, DONE if number == STOP else number)


@mutant("HINT-14")
class AcknowledgesInTheRegister(HintsOfDriver):
    """A device that takes the store has lost its id."""

    def begin_round(self, state: DriverState) -> Step:
        """Write 0 where the id was."""
        state, outputs = super().begin_round(state)
        return state, (ConfigurationWritten(COMMAND_ID.offset_bytes, bytes(4)), *outputs)


@mutant("HINT-30")
class SendsCommandsBigEndian(HintsOfDriver):
    """The device ignores all hints."""

    def encode(self, state: DriverState, number: int) -> bytes:
        """Swap it."""
        data = super().encode(state, number)
        return data[::-1] if self.driver.has(state, "VERSION_1") else data


@mutant(
    "HINT-31",
    origin="Linux and QEMU, July 2020: in which order of bytes a command id is sent on the legacy interface",
)
class SendsLegacyCommandsBigEndian(HintsOfDriver):
    """An old device ignores all hints."""

    def encode(self, state: DriverState, number: int) -> bytes:
        """Swap it for a device without VERSION_1."""
        data = super().encode(state, number)
        return data if self.driver.has(state, "VERSION_1") else data[::-1]


@mutant("HINT-31")
class TurnsLaterLegacyCommandsRound(HintsOfDriver):
    """An old device ignores the hints of every round but the first."""

    def begin_round(self, state: DriverState) -> Step:
        """Swap every id but the first for a device without VERSION_1."""
        is_first = self.hinting(state).answered < FIRST_ID
        state, (sent, *hints) = super().begin_round(state)
        if is_first or self.driver.has(state, "VERSION_1"):
            return state, (sent, *hints)
        assert isinstance(sent, Available)
        return state, (replace(sent, readable=sent.readable[::-1]), *hints)


# -- which pages they hint --------------------------------------------------------------------------------


@mutant("HINT-11", also=("HINT-04",))
class HintsForReading(HintsOfDriver):
    """The device takes pages for a command."""

    def hint(self, state: DriverState, first: int, count: int) -> Step:
        """Lend a block as device-readable."""
        hinting = self.hinting(state)
        pages = PageSet([(first, count)])
        state = self.remember(state, replace(hinting, hinted=hinting.hinted | pages))
        block = Segment(count << PAGE_SHIFT, writable=False, address=first << PAGE_SHIFT)
        return self.driver.lend(state, Flight(FREE_PAGE, pages), (block,))


@mutant("HINT-11")
class SendsTheIdWithTheFirstHint(HintsOfDriver):
    """A device that reads one descriptor misses the hint, and another the id."""

    def send(self, state: DriverState, number: int) -> Step:
        """Put a page behind the id."""
        free = self.free(state)
        if number == STOP or not free:
            return super().send(state, number)
        room = Segment(PAGE_BYTES, writable=True, address=free.runs[0].first << PAGE_SHIFT)
        state, (sent, *_) = self.driver.make_available(
            state, Flight(FREE_PAGE), self.encode(state, number), PAGE_BYTES
        )
        assert isinstance(sent, Available)
        return state, (replace(sent, segments=(Segment(4), room)),)


@mutant("HINT-13")
class HintsTheBalloon(HintsOfDriver):
    """Pages that are the host's come back to the guest."""

    def free(self, state: DriverState) -> PageSet:
        """Look at what the guest uses alone."""
        return (state.unused | state.pool) - self.hinting(state).hinted


@mutant("HINT-13")
class HintsWhatIsUsed(HintsOfDriver):
    """A program of the guest loses its memory with a migration."""

    def free(self, state: DriverState) -> PageSet:
        """Count the page behind each run in."""
        pages = super().free(state)
        more = PageSet((run.first, run.count + 1) for run in pages) & self.driver.options.memory
        return more - self.hinting(state).hinted


@mutant("HINT-32")
class HintsHalfPages(HintsOfDriver):
    """Half of the guest's free memory is copied all the same."""

    def hint(self, state: DriverState, first: int, count: int) -> Step:
        """Hint the first half of the block's last page."""
        hinting = self.hinting(state)
        pages = PageSet([(first, count)])
        state = self.remember(state, replace(hinting, hinted=hinting.hinted | pages))
        length_bytes = (count << PAGE_SHIFT) - PAGE_BYTES // 2
        block = Segment(length_bytes, writable=True, address=first << PAGE_SHIFT)
        return self.driver.lend(state, Flight(FREE_PAGE, pages), (block,))


@mutant("HINT-13")
class HintsWhatWasFreeOnce(HintsOfDriver):
    """A program of the guest that took a page after a migration loses it with the next one."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.once_free = EMPTY

    def free(self, state: DriverState) -> PageSet:
        """Forget no page that was ever free."""
        self.once_free |= state.unused | state.pool
        pages = self.once_free & self.driver.options.memory
        return pages - self.hinting(state).hinted - self.driver.held(state)


@mutant("HINT-13")
class HintsWhatGoesIntoTheBalloon(HintsOfDriver):
    """The guest has pages back that are the host's by then."""

    def free(self, state: DriverState) -> PageSet:
        """Look at what the device has returned alone."""
        pages = (state.unused | state.pool) & self.driver.options.memory
        return pages - self.hinting(state).hinted - state.ballooning.balloon
