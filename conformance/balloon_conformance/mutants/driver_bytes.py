"""Drivers that build wrong bytes: headers, chunks, arrays of page frame numbers."""

from __future__ import annotations

import struct

import numpy as np

from balloon_conformance.mutants.driver_parts import is_deflating, shifted
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_state import DriverState
from balloon_spec.pages import PageSet

_MOST_CHUNKS = 32768
"""The number of chunks in the longest message that a device has to accept."""


def _words(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    """Return base and size of every chunk, one after the other, to be changed."""
    return np.frombuffer(data, "<u8").copy()


# -- the header -------------------------------------------------------------------------------------------


@mutant("HDR-06")
class SendsDataLenBigEndian(Driver):
    """A big-endian guest's messages seem to be gigabytes long, and are refused."""

    def encode_header(self, cmd: int, flag: int, identifier: int, data_bytes: int) -> bytes:
        """Swap the length."""
        return struct.pack("<BBH", cmd, flag, identifier) + struct.pack(">I", data_bytes)


@mutant("HDR-02", also=("HDR-03",))
class CountsTheHeaderInDataLen(Driver):
    """Messages seem to be cut short by eight bytes, and are refused.

    A multiple of 16 plus eight is no multiple of 16.
    """

    def encode_header(self, cmd: int, flag: int, identifier: int, data_bytes: int) -> bytes:
        """Count eight bytes more."""
        return super().encode_header(cmd, flag, identifier, data_bytes + 8)


@mutant("HDR-02")
class AnnouncesAChunkTooMany(Driver):
    """A device that believes the length reads beyond the message, in the guest's own memory."""

    def encode_header(self, cmd: int, flag: int, identifier: int, data_bytes: int) -> bytes:
        """Count sixteen bytes more."""
        return super().encode_header(cmd, flag, identifier, data_bytes + 16)


@mutant("HDR-03")
class SendsHalfAChunk(Driver):
    """Messages end with half a chunk, and a careful device ignores them."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Add eight bytes."""
        return super().encode_chunks(pages) + bytes(8)


@mutant("HDR-04", origin="posted driver, D4: these bytes are whatever lay in memory")
class LeavesJunkInTheHeader(Driver):
    """Four bytes of the guest's kernel memory go to the host with every message."""

    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Leave a byte of the id uninitialised."""
        data = super().encode_pages(state, pages)
        return data[:2] + b"\x5a" + data[3:] if self.has(state, "CHUNK_TRANSFER") else data


@mutant("HDR-01", origin="chunk transfer from its eleventh revision on: no header, chunks alone")
class SendsChunksAlone(Driver):
    """A device reads the first chunk as a header, and everything after it wrongly."""

    def encode_message(self, pages: PageSet, cmd: int, flag: int, identifier: int) -> bytes:
        """Leave the header out."""
        return self.encode_chunks(pages) or super().encode_message(pages, cmd, flag, identifier)


@mutant("HDR-08")
class SendsHugeMessages(Driver):
    """A message is longer than any device has to accept, and may be refused as a whole."""

    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Repeat the chunks of an inflate message beyond the limit."""
        data = super().encode_pages(state, pages)
        if is_deflating(state) or not self.has(state, "CHUNK_TRANSFER"):
            return data
        chunks = data[8:]
        chunks *= _MOST_CHUNKS * 16 // len(chunks) + 1
        return self.encode_header(0, 0, 0, len(chunks)) + chunks


# -- chunks -----------------------------------------------------------------------------------------------


@mutant("CHUNK-11")
class SendsChunksBigEndian(Driver):
    """A big-endian guest's chunks lie far outside its memory."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Swap the bytes."""
        return _words(super().encode_chunks(pages)).astype(">u8").tobytes()


@mutant("CHUNK-11")
class SendsBasesBigEndian(Driver):
    """A big-endian guest's chunks have the right size and lie far outside its memory."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Swap the bytes of every base."""
        words = _words(super().encode_chunks(pages))
        words[0::2] = words[0::2].byteswap()
        return words.tobytes()


@mutant("CHUNK-11")
class SendsSizesBigEndian(Driver):
    """A big-endian guest's chunks begin where they should and have no end."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Swap the bytes of every size."""
        words = _words(super().encode_chunks(pages))
        words[1::2] = words[1::2].byteswap()
        return words.tobytes()


@mutant("CHUNK-03")
class SetsAReservedBit(Driver):
    """Bits that are reserved for the future are already used."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Set bit 0 of both words."""
        return (_words(super().encode_chunks(pages)) | np.uint64(1)).tobytes()


@mutant("CHUNK-02", also=("CHUNK-05", "UNUSED-10"))
class CountsAPageTooManyInChunks(Driver):
    """The page after every run is discarded while the guest uses it."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Add a page to every size."""
        words = _words(super().encode_chunks(pages))
        words[1::2] += np.uint64(4096)
        return words.tobytes()


@mutant("CHUNK-02", origin="cloud-hypervisor, commit 50da100af: page addresses cut to 32 bits; here sizes")
class CutsSizesOfChunksToWords(Driver):
    """The host is told of only one page of a run of 4 GiB and a page."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Keep 32 bits of every size."""
        words = _words(super().encode_chunks(pages))
        words[1::2] &= np.uint64((1 << 32) - 1)
        return words.tobytes()


@mutant("CHUNK-04", "INF-03", also=("CHUNK-02",), origin="posted driver, D1: pages counted, never sent")
class CountsAPageTooFewInChunks(Driver):
    """The host never gets the last page of a run back, although the guest counts it.

    A run of one page becomes a chunk of none. A page of a longer run is in the balloon and was never named.
    """

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Take a page off every size."""
        words = _words(super().encode_chunks(pages))
        words[1::2] -= np.uint64(4096)
        return words.tobytes()


@mutant("CHUNK-01")
class StartsChunksAPageTooHigh(Driver):
    """The host discards the page after every run, which the guest uses, instead of the first one."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Name the pages after the right ones."""
        return super().encode_chunks(shifted(pages, 1))


# If several of its chunks fall on one page, they are no runs of the right length (UNUSED-10).
@mutant(
    "CHUNK-01",
    also=("UNUSED-10",),
    origin="posted driver, D9: on guests with pages of 64 KiB bases are sixteen times too low",
)
class NumbersChunksInGuestPages(Driver):
    """The host discards pages at a sixteenth of the right address, which the guest uses."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Divide every base by sixteen."""
        words = _words(super().encode_chunks(pages))
        words[0::2] = words[0::2] >> np.uint64(16) << np.uint64(12)
        return words.tobytes()


@mutant("CHUNK-05", origin="posted driver, D6: chunks out of freed memory, far outside the guest's")
class NamesPagesOutsideMemory(Driver):
    """A device is told to discard memory that the guest does not have."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Add a chunk at a petabyte."""
        return super().encode_chunks(pages) + struct.pack("<QQ", 1 << 40, 1 << 12)


@mutant("CHUNK-05")
class BridgesMemoryHoles(Driver):
    """A chunk includes a memory hole, as if the pages on its two sides were neighbours."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Join runs with only a hole between them."""
        holes = PageSet([(0, self.options.memory.runs[-1].end)]) - self.options.memory
        between = [hole for hole in holes if PageSet([(hole.first - 1, 1), (hole.end, 1)]) <= pages]
        return super().encode_chunks(pages | PageSet((hole.first, hole.count) for hole in between))


@mutant("CHUNK-04")
class SendsAnEmptyChunk(Driver):
    """A chunk names no page, and nobody knows its purpose."""

    def encode_chunks(self, pages: PageSet) -> bytes:
        """Add a chunk of no pages."""
        return super().encode_chunks(pages) + struct.pack("<QQ", 0x1000 << 12, 0)


# -- arrays -----------------------------------------------------------------------------------------------


@mutant("PFN-08")
class SendsArraysBigEndian(Driver):
    """A big-endian guest's pages lie far outside its memory."""

    def encode_array(self, pages: PageSet) -> bytes:
        """Swap the bytes."""
        return np.frombuffer(super().encode_array(pages), "<u4").astype(">u4").tobytes()


@mutant("PFN-03")
class CountsPagesOf16KiB(Driver):
    """The host discards pages at a quarter of the right address, which the guest uses."""

    def encode_array(self, pages: PageSet) -> bytes:
        """Divide by four."""
        return (np.frombuffer(super().encode_array(pages), "<u4") >> np.uint32(2)).astype("<u4").tobytes()


@mutant("PFN-03", origin="viobaloon for Windows, candidate C1 (read in source): numbers of 64 bits")
class Sends64BitPageFrameNumbers(Driver):
    """The host discards page 0 with every page that the guest gives up."""

    def encode_array(self, pages: PageSet) -> bytes:
        """Write eight bytes for each page."""
        return np.frombuffer(super().encode_array(pages), "<u4").astype("<u8").tobytes()


@mutant("PFN-02")
class SendsHalfAnEntry(Driver):
    """An array ends with half a number, and nobody knows which page it should name."""

    def encode_array(self, pages: PageSet) -> bytes:
        """Add two bytes."""
        return super().encode_array(pages) + b"\0\0"


@mutant("PFN-04")
class EndsArraysWithAMark(Driver):
    """A device is told to discard a page far outside memory, which was meant to mark the end of the array."""

    def encode_array(self, pages: PageSet) -> bytes:
        """Add an entry of ones."""
        return super().encode_array(pages) + b"\xff" * 4


# -- the form ---------------------------------------------------------------------------------------------


@mutant("INF-01", origin="posted driver, D12: arrays are sent although CHUNK_TRANSFER is acknowledged")
class InflatesByArrays(Driver):
    """The device reads page frame numbers as a header, and the host gets nothing back."""

    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Inflate by arrays."""
        return super().encode_pages(state, pages) if is_deflating(state) else self.encode_array(pages)


@mutant("DEF-01", origin="posted driver, D12: arrays are sent although CHUNK_TRANSFER is acknowledged")
class DeflatesByArrays(Driver):
    """The device reads page frame numbers as a header, and is never told which pages the guest takes back."""

    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Deflate by arrays."""
        return self.encode_array(pages) if is_deflating(state) else super().encode_pages(state, pages)


@mutant("PFN-01")
class SendsMessagesForArrays(Driver):
    """Page 0 and other low pages of the guest are discarded, because the device reads a header as pages."""

    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Always send messages."""
        return self.encode_message(pages, 0, 0, 0)
