"""Rules about host requests: the request buffer, the request in it, and that it is answered."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Available, Quiet, Side, Used
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.base.actual import Count
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.configuration_space import Configuration
from balloon_spec.families.base.guest_wishes import GuestWishes
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.families.host_requests.ledger import Request, Requests
from balloon_spec.families.host_requests.shapes import REQUEST
from balloon_spec.families.host_requests.trials import CLOSED
from balloon_spec.families.host_requests.without_effect import closed_by_a_stray
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

REQUEST_BYTES = 16


def _is_request_buffer(scene: Scene) -> bool:
    return scene.buffer is not None and scene.buffer.shape is REQUEST


@rule(Available, "REQ-02")
def a_request_buffer_is_sixteen_bytes(event: Available, scene: Scene) -> Iterator[Decision]:
    """A request buffer has exactly 16 device-writable bytes, and nothing to read."""
    if scene.buffer is None or scene.buffer.queue is not HOST_REQUEST:
        return
    if not _is_request_buffer(scene):
        if event.writable_bytes:
            yield broken(
                "REQ-02",
                "a buffer on the host request queue is both read and written",
                field="request buffer",
                expected="16 device-writable bytes alone, or a message alone",
                seen=f"{len(event.readable)} readable and {event.writable_bytes} writable bytes",
            )
        return
    yield kept_if(
        "REQ-02",
        event.writable_bytes == REQUEST_BYTES,
        "the request buffer has the wrong length",
        field="request buffer",
        expected=f"{REQUEST_BYTES} bytes",
        seen=f"{event.writable_bytes} bytes",
    )


@rule(Available, "REQ-01", "REQ-13", "REQ-14", "REQ-15", "REQ-17", "REQ-21", "REQ-24", "RESET-04")
def a_request_buffer_comes_when_due(_event: Available, scene: Scene) -> Iterator[Decision]:
    """One request buffer at a time: at first, after DONE, and after whatever cannot be answered."""
    asked = scene[Requests]
    if not _is_request_buffer(scene):
        return
    if asked.request_buffers():
        yield broken(
            "REQ-21",
            "a second request buffer is in flight",
            field="request buffer",
            expected="one",
            seen=len(asked.request_buffers()) + 1,
        )
        return
    yield kept("REQ-21")
    request = asked.request
    if asked.posts == 0:
        yield kept("RESET-04" if scene[Session].resets else "REQ-01")
    elif request is not None and request.is_open and _is_refused(scene.exchange, request):
        yield _refused(request)
    elif request is not None and request.is_open:
        yield broken(
            "REQ-17",
            "the request buffer is made available again before DONE",
            field="request buffer",
            expected="DONE first",
            seen=f"{request.messages} messages, none of them DONE",
        )
    elif asked.owed:
        yield kept(asked.owed)
        if asked.owed == "REQ-13":
            yield kept("REQ-17")
            if request is not None and request.is_marked:
                yield kept("REQ-24")


@rule(Used, "REQ-03", "REQ-26")
def a_request_fits_its_buffer(event: Used, scene: Scene) -> Iterator[Decision]:
    """A request has 16 bytes, also in a buffer that is too long; one that is too short holds none."""
    if scene.buffer is None or not _is_request_buffer(scene):
        return
    room = scene.buffer.event.writable_bytes
    if room < REQUEST_BYTES:
        if event.length_bytes == 0:
            yield kept("REQ-26")
        elif event.length_bytes <= room:
            # One that tells of more than there is breaks BUF-07.
            yield broken(
                "REQ-26",
                "a request is made in a buffer that is too short for it",
                field="used length",
                expected="0",
                seen=event.length_bytes,
                data=event.written,
            )
    elif room > REQUEST_BYTES and 0 < event.length_bytes <= room:
        yield kept_if(
            "REQ-03",
            event.length_bytes == REQUEST_BYTES,
            "the device did not write 16 bytes into a buffer that is too long",
            field="used length",
            expected=f"{REQUEST_BYTES}, or 0 for no request",
            seen=event.length_bytes,
            data=event.written,
        )


@rule(Used, "REQ-03", "REQ-04", "REQ-05", "REQ-06", "REQ-07", "REQ-20", "REQ-27", "RESET-03", *CLOSED)
def a_request_is_well_formed(event: Used, scene: Scene) -> Iterator[Decision]:
    """The device writes 16 bytes with reserved words zero and a fresh id, one request at a time."""
    if (
        scene.buffer is None
        or not _is_request_buffer(scene)
        or scene.buffer.event.writable_bytes != REQUEST_BYTES
    ):
        return
    if not event.length_bytes and not event.written:
        # The device has not used it for a request, and no requirement has it make one in this buffer.
        return
    if event.length_bytes != REQUEST_BYTES or len(event.written) != REQUEST_BYTES:
        yield broken(
            "REQ-03",
            "the device did not write a whole request",
            field="used length",
            expected=REQUEST_BYTES,
            seen=event.length_bytes,
            data=event.written,
        )
        return
    yield kept("REQ-03")
    exchange, request = scene.exchange, host_request.parse(event.written)
    yield kept_if(
        "REQ-04",
        not any(request.reserved),
        "reserved words of the request are not zero",
        field="reserved",
        expected="0 0 0",
        seen=" ".join(f"{word:#x}" for word in request.reserved),
        data=event.written,
    )
    yield from _request_id(request.param, exchange, event.written)
    before = scene[Requests].request
    if before is not None and before.strays and (before.is_open or before.is_vague):
        yield closed_by_a_stray(before, event.written)
    elif before is not None and before.is_open:
        yield broken(
            "REQ-05",
            "a request is made before the one before it was answered with DONE",
            field="request",
            expected="DONE first",
            seen=f"{before.messages} messages",
        )
    else:
        yield kept("REQ-05")
        if before is not None and before.closes_by:
            yield kept(before.closes_by)
        if scene[Session].resets and before is None:
            yield kept("RESET-03")


@rule(Used, "REQ-28")
def a_wish_has_its_command(event: Used, scene: Scene) -> Iterator[Decision]:
    """A request that carries the id of the operator's wish is one for unused pages."""
    wanted = scene[Requests].wanted
    if wanted is None or not _is_request_buffer(scene) or len(event.written) != REQUEST_BYTES:
        return
    request = host_request.parse(event.written)
    if request.cmd == 0:
        yield kept("REQ-28")
    elif request.param == wanted:
        yield broken(
            "REQ-28",
            "the request for unused pages has another command",
            field="cmd",
            expected="0",
            seen=f"{request.cmd:#x}",
            data=event.written,
        )


@rule(Quiet, "REQ-20", "REQ-27", "RESET-03", "QUEUE-04", "NEG-09")
def a_wanted_request_is_made(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A device that was given its time, a request buffer and the operator's wish has made the request."""
    session = scene[Session]
    flying = scene[Buffers]
    asked = scene[Requests]
    if event.side is not Side.DEVICE or session.needs_reset or not session.driver_ok:
        return
    buffers, before = asked.request_buffers(), asked.request
    if asked.wanted is None or not buffers or buffers[0].number in flying.held_over:
        # One that was in flight when DRIVER_OK was written again is QUEUE-14's.
        return
    if before is not None:
        requirement = before.closes_by
        words = "no request is made after the one before it was answered with DONE"
    elif asked.was_asked:
        requirement, words = "RESET-03", "no request is made after a reset with a request open"
    elif buffers[0].early:
        requirement, words = "QUEUE-04", "a request buffer that was there at DRIVER_OK is not used"
    else:
        requirement, words = "NEG-09", "the host request queue is not served without CHUNK_TRANSFER"
    if requirement:
        yield broken(
            requirement,
            words,
            field="request",
            expected=f"id {asked.wanted:#x}",
            seen="no request",
        )


def _request_id(param: int, exchange: Exchange, data: bytes) -> Iterator[Decision]:
    """REQ-06 and REQ-07."""
    asked = exchange[Requests]
    if asked.last_id is not None:
        yield kept_if(
            "REQ-06",
            param != asked.last_id,
            "a request has the id of the one before",
            field="param",
            expected="another id",
            seen=f"{param:#x}",
            data=data,
        )
    yield kept_if(
        "REQ-07",
        param <= 0xFFFF,
        "the id does not fit the 16 bits in which it comes back",
        field="param",
        expected="0xffff at most",
        seen=f"{param:#x}",
        data=data,
    )


@rule(
    Quiet,
    *("REQ-01", "REQ-11", "REQ-13", "REQ-14", "REQ-15", "REQ-24", "RESET-04"),
    *("CONC-02", "CONC-03", "CONC-04"),
)
def the_driver_answers(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A driver that was given its time has answered the request and owes no request buffer."""
    session = scene[Session]
    asked = scene[Requests]
    if event.side is not Side.DRIVER or not session.has("HOST_REQ_VQ"):
        return
    if asked.posts == 0:
        name = "RESET-04" if session.resets else "REQ-01"
        yield broken(
            name, "no request buffer was made available", field="request buffer", expected="one", seen="none"
        )
        return
    if asked.messages():
        # The driver may have one message in flight and wait for it, but not with the balloon's pages.
        yield from _waiting_ballooning(scene.exchange)
        return
    request = asked.request
    if request is not None and request.is_open:
        yield _unanswered(scene.exchange, request)
    elif asked.owed and not asked.request_buffers():
        yield broken(
            asked.owed,
            "the request buffer was not made available again",
            field="request buffer",
            expected="one",
            seen="none",
        )


def _waiting_ballooning(exchange: Exchange) -> Iterator[Decision]:
    """CONC-04, where an unused-page message is unanswered and the balloon could move.

    A driver could inflate what its guest was told to give up, or else as many pages as it held before. One
    that took pages back before can do it again.
    """
    count = exchange[Count]
    space = exchange[Configuration]
    guest = exchange[GuestWishes]
    if exchange[Buffers].on(INFLATE, DEFLATE) or space.num_pages is None:
        return
    held, target = exchange[Balloon].held.pages, space.num_pages
    free = guest.to_inflate is None and guest.to_deflate is None
    grows = target > held and (guest.owed_to_inflate or (free and target <= count.furthest_pages))
    shrinks = target < held and free and count.has_shrunk
    if grows or shrinks:
        kind, queue = ("inflating", INFLATE) if grows else ("deflating", DEFLATE)
        yield broken(
            "CONC-04",
            f"{kind} waits for the return of an unused-page message",
            field=f"{queue} queue",
            expected=str(guest.owed_to_inflate) if guest.owed_to_inflate else f"{target} pages",
            seen="no buffer",
        )


def _unanswered(exchange: Exchange, request: Request) -> Decision:
    """Say which requirement an exchange without DONE breaks: that of the kind it may be waiting for."""
    waiting = {buffer.queue for buffer in exchange[Buffers].on(INFLATE, DEFLATE)}
    for queue, requirement in ((INFLATE, "CONC-02"), (DEFLATE, "CONC-03")):
        if queue in waiting:
            return broken(
                requirement,
                f"the answer to a request waits for the {queue} queue",
                field="flag",
                expected="DONE",
                seen=f"{request.messages} messages, none of them DONE",
            )
    if _is_refused(exchange, request):
        return _refused(request)
    return broken(
        "REQ-11",
        "the request was not answered with DONE",
        field="flag",
        expected="DONE",
        seen=f"{request.messages} messages, none of them DONE",
    )


def _is_refused(exchange: Exchange, request: Request) -> bool:
    """Tell whether it is on account of its reserved words that a request has no answer.

    A driver that was not seen to answer a request without them may answer none, or none of a guest that has
    no unused pages.
    """
    return (
        request.is_marked and not request.messages and bool(request.was_unused) in exchange[Requests].answered
    )


def _refused(request: Request) -> Decision:
    """Say that a request is not answered, and that its reserved words are why."""
    return broken(
        "REQ-24",
        "a request with something in its reserved words is not answered",
        field="reserved",
        expected="messages, the last of them DONE",
        seen="no message",
        data=request.used.written,
    )
