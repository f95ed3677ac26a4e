"""What a buffer that is wrong looks like it was meant to be.

A hint is more than a problem of a field (:mod:`balloon_spec.wire.annotate` has those): it names one of the
classic mistakes, says by what it is recognised, and gives the bytes that would have been right. What can be
meant as it stands gets no hint, so a well-formed buffer has none.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from balloon_spec.pages import PAGE_SHIFT, PageSet
from balloon_spec.queues import Queue
from balloon_spec.wire import (
    chunk,
    configuration,
    host_request,
    pfn_array,
    response_header,
    response_message,
    statistics,
)
from balloon_spec.wire.chunk_hints import big_endian_hint, chunk_hints, reads_as_big_endian
from balloon_spec.wire.hint import ID_MASK, NOTHING_KNOWN, Context, Hint, Mistake
from balloon_spec.wire.layout import Buffer

__all__ = ["hints"]

_HEADER_BYTES: Final = response_header.LENGTH_BYTES
_PFN_LIMIT: Final = 1 << 28
"""Page frame numbers from here on lie beyond 1 TiB, more than the guests that balloon today have."""
_FAR_APART: Final = 1 << 12
"""How many times wider an array must be spread as it stands than the other way round to be swapped."""
_A_ROW: Final = 4
"""How many pages one behind the other are no chance."""
_MOST_PAGES: Final = 1 << 20
"""The longest array a hint gives for a message: 4 GiB of pages."""
_MOST_DATA_BYTES: Final = 1 << 24
"""More response data than any message has: a million chunks."""


def hints(structure: str, data: Buffer, context: Context = NOTHING_KNOWN) -> tuple[Hint, ...]:
    """Return the mistakes that explain ``data``, said to be the structure of that name.

    Each hint takes the ones before it for mended. Raises :class:`KeyError` for a structure that does not
    exist, and nothing for any ``data``.
    """
    return tuple(_FINDERS[structure](bytes(data), context))


def _message(raw: bytes, context: Context) -> Iterator[Hint]:
    instead = _array_for_message(raw, context)
    if instead is not None:
        yield instead
    elif _has_short_header(raw):
        yield Hint(
            Mistake.SHORT_HEADER,
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


def _header(raw: bytes, context: Context) -> Iterator[Hint]:
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


def _chunk(raw: bytes, context: Context) -> Iterator[Hint]:
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
    if context.queue is None or context.queue is Queue.HOST_REQUEST:
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
            Mistake.DATA_LEN_COUNTS_HEADER,
            4,
            4,
            struct.pack("<I", follow_bytes),
            f"data_len is {data_len}, and {follow_bytes} bytes follow the header",
            f"the difference is the {_HEADER_BYTES} bytes of the header, which data_len does not count",
        )
    if context.queue in {Queue.INFLATE, Queue.DEFLATE} and any(raw[:4]):
        yield Hint(
            Mistake.IDLE_HEADER,
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
                Mistake.ID_SWAPPED,
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
    if context.queue is Queue.HOST_REQUEST or not raw or data_len == len(raw) - _HEADER_BYTES:
        return None
    # Eight bytes may be the header of an answer that lost its chunks.
    if context.queue is None and len(raw) == _HEADER_BYTES and raw[0] == 0 and raw[1] in {0, 1}:
        return None
    pfns = _narrow(raw) or _different(raw, pfn_array.ENTRY_BYTES, context)
    if not pfns:
        return None
    runs = PageSet((pfn, 1) for pfn in pfns)
    data = b"".join(struct.pack("<QQ", run.first << PAGE_SHIFT, run.count << PAGE_SHIFT) for run in runs)
    return Hint(
        Mistake.ARRAY_FOR_MESSAGE,
        0,
        len(raw),
        struct.pack("<BBHI", 0, 0, 0, len(data)) + data,
        f"the buffer is no message but {len(pfns)} different page frame numbers, {pfns[0]:#x} first",
        "it looks like a PFN array, which CHUNK_TRANSFER replaces by messages of chunks",
    )


def _different(raw: bytes, entry_bytes: int, context: Context) -> Sequence[int]:
    """Read entries that are page frame numbers of a guest, each named once and none 0; empty if not."""
    if len(raw) % entry_bytes:
        return ()
    pfns = [int.from_bytes(raw[at : at + entry_bytes], "little") for at in range(0, len(raw), entry_bytes)]
    limit = _PFN_LIMIT if context.memory_pages is None else context.memory_pages
    return pfns if all(0 < pfn < limit for pfn in pfns) and len(set(pfns)) == len(pfns) else ()


def _narrow(raw: bytes) -> Sequence[int]:
    """Read entries of 8 bytes whose upper halves are all zero: at least two, so that 0 stands twice."""
    pfns = _different(raw, 8, NOTHING_KNOWN)
    return pfns if len(pfns) > 1 else ()


def _array(raw: bytes, context: Context) -> Iterator[Hint]:
    pfns = _chunks_of_a_message(raw)
    if pfns:
        yield Hint(
            Mistake.MESSAGE_FOR_ARRAY,
            0,
            len(raw),
            struct.pack(f"<{len(pfns)}I", *pfns),
            f"the buffer is to its last byte a response message for {_counted(len(pfns), 'page')}",
            "it looks as if CHUNK_TRANSFER was taken for negotiated; without it a buffer is an array of "
            "page frame numbers of 32 bits",
        )
    elif pfns := _narrow(raw):
        yield Hint(
            Mistake.WIDE_ENTRIES,
            0,
            len(raw),
            struct.pack(f"<{len(pfns)}I", *pfns),
            f"every other entry of {len(raw) // pfn_array.ENTRY_BYTES} is 0",
            f"it looks like {len(pfns)} entries of 8 bytes, as the page frame numbers of a 64-bit guest are, "
            "and on the wire an entry has 4",
        )
    elif len(raw) % pfn_array.ENTRY_BYTES == 0:
        swapped = tuple(_swapped_words(raw, 4, context, "page frame number"))
        yield from swapped or _address_hints(raw, context)


def _address_hints(raw: bytes, context: Context) -> Iterator[Hint]:
    pfns = _byte_addresses(raw, context)
    if pfns:
        yield Hint(
            Mistake.BYTE_ADDRESSES,
            0,
            len(raw),
            struct.pack(f"<{len(pfns)}I", *pfns),
            f"every entry is a multiple of {1 << PAGE_SHIFT:#x}, the first {pfns[0] << PAGE_SHIFT:#x}",
            "they look like guest-physical addresses, and an entry is a page frame number, which is the "
            "address shifted right by 12",
        )


def _byte_addresses(raw: bytes, context: Context) -> Sequence[int]:
    """Return the pages where entries are rather addresses: multiples of a page's length, every one of them.

    They must be so many pages in a row, or one of them beyond the memory in which as addresses all lie.
    """
    if not raw:
        return ()
    entries = pfn_array.decode(raw).tolist()
    if any(entry & chunk.RESERVED_MASK for entry in entries):
        return ()
    pages = [entry >> PAGE_SHIFT for entry in entries]
    distinct = sorted(set(pages))
    in_a_row = len(distinct) >= _A_ROW and distinct[-1] - distinct[0] == len(distinct) - 1
    limit = context.memory_pages
    beyond = limit is not None and max(entries) >= limit > max(pages)
    return pages if distinct[0] and (in_a_row or beyond) else ()


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


def _swapped_words(raw: bytes, word_bytes: int, context: Context, noun: str) -> Iterator[Hint]:
    """Recognise page numbers or counts that make sense only as big-endian."""
    pieces = [raw[at : at + word_bytes] for at in range(0, len(raw), word_bytes)]
    little = [int.from_bytes(piece, "little") for piece in pieces]
    big = [int.from_bytes(piece, "big") for piece in pieces]
    limit = _PFN_LIMIT if context.memory_pages is None else context.memory_pages
    if not raw or max(big) >= limit:
        return
    spread = max(little) - min(little)
    # A run of pages in the wrong order of bytes is spread over all there is.
    if min(little) < limit and (len(raw) == word_bytes or (max(big) - min(big) + 1) * _FAR_APART > spread):
        return
    yield Hint(
        Mistake.BYTE_ORDER,
        0,
        len(raw),
        struct.pack(f"<{len(big)}I", *big),
        f"the first {noun} is {little[0]:#x}"
        + (f", and they are spread over {spread:#x} pages" if spread else ""),
        f"read as big-endian the first is {big[0]:#x}, and words are little-endian except for a big-endian "
        "guest on the legacy interface",
    )


def _request(raw: bytes, _context: Context) -> Iterator[Hint]:
    if len(raw) != host_request.LENGTH_BYTES:
        return
    cmd, *reserved, param = struct.unpack("<HHHHQ", raw)
    if any(reserved):
        yield Hint(
            Mistake.RESERVED_BITS,
            2,
            6,
            bytes(6),
            f"the reserved words are {', '.join(f'{word:#x}' for word in reserved)}",
            "a device leaves them zero; it looks like a buffer that was not cleared, or a wider cmd",
        )
    other = int.from_bytes(raw[8:], "big")
    if cmd == response_header.CMD_GET_UNUSED_PAGES and param > ID_MASK and 0 < other <= ID_MASK:
        yield Hint(
            Mistake.BYTE_ORDER,
            8,
            8,
            struct.pack("<Q", other),
            f"param is {param:#x}, and an id has 16 bits",
            f"read as big-endian it is {other:#x}, and words are little-endian whatever the guest is",
        )


def _statistics(raw: bytes, _context: Context) -> Iterator[Hint]:
    if not raw or len(raw) % statistics.ENTRY_BYTES:
        return
    known = {*statistics.Tag, *statistics.LINUX_TAG_NAMES}
    entries = list(struct.iter_unpack(">HQ", raw))
    tags = [tag for tag, _ in struct.iter_unpack("<HQ", raw)]
    if all(tag in known for tag, _ in entries) and not all(tag in known for tag in tags):
        first = next(index for index, tag in enumerate(tags) if tag not in known)
        yield Hint(
            Mistake.BYTE_ORDER,
            0,
            len(raw),
            b"".join(struct.pack("<HQ", *entry) for entry in entries),
            f"entries[{first}].tag is {tags[first]:#x}, which is no statistic",
            f"read as big-endian it is {entries[first][0]}, as all of them are known that way, and words are "
            "little-endian except for a big-endian guest on the legacy interface",
        )


def _configuration(raw: bytes, context: Context) -> Iterator[Hint]:
    if len(raw) == configuration.LENGTH_BYTES and any(raw):
        yield from _swapped_words(raw, 4, context, "count")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_Finder: TypeAlias = Callable[[bytes, Context], Iterator[Hint]]

_FINDERS: Final[Mapping[str, _Finder]] = MappingProxyType(
    {
        chunk.NAME: _chunk,
        response_header.NAME: _header,
        response_message.NAME: _message,
        host_request.NAME: _request,
        pfn_array.NAME: _array,
        statistics.NAME: _statistics,
        configuration.NAME: _configuration,
    }
)
