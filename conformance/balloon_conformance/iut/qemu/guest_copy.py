"""What a migration stream has of the guest's pages.

A page is found by what it holds, not by its address: the pattern of guest memory differs in every page. So
nothing depends on the form of the stream, which changes with the version of QEMU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from balloon_conformance.iut.page_contents import MARK
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT, PageSet

__all__ = ["GuestCopy"]

_ZEROS: Final = bytes(PAGE_BYTES)
_NUMBER_BYTES: Final = 4
_BUFFERED_BYTES: Final = 1 << 16
"""So much QEMU may have had in its buffers of what it sent early."""


@dataclass(frozen=True, slots=True)
class GuestCopy:
    """A finished copy of the guest.

    ``skipped`` are the pages that it does not have with what they held at its end, and ``known`` all those of
    which that can be told. A page of zeros is never sent as such, and two that hold the same cannot be told
    apart, so of these nothing is known. Nor is it of a page that was sent early, perhaps before anybody could
    hint it: that it is there shows nothing.
    """

    skipped: PageSet
    known: PageSet

    @classmethod
    def of(
        cls,
        stream: bytes | bytearray,
        pages: PageSet,
        read: Callable[[int, int], bytes],
        early_bytes: int = 0,
    ) -> Self:
        """Look for the pages in the stream of a migration; ``read`` is given an address and a length.

        It returns what guest memory held when the copy was finished. The first ``early_bytes`` of the stream
        came while hints were still taken.
        """
        contents = dict(_contents(pages, read))
        often = Counter(contents.values())
        places = _marked(stream)
        skipped, known = [], []
        for page, held in contents.items():
            if held == _ZEROS or often[held] > 1:
                continue
            at = _place(stream, places, held)
            if at < 0:
                skipped.append(page)
            elif early_bytes and at < early_bytes + _BUFFERED_BYTES:
                continue
            known.append(page)
        return cls(PageSet((page, 1) for page in skipped), PageSet((page, 1) for page in known))


def _contents(pages: PageSet, read: Callable[[int, int], bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each page with what it holds."""
    for run in pages:
        data = read(run.first << PAGE_SHIFT, run.count << PAGE_SHIFT)
        for n in range(run.count):
            yield run.first + n, data[n << PAGE_SHIFT : (n + 1) << PAGE_SHIFT]


def _marked(stream: bytes | bytearray) -> dict[bytes, list[int]]:
    """Return where pages of the pattern may begin, by the bytes that tell such a page from others."""
    places: dict[bytes, list[int]] = {}
    at = stream.find(MARK)
    while at >= 0:
        places.setdefault(bytes(stream[at : at + len(MARK) + _NUMBER_BYTES]), []).append(at)
        at = stream.find(MARK, at + 1)
    return places


def _place(stream: bytes | bytearray, places: dict[bytes, list[int]], held: bytes) -> int:
    """Return where the stream has a page that holds this, at last; -1 if it has none."""
    if not held.startswith(MARK):
        return stream.rfind(held)
    found = (at for at in places.get(held[: len(MARK) + _NUMBER_BYTES], ()) if stream.startswith(held, at))
    return max(found, default=-1)
