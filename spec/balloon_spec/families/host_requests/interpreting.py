"""What is known about buffers of the host request queue beyond their bytes, on other queues too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from balloon_spec import events as ev
from balloon_spec.families.base import BALLOON_QUEUES, DEFLATE
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.configuration_space import Configuration
from balloon_spec.families.base.guest_wishes import GuestWishes
from balloon_spec.families.chunk_transfer import response_header
from balloon_spec.families.chunk_transfer.message_content import read_message
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.families.host_requests.ledger import Requests
from balloon_spec.families.host_requests.trials import tests
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.in_flight import Astray
from balloon_spec.judge.interpretation import Interpreter, all_pages
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

__all__ = ["INTERPRETER"]

_HEADER_BYTES: Final = response_header.LENGTH_BYTES
_AMONG: Final = BALLOON_QUEUES | {STATISTICS}
"""The queues on which a buffer of the host request queue is recognised."""


def _meant(exchange: Exchange, _queue: Queue) -> Sequence[PageSet]:
    """Return the pages that an answer may name, and those that may be named again."""
    wanted = exchange[Requests].unused
    return () if wanted is None else (wanted, exchange[Balloon].named)


def _recognises(exchange: Exchange, event: ev.Available, queue: Queue) -> Astray | None:
    """Recognise a buffer of the host request queue that was made available on another one."""
    session = exchange[Session]
    if queue not in _AMONG or not session.has("HOST_REQ_VQ"):
        return None
    if not event.readable:
        is_request = event.writable_bytes == host_request.LENGTH_BYTES
        return Astray(HOST_REQUEST, "a request buffer") if is_request else None
    request = exchange[Requests].request
    if request is None or not request.is_open or len(event.readable) < _HEADER_BYTES:
        return None
    header = response_header.parse(event.readable[:_HEADER_BYTES])
    is_answer = header.flag == response_header.FLAG_DONE or header.id > 0
    if not is_answer or header.id != request.parameter & 0xFFFF:
        return None
    pages = read_message(event.readable, all_pages(exchange), is_idle=True).pages
    if _are_due(exchange, pages, queue):
        return None
    # A device looks at no header of a message on the queues of the balloon (HDR-05), and may act on it.
    return Astray(HOST_REQUEST, "an unused-page message", pages if session.memory else EMPTY)


def _are_due(exchange: Exchange, pages: PageSet, queue: Queue) -> bool:
    """Tell whether the pages of a message are due on this queue, whatever its header was used for before."""
    balloon, guest = exchange[Balloon], exchange[GuestWishes]
    if queue is DEFLATE:
        due = balloon.held
    elif guest.to_inflate is not None:
        due = guest.owed_to_inflate
    else:
        # Nobody told which pages are to be given up; how many says the target.
        return 0 < pages.pages <= (exchange[Configuration].num_pages or 0) - balloon.named.pages
    return bool(pages) and pages <= due


INTERPRETER: Final = Interpreter((HOST_REQUEST,), tests, _meant, _recognises)
