"""Who uses which page: canaries in the balloon, a fragmented guest, compaction, and lack of memory."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.hosting import FRAGMENTED_GUEST_PAGES, FRAGMENTS, Hosting, isolated
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.pages import EMPTY, PAGE_BYTES, PAGE_SHIFT, PageSet

_PAGES = 512
_QUIET_SECONDS = 0.3
_MOVING_SECONDS = 3.0
_FRAGMENTS = 2500
"""More isolated pages than one message holds (2048 chunks)."""
_LARGE_GUEST_PAGES = 5 << 18
_FIRST_HIGH_PAGE = 1 << 20
"""The page at 4 GiB."""

_ABOUT = ("INF-03", "INF-05", "DEF-03", "DEF-04", "CFG-05")


class _Canaries:
    """A device that writes a pattern into the pages of the balloon, to see whether anybody else writes there.

    A device may change a page from the time it is named by an inflate buffer until the deflate buffer that
    takes it back was returned. Without MUST_TELL_HOST the pattern is of use only until the deflate buffer
    comes.
    """

    def __init__(self, session: DriverSession) -> None:
        self._session = session
        self.planted = EMPTY
        self.freed = EMPTY

    def take(self, buffer: ev.Available, pages: PageSet) -> None:
        """Write the pattern into pages that are given up; look for early use of pages that are taken back."""
        if self._session.queue(buffer.queue) is INFLATE:
            self._plant(pages - self.planted)
        else:
            self._report(pages & self.planted)

    def give_back(self, buffer: ev.Available, pages: PageSet) -> None:
        """Look once more before the buffer is returned."""
        self._report(pages & self.planted)
        if self._session.queue(buffer.queue) is DEFLATE:
            self.freed |= pages & self.planted
            self.planted -= pages

    def seen_in_use(self) -> None:
        """Report the pages taken back that the guest has written to since, as it may."""
        self._report(self.freed)

    def look_over(self) -> None:
        """Look at every page of the balloon. Only the device may have written there."""
        self._report(self.planted)

    def _plant(self, pages: PageSet) -> None:
        for pfn in _each(pages):
            self._session.write_memory(pfn << PAGE_SHIFT, _pattern(pfn))
        self.planted |= pages

    def _report(self, pages: PageSet) -> None:
        altered = PageSet(
            (pfn, 1)
            for pfn in _each(pages)
            if self._session.read_memory(pfn << PAGE_SHIFT, PAGE_BYTES) != _pattern(pfn)
        )
        if altered:
            self._session.record(ev.Guest(ev.GuestAction.USE, altered))
            self.planted -= altered
            self.freed -= altered


def _each(pages: PageSet) -> list[int]:
    return [pfn for run in pages for pfn in range(run.first, run.end)]


def _pattern(pfn: int) -> bytes:
    return (pfn ^ 0x5BA1_1005_BA11_005B).to_bytes(8, "little") * (PAGE_BYTES // 8)


@scenario(Side.DRIVER, "INF-04", "DEF-05", "DEF-06", *_ABOUT)
@pytest.mark.parametrize("without", [[], ["MUST_TELL_HOST"]], ids=["told", "untold"])
def test_canaries_in_the_balloon(session: DriverSession, without: list[str]) -> None:
    """No page is written to between the time it is given up and the time it may be used again."""
    session.need(Capability.GUEST_MEMORY)
    hosting = Hosting(session)
    hosting.begin(*without)
    canaries = hosting.watch = _Canaries(session)
    hosting.aim(_PAGES)
    while not hosting.held and hosting.take_in():
        pass
    if session.can(Capability.STEER_GUEST) and hosting.held:
        # The first buffer is with the device meanwhile.
        _fill_what_is_free(hosting, canaries)
    if not hosting.serve():
        return
    if session.can(Capability.STEER_GUEST):
        _fill_what_is_free(hosting, canaries)
    hosting.aim(0)
    if not hosting.serve():
        return
    if session.can(Capability.STEER_GUEST):
        # Pages that were taken back are free, and a guest that fills its memory writes to them.
        hosting.command("fill", "probe")
        canaries.seen_in_use()
        hosting.command("release", "probe")
    session.settle()


def _fill_what_is_free(hosting: Hosting, canaries: _Canaries) -> None:
    """Have the guest write to all of its free memory, which contains no page that it gave up."""
    hosting.command("fill", "filling")
    canaries.look_over()
    hosting.command("release", "filling")


@scenario(Side.DRIVER, "INF-04", "DEF-05", *_ABOUT, memory_pages=_LARGE_GUEST_PAGES)
def test_canaries_in_a_large_guest(session: DriverSession) -> None:
    """A guest with memory above 4 GiB never writes to pages up there that it gave up."""
    session.need(Capability.STEER_GUEST, Capability.GUEST_MEMORY)
    hosting = Hosting(session)
    hosting.begin()
    session.collect()
    if session.judge.memory is None or session.judge.memory.runs[-1].end <= _FIRST_HIGH_PAGE:
        raise NotExercised("the guest has no memory above 4 GiB")
    canaries = hosting.watch = _Canaries(session)
    hosting.aim(_PAGES)
    if not hosting.serve():
        return
    _fill_what_is_free(hosting, canaries)
    hosting.aim(0)
    hosting.serve()
    session.settle()


@scenario(Side.DRIVER, *_ABOUT, "INF-11", "CFG-04", memory_pages=FRAGMENTED_GUEST_PAGES)
@pytest.mark.parametrize("fragments", FRAGMENTS)
def test_a_fragmented_guest(session: DriverSession, fragments: int) -> None:
    """Isolated pages, fewer or more than one message holds, go into the balloon and come back."""
    hosting = Hosting(session)
    without = fragments > FRAGMENTS[0] and "the driver sends no chunks, and to an array all pages are alike"
    # If the profile lacks the feature, the driver need not be started.
    if without and "CHUNK_TRANSFER" not in session.profile.by_name:
        raise NotExercised(without)
    if "CHUNK_TRANSFER" not in hosting.begin() and without:
        raise NotExercised(without)
    if session.can(Capability.STEER_GUEST):
        hosting.command("fragment", "holes", fragments)
        pages = None
    else:
        session.need(Capability.STEER_PAGES)
        pages = isolated(fragments)
    hosting.aim(fragments, inflate=pages)
    if hosting.serve():
        hosting.aim(0, deflate=pages)
        hosting.serve()
    session.settle()


@scenario(Side.DRIVER, "DEF-05", "INF-04", *_ABOUT, "CFG-04", "INF-11")
def test_compaction_with_canaries(session: DriverSession) -> None:
    """A guest compacts its memory, and uses the pages that this freed; later the balloon grows and shrinks.

    A page of the balloon may be exchanged for another. Then the host is told of both before the guest writes
    to the page that it got back.
    """
    session.need(Capability.STEER_GUEST, Capability.GUEST_MEMORY)
    hosting = Hosting(session)
    hosting.begin()
    hosting.command("fragment", "holes", _PAGES)
    canaries = hosting.watch = _Canaries(session)
    hosting.aim(_PAGES)
    if not hosting.serve():
        return
    hosting.command("release", "holes")
    hosting.command("compact")
    hosting.serve_for(_MOVING_SECONDS, _QUIET_SECONDS)
    _fill_what_is_free(hosting, canaries)
    for target in (_PAGES + 16, 0):
        hosting.aim(target)
        if not hosting.serve():
            return
    session.settle()


@scenario(Side.DRIVER, *_ABOUT, "DEF-05", "CFG-04")
def test_a_balloon_filled_in_steps_and_emptied_at_once(session: DriverSession) -> None:
    """Isolated pages go into the balloon in two halves, and come back with more than one message."""
    session.need(Capability.STEER_PAGES)
    hosting = Hosting(session)
    hosting.begin()
    pages = isolated(_FRAGMENTS)
    half = PageSet(pages.runs[: _FRAGMENTS // 2])
    for given in (half, pages - half):
        hosting.aim(hosting.target + given.pages, inflate=given)
        if not hosting.serve():
            return
    hosting.aim(0, deflate=pages)
    hosting.serve()
    session.settle()


@scenario(Side.DRIVER, *_ABOUT, "DEF-05", "INF-11", "CFG-04")
@pytest.mark.parametrize("without", [[], ["MUST_TELL_HOST"]], ids=["told", "untold"])
def test_pages_that_move(session: DriverSession, without: list[str]) -> None:
    """A guest gives up one page for each that it wants back, as compaction does; later the balloon grows.

    The target does not change, so this needs DEFLATE_ON_OOM. A driver may inflate or deflate first, and tells
    the host of both before the guest has its page.
    """
    session.need(Capability.STEER_PAGES)
    hosting = Hosting(session)
    if "DEFLATE_ON_OOM" not in hosting.begin(*without):
        raise NotExercised("the driver did not accept DEFLATE_ON_OOM")
    hosting.aim(_PAGES, inflate=PageSet([(0x1000, _PAGES)]))
    if not hosting.serve():
        return
    hosting.aim(_PAGES, inflate=PageSet([(0x2000, 2)]), deflate=PageSet([(0x1010, 1), (0x1020, 1)]))
    hosting.serve_for(_MOVING_SECONDS, _QUIET_SECONDS)
    hosting.aim(_PAGES + 8, inflate=PageSet([(0x2100, 8)]))
    if not hosting.serve():
        return
    hosting.aim(_PAGES, deflate=PageSet([(0x2100, 8)]))
    hosting.serve()
    session.settle()


@scenario(Side.DRIVER, *_ABOUT, "DEF-05")
@pytest.mark.parametrize("on_their_way", [False, True], ids=["from-the-balloon", "on-their-way"])
def test_want_of_memory_while_inflating(session: DriverSession, on_their_way: bool) -> None:
    """A guest short of memory wants pages back while the first of several inflate messages is held.

    They are pages of the balloon, or pages that the messages to come will name.
    """
    session.need(Capability.STEER_PAGES)
    hosting = Hosting(session)
    if "DEFLATE_ON_OOM" not in hosting.begin():
        raise NotExercised("the driver did not accept DEFLATE_ON_OOM")
    first = PageSet([(0x800, 64)])
    hosting.aim(first.pages, inflate=first)
    if not hosting.serve():
        return
    hosting.aim(first.pages + _FRAGMENTS, inflate=isolated(_FRAGMENTS))
    if not hosting.take_in() or not hosting.held:
        return
    last = PageSet(isolated(_FRAGMENTS).runs[-2:])
    session.steer(ev.GuestAction.DEFLATE, last if on_their_way else first)
    hosting.give_back()
    hosting.serve_for(_MOVING_SECONDS, _QUIET_SECONDS)
    session.settle()


@scenario(Side.DRIVER, *_ABOUT)
@pytest.mark.parametrize("command", ["drop-caches", "oom"])
def test_a_guest_that_wants_memory(session: DriverSession, command: str) -> None:
    """A guest that drops its caches or runs out of memory keeps its account of the balloon."""
    session.need(Capability.STEER_GUEST)
    hosting = Hosting(session)
    hosting.begin()
    hosting.command("fragment", "holes", _PAGES)
    hosting.aim(_PAGES)
    if not hosting.serve():
        return
    hosting.command("release", "holes")
    hosting.command(command)
    hosting.serve_for(1.0, 0.3)
    hosting.aim(0)
    hosting.serve()
    session.settle()


@scenario(Side.DRIVER, "DEF-09", *_ABOUT)
def test_targets_without_deflate_on_oom(session: DriverSession) -> None:
    """A driver that may not deflate for lack of memory stops at the target on its way down."""
    hosting = Hosting(session)
    hosting.begin("DEFLATE_ON_OOM")
    pages = PageSet([(0x1000, _PAGES)])
    hosting.aim(_PAGES, inflate=pages)
    for target in (_PAGES // 2, _PAGES // 2 - 1, 0):
        if not hosting.serve():
            return
        hosting.aim(target, deflate=PageSet([(0x1000, _PAGES - target)]))
    hosting.serve()
    session.settle()
