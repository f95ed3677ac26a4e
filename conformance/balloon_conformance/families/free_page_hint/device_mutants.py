"""Devices that are wrong about hints: what they ask for, what they take for a hint, and what they lose."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from balloon_conformance.families.free_page_hint.device_reference import (
    FIRST,
    HintInput,
    HintPhase,
    HintsOfDevice,
)
from balloon_conformance.iut.contract import ImplementationCrashed
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceState, Discard
from balloon_spec.events import Available, ConfigurationChanged, ConfigurationWritten, OperatorAction
from balloon_spec.families.free_page_hint import COMMAND_ID, DONE, FREE_PAGE, HINT, STOP
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

_HOST_PAGE: Final = 16
"""The 4 KiB pages of a host page of 64 KiB."""
_LEGACY: Final = "QEMU, the discussion of July 2020: in which order of bytes a command id is read"

# -- what the device asks for -----------------------------------------------------------------------------


@mutant("HINT-15")
class AsksOn(HintsOfDevice):
    """A guest goes on to give up its free memory to a host that has no use for it."""

    def publish_stop(self, state: DeviceState, _pages: PageSet) -> Step:
        """Leave the id where it is."""
        return state, ()


@mutant("HINT-16")
class HasTwoIds(HintsOfDevice):
    """A hint that was under way for long is taken for one of the present round."""

    def publish_id(self, state: DeviceState, pages: PageSet) -> Step:
        """Use two ids by turns."""
        copying = self.copying(state)
        number = FIRST + 1 if copying.next_id % 2 else FIRST
        state = self.remember(state, replace(copying, next_id=number))
        return super().publish_id(state, pages)


@mutant(
    "HINT-21",
    origin="Firecracker, commit a8f5d78: after a restore a guest was not told that the hinting is over",
)
class NeverSaysDone(HintsOfDevice):
    """The guest never has its free memory back."""

    def publish(self, state: DeviceState, value: int) -> Step:
        """Say STOP in place of DONE."""
        return super().publish(state, STOP if value == DONE else value)


@mutant("HINT-21")
class SaysDoneToADriverThatEnded(HintsOfDevice):
    """A guest whose hints the migration did not wait for never has its memory back."""

    def publish_done(self, state: DeviceState, pages: PageSet) -> Step:
        """Say STOP, unless the driver ended its round."""
        ended = self.copying(state).phase is HintPhase.TOLD
        state, outputs = super().publish_done(state, pages)
        if ended:
            return state, outputs
        state, told = self.publish(state, STOP)
        return state, (*(one for one in outputs if not isinstance(one, ConfigurationChanged)), *told)


@mutant("HINT-23")
class AsksInSilence(HintsOfDevice):
    """The guest does not learn that hints are wanted, and the migration copies all of its free memory."""

    def publish(self, state: DeviceState, value: int) -> Step:
        """Notify of 0 and 1 alone."""
        state, outputs = super().publish(state, value)
        return state, (outputs if value in {STOP, DONE} else ())


@mutant("HINT-23")
class IsDoneInSilence(HintsOfDevice):
    """The guest does not learn that it has its memory back."""

    def publish(self, state: DeviceState, value: int) -> Step:
        """Notify of all but DONE."""
        state, outputs = super().publish(state, value)
        return state, (() if value == DONE else outputs)


@mutant("HINT-25", origin="crosvm, commit 313f64127: no support for a reset")
class KeepsTheRoundOverAReset(HintsOfDevice):
    """A guest that is rebooted during a migration answers a question that nobody asked it."""

    def reset(self, before: DeviceState, fresh: DeviceState) -> DeviceState:
        """Keep the register."""
        return self.remember(fresh, self.recall(before))


@mutant("HINT-27")
class NeverAsks(HintsOfDevice):
    """A guest is migrated with all of its free memory, although both sides have the feature."""

    def publish_id(self, state: DeviceState, _pages: PageSet) -> Step:
        """Ask for nothing."""
        return state, ()


@mutant("HINT-29", origin="Firecracker and alioth, read in source: the guest may write every field")
class LetsTheDriverWriteTheId(Device):
    """A stray store of the guest ends a round for the host, or begins one."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Take the driver's store."""
        space = self.configuration(state)
        state, outputs = super().configure(state, given)
        for part in self.family_parts:
            if isinstance(part, HintsOfDevice) and COMMAND_ID.is_touched(given.offset, len(given.data)):
                before = space[COMMAND_ID.offset_bytes : COMMAND_ID.end_bytes]
                word = bytes(COMMAND_ID.after(before, given.offset, given.data))
                copying = replace(part.copying(state), register=int.from_bytes(word, "little"))
                state = part.remember(state, copying)
        return state, outputs


# -- what it takes for a hint -----------------------------------------------------------------------------


@mutant("HINT-17", origin="v86, read in source: command ids are not looked at")
class LooksAtNoId(HintsOfDevice):
    """Pages that a guest hinted for another round are lost with the migration."""

    def kind_of(self, state: DeviceState, buffer: Available) -> HintInput:
        """Take every number for the published one."""
        kind = super().kind_of(state, buffer)
        return HintInput.CURRENT if kind is HintInput.OTHER else kind


@mutant("HINT-17")
class ComparesOneByteOfIds(HintsOfDevice):
    """After 256 rounds a late hint is taken for a new one."""

    def number(self, data: bytes) -> int:
        """Complete the lowest byte with those of the first id."""
        number = super().number(data)
        return number & 0xFF | FIRST & ~0xFF if number > DONE else number


@mutant("HINT-17")
class ComparesHalfOfIds(HintsOfDevice):
    """After 65536 rounds a late hint is taken for a new one."""

    def number(self, data: bytes) -> int:
        """Complete the lower half with that of the first id."""
        number = super().number(data)
        return number & 0xFFFF | FIRST & ~0xFFFF if number > DONE else number


@mutant("HINT-17")
class TakesHintsWithoutACommand(HintsOfDevice):
    """What a guest hints for a migration that was cancelled is missing in the next one."""

    def follow(self, state: DeviceState, kind: HintInput, pages: PageSet = EMPTY) -> Step:
        """Take hints in every phase."""
        if kind is HintInput.HINT and self.copying(state).phase is HintPhase.ASKING:
            return self.leave_out(state, pages)
        return super().follow(state, kind, pages)


@mutant("HINT-17")
class TakesHintsAfterTheEnd(HintsOfDevice):
    """A page that the guest hints after the end of its round is missing after the migration."""

    def end_round(self, state: DeviceState, _pages: PageSet) -> Step:
        """Go on."""
        return state, ()


@mutant(
    "HINT-17", origin="QEMU, a series of July 2020: a start id that was replayed led from STOP back to START"
)
class BeginsAgainAfterStop(HintsOfDevice):
    """A guest that answers late has pages dropped that it uses again."""

    def publish_stop(self, state: DeviceState, pages: PageSet) -> Step:
        """Keep the id in mind."""
        current = self.copying(state).current
        state, outputs = super().publish_stop(state, pages)
        return self.remember(state, replace(self.copying(state), current=current)), outputs

    def follow(self, state: DeviceState, kind: HintInput, pages: PageSet = EMPTY) -> Step:
        """Begin the round of before once more."""
        if kind is HintInput.CURRENT and self.copying(state).phase is HintPhase.STOPPED:
            return self.begin_round(state, pages)
        return super().follow(state, kind, pages)


@mutant(
    "HINT-17",
    origin="QEMU, a series of July 2020: hinting began without the lock, and missed a change of its id",
)
class MissesTheChangeOfItsId(HintsOfDevice):
    """Pages that are hinted while the device asks anew are lost."""

    def publish_id(self, state: DeviceState, pages: PageSet) -> Step:
        """Stay in the round."""
        was_taking = self.copying(state).phase is HintPhase.TAKING
        state, outputs = super().publish_id(state, pages)
        if was_taking:
            state = self.remember(state, replace(self.copying(state), phase=HintPhase.TAKING))
        return state, outputs


@mutant("HINT-17")
class TakesHintsAfterStop(HintsOfDevice):
    """A device that said it has no use for hints uses them."""

    def publish_stop(self, state: DeviceState, pages: PageSet) -> Step:
        """Stay in the round."""
        was_taking = self.copying(state).phase is HintPhase.TAKING
        state, outputs = super().publish_stop(state, pages)
        if was_taking:
            state = self.remember(state, replace(self.copying(state), phase=HintPhase.TAKING))
        return state, outputs


@mutant(
    "HINT-17",
    origin="Firecracker, read in source: a descriptor of 4 bytes is a command, whichever way it may be used",
)
class ReadsACommandFromAHint(HintsOfDevice):
    """Memory that the driver hints is read as a command."""

    def kind_of(self, state: DeviceState, buffer: Available) -> HintInput:
        """Go by the length alone; the guest has the published id there."""
        kind = super().kind_of(state, buffer)
        is_four = kind is HintInput.HINT and buffer.writable_bytes == COMMAND_ID.length_bytes
        return HintInput.CURRENT if is_four else kind


# -- what it loses ----------------------------------------------------------------------------------------


@mutant("HINT-19")
class TracksNoWrites(HintsOfDevice):
    """A program of the guest finds other data in its memory after a migration."""

    def wrote(self, state: DeviceState, _pages: PageSet) -> DeviceState:
        """See nothing."""
        return state


@mutant("HINT-19")
class TracksWritesFromTheHintOn(HintsOfDevice):
    """What a guest wrote just before it hinted the page is lost, and may be in use again."""

    def wrote(self, state: DeviceState, pages: PageSet) -> DeviceState:
        """Forget that it was before the hint."""
        state = super().wrote(state, pages)
        return self.remember(state, replace(self.copying(state), written=EMPTY))


@mutant("HINT-19")
class TracksWritesInARoundAlone(HintsOfDevice):
    """What the guest writes after the last hint is lost."""

    def wrote(self, state: DeviceState, pages: PageSet) -> DeviceState:
        """See what is written while hints are taken."""
        return super().wrote(state, pages) if self.copying(state).phase is HintPhase.TAKING else state


@mutant(
    "HINT-19",
    origin="Firecracker, read in source, and warned of by its manual: a hinted range is discarded at once",
)
class DiscardsHintsAtOnce(HintsOfDevice):
    """A guest that uses a page again before the device sees the hint finds zeros there."""

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Discard what is hinted, whatever the guest did since."""
        state, _ = super().leave_out(state, pages)
        return state, (Discard(pages),)


@mutant("HINT-20")
class DiscardsHintsLate(HintsOfDevice):
    """A guest that has its pages back, and uses them, loses what is there."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.hinted = EMPTY

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Put the pages aside."""
        self.hinted |= pages
        return super().leave_out(state, pages)

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> Step:
        """Discard them with the first buffer after DONE."""
        state, outputs = super().take(state, queue, buffer)
        if self.copying(state).register != DONE or not self.hinted:
            return state, outputs
        late, self.hinted = self.hinted, EMPTY
        return state, (Discard(late), *outputs)


@mutant("HINT-26", origin="QEMU, commit 483f13524b: more than was named, on hosts with larger pages")
class RoundsHintsOutward(HintsOfDevice):
    """Memory beside a hint is missing after a migration."""

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Round to pages of 64 KiB."""
        bounds = ((run.first // _HOST_PAGE, -(-run.end // _HOST_PAGE)) for run in pages)
        wide = PageSet((first * _HOST_PAGE, (end - first) * _HOST_PAGE) for first, end in bounds)
        return super().leave_out(state, wide & self.device.options.memory)


@mutant("HINT-26")
class TakesOnePageTooMany(HintsOfDevice):
    """The page behind each hint is missing after a migration."""

    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Count the end in."""
        more = PageSet((run.first, run.count + 1) for run in pages)
        return super().leave_out(state, more & self.device.options.memory)


@mutant("HINT-28")
class CopiesWhatIsHinted(HintsOfDevice):
    """A migration takes as long as it would without hints, and the guest lacks its memory meanwhile."""

    def leave_out(self, state: DeviceState, _pages: PageSet) -> Step:
        """Return the hint, and do nothing."""
        return state, ()


@mutant("HINT-28")
class ReadsCommandsBigEndian(HintsOfDevice):
    """No guest's hints are ever made use of."""

    def number(self, data: bytes) -> int:
        """Swap it."""
        return int.from_bytes(data, "big")


@mutant("HINT-28", origin=_LEGACY)
class ReadsLegacyCommandsBigEndian(HintsOfDevice):
    """No old guest's hints are ever made use of."""

    def number(self, data: bytes) -> int:
        """Swap it for a guest without VERSION_1."""
        is_new = self.device.has(self.device.state, "VERSION_1")
        return int.from_bytes(data, "little" if is_new else "big")


# -- what becomes of buffers, and of the device -----------------------------------------------------------


@mutant(
    "HINT-22",
    also=("SAFE-03",),
    origin="libkrun and alioth, candidate C6 (read in source): the queue exists and is never served",
)
class ServesNoHints(HintsOfDevice):
    """The guest's free memory stays with the device until the next reset."""

    def take(self, state: DeviceState, _queue: Queue, _buffer: Available) -> Step:
        """Leave every buffer in the queue."""
        return state, ()


@mutant("HINT-22")
class KeepsStaleHints(HintsOfDevice):
    """Pages that a guest hints too late never come back."""

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> Step:
        """Return hints only while they are taken."""
        is_late = not buffer.readable and self.copying(state).phase is not HintPhase.TAKING
        return (state, ()) if is_late else super().take(state, queue, buffer)


@mutant(
    "HINT-22",
    origin="test suites that send hints to the statistics queue, and pass",
)
class ServesHintsFromTheStatisticsQueue(Device):
    """A guest's free memory stays with the device, because the device looks elsewhere for it."""

    def take(self, state: DeviceState, buffer: Available) -> Step:
        """Take hints from the third queue, wherever they are."""
        if self.queue(state, buffer.queue) is FREE_PAGE and self.has(state, "STATS_VQ"):
            return state, ()
        return super().take(state, buffer)


@mutant(
    "SAFE-13",
    also=("SAFE-02",),
    origin="QEMU, commit 12fc8903: free-page-hint without a thread of its own, NULL is called",
)
class DiesOfBeingAsked(HintsOfDevice):
    """The host loses the guest as soon as it begins to migrate it."""

    def operate(self, state: DeviceState, action: OperatorAction, value: int) -> Step:
        """Crash at the wish for hints."""
        if action is HINT:
            raise ImplementationCrashed("exit status 139")
        return super().operate(state, action, value)


@mutant("SAFE-02")
class DiesOfAShortCommand(HintsOfDevice):
    """A guest crashes its host process with 3 bytes."""

    def kind_of(self, state: DeviceState, buffer: Available) -> HintInput:
        """Crash behind the end of the buffer."""
        if 0 < len(buffer.readable) < COMMAND_ID.length_bytes:
            raise ImplementationCrashed("exit status 139")
        return super().kind_of(state, buffer)
