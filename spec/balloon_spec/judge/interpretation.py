"""How a buffer is read in the light of what was negotiated, and what it puts to the test."""

from __future__ import annotations

from dataclasses import replace

from balloon_spec import events as ev
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.chunk_transfer import response_header
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.judge.balloon import Balloon
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.configuration_space import Configuration
from balloon_spec.judge.content import (
    Content,
    looks_like_message,
    looks_like_pfn_array,
    read_array,
    read_content,
    read_message,
)
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.guest_wishes import GuestWishes
from balloon_spec.judge.host_requests import Requests
from balloon_spec.judge.in_flight import InFlight, Shape
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import segments_outside

__all__ = ["interpret", "wishes"]


def interpret(exchange: Exchange, event: ev.Available) -> InFlight:
    """Read a buffer in the light of what was negotiated."""
    session = exchange[Session]
    queue = session.queues.get(event.queue)
    if _is_misplaced(exchange, event, queue):
        queue = None
    shape, content = _shape(exchange, event, queue), Content()
    if shape in {Shape.MESSAGE, Shape.ARRAY}:
        meant = _meant(exchange, queue)
        content = read_content(queue, event.readable, _memory(exchange), session.features, meant)
    if session.memory is None:
        content = _without_memory(content)
    early = not session.driver_ok and not event.notified
    buffer = InFlight(event, queue, shape, content, exchange[Buffers].count, early)
    if segments_outside(event.segments, session.memory):
        return replace(buffer, is_reachable=False, content=replace(content, firm=EMPTY))
    return replace(buffer, trials=_trials(exchange, buffer))


def _shape(exchange: Exchange, event: ev.Available, queue: Queue | None) -> Shape:
    """Tell what a buffer is, by its queue, the negotiated features and its bytes."""
    session, memory = exchange[Session], _memory(exchange)
    if queue is STATISTICS:
        return Shape.STATISTICS
    if queue is HOST_REQUEST:
        return Shape.MESSAGE if event.readable else Shape.REQUEST
    if queue not in {INFLATE, DEFLATE}:
        return Shape.NONE
    if session.has("CHUNK_TRANSFER"):
        is_array = session.memory is not None and looks_like_pfn_array(event.readable, memory)
        return Shape.WRONG_ARRAY if is_array else Shape.MESSAGE
    is_message = looks_like_message(event.readable) and not _reads_as_array(event.readable, memory)
    return Shape.WRONG_MESSAGE if is_message else Shape.ARRAY


_RESTS_ON_MEMORY = frozenset({"CHUNK-05", "CHUNK-11", "PFN-04", "PFN-08"})
"""What is seen broken only if guest memory is known: that a page exists, and which byte order names it."""


def _without_memory(content: Content) -> Content:
    """Leave out what was put to no test as long as nobody said which pages there are."""
    decisions = tuple(
        one for one in content.decisions if not (one.is_kept and one.requirement in _RESTS_ON_MEMORY)
    )
    return replace(content, decisions=decisions)


def wishes(exchange: Exchange, queue: Queue | None) -> PageSet | None:
    """Return the pages the guest wants named on this queue, None if it is not steered."""
    guest = exchange[GuestWishes]
    if queue is INFLATE:
        return guest.to_inflate
    if queue is DEFLATE:
        return guest.to_deflate
    return exchange[Requests].unused


def _meant(exchange: Exchange, queue: Queue | None) -> tuple[PageSet, ...]:
    """Return the sets of pages that a message on this queue is known to mean, none if nobody knows."""
    balloon = exchange[Balloon]
    wanted = wishes(exchange, queue)
    if wanted is None:
        return (balloon.held,) if queue is DEFLATE else ()
    return wanted, balloon.named


def _is_misplaced(exchange: Exchange, event: ev.Available, queue: Queue | None) -> bool:
    """Tell whether a buffer of the host request queue was made available on another one."""
    asked = exchange[Requests]
    if queue not in {INFLATE, DEFLATE, STATISTICS} or not exchange[Session].has("HOST_REQ_VQ"):
        return False
    if not event.readable:
        return event.writable_bytes == host_request.LENGTH_BYTES
    if asked.request is None or not asked.request.is_open or len(event.readable) < 8:
        return False
    header = response_header.parse(event.readable[:8])
    is_answer = header.flag == response_header.FLAG_DONE or header.id > 0
    if not is_answer or header.id != asked.request.parameter & 0xFFFF:
        return False
    return not _is_balloon_message(exchange, event.readable, queue)


def _is_balloon_message(exchange: Exchange, data: bytes, queue: Queue | None) -> bool:
    """Tell whether the pages of a message are due on this queue, whatever its header was used for before."""
    balloon = exchange[Balloon]
    guest = exchange[GuestWishes]
    pages = read_message(data, _memory(exchange), "balloon").pages
    if queue is DEFLATE:
        due = balloon.held
    elif guest.to_inflate is not None:
        due = guest.owed_to_inflate
    else:
        # Nobody told which pages are to be given up; how many says the target.
        return 0 < pages.pages <= (exchange[Configuration].num_pages or 0) - balloon.named.pages
    return bool(pages) and pages <= due


def _memory(exchange: Exchange) -> PageSet:
    session = exchange[Session]
    return session.memory if session.memory is not None else PageSet([(0, 1 << 52)])


def _trials(exchange: Exchange, buffer: InFlight) -> frozenset[str]:
    """Name the requirements of the device that a sound buffer puts to the test."""
    session = exchange[Session]
    flying = exchange[Buffers]
    balloon = exchange[Balloon]
    asked = exchange[Requests]
    tests = set(buffer.content.trials)
    pages = buffer.content.pages
    if buffer.queue is INFLATE and pages & balloon.named:
        tests.add("INF-06")
    if buffer.queue is DEFLATE and pages - balloon.named - balloon.deflating:
        tests.add("DEF-07")
    if buffer.queue is HOST_REQUEST and buffer.shape is Shape.MESSAGE:
        tests |= _unused_trials(exchange, buffer)
    if buffer.queue in {INFLATE, DEFLATE}:
        if session.resets and session.changed_format:
            tests.add("RESET-01")
        if asked.request and asked.request.is_open:
            tests.add("REQ-23")
        # A device that never returned a deflate buffer did not stop because of the malformed one.
        serves = buffer.queue is INFLATE or flying.has_deflated
        if serves and flying.malformed_came:
            tests.add("SAFE-05")
        elif serves and session.resets and flying.malformed_came_before:
            tests.add("SAFE-04")
    if buffer.shape in {Shape.MESSAGE, Shape.ARRAY}:
        others = [
            other.queue for other in flying.in_flight.values() if other.shape in {Shape.MESSAGE, Shape.ARRAY}
        ]
        if buffer.queue in others:
            tests.add("QUEUE-06")
        if session.has("HOST_REQ_VQ") and any(queue is not buffer.queue for queue in others):
            tests.add("CONC-06")
    if len(buffer.event.cut) > 1 or len(buffer.event.extents) > 1:
        tests.add("QUEUE-05")
    return frozenset(tests)


def _unused_trials(exchange: Exchange, buffer: InFlight) -> set[str]:
    asked = exchange[Requests]
    header = buffer.content.header
    if header is None:
        return set()
    tests = set()
    if not asked.matches(buffer):
        tests.add("REQ-19")
    elif header.flag == 1 and header.data_len == 0:
        tests.add("REQ-18")
    pages, request = buffer.content.pages, asked.request
    reported = EMPTY if request is None else request.reported
    if buffer.content.repeated or pages & exchange[Balloon].named or pages & reported:
        tests.add("UNUSED-03")
    return tests


def _reads_as_array(data: bytes, memory: PageSet) -> bool:
    """Tell whether every 32-bit word names a page that exists, header and all."""
    content = read_array(data, memory)
    return not content.is_malformed
