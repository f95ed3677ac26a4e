"""Devices that read or act wrongly on buffers that name pages: each is caught, and for the right reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from broken import BrokenOnes, assert_caught

from balloon_conformance.iut.contract import Buffer, ImplementationCrashed, ImplementationHung
from balloon_conformance.iut.reference import ReferenceDevice
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import Reading
from balloon_conformance.reference.device_state import Discard
from balloon_conformance.reference.machine import Note
from balloon_spec.events import BufferAltered, NeedsReset, Side, Used
from balloon_spec.pages import EMPTY, PageSet

DEVICES = BrokenOnes(Side.DEVICE)


# -- what is discarded ------------------------------------------------------------------------------------


@DEVICES.breaks("INF-08", also=("UNUSED-01",))
class DiscardsOnePageTooMany(Device):
    """Once that page is one which was reported unused."""

    def discard(self, pages):
        return super().discard(PageSet((run.first, run.count + 1) for run in pages))


@DEVICES.breaks("INF-07")
class DiscardsOnePageTooFew(Device):
    def discard(self, pages):
        return super().discard(PageSet((run.first, run.count - 1) for run in pages))


@DEVICES.breaks("INF-07")
class DiscardsNothing(Device):
    def discard(self, pages):
        return ()


@DEVICES.breaks("UNUSED-01")
class DiscardsUnusedPages(Device):
    def act_on_unused(self, request, reading):
        return (*super().act_on_unused(request, reading), *self.discard(reading.pages))


@DEVICES.breaks("DEF-08")
class DiscardsWhatIsDeflated(Device):
    def take_deflate(self, state, buffer):
        state, outputs = super().take_deflate(state, buffer)
        return state, (*outputs, *self.discard(self.read_pages(state, buffer).pages))


@DEVICES.breaks("INF-08", also=("UNUSED-01",))
class ClearsTheNextPage(ReferenceDevice):
    """It does not give the page back, it writes to it; once that is one which was reported unused."""

    def discarded(self, pages):
        gone, _ = super().discarded(pages)
        return gone, PageSet((run.end, 1) for run in gone) & (pages - gone)


# -- how a message is read --------------------------------------------------------------------------------


# A device that understands no message never discards, which no more than INF-07 forbids. Where it discarded
# the pages of arrays before a reset, it looks like one that kept the features of then (RESET-01).


@DEVICES.breaks("INF-07", also=("RESET-01",))
class SwapsChunkWords(Device):
    def chunk_words(self, data):
        return super().chunk_words(data).byteswap()


@DEVICES.breaks("INF-07", also=("RESET-01",))
class SwapsDataLen(Device):
    def response_data(self, header, body):
        swapped = int.from_bytes(header.data_len.to_bytes(4, "little"), "big")
        return body[:swapped] if swapped <= len(body) else b""


@DEVICES.breaks("INF-07", also=("RESET-01",))
class CountsTheHeaderInDataLen(Device):
    def response_data(self, header, body):
        return super().response_data(replace(header, data_len=max(header.data_len - 8, 0)), body)


@DEVICES.breaks("CHUNK-06")
class IgnoresChunksWithReservedBits(Device):
    def read_chunks(self, data, memory):
        words = self.chunk_words(data)
        clean = words[((words & np.uint64(0xFFF)) == 0).all(axis=1)]
        return super().read_chunks(clean.astype("<u8").tobytes(), memory)


@DEVICES.breaks("SAFE-01", "CHUNK-09")
class RoundsReservedBitsUp(Device):
    """It takes size for bytes, and a begun page for a page."""

    def chunk_pages(self, words):
        up = np.uint64(0xFFF)
        return words[:, 0] >> np.uint64(12), (words[:, 1] + up) >> np.uint64(12)


@DEVICES.breaks("HDR-05")
class RejectsHeaderJunk(Device):
    def read_pages(self, state, buffer):
        reading = super().read_pages(state, buffer)
        header = reading.header
        return Reading() if header and (header.cmd or header.flag or header.id) else reading


@DEVICES.breaks("QUEUE-05", also=("REQ-20",))
class ReadsOnlyTheFirstDescriptor(ReferenceDevice):
    """A DONE it reads no further than that does not close the exchange."""

    def make_available(self, queue, buffer: Buffer):
        first = buffer.readable[: buffer.cut[0]] if buffer.cut else buffer.readable
        super().make_available(queue, replace(buffer, readable=first, cut=()))


@DEVICES.breaks("HDR-07")
class TakesOneMemoryPageOfChunks(Device):
    def read_message(self, data, memory, max_data_bytes):
        return super().read_message(data, memory, 4096)


@DEVICES.breaks("CHUNK-08", also=("INF-07",))
class StopsAtABadChunk(Device):
    """After a chunk of zero pages too, of which CHUNK-08 does not speak."""

    def choose_chunks(self, first, count, memory):
        return np.logical_and.accumulate(super().choose_chunks(first, count, memory))


@DEVICES.breaks("CHUNK-10", also=("HDR-07",))
class RejectsOverlappingChunks(Device):
    """The largest messages repeat chunks, for want of memory."""

    def read_chunks(self, data, memory):
        pages, notes = super().read_chunks(data, memory)
        first, count = self.chunk_pages(self.chunk_words(data))
        chosen = self.choose_chunks(first, count, memory)
        return (pages if pages.pages == int(count[chosen].sum()) else EMPTY), notes


@DEVICES.breaks("CHUNK-13", also=("CHUNK-08",))
class RejectsUnsortedChunks(Device):
    """The chunk outside memory stands before a good one."""

    def read_chunks(self, data, memory):
        first, _ = self.chunk_pages(self.chunk_words(data))
        return super().read_chunks(data if bool((first[1:] >= first[:-1]).all()) else b"", memory)


# -- how an array is read ---------------------------------------------------------------------------------


@DEVICES.breaks("INF-07", also=("RESET-01",))
class SwapsPageFrameNumbers(Device):
    def read_array(self, data, memory):
        return super().read_array(
            np.frombuffer(data[: len(data) & ~3], ">u4").astype("<u4").tobytes(), memory
        )


@DEVICES.breaks("PFN-07")
class ReadsSignedPageFrameNumbers(Device):
    """A negative number is an end mark to it."""

    def read_array(self, data, memory):
        whole = data[: len(data) & ~3]
        end = int(np.logical_and.accumulate(np.frombuffer(whole, "<i4") >= 0).sum()) * 4
        return super().read_array(data[:end] if end < len(whole) else data, memory)


@DEVICES.breaks("PFN-05", also=("PFN-07", "QUEUE-05", "RESET-01", "INF-07"))
class ReadsOnlyTheFirstEntry(Device):
    """To leave a good entry out is to fail whatever else the array puts to the test.

    In a vector that has the device discard nothing plain before, no more than INF-07 can be said.
    """

    def read_array(self, data, memory):
        return super().read_array(data[:4], memory)


@DEVICES.breaks("PFN-09")
class ActsOnAPartialEntry(Device):
    def read_array(self, data, memory):
        return super().read_array(data + bytes(-len(data) % 4), memory)


# -- what must have no effect -----------------------------------------------------------------------------


@DEVICES.breaks("CHUNK-09")
class TakesZeroPagesForOne(Device):
    def chunk_pages(self, words):
        first, count = super().chunk_pages(words)
        return first, np.maximum(count, np.uint64(1))


@DEVICES.breaks("SAFE-06")
class ActsOnMisalignedDataLen(Device):
    def accepts_data_len(self, data_len):
        return True


@DEVICES.breaks("SAFE-07")
class ReadsBeyondDataLen(Device):
    def response_data(self, header, body):
        return body[: len(body) & ~15]


@DEVICES.breaks("SAFE-09")
class LetsAddressesWrap(Device):
    def chunk_pages(self, words):
        first, count = super().chunk_pages(words)
        wraps = first + count > np.uint64(1 << 52)
        return np.where(wraps, np.uint64(0), first), np.where(wraps, np.uint64(0x300), count)


@DEVICES.breaks("SAFE-11")
class ClipsChunks(Device):
    def chunk_pages(self, words):
        first, count = super().chunk_pages(words)
        end = np.uint64(self.options.memory.runs[-1].end)
        sane = (first < end) & (first + count <= np.uint64(1 << 52))
        return first, np.where(sane, np.minimum(count, end - np.minimum(first, end)), count)


@DEVICES.breaks("SAFE-08")
class PadsShortMessages(Device):
    def take_inflate(self, state, buffer):
        state, outputs = super().take_inflate(state, buffer)
        short = self.has(state, "CHUNK_TRANSFER") and len(buffer.readable) < 8
        return state, ((Discard(PageSet([(0x200, 1)])), *outputs) if short else outputs)


@DEVICES.breaks("SAFE-02")
class CrashesOnAShortMessage(ReferenceDevice):
    def make_available(self, queue, buffer: Buffer):
        if queue < 2 and len(buffer.readable) == 7 and self.device.state.accepted & 8:
            raise ImplementationCrashed("exit status 139")
        super().make_available(queue, buffer)


@DEVICES.breaks("SAFE-12")
class HangsOnAWrappedChunk(ReferenceDevice):
    def make_available(self, queue, buffer: Buffer):
        if queue < 2 and buffer.readable[16:24] == b"\xff" * 8:
            raise ImplementationHung("no answer within 1 s")
        super().make_available(queue, buffer)


# -- what must be returned --------------------------------------------------------------------------------


def _is_malformed(outputs):
    return any(isinstance(output, Note) and output.clause not in {"CHUNK-03", "DEF-04"} for output in outputs)


def _without_returns(outputs):
    return tuple(output for output in outputs if not isinstance(output, Used))


@DEVICES.breaks("SAFE-03", also=("PFN-09", "REQ-19"))
class SwallowsMalformedBuffers(Device):
    """Also stray messages and arrays with a partial entry, whose return has a requirement of its own."""

    def take(self, state, buffer):
        state, outputs = super().take(state, buffer)
        return state, (_without_returns(outputs) if _is_malformed(outputs) else outputs)


class _Sticks(Device):
    def __init__(self, options):
        super().__init__(options)
        self.stuck = False

    def take(self, state, buffer):
        state, outputs = super().take(state, buffer)
        if buffer.queue > 1:
            return state, outputs
        is_stuck, self.stuck = self.stuck, self.stuck or _is_malformed(outputs)
        return state, (_without_returns(outputs) if is_stuck else outputs)


@DEVICES.breaks("SAFE-05")
class SticksUntilTheReset(_Sticks):
    """It returns the malformed buffer, and nothing after that."""

    def reset(self, state, given):
        self.stuck = False
        return super().reset(state, given)


@DEVICES.breaks("SAFE-04", also=("SAFE-05",))
class SticksForEver(_Sticks):
    pass


@DEVICES.breaks("QUEUE-07")
class NeedsAResetAfterEveryInflation(Device):
    def take_inflate(self, state, buffer):
        state, outputs = super().take_inflate(state, buffer)
        return state, (NeedsReset(), *outputs)


@DEVICES.breaks("QUEUE-07", also=("REQ-23", "SAFE-03", "DEF-07"))
class NeverReturnsDeflateBuffers(Device):
    """Malformed ones, foreign ones, and those of a driver that owes an answer, are among them."""

    def take_deflate(self, state, buffer):
        state, outputs = super().take_deflate(state, buffer)
        return state, _without_returns(outputs)


@DEVICES.breaks("DEF-07", also=("SAFE-03",))
class HoldsForeignDeflateBuffers(Device):
    """Among them those that name pages outside guest memory."""

    def take_deflate(self, state, buffer):
        foreign = self.read_pages(state, buffer).pages - state.balloon
        state, outputs = super().take_deflate(state, buffer)
        return state, (_without_returns(outputs) if foreign else outputs)


@DEVICES.breaks("INF-06")
class HoldsWhatIsInTheBalloon(Device):
    def take_inflate(self, state, buffer):
        known = self.read_pages(state, buffer).pages & state.balloon
        state, outputs = super().take_inflate(state, buffer)
        return state, (_without_returns(outputs) if known else outputs)


@DEVICES.breaks("BUF-04")
class ReturnsABufferTwice(Device):
    def take_deflate(self, state, buffer):
        state, outputs = super().take_deflate(state, buffer)
        return state, (*outputs, self.return_buffer(buffer))


@DEVICES.breaks("BUF-04", also=("QUEUE-07", "REQ-23", "SAFE-03", "DEF-07"))
class ReturnsOnTheWrongQueue(Device):
    """The deflate buffer goes back on the inflate queue, so on its own queue it never does."""

    def take_deflate(self, state, buffer):
        state, outputs = super().take_deflate(state, buffer)
        return state, tuple(replace(one, queue=0) if isinstance(one, Used) else one for one in outputs)


@DEVICES.breaks("BUF-03", also=("BUF-07",))
class ReportsTheLengthOfAnInflateBuffer(Device):
    """For a buffer with a device-writable part that is another requirement."""

    def take_inflate(self, state, buffer):
        state, outputs = super().take_inflate(state, buffer)
        length_bytes = len(buffer.readable)
        return state, tuple(
            replace(one, length_bytes=length_bytes) if isinstance(one, Used) else one for one in outputs
        )


@DEVICES.breaks("BUF-02")
class WritesIntoInflateBuffers(ReferenceDevice):
    def make_available(self, queue, buffer: Buffer):
        if queue == 0:
            self.diary.events.append(BufferAltered(0, buffer.name, bytes(len(buffer.readable)), Side.DEVICE))
        super().make_available(queue, buffer)


@pytest.mark.parametrize("broken", DEVICES, ids=str)
def test_a_broken_device_is_caught_for_what_it_breaks(broken):
    assert_caught(broken)
