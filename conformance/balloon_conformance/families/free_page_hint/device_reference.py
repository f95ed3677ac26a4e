"""Hints in the reference device: it copies guest memory, tracks what the guest writes, and leaves hints out.

The copy is finished when the operator ends it: all pages that are still to be copied are copied then. A page
that is hinted need not be, unless the guest wrote to it since the command id was published. :data:`HINTS` is
the state table of a round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import Copied, DeviceState
from balloon_conformance.reference.machine import Move, Note, Refusal, Table
from balloon_conformance.reference.parts import DevicePart
from balloon_spec.events import Available, ConfigurationChanged, OperatorAction, Segment
from balloon_spec.families.free_page_hint import DONE, END_HINTS, FIRST_ID, HINT, STOP, STOP_HINTS
from balloon_spec.families.free_page_hint.command_id import LENGTH_BYTES
from balloon_spec.families.free_page_hint.declaration import FAMILY
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import inward, writable_ranges

__all__ = ["FIRST", "HINTS", "Copying", "HintInput", "HintPhase", "HintsOfDevice"]

FIRST: Final = 0x01020304
"""The first command id: four bytes that differ, so that their order shows."""
_LIMIT: Final = 1 << 32


class HintPhase(StrEnum):
    """The device's side of a round."""

    RESTING = "resting"
    """No copy is made: the register shows 0, or 1 once a copy was finished."""
    ASKING = "asking"
    """A command id is published, and the driver has not answered it."""
    TAKING = "taking"
    """The driver sent the id: its hints are made use of."""
    TOLD = "told"
    """The driver ended its round. The id stands there, and is not taken again."""
    STOPPED = "stopped"
    """A copy is made, and no hints are wanted for now: the register shows 0."""


class HintInput(StrEnum):
    """What happens to a round."""

    WISH = "wish"
    """The operator begins a copy and wants hints, or wants more of them."""
    STOP_WISH = "stop-wish"
    """The operator wants no hints for now."""
    END_WISH = "end-wish"
    """The operator has its copy, or gave it up."""
    CURRENT = "current-id"
    """The driver sent the id that is published."""
    OTHER = "other-id"
    """The driver sent another number, and not 0; or the id once more."""
    ZERO = "zero"
    """The driver sent 0."""
    HINT = "hint"
    """The driver hinted pages."""
    BROKEN = "broken"
    """The driver sent what is no command and no hint."""


_RESTING, _ASKING, _TAKING, _TOLD, _STOPPED = HintPhase

HINTS: Table = MappingProxyType(
    {
        (_RESTING, HintInput.WISH): Move("publish_id", (_ASKING,), ("HINT-27",)),
        (_RESTING, HintInput.STOP_WISH): Refusal("no hints were wanted"),
        (_RESTING, HintInput.END_WISH): Refusal("no copy is made"),
        (_RESTING, HintInput.CURRENT): Move("stay", (_RESTING,)),
        (_RESTING, HintInput.OTHER): Move("stay", (_RESTING,)),
        (_RESTING, HintInput.ZERO): Move("stay", (_RESTING,)),
        (_RESTING, HintInput.HINT): Move("ignore", (_RESTING,), ("HINT-17",)),
        (_RESTING, HintInput.BROKEN): Move("stay", (_RESTING,)),
        (_ASKING, HintInput.WISH): Move("publish_id", (_ASKING,), ("HINT-16",)),
        (_ASKING, HintInput.STOP_WISH): Move("publish_stop", (_STOPPED,), ("HINT-15",)),
        (_ASKING, HintInput.END_WISH): Move("publish_done", (_RESTING,), ("HINT-21",)),
        (_ASKING, HintInput.CURRENT): Move("begin_round", (_TAKING,)),
        (_ASKING, HintInput.OTHER): Move("stay", (_ASKING,)),
        (_ASKING, HintInput.ZERO): Move("stay", (_ASKING,)),
        (_ASKING, HintInput.HINT): Move("ignore", (_ASKING,), ("HINT-17",)),
        (_ASKING, HintInput.BROKEN): Move("stay", (_ASKING,)),
        (_TAKING, HintInput.WISH): Move("publish_id", (_ASKING,), ("HINT-16",)),
        (_TAKING, HintInput.STOP_WISH): Move("publish_stop", (_STOPPED,), ("HINT-15",)),
        (_TAKING, HintInput.END_WISH): Move("publish_done", (_RESTING,), ("HINT-21",)),
        (_TAKING, HintInput.CURRENT): Move("end_round", (_TOLD,)),
        (_TAKING, HintInput.OTHER): Move("end_round", (_TOLD,)),
        (_TAKING, HintInput.ZERO): Move("end_round", (_TOLD,)),
        (_TAKING, HintInput.HINT): Move("leave_out", (_TAKING,), ("HINT-28",)),
        (_TAKING, HintInput.BROKEN): Move("end_round", (_TOLD,)),
        (_TOLD, HintInput.WISH): Move("publish_id", (_ASKING,), ("HINT-16",)),
        (_TOLD, HintInput.STOP_WISH): Move("publish_stop", (_STOPPED,), ("HINT-15",)),
        (_TOLD, HintInput.END_WISH): Move("publish_done", (_RESTING,), ("HINT-21",)),
        (_TOLD, HintInput.CURRENT): Move("stay", (_TOLD,)),
        (_TOLD, HintInput.OTHER): Move("stay", (_TOLD,)),
        (_TOLD, HintInput.ZERO): Move("stay", (_TOLD,)),
        (_TOLD, HintInput.HINT): Move("ignore", (_TOLD,), ("HINT-17",)),
        (_TOLD, HintInput.BROKEN): Move("stay", (_TOLD,)),
        (_STOPPED, HintInput.WISH): Move("publish_id", (_ASKING,), ("HINT-16",)),
        (_STOPPED, HintInput.STOP_WISH): Refusal("no hints are wanted already"),
        (_STOPPED, HintInput.END_WISH): Move("publish_done", (_RESTING,), ("HINT-21",)),
        (_STOPPED, HintInput.CURRENT): Move("stay", (_STOPPED,)),
        (_STOPPED, HintInput.OTHER): Move("stay", (_STOPPED,)),
        (_STOPPED, HintInput.ZERO): Move("stay", (_STOPPED,)),
        (_STOPPED, HintInput.HINT): Move("ignore", (_STOPPED,), ("HINT-17",)),
        (_STOPPED, HintInput.BROKEN): Move("stay", (_STOPPED,)),
    }
)
"""What happens in every phase of a round, on the device's side."""

_WISHES: Final = MappingProxyType(
    {HINT: HintInput.WISH, STOP_HINTS: HintInput.STOP_WISH, END_HINTS: HintInput.END_WISH}
)


@dataclass(frozen=True, slots=True)
class Copying:
    """The round, the register, and the copy of guest memory.

    ``register`` is what it shows, ``next_id`` the id to come, ``current`` the one published last. ``left``
    are the pages that are still to be copied, None if no copy is made; ``written`` those that the guest wrote
    since the id was published.
    """

    phase: HintPhase = HintPhase.RESTING
    register: int = STOP
    current: int = STOP
    next_id: int = FIRST
    left: PageSet | None = None
    written: PageSet = EMPTY


class HintsOfDevice(DevicePart):
    """A device that leaves out of its copy what the driver hints."""

    family = FAMILY
    wishes = frozenset({HINT, STOP_HINTS, END_HINTS})

    def copying(self, state: DeviceState) -> Copying:
        """Return what the part remembers."""
        return self.recall(state) or Copying()

    def follow(self, state: DeviceState, kind: HintInput, pages: PageSet = EMPTY) -> Step:
        """Carry out the entry of :data:`HINTS`."""
        entry = HINTS[self.copying(state).phase, kind]
        if isinstance(entry, Refusal):
            return state, (Note("HINT-15", entry.why),)
        step: Step = getattr(self, entry.handler)(state, pages)
        return step

    # -- the operator -------------------------------------------------------------------------------------

    def operate(self, state: DeviceState, action: OperatorAction, _value: int) -> Step:
        """Begin a copy, do without hints for now, or finish the copy."""
        if not self.device.has(state, "FREE_PAGE_HINT"):
            return state, ()
        return self.follow(state, _WISHES[action])

    # HINT-16: no id comes again before all others were used. HINT-24: 0 and 1 are no ids.
    def publish_id(self, state: DeviceState, _pages: PageSet) -> Step:
        """Publish the next id. What the guest writes is tracked from here on."""
        copying = self.copying(state)
        number = copying.next_id
        left = self.device.options.memory if copying.left is None else copying.left
        after = replace(
            copying,
            phase=_ASKING,
            current=number,
            next_id=number + 1 if number + 1 < _LIMIT else FIRST_ID,
            left=left,
            written=EMPTY,
        )
        return self.publish(self.remember(state, after), number)

    def publish_stop(self, state: DeviceState, _pages: PageSet) -> Step:
        """Publish STOP."""
        copying = replace(self.copying(state), phase=_STOPPED, current=STOP)
        return self.publish(self.remember(state, copying), STOP)

    # HINT-20: nothing is done with hinted pages from here on.
    def publish_done(self, state: DeviceState, _pages: PageSet) -> Step:
        """Copy what is left, and publish DONE."""
        left = self.copying(state).left or EMPTY
        copying = replace(self.copying(state), phase=_RESTING, current=STOP, left=None, written=EMPTY)
        state, outputs = self.publish(self.remember(state, copying), DONE)
        return state, (Copied(self.device.options.memory - left), *outputs)

    # HINT-23: each value is announced.
    def publish(self, state: DeviceState, value: int) -> Step:
        """Show a value in the register, and notify the driver."""
        state = self.remember(state, replace(self.copying(state), register=value))
        return state, (ConfigurationChanged(self.device.configuration(state)),)

    # HINT-29: the driver's writes are dropped, because the word is the device's.
    def word(self, state: DeviceState, _name: str) -> int:
        """Return the register."""
        return self.copying(state).register

    # HINT-25: the register shows 0. No id is used again even so, because a late hint may be under way.
    def reset(self, before: DeviceState, fresh: DeviceState) -> DeviceState:
        """Forget the round; the copy goes on, without hints."""
        copying = self.copying(before)
        return self.remember(fresh, Copying(next_id=copying.next_id, left=copying.left))

    # -- the driver ---------------------------------------------------------------------------------------

    # HINT-22: whatever it is, it comes back, and nothing is written into it.
    def take(self, state: DeviceState, _queue: Queue, buffer: Available) -> Step:
        """Take a command or hints."""
        kind = self.kind_of(state, buffer)
        pages = inward(writable_ranges(self.segments_of(buffer))) & self.device.options.memory
        state, outputs = self.follow(state, kind, pages)
        return state, (*outputs, self.device.return_buffer(buffer))

    def segments_of(self, buffer: Available) -> tuple[Segment, ...]:
        """Return what a buffer hints."""
        return buffer.segments

    # An id is read from 4 device-readable bytes and from nothing else (HINT-01, HINT-11).
    def kind_of(self, state: DeviceState, buffer: Available) -> HintInput:
        """Tell what a buffer is."""
        data = buffer.readable
        if not data:
            return HintInput.HINT if buffer.writable_bytes else HintInput.BROKEN
        if len(data) != LENGTH_BYTES or buffer.writable_bytes:
            return HintInput.BROKEN
        number = self.number(data)
        if number == STOP:
            return HintInput.ZERO
        return HintInput.CURRENT if number == self.copying(state).current else HintInput.OTHER

    def number(self, data: bytes) -> int:
        """Read a command id. Guests of this suite are little-endian, on the legacy interface too."""
        return int.from_bytes(data, "little")

    def stay(self, state: DeviceState, _pages: PageSet) -> Step:
        """Do nothing."""
        return state, ()

    def ignore(self, state: DeviceState, _pages: PageSet) -> Step:
        """Copy the pages all the same."""
        return state, (Note("HINT-02", "pages are hinted outside a round"),)

    def begin_round(self, state: DeviceState, _pages: PageSet) -> Step:
        """Make use of hints from here on."""
        return self.remember(state, replace(self.copying(state), phase=_TAKING)), ()

    def end_round(self, state: DeviceState, _pages: PageSet) -> Step:
        """Make no use of hints any more."""
        return self.remember(state, replace(self.copying(state), phase=_TOLD)), ()

    # HINT-19: not those that the guest wrote since the id was published. HINT-26: and no others.
    def leave_out(self, state: DeviceState, pages: PageSet) -> Step:
        """Leave pages out of the copy."""
        copying = self.copying(state)
        left = (copying.left or EMPTY) - (pages - copying.written)
        return self.remember(state, replace(copying, left=left)), ()

    # HINT-19: a page that the guest writes to is copied again.
    def wrote(self, state: DeviceState, pages: PageSet) -> DeviceState:
        """Track what the guest writes, as long as a copy is made."""
        copying = self.copying(state)
        if copying.left is None:
            return state
        left = copying.left | (pages & self.device.options.memory)
        return self.remember(state, replace(copying, left=left, written=copying.written | pages))
