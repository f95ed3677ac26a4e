"""Devices that misread messages of chunks and arrays of page frame numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import BufferContent, Chosen, Words
from balloon_conformance.reference.device_state import DeviceState
from balloon_conformance.reference.machine import Note
from balloon_spec.events import Available
from balloon_spec.families.chunk_transfer.response_header import ResponseHeader
from balloon_spec.pages import EMPTY, PageSet

_LOW_PFNS = np.uint64((1 << 20) - 1)
"""The page frame numbers below 4 GiB."""

# -- messages ---------------------------------------------------------------------------------------------


# A device that understands no message looks in each case like one that may not discard, so a case can only
# advise by INF-07. Other cases of the run show that it discards the pages of arrays.


@mutant(
    "CHUNK-13",
    also=("INF-07", "CHUNK-08"),
    origin="QEMU trees of 2016 to 2018: fields read in host order; kvmtool: arrays are",
)
class ReadsChunksBigEndian(Device):
    """On a big-endian host the balloon frees nothing, because every chunk seems to be outside memory."""

    def chunk_words(self, data: bytes) -> Words:
        """Swap the bytes."""
        return super().chunk_words(data).byteswap()


@mutant(
    "CHUNK-13",
    also=("INF-07", "HDR-07", "CHUNK-08"),
    origin="QEMU trees of 2016 to 2018: fields read in host order",
)
class ReadsDataLenBigEndian(Device):
    """On a big-endian host the balloon frees nothing, because every message seems to be cut short."""

    def response_data(self, header: ResponseHeader, body: bytes) -> bytes:
        """Use the swapped length if it fits."""
        swapped = int.from_bytes(header.data_len.to_bytes(4, "little"), "big")
        return body[:swapped] if swapped <= len(body) else b""


@mutant("CHUNK-13", also=("INF-07", "HDR-07", "QUEUE-05", "CHUNK-06", "CHUNK-08"))
class ReadsTheHeaderIntoDataLen(Device):
    """The host never gets the last chunk of a message back, because data_len seems to include the header."""

    def response_data(self, header: ResponseHeader, body: bytes) -> bytes:
        """Read eight bytes less."""
        return super().response_data(replace(header, data_len=max(header.data_len - 8, 0)), body)


@mutant("CHUNK-06", also=("INF-07",))
class IgnoresChunksWithReservedBits(Device):
    """A later guest that uses the reserved bits has its pages left where they are."""

    def read_chunks(self, data: bytes, memory: PageSet) -> tuple[PageSet, tuple[Note, ...]]:
        """Leave out chunks with reserved bits."""
        words = self.chunk_words(data)
        clean = words[((words & np.uint64(0xFFF)) == 0).all(axis=1)]
        return super().read_chunks(clean.astype("<u8").tobytes(), memory)


@mutant("SAFE-01", "CHUNK-09")
class RoundsReservedBitsUp(Device):
    """A chunk with reserved bits set discards one page too many.

    It reads size as bytes, and a partial page as a whole one.
    """

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Round the size up."""
        up = np.uint64(0xFFF)
        return words[:, 0] >> np.uint64(12), (words[:, 1] + up) >> np.uint64(12)


@mutant("HDR-05", origin="posted driver, D4: it sends what lay in memory in these fields")
class RejectsHeaderJunk(Device):
    """The posted driver's messages do nothing, because unused fields of their header are not zero."""

    def read_pages(self, state: DeviceState, buffer: Available) -> BufferContent:
        """Read only messages with a zero header."""
        content = super().read_pages(state, buffer)
        header = content.header
        return BufferContent() if header and (header.cmd or header.flag or header.id) else content


@mutant("HDR-07", also=("INF-07",))
class TakesOneMemoryPageOfChunks(Device):
    """The pages of a large balloon stay where they are, because a long message is not read."""

    def read_message(self, data: bytes, memory: PageSet, max_data_bytes: int) -> BufferContent:
        """Read at most 4096 bytes of chunks."""
        return super().read_message(data, memory, 4096)


@mutant(
    "INF-07",
    "CHUNK-13",
    also=("CHUNK-06", "CHUNK-08", "CHUNK-10", "HDR-07", "QUEUE-05"),
    origin="Wei Wang's QEMU tree, 2017: first element only",
)
class ReadsOnlyTheFirstChunk(Device):
    """The host gets only the first run of each message back.

    A device that leaves out a good chunk fails whatever else the message tests.
    """

    def read_chunks(self, data: bytes, memory: PageSet) -> tuple[PageSet, tuple[Note, ...]]:
        """Read sixteen bytes."""
        return super().read_chunks(data[:16], memory)


@mutant(
    "CHUNK-08",
    also=("INF-07",),
    origin="Wei Wang's QEMU tree, 2017: stops at the first range that is not memory",
)
class StopsAtABadChunk(Device):
    """One chunk outside memory, or of no pages, hides all that follow it from the host."""

    def choose_chunks(self, first: Words, count: Words, memory: PageSet) -> Chosen:
        """Choose the chunks before the first bad one."""
        chosen: Chosen = np.logical_and.accumulate(super().choose_chunks(first, count, memory))
        return chosen


@mutant("CHUNK-10", also=("HDR-07",), origin="Firecracker, commit 106ad5e7b: pages named twice")
class RejectsOverlappingChunks(Device):
    """A message that names a page twice has no effect.

    The largest messages repeat chunks, because memory is too small for more.
    """

    def read_chunks(self, data: bytes, memory: PageSet) -> tuple[PageSet, tuple[Note, ...]]:
        """Read nothing if the counts do not add up."""
        pages, notes = super().read_chunks(data, memory)
        first, count = self.chunk_pages(self.chunk_words(data))
        chosen = self.choose_chunks(first, count, memory)
        return (pages if pages.pages == int(count[chosen].sum()) else EMPTY), notes


@mutant("CHUNK-13", also=("CHUNK-08",))
class RejectsUnsortedChunks(Device):
    """A driver that does not sort its chunks gives nothing back.

    The chunk outside memory precedes a good one.
    """

    def read_chunks(self, data: bytes, memory: PageSet) -> tuple[PageSet, tuple[Note, ...]]:
        """Read nothing if a chunk precedes the one before it."""
        first, _ = self.chunk_pages(self.chunk_words(data))
        return super().read_chunks(data if bool((first[1:] >= first[:-1]).all()) else b"", memory)


@mutant("SAFE-01", origin="cloud-hypervisor, commit 50da100af: page addresses cut to 32 bits")
class CutsChunkAddressesToWords(Device):
    """If a page above 4 GiB is given up, another page, 4 GiB or more below it, is discarded.

    Chunks above the end of memory show it, so no guest of that size is needed.
    """

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Cut the address."""
        first, count = super().chunk_pages(words)
        return first & _LOW_PFNS, count


@mutant(
    "SAFE-01",
    origin="a device of 2026 in Go: the offset of a page in its mapping is taken modulo the size of it",
)
class WrapsChunksIntoMemory(Device):
    """If a page beyond the end of memory is given up, a page within it is discarded."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Wrap the address."""
        first, count = super().chunk_pages(words)
        return first % np.uint64(self.options.memory.runs[-1].end), count


# -- arrays -----------------------------------------------------------------------------------------------


@mutant("PFN-05", also=("INF-07", "SAFE-01"), origin="kvmtool: page frame numbers in host order")
class ReadsArraysBigEndian(Device):
    """On a big-endian host the balloon frees nothing, because every page seems to be outside memory."""

    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Swap the bytes."""
        words = np.frombuffer(data[: len(data) & ~3], ">u4")
        return super().read_array(words.astype("<u4").tobytes(), memory)


@mutant("PFN-07", origin="QEMU, commit ffa207d082: page frame numbers held in a signed int")
class ReadsSignedPageFrameNumbers(Device):
    """A page number with the top bit set discards an unnamed page before the end of memory."""

    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Count a negative number back from the end of memory."""
        whole, rest = data[: len(data) & ~3], data[len(data) & ~3 :]
        numbers = np.frombuffer(whole, "<i4").astype(np.int64)
        numbers[numbers < 0] += memory.runs[-1].end
        return super().read_array((numbers & 0xFFFFFFFF).astype("<u4").tobytes() + rest, memory)


@mutant("PFN-06")
class EndsArraysAtANegativeNumber(Device):
    """A page number with the top bit set ends the array, and the pages after it are never given back.

    Reading the number as a signed one is a possible reason. PFN-06 only advises against doing no more.
    """

    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Read up to the first negative number."""
        whole = data[: len(data) & ~3]
        end = int(np.logical_and.accumulate(np.frombuffer(whole, "<i4") >= 0).sum()) * 4
        return super().read_array(data[:end] if end < len(whole) else data, memory)


@mutant("PFN-06")
class RejectsArraysWithABadEntry(Device):
    """One page outside memory hides all others of its array from the host."""

    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Read nothing if a page is outside memory."""
        content = super().read_array(data, memory)
        outside = any(note.clause == "PFN-04" for note in content.notes)
        return replace(content, pages=EMPTY) if outside else content


@mutant("PFN-05", also=("PFN-06", "QUEUE-05", "INF-07"))
class ReadsOnlyTheFirstEntry(Device):
    """The host gets only the first page of each array back.

    A device that leaves out a good entry fails whatever else the array tests. If it discarded nothing plain
    before in the vector, only INF-07 can be named.
    """

    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Read four bytes."""
        return super().read_array(data[:4], memory)


@mutant(
    "PFN-05",
    also=("INF-07",),
    origin="Dragonball, pull request 265: page frame numbers parsed as 64 bits",
)
class ReadsPageFrameNumbersInPairs(Device):
    """The balloon frees nothing, because two numbers of an array are read as one of 64 bits.

    A device that gives no page of a plain array back breaks only INF-07.
    """

    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Read pairs; a number whose upper half is not zero is outside memory."""
        whole = data[: len(data) & ~7]
        pairs = np.frombuffer(whole, "<u4").reshape(-1, 2)
        lone = pairs[pairs[:, 1] == 0, 0].astype("<u4").tobytes()
        return super().read_array(lone or data[:0], memory)


@mutant(
    "PFN-05",
    origin="cloud-hypervisor since May 2026: an array above 1024 bytes is skipped with a warning",
)
class SkipsLongArrays(Device):
    """A driver that sends more than 256 pages in a buffer, as that of Windows does, gives nothing back."""

    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Read at most 1024 bytes."""
        return super().read_array(data if len(data) <= 1024 else b"", memory)


@mutant("PFN-09")
class ActsOnAPartialEntry(Device):
    """An odd byte at the end of an array discards a page that it never named."""

    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Complete the entry with zeros."""
        return super().read_array(data + bytes(-len(data) % 4), memory)


@mutant("SAFE-01", origin="kvmtool, commit c818344, and cloud-hypervisor, commit 50da100af")
class CutsArrayAddressesToWords(Device):
    """If a page above 4 GiB is given up in an array, a page below 4 GiB is discarded instead.

    Numbers above the end of memory show it, so no guest of that size is needed.
    """

    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Cut the address of each number."""
        whole, rest = data[: len(data) & ~3], data[len(data) & ~3 :]
        words = np.frombuffer(whole, "<u4") & np.uint32(_LOW_PFNS)
        return super().read_array(words.astype("<u4").tobytes() + rest, memory)
