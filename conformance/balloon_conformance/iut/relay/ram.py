"""The memory of a guest that its kernel leaves to the suite, written and looked at by the relay.

The kernel is told to keep its hands off a range (``memmap=``). The pages that buffers may name are at its
beginning, and the queues and buffers at its end. From inside a guest a page that was discarded reads as
zeros, and cannot be told from one into which the device wrote zeros.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from balloon_conformance.iut.page_contents import MARK, Numbered, Pattern
from balloon_conformance.iut.patterned_ram import Differences, PatternedRam
from balloon_conformance.iut.sight import NotVisible
from balloon_conformance.virtio import GuestMemory, Region
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT, PageSet

if TYPE_CHECKING:
    from balloon_conformance.iut.relay.reach import RelayedMachine

__all__ = ["QUEUE_PAGES", "Mirror", "RelayedRam"]

QUEUE_PAGES: Final = 0x100
"""So many pages at the end of the range hold the queues and the buffers."""
_RUN_PAGES: Final = 0x2000
"""So many pages are written or looked at with one operation."""
_ZEROS: Final = 0
"""The relay's pattern of zeros."""
_SLOTS: Final = 32
_PATTERN_BYTES: Final = 256
_FOUND: Final = re.compile(r"([zdf])(?:([0-9a-f]+):)?([0-9a-f]+)\+([0-9a-f]+)")


class Mirror:
    """The place of the queues and buffers: here as bytes, and in the guest.

    What is written here is sent by :meth:`push`, with the indices of the rings last: whoever sees them also
    sees what they stand for. What the device may have written is fetched by :meth:`pull`.
    """

    def __init__(self, machine: RelayedMachine, address: int, length_bytes: int) -> None:
        """Take whole pages from ``address`` on, and fill them with zeros."""
        self._machine = machine
        self.address = address
        self._here = bytearray(length_bytes)
        self._there = bytearray(length_bytes)
        """What the guest's memory holds, as far as it is known."""
        self.memory = GuestMemory([Region(address, self._here)])
        first, count = address >> PAGE_SHIFT, length_bytes >> PAGE_SHIFT
        machine.ask([f"T,{_ZEROS:x},0,00", f"F,{_ZEROS:x},{first:x},{count:x}"])

    def push(self, last: frozenset[int]) -> None:
        """Send what changed; the words of 16 bits at the addresses ``last`` come after all else."""
        here, there = np.frombuffer(self._here, np.uint8), np.frombuffer(self._there, np.uint8)
        changed = here != there
        words = []
        for address in sorted(last):
            at = address - self.address
            if changed[at : at + 2].any():
                words.append((address, bytes(self._here[at : at + 2])))
                changed[at : at + 2] = False
        edges = np.flatnonzero(np.diff(changed, prepend=False, append=False)).tolist()
        spans = [
            (self.address + start, bytes(self._here[start:end]))
            for start, end in zip(edges[0::2], edges[1::2], strict=True)
        ]
        if spans or words:
            self._machine.write([*spans, *words])
            self._machine.flush()
            self._there[:] = self._here

    def pull(self, spans: list[tuple[int, int]]) -> None:
        """Fetch the bytes at each (address, length in bytes)."""
        for (address, length), data in zip(spans, self._machine.read(spans), strict=True):
            at = address - self.address
            self._here[at : at + length] = self._there[at : at + length] = data

    def pull_changed(self, spans: list[tuple[int, int]]) -> None:
        """Fetch those of the bytes that are not as they are here; all of them were sent."""
        stale = [
            span
            for span, check in zip(spans, self._machine.checks(spans), strict=True)
            if zlib.crc32(self.memory.read(*span)) != check
        ]
        if stale:
            self.pull(stale)


class RelayedRam(PatternedRam):
    """The guest pages from ``span``, the range that the kernel leaves alone.

    ``exists`` are all pages of the machine's RAM. ``nameable`` are those that a case may name.
    """

    def __init__(self, machine: RelayedMachine, span: PageSet, exists: PageSet) -> None:
        (run,) = span.runs
        queues = PageSet([(run.end - QUEUE_PAGES, QUEUE_PAGES)])
        super().__init__(span - queues)
        self._machine = machine
        self._slots: dict[bytes, int] = {}
        self._all = self.nameable
        self.exists = exists
        self.reserved_address = (run.end - QUEUE_PAGES) << PAGE_SHIFT
        self.reserved_bytes = QUEUE_PAGES << PAGE_SHIFT
        self.mirror = Mirror(machine, self.reserved_address, self.reserved_bytes)
        self.reserved = self.mirror.memory
        self._fill(self.nameable)

    def begin(self, pages: PageSet) -> None:
        """Let a case name ``pages``; bring them, and what the case before named, back to the pattern."""
        named = self._all & pages
        self.nameable |= named
        self.restore()
        self.nameable = named

    def read(self, address: int, length_bytes: int) -> bytes:
        """Read bytes that are there."""
        (data,) = self._machine.read([(address, length_bytes)])
        return data

    def _store(self, address: int, data: bytes) -> None:
        self._machine.write([(address, data)])
        self._machine.flush()

    def _lay(self, pattern: Pattern, pages: PageSet) -> None:
        slot = self._slot(pattern)
        self._machine.ask([f"F,{slot:x},{first:x},{count:x}" for first, count in _runs(pages)])

    def _look(self, pattern: Pattern, pages: PageSet) -> tuple[PageSet, Differences]:
        slot = self._slot(pattern)
        answers = self._machine.ask([f"E,{slot:x},{first:x},{count:x}" for first, count in _runs(pages)])
        zeros: list[tuple[int, int]] = []
        held: dict[int, bytes] = {}
        others: list[int] = []
        for kind, word, first, count in (found for answer in answers for found in _FOUND.findall(answer)):
            run = int(first, 16), int(count, 16)
            if kind == "z":
                zeros.append(run)
            elif kind == "f":
                data = int(word, 16).to_bytes(4, "little") * (PAGE_BYTES // 4)
                held.update(dict.fromkeys(range(run[0], sum(run)), data))
            else:
                others += range(run[0], sum(run))
        contents = self._machine.read([(page << PAGE_SHIFT, PAGE_BYTES) for page in others])
        held.update(zip(others, contents, strict=True))
        return PageSet(zeros), {page: (pattern.of(page, 1).tobytes(), held[page]) for page in sorted(held)}

    def _slot(self, pattern: Pattern) -> int:
        """Return the number under which the relay knows a pattern; tell it first, if it does not yet."""
        row = pattern.of(0, 1).tobytes()
        mark = int.from_bytes(MARK, "little") if isinstance(pattern, Numbered) else 0
        unit = _unit(row[_PATTERN_BYTES:] if mark else row)
        if unit not in self._slots:
            # A pattern that is not used any more may lose its place.
            if len(self._slots) == _SLOTS - 1:
                self._slots.pop(next(one for one in self._slots if one != _unit_of_numbers()))
            free = set(range(_ZEROS + 1, _SLOTS)) - set(self._slots.values())
            self._slots[unit] = min(free)
            self._machine.ask([f"T,{self._slots[unit]:x},{mark:x},{unit.hex()}"])
        return self._slots[unit]


def _unit_of_numbers() -> bytes:
    return _unit(Numbered().of(0, 1).tobytes()[_PATTERN_BYTES:])


def _unit(row: bytes) -> bytes:
    """Return the bytes of which a page is made up; :class:`NotVisible` if they are too many to be told."""
    for length in (4, 8, 16, 32, 64, 128, _PATTERN_BYTES):
        if row == row[:length] * (len(row) // length):
            return row[:length]
    raise NotVisible(f"the relay keeps at most {_PATTERN_BYTES} bytes of what a page is to hold")


def _runs(pages: PageSet) -> Iterator[tuple[int, int]]:
    """Yield (first page, how many), no more at a time than one operation takes."""
    for run in pages:
        for first in range(run.first, run.end, _RUN_PAGES):
            yield first, min(_RUN_PAGES, run.end - first)
