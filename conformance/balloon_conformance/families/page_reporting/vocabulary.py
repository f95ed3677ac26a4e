"""The words of the page-reporting family in which intents are written; the standard library only.

A range is written as pages, ``"0x1000+16"``, or as an address and a length in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from balloon_conformance.generation.intents.model import (
    Content,
    DriverBuffer,
    GuestWish,
    Match,
    Runs,
    Segment,
    Step,
)
from balloon_conformance.generation.intents.shorthand import runs
from balloon_conformance.generation.intents.vocabulary import Vocabulary

__all__ = ["PAGE", "REPORTING", "VOCABULARY", "Fills", "fills", "has_free", "relies", "report"]

REPORTING: Final = "reporting"
PAGE: Final = 4096


@dataclass(frozen=True, slots=True)
class Fills(Step):
    """The guest writes ``data`` into each of the pages, over and over; its length divides that of a page."""

    pages: Runs
    data: bytes

    def fill(self, filling: Any, common: Mapping[str, Any]) -> Any:
        """Return the step of a vector; the references keep no contents."""
        return filling.step_of_family("guest", "fills", self, common)

    def encode(self) -> Mapping[tuple[str, ...], bytes]:
        """Return the bytes that are written."""
        return {("guest", "with"): self.data}


def fills(data: bytes, *texts: str) -> Fills:
    """Let the guest write ``data`` into pages, over and over."""
    return Fills(runs(*texts), data)


def report(
    name: str,
    *ranges: str | tuple[int, int],
    readable: tuple[Content, Segment] | None = None,
    match: Match = "exact",
    notify: bool = True,
) -> DriverBuffer:
    """Report ranges, each one device-writable descriptor; in front of them a ``readable`` one, if given."""
    places = [_place(one) for one in ranges]
    written = tuple(Segment(length, True, address) for address, length in places)
    content, first = (None, ()) if readable is None else (readable[0], (readable[1],))
    size = sum(length for _, length in places)
    return DriverBuffer(REPORTING, name, content, size, match, notify=notify, segments=(*first, *written))


def _place(one: str | tuple[int, int]) -> tuple[int, int]:
    if isinstance(one, tuple):
        return one
    ((first, pages),) = runs(one)
    return first * PAGE, pages * PAGE


def has_free(*texts: str) -> GuestWish:
    """Let the guest have pages free, to be reported."""
    return GuestWish("report", runs(*texts))


def relies(*texts: str) -> GuestWish:
    """Let the guest rely on what it left in free pages."""
    return GuestWish("rely", runs(*texts))


VOCABULARY: Final = Vocabulary(
    bits=MappingProxyType({"PAGE_REPORTING": 5}), queues=MappingProxyType({REPORTING: 4})
)
"""Bit and queue number as VIRTIO 1.2 has them."""
