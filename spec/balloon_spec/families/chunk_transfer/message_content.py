"""What a response message says, and everything about it that is not as it must be.

The message is read on the inflate and deflate queues and on queues of other families alike; on the former
cmd, flag and id mean nothing and are zero.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from balloon_spec.events import Available
from balloon_spec.families.base import BALLOON_QUEUES
from balloon_spec.families.base.array_content import ARRAY, read_array
from balloon_spec.families.chunk_transfer import response_header, response_message
from balloon_spec.families.chunk_transfer.message_checks import (
    CHUNK_BYTES,
    HEADER_BYTES,
    Reading,
    check_chunks,
    check_idle_fields,
    check_length,
    holds_chunks_alone,
    sort_chunks,
)
from balloon_spec.families.chunk_transfer.response_message import MAX_DATA_BYTES
from balloon_spec.judge.content import Content, Draft
from balloon_spec.judge.decision import broken, kept
from balloon_spec.judge.shape import Mistaken, Place, Shape
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

__all__ = [
    "ARRAY_FOR_MESSAGE",
    "MESSAGE",
    "MESSAGE_FOR_ARRAY",
    "MessageContent",
    "header_of",
    "looks_like_message",
    "looks_like_pfn_array",
    "read_message",
]

LARGEST_PAGE_BYTES = 4096
"""The response data that fits a page, the least anybody makes room for; a longer message tests HDR-07."""
_FLAGS = frozenset({response_header.FLAG_CONT, response_header.FLAG_DONE})
_EVERY_PAGE = PageSet([(0, 1 << 52)])


@dataclass(frozen=True, slots=True)
class MessageContent(Content):
    """What a message says; ``header`` is None if there is none."""

    header: response_header.ResponseHeader | None = None


def header_of(content: Content) -> response_header.ResponseHeader | None:
    """Return the header of what was read, None if that is no message or has none."""
    return content.header if isinstance(content, MessageContent) else None


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
    data: bytes, memory: PageSet, meant: Sequence[PageSet] = (), *, is_idle: bool = False
) -> MessageContent:
    """Read a response message; if it ``is_idle``, cmd, flag and id mean nothing on its queue.

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
    if is_idle:
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


def _finish(
    draft: Draft,
    header: response_header.ResponseHeader | None = None,
    reading: Reading | None = None,
    firm: PageSet = EMPTY,
) -> MessageContent:
    good = reading.good if reading else EMPTY
    return MessageContent(
        good,
        reading.swap.intended if reading and reading.swap else good,
        firm,
        tuple((requirement, harm) for requirement, harm in draft.forbidden if harm),
        tuple(draft.decisions),
        frozenset(draft.trials),
        reading.total if reading else 0,
        reading is not None and reading.repeats,
        header,
    )


def _read(
    queue: Queue, event: Available, memory: PageSet, _features: Collection[str], meant: Sequence[PageSet]
) -> Content:
    return read_message(event.readable, memory, meant, is_idle=queue in BALLOON_QUEUES)


def _told(data: bytes) -> str:
    return f"a message of {len(data)} bytes"


def _is_malformed(event: Available, content: Content, queue: Queue) -> bool:
    """Tell whether a message has a part to be written, no chunk, or a flag that its receiver cannot know.

    Where cmd, flag and id mean something, one with DONE may be without chunks.
    """
    header = header_of(content)
    if event.writable_bytes > 0 or header is None:
        return event.writable_bytes > 0
    if queue in BALLOON_QUEUES:
        return not header.data_len
    return header.flag not in _FLAGS or (not header.data_len and header.flag != response_header.FLAG_DONE)


MESSAGE = Shape(
    "message",
    response_message.NAME,
    "a response message",
    _told,
    names_pages=True,
    read=_read,
    decides=frozenset(
        {
            *("HDR-01", "HDR-02", "HDR-03", "HDR-04", "HDR-06", "HDR-08"),
            *("CHUNK-03", "CHUNK-04", "CHUNK-05", "CHUNK-11", "CHUNK-12"),
        }
    ),
    rest_on_memory=frozenset({"CHUNK-05", "CHUNK-11"}),
    is_malformed=_is_malformed,
    acted_on="CHUNK-13",
    start=Place("CHUNK-01", "base"),
    count=Place("CHUNK-02", "size"),
)


def _is_message(data: bytes, memory: PageSet | None) -> bool:
    """Tell whether bytes are a message, and not an array that names pages that exist, header and all."""
    if not looks_like_message(data):
        return False
    return read_array(data, _EVERY_PAGE if memory is None else memory).is_malformed


def _is_array(data: bytes, memory: PageSet | None) -> bool:
    return memory is not None and looks_like_pfn_array(data, memory)


MESSAGE_FOR_ARRAY = Mistaken(
    Shape("message-for-array", "", MESSAGE.noun, MESSAGE.told, is_mistaken=True, lacks="CHUNK_TRANSFER"),
    _is_message,
)
"""A message if arrays were negotiated. Neither it nor the reverse is acted on in either reading."""
ARRAY_FOR_MESSAGE = Mistaken(
    Shape("array-for-message", "", ARRAY.noun, ARRAY.told, is_mistaken=True), _is_array
)
