"""The classic mistakes in messages of chunks, and in what is sent in place of one."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from balloon_spec.families.base import BALLOON_QUEUES, pfn_array
from balloon_spec.families.base.mistakes import different_pages, wide_pages
from balloon_spec.families.chunk_transfer import chunk, response_header, response_message
from balloon_spec.families.chunk_transfer.chunk_hints import big_endian_hint, chunk_hints, reads_as_big_endian
from balloon_spec.pages import PAGE_SHIFT, PageSet
from balloon_spec.wire.hint import ID_MASK, Context, Hint, Mistake
from balloon_spec.wire.structure import counted

__all__ = [
    "ARRAY_FOR_MESSAGE",
    "DATA_LEN_COUNTS_HEADER",
    "IDLE_HEADER",
    "ID_SWAPPED",
    "MESSAGE_FOR_ARRAY",
    "SHORT_HEADER",
    "chunk_mistakes",
    "header_mistakes",
    "message_mistakes",
    "message_taken_for_array",
]

DATA_LEN_COUNTS_HEADER: Final = Mistake.declare("data-len-counts-header")
"""data_len is the length of the message and not of its response data."""
ARRAY_FOR_MESSAGE: Final = Mistake.declare("array-for-message")
"""A PFN array where CHUNK_TRANSFER asks for a message."""
MESSAGE_FOR_ARRAY: Final = Mistake.declare("message-for-array")
"""A message where only a PFN array is understood."""
SHORT_HEADER: Final = Mistake.declare("short-header")
"""A message whose header is data_len alone."""
IDLE_HEADER: Final = Mistake.declare("idle-header")
"""cmd, flag or id of an inflate or deflate message are not zero."""
ID_SWAPPED: Final = Mistake.declare("id-swapped")
"""The id of an answer has its two bytes exchanged."""

_HEADER_BYTES: Final = response_header.LENGTH_BYTES
_MOST_PAGES: Final = 1 << 20
"""The longest array a hint gives for a message: 4 GiB of pages."""
_MOST_DATA_BYTES: Final = 1 << 24
"""More response data than any message has: a million chunks."""


def message_mistakes(raw: bytes, context: Context) -> Iterator[Hint]:
    """Yield what explains a message that cannot be meant as it stands."""
    instead = _array_for_message(raw, context)
    if instead is not None:
        yield instead
    elif _has_short_header(raw):
        yield Hint(
            SHORT_HEADER,
            0,
            4,
            struct.pack("<BBHI", 0, 0, 0, len(raw) - 4),
            f"the first word is {len(raw) - 4}, and as many bytes follow it",
            "it looks like data_len alone, without cmd, flag and id, which every header has",
        )
    elif len(raw) >= _HEADER_BYTES:
        hint = _swapped_message(raw, context)
        if hint is not None:
            yield hint
            raw = hint.mend(raw)
        yield from _header_hints(raw, context, follow_bytes=len(raw) - _HEADER_BYTES)
        whole = (len(raw) - _HEADER_BYTES) // chunk.LENGTH_BYTES * chunk.LENGTH_BYTES
        yield from _chunk_hints(raw[_HEADER_BYTES : _HEADER_BYTES + whole], _HEADER_BYTES, context)


def _has_short_header(raw: bytes) -> bool:
    """Tell whether the first word is the length of what follows it, in whole chunks with clean words."""
    follow = len(raw) - 4
    if follow <= 0 or follow % chunk.LENGTH_BYTES or int.from_bytes(raw[:4], "little") != follow:
        return False
    return not any((base | size) & chunk.RESERVED_MASK for base, size in _words(raw[4:]))


def header_mistakes(raw: bytes, context: Context) -> Iterator[Hint]:
    """Yield what explains a header alone that cannot be meant as it stands."""
    if len(raw) == _HEADER_BYTES:
        other = int.from_bytes(raw[4:], "big")
        if int.from_bytes(raw[4:], "little") > _MOST_DATA_BYTES and not other % chunk.LENGTH_BYTES:
            yield Hint(
                Mistake.BYTE_ORDER,
                4,
                4,
                struct.pack("<I", other),
                f"data_len is {int.from_bytes(raw[4:], 'little'):#x}, longer than any message",
                f"read as big-endian it is {other}, and words are little-endian whatever the guest is",
            )
        yield from _header_hints(raw, context, follow_bytes=None)


def chunk_mistakes(raw: bytes, context: Context) -> Iterator[Hint]:
    """Yield what explains a chunk alone that cannot be meant as it stands."""
    if len(raw) == chunk.LENGTH_BYTES:
        hint = big_endian_hint(_words(raw), 0, context)
        if hint is not None:
            yield hint
        else:
            yield from _chunk_hints(raw, 0, context)


def _chunk_hints(data: bytes, start: int, context: Context) -> Iterator[Hint]:
    yield from chunk_hints(_words(data), start, context)


def _words(data: bytes) -> list[tuple[int, int]]:
    return [(base, size) for base, size in struct.iter_unpack("<QQ", data)]


def _swapped_message(raw: bytes, context: Context) -> Hint | None:
    """Recognise big-endian words: by data_len, which has only one right value, or by the chunks alone."""
    cmd, flag, identifier, data_len = struct.unpack_from("<BBHI", raw)
    follow = len(raw) - _HEADER_BYTES
    words = _words(raw[_HEADER_BYTES:]) if follow % chunk.LENGTH_BYTES == 0 else []
    other = int.from_bytes(raw[4:8], "big")
    if data_len == follow or other not in {follow, len(raw)}:
        return big_endian_hint(words, _HEADER_BYTES, context)
    id_too = identifier
    if context.queue not in BALLOON_QUEUES:
        id_too = int.from_bytes(raw[2:4], "big")
    right = struct.pack("<BBHI", cmd, flag, id_too, other)
    if reads_as_big_endian(words, context):
        swapped = [int.from_bytes(raw[at : at + 8], "big") for at in range(_HEADER_BYTES, len(raw), 8)]
        right += struct.pack(f"<{len(swapped)}Q", *swapped)
    return Hint(
        Mistake.BYTE_ORDER,
        0,
        len(right),
        right,
        f"data_len is {data_len:#x}, and {follow} bytes follow the header",
        f"read as big-endian it is {other}, and words are little-endian whatever the guest is",
    )


def _header_hints(raw: bytes, context: Context, *, follow_bytes: int | None) -> Iterator[Hint]:
    """Yield what is wrong with a header; ``follow_bytes`` is None where what follows is not known."""
    cmd, flag, identifier, data_len = struct.unpack_from("<BBHI", raw)
    if follow_bytes is not None and data_len == follow_bytes + _HEADER_BYTES:
        yield Hint(
            DATA_LEN_COUNTS_HEADER,
            4,
            4,
            struct.pack("<I", follow_bytes),
            f"data_len is {data_len}, and {follow_bytes} bytes follow the header",
            f"the difference is the {_HEADER_BYTES} bytes of the header, which data_len does not count",
        )
    if context.queue in BALLOON_QUEUES and any(raw[:4]):
        yield Hint(
            IDLE_HEADER,
            0,
            4,
            bytes(4),
            f"cmd {cmd:#x}, flag {flag:#x} and id {identifier:#x} stand in a message on the {context.queue} "
            "queue",
            "they mean nothing there and are zero; it looks like the header of an answer, or memory that "
            "nobody cleared",
        )
    elif context.request_id is not None:
        wanted = context.request_id & ID_MASK
        if identifier != wanted and int.from_bytes(raw[2:4], "big") == wanted:
            yield Hint(
                ID_SWAPPED,
                2,
                2,
                struct.pack("<H", wanted),
                f"id is {identifier:#x}, and the request has id {context.request_id:#x}",
                "its two bytes are those of the request in the other order",
            )


def _array_for_message(raw: bytes, context: Context) -> Hint | None:
    """Recognise a PFN array: different page frame numbers, none of them 0, where a message is expected.

    A message has zeros in its words of 32 bits, more than one unless all its numbers are beyond 4 GiB.
    """
    data_len = int.from_bytes(raw[4:8], "little")
    if not raw or data_len == len(raw) - _HEADER_BYTES:
        return None
    # Whoever uses a queue that carries messages in any case does not send arrays there.
    if context.queue is not None and context.queue.readable == response_message.NAME:
        return None
    # Eight bytes may be the header of an answer that lost its chunks.
    if context.queue is None and len(raw) == _HEADER_BYTES and raw[0] == 0 and raw[1] in {0, 1}:
        return None
    pfns = wide_pages(raw) or different_pages(raw, pfn_array.ENTRY_BYTES, context)
    if not pfns:
        return None
    runs = PageSet((pfn, 1) for pfn in pfns)
    data = b"".join(struct.pack("<QQ", run.first << PAGE_SHIFT, run.count << PAGE_SHIFT) for run in runs)
    return Hint(
        ARRAY_FOR_MESSAGE,
        0,
        len(raw),
        struct.pack("<BBHI", 0, 0, 0, len(data)) + data,
        f"the buffer is no message but {len(pfns)} different page frame numbers, {pfns[0]:#x} first",
        "it looks like a PFN array, which CHUNK_TRANSFER replaces by messages of chunks",
    )


def message_taken_for_array(raw: bytes, _context: Context) -> Iterator[Hint]:
    """Recognise a message of chunks where an array of page frame numbers is expected."""
    pfns = _chunks_of_a_message(raw)
    if pfns:
        yield Hint(
            MESSAGE_FOR_ARRAY,
            0,
            len(raw),
            struct.pack(f"<{len(pfns)}I", *pfns),
            f"the buffer is to its last byte a response message for {counted(len(pfns), 'page')}",
            "it looks as if CHUNK_TRANSFER was taken for negotiated; without it a buffer is an array of "
            "page frame numbers of 32 bits",
        )


def _chunks_of_a_message(raw: bytes) -> Sequence[int]:
    """Return the pages of a well-formed inflate or deflate message, one by one; empty if it is none."""
    data_bytes = len(raw) - _HEADER_BYTES
    if data_bytes <= 0 or data_bytes % chunk.LENGTH_BYTES:
        return ()
    if response_header.parse(raw[:_HEADER_BYTES]).data_len != data_bytes:
        return ()
    chunks = chunk.from_array(chunk.decode(raw[_HEADER_BYTES:]))
    sound = all(
        not one.base_reserved and not one.size_reserved and one.pages and one.end_pfn <= 1 << 32
        for one in chunks
    )
    if not sound or sum(one.pages for one in chunks) > _MOST_PAGES:
        return ()
    return [pfn for one in chunks for pfn in range(one.pfn, one.end_pfn)]
