"""The posted driver's defects in reporting free blocks: how it counts them, and where the larger buffer is.

The kernel keeps free memory in one list for each order: a block of order n has 2**n pages. The posted driver
fills its buffer from one list after the other, the largest blocks first. It compares the number of blocks
with the number of *words* in the buffer, but a chunk takes two words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.mutants.posted.guest import OneInFlight
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import (
    AnswerPhase,
    DriverOptions,
    DriverState,
    Flight,
)
from balloon_spec.families.chunk_transfer import response_header
from balloon_spec.families.chunk_transfer.response_header import FLAG_CONT, FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.pages import PageSet, Run

__all__ = ["PostedAnswersWithFreedMemory", "PostedAnswersWithoutEnd", "free_blocks"]

_LARGEST_ORDER = 10
_WORDS_A_CHUNK = 2
_HEADER_BYTES = response_header.LENGTH_BYTES
_POINTERS = (0xFFFF_8880_03A4_F6C8, 0xFFFF_8880_0000_1D01)
"""The content of a freed block, in place of base and size: pointers to other blocks."""


def free_blocks(pages: PageSet) -> list[list[Run]]:
    """Return the free blocks of ``pages``: one list for each order, the largest order first."""
    orders: list[list[Run]] = [[] for _ in range(_LARGEST_ORDER + 1)]
    for run in pages:
        first = run.first
        while first < run.end:
            aligned = (first & -first).bit_length() - 1 if first else _LARGEST_ORDER
            order = min(aligned, _LARGEST_ORDER, (run.end - first).bit_length() - 1)
            orders[order].append(Run(first, 1 << order))
            first += 1 << order
    return orders[::-1]


class _ReportsBlocks(OneInFlight):
    """A driver that names unused pages as the kernel lists them, and keeps every requirement."""

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self._chunks = self.message_capacity()
        self._messages: Iterator[tuple[list[Run], bool]] = iter(())

    def answer(self, state: DriverState, request: HostRequest) -> Step:
        """Begin the exchange that answers a request."""
        self._messages = self.scan(free_blocks(self.unused_pages(state)))
        answering = replace(
            state.answering, phase=AnswerPhase.ANSWERING, cmd=request.cmd, param=request.param
        )
        return self.send_unused(replace(state, answering=answering), None)

    def send_unused(self, state: DriverState, _given: object) -> Step:
        """Send the next message of the exchange; the one before came back and was not the last."""
        blocks, is_last = next(self._messages)
        # UNUSED-02: the balloon may have grown since the lists were read.
        held = self.held(state)
        if not held.isdisjoint(PageSet(blocks)):
            blocks = list((PageSet(blocks) - held).runs)
        if is_last:
            state = replace(state, answering=replace(state.answering, phase=AnswerPhase.FINISHING))
        data = b"".join(self.encode_chunks(PageSet([block])) for block in blocks)
        flag = FLAG_DONE if is_last else FLAG_CONT
        header = self.encode_header(self.answer_cmd(state), flag, self.answer_id(state), len(data))
        return self.make_available(state, Flight(HOST_REQUEST, PageSet(blocks), is_last), header + data)

    def scan(self, orders: list[list[Run]]) -> Iterator[tuple[list[Run], bool]]:
        """Yield the blocks of each message, and whether it is the last."""
        held: list[Run] = []
        for listed in orders:
            blocks = listed
            if len(blocks) > self._chunks * _WORDS_A_CHUNK and held:
                # They do not fit, whatever is sent first. What was collected is sent before that is tried.
                yield held, False
                held = []
            while len(blocks) > self._chunks * _WORDS_A_CHUNK:
                self.grow()
            while len(blocks) > self._chunks - len(held):
                room = self._chunks - len(held)
                yield held + blocks[:room], False
                held, blocks = [], self.left(blocks, room)
            held += blocks
        yield held, True

    def grow(self) -> None:
        """Take a buffer twice as large, from here on."""
        self._chunks *= 2

    def left(self, blocks: list[Run], sent: int) -> list[Run]:
        """Return what is left of a list when its first blocks were sent."""
        return blocks[sent:]


@mutant(
    "UNUSED-05",
    also=("UNUSED-04",),
    origin="posted driver, D8: blocks are counted against words, and the list is scanned again",
)
class PostedAnswersWithoutEnd(_ReportsBlocks):
    """A guest with 2049 free blocks of one order repeats the same message of its answer without end.

    The driver starts at the head of the list both for what fitted and for what did not. If the buffer already
    held blocks of another order, the second scan fits, and pages are merely named twice.
    """

    def left(self, blocks: list[Run], _sent: int) -> list[Run]:
        """Return the whole list."""
        return blocks


@mutant(
    "CHUNK-05",
    also=("CHUNK-03", "INF-03"),
    origin="posted driver, D6: an interior pointer is freed, and what is sent still begins there",
)
class PostedAnswersWithFreedMemory(_ReportsBlocks):
    """After a request to a guest with over 4096 free blocks of one order, all messages hold freed memory.

    A larger buffer replaces the first, and chunks are written to it from then on. What is sent is still taken
    from behind the old header, which was freed with the old buffer. This also affects inflate and deflate
    messages: the host sees kernel pointers, and none of the pages that `actual` counts.
    """

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self._is_freed = False

    def grow(self) -> None:
        """Use a larger buffer, and free the one that is still sent from."""
        super().grow()
        self._is_freed = True

    def make_available(
        self, state: DriverState, flight: Flight, readable: bytes = b"", writable_bytes: int = 0
    ) -> Step:
        """Make a buffer available; after the replacement it is a header and freed memory."""
        in_chunks = flight.queue is HOST_REQUEST or self.has(state, "CHUNK_TRANSFER")
        if self._is_freed and in_chunks and flight.queue is not STATISTICS:
            words = np.tile(np.array(_POINTERS, "<u8"), len(readable) // 16)
            readable = readable[:_HEADER_BYTES] + words.tobytes()[: len(readable) - _HEADER_BYTES]
        return super().make_available(state, flight, readable, writable_bytes)
