"""Rounds of hints by a driver that runs freely: stopped, overtaken, and repeated with its buffers held."""

from __future__ import annotations

from collections import deque
from typing import Final

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import Hosting, isolated
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.free_page_hint import COMMAND_ID, DONE, FREE_PAGE, STOP
from balloon_spec.pages import PageSet

_FEATURES: Final = frozenset({"FREE_PAGE_HINT"})
_FIRST, _SECOND = 0x80000001, 2
"""An id as QEMU's first one, and the least there is."""
_BLOCKS: Final = isolated(600)
"""More free blocks than a ring of 256 entries takes at once, for a driver that can be steered."""
_WHOLE: Final = PageSet([(0x1000, 2048)])
_MOST_BUFFERS: Final = 10_000


class _Asking:
    """A device that asks for hints; ``held`` are the buffers that it has not returned, oldest first."""

    def __init__(self, session: DriverSession, free: PageSet) -> None:
        self.session = session
        self.hosting = Hosting(session)
        self.held: deque[ev.Available] = deque()
        self._free = free

    def begin(self, *without: str) -> None:
        """Offer every feature but ``without``, and say what is free if somebody listens."""
        if "FREE_PAGE_HINT" not in self.hosting.begin(*without):
            raise NotExercised("the driver did not accept FREE_PAGE_HINT")
        self.session.settle(self.session.quiet_seconds)
        if self.session.can(Capability.STEER_PAGES):
            self.session.steer(ev.GuestAction.UNUSED, self._free)

    def publish(self, value: int) -> None:
        """Show a value, and tell the driver."""
        self.session.announce(COMMAND_ID.offset_bytes, value.to_bytes(COMMAND_ID.length_bytes, "little"))

    def take(self) -> ev.Available | None:
        """Hold the next buffer; None if none comes."""
        event = self.session.wait_for(
            lambda one: isinstance(one, ev.Available) and self.session.queue(one.queue) is FREE_PAGE
        )
        if not isinstance(event, ev.Available):
            return None
        self.held.append(event)
        return event

    def hold_all(self) -> None:
        """Hold buffers until the driver makes no more available."""
        while len(self.held) < _MOST_BUFFERS and self.take() is not None:
            pass

    def give_back(self) -> None:
        """Return every buffer that is held."""
        while self.held:
            one = self.held.popleft()
            self.session.use(one.queue, one.buffer, 0, b"")

    def serve(self) -> None:
        """Return buffers as they come, up to the end of the round, or until none come."""
        self.give_back()
        while (event := self.take()) is not None:
            self.give_back()
            if event.readable and not any(event.readable):
                return

    def rest(self) -> None:
        """Return what comes until the driver rests."""
        while True:
            self.give_back()
            if self.take() is None:
                return


@scenario(
    Side.DRIVER,
    *("HINT-01", "HINT-02", "HINT-03", "HINT-04", "HINT-06", "HINT-10", "HINT-11", "HINT-12", "HINT-30"),
    features=_FEATURES,
)
def test_hints_before_and_after_done(session: DriverSession) -> None:
    """DONE gives the hinted pages back, so that the next round has hints again."""
    asking = _Asking(session, _WHOLE)
    asking.begin()
    for number in (_FIRST, _SECOND, _FIRST + 1):
        asking.publish(number)
        asking.serve()
        asking.publish(DONE)
        asking.rest()


@scenario(Side.DRIVER, "HINT-02", "HINT-03", "HINT-06", features=_FEATURES)
def test_hints_between_two_stops(session: DriverSession) -> None:
    """After STOP the driver answers the next id, with hints or without, and ends each round."""
    asking = _Asking(session, _WHOLE)
    asking.begin()
    for number in (_FIRST, _SECOND):
        asking.publish(number)
        asking.serve()
        asking.publish(STOP)
        asking.rest()


@scenario(Side.DRIVER, "HINT-05", "HINT-06", features=_FEATURES)
def test_stop_while_hints_are_held(session: DriverSession) -> None:
    """A driver that is told to stop while its hints are with the device hints no more once they return."""
    _call_off(session, STOP)


@scenario(Side.DRIVER, "HINT-05", "HINT-06", features=_FEATURES)
def test_done_while_hints_are_held(session: DriverSession) -> None:
    """A driver that has its pages back while its hints are with the device does not hint them again."""
    _call_off(session, DONE)


def _call_off(session: DriverSession, value: int) -> None:
    asking = _Asking(session, _BLOCKS)
    asking.begin()
    asking.publish(_FIRST)
    asking.hold_all()
    asking.publish(value)
    asking.hold_all()
    asking.rest()


@scenario(Side.DRIVER, "HINT-02", "HINT-03", "HINT-06", "HINT-12", features=_FEATURES)
def test_another_id_while_hints_are_held(session: DriverSession) -> None:
    """A driver that is asked anew while its hints are with the device ends one round and begins the other."""
    asking = _Asking(session, _BLOCKS)
    asking.begin()
    asking.publish(_FIRST)
    asking.hold_all()
    asking.publish(_SECOND)
    asking.hold_all()
    asking.rest()


@scenario(Side.DRIVER, "HINT-03", "HINT-13", "HINT-14", features=_FEATURES)
def test_the_target_changes_after_a_round(session: DriverSession) -> None:
    """A change that leaves the id as it is begins no round, and what is inflated is not hinted."""
    asking = _Asking(session, _WHOLE)
    asking.begin()
    asking.publish(_FIRST)
    asking.serve()
    if not asking.hosting.move_a_few():
        return
    asking.rest()
    asking.hosting.aim(16, inflate=PageSet([(0x800, 16)]))
    if not asking.hosting.serve():
        return
    asking.publish(DONE)
    asking.rest()
    asking.publish(_SECOND)
    asking.serve()


@scenario(Side.DRIVER, "HINT-02", "HINT-06", "HINT-12", features=_FEATURES)
def test_a_reset_while_hints_are_held(session: DriverSession) -> None:
    """A driver that begins anew owes nothing of the round before, and answers the next id."""
    asking = _Asking(session, _BLOCKS)
    asking.begin()
    asking.publish(_FIRST)
    asking.hold_all()
    session.reset()
    asking.held.clear()
    asking.begin()
    asking.publish(_SECOND)
    asking.rest()


@scenario(Side.DRIVER, "HINT-31", "HINT-03", "HINT-06", "HINT-12", features=_FEATURES)
def test_hints_over_the_legacy_interface(session: DriverSession) -> None:
    """Without VERSION_1 every id that is sent has the same order of bytes: the guest's."""
    asking = _Asking(session, _WHOLE)
    asking.begin("VERSION_1")
    for number in (_FIRST, _FIRST + 1, _FIRST + 2):
        asking.publish(number)
        asking.serve()
        asking.publish(DONE)
        asking.rest()


@scenario(Side.DRIVER, "MQ-03", "QUEUE-02", "HINT-01", "HINT-12", features=_FEATURES)
def test_hints_without_the_queues_around_theirs(session: DriverSession) -> None:
    """The queue of the hints has the number by which the driver counts, before a reset and after it."""
    for without in (("STATS_VQ",), ("STATS_VQ", *_beside_hints(session))):
        asking = _Asking(session, _WHOLE)
        asking.begin(*without)
        asking.publish(_FIRST)
        asking.serve()
        asking.rest()
        session.reset()


def _beside_hints(session: DriverSession) -> tuple[str, ...]:
    """Return the feature whose queue stands behind that of the hints, if the profile has it."""
    return tuple(name for name in ("PAGE_REPORTING",) if name in session.profile.by_name)
