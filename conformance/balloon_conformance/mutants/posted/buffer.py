"""The posted driver's defects in its one message buffer: a slot that is filled too early, and the header."""

from __future__ import annotations

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.coalesce import CHUNK_BYTES
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import DriverOptions, DriverState
from balloon_spec.families.chunk_transfer import response_header
from balloon_spec.pages import PageSet

__all__ = ["PostedLosesAChunkAtEachFlush", "PostedSendsStaleHeaders"]

_HEADER_BYTES = response_header.LENGTH_BYTES
_FIELDS_BYTES = 4
"""The length of cmd, flag and id, which precede data_len."""


@mutant(
    "INF-03",
    "DEF-04",
    also=("DEF-05", "CFG-05", "INF-10", "INF-11", "CHUNK-02"),
    origin="posted driver, D1: the slot of a chunk is computed before the full buffer is sent and emptied",
)
class PostedLosesAChunkAtEachFlush(Driver):
    """With more than 2048 runs, one run of each message never reaches the host, and another comes twice.

    The chunk that finds the buffer full is written beyond its end. Slot 0 of the next message still holds the
    first chunk of the first. Pages lost while inflating are counted and not given up; pages lost while
    deflating are used although the host was not told.
    """

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self._slot_0 = b""

    def start_inflating(self, state: DriverState, pages: PageSet) -> Step:
        """Begin with an empty buffer."""
        self._slot_0 = b""
        return super().start_inflating(state, pages)

    def start_deflating(self, state: DriverState, pages: PageSet) -> Step:
        """Begin with an empty buffer."""
        self._slot_0 = b""
        return super().start_deflating(state, pages)

    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Build a message whose slot 0 is written once for each burst."""
        data = super().encode_pages(state, pages)
        if not self.has(state, "CHUNK_TRANSFER"):
            return data
        end = _HEADER_BYTES + CHUNK_BYTES
        self._slot_0 = self._slot_0 or data[_HEADER_BYTES:end]
        return data[:_HEADER_BYTES] + self._slot_0 + data[end:]


@mutant(
    "HDR-04",
    origin="posted driver, D4: the header is not cleared, and queues 0 and 1 set data_len alone",
)
class PostedSendsStaleHeaders(Driver):
    """Four bytes of kernel memory, or of the last answer, reach the host in each message of pages."""

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self._fields = b"\xc0\x7a\x3f\x88"
        """What the allocator left there."""

    def encode_pages(self, state: DriverState, pages: PageSet) -> bytes:
        """Build a message whose cmd, flag and id keep their old values."""
        data = super().encode_pages(state, pages)
        return self._fields + data[_FIELDS_BYTES:] if self.has(state, "CHUNK_TRANSFER") else data

    def encode_header(self, cmd: int, flag: int, identifier: int, data_bytes: int) -> bytes:
        """Build a header; the one of an answer stays in the buffer."""
        data = super().encode_header(cmd, flag, identifier, data_bytes)
        if any(data[:_FIELDS_BYTES]):
            self._fields = data[:_FIELDS_BYTES]
        return data
