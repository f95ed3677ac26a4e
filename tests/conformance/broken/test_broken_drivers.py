"""Drivers that build wrong bytes, or name wrong pages: each is caught, and for the right reason."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from broken import BrokenOnes, assert_caught

from balloon_conformance.iut.reference import ReferenceDriver
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_state import BalloonPhase
from balloon_spec.events import Available, BufferAltered, Guest, GuestAction, Side
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.wire.statistics import Statistic, Statistics

DRIVERS = BrokenOnes(Side.DRIVER)


def _shifted(pages, by):
    return PageSet((run.first + by, run.count) for run in pages)


# -- the header -------------------------------------------------------------------------------------------


@DRIVERS.breaks("HDR-06")
class SwapsDataLen(Driver):
    def encode_header(self, cmd, flag, identifier, data_bytes):
        return struct.pack("<BBH", cmd, flag, identifier) + struct.pack(">I", data_bytes)


@DRIVERS.breaks("HDR-02", also=("HDR-03",))
class CountsTheHeaderInDataLen(Driver):
    """A multiple of 16 and eight is no multiple of 16."""

    def encode_header(self, cmd, flag, identifier, data_bytes):
        return super().encode_header(cmd, flag, identifier, data_bytes + 8)


@DRIVERS.breaks("HDR-04")
class LeavesJunkInTheHeader(Driver):
    def encode_pages(self, state, pages):
        data = super().encode_pages(state, pages)
        return data[:2] + b"\x5a" + data[3:] if self.has(state, "CHUNK_TRANSFER") else data


@DRIVERS.breaks("HDR-01")
class SendsChunksAlone(Driver):
    def encode_message(self, pages, cmd, flag, identifier):
        return self.encode_chunks(pages) or super().encode_message(pages, cmd, flag, identifier)


# -- chunks -----------------------------------------------------------------------------------------------


@DRIVERS.breaks("CHUNK-11")
class SwapsChunkWords(Driver):
    def encode_chunks(self, pages):
        return np.frombuffer(super().encode_chunks(pages), "<u8").astype(">u8").tobytes()


@DRIVERS.breaks("CHUNK-03")
class SetsAReservedBit(Driver):
    def encode_chunks(self, pages):
        return (np.frombuffer(super().encode_chunks(pages), "<u8") | np.uint64(1)).tobytes()


@DRIVERS.breaks("CHUNK-02")
class CountsOnePageTooMany(Driver):
    def encode_chunks(self, pages):
        words = np.frombuffer(super().encode_chunks(pages), "<u8").copy()
        words[1::2] += np.uint64(4096)
        return words.tobytes()


@DRIVERS.breaks("CHUNK-04", "INF-03", also=("CHUNK-02",))
class CountsOnePageTooFew(Driver):
    """A run of one page has none then, and a page of a longer one is in the balloon and was never named."""

    def encode_chunks(self, pages):
        words = np.frombuffer(super().encode_chunks(pages), "<u8").copy()
        words[1::2] -= np.uint64(4096)
        return words.tobytes()


@DRIVERS.breaks("CHUNK-01")
class StartsOnePageTooHigh(Driver):
    def encode_chunks(self, pages):
        return super().encode_chunks(_shifted(pages, 1))


@DRIVERS.breaks("CHUNK-05")
class NamesPagesOutsideMemory(Driver):
    def encode_chunks(self, pages):
        return super().encode_chunks(pages) + struct.pack("<QQ", 1 << 40, 1 << 12)


@DRIVERS.breaks("CHUNK-04")
class SendsAnEmptyChunk(Driver):
    def encode_chunks(self, pages):
        return super().encode_chunks(pages) + struct.pack("<QQ", 0x1000 << 12, 0)


# -- arrays -----------------------------------------------------------------------------------------------


@DRIVERS.breaks("PFN-08")
class SwapsPageFrameNumbers(Driver):
    def encode_array(self, pages):
        return np.frombuffer(super().encode_array(pages), "<u4").astype(">u4").tobytes()


@DRIVERS.breaks("PFN-03")
class CountsPagesOf16KiB(Driver):
    def encode_array(self, pages):
        return (np.frombuffer(super().encode_array(pages), "<u4") >> 2).tobytes()


@DRIVERS.breaks("PFN-02")
class SendsHalfAnEntry(Driver):
    def encode_array(self, pages):
        return super().encode_array(pages) + b"\0\0"


@DRIVERS.breaks("PFN-04")
class EndsArraysWithAMark(Driver):
    def encode_array(self, pages):
        return super().encode_array(pages) + b"\xff" * 4


def _is_deflating(state):
    return state.ballooning.phase is BalloonPhase.DEFLATING


@DRIVERS.breaks("INF-01")
class InflatesByArrays(Driver):
    def encode_pages(self, state, pages):
        return super().encode_pages(state, pages) if _is_deflating(state) else self.encode_array(pages)


@DRIVERS.breaks("DEF-01")
class DeflatesByArrays(Driver):
    def encode_pages(self, state, pages):
        return self.encode_array(pages) if _is_deflating(state) else super().encode_pages(state, pages)


@DRIVERS.breaks("PFN-01")
class SendsMessagesForArrays(Driver):
    def encode_pages(self, state, pages):
        return self.encode_message(pages, 0, 0, 0)


# -- statistics -------------------------------------------------------------------------------------------


@DRIVERS.breaks("STATS-06")
class SwapsTags(Driver):
    def statistics(self, state):
        entries = super().statistics(state).entries
        return Statistics(tuple(Statistic(entry.tag << 8, entry.value) for entry in entries))


@DRIVERS.breaks("STATS-05")
class ChangesTags(Driver):
    def statistics(self, state):
        entries = super().statistics(state).entries
        return Statistics(entries[1:] if state.buffers > 1 else entries)


@DRIVERS.breaks("STATS-10")
class PostsAnEmptyBuffer(Driver):
    def statistics(self, state):
        return Statistics(())


class _AltersBuffers(Driver):
    """What it makes available goes through :meth:`alter`."""

    def fly(self, state, flight, readable=b"", writable_bytes=0):
        state, outputs = super().fly(state, flight, readable, writable_bytes)
        return state, tuple(self.alter(state, flight, one) for one in outputs)


@DRIVERS.breaks("STATS-04")
class PadsStatistics(_AltersBuffers):
    def alter(self, state, flight, event):
        return (
            replace(event, readable=event.readable + b"\0\0") if flight.queue is Queue.STATISTICS else event
        )


# -- queues and buffers -----------------------------------------------------------------------------------


@DRIVERS.breaks("QUEUE-03")
class LetsInflateBuffersBeWritten(_AltersBuffers):
    def alter(self, state, flight, event):
        return replace(event, writable_bytes=16) if flight.queue is Queue.INFLATE else event


@DRIVERS.breaks("QUEUE-09")
class NotifiesBeforeDriverOk(_AltersBuffers):
    def alter(self, state, flight, event):
        return replace(event, notified=True)


@DRIVERS.breaks("QUEUE-01", also=("REQ-01",))
class PostsTheRequestBufferOnAnotherQueue(_AltersBuffers):
    def alter(self, state, flight, event):
        return replace(event, queue=2) if flight.is_request else event


@DRIVERS.breaks("QUEUE-01", also=("REQ-11", "CONC-02", "CONC-03"))
class AnswersOnTheDeflateQueue(_AltersBuffers):
    """On the queue where it was awaited there is no answer."""

    def alter(self, state, flight, event):
        is_message = flight.queue is Queue.HOST_REQUEST and not flight.is_request
        return replace(event, queue=1) if is_message else event


@DRIVERS.breaks("BUF-01")
class ChangesABufferInFlight(ReferenceDriver):
    def observe(self, deadline_seconds):
        events = []
        for event in super().observe(deadline_seconds):
            events.append(event)
            if isinstance(event, Available) and event.queue == 0:
                events.append(BufferAltered(0, event.buffer, bytes(len(event.readable)), Side.DRIVER))
        return events


class _SendsSmallMessages(_AltersBuffers):
    """One chunk a message, so that several are in flight."""

    def __init__(self, options):
        super().__init__(replace(options, capacity_bytes=16))


@DRIVERS.breaks("BUF-05")
class UsesOneInflateBuffer(_SendsSmallMessages):
    def alter(self, state, flight, event):
        return (
            replace(event, extents=((0x5000, len(event.readable)),))
            if flight.queue is Queue.INFLATE
            else event
        )


@DRIVERS.breaks("CONC-01")
class SharesTheMessageBuffer(_AltersBuffers):
    """Between inflate, deflate and unused-page messages."""

    def alter(self, state, flight, event):
        shares = event.readable and flight.queue is not Queue.STATISTICS
        return replace(event, extents=((0x5000, len(event.readable)),)) if shares else event


@DRIVERS.breaks("BUF-06")
class DistrustsUsedLengths(Driver):
    def inflate_returned(self, state, flight, used):
        return (state, ()) if used.length_bytes else super().inflate_returned(state, flight, used)


@DRIVERS.breaks("CONC-05", also=("REQ-13", "CFG-04"))
class MatchesReturnsByOrder(Driver):
    """Of the buffers that name pages the oldest is taken to be the one that came back, on whatever queue.

    The one that did come back is missed.
    """

    def take_back(self, state, used):
        flights = {
            name: one
            for name, one in state.flights.items()
            if one.queue is not Queue.STATISTICS and not one.is_request
        }
        if used.buffer in flights:
            name = next(iter(flights))
            used = replace(used, buffer=name, queue=flights[name].queue.index)
        return super().take_back(state, used)


# -- pages ------------------------------------------------------------------------------------------------


@DRIVERS.breaks("INF-02")
class SendsAnEmptyMessageFirst(Driver):
    def start_inflating(self, state, pages):
        state, outputs = super().start_inflating(state, pages)
        if not self.has(state, "CHUNK_TRANSFER"):
            return state, outputs
        return state, (Available(0, f"empty-{state.buffers}", bytes(8)), *outputs)


@DRIVERS.breaks("INF-11")
class InflatesWhatIsInTheBalloon(Driver):
    def encode_pages(self, state, pages):
        again = EMPTY if _is_deflating(state) else state.ballooning.balloon
        return super().encode_pages(state, pages | again)


@DRIVERS.breaks("DEF-04")
class DeflatesTwice(Driver):
    """When its first buffer came back the pages have left the balloon."""

    def deflated(self, state, flight):
        state, outputs = super().deflated(state, flight)
        data = self.encode_pages(state, flight.pages)
        return state, (*outputs, Available(1, f"again-{state.buffers}", data))


@DRIVERS.breaks("INF-04")
class LetsPagesBeUsedEarly(Driver):
    def start_inflating(self, state, pages):
        state, outputs = super().start_inflating(state, pages)
        return state, (*outputs, Guest(GuestAction.USE, pages))


@DRIVERS.breaks("DEF-05")
class LetsPagesBeUsedBeforeTheHostIsTold(Driver):
    def start_deflating(self, state, pages):
        state, outputs = super().start_deflating(state, pages)
        return state, (*outputs, Guest(GuestAction.USE, pages))


@DRIVERS.breaks("UNUSED-02", also=("CHUNK-01",))
class ReportsTheBalloonUnused(Driver):
    """Also a page on its way out of it, which is merely not the guest's to leave unused."""

    def unused_pages(self, state):
        return super().unused_pages(state) | state.ballooning.balloon

    def held(self, state):
        return EMPTY if state.answering.left else super().held(state)


@DRIVERS.breaks("UNUSED-04")
class ReportsPagesTwice(Driver):
    def encode_answer(self, state, pages, is_last):
        data = self.encode_chunks(pages) * 2
        flag = 1 if is_last else 0
        return self.encode_header(self.answer_cmd(state), flag, self.answer_id(state), len(data)) + data


@pytest.mark.parametrize("broken", DRIVERS, ids=str)
def test_a_broken_driver_is_caught_for_what_it_breaks(broken):
    assert_caught(broken)
