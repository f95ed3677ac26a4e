"""Guest memory of which each page holds a pattern, so that what a device did to it can be found.

Every page that a case may name holds a pattern, which begins with the number of the page: no two pages are
alike. A case may write something else there. Where the memory is, and how it is reached, is for a subclass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from balloon_conformance.iut.page_contents import Numbered, Pattern, Repeated, changes
from balloon_spec.events import Overwritten
from balloon_spec.pages import EMPTY, PAGE_SHIFT, PageSet

__all__ = ["Differences", "PatternedRam", "pages_of"]

Differences = dict[int, tuple[bytes, bytes]]
"""Pages that do not hold what they are to hold: by page frame number that, and what each holds."""


def pages_of(address: int, length_bytes: int) -> PageSet:
    """Return the pages that some bytes lie in; none for no bytes."""
    if not length_bytes:
        return EMPTY
    first = address >> PAGE_SHIFT
    return PageSet([(first, ((address + length_bytes - 1) >> PAGE_SHIFT) - first + 1)])


class PatternedRam(ABC):
    """Guest memory; ``nameable`` are the pages that buffers may name, and only they hold the pattern.

    A subclass lays the pattern when it has the memory: ``self._fill(self.nameable)``.
    """

    def __init__(self, nameable: PageSet) -> None:
        self.nameable = nameable
        self._pattern: Pattern = Numbered()
        self._laid = EMPTY
        """The pages to which the suite wrote since then: they cannot be told from overwritten ones."""
        self._written: dict[bytes, tuple[PageSet, Pattern]] = {}
        """What the suite wrote to whole pages, with the pages; all others hold the pattern."""
        self.changes: tuple[Overwritten, ...] = ()
        """The pages that the last look found overwritten, with what their bytes show."""

    @abstractmethod
    def read(self, address: int, length_bytes: int) -> bytes:
        """Read bytes that are there."""

    @abstractmethod
    def _store(self, address: int, data: bytes) -> None:
        """Write bytes that are there."""

    @abstractmethod
    def _lay(self, pattern: Pattern, pages: PageSet) -> None:
        """Have pages hold a pattern."""

    @abstractmethod
    def _look(self, pattern: Pattern, pages: PageSet) -> tuple[PageSet, Differences]:
        """Return which of the pages were discarded, and which hold something else than the pattern."""

    def _gone(self, pages: PageSet) -> PageSet:
        """Return which of the pages were discarded, as far as that shows without comparing them."""
        del pages
        return EMPTY

    def contains(self, address: int, length_bytes: int) -> bool:
        """Tell whether ``length_bytes`` bytes from ``address`` on lie in pages that may be named."""
        return pages_of(address, length_bytes) <= self.nameable

    def lay(self, address: int, data: bytes) -> None:
        """Write bytes of a buffer to pages that may be named; they do not count as overwritten then."""
        self._laid |= pages_of(address, len(data))
        self._store(address, data)

    def write_pages(self, pages: PageSet, data: bytes) -> None:
        """Write ``data`` into each of the nameable pages, over and over; its length divides that of a page.

        The pages hold it, and are brought back to it after each look, until they are written again or
        everything is restored.
        """
        pages &= self.nameable
        kept = {held: (there - pages, pattern) for held, (there, pattern) in self._written.items()}
        before, pattern = kept.get(data, (EMPTY, Repeated(data)))
        kept[data] = before | pages, pattern
        self._written = {held: (there, pattern) for held, (there, pattern) in kept.items() if there}
        self._laid -= pages
        self._fill(pages)

    def examine(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which of ``pages`` were discarded, and which were overwritten; then restore them.

        Only nameable pages are examined. :attr:`changes` tells what became of the overwritten ones.
        """
        pages &= self.nameable
        discarded = self._gone(pages)
        torn: Differences = {}
        for pattern, there in self._held(pages - discarded - self._laid):
            gone, differences = self._look(pattern, there)
            discarded |= gone
            torn.update(differences)
        overwritten = PageSet((page, 1) for page in torn)
        self.changes = tuple(changes(torn))
        self._fill(discarded | overwritten)
        self._laid -= discarded
        return discarded, overwritten

    def restore(self) -> None:
        """Bring every nameable page back to the pattern."""
        self.examine(self.nameable)
        left = PageSet.union((self._laid, *(there for there, _ in self._written.values())))
        self._written = {}
        self._fill(left)
        self._laid, self.changes = EMPTY, ()

    def _fill(self, pages: PageSet) -> None:
        """Write what the pages are to hold."""
        for pattern, there in self._held(pages):
            self._lay(pattern, there)

    def _held(self, pages: PageSet) -> Iterator[tuple[Pattern, PageSet]]:
        """Yield what pages are to hold, with those that hold it."""
        for there, pattern in self._written.values():
            if both := pages & there:
                yield pattern, both
                pages -= both
        if pages:
            yield self._pattern, pages
