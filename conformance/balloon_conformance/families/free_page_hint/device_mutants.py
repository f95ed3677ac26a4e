"""Devices that are wrong about rounds of hints: what they ask for, and what becomes of buffers."""

from __future__ import annotations

from dataclasses import replace

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
from balloon_conformance.reference.device_state import DeviceState
from balloon_spec.events import Available, ConfigurationChanged, ConfigurationWritten, OperatorAction
from balloon_spec.families.free_page_hint import COMMAND_ID, DONE, FREE_PAGE, HINT, STOP
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

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


@mutant("HINT-16")
class UsesItsIdAgainAfterStop(HintsOfDevice):
    """Hints from before the device called off a round are taken for hints of the next one."""

    def publish_stop(self, state: DeviceState, pages: PageSet) -> Step:
        """Count back."""
        current = self.copying(state).current
        state, outputs = super().publish_stop(state, pages)
        return self.remember(state, replace(self.copying(state), next_id=current)), outputs


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


@mutant("HINT-25", also=("HINT-17",), origin="crosvm, commit 313f64127: no support for a reset")
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


@mutant("HINT-29")
class LetsTheDriverWriteAPartOfTheId(LetsTheDriverWriteTheId):
    """A stray store of a byte ends a round for the host, or begins one."""

    def configure(self, state: DeviceState, given: ConfigurationWritten) -> Step:
        """Drop the store only if it is one of exactly the word."""
        is_whole = given.offset == COMMAND_ID.offset_bytes and len(given.data) == COMMAND_ID.length_bytes
        return Device.configure(self, state, given) if is_whole else super().configure(state, given)


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
