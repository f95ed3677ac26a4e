"""Rules about inflate and deflate buffers: their form, and the pages they name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from balloon_spec.events import Available, Guest, GuestAction
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.chunk_transfer.response_header import LENGTH_BYTES
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.judge.balloon import Balloon
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.course import Course
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.host_requests import Requests
from balloon_spec.judge.in_flight import Shape
from balloon_spec.judge.interpretation import wishes
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.pages import PageSet

_OWN = {INFLATE: ("INF-01", "INF-02"), DEFLATE: ("DEF-01", "DEF-02")}
"""Per queue: the requirement on the form of a buffer, and the one that it names at least one chunk."""
_VERBS = {INFLATE: "gives up", DEFLATE: "wants back"}


@rule(
    Available,
    *("HDR-01", "HDR-02", "HDR-03", "HDR-04", "HDR-06", "HDR-08"),
    *("CHUNK-03", "CHUNK-04", "CHUNK-05", "CHUNK-11", "CHUNK-12"),
    *("PFN-02", "PFN-04", "PFN-08"),
)
def bytes_are_well_formed(_event: Available, scene: Scene) -> Iterator[Decision]:
    """Whatever the bytes of a buffer decide by themselves; see :mod:`balloon_spec.judge.content`."""
    if scene.buffer is not None:
        yield from scene.buffer.content.decisions


@rule(Available, "INF-01", "DEF-01", "PFN-01", "INF-02", "DEF-02")
def form_is_the_negotiated_one(event: Available, scene: Scene) -> Iterator[Decision]:
    """Messages with CHUNK_TRANSFER and arrays without it; a buffer of the other form is read in neither."""
    buffer = scene.buffer
    if buffer is None or buffer.queue not in _OWN:
        return
    form, at_least_one = _OWN[buffer.queue]
    if buffer.shape is Shape.WRONG_ARRAY:
        yield broken(
            form,
            "CHUNK_TRANSFER was accepted and the buffer is an array of page frame numbers",
            field="buffer",
            expected="a response message",
            seen=f"{len(event.readable) // 4} page frame numbers",
            data=event.readable,
        )
    elif buffer.shape is Shape.WRONG_MESSAGE:
        yield broken(
            "PFN-01",
            "CHUNK_TRANSFER was not accepted and the buffer is a response message",
            field="buffer",
            expected="an array of page frame numbers",
            seen=f"a message of {len(event.readable)} bytes",
            data=event.readable,
        )
    elif buffer.shape is Shape.ARRAY:
        yield kept("PFN-01")
    elif buffer.shape is Shape.MESSAGE:
        header = buffer.content.header
        fits = header is not None and header.data_len == len(event.readable) - LENGTH_BYTES
        # Page frame numbers are not told from a broken message as long as nobody said which pages there are.
        if fits or scene[Session].memory is not None:
            yield kept(form)
        if header is not None and header.data_len == 0:
            yield broken(
                at_least_one,
                "the message has no chunk",
                field="data_len",
                expected="at least 16",
                seen="0",
                data=event.readable,
            )
        elif header is not None:
            yield kept(at_least_one)


@rule(Available, "CHUNK-01", "CHUNK-02", "PFN-03", "UNUSED-10")
def pages_are_those_meant(event: Available, scene: Scene) -> Iterator[Decision]:
    """A driver whose guest is steered names pages the guest meant, in units of 4 KiB."""
    balloon = scene[Balloon]
    asked = scene[Requests]
    buffer = scene.buffer
    if buffer is None or buffer.queue is None or not buffer.content.total:
        return
    meant = wishes(scene.exchange, buffer.queue)
    if meant is None:
        return
    named = buffer.content.intended
    array = buffer.shape is Shape.ARRAY
    asks = buffer.queue is HOST_REQUEST
    extra = named - meant
    if buffer.queue is not DEFLATE:
        # Pages of the balloon may be named again (INF-11 and UNUSED-02 judge that): no error of arithmetic.
        extra -= balloon.named
        if asks and asked.request is not None:
            extra -= asked.request.was_free
    elif extra and not _is_displaced(named, scene[Course].owed_to_deflate & balloon.held):
        # A driver may take back more than its guest wants (DEF-09, DEF-10), and says so in actual (CFG-05).
        extra -= balloon.held
    if not extra:
        if named <= meant:
            yield from (kept(name) for name in (("PFN-03",) if array else ("CHUNK-01", "CHUNK-02")))
        if asks:
            yield kept("UNUSED-10")
        return
    begun = asked.request is not None and asked.request.reported & meant
    if asks and (begun or not _is_displaced(named, meant)):
        yield broken(
            "UNUSED-10",
            "pages that the guest uses are reported unused",
            field="chunk",
            expected=meant,
            seen=extra,
            data=event.readable,
        )
        return
    run = next(run for run in named if PageSet([run]) & extra)
    starts = {one.first for one in meant}
    starts_right = run.first in meant and (
        run.first in starts or run.count not in {one.count for one in meant}
    )
    requirement = "PFN-03" if array else "CHUNK-02" if starts_right else "CHUNK-01"
    yield broken(
        requirement,
        f"the buffer names pages that are not those the guest {_VERBS.get(buffer.queue, 'does not use')}",
        field="pfn" if array else "size" if starts_right else "base",
        expected=meant,
        seen=named,
        data=event.readable,
    )


def _is_displaced(named: PageSet, meant: PageSet) -> bool:
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
