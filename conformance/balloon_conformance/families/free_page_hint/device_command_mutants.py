"""Devices that are wrong about command ids: under which of them they make use of hints."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.families.free_page_hint.device_reference import (
    FIRST,
    HintInput,
    HintPhase,
    HintsOfDevice,
)
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceState
from balloon_spec.events import Available, ConfigurationWritten
from balloon_spec.families.free_page_hint import COMMAND_ID, DONE, STOP
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import inward, writable_ranges


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


@mutant("HINT-17", also=("HINT-28",))
class ComparesWithTheRegister(Device):
    """A guest makes up an id, writes it into the register, and has pages dropped under it."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Show the id, and compare with what the driver stored."""
        space = self.configuration(state)
        state, outputs = super().configure(state, given)
        for part in self.family_parts:
            if isinstance(part, HintsOfDevice) and COMMAND_ID.is_touched(given.offset, len(given.data)):
                before = space[COMMAND_ID.offset_bytes : COMMAND_ID.end_bytes]
                word = bytes(COMMAND_ID.after(before, given.offset, given.data))
                copying = replace(part.copying(state), current=int.from_bytes(word, "little"))
                state = part.remember(state, copying)
        return state, outputs


@mutant("HINT-17")
class LooksAtTheFirstIdOfARound(HintsOfDevice):
    """Pages that a guest hints for a round of before are lost, if it did not end the one under way."""

    def follow(self, state: DeviceState, kind: HintInput, pages: PageSet = EMPTY) -> Step:
        """Go on whatever id comes."""
        is_in_round = self.copying(state).phase is HintPhase.TAKING
        return (state, ()) if is_in_round and kind is HintInput.OTHER else super().follow(state, kind, pages)


@mutant("HINT-17")
class BeginsWithAnyIdAfterARound(HintsOfDevice):
    """Pages that a guest hints for a round of before are lost."""

    def follow(self, state: DeviceState, kind: HintInput, pages: PageSet = EMPTY) -> Step:
        """Take up the hints of the driver again."""
        is_over = self.copying(state).phase is HintPhase.TOLD
        if is_over and kind is HintInput.OTHER:
            return self.begin_round(state, pages)
        return super().follow(state, kind, pages)


@mutant("HINT-17")
class BeginsWithALate0(HintsOfDevice):
    """Pages that a guest hints before it has seen the id are lost."""

    def follow(self, state: DeviceState, kind: HintInput, pages: PageSet = EMPTY) -> Step:
        """Take every command for the id, once one is published."""
        is_asking = self.copying(state).phase is HintPhase.ASKING
        if is_asking and kind is HintInput.ZERO:
            return self.begin_round(state, pages)
        return super().follow(state, kind, pages)


@mutant("HINT-17")
class LeavesTheRoundOpenAtAReset(HintsOfDevice):
    """What the guest that was rebooted hints before it is asked is lost."""

    def reset(self, before: DeviceState, fresh: DeviceState) -> DeviceState:
        """Set the register alone to 0."""
        phase = self.copying(before).phase
        fresh = super().reset(before, fresh)
        return self.remember(fresh, replace(self.copying(fresh), phase=phase))


@mutant("HINT-17")
class KnowsTheIdAfterAReset(HintsOfDevice):
    """An id of the guest before the reboot has pages dropped of the guest after it."""

    def reset(self, before: DeviceState, fresh: DeviceState) -> DeviceState:
        """Set the register alone to 0, and wait for the id once more."""
        current = self.copying(before).current
        fresh = super().reset(before, fresh)
        return self.remember(fresh, replace(self.copying(fresh), phase=HintPhase.ASKING, current=current))


@mutant("HINT-17")
class KnowsTheIdAfterDone(HintsOfDevice):
    """Pages that a guest hints after its migration are missing in the next one."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.known, self.late, self.is_begun = STOP, EMPTY, False

    def publish_done(self, state: DeviceState, pages: PageSet) -> Step:
        """Keep the id in mind."""
        self.known = self.copying(state).current
        return super().publish_done(state, pages)

    def take(self, state: DeviceState, queue: Queue, buffer: Available) -> Step:
        """Put hints aside that come under it."""
        if self.copying(state).phase is HintPhase.RESTING:
            if buffer.readable:
                self.is_begun = self.known > DONE and self.number(buffer.readable) == self.known
            elif self.is_begun:
                self.late |= inward(writable_ranges(buffer.segments))
        return super().take(state, queue, buffer)

    def publish_id(self, state: DeviceState, pages: PageSet) -> Step:
        """Leave them out of the next copy."""
        state, outputs = super().publish_id(state, pages)
        left = (self.copying(state).left or EMPTY) - self.late
        self.late = EMPTY
        return self.remember(state, replace(self.copying(state), left=left)), outputs
