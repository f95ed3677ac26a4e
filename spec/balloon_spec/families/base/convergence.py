"""Rules about where a driver comes to rest: at its target, or with a reason short of it or beyond it.

A driver is judged when it was given its time and nothing of its balloon is with the device; what it does on
its way is judged by what it makes available.
"""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Available, ConfigurationWritten, Quiet, Side
from balloon_spec.families.base import DEFLATE, INFLATE, configuration
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.configuration_space import Configuration
from balloon_spec.families.base.course import ROUNDS_WITHOUT_END, Course
from balloon_spec.families.base.guest_wishes import GuestWishes
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

_RESERVE = 4
"""A guest is not said to have memory free unless it has this part of its memory left beyond what it is to
give: one part in four."""


@rule(Quiet, "INF-10", "INF-12", "INF-13", "DEF-12")
def a_driver_rests_at_its_target(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A driver that was given its time holds what ``num_pages`` asks for, or cannot."""
    flying = scene[Buffers]
    balloon = scene[Balloon]
    space = scene[Configuration]
    course, target = scene[Course], space.num_pages
    if event.side is not Side.DRIVER or target is None or flying.on(INFLATE, DEFLATE):
        return
    if (
        course.told
        or scene[Session].is_unbound
        or any(one.keeps_driver() for one in scene.exchange.companions)
    ):
        return
    # Where actual counts more than the device was told of, INF-03 is broken, and the driver is at its target.
    seen = max(balloon.held.pages, space.actual or 0)
    # Likewise where it counts less, and DEF-11 is.
    counted = balloon.held.pages if space.actual is None else min(balloon.held.pages, space.actual)
    missing, excess = _missing(scene.exchange, target - seen), _excess(scene.exchange, counted - target)
    # A driver of large pages that is within one of its target follows it, and rounds.
    lost = course.moved_in_flight and max(missing, excess) >= course.guest_page
    if missing:
        yield broken(
            "INF-13" if lost else "INF-10",
            "a num_pages that rose while a buffer was with the device is not followed"
            if lost
            else "the driver rests although num_pages exceeds actual and memory is free",
            field="actual",
            expected=seen + missing,
            seen=seen,
        )
    elif excess:
        overshot = course.overshot or course.moved_in_flight
        yield broken(
            "INF-13" if lost else "INF-12" if overshot else "DEF-12",
            "a num_pages that fell while a buffer was with the device is not followed"
            if lost
            else "the driver inflated more pages than num_pages asks for, and rests"
            if overshot
            else "the driver rests although actual exceeds num_pages",
            field="actual",
            expected=counted - excess,
            seen=counted,
        )
    elif _is_at_target(scene.exchange, target):
        if course.grew:
            yield kept("INF-10")
            yield kept("INF-12")
        if course.shrank:
            yield kept("DEF-12")
        if course.moved_in_flight:
            yield kept("INF-13")


def _missing(exchange: Exchange, short: int) -> int:
    """Return how many of the pages that are ``short`` the driver could have inflated."""
    course = exchange[Course]
    if short <= 0:
        return 0
    if not course.driver_chooses:
        return min(short, exchange[GuestWishes].owed_to_inflate.pages)
    # What the guest took back for want of memory it need not give again (DEF-13).
    return short if not course.took_back and _is_free(exchange, short) else 0


def _is_free(exchange: Exchange, pages: int) -> bool:
    """Tell whether so many pages are free, by the guest's statistics or else by the size of its memory."""
    session = exchange[Session]
    if session.memory is None:
        return False
    reserve = session.memory.pages // _RESERVE
    free = exchange[Course].free_now()
    return (exchange[Configuration].num_pages or 0) <= reserve if free is None else free >= pages + reserve


def _excess(exchange: Exchange, beyond: int) -> int:
    """Return how many of the pages ``beyond`` the target the driver could have left out or taken back."""
    course = exchange[Course]
    if beyond <= course.slack():
        return 0
    if course.driver_chooses or course.overshot:
        return beyond
    return min(beyond, (course.owed_to_deflate & exchange[Balloon].held).pages)


def _is_at_target(exchange: Exchange, target: int) -> bool:
    """Tell whether the driver reached its target, or gave all that its guest gave up."""
    guest = exchange[GuestWishes]
    beyond = exchange[Balloon].held.pages - target
    if beyond < 0:
        return guest.to_inflate is not None and not guest.owed_to_inflate
    return beyond <= exchange[Course].slack()


@rule(Available, "DEF-09")
def a_deflate_buffer_leaves_the_target(event: Available, scene: Scene) -> Iterator[Decision]:
    """Without DEFLATE_ON_OOM a deflate buffer leaves as many pages as ``num_pages`` asks for."""
    course = scene[Course]
    session = scene[Session]
    buffer = scene.buffer
    if buffer is None or buffer.queue is not DEFLATE or scene[Configuration].num_pages is None:
        return
    pages = buffer.content.intended & scene[Balloon].held
    if not pages or session.has("DEFLATE_ON_OOM"):
        return
    left, limit = course.left(pages), course.limit()
    if left < limit and session.sees_driver_ok:
        yield _below(left, limit, event.readable)
    # Where the transport hides the status, it may be that the driver gives the device up: see below.


@rule(Quiet, "DEF-09")
def a_driver_that_stays_leaves_the_target(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A driver that stays has not given its device up, nor what the guest wants back at the target."""
    session = scene[Session]
    balloon = scene[Balloon]
    course, left = scene[Course], balloon.held.pages
    if event.side is not Side.DRIVER or not left or session.has("DEFLATE_ON_OOM"):
        return
    if scene[Buffers].on(INFLATE, DEFLATE):
        return
    if course.below is not None and left < course.below and not session.sees_driver_ok:
        yield _below(left, course.below)
    elif (
        course.owed_to_deflate & balloon.held
        and left <= (scene[Configuration].num_pages or 0)
        and not course.told
    ):
        yield kept("DEF-09")


def _below(left: int, limit: int, data: bytes = b"") -> Decision:
    return broken(
        "DEF-09",
        "a deflate buffer takes pages that num_pages asks for, without DEFLATE_ON_OOM",
        field="pages left in the balloon",
        expected=f"{limit} at least",
        seen=left,
        data=data,
    )


@rule(ConfigurationWritten, "DEF-13")
def what_was_taken_back_is_not_inflated_at_once(
    event: ConfigurationWritten, scene: Scene
) -> Iterator[Decision]:
    """What DEFLATE_ON_OOM took back does not go to and fro."""
    course = scene[Course]
    if event.offset != configuration.ACTUAL_OFFSET or len(event.data) != 4 or not course.has_fallen:
        return
    actual, before = int.from_bytes(event.data, "little"), scene[Configuration].actual or 0
    if actual > before and course.gives_again and course.rounds + 1 == ROUNDS_WITHOUT_END:
        yield broken(
            "DEF-13",
            "pages are taken back for want of memory and inflated again at once, over and over",
            field="actual",
            expected=f"{before} until num_pages changes or the driver has rested",
            seen=f"{actual}, for the {ROUNDS_WITHOUT_END}rd time",
            data=event.data,
        )


@rule(Quiet, "DEF-13")
def what_was_taken_back_stays(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A driver that took pages back for want of memory comes to rest."""
    if event.side is Side.DRIVER and scene[Course].has_fallen and not scene[Buffers].on(INFLATE):
        yield kept("DEF-13")
