"""Rounds of hints that the register alone drives: the guest is told nothing, and hints what it has free.

A round is followed to its end, so each case begins where the one before it left the driver: at rest.
"""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.free_page_hint import (
    COMMAND_ID,
    DONE,
    END_HINTS,
    FREE_PAGE,
    HINT,
    STOP,
    STOP_HINTS,
)
from balloon_spec.pages import PageSet

_QUIET_SECONDS = 0.3
_FRAGMENTS = 1000
"""More isolated pages than a virtqueue has room for hints."""
_ROUNDS = 8
_BALLOON = PageSet([(0x1000, 512)])
_FIRST = 0x80000001
"""QEMU's first command id."""
_LAST = 0xFFFFFFFF

_ABOUT = (
    *("HINT-01", "HINT-02", "HINT-03", "HINT-04", "HINT-05", "HINT-06", "HINT-10", "HINT-11", "HINT-12"),
    *("HINT-13", "HINT-14", "HINT-30", "HINT-32", "BUF-05"),
)
_HINTING = frozenset({"FREE_PAGE_HINT"})


class _Register:
    """A device that publishes command ids, and returns what comes on the free-page queue."""

    def __init__(self, hosting: Hosting) -> None:
        self.session = hosting.session
        self._hosting = hosting
        hosting.keeps |= {FREE_PAGE}

    def publish(self, value: int) -> None:
        """Set the register. The operator has a reason, of whatever kind."""
        wish = {STOP: STOP_HINTS, DONE: END_HINTS}.get(value, HINT)
        self.session.operate(wish, 0)
        self.session.announce(COMMAND_ID.offset_bytes, value.to_bytes(COMMAND_ID.length_bytes, "little"))

    def next(self, seconds: float | None = None) -> ev.Available | None:
        """Await a buffer of the queue."""
        return self._hosting.next_kept(seconds)

    def give_back(self, buffer: ev.Available) -> None:
        """Return a buffer."""
        self.session.use(buffer.queue, buffer.buffer, 0, b"")

    def hints(self) -> tuple[list[ev.Available], bool]:
        """Take the hints of a round, and return none of them; tell whether the driver ended the round."""
        held, is_ended = [], False
        while (buffer := self.next(_QUIET_SECONDS)) is not None:
            if buffer.readable:
                self.give_back(buffer)
                is_ended = not any(buffer.readable)
            else:
                held.append(buffer)
        return held, is_ended

    def serve(self) -> None:
        """Return every buffer until the driver rests: it has ended its round, if it began one."""
        while (buffer := self.next(_QUIET_SECONDS)) is not None:
            self.give_back(buffer)
        self.session.leave(self.session.settle())


def _begin(session: DriverSession, *without: str) -> tuple[Hosting, _Register]:
    """Begin with a driver that hints, and whose balloon has pages that it must not hint."""
    hosting = Hosting(session)
    if "FREE_PAGE_HINT" not in hosting.begin(*without):
        raise NotExercised("the driver did not accept FREE_PAGE_HINT")
    register = _Register(hosting)
    hosting.aim(_BALLOON.pages, inflate=_BALLOON)
    if not hosting.serve():
        raise NotExercised("the driver does not fill its balloon, from which hints are to be told")
    return hosting, register


@scenario(Side.DRIVER, *_ABOUT, features=_HINTING)
def test_rounds_that_are_followed_to_their_end(session: DriverSession) -> None:
    """Rounds of hints with and without DONE between them. The configuration changes for other reasons too.

    After STOP a driver still keeps the pages that it hinted. After DONE it has them to hint again.
    """
    hosting, register = _begin(session)
    register.publish(2)
    register.serve()
    # The target changes, and the register does not: nothing is to be sent again.
    hosting.aim(_BALLOON.pages - 8, deflate=PageSet(_BALLOON.runs) - PageSet([(0x1000, _BALLOON.pages - 8)]))
    hosting.serve()
    for value in (2, STOP, 3, STOP, DONE, _FIRST, DONE, _LAST, DONE, 2):
        register.publish(value)
        register.serve()
    hosting.aim(0, deflate=PageSet([(0x1000, _BALLOON.pages - 8)]))
    hosting.serve()
    register.publish(DONE)
    register.serve()


@scenario(Side.DRIVER, *_ABOUT, features=_HINTING)
@pytest.mark.parametrize("then", [STOP, 40], ids=["stop", "another-id"])
def test_a_round_without_room(session: DriverSession, then: int) -> None:
    """Hints are not returned until a round comes to a halt for want of room, and the round is called off.

    A guest whose free pages have no neighbours has as many hints as it has such pages. It reports none, so it
    has all of them to hint.
    """
    reporting = [one for one in ("PAGE_REPORTING",) if one in session.profile.by_name]
    hosting, register = _begin(session, *reporting)
    if session.can(Capability.STEER_GUEST):
        hosting.command("fragment", "holes", _FRAGMENTS)
    held: list[ev.Available] = []
    for number in range(4, 4 + _ROUNDS):
        register.publish(number)
        hints, is_ended = register.hints()
        held += hints
        if not is_ended:
            break
        register.publish(DONE)
        session.leave(session.settle())
    register.publish(then)
    session.leave(session.settle())
    for buffer in held:
        register.give_back(buffer)
    register.serve()
    register.publish(DONE)
    register.serve()
