"""What a hint is: a mistake that explains a buffer, and the bytes that would have been right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from balloon_spec.queues import Queue

__all__ = ["ID_MASK", "NOTHING_KNOWN", "Context", "Hint", "Mistake"]

ID_MASK: Final = 0xFFFF
"""What of a request's id its answers carry (REQ-08)."""

_SHOWN_BYTES = 16


class Mistake(StrEnum):
    """The classic mistakes, each of which leaves traces in the bytes."""

    BYTE_ORDER = "byte-order"
    """Whole words are big-endian."""
    DATA_LEN_COUNTS_HEADER = "data-len-counts-header"
    """data_len is the length of the message and not of its response data."""
    PAGES_NOT_SHIFTED = "pages-not-shifted"
    """``size`` holds the number of pages where bits 63 to 12 should."""
    SHIFTED_TWICE = "shifted-twice"
    """Bits 63 to 12 of ``base`` hold a guest-physical address where the page frame number should stand."""
    SIZE_IN_BYTES = "size-in-bytes"
    """Bits 63 to 12 of ``size`` hold a number of bytes where pages are meant."""
    ADDRESS_NOT_SHIFTED = "address-not-shifted"
    """``base`` holds the page frame number where bits 63 to 12 should."""
    ARRAY_FOR_MESSAGE = "array-for-message"
    """A PFN array where CHUNK_TRANSFER asks for a message."""
    MESSAGE_FOR_ARRAY = "message-for-array"
    """A message where only a PFN array is understood."""
    WIDE_ENTRIES = "wide-entries"
    """A PFN array with entries of 8 bytes."""
    BYTE_ADDRESSES = "byte-addresses"
    """A PFN array of guest-physical addresses."""
    SHORT_HEADER = "short-header"
    """A message whose header is data_len alone."""
    RESERVED_BITS = "reserved-bits"
    """Reserved bits or words are not zero."""
    SIZE_ZERO = "size-zero"
    """A chunk without pages."""
    WRAP = "wrap"
    """A chunk that ends beyond the 64-bit address space."""
    IDLE_HEADER = "idle-header"
    """cmd, flag or id of an inflate or deflate message are not zero."""
    ID_SWAPPED = "id-swapped"
    """The id of an answer has its two bytes exchanged."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about a buffer beside its bytes; every part may be unknown.

    ``memory_pages`` are the 4 KiB guest pages that exist, from page 0. ``request_id`` is the id of the
    request that a message on the host request queue answers.
    """

    queue: Queue | None = None
    memory_pages: int | None = None
    request_id: int | None = None


NOTHING_KNOWN: Final = Context()


@dataclass(frozen=True, slots=True)
class Hint:
    """One mistake in one buffer.

    The ``length_bytes`` bytes at ``offset`` should be ``right``, which may have another length. ``seen`` says
    what is there, ``why`` why that looks like the mistake.
    """

    mistake: Mistake
    offset: int
    length_bytes: int
    right: bytes
    seen: str
    why: str

    @property
    def sentence(self) -> str:
        """What was seen, why it looks like this mistake, and what the right bytes would be."""
        shown = self.right[:_SHOWN_BYTES].hex(" ")
        if len(self.right) > _SHOWN_BYTES:
            shown += f" ... ({len(self.right)} bytes)"
        return f"{self.seen}: {self.why}; the right bytes at {self.offset:#06x} are {shown}"

    def mend(self, data: bytes) -> bytes:
        """Return ``data`` with the right bytes in place of the wrong ones."""
        return data[: self.offset] + self.right + data[self.offset + self.length_bytes :]
