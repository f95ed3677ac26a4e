"""The pages of guest memory that a device may discard, and those that it must leave alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from balloon_spec import events as ev
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PageSet

__all__ = ["GuestMemory"]


@dataclass(slots=True, eq=False)
class GuestMemory(Ledger):
    """What a device may do to the pages of guest memory, and what malformed buffers may still do to them."""

    may_be_discarded: PageSet = EMPTY
    """The pages that were named in an inflate buffer, and not yet taken back."""
    forbidden: dict[str, PageSet] = field(default_factory=dict)
    """Pages a device must leave alone, by the requirement that says why."""
    suspects: bool = False
    """A malformed buffer, or a broken ring, was seen whose effect may still show when memory is looked at."""
    nameless: frozenset[str] = frozenset()
    """The trials of those among them that name no pages, so that their effect shows anywhere."""
    all_was_shown: bool = False
    """All memory was looked at after every malformed buffer had come back; the next one is judged afresh."""

    @property
    def left_to_device(self) -> PageSet:
        """The pages that a device may discard, by what all families say."""
        pages = self.may_be_discarded
        for companion in self.exchange.companions:
            pages |= companion.lets_go()
        return pages

    def taken_back(self, event: ev.Used) -> PageSet:
        """Return what the return of a deflate buffer takes back; until then it may be discarded."""
        buffer = self.exchange[Buffers].in_flight.get((event.queue, event.buffer))
        if buffer is None or buffer.queue is not DEFLATE:
            return EMPTY
        return buffer.content.pages & self.may_be_discarded

    def comes_back(self, event: ev.Used) -> PageSet:
        """Return the pages that are the guest's again by the return of a buffer, as other families say."""
        buffer = self.exchange[Buffers].in_flight.get((event.queue, event.buffer))
        return EMPTY if buffer is None else PageSet.union(pages for _, pages in self._comes_back(buffer))

    def _comes_back(self, buffer: InFlight) -> Iterator[tuple[str, PageSet]]:
        for companion in self.exchange.companions:
            yield from companion.takes_back(buffer)

    def permitted(self, event: ev.Overwritten) -> PageSet:
        """Return the pages of which a device may have changed the bytes that it changed."""
        return PageSet.union(one.permits(event) for one in self.exchange.companions)

    def forbidden_by(self, requirement: str) -> PageSet:
        """Return the pages that the requirement forbids to touch, by what buffers named."""
        return self.forbidden.get(requirement, EMPTY)

    def forbidden_now(self) -> Mapping[str, PageSet]:
        """Return what a device must leave alone, by the requirement, with what other families say."""
        forbidden = dict(self.forbidden)
        for companion in self.exchange.companions:
            for requirement, pages in companion.left_alone():
                forbidden[requirement] = forbidden.get(requirement, EMPTY) | pages
        return forbidden

    def _forbid(self, requirement: str, pages: PageSet) -> None:
        if pages:
            self.forbidden[requirement] = self.forbidden_by(requirement) | pages

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in a buffer that names pages, one that takes them back, or a look at memory."""
        match event:
            case ev.Available() if buffer is not None:
                self._available(event, buffer)
            case ev.Used() if buffer is not None and buffer.queue is DEFLATE:
                back = buffer.content.pages - self.exchange[Balloon].named
                self.may_be_discarded -= back
                self._forbid("DEF-08", back)
            case ev.Used() if buffer is not None:
                for requirement, back in self._comes_back(buffer):
                    self._forbid(requirement, back)
            case ev.RingBroken(side=ev.Side.DRIVER):
                self.suspects = True
            case ev.Discarded():
                memory = self.exchange[Session].memory
                flying = self.exchange[Buffers]
                # What a device makes of a broken ring may show until the reset.
                returned = not any(one.is_malformed for one in flying.in_flight.values())
                returned = returned and not flying.broken_rings
                whole = memory is not None and memory <= event.looked
                self.all_was_shown = self.suspects and whole and returned
            case _:
                pass

    def _available(self, event: ev.Available, buffer: InFlight) -> None:
        if self.all_was_shown:
            # What is found from here on is not the effect of malformed buffers that came back before.
            self.all_was_shown, self.suspects, self.nameless = False, False, frozenset()
            self.forbidden = {
                name: pages for name, pages in self.forbidden.items() if name in self.exchange.trials.lasting
            }
        self.suspects |= buffer.is_malformed
        self.nameless |= buffer.content.trials.intersection(self.exchange.trials.by_stray)
        if buffer.queue is not DEFLATE:
            for requirement, harm in buffer.content.forbidden:
                self._forbid(requirement, harm)
        pages, session = buffer.content.pages, self.exchange[Session]
        if buffer.queue is INFLATE:
            self.may_be_discarded |= pages
            self.forbidden["DEF-07"] = self.forbidden_by("DEF-07") - pages
        elif buffer.astray is not None and session.queues.get(event.queue) is INFLATE:
            # The driver took the wrong queue, and the device may act on it.
            self.may_be_discarded |= buffer.astray.pages
        elif buffer.queue is DEFLATE:
            known = self.exchange[Balloon].named, self.may_be_discarded, self.forbidden_by("DEF-08")
            for one in known:
                pages -= one
            self._forbid("DEF-07", pages)
        for companion in self.exchange.companions:
            for requirement, left_alone in companion.forbids(buffer):
                self._forbid(requirement, left_alone)

    def after_reset(self) -> Self:
        """Leave what was named, discarded or not, and taken back or not: the guest has it again."""
        before = (self.left_to_device, self.forbidden_by("RESET-06"), self.forbidden_by("DEF-08"))
        forbidden = {"RESET-06": PageSet.union(before)}
        for name in self.exchange.trials.outliving:
            forbidden[name] = self.forbidden_by(name) - self.may_be_discarded
        return type(self)(self.exchange, forbidden=forbidden)
