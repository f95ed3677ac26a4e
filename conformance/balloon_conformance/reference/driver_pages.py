"""How the reference driver builds buffers and makes them available, and which buffers are in flight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from balloon_conformance.reference.coalesce import (
    CHUNK_BYTES,
    page_numbers,
    run_table,
    split_at_pages,
    split_at_runs,
)
from balloon_conformance.reference.driver_state import (
    DriverOptions,
    DriverOutput,
    DriverPhase,
    DriverState,
    Flight,
)
from balloon_conformance.reference.machine import Machine
from balloon_spec.events import Available, Segment
from balloon_spec.families.base import INFLATE
from balloon_spec.families.chunk_transfer import chunk, response_header
from balloon_spec.families.chunk_transfer.response_header import ResponseHeader
from balloon_spec.pages import PAGE_SHIFT, PageSet
from balloon_spec.queues import Queue

__all__ = ["PageWriter", "Step"]

Step: TypeAlias = tuple[DriverState, tuple[DriverOutput, ...]]

_ARRAY_PAGES = PageSet([(0, 1 << 32)])
"""The pages that an entry of 32 bits can name."""


class PageWriter(Machine[DriverState, DriverOutput]):
    """The part of the driver that builds buffers and makes them available."""

    options: DriverOptions

    def has(self, state: DriverState, feature: str) -> bool:
        """Tell whether the feature is negotiated."""
        return feature in self.options.profile.names(state.accepted)

    # QUEUE-01: the numbers are the profile's.
    def index(self, state: DriverState, queue: Queue) -> int:
        """Return the virtqueue index that the queue has."""
        return self.options.profile.queue_index(queue, state.offered, state.accepted)

    # CHUNK-05, PFN-04: no page outside guest memory, and no page that an array cannot name.
    def nameable(self, state: DriverState) -> PageSet:
        """Return the pages a buffer may name in the negotiated form."""
        memory = self.options.memory
        return memory if self.has(state, "CHUNK_TRANSFER") else memory & _ARRAY_PAGES

    # -- bytes --------------------------------------------------------------------------------------------

    def message_capacity(self) -> int:
        """Return how many chunks fill a message."""
        return self.options.capacity_bytes // CHUNK_BYTES

    # INF-02, DEF-02, PFN-02: no pages give no buffer, so every buffer names some.
    def split(self, state: DriverState, pages: PageSet) -> tuple[PageSet, ...]:
        """Divide the pages of an operation among buffers, in the canonical way."""
        if self.has(state, "CHUNK_TRANSFER"):
            return split_at_runs(pages, self.message_capacity())
        return split_at_pages(pages, self.options.array_pages)

    # INF-01, DEF-01, PFN-01: the form is the negotiated one on both balloon queues.
    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Build an inflate or deflate buffer."""
        if self.has(state, "CHUNK_TRANSFER"):
            # HDR-04: cmd, flag and id have no meaning here, and are zero.
            return self.encode_message(pages, 0, 0, 0)
        return self.encode_array(pages)

    # HDR-01: the header comes first.
    def encode_message(self, pages: PageSet, cmd: int, flag: int, identifier: int) -> bytes:
        """Build a response message that names ``pages``."""
        data = self.encode_chunks(pages)
        return self.encode_header(cmd, flag, identifier, len(data)) + data

    # HDR-02, HDR-03, HDR-06: data_len counts the chunks alone; numbers are little-endian.
    def encode_header(self, cmd: int, flag: int, identifier: int, data_bytes: int) -> bytes:
        """Build a response header."""
        return response_header.build(ResponseHeader(cmd, flag, identifier, data_bytes))

    # CHUNK-01, CHUNK-02, CHUNK-03, CHUNK-04, CHUNK-11: both numbers are shifted by 12, and the low bits are
    # zero.
    def encode_chunks(self, pages: PageSet) -> bytes:
        """Build one chunk for each run."""
        return chunk.encode(run_table(pages) << np.uint64(PAGE_SHIFT))

    # PFN-03, PFN-08: 32 bits for each 4 KiB page, little-endian.
    def encode_array(self, pages: PageSet) -> bytes:
        """Build an array of page frame numbers."""
        return page_numbers(pages).astype("<u4").tobytes()

    # -- buffers ------------------------------------------------------------------------------------------

    # BUF-01, BUF-05, CONC-01: every buffer is new memory, so none is changed or shared in flight.
    def make_available(
        self, state: DriverState, flight: Flight, readable: bytes = b"", writable_bytes: int = 0
    ) -> Step:
        """Make a buffer available and remember it."""
        return self._lend(state, flight, readable, writable_bytes, ())

    def lend(self, state: DriverState, flight: Flight, segments: Sequence[Segment]) -> Step:
        """Make a buffer available that is this guest memory; to its device the addresses say something."""
        readable = bytes(sum(one.length_bytes for one in segments if not one.writable))
        writable_bytes = sum(one.length_bytes for one in segments if one.writable)
        return self._lend(state, flight, readable, writable_bytes, tuple(segments))

    def _lend(
        self,
        state: DriverState,
        flight: Flight,
        readable: bytes,
        writable_bytes: int,
        segments: tuple[Segment, ...],
    ) -> Step:
        name = f"{flight.queue}-{state.buffers}"
        flights = MappingProxyType({**state.flights, name: flight})
        # QUEUE-09: nobody is notified before DRIVER_OK.
        notified = state.phase is DriverPhase.RUNNING
        index = self.index(state, flight.queue)
        event = Available(index, name, readable, writable_bytes, notified, segments)
        return replace(state, flights=flights, buffers=state.buffers + 1), (event,)

    def in_flight(self, state: DriverState, *queues: Queue) -> tuple[Flight, ...]:
        """Return what is with the device on the given queues, oldest first."""
        return tuple(flight for flight in state.flights.values() if flight.queue in queues)

    # QUEUE-08: never more buffers than the ring has descriptors.
    def has_room(self, state: DriverState, queue: Queue) -> bool:
        """Tell whether another buffer may be made available."""
        return len(self.in_flight(state, queue)) < self.options.flight_limit

    def held(self, state: DriverState) -> PageSet:
        """Return the pages that the guest may not use: those in the balloon or in flight."""
        pages = state.ballooning.balloon
        for flight in self.in_flight(state, INFLATE):
            pages |= flight.pages
        return pages
