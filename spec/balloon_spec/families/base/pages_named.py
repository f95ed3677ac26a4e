"""Rules about inflate and deflate buffers: their form, and the pages they name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from balloon_spec.events import Available, Guest, GuestAction
from balloon_spec.families.base import BALLOON_QUEUES, DEFLATE, INFLATE
from balloon_spec.families.base.array_content import ARRAY
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.course import Course
from balloon_spec.families.base.guest_wishes import GuestWishes
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.judge.shape import by_bytes, on_places
from balloon_spec.pages import PageSet

__all__ = ["bytes_are_well_formed", "is_displaced", "misplaced"]

_VERBS = {INFLATE: "gives up", DEFLATE: "wants back"}


@rule(Available, further=by_bytes)
def bytes_are_well_formed(_event: Available, scene: Scene) -> Iterator[Decision]:
    """Whatever the bytes of a buffer decide by themselves; see :mod:`balloon_spec.judge.shape`."""
    if scene.buffer is not None:
        yield from scene.buffer.content.decisions


@rule(Available, "PFN-01", kin="form_is_the_negotiated_one")
def arrays_are_sent_where_nothing_else_was_negotiated(event: Available, scene: Scene) -> Iterator[Decision]:
    """Arrays without a feature that replaces them; a buffer of another form is read in neither."""
    buffer = scene.buffer
    if buffer is None or buffer.queue not in BALLOON_QUEUES:
        return
    if buffer.shape is ARRAY:
        yield kept("PFN-01")
    elif buffer.shape.lacks:
        yield broken(
            "PFN-01",
            f"{buffer.shape.lacks} was not accepted and the buffer is {buffer.shape.noun}",
            field="buffer",
            expected=ARRAY.noun,
            seen=buffer.shape.told(event.readable),
            data=event.readable,
        )


@rule(Available, further=on_places)
def pages_are_those_meant(_event: Available, scene: Scene) -> Iterator[Decision]:
    """A driver whose guest is steered names pages the guest meant, in units of 4 KiB."""
    balloon = scene[Balloon]
    buffer = scene.buffer
    if buffer is None or buffer.queue not in BALLOON_QUEUES or not buffer.content.total:
        return
    meant = scene[GuestWishes].on(buffer.queue)
    if meant is None:
        return
    named = buffer.content.intended
    extra = named - meant
    if buffer.queue is INFLATE:
        # Pages of the balloon may be named again (INF-11 judges that): no error of arithmetic.
        extra -= balloon.named
    elif extra and not is_displaced(named, scene[Course].owed_to_deflate & balloon.held):
        # A driver may take back more than its guest wants (DEF-09, DEF-10), and says so in actual (CFG-05).
        extra -= balloon.held
    if extra:
        yield misplaced(buffer, meant, extra, _VERBS[buffer.queue])
    elif named <= meant:
        yield from (kept(name) for name in buffer.shape.on_places)


def misplaced(buffer: InFlight, meant: PageSet, extra: PageSet, verb: str) -> Decision:
    """Say that a buffer names pages ``extra`` to those meant, by where they start or by how many they are."""
    named = buffer.content.intended
    run = next(run for run in named if PageSet([run]) & extra)
    starts = {one.first for one in meant}
    starts_right = run.first in meant and (
        run.first in starts or run.count not in {one.count for one in meant}
    )
    place = buffer.shape.count if starts_right else buffer.shape.start
    assert place is not None, "a buffer that names pages says where they are"
    return broken(
        place.requirement,
        f"the buffer names pages that are not those the guest {verb}",
        field=place.field,
        expected=meant,
        seen=named,
        data=buffer.event.readable,
    )


def is_displaced(named: PageSet, meant: PageSet) -> bool:
    """Tell whether a buffer names runs such as were meant, each of them at another place."""
    starts = {one.first for one in meant}
    alike = Counter(one.count for one in named) <= Counter(one.count for one in meant)
    return alike and all(one.first not in starts for one in named)


@rule(Available, "INF-11")
def pages_are_not_reported_again(event: Available, scene: Scene) -> Iterator[Decision]:
    """A page that is in the balloon is not inflated again."""
    if scene.buffer is None or scene.buffer.queue is not INFLATE or not scene.buffer.content.intended:
        return
    again = scene.buffer.content.intended & scene[Balloon].named
    yield kept_if(
        "INF-11",
        not again,
        "pages that are in the balloon are named again",
        field="chunk",
        expected="pages outside the balloon",
        seen=again,
        data=event.readable,
    )


@rule(Available, "DEF-03", "DEF-04")
def only_the_balloon_is_deflated(event: Available, scene: Scene) -> Iterator[Decision]:
    """A page leaves the balloon only if it is in it, and its inflate buffer was returned."""
    balloon = scene[Balloon]
    if scene.buffer is None or scene.buffer.queue is not DEFLATE or not scene.buffer.content.intended:
        return
    pages = scene.buffer.content.intended
    early = pages & balloon.inflating
    foreign = pages - balloon.held - early
    yield kept_if(
        "DEF-03",
        not early,
        "a page is deflated before its inflate buffer was returned",
        field="chunk",
        expected="pages whose inflate buffer was returned",
        seen=early,
        data=event.readable,
    )
    if foreign:
        yield broken(
            "DEF-04",
            "a page is deflated that is not in the balloon",
            field="chunk",
            expected=balloon.held,
            seen=foreign,
            data=event.readable,
        )
    elif not early:
        yield kept("DEF-04")


@rule(Available, "CONC-08")
def several_buffers_fly(event: Available, scene: Scene) -> Iterator[Decision]:
    """A driver may have several buffers in flight on a queue."""
    if any(queue == event.queue for queue, _ in scene[Buffers].in_flight):
        yield kept("CONC-08")


@rule(Guest, "INF-04", "DEF-05", "DEF-06")
def the_guest_keeps_its_hands_off(event: Guest, scene: Scene) -> Iterator[Decision]:
    """A page is not used from the moment it is offered until the device was told, where telling is due."""
    balloon = scene[Balloon]
    if event.action is not GuestAction.USE:
        return
    offered = event.pages & balloon.inflating
    yield kept_if(
        "INF-04",
        not offered,
        "the guest uses a page whose inflate buffer was not returned",
        field="page",
        expected="no use before the return",
        seen=offered,
    )
    early = event.pages & (balloon.held | balloon.deflating)
    if not scene[Session].has("MUST_TELL_HOST"):
        if early:
            yield kept("DEF-06")
    else:
        yield kept_if(
            "DEF-05",
            not early,
            "the guest uses a page of the balloon before its deflate buffer was returned",
            field="page",
            expected="no use before the return",
            seen=early,
        )
