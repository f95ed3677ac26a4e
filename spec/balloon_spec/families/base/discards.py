"""What looks at guest memory show of the pages of returned inflate buffers, and the rule about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from balloon_spec import events as ev
from balloon_spec.events import Discarded
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.given_back import (
    Circumstances,
    GivenBack,
    LeftBehind,
    Since,
    blame,
    host_page_of,
)
from balloon_spec.families.base.guest_memory import GuestMemory
from balloon_spec.judge import trials
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.page_map import PageMap, Piece
from balloon_spec.pages import EMPTY, PageSet

__all__ = ["Discards", "Look"]


_MOST_NAMES = 1024
"""What becomes of a page is kept for so many returned buffers that name it, the newest."""


_MOST_LEFT = 4096
"""Under one and the same circumstances, what so many buffers left says all that there is to say."""


@dataclass(slots=True, eq=False)
class _Returned:
    """An inflate buffer that was returned, and whose pages have not all been looked at since.

    ``number`` is that of the buffer, ``inflations`` the inflate buffers that the device was notified of up to
    its return, and ``order`` how many such buffers were returned before. ``pages`` is how many are awaited:
    those that no look has shown yet, and that were not taken back. ``lost_track`` says that too many later
    buffers named one of its pages again: what becomes of that page is not held against this buffer any more.
    """

    form: str
    tests: frozenset[str]
    asked: bool
    number: int
    inflations: int
    at_seconds: float
    order: int
    pages: int
    lost_track: bool = False


_Names = tuple[_Returned, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at memory shows of each buffer of which it looks at awaited pages.

    ``blamed`` are those of which pages are missing, with what that breaks; None for no more than INF-07.
    ``able`` and ``host_page`` are the fields of :class:`Discards` after the look.
    """

    shown: tuple[LeftBehind, ...]
    blamed: tuple[tuple[LeftBehind, str | None], ...]
    able: Mapping[Circumstances, float]
    host_page: int


@dataclass(slots=True, eq=False)
class Discards(Ledger):
    """What the device was seen to discard of what it was to discard, and what it left."""

    discarded: PageSet = EMPTY
    """Pages seen discarded and not since taken back."""
    awaited: PageMap[_Names] = field(default_factory=PageMap)
    """The pages of returned inflate buffers that were neither looked at nor taken back since, each with the
    last few buffers that named it."""
    returned: int = 0
    """How many inflate buffers with such pages were returned since the reset."""
    inflations: int = 0
    """How many inflate buffers the device was notified of since the reset."""
    able: Mapping[Circumstances, float] = field(default_factory=dict)
    """The circumstances under which the device was seen to discard all pages of a buffer, and how soon."""
    losses: Mapping[tuple[str, frozenset[str]], str] = field(default_factory=dict)
    """What was blamed for pages that were left behind so far."""
    left: tuple[LeftBehind, ...] = ()
    """Pages that were left, if no more than INF-07 could be said."""
    host_page: int = 0
    """The largest host page, in pages of 4 KiB, that explains every discard seen; 0 before the first."""

    def shown_by(self, event: ev.Discarded) -> Look:
        """Return what a look shows, as long as it was not taken in."""
        able, shown = dict(self.able), []
        for one, looked in self._awaited_at(event):
            seen = self._look_at(one, looked, event)
            shown.append(seen)
            if not seen.missing and looked.pages == one.pages and not one.lost_track:
                before = able.get(seen.circumstances, seen.waited_seconds)
                able[seen.circumstances] = min(before, seen.waited_seconds)
        host_page = self._host_page_after(event)
        blamed = [(one, blame(one, able, host_page, losses=self.losses)) for one in shown if one.missing]
        return Look(tuple(shown), tuple(blamed), able, host_page)

    def awaited_of(self, pages: PageSet) -> PageSet:
        """Return those of ``pages`` that a device which discards at all should have discarded by now."""
        runs = ((start, end - start) for start, end, _ in self.awaited.within(pages))
        return PageSet(runs) - self.discarded

    def _keeps_memory(self) -> bool:
        """Tell whether the device has a reason to leave for now what it was named."""
        return any(one.keeps_memory() for one in self.exchange.companions)

    @property
    def given_back(self) -> GivenBack:
        """What the device gave back of the memory it was named, and what it left."""
        return GivenBack(dict(self.able), self.left, self.host_page)

    def _awaited_at(self, event: ev.Discarded) -> list[tuple[_Returned, PageSet]]:
        """Return each buffer of which awaited pages are looked at, and those pages, in their order."""
        runs: dict[_Returned, list[tuple[int, int]]] = {}
        for start, end, buffers in self.awaited.within(event.looked):
            for one in buffers:
                runs.setdefault(one, []).append((start, end - start))
        return [(one, PageSet(runs[one])) for one in sorted(runs, key=_order)]

    def _look_at(self, one: _Returned, looked: PageSet, event: ev.Discarded) -> LeftBehind:
        asked_now = self._keeps_memory()
        missing = looked - self.discarded - event.pages
        if missing:
            since = Since.INFLATED if self.inflations > one.inflations else Since.SOMETHING
            asked = one.asked or asked_now
        else:
            newest = self.exchange[Buffers].count == one.number + 1
            since = Since.NOTHING if newest else Since.SOMETHING
            asked = one.asked and asked_now
        seen = Circumstances(one.form, self.exchange[Session].features, one.tests, since, asked)
        waited = (self.exchange.now_seconds or 0.0) - one.at_seconds
        if not (missing or looked & event.late):
            waited -= event.seconds
        return LeftBehind(seen, self.exchange.event, looked, missing, waited)

    def _host_page_after(self, event: ev.Discarded) -> int:
        """Return ``host_page`` with what a look finds discarded."""
        # Beside a page that was seen discarded before, and is filled again, nothing ends.
        before = self.discarded, self.exchange[GuestMemory].forbidden_by("DEF-08")
        shown = host_page_of(event.pages, event.looked, *before)
        return min(filter(None, (self.host_page, shown)), default=0)

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in an inflate buffer, a return, or a look at memory."""
        match event:
            case ev.Available() if buffer is not None and buffer.queue is INFLATE:
                self.inflations += event.notified is True
            case ev.Used() if buffer is not None and buffer.queue is INFLATE:
                if buffer.content.firm and not buffer.event.writable_bytes:
                    self._await(buffer)
            case ev.Used() if buffer is not None and buffer.queue is DEFLATE:
                back = buffer.content.pages - self.exchange[Balloon].named
                self.discarded -= back
                _let_go(self.awaited.remove(back))
            case ev.Guest() if event.action is ev.GuestAction.USE:
                # Who writes to a page fills it again.
                self.discarded -= event.pages
            case ev.Used() if buffer is not None:
                self.discarded -= self.exchange[GuestMemory].comes_back(event) - self.exchange[Balloon].named
            case ev.Discarded():
                self._look(event)
            case _:
                pass

    def _await(self, buffer: InFlight) -> None:
        one = _Returned(
            buffer.shape.name,
            buffer.trials & frozenset(self.exchange.trials.by_discard),
            self._keeps_memory(),
            buffer.number,
            self.inflations,
            self.exchange.now_seconds or 0.0,
            self.returned,
            buffer.content.firm.pages,
        )
        self.returned += 1
        self.awaited.change(buffer.content.firm, partial(_named_again, one))

    def _look(self, event: ev.Discarded) -> None:
        look = self.shown_by(event)
        # What comes late is not lost.
        left = [_without(one, event.pages) for one in self.left]
        losses = dict(self.losses)
        kinds = Counter(one.circumstances for one in left)
        for one, name in look.blamed:
            kind = one.circumstances
            if name is not None:
                losses.setdefault((kind.form, kind.tests), name)
            elif kinds[kind] < _MOST_LEFT:
                kinds[kind] += 1
                left.append(one)
        self.left, self.losses = tuple(one for one in left if one.missing), losses
        self.able, self.host_page = look.able, look.host_page
        self.discarded |= event.pages
        _let_go(self.awaited.remove(event.looked))

    def after_reset(self) -> Self:
        """Leave what the device was seen to do and to leave undone; no page is awaited any more."""
        return type(self)(
            self.exchange, able=self.able, losses=self.losses, left=self.left, host_page=self.host_page
        )


def _order(one: _Returned) -> int:
    return one.order


def _let_go(pieces: Iterable[Piece[_Names]]) -> None:
    """Note that pages of returned buffers are awaited no more."""
    for start, end, buffers in pieces:
        for one in buffers:
            one.pages -= end - start


def _without(one: LeftBehind, pages: PageSet) -> LeftBehind:
    return one if one.missing.isdisjoint(pages) else replace(one, missing=one.missing - pages)


def _named_again(one: _Returned, before: _Names | None) -> _Names:
    """Add a buffer to those that named a page."""
    named = (*(before or ()), one)
    if len(named) > _MOST_NAMES:
        named[0].lost_track = True
        named = named[1:]
    return named


@rule(Discarded, "INF-07", further=trials.by_discard)
def named_pages_are_given_back(event: Discarded, scene: Scene) -> Iterator[Decision]:
    """The pages of a returned inflate buffer are discarded, whatever else the buffer puts to the test."""
    look, names = scene[Discards].shown_by(event), scene.exchange.trials.by_discard
    for one, requirement in look.blamed:
        yield broken(
            requirement or "INF-07",
            "pages of a returned inflate buffer were not discarded",
            field="page",
            expected=f"discarded: {one.missing}",
            seen=f"still there: {one.missing}",
        )
    for one in look.shown:
        if one.missing:
            continue
        yield from (kept(name) for name in trials.among(names, one.circumstances.tests))
        late = one.looked & event.late
        yield kept_if(
            "INF-07",
            not late,
            "pages were discarded after their inflate buffer had been returned",
            field="page",
            expected=f"discarded before it: {late}",
            seen=f"still there after it: {late}",
        )
