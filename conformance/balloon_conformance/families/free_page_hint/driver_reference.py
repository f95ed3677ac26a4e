"""Hints in the reference driver: it hints every page that its guest does not use, many at once.

The guest has the hinted pages back at DONE, or as soon as it uses one. :data:`ROUNDS` is the state table of a
round. A page is hinted as part of the largest block of 4 KiB to 4 MiB that is free as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import DriverOutput, DriverPhase, DriverState, Flight
from balloon_conformance.reference.machine import Move, Refusal, Table
from balloon_conformance.reference.parts import DriverPart
from balloon_spec.events import ConfigurationRead, GuestAction, Used
from balloon_spec.families.free_page_hint import COMMAND_ID, DONE, FIRST_ID, FREE_PAGE, STOP, command_id
from balloon_spec.families.free_page_hint.command_id import CommandId
from balloon_spec.families.free_page_hint.declaration import FAMILY
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.segments import over

__all__ = ["MOST_PAGES", "ROUNDS", "Hinting", "HintsOfDriver", "RoundInput", "RoundPhase", "blocks"]

MOST_PAGES: Final = 1024
"""The pages of the largest block: 4 MiB, as guests with pages of 4 KiB hint them."""


class RoundPhase(StrEnum):
    """The driver's side of a round."""

    IDLE = "idle"
    """No round is begun."""
    HINTING = "hinting"
    """The id was sent, and pages are hinted."""
    ENDING = "ending"
    """Nothing more is hinted, and 0 is sent as soon as there is room for it."""


class RoundInput(StrEnum):
    """What happens to a round."""

    NEW_ID = "new-id"
    """The register came to hold an id that the driver has not answered."""
    STOPPED = "stopped"
    """The register came to hold 0 or 1."""
    ROOM = "room"
    """There is room in the virtqueue, and there are pages to hint."""
    EXHAUSTED = "exhausted"
    """There is room, and nothing to hint."""


_IDLE, _HINTING, _ENDING = RoundPhase

ROUNDS: Table = MappingProxyType(
    {
        (_IDLE, RoundInput.NEW_ID): Move("begin_round", (_HINTING,), ("HINT-02", "HINT-03")),
        (_IDLE, RoundInput.STOPPED): Refusal("no round is begun"),
        (_IDLE, RoundInput.ROOM): Refusal("no round is begun"),
        (_IDLE, RoundInput.EXHAUSTED): Refusal("no round is begun"),
        (_HINTING, RoundInput.NEW_ID): Move("end_round", (_HINTING, _ENDING), ("HINT-06",)),
        (_HINTING, RoundInput.STOPPED): Move("end_round", (_IDLE, _ENDING), ("HINT-05", "HINT-06")),
        (_HINTING, RoundInput.ROOM): Move("hint", (_HINTING,), ("HINT-04",)),
        (_HINTING, RoundInput.EXHAUSTED): Move("end_round", (_IDLE, _ENDING), ("HINT-06",)),
        (_ENDING, RoundInput.NEW_ID): Refusal("the round before is ended first"),
        (_ENDING, RoundInput.STOPPED): Refusal("the round is ending already"),
        (_ENDING, RoundInput.ROOM): Move("end_round", (_IDLE,), ("HINT-06",)),
        (_ENDING, RoundInput.EXHAUSTED): Move("end_round", (_IDLE,), ("HINT-06",)),
    }
)
"""What happens in every phase of a round, on the driver's side."""


@dataclass(frozen=True, slots=True)
class Hinting:
    """The round, what the register held last, and the hinted pages that the guest does not have back.

    ``answered`` is the id that was sent last; it is not sent again.
    """

    phase: RoundPhase = RoundPhase.IDLE
    register: int = STOP
    answered: int = STOP
    hinted: PageSet = EMPTY


def blocks(pages: PageSet, most_pages: int = MOST_PAGES) -> Iterator[tuple[int, int]]:
    """Cut pages into blocks (first page, pages), each a power of two and aligned to its size."""
    for run in pages:
        first = run.first
        while first < run.end:
            size = min(first & -first or most_pages, most_pages)
            while first + size > run.end:
                size >>= 1
            yield first, size
            first += size


class HintsOfDriver(DriverPart):
    """A driver that hints all its guest's free pages in every round."""

    family = FAMILY
    wishes = frozenset({GuestAction.UNUSED})

    def hinting(self, state: DriverState) -> Hinting:
        """Return what the part remembers."""
        return self.recall(state) or Hinting()

    def follow(self, state: DriverState, kind: RoundInput) -> Step:
        """Carry out the entry of :data:`ROUNDS`."""
        entry = ROUNDS[self.hinting(state).phase, kind]
        if isinstance(entry, Refusal):
            return state, ()
        step: Step = getattr(self, entry.handler)(state)
        return step

    # -- the device ---------------------------------------------------------------------------------------

    def changed(self, state: DriverState, space: bytes) -> Step:
        """Read the register, and do as it says."""
        word = space[COMMAND_ID.offset_bytes : COMMAND_ID.end_bytes]
        if not self.driver.has(state, "FREE_PAGE_HINT") or len(word) < COMMAND_ID.length_bytes:
            return state, ()
        number = int.from_bytes(word, "little")
        before = self.hinting(state)
        state = self.remember(state, replace(before, register=number))
        read = ConfigurationRead(COMMAND_ID.offset_bytes, word)
        if number < FIRST_ID:
            # HINT-10: after DONE the guest has its pages back.
            state = self.release(state) if number == DONE else state
            state, outputs = self.follow(state, RoundInput.STOPPED)
        elif self.is_new(before, number):
            state, outputs = self.follow(state, RoundInput.NEW_ID)
        else:
            outputs = ()
        return state, (read, *outputs)

    # HINT-03: an id is sent once for each time that it is published.
    def is_new(self, before: Hinting, number: int) -> bool:
        """Tell whether the register came to hold another id than before."""
        return number != before.register

    def release(self, state: DriverState) -> DriverState:
        """Give the hinted pages back to the guest."""
        return self.remember(state, replace(self.hinting(state), hinted=EMPTY))

    def returned(self, state: DriverState, _flight: Flight, _used: Used) -> Step:
        """Take a buffer back, and go on in the room that it leaves."""
        return self.go_on(state)

    def begin_round(self, state: DriverState) -> Step:
        """Send the id, and hint what is free."""
        number = self.hinting(state).register
        state = self.remember(state, replace(self.hinting(state), phase=_HINTING, answered=number))
        state, sent = self.send(state, number)
        state, hints = self.go_on(state)
        return state, (*sent, *hints)

    # One entry of the ring is left free by the hints, so that a command finds room.
    def end_round(self, state: DriverState) -> Step:
        """Send 0, or wait for room to do so; then begin the next round, if one is asked for."""
        if not self.driver.has_room(state, FREE_PAGE):
            return self.remember(state, replace(self.hinting(state), phase=_ENDING)), ()
        state, sent = self.send(state, STOP)
        state = self.remember(state, replace(self.hinting(state), phase=_IDLE))
        hinting = self.hinting(state)
        if hinting.register >= FIRST_ID and hinting.register != hinting.answered:
            state, begun = self.begin_round(state)
            return state, (*sent, *begun)
        return state, sent

    # HINT-01, HINT-30, HINT-31: 4 bytes, little-endian as this guest is.
    def send(self, state: DriverState, number: int) -> Step:
        """Make a command id available."""
        return self.driver.make_available(state, Flight(FREE_PAGE), self.encode(state, number))

    def encode(self, _state: DriverState, number: int) -> bytes:
        """Return a command id as bytes."""
        return command_id.build(CommandId(number))

    def go_on(self, state: DriverState) -> Step:
        """Hint as much as there is room for, and end the round once nothing is left to hint."""
        outputs: list[DriverOutput] = []
        for first, count in blocks(self.free(state)):
            if self.hinting(state).phase is not _HINTING or not self.may_hint(state):
                break
            state, more = self.hint(state, first, count)
            outputs += more
        if self.hinting(state).phase is _ENDING or not self.free(state):
            state, more = self.follow(state, RoundInput.EXHAUSTED)
            outputs += more
        return state, tuple(outputs)

    def may_hint(self, state: DriverState) -> bool:
        """Tell whether there is room for a hint and a command behind it."""
        taken = len(self.driver.in_flight(state, FREE_PAGE))
        return taken + 1 < max(self.driver.options.flight_limit, 2)

    # HINT-13: not what is in the balloon, or used.
    def free(self, state: DriverState) -> PageSet:
        """Return the pages that can be hinted: not used, not hinted before, and not in the balloon."""
        pages = state.unused | state.pool
        return (pages & self.driver.options.memory) - self.hinting(state).hinted - self.driver.held(state)

    # HINT-11, HINT-32: one device-writable descriptor of whole pages.
    def hint(self, state: DriverState, first: int, count: int) -> Step:
        """Hint a block."""
        hinting = self.hinting(state)
        pages = PageSet([(first, count)])
        state = self.remember(state, replace(hinting, hinted=hinting.hinted | pages))
        return self.driver.lend(state, Flight(FREE_PAGE, pages), over(pages))

    # -- the guest ----------------------------------------------------------------------------------------

    def remember_wish(self, state: DriverState, _action: GuestAction, pages: PageSet) -> DriverState:
        """Remember which pages the guest does not use. That replaces what it said before."""
        return replace(state, unused=pages)

    def act(self, state: DriverState) -> Step:
        """Hint them, if a round is under way."""
        if state.phase is not DriverPhase.RUNNING or self.hinting(state).phase is not _HINTING:
            return state, ()
        return self.go_on(state)
