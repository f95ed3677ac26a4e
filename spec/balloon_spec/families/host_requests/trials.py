"""What the answer to a request puts a device to the test of, and in which order blame tries it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from balloon_spec.families.base import BALLOON_QUEUES
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.chunk_transfer.message_content import MESSAGE, MessageContent
from balloon_spec.families.chunk_transfer.response_header import FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.host_requests.ledger import Requests
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.session import Session
from balloon_spec.judge.trials import Trial
from balloon_spec.pages import EMPTY

__all__ = ["CLOSED", "CONCURRENT", "TRIALS", "tests"]

CONCURRENT: Final = "CONC-06"

TRIALS: Final = (
    Trial("REQ-23", 30, "a buffer is not returned while a request is unanswered"),
    Trial("REQ-18", 50, "a DONE without chunks is not returned"),
    Trial(
        "REQ-19",
        60,
        "a message that matches no open request is not returned",
        tests_malformed=True,
        welcome=True,
    ),
    Trial("UNUSED-03", 80, "a message that names pages twice, or pages of the balloon, is not returned"),
    Trial(
        "UNUSED-01",
        170,
        harmed="pages that were reported unused were changed",
        lasts=True,
        outlives_reset=True,
    ),
    Trial(CONCURRENT, 320, "a buffer is not returned while another queue has one in flight"),
)

CLOSED: Final = {
    "REQ-19": "a message that belongs to no open request closed the open one",
    "REQ-25": "a message whose flag is neither CONT nor DONE closed the open request",
    "SAFE-06": "a message whose data_len is no multiple of 16 closed the open request",
    "SAFE-08": "a message shorter than its header closed the open request",
    "HDR-05": "the header of a message on another queue closed the open request",
}
"""What leaves an open request open, with the words for a buffer that closed it."""


def tests(exchange: Exchange, buffer: InFlight) -> Iterator[str]:
    """Name the trials to which a sound buffer puts the device after all that went before."""
    if buffer.queue is HOST_REQUEST and isinstance(buffer.content, MessageContent):
        yield from _tests_of_an_answer(exchange, buffer, buffer.content)
    if buffer.queue in BALLOON_QUEUES and exchange[Requests].is_asked:
        yield "REQ-23"
    if buffer.shape.names_pages and exchange[Session].has("HOST_REQ_VQ"):
        flying = exchange[Buffers].in_flight.values()
        if any(other.shape.names_pages and other.queue is not buffer.queue for other in flying):
            yield CONCURRENT


def _tests_of_an_answer(exchange: Exchange, buffer: InFlight, content: MessageContent) -> Iterator[str]:
    asked, header = exchange[Requests], content.header
    if header is None or buffer.shape is not MESSAGE:
        return
    if not asked.matches(buffer):
        yield "REQ-19"
    elif header.flag == FLAG_DONE and header.data_len == 0:
        yield "REQ-18"
    reported = EMPTY if asked.request is None else asked.request.reported
    if content.repeated or content.pages & exchange[Balloon].named or content.pages & reported:
        yield "UNUSED-03"
