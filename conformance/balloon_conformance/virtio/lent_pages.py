"""What the pages hold that a driver lends the device, and what became of them by the time they go back.

A device-writable descriptor of a report or a hint lends pages: the device may change them, and the guest
leaves them alone, or takes them back. What they hold is read when the buffer comes, and again when it is to
be returned. Of a page that holds one word of 32 bits over and over, the word is kept, and of any other a
digest. A guest that writes what was there looks as if it had left the page alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Final, Protocol

import numpy as np

from balloon_spec.events import Available, Contents, Event, Guest, GuestAction, Segment
from balloon_spec.pages import EMPTY, PAGE_BYTES, PAGE_SHIFT, PageSet
from balloon_spec.segments import inward, writable_ranges

__all__ = ["LentPages", "Reader", "altered", "contents", "fills", "lent"]

_BLOCK_PAGES: Final = 1024
"""So many pages are read at once."""
_DIGEST_BYTES: Final = 16
_WORD_BYTES: Final = 4
_MOST_FILLS: Final = 16
"""So many words with which pages are filled are told apart. The rest counts as filled with no word."""


class Reader(Protocol):
    """Whoever can read guest memory."""

    def read(self, address: int, length_bytes: int) -> bytes:
        """Return the bytes at a guest-physical address."""


class LentPages:
    """The pages of every buffer in flight that lends some, as they were when it came.

    Each method returns the events that tell of them. ``guest`` is the driver's memory, and ``memory`` has the
    whole pages in it.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[int, str], Mapping[int, bytes]] = {}

    def take(self, guest: Reader, memory: PageSet, buffer: Available) -> Iterator[Event]:
        """Look at the pages that a buffer lends as it comes."""
        if pages := lent(buffer.segments, memory):
            held = self._held[buffer.queue, buffer.buffer] = contents(guest, pages)
            for filled, word in fills(held):
                yield Contents(filled, word)

    def look_again(self, guest: Reader, queue: int, buffer: str) -> Iterator[Event]:
        """Look at the pages of a buffer that is about to go back, and at those of none other."""
        before = self._held.pop((queue, buffer), None)
        if before is None:
            return
        pages = PageSet.from_pfns(np.array(list(before)))
        used = altered(before, contents(guest, pages))
        for action, of in ((GuestAction.USE, used), (GuestAction.LEAVE, pages - used)):
            if of:
                yield Guest(action, of)

    def forget(self, queue: int, buffers: Iterable[str]) -> None:
        """Forget buffers that went back, or that the driver took back by itself."""
        for buffer in buffers:
            self._held.pop((queue, buffer), None)


def lent(segments: Iterable[Segment], memory: PageSet) -> PageSet:
    """Return the pages of ``memory`` that lie whole in one of the device-writable segments."""
    return inward(writable_ranges(segments)) & memory


def contents(memory: Reader, pages: PageSet) -> Mapping[int, bytes]:
    """Return what each page holds: 4 bytes if it holds them over and over, or else a digest of all of it."""
    held: dict[int, bytes] = {}
    for run in pages:
        for first in range(run.first, run.end, _BLOCK_PAGES):
            count = min(_BLOCK_PAGES, run.end - first)
            data = memory.read(first << PAGE_SHIFT, count << PAGE_SHIFT)
            words = np.frombuffer(data, dtype="<u4").reshape(count, -1)
            is_filled = (words == words[:, :1]).all(axis=1)
            for at, filled in enumerate(is_filled.tolist()):
                start = at << PAGE_SHIFT
                held[first + at] = (
                    data[start : start + _WORD_BYTES]
                    if filled
                    else blake2b(data[start : start + PAGE_BYTES], digest_size=_DIGEST_BYTES).digest()
                )
    return held


def fills(held: Mapping[int, bytes]) -> Iterator[tuple[PageSet, bytes]]:
    """Yield sets of pages with the word that they hold over and over, empty if they hold anything else."""
    by_word: dict[bytes, list[int]] = {}
    for page, what in held.items():
        told = len(what) == _WORD_BYTES and (what in by_word or len(by_word) < _MOST_FILLS)
        by_word.setdefault(what if told else b"", []).append(page)
    for word, numbers in by_word.items():
        yield PageSet.from_pfns(np.array(numbers)), word


def altered(before: Mapping[int, bytes], after: Mapping[int, bytes]) -> PageSet:
    """Return the pages that do not hold what they held before."""
    differ = [page for page, what in before.items() if after[page] != what]
    return PageSet.from_pfns(np.array(differ)) if differ else EMPTY
