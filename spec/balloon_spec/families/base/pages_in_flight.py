"""The pages that buffers in flight name, by buffer and all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balloon_spec.pages import EMPTY, PageSet

if TYPE_CHECKING:
    from balloon_spec.judge.in_flight import Key

__all__ = ["PagesInFlight"]


class PagesInFlight:
    """Pages by the buffer that names them; their union is kept, so that it costs nothing to ask for it."""

    def __init__(self) -> None:
        self.all = EMPTY
        """The pages of all the buffers."""
        self._by_buffer: dict[Key, PageSet] = {}
        self._shared = EMPTY
        """The pages that more than one buffer names."""

    def __len__(self) -> int:
        """Return how many buffers there are."""
        return len(self._by_buffer)

    def put(self, key: Key, pages: PageSet) -> bool:
        """Add a buffer, and tell whether it took the place of one with its name."""
        is_there = key in self._by_buffer
        self.take(key)
        self._shared |= self.all & pages
        self.all |= pages
        self._by_buffer[key] = pages
        return is_there

    def take(self, key: Key) -> PageSet:
        """Take a buffer out, and return its pages; none if it is not there."""
        pages = self._by_buffer.pop(key, EMPTY)
        if pages.isdisjoint(self._shared):
            self.all -= pages
        else:
            left, self._by_buffer = self._by_buffer, {}
            self.all = self._shared = EMPTY
            for other, named in left.items():
                self.put(other, named)
        return pages
