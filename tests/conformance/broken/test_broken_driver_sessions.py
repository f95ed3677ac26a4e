"""Drivers that are wrong about negotiation, requests, ``actual``, the two kinds or reset: each is caught."""

from __future__ import annotations

from dataclasses import replace

import pytest
from broken import BrokenOnes, assert_caught

from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_state import (
    Answering,
    AnswerInput,
    AnswerPhase,
    BalloonPhase,
    Flight,
)
from balloon_spec.events import Available, ConfigurationWritten, Side
from balloon_spec.pages import EMPTY
from balloon_spec.queues import Queue

DRIVERS = BrokenOnes(Side.DRIVER)

_DEFLATE_ON_OOM, _CHUNK_TRANSFER, _HOST_REQ_VQ = 4, 8, 16


# -- negotiation ------------------------------------------------------------------------------------------


@DRIVERS.breaks("NEG-03")
class AcceptsChunksWithoutStatistics(Driver):
    def choose(self, offered):
        return super().choose(offered) | offered & _CHUNK_TRANSFER


@DRIVERS.breaks("NEG-04")
class AcceptsRequestsWithoutStatistics(Driver):
    def choose(self, offered):
        return super().choose(offered) | offered & _HOST_REQ_VQ


@DRIVERS.breaks("NEG-05")
class AcceptsWhatIsNotOffered(Driver):
    def choose(self, offered):
        return super().choose(offered) | _DEFLATE_ON_OOM


@DRIVERS.breaks("NEG-05")
class KeepsTheFeatures(Driver):
    """What it accepted before the reset it accepts after it."""

    def choose(self, offered):
        self.first = self.__dict__.get("first") or super().choose(offered)
        return self.first


@DRIVERS.breaks("NEG-10")
class TellsNobody(Driver):
    def choose(self, offered):
        return super().choose(offered) & ~1


# -- statistics -------------------------------------------------------------------------------------------


@DRIVERS.breaks("STATS-01")
class PostsNoStatistics(Driver):
    def set_up_statistics(self, state):
        return state, ()


@DRIVERS.breaks("STATS-02")
class PostsTwoStatisticsBuffers(Driver):
    def set_up_statistics(self, state):
        if not self.has(state, "STATS_VQ"):
            return state, ()
        state, first = self.post_statistics(state)
        state, second = self.post_statistics(state)
        return state, (*first, *second)


@DRIVERS.breaks("STATS-03")
class PostsStatisticsOnce(Driver):
    def statistics_returned(self, state, flight, used):
        return state, ()


# -- the request buffer -----------------------------------------------------------------------------------


@DRIVERS.breaks("REQ-01")
class PostsNoRequestBuffer(Driver):
    def set_up_requests(self, state):
        return state, ()


@DRIVERS.breaks("REQ-02")
class PostsALargeRequestBuffer(Driver):
    def fly(self, state, flight, readable=b"", writable_bytes=0):
        return super().fly(state, flight, readable, writable_bytes and 32)


@DRIVERS.breaks("REQ-13")
class PostsTheRequestBufferOnce(Driver):
    def exchange(self, kind, state, given=None):
        return (state, ()) if kind is AnswerInput.DONE_RETURNED else super().exchange(kind, state, given)


@DRIVERS.breaks("REQ-14")
class DropsUnknownRequests(Driver):
    def exchange(self, kind, state, given=None):
        return (state, ()) if kind is AnswerInput.UNKNOWN else super().exchange(kind, state, given)


@DRIVERS.breaks("REQ-14")
class AnswersUnknownRequests(Driver):
    def knows_command(self, cmd):
        return True


@DRIVERS.breaks("REQ-15")
class DropsUnreadableRequests(Driver):
    def exchange(self, kind, state, given=None):
        return (state, ()) if kind is AnswerInput.UNREADABLE else super().exchange(kind, state, given)


@DRIVERS.breaks("REQ-17")
class PostsTheRequestBufferAtOnce(Driver):
    def answer(self, state, request):
        posted, outputs = self.fly(state, Flight(Queue.HOST_REQUEST, is_request=True), writable_bytes=16)
        state, more = super().answer(posted, request)
        return state, (*outputs, *more)

    def post_request_buffer(self, state, given):
        if state.answering.phase is AnswerPhase.FINISHING:
            return replace(state, answering=Answering(phase=AnswerPhase.OFFERED)), ()
        return super().post_request_buffer(state, given)


@DRIVERS.breaks("REQ-21")
class PostsTwoRequestBuffers(Driver):
    def post_request_buffer(self, state, given):
        state, first = super().post_request_buffer(state, given)
        state, second = super().post_request_buffer(state, given)
        return state, (*first, *second)


# -- the answer -------------------------------------------------------------------------------------------


# To the device an exchange whose messages it cannot match goes on (REQ-11, REQ-17).


@DRIVERS.breaks("REQ-08", also=("REQ-11", "REQ-17"))
class AnswersWithIdZero(Driver):
    def answer_id(self, state):
        return 0


@DRIVERS.breaks("REQ-08", also=("REQ-11", "REQ-17"))
class CutsTheIdTo8Bits(Driver):
    def answer_id(self, state):
        return state.answering.param & 0xFF


@DRIVERS.breaks("REQ-09", also=("REQ-11", "REQ-17"))
class AnswersWithAnotherCommand(Driver):
    def answer_cmd(self, state):
        return 1


@DRIVERS.breaks("REQ-10")
class CountsMessagesInTheFlag(Driver):
    def __init__(self, options):
        super().__init__(replace(options, capacity_bytes=16))

    def encode_answer(self, state, pages, is_last):
        data = super().encode_answer(state, pages, is_last)
        return data if is_last else data[:1] + b"\x02" + data[2:]


class _SaysMore(Driver):
    """It sends one more message, of :meth:`extra`, before or after DONE."""

    def send_unused(self, state, given):
        state, outputs = super().send_unused(state, given)
        if not outputs:
            return state, outputs
        return state, self.more(outputs, Available(3, f"more-{state.buffers}", self.extra(state)))


@DRIVERS.breaks("REQ-11", also=("REQ-17", "CONC-02"))
class SendsNoDone(Driver):
    """It takes an exchange for closed with the last page."""

    def encode_answer(self, state, pages, is_last):
        return super().encode_answer(state, pages, False)

    def send_unused(self, state, given):
        state, outputs = super().send_unused(state, given)
        return state, tuple(one for one in outputs if len(one.readable) > 8)


@DRIVERS.breaks("REQ-11")
class SendsTwoDones(_SaysMore):
    def extra(self, state):
        return self.encode_answer(state, EMPTY, True)

    def more(self, outputs, extra):
        return (*outputs, extra)


@DRIVERS.breaks("REQ-12")
class SendsAnEmptyCont(_SaysMore):
    def extra(self, state):
        return self.encode_answer(state, EMPTY, False)

    def more(self, outputs, extra):
        return (extra, *outputs)


@DRIVERS.breaks("REQ-16")
class SpeaksUnasked(Driver):
    def set_up_requests(self, state):
        state, outputs = super().set_up_requests(state)
        if not outputs:
            return state, outputs
        return state, (
            *outputs,
            Available(3, "unasked", self.encode_answer(state, EMPTY, True), notified=False),
        )


# -- the balloon ------------------------------------------------------------------------------------------


@DRIVERS.breaks("INF-10", also=("CONC-04",))
class NeverInflates(Driver):
    """Nor while messages of unused pages are with the device."""

    def pages_to_inflate(self, state):
        return EMPTY


@DRIVERS.breaks("DEF-03")
class DeflatesBeforeInflateIsUsed(Driver):
    """It tells the device of pages wanted back while their inflate buffer is in flight."""

    def start_inflating(self, state, pages):
        state, outputs = super().start_inflating(state, pages)
        return state, (*outputs, Available(1, f"early-{state.buffers}", self.encode_pages(state, pages)))


@DRIVERS.breaks("DEF-09")
class ShrinksBelowTheTarget(Driver):
    def most_wanted(self, state, excess):
        return state.ballooning.balloon.pages


@DRIVERS.breaks("INF-05")
class CountsBeforeTheReturn(Driver):
    def start_inflating(self, state, pages):
        state, outputs = super().start_inflating(state, pages)
        return state, (*outputs, *self.write_actual(self.held(state).pages))


@DRIVERS.breaks("CFG-04", also=("BUF-06",))
class NeverWritesActual(Driver):
    """Nor after a return with a used length, which it may have stumbled on."""

    def write_actual(self, pages):
        return ()


@DRIVERS.breaks("CFG-05")
class SwapsActual(Driver):
    def write_actual(self, pages):
        return (ConfigurationWritten(4, pages.to_bytes(4, "big")),)


@DRIVERS.breaks("CFG-05")
class CountsOnePageTooFew(Driver):
    def count(self, state):
        return max(super().count(state) - 1, 0)


@DRIVERS.breaks("INF-03")
class CountsOnePageTooMany(Driver):
    def count(self, state):
        return super().count(state) + 1


@DRIVERS.breaks("CFG-03")
class WritesActualByBytes(Driver):
    def write_actual(self, pages):
        data = pages.to_bytes(4, "little")
        return tuple(ConfigurationWritten(4 + at, data[at : at + 1]) for at in range(4))


@DRIVERS.breaks("CFG-02")
class WritesTheWholeConfiguration(Driver):
    def write_actual(self, pages):
        return (ConfigurationWritten(0, bytes(4) + pages.to_bytes(4, "little")),)


# -- the two kinds ----------------------------------------------------------------------------------------


class _AnswersLater(Driver):
    """It leaves a request alone while a balloon operation of :attr:`phase` is under way."""

    phase: BalloonPhase

    def __init__(self, options):
        super().__init__(options)
        self.kept = None

    def reset(self, state, given):
        self.kept = None
        return super().reset(state, given)

    def answer(self, state, request):
        if state.ballooning.phase is self.phase:
            self.kept = request
            return state, ()
        return super().answer(state, request)

    def finish(self, state):
        state, outputs = super().finish(state)
        if self.kept is None or state.ballooning.phase is self.phase:
            return state, outputs
        kept, self.kept = self.kept, None
        state, more = super().answer(state, kept)
        return state, (*outputs, *more)


@DRIVERS.breaks("CONC-02")
class AnswersAfterInflating(_AnswersLater):
    phase = BalloonPhase.INFLATING


@DRIVERS.breaks("CONC-03")
class AnswersAfterDeflating(_AnswersLater):
    phase = BalloonPhase.DEFLATING


@DRIVERS.breaks("CONC-04")
class InflatesAfterTheAnswer(Driver):
    """It inflates nothing while a message of unused pages is with the device."""

    def pages_to_inflate(self, state):
        messages = any(not one.is_request for one in self.in_flight(state, Queue.HOST_REQUEST))
        return EMPTY if messages else super().pages_to_inflate(state)

    def host_request_returned(self, state, flight, used):
        state, outputs = super().host_request_returned(state, flight, used)
        if state.ballooning.phase is not BalloonPhase.RESTING:
            return state, outputs
        state, more = self.consider(state, None)
        return state, (*outputs, *more)


# -- reset ------------------------------------------------------------------------------------------------


@DRIVERS.breaks("RESET-04")
class PostsNoRequestBufferAfterTheReset(Driver):
    def set_up_requests(self, state):
        return super().set_up_requests(state) if state.buffers < 2 else (state, ())


@DRIVERS.breaks("RESET-05")
class GoesOnAfterTheReset(Driver):
    """The answer it owed comes when it is initialised again."""

    def __init__(self, options):
        super().__init__(options)
        self.owed = None

    def reset(self, state, given):
        is_open = state.answering.phase in {AnswerPhase.ANSWERING, AnswerPhase.FINISHING}
        self.owed = state.answering if is_open else None
        return super().reset(state, given)

    def set_up_requests(self, state):
        state, outputs = super().set_up_requests(state)
        if self.owed is None:
            return state, outputs
        data = self.encode_answer(replace(state, answering=self.owed), EMPTY, True)
        self.owed = None
        return state, (*outputs, Available(3, "owed", data, notified=False))


@pytest.mark.parametrize("broken", DRIVERS, ids=str)
def test_a_broken_driver_is_caught_for_what_it_breaks(broken):
    assert_caught(broken)
