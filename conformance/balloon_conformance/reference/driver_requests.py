"""How the reference driver answers host requests.

Nothing here depends on the progress of the balloon, and the balloon depends on nothing here (CONC-02,
CONC-03, CONC-04).
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar

from balloon_conformance.reference.coalesce import split_at_runs
from balloon_conformance.reference.driver_pages import PageWriter, Step
from balloon_conformance.reference.driver_state import (
    Answering,
    AnswerInput,
    AnswerPhase,
    DriverOutput,
    DriverState,
    Flight,
)
from balloon_conformance.reference.machine import Move, Refusal, Table
from balloon_spec.events import Used
from balloon_spec.families.chunk_transfer.response_header import CMD_GET_UNUSED_PAGES, FLAG_CONT, FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.pages import EMPTY, PageSet

__all__ = ["ANSWERS", "AnsweringDriver"]

_ABSENT, _OFFERED, _ANSWERING, _FINISHING = AnswerPhase
_NOT_NEGOTIATED = Refusal("the host request queue is not set up")
_ONE_BUFFER = Refusal("the request buffer is with the driver")
_STARTED = Refusal("the queue was set up with the features")

ANSWERS: Table = MappingProxyType(
    {
        (_ABSENT, AnswerInput.START): Move("post_request_buffer", (_OFFERED,), ("REQ-01", "RESET-04")),
        (_ABSENT, AnswerInput.REQUEST): _NOT_NEGOTIATED,
        (_ABSENT, AnswerInput.UNKNOWN): _NOT_NEGOTIATED,
        (_ABSENT, AnswerInput.UNREADABLE): _NOT_NEGOTIATED,
        (_ABSENT, AnswerInput.CONT_RETURNED): _NOT_NEGOTIATED,
        (_ABSENT, AnswerInput.DONE_RETURNED): _NOT_NEGOTIATED,
        (_OFFERED, AnswerInput.START): _STARTED,
        (_OFFERED, AnswerInput.REQUEST): Move("answer", (_ANSWERING, _FINISHING)),
        (_OFFERED, AnswerInput.UNKNOWN): Move("post_request_buffer", (_OFFERED,), ("REQ-14",)),
        (_OFFERED, AnswerInput.UNREADABLE): Move("post_request_buffer", (_OFFERED,), ("REQ-15",)),
        # A CONT may come back after the DONE that followed it (CONC-05).
        (_OFFERED, AnswerInput.CONT_RETURNED): Move("send_unused", (_OFFERED,)),
        (_OFFERED, AnswerInput.DONE_RETURNED): Refusal("no DONE is in flight"),
        (_ANSWERING, AnswerInput.START): _STARTED,
        (_ANSWERING, AnswerInput.REQUEST): _ONE_BUFFER,
        (_ANSWERING, AnswerInput.UNKNOWN): _ONE_BUFFER,
        (_ANSWERING, AnswerInput.UNREADABLE): _ONE_BUFFER,
        (_ANSWERING, AnswerInput.CONT_RETURNED): Move("send_unused", (_ANSWERING, _FINISHING)),
        (_ANSWERING, AnswerInput.DONE_RETURNED): Refusal("no DONE is in flight"),
        (_FINISHING, AnswerInput.START): _STARTED,
        (_FINISHING, AnswerInput.REQUEST): _ONE_BUFFER,
        (_FINISHING, AnswerInput.UNKNOWN): _ONE_BUFFER,
        (_FINISHING, AnswerInput.UNREADABLE): _ONE_BUFFER,
        (_FINISHING, AnswerInput.CONT_RETURNED): Move("send_unused", (_FINISHING,)),
        (_FINISHING, AnswerInput.DONE_RETURNED): Move(
            "post_request_buffer", (_OFFERED,), ("REQ-13", "REQ-17", "REQ-21")
        ),
    }
)
"""What happens to a host request in every phase."""


class AnsweringDriver(PageWriter):
    """The part of the driver that answers requests for unused pages."""

    answer_table: ClassVar[Table] = ANSWERS

    def exchange(self, kind: AnswerInput, state: DriverState, given: object = None) -> Step:
        """Take one step in the table of host requests."""
        return self.follow(self.answer_table, state.answering.phase, kind, state, given)

    # REQ-02, QUEUE-01: sixteen bytes to write, nothing to read, on the host request queue.
    def post_request_buffer(self, state: DriverState, _given: object) -> Step:
        """Make the request buffer available."""
        state = replace(state, answering=Answering(phase=_OFFERED))
        return self.make_available(
            state, Flight(HOST_REQUEST, is_request=True), writable_bytes=host_request.LENGTH_BYTES
        )

    def take_request_buffer(self, state: DriverState, used: Used) -> Step:
        """Read what the device wrote, and take the step that follows from it."""
        if used.length_bytes != host_request.LENGTH_BYTES or len(used.written) != host_request.LENGTH_BYTES:
            return self.exchange(AnswerInput.UNREADABLE, state, used)
        # REQ-24: the reserved words of a request are ignored.
        request = host_request.parse(used.written)
        if not self.knows_command(request.cmd):
            return self.exchange(AnswerInput.UNKNOWN, state, request)
        return self.exchange(AnswerInput.REQUEST, state, request)

    def knows_command(self, cmd: int) -> bool:
        """Tell whether a request with this command is answered."""
        return cmd == CMD_GET_UNUSED_PAGES

    # REQ-22: the first message leaves before anything else is looked at.
    def answer(self, state: DriverState, request: HostRequest) -> Step:
        """Begin the exchange that answers a request."""
        pages = self.unused_pages(state)
        # UNUSED-04, UNUSED-05: a set that is divided once names each page at most once.
        left = split_at_runs(pages, self.message_capacity()) or (EMPTY,)
        answering = Answering(_ANSWERING, request.cmd, request.param, left)
        return self.send_unused(replace(state, answering=answering), None)

    # UNUSED-02: no pages of the balloon. UNUSED-06: pages that are still to be inflated count as free.
    # UNUSED-08: runs of any length.
    def unused_pages(self, state: DriverState) -> PageSet:
        """Return the pages an answer names."""
        return ((state.unused | state.pool) & self.options.memory) - self.held(state)

    # REQ-10, REQ-11: CONT in every message but the last, DONE in the last.
    def send_unused(self, state: DriverState, _given: object) -> Step:
        """Make messages of the exchange available while there is room."""
        outputs: tuple[DriverOutput, ...] = ()
        while state.answering.left and self.has_room(state, HOST_REQUEST):
            pages, *left = state.answering.left
            is_last = not left
            # UNUSED-02 again: the balloon may have grown since the exchange began.
            pages = pages - self.held(state)
            answering = replace(
                state.answering, left=tuple(left), phase=_FINISHING if is_last else _ANSWERING
            )
            state = replace(state, answering=answering)
            # REQ-12: an empty CONT is not sent; an empty DONE is.
            if pages or is_last:
                data = self.encode_answer(state, pages, is_last)
                state, more = self.make_available(state, Flight(HOST_REQUEST, pages, is_last), data)
                outputs += more
        return state, outputs

    def encode_answer(self, state: DriverState, pages: PageSet, is_last: bool) -> bytes:
        """Build a message of the exchange."""
        flag = FLAG_DONE if is_last else FLAG_CONT
        return self.encode_message(pages, self.answer_cmd(state), flag, self.answer_id(state))

    # REQ-09: the request's command comes back.
    def answer_cmd(self, state: DriverState) -> int:
        """Return cmd for the messages of the exchange, 8 bits."""
        return state.answering.cmd & 0xFF

    # REQ-08: the low 16 bits of the request's parameter come back.
    def answer_id(self, state: DriverState) -> int:
        """Return the id for the messages of the exchange, 16 bits."""
        return state.answering.param & 0xFFFF
