"""Rounds of hints: what ``free_page_hint_cmd_id`` held, and what the driver made of it.

A round is begun and ended by the driver, with a command id each. :data:`ROUND` is its state machine. Ids are
kept as sets of numbers, because devices count them up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from balloon_spec import events as ev
from balloon_spec.families.free_page_hint import (
    COMMAND_ID,
    DONE,
    END_HINTS,
    FIRST_ID,
    FREE_PAGE,
    HINT,
    STOP,
    STOP_HINTS,
)
from balloon_spec.judge.companion import Companion
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.wire.layout import swapped

__all__ = ["ROUND", "Command", "Owed", "Phase", "Rounds", "command_of", "word_of"]


class Phase(StrEnum):
    """How far a round has come, by what the driver sent."""

    IDLE = "idle"
    """No round is begun."""
    BEGUN = "begun"
    """An id was sent, and 0 was not: hints are of this round."""
    UNCLEAR = "unclear"
    """What was sent is no command id, and may be taken for one: of which round hints are, nobody can tell."""


class Command(StrEnum):
    """What a device-readable buffer says."""

    START = "start"
    """A command id that is not 0."""
    STOP = "stop"
    """0."""
    BROKEN = "broken"
    """Bytes that are no command id, or one beside hints."""


ROUND: Final[Mapping[tuple[Phase, Command], Phase]] = MappingProxyType(
    {
        (Phase.IDLE, Command.START): Phase.BEGUN,
        (Phase.IDLE, Command.STOP): Phase.IDLE,
        (Phase.IDLE, Command.BROKEN): Phase.UNCLEAR,
        (Phase.BEGUN, Command.START): Phase.BEGUN,
        (Phase.BEGUN, Command.STOP): Phase.IDLE,
        (Phase.BEGUN, Command.BROKEN): Phase.UNCLEAR,
        (Phase.UNCLEAR, Command.START): Phase.BEGUN,
        (Phase.UNCLEAR, Command.STOP): Phase.IDLE,
        (Phase.UNCLEAR, Command.BROKEN): Phase.UNCLEAR,
    }
)
"""The round after a command, by the round before it."""


class Owed(StrEnum):
    """What the operator's wish asks of the device: which value it is to publish."""

    NOTHING = "nothing"
    AN_ID = "an id"
    STOP = "stop"
    DONE = "done"


_OWED: Final[Mapping[ev.OperatorAction, Owed]] = MappingProxyType(
    {HINT: Owed.AN_ID, STOP_HINTS: Owed.STOP, END_HINTS: Owed.DONE}
)


def word_of(event: ev.Event) -> int | None:
    """Return the command id that an event shows in the configuration space; None if it shows none."""
    if not isinstance(event, ev.ConfigurationRead | ev.ConfigurationChanged):
        return None
    word = COMMAND_ID.within(event.offset if isinstance(event, ev.ConfigurationRead) else 0, event.data)
    return None if word is None else int.from_bytes(word, "little")


def command_of(buffer: InFlight) -> Command | None:
    """Return what a buffer of the free-page queue says; None for hints."""
    event = buffer.event
    if not event.readable:
        return None
    if buffer.is_malformed:
        return Command.BROKEN
    return Command.START if any(event.readable) else Command.STOP


def _number(number: int) -> PageSet:
    return PageSet([(number, 1)])


@dataclass(slots=True, eq=False)
class Rounds(Companion):
    """The values of the register, the rounds of the driver, and what the operator wants; see each field."""

    current: int | None = None
    """The value that was published last: announced, or an id or DONE that was read. None if none was seen."""
    former: int | None = None
    """The one before it; a read that was on its way may show it still."""
    announced: int | None = None
    """The value of the last configuration change, or the first that was seen."""
    silent: int | None = None
    """A published value that was read, and of which no configuration change told."""
    published: PageSet = EMPTY
    """The ids that were published since the reset."""
    unfinished: PageSet = EMPTY
    """Those of them that may not be used again: the driver has not sent 0 since."""
    read_by_driver: int | None = None
    """What the driver was last seen to read there."""
    phase: Phase = Phase.IDLE
    round: int | None = None
    """The id that the driver sent last; None before the first."""
    byteorder: str = ""
    """The order of its bytes, if that showed: that of the guest on the legacy interface."""
    sent: PageSet = EMPTY
    """The ids that it sent since they were published."""
    hinted_in_round: bool = False
    """The round has a hint."""
    owed: Owed = Owed.NOTHING
    """What the operator's last wish asks of the device, and it has not done yet."""
    overdue: bool = False
    """The device was given its time since."""
    showed_stop: bool = False
    """The register showed 0 already when the operator wished for that: to read 0 there tells nothing."""
    asks: bool = False
    """An id was published since DONE."""
    settled: bool = False
    """The driver was given its time since the register came to say that no hints are wanted."""
    stopped_in_round: bool = False
    """It came to say so in a round, and the driver was not given its time since."""
    overwritten: int | None = None
    """What would stand there if the driver's last write had an effect; None once it was read."""
    unused: PageSet | None = None
    """The pages that the guest does not use; None if nobody said."""
    kept_back: PageSet = EMPTY
    """The pages that were hinted since DONE, and that the guest was not seen to use."""
    given_back: PageSet = EMPTY
    """Those that were hinted before it, and not since; the driver knows of the DONE."""
    released: PageSet = EMPTY
    """Those that were hinted before a DONE that the driver was not seen to read, nor given its time for."""
    hinted_since_published: bool = False
    """A page was hinted since the current value was published."""
    left: int | None = None
    """The id that was published last when the device was reset."""

    @property
    def is_asked(self) -> bool:
        """Whether hints are wanted, by the value that was published last."""
        return self.current is not None and self.current >= FIRST_ID

    @property
    def is_of_current(self) -> bool | None:
        """Whether a hint that comes now is of the current id; None if nobody can tell."""
        if self.phase is Phase.UNCLEAR or self.current is None:
            return None
        return self.phase is Phase.BEGUN and self.is_asked and self.round == self.current

    def published_by(self, event: ev.Event) -> int | None:
        """Return the value that an event shows to be published, None if it is none or the same as before.

        A device may show 0 while it takes hints, and publishes nothing by that: 0 is published by a
        configuration change.
        """
        value = word_of(event)
        if value is None or value == self.current:
            return None
        if isinstance(event, ev.ConfigurationChanged) or self.current is None:
            return value
        return None if value in {STOP, self.former} else value

    def may_be_taken_back(self, buffer: InFlight) -> bool:
        """Tell whether a buffer is a hint, whose pages the guest may have again at any time (HINT-07)."""
        return buffer.queue is FREE_PAGE and not buffer.event.readable

    def number_of(self, buffer: InFlight) -> int:
        """Return the command id of a buffer, in the byte order of the guest if that shows."""
        number = int.from_bytes(buffer.event.readable, "little")
        turned = swapped(number, COMMAND_ID.length_bytes)
        is_legacy = not self.exchange[Session].has("VERSION_1")
        return turned if is_legacy and number not in self.published and turned in self.published else number

    def order_of(self, buffer: InFlight) -> str:
        """Return in which order of bytes a command id was published; empty if in none, or in both."""
        number = int.from_bytes(buffer.event.readable, "little")
        turned = swapped(number, COMMAND_ID.length_bytes)
        if (number in self.published) == (turned in self.published):
            return ""
        return "little" if number in self.published else "big"

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in a value of the register, a buffer of the queue, or a wish."""
        if isinstance(event, ev.Guest):
            self._guest(event)
        if not self.exchange[Session].has("FREE_PAGE_HINT"):
            return
        match event:
            case ev.Available() if buffer is not None and buffer.queue is FREE_PAGE:
                self._available(buffer)
            case ev.ConfigurationRead() | ev.ConfigurationChanged():
                self._shown(event)
            case ev.ConfigurationWritten() if COMMAND_ID.is_touched(event.offset, len(event.data)):
                self._overwritten(event)
            case ev.Operator() if event.action in _OWED and self.exchange[Session].driver_ok:
                self._wish(_OWED[event.action])
            case ev.Quiet() if event.side is ev.Side.DEVICE:
                self.overdue, self.silent = self.owed is not Owed.NOTHING, None
            case ev.Quiet():
                self.settled, self.stopped_in_round = not self.is_asked, False
                self._know_done(known=event.seconds > 0)
            case _:
                pass

    def _available(self, buffer: InFlight) -> None:
        command = command_of(buffer)
        if command is None:
            pages = buffer.content.intended
            self.hinted_in_round = self.hinted_since_published = True
            self.kept_back |= pages
            self.given_back -= pages
            self.released -= pages
            return
        self.phase = ROUND[self.phase, command]
        if command is Command.STOP:
            self.unfinished, self.stopped_in_round = EMPTY, False
        elif command is Command.START:
            self.round, self.hinted_in_round = self.number_of(buffer), False
            self.sent |= _number(self.round)
            self.byteorder = self.byteorder or self.order_of(buffer)

    def _shown(self, event: ev.ConfigurationRead | ev.ConfigurationChanged) -> None:
        value, new = word_of(event), self.published_by(event)
        if value is None:
            return
        if new is not None:
            self._publish(new)
        if isinstance(event, ev.ConfigurationRead):
            self.read_by_driver, self.overwritten = value, None
            self._know_done(known=value == DONE)
        if isinstance(event, ev.ConfigurationChanged) or self.announced is None:
            self.announced, self.silent = value, None
        elif new is not None and self.exchange[Session].driver_ok:
            self.silent = new
        if self.answers(event):
            self.owed, self.overdue = Owed.NOTHING, False

    def _publish(self, value: int) -> None:
        self.former, self.current = self.current, value
        self.settled = self.hinted_since_published = False
        if value >= FIRST_ID:
            self.published |= _number(value)
            self.unfinished |= _number(value)
            self.sent -= _number(value)
            self.asks, self.stopped_in_round = True, False
            return
        if value == DONE:
            self.asks = False
            self.released, self.kept_back = self.released | self.kept_back, EMPTY
        self.stopped_in_round = self.phase is not Phase.IDLE

    def _know_done(self, *, known: bool) -> None:
        """Take in that the driver knows of a DONE, even if another id was published since."""
        if known:
            self.given_back, self.released = self.given_back | self.released, EMPTY

    def _overwritten(self, event: ev.ConfigurationWritten) -> None:
        if self.current is None:
            return
        before = self.current.to_bytes(COMMAND_ID.length_bytes, "little")
        self.overwritten = int.from_bytes(bytes(COMMAND_ID.after(before, event.offset, event.data)), "little")

    def _guest(self, event: ev.Guest) -> None:
        if event.action is ev.GuestAction.UNUSED:
            self.unused = event.pages
        elif event.action is ev.GuestAction.USE:
            self.kept_back -= event.pages
            self.given_back -= event.pages
            self.released -= event.pages
            self.unused = None if self.unused is None else self.unused - event.pages

    def answers(self, event: ev.ConfigurationRead | ev.ConfigurationChanged) -> bool:
        """Tell whether an event shows the value that the operator's wish asks for."""
        value = word_of(event)
        if value is None:
            return False
        match self.owed:
            case Owed.AN_ID:
                return value >= FIRST_ID or value == DONE
            case Owed.STOP if value == STOP and self.showed_stop:
                return isinstance(event, ev.ConfigurationChanged)
            case Owed.STOP:
                return value < FIRST_ID
            case Owed.DONE:
                return value == DONE
            case Owed.NOTHING:
                return False

    def _wish(self, owed: Owed) -> None:
        """Take a wish in; a device that published no id has nothing to stop, and none to end."""
        self.overdue, self.showed_stop = False, self.read_by_driver == STOP
        idle = self.current == DONE if owed is Owed.DONE else not self.is_asked
        self.owed = Owed.NOTHING if owed is not Owed.AN_ID and (idle or not self.asks) else owed

    def after_reset(self) -> Self:
        """Leave the id that stood there: a reset ends all rounds."""
        return type(self)(self.exchange, left=self.current if self.is_asked else None, unused=self.unused)
