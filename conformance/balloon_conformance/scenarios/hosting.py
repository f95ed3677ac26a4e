"""Serves a driver as a device that keeps every requirement; the scenarios for drivers share it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from balloon_conformance.iut.contract import AdapterError, Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_spec import events as ev
from balloon_spec.families.base import BALLOON_QUEUES, INFLATE, configuration
from balloon_spec.families.base.configuration import Configuration
from balloon_spec.judge.shape import read_content
from balloon_spec.pages import PFN_LIMIT, PageSet
from balloon_spec.queues import Queue

__all__ = ["FRAGMENTED_GUEST_PAGES", "FRAGMENTS", "Hosting", "Watch", "actual_of", "isolated"]

FRAGMENTS = (1000, 3500, 5000, 7000)
"""Isolated pages for a part of one message of 32 KiB, which holds 2048 chunks; for two, three and four."""
FRAGMENTED_GUEST_PAGES = 0x8000
"""The size of a guest that can have so many."""

_COMMAND_SECONDS = 60.0
_LISTEN_SECONDS = 0.1
_FEW = PageSet([(0x800, 16)])


def isolated(pages: int) -> PageSet:
    """Return every second page from a fixed one on, so that no two make a run."""
    return PageSet((0x1000 + 2 * page, 1) for page in range(pages))


class Watch(Protocol):
    """Looks at the pages of every inflate and deflate buffer, when it comes and before it is returned."""

    def take(self, buffer: ev.Available, pages: PageSet) -> None:
        """See a buffer that was made available."""

    def give_back(self, buffer: ev.Available, pages: PageSet) -> None:
        """See a buffer that is about to be returned."""


class Hosting:
    """The state of one device: the target, the driver's last ``actual``, and the buffers held back.

    ``held`` are the inflate and deflate buffers that were made available and not returned, oldest first;
    ``watch`` sees each of them come and go. Buffers by which a driver tells something of its own accord are
    returned as they come, except on the queues in ``keeps``, whose buffers the scenario returns.
    """

    def __init__(self, session: DriverSession) -> None:
        self.session = session
        self.target = 0
        self.actual = 0
        self.held: list[ev.Available] = []
        self.watch: Watch | None = None
        self.keeps: frozenset[Queue] = frozenset()
        self.tells_lengths = False
        """Whether a buffer is returned with the length of what was read, as some devices do (BUF-03)."""
        self._features: frozenset[str] = frozenset()

    def begin(self, *without: str) -> frozenset[str]:
        """Offer VERSION_1 and all balloon features but ``without``; return the accepted ones.

        Features that need one of those left out are not offered either.
        """
        profile = self.session.profile
        for name in without:
            if name not in profile.by_name:
                raise NotExercised(f"profile {profile.name} has no {name} to leave out")
        names = {*(feature.name for feature in profile.device_features), "VERSION_1"} - set(without)
        names -= {feature for feature, _ in profile.missing_requirements(profile.mask(names))}
        accepted = self._offer(profile.mask(names))
        if accepted is None:
            raise NotExercised("the driver refuses the features offered")
        return accepted

    def offer(self, *names: str, beside: int = 0) -> frozenset[str] | None:
        """Offer these features, VERSION_1 and the bits ``beside``; return the accepted, None if refused."""
        return self._offer(self.session.profile.mask({*names, "VERSION_1"}) | beside)

    def _offer(self, offered: int) -> frozenset[str] | None:
        accepted = self.session.negotiate(offered, self._configuration())
        if accepted is None:
            return None
        self._features = self.session.profile.names(accepted)
        return self._features

    @property
    def memory_pages(self) -> int:
        """The most 4 KiB pages that the guest has."""
        return self.session.setup.memory_pages

    def aim(self, target: int, *, inflate: PageSet | None = None, deflate: PageSet | None = None) -> None:
        """Set the target; a driver that can be steered takes or gives back the named pages."""
        self.target = target
        self.session.operate(ev.OperatorAction.TARGET, target)
        self.session.change_configuration(self._configuration())
        if self.session.can(Capability.STEER_PAGES):
            if inflate:
                self.session.steer(ev.GuestAction.INFLATE, inflate)
            if deflate:
                self.session.steer(ev.GuestAction.DEFLATE, deflate)

    def take_in(self, deadline_seconds: float | None = None) -> bool:
        """Await one act of the driver; return False if none came before the deadline."""
        event = self._await(self._is_act, deadline_seconds)
        if isinstance(event, ev.Available):
            self.held.append(event)
            if self.watch is not None:
                self.watch.take(event, self._pages(event))
        elif isinstance(event, ev.ConfigurationWritten) and event.offset == configuration.ACTUAL_OFFSET:
            self.actual = actual_of(event)
        return event is not None

    def next_kept(self, deadline_seconds: float | None = None) -> ev.Available | None:
        """Await a buffer on one of the queues in :attr:`keeps`; None if none came before the deadline."""
        event = self._await(self._is_kept, deadline_seconds)
        return event if isinstance(event, ev.Available) else None

    def _await(self, wanted: Callable[[ev.Event], bool], deadline_seconds: float | None) -> ev.Event | None:
        """Await what is the scenario's business; return to the driver what it tells meanwhile."""
        session, began = self.session, self.session.now()
        seconds = deadline_seconds
        while True:
            event = session.wait_for(lambda seen: wanted(seen) or self._is_told(seen), seconds)
            if not isinstance(event, ev.Available) or not self._is_told(event):
                return event
            session.use(event.queue, event.buffer, 0, b"")
            # A driver that is given its whole time is given it anew.
            if deadline_seconds is not None and deadline_seconds < session.deadline_seconds:
                seconds = max(began + deadline_seconds - session.now(), 0.0)

    def give_back(self, at: int = 0) -> None:
        """Return the held buffer at this place."""
        event = self.held.pop(at)
        if self.watch is not None:
            self.watch.give_back(event, self._pages(event))
        length = len(event.readable) if self.tells_lengths else 0
        self.session.use(event.queue, event.buffer, length, b"")

    def serve(self) -> bool:
        """Return every buffer as it comes until the driver reaches the target; False if it stops before."""
        while self.actual != self.target or self.held:
            if self.held:
                self.give_back()
            elif not self.take_in():
                return False
        return True

    def move_a_few(self) -> bool:
        """Have a few pages inflated and deflated; return False if the driver stops before."""
        return self.move(_FEW)

    def move(self, pages: PageSet) -> bool:
        """Have as many pages inflated and deflated, these if the driver can be steered; False as above."""
        for target, given, wanted in ((pages.pages, pages, None), (0, None, pages)):
            self.aim(target, inflate=given, deflate=wanted)
            if not self.serve():
                return False
        return True

    def command(self, command: str, *words: str | int) -> str:
        """Give the guest a command and serve the driver until it is carried out."""
        self.session.command_guest(command, *words)
        until = self.session.now() + _COMMAND_SECONDS
        while self.session.now() < until:
            answer = self.session.guest_answer(_LISTEN_SECONDS)
            if answer is not None:
                return answer
            while self.take_in(0.0):
                while self.held:
                    self.give_back()
        raise AdapterError(f"the guest did not answer {command} within {_COMMAND_SECONDS:g} s")

    def serve_for(self, seconds: float, quiet_seconds: float) -> None:
        """Return every buffer as it comes until the driver rests, for at most ``seconds``.

        This is for targets that a driver cannot reach, because it may try again for ever.
        """
        until = self.session.now() + seconds
        while self.session.now() < until:
            while self.held:
                self.give_back()
            if not self.take_in(quiet_seconds):
                return

    def serve_on_its_way(self, seconds: float, quiet_seconds: float) -> None:
        """Do as :meth:`serve_for`, and end as soon as the driver has reached the target.

        A driver that was there before, and does nothing, is given the quiet time like any other.
        """
        until = self.session.now() + seconds
        came = False
        while self.session.now() < until and not (came and self.actual == self.target and not self.held):
            while self.held:
                self.give_back()
            if not self.take_in(quiet_seconds):
                return
            came = True

    def serve_patiently(self, seconds: float) -> None:
        """Serve the driver until it reaches the target, through pauses of any length, for ``seconds`` in all.

        This is for a guest that was short of memory and needs time to recover.
        """
        until = self.session.now() + seconds
        while self.session.now() < until and (self.actual != self.target or self.held):
            while self.held:
                self.give_back()
            self.take_in(_LISTEN_SECONDS)

    def _pages(self, event: ev.Available) -> PageSet:
        """Return the existing pages that a buffer names. Nobody can read or write the others."""
        known = self.session.judge.memory
        everything = PageSet([(0, PFN_LIMIT)]) if known is None else known
        return read_content(INFLATE, event.readable, everything, self._features).pages

    def _is_act(self, event: ev.Event) -> bool:
        """Tell whether the event is one that a device answers, or a write of ``actual``."""
        if isinstance(event, ev.Available):
            return self.session.queue(event.queue) in BALLOON_QUEUES
        return isinstance(event, ev.ConfigurationWritten)

    def _is_kept(self, event: ev.Event) -> bool:
        return isinstance(event, ev.Available) and self.session.queue(event.queue) in self.keeps

    def _is_told(self, event: ev.Event) -> bool:
        """Tell whether the event is a buffer that asks for nothing but its return."""
        queue = self.session.queue(event.queue) if isinstance(event, ev.Available) else None
        if queue is None or queue in BALLOON_QUEUES | self.keeps:
            return False
        return not queue.held and queue.written is None

    def _configuration(self) -> bytes:
        return configuration.build(Configuration(self.target, self.actual))


def actual_of(event: ev.ConfigurationWritten) -> int:
    """Return the value of ``actual`` after a store of any length."""
    return int.from_bytes(event.data[: configuration.LENGTH_BYTES - configuration.ACTUAL_OFFSET], "little")
