"""A guest in this process: the contents of its pages, and the pages that it uses under each name.

Memory is kept page by page, and a page that nobody wrote to is zero, so a guest may be large. Page frame
numbers count 4 KiB pages.
"""

from __future__ import annotations

from balloon_conformance.reference.coalesce import page_numbers
from balloon_spec.pages import EMPTY, PAGE_BYTES, PageSet

__all__ = ["ModelledGuest", "pattern"]

_BLANK = b" " * PAGE_BYTES
_ZERO = bytes(PAGE_BYTES)


def pattern(name: str, page: int) -> bytes:
    """Return the content that the guest writes to page number ``page`` of those it took as ``name``."""
    return f"{name:<4087} {page:08d}".encode()


class ModelledGuest:
    """The memory of a guest, with the pages that its programs use.

    ``taken`` are those pages, by the name under which they were taken; ``bystanders`` are free pages that the
    balloon's driver does not use.
    """

    def __init__(self, bystanders: PageSet = EMPTY) -> None:
        self.bystanders = bystanders
        self.taken: dict[str, PageSet] = {}
        self._pages: dict[int, bytes] = {}

    def read(self, address: int, length_bytes: int) -> bytes:
        """Read memory at a guest-physical address."""
        first, end = address // PAGE_BYTES, -(-(address + length_bytes) // PAGE_BYTES)
        data = b"".join(self._pages.get(pfn, _ZERO) for pfn in range(first, end))
        start = address - first * PAGE_BYTES
        return data[start : start + length_bytes]

    def write(self, address: int, data: bytes) -> None:
        """Write memory at a guest-physical address."""
        while data:
            pfn, start = divmod(address, PAGE_BYTES)
            part, data = data[: PAGE_BYTES - start], data[PAGE_BYTES - start :]
            page = self._pages.get(pfn, _ZERO)
            self._pages[pfn] = page[:start] + part + page[start + len(part) :]
            address += len(part)

    def use(self, pages: PageSet, name: str) -> None:
        """Write to pages, as a program that takes them does, and keep them under ``name``."""
        self._pages.update(dict.fromkeys(page_numbers(pages).tolist(), _BLANK))
        self.taken[name] = self.taken.get(name, EMPTY) | pages

    def overwrite(self, pages: PageSet, data: bytes) -> None:
        """Write ``data`` into pages, over and over; its length divides that of a page."""
        self._pages.update(dict.fromkeys(page_numbers(pages).tolist(), data * (PAGE_BYTES // len(data))))

    def fill(self, name: str) -> None:
        """Write the pattern into the pages taken as ``name``; it differs from page to page."""
        for at, pfn in enumerate(page_numbers(self.taken[name]).tolist()):
            self._pages[pfn] = pattern(name, at)

    def first_altered(self, name: str) -> int | None:
        """Return the first page frame number taken as ``name`` that lost its pattern; None if none did."""
        for at, pfn in enumerate(page_numbers(self.taken[name]).tolist()):
            if self._pages[pfn] != pattern(name, at):
                return int(pfn)
        return None
