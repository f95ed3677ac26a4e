"""Rules about the answer to a host request: its messages, its unused pages, and what goes on beside it."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Available, Guest, GuestAction, Quiet, Side
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.pages_named import is_displaced, misplaced
from balloon_spec.families.chunk_transfer.message_content import MESSAGE, header_of
from balloon_spec.families.chunk_transfer.response_header import FLAG_CONT, FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.host_requests.ledger import Request, Requests
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.judge.shape import on_places

_FIRST_ANSWER_SECONDS = 1.0


@rule(Available, "REQ-08", "REQ-09", "REQ-10", "REQ-11", "REQ-12", "REQ-14", "REQ-16", "REQ-22", "RESET-05")
def a_message_answers_the_request(event: Available, scene: Scene) -> Iterator[Decision]:
    """Messages come while a request is open, carry its command and id, and end with one DONE."""
    buffer = scene.buffer
    if buffer is None or buffer.queue is not HOST_REQUEST or buffer.shape is not MESSAGE:
        return
    header, request = header_of(buffer.content), scene[Requests].request
    if header is None:
        return
    stray = _stray_message(scene.exchange, request, header.id)
    if stray is not None:
        yield stray
        return
    assert request is not None
    yield kept("REQ-16")
    for requirement, field, expected, seen in (
        ("REQ-08", "id", request.parameter & 0xFFFF, header.id),
        ("REQ-09", "cmd", request.command, header.cmd),
    ):
        yield kept_if(
            requirement,
            seen == expected,
            f"{field} is not that of the request",
            field=field,
            expected=f"{expected:#x}",
            seen=f"{seen:#x}",
            data=event.readable[:8],
        )
    yield kept_if(
        "REQ-10",
        header.flag in {FLAG_CONT, FLAG_DONE},
        "flag is neither CONT nor DONE",
        field="flag",
        expected="0 or 1",
        seen=header.flag,
        data=event.readable[:8],
    )
    if header.flag == FLAG_DONE:
        yield kept("REQ-11")
    else:
        yield kept_if(
            "REQ-12",
            header.data_len != 0,
            "a CONT is empty",
            field="data_len",
            expected="at least 16",
            seen=0,
            data=event.readable,
        )
    yield from _promptness(scene.exchange, request)


def _stray_message(exchange: Exchange, request: Request | None, message_id: int) -> Decision | None:
    """Say what is wrong with a message when no request is open for it; None when one is."""
    if request is not None and request.is_whole and request.command:
        return broken(
            "REQ-14",
            "an unknown command is answered with a message",
            field="cmd",
            expected="no message",
            seen=f"command {request.command:#x}",
        )
    if request is not None and request.is_open:
        return None
    last_id = exchange[Requests].last_id
    if (
        request is None
        and exchange[Session].resets
        and last_id is not None
        and message_id == last_id & 0xFFFF
    ):
        return broken(
            "RESET-05",
            "the answer to a request from before the reset goes on",
            field="id",
            expected="no message",
            seen=f"{message_id:#x}",
        )
    if request is not None and request.is_done and not exchange[Requests].request_buffers():
        return broken(
            "REQ-11",
            "a message follows DONE in the same exchange",
            field="flag",
            expected="no message after DONE",
            seen="another message",
        )
    return broken(
        "REQ-16",
        "an unused-page message is sent while no request is open",
        field="message",
        expected="a request first",
        seen=f"id {message_id:#x}",
    )


def _promptness(exchange: Exchange, request: Request) -> Iterator[Decision]:
    """REQ-22, where the trace has times."""
    if request.messages or request.at_seconds is None or exchange.now_seconds is None:
        return
    waited = exchange.now_seconds - request.at_seconds
    yield kept_if(
        "REQ-22",
        waited <= _FIRST_ANSWER_SECONDS,
        "the first message came late",
        field="time",
        expected=f"{_FIRST_ANSWER_SECONDS:g} s at most",
        seen=f"{waited:.3f} s",
    )


@rule(Available, "UNUSED-02", "UNUSED-04", "UNUSED-05", "UNUSED-08")
def unused_pages_are_unused(event: Available, scene: Scene) -> Iterator[Decision]:
    """Pages of the balloon are not unused, and an exchange names each page once."""
    session = scene[Session]
    buffer = scene.buffer
    if buffer is None or buffer.queue is not HOST_REQUEST or not buffer.content.total:
        return
    pages, data, request = buffer.content.pages, event.readable, scene[Requests].request
    # A page that went into the balloon since may have been free when the driver looked, after the request.
    held = pages & (scene[Balloon].named if request is None else request.named_throughout)
    yield kept_if(
        "UNUSED-02",
        not held,
        "a page of the balloon is reported unused",
        field="chunk",
        expected="pages that were outside the balloon at some moment since the request",
        seen=held,
        data=data,
    )
    if request is None:
        return
    again = pages & request.reported
    yield kept_if(
        "UNUSED-04",
        not (again or buffer.content.repeated),
        "a page is named twice in one exchange",
        field="chunk",
        expected="each page once",
        seen=again or pages,
        data=data,
    )
    if any(run.count == 1 for run in pages):
        yield kept("UNUSED-08")
    if session.memory is None:
        return
    total = request.total + buffer.content.total
    yield kept_if(
        "UNUSED-05",
        total <= session.memory.pages,
        "one exchange names more pages than guest memory has",
        field="response data",
        expected=f"{session.memory.pages} pages at most",
        seen=f"{total} pages",
        data=data,
    )


@rule(Available, "UNUSED-10", further=on_places, kin="pages_are_those_meant")
def unused_pages_are_those_meant(event: Available, scene: Scene) -> Iterator[Decision]:
    """A driver whose guest is steered names pages that the guest left unused, in units of 4 KiB."""
    buffer, asked = scene.buffer, scene[Requests]
    meant, request = asked.unused, asked.request
    if buffer is None or buffer.queue is not HOST_REQUEST or not buffer.content.total or meant is None:
        return
    named = buffer.content.intended
    # Pages of the balloon may be named again (UNUSED-02 judges that): no error of arithmetic.
    extra = named - meant - scene[Balloon].named
    if request is not None:
        extra -= request.was_free
    if not extra:
        if named <= meant:
            yield from (kept(name) for name in buffer.shape.on_places)
        yield kept("UNUSED-10")
        return
    begun = request is not None and request.reported & meant
    if is_displaced(named, meant) and not begun:
        yield misplaced(buffer, meant, extra, "does not use")
        return
    yield broken(
        "UNUSED-10",
        "pages that the guest uses are reported unused",
        field="chunk",
        expected=meant,
        seen=extra,
        data=event.readable,
    )


@rule(Guest, "UNUSED-10")
def what_the_guest_keeps_is_in_use(event: Guest, scene: Scene) -> Iterator[Decision]:
    """Pages in which the guest kept data from before the request to after the answer were never free."""
    request = scene[Requests].request
    if event.action is not GuestAction.HOLD or request is None or not request.reported:
        return
    throughout = request.held_by_guest & event.pages
    wrong = throughout & request.reported
    if wrong:
        yield broken(
            "UNUSED-10",
            "pages in which the guest keeps data are reported unused",
            field="chunk",
            expected="pages that were free at some moment since the request",
            seen=wrong,
        )
    elif throughout:
        yield kept("UNUSED-10")


@rule(Available, "UNUSED-06")
def a_reported_page_may_be_inflated(_event: Available, scene: Scene) -> Iterator[Decision]:
    """A page that was reported unused may go into the balloon while the exchange lasts."""
    buffer, request = scene.buffer, scene[Requests].request
    if buffer is None or buffer.queue is not INFLATE or request is None or request.is_done:
        return
    if buffer.content.pages & request.reported:
        yield kept("UNUSED-06")


@rule(Available, "CONC-02", "CONC-03", "CONC-04")
def kinds_do_not_wait(_event: Available, scene: Scene) -> Iterator[Decision]:
    """An exchange ends while balloon pages are unanswered, and ballooning goes on beside an exchange."""
    flying = scene[Buffers]
    asked = scene[Requests]
    buffer = scene.buffer
    if buffer is None:
        return
    if buffer.queue in {INFLATE, DEFLATE}:
        if asked.messages():
            yield kept("CONC-04")
    elif buffer.shape is MESSAGE and asked.request is not None:
        header = header_of(buffer.content)
        waiting = {other.queue for other in flying.on(INFLATE, DEFLATE)}
        if header is not None and header.flag == FLAG_DONE:
            for queue, requirement in ((INFLATE, "CONC-02"), (DEFLATE, "CONC-03")):
                if queue in waiting & asked.request.beside:
                    yield kept(requirement)


@rule(Quiet, "RESET-05")
def an_exchange_ends_with_the_reset(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A driver that rests after a reset with a request open has let the exchange of before go."""
    asked = scene[Requests]
    if event.side is Side.DRIVER and asked.was_asked and asked.request is None and asked.posts:
        yield kept("RESET-05")
