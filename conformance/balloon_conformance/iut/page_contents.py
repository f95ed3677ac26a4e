"""What pages of guest memory are to hold, and what is told of those that hold something else.

A pattern holds what any number of pages are to hold. It is written and compared many pages at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from balloon_spec.events import Overwritten
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT, PageSet

__all__ = ["BLOCK_PAGES", "MARK", "ROW_WORDS", "Numbered", "Pattern", "Repeated", "Words", "changes"]

Words = npt.NDArray[np.uint64]

BLOCK_PAGES: Final = 256
"""So many pages are written or compared at once."""
ROW_WORDS: Final = PAGE_BYTES // 8
"""The words of 64 bits of a page, which is a row of a block."""
_PATTERN: Final = bytes(range(1, 256)) + b"\xa5"
MARK: Final = b"\xbaPFN"
"""The first bytes of a numbered page; the number follows, 32 bits, little-endian."""
_MARK_WORD: Final = np.uint64(int.from_bytes(MARK, "little"))
_FILL_BYTES: Final = 4
_MOST_FILLS: Final = 16
"""So many words with which pages were filled are told apart at one look."""
_MOST_SPANS: Final = 64
"""So many runs of changed bytes are named of one page, the lowest."""
_MOST_TORN: Final = 256
"""The bytes of so many pages are named at one look, of the lowest."""


class Pattern(Protocol):
    """What pages hold."""

    def of(self, first: int, count: int) -> Words:
        """Return the words of up to a block of pages, one row a page; they are right until the next call."""


class Numbered:
    """The pattern that begins with the number of the page: no two pages are alike."""

    def __init__(self) -> None:
        block = bytearray(_PATTERN * (BLOCK_PAGES * PAGE_BYTES // len(_PATTERN)))
        self._words = np.frombuffer(block, dtype="<u8").reshape(BLOCK_PAGES, ROW_WORDS)
        self._numbers = np.arange(BLOCK_PAGES, dtype="<u8")

    def of(self, first: int, count: int) -> Words:
        """Return the words of some pages."""
        words = self._words[:count]
        words[:, 0] = (self._numbers[:count] + np.uint64(first) << np.uint64(32)) | _MARK_WORD
        return words


class Repeated:
    """Pages that all hold ``data``, over and over; its length divides that of a page."""

    def __init__(self, data: bytes) -> None:
        block = data * (BLOCK_PAGES * PAGE_BYTES // len(data))
        self._words = np.frombuffer(block, dtype="<u8").reshape(BLOCK_PAGES, ROW_WORDS)

    def of(self, first: int, count: int) -> Words:
        """Return the words of some pages, wherever they are."""
        del first
        return self._words[:count]


def changes(torn: Mapping[int, tuple[bytes, bytes]]) -> Iterator[Overwritten]:
    """Yield pages that were overwritten, by what they hold now; ``torn`` has each as it was and as it is."""
    fills: dict[bytes, list[int]] = {}
    rest: list[int] = []
    for page, (_, now) in torn.items():
        word = now[:_FILL_BYTES]
        if now == word * (PAGE_BYTES // _FILL_BYTES) and (word in fills or len(fills) < _MOST_FILLS):
            fills.setdefault(word, []).append(page)
        else:
            rest.append(page)
    for word, pages in fills.items():
        yield Overwritten(_each(pages), word)
    if named := rest[:_MOST_TORN]:
        yield Overwritten(
            _each(named), spans=tuple(one for page in named for one in _spans(page, *torn[page]))
        )
    if others := rest[_MOST_TORN:]:
        yield Overwritten(_each(others))


def _each(pages: list[int]) -> PageSet:
    return PageSet((page, 1) for page in pages)


def _spans(page: int, before: bytes, now: bytes) -> Iterator[tuple[int, int]]:
    """Yield (address, length in bytes) of the first runs of bytes of a page that are not as they were."""
    differ = np.frombuffer(before, np.uint8) != np.frombuffer(now, np.uint8)
    edges = np.flatnonzero(np.diff(differ, prepend=False, append=False)).tolist()
    for start, end in zip(edges[0 : 2 * _MOST_SPANS : 2], edges[1 : 2 * _MOST_SPANS : 2], strict=True):
        yield (page << PAGE_SHIFT) + start, end - start
