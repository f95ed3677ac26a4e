"""What an array of page frame numbers says, and everything about it that is not as it must be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from balloon_spec.events import Available
from balloon_spec.families.base import pfn_array
from balloon_spec.judge.content import Content, Draft
from balloon_spec.judge.decision import broken, kept, kept_if
from balloon_spec.judge.shape import Place, Shape
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.wire.errors import WireError

__all__ = ["ARRAY", "read_array"]

_LARGEST_SIGNED = np.uint32((1 << 31) - 1)
"""Above it an entry is negative to a device that keeps it in a signed number of 32 bits."""


def read_array(
    data: bytes, memory: PageSet, byteorder: Literal["little", "big"] = "little", *, modern: bool = True
) -> Content:
    """Read an array of 32-bit page frame numbers; ``modern`` devices have it little-endian (PFN-08)."""
    draft = Draft()
    whole = data[: len(data) - len(data) % 4]
    if not data or len(data) % 4:
        draft.decisions.append(
            broken(
                "PFN-02",
                "the buffer is not an array of 32-bit page frame numbers",
                field="pfn array",
                expected="a positive multiple of 4 bytes",
                seen=f"{len(data)} bytes",
                data=data,
            )
        )
        draft.trials.add("PFN-09")
    else:
        draft.decisions.append(kept("PFN-02"))
    try:
        pfns = pfn_array.decode(whole, byteorder)
    except WireError:
        pfns = np.zeros(0, np.uint32)
    tail = int.from_bytes(data[len(whole) :], "little")
    named = PageSet.from_pfns(pfns)
    if len(whole) < len(data):
        draft.forbid("PFN-09", (PageSet([(tail, 1)]) & memory) - named)
    pages, outside = named & memory, named - memory
    swapped = PageSet.from_pfns(pfns.byteswap())
    if outside and modern and swapped <= memory:
        first = outside.runs[0].first
        draft.decisions.append(
            broken(
                "PFN-08",
                "page frame numbers are big-endian",
                field="pfn",
                expected=f"{int(np.uint32(first).byteswap()):#x}",
                seen=f"{first:#x}",
                data=data,
            )
        )
    else:
        if modern and named and swapped != named:
            draft.decisions.append(kept("PFN-08"))
        elif pages and swapped != named:
            draft.trials.add("PFN-10")
        draft.decisions.append(
            kept_if(
                "PFN-04",
                not outside,
                "a page outside guest memory is named",
                field="pfn",
                expected=memory,
                seen=outside,
                data=data,
            )
        )
    if outside:
        draft.trials.add("PFN-06")
        draft.forbid("PFN-07", (_counted_back(pfns, memory) & memory) - named)
    if len(pfns) > 1:
        draft.trials.add("PFN-05")
    # A device may refuse a buffer that is no array of whole entries.
    firm = pages if len(whole) == len(data) else EMPTY
    return Content(
        pages,
        pages,
        firm,
        tuple(draft.forbidden),
        tuple(draft.decisions),
        frozenset(draft.trials),
        len(pfns),
    )


def _counted_back(pfns: NDArray[np.uint32], memory: PageSet) -> PageSet:
    """Return the pages that entries are taken for which are read as negative, from the end of memory."""
    negative = pfns[pfns > _LARGEST_SIGNED]
    end = memory.runs[-1].end if memory else 0
    back = np.uint64(1 << 32) - negative.astype(np.uint64)
    return PageSet.from_pfns((np.uint64(end) - back[back <= end]).astype(np.uint32))


def _read(
    _queue: Queue, event: Available, memory: PageSet, features: Collection[str], _meant: Sequence[PageSet]
) -> Content:
    return read_array(event.readable, memory, modern="VERSION_1" in features)


def _told(data: bytes) -> str:
    return f"{len(data) // pfn_array.ENTRY_BYTES} page frame numbers"


ARRAY = Shape(
    "array",
    pfn_array.NAME,
    "an array of page frame numbers",
    _told,
    names_pages=True,
    read=_read,
    decides=frozenset({"PFN-02", "PFN-04", "PFN-08"}),
    rest_on_memory=frozenset({"PFN-04", "PFN-08"}),
    acted_on="PFN-05",
    start=Place("PFN-03", "pfn"),
    count=Place("PFN-03", "pfn"),
)
"""What inflate and deflate buffers are in the base family."""
