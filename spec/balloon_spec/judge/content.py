"""What a buffer says: its pages, and everything about it that is not as it must be.

Reading is total: any bytes give a :class:`Content`. Where a buffer is malformed, its decisions say what is
wrong, and it says with which requirement what it names must not be acted on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from balloon_spec.families.base import DEFLATE, INFLATE, pfn_array
from balloon_spec.families.chunk_transfer import response_header
from balloon_spec.families.chunk_transfer.response_message import MAX_DATA_BYTES
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.message_checks import (
    CHUNK_BYTES,
    HEADER_BYTES,
    Draft,
    Reading,
    check_chunks,
    check_idle_fields,
    check_length,
    holds_chunks_alone,
    sort_chunks,
)
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.wire.errors import WireError

__all__ = [
    "Content",
    "looks_like_message",
    "looks_like_pfn_array",
    "read_array",
    "read_content",
    "read_message",
]

LARGEST_PAGE_BYTES = 4096
"""The response data that fits a page, the least anybody makes room for; a longer message tests HDR-07."""
_LARGEST_SIGNED = np.uint32((1 << 31) - 1)
"""Above it an entry is negative to a device that keeps it in a signed number of 32 bits."""


@dataclass(frozen=True, slots=True)
class Content:
    """What one inflate, deflate or unused-page buffer says.

    ``pages``: what the receiver may act on. ``intended``: what the sender means by it, where that can be told
    from a defect. ``firm``: the part of it that a receiver that acts at all has
    no reason to leave out. ``forbidden``: pages a careless receiver would act on, by the requirement that
    says it must not. ``decisions``: what the bytes alone decide about the sender. ``trials``: the
    requirements of the receiver that this buffer puts to the test. ``total`` counts pages with repeats, and
    ``repeated`` tells whether a message without a defect has any.
    """

    pages: PageSet = EMPTY
    intended: PageSet = EMPTY
    firm: PageSet = EMPTY
    forbidden: tuple[tuple[str, PageSet], ...] = ()
    decisions: tuple[Decision, ...] = ()
    trials: frozenset[str] = frozenset()
    header: response_header.ResponseHeader | None = None
    total: int = 0
    repeated: bool = False

    @property
    def is_malformed(self) -> bool:
        """Tell whether the sender broke a requirement that a receiver may rely on."""
        return not all(decision.is_kept for decision in self.decisions)

    @property
    def faults(self) -> frozenset[str]:
        """The requirements that the sender broke by these bytes."""
        return frozenset(decision.requirement for decision in self.decisions if not decision.is_kept)


def read_content(
    queue: Queue | None,
    data: bytes,
    memory: PageSet,
    features: Collection[str],
    meant: Sequence[PageSet] = (),
) -> Content:
    """Read what the device-readable part of a buffer says: the pages it names, and all that is wrong with it.

    ``features`` are the names of those negotiated, ``memory`` the pages that exist, ``meant`` as in
    :func:`read_message`. A buffer on a queue that carries no pages has no content.
    """
    if queue is HOST_REQUEST:
        return read_message(data, memory, "unused", meant)
    if queue not in {INFLATE, DEFLATE}:
        return Content()
    if "CHUNK_TRANSFER" in features:
        return read_message(data, memory, "balloon", meant)
    return read_array(data, memory, modern="VERSION_1" in features)


def looks_like_message(data: bytes) -> bool:
    """Tell whether the bytes have the shape of a message: a header whose data_len fits whole chunks."""
    if len(data) < HEADER_BYTES + CHUNK_BYTES or (len(data) - HEADER_BYTES) % CHUNK_BYTES:
        return False
    return int.from_bytes(data[4:8], "little") == len(data) - HEADER_BYTES


def looks_like_pfn_array(data: bytes, memory: PageSet) -> bool:
    """Tell whether the bytes read as 32-bit page frame numbers that all lie inside guest memory."""
    if not data or len(data) % 4 or int.from_bytes(data[4:8], "little") == len(data) - HEADER_BYTES:
        return False
    # Page 0 is in no balloon; a word of zeros is a header or a high half.
    pfns = np.frombuffer(data, "<u4")
    return bool(pfns.all()) and PageSet.from_pfns(pfns) <= memory


def read_message(
    data: bytes, memory: PageSet, kind: Literal["balloon", "unused"], meant: Sequence[PageSet] = ()
) -> Content:
    """Read a response message of the given kind of pages.

    ``meant`` are sets of pages, of which its sender is known to mean no others; none if nobody knows.
    """
    draft = Draft()
    if len(data) < HEADER_BYTES:
        draft.decisions.append(
            broken(
                "HDR-01",
                "the buffer is shorter than a response header",
                field="header",
                expected=f"{HEADER_BYTES} bytes",
                seen=f"{len(data)} bytes",
                data=data,
            )
        )
        draft.trials.add("SAFE-08")
        return _finish(draft)
    header = response_header.parse(data[:HEADER_BYTES])
    body = data[HEADER_BYTES:]
    if header.data_len != len(body) and holds_chunks_alone(data, memory):
        draft.decisions.append(
            broken(
                "HDR-01",
                "the buffer begins with a chunk",
                field="header",
                expected="a response header before the chunks",
                seen=f"{len(data)} bytes of chunks",
                data=data,
            )
        )
        return _finish(draft)
    draft.decisions.append(kept("HDR-01"))
    check_length(draft, header, body, data)
    if kind == "balloon":
        check_idle_fields(draft, header, data)
    inside, beyond = body[: header.data_len], body[header.data_len :]
    if header.data_len % CHUNK_BYTES:
        # SAFE-06: a device acts on no part of such a message.
        draft.trials.add("SAFE-06")
        draft.forbid("SAFE-06", sort_chunks(body, memory).good)
        return _finish(draft, header)
    if beyond:
        draft.forbid("SAFE-07", sort_chunks(beyond, memory).good)
        draft.trials.add("SAFE-07")
    if LARGEST_PAGE_BYTES < header.data_len <= MAX_DATA_BYTES:
        draft.trials.add("HDR-07")
    reading = sort_chunks(inside, memory, meant)
    check_chunks(draft, reading, data)
    draft.forbid("CHUNK-09", reading.empty - reading.good)
    draft.forbid("SAFE-09", reading.wrapped - reading.good)
    draft.forbid("SAFE-11", reading.partial - reading.good)
    # A device may refuse a message that announces more than it carries, or carries more than it announces,
    # or more than any may carry.
    firm = reading.good if header.data_len == len(body) <= MAX_DATA_BYTES else EMPTY
    return _finish(draft, header, reading, firm)


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
    return replace(_finish(draft), pages=pages, intended=pages, firm=firm, total=len(pfns))


def _counted_back(pfns: NDArray[np.uint32], memory: PageSet) -> PageSet:
    """Return the pages that entries are taken for which are read as negative, from the end of memory."""
    negative = pfns[pfns > _LARGEST_SIGNED]
    end = memory.runs[-1].end if memory else 0
    back = np.uint64(1 << 32) - negative.astype(np.uint64)
    return PageSet.from_pfns((np.uint64(end) - back[back <= end]).astype(np.uint32))


def _finish(
    draft: Draft,
    header: response_header.ResponseHeader | None = None,
    reading: Reading | None = None,
    firm: PageSet = EMPTY,
) -> Content:
    good = reading.good if reading else EMPTY
    return Content(
        good,
        reading.swap.intended if reading and reading.swap else good,
        firm,
        tuple((requirement, harm) for requirement, harm in draft.forbidden if harm),
        tuple(draft.decisions),
        frozenset(draft.trials),
        header,
        reading.total if reading else 0,
        reading is not None and reading.repeats,
    )
