"""What a hint is: a mistake that explains a buffer, and the bytes that would have been right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from balloon_spec.queues import Queue
from balloon_spec.words import Word

__all__ = ["ID_MASK", "NOTHING_KNOWN", "Context", "Hint", "Mistake"]

ID_MASK: Final = 0xFFFF
"""What of a request's id its answers carry (REQ-08)."""

_SHOWN_BYTES = 16


class Mistake(Word):
    """The classic mistakes, each of which leaves traces in the bytes; a family declares those of its own."""

    __slots__ = ()

    BYTE_ORDER: ClassVar[Mistake]
    """Whole words are big-endian."""
    RESERVED_BITS: ClassVar[Mistake]
    """Reserved bits or words are not zero."""


Mistake.BYTE_ORDER = Mistake.declare("byte-order")
Mistake.RESERVED_BITS = Mistake.declare("reserved-bits")


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
