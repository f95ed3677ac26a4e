"""What the bytes of a buffer say: headers, chunks, arrays."""

from __future__ import annotations

import struct

from judge_script import (
    ARRAYS,
    DEFLATE,
    DRIVER_QUIET,
    INFLATE,
    MEMORY,
    OOM,
    A,
    B,
    actual,
    array,
    chunk,
    deflate,
    gone,
    inflate,
    message,
    request,
    start,
    unused,
    used,
    wants,
)

from balloon_spec import events as ev
from balloon_spec.pages import PageSet

ONES = [chunk(0x1000 + 2 * number, 1) for number in range(257)]
UNKNOWN = [event for event in start() if not isinstance(event, ev.Memory)]
HOLED = [*start(), ev.Memory(PageSet.parse("0x0+0x1000", "0x2000+0x1000"))]
SWAPPED = struct.pack(">QQ", 0x1000 << 12, 4 << 12)
BASE_SWAPPED = struct.pack(">Q", 0x1234 << 12) + struct.pack("<Q", 4 << 12)
SIZE_SWAPPED = struct.pack("<Q", 0x1234 << 12) + struct.pack(">Q", 4 << 12)
OTHER_SIZE_SWAPPED = struct.pack("<Q", 0x2000 << 12) + struct.pack(">Q", 5 << 12)
AT_1_TIB = struct.pack("<QQ", 1 << 40, 1 << 12)
"""The other way round, 64 KiB."""
BASE_AT_4_GIB = struct.pack(">Q", 0x1000 << 12) + struct.pack("<Q", 4 << 12)
"""Read as it should be, 4 GiB: a page beyond a small guest, and in a large one like any other."""
OTHER_SWAPPED = struct.pack(">QQ", 0x2000 << 12, 2 << 12)


def sent(data, features=None):
    """A buffer on the inflate queue."""
    return [*(start() if features is None else start(features)), ev.Available(INFLATE, "m", data)]


def acted(*chunks, pages, **fields):
    """A message, its return, and what was discarded."""
    return [*start(), inflate("m", *chunks, **fields), used(INFLATE, "m"), gone(*pages)]


def listed(data, *pages, features=ARRAYS):
    """An array, its return, and what was discarded."""
    return [*sent(data, features), used(INFLATE, "m"), gone(*pages)]


FOUND = {
    # The header.
    "eight bytes": (sent(bytes(8)), ["INF-02"]),
    "chunks without a header": (sent(A + B), ["HDR-01"]),
    "something else without a header": (sent(b"\7" * 32), ["HDR-02", "HDR-03", "HDR-04"]),
    "one byte less than the chunks": (sent(message(A, data_len=15)), ["HDR-02", "HDR-03"]),
    "one byte more than the chunks": (sent(message(A, data_len=17)), ["HDR-02", "HDR-03"]),
    "one chunk more than there is": (sent(message(A, data_len=32)), ["HDR-02"]),
    "one chunk less than there is": (sent(message(A, B, data_len=16)), ["HDR-02"]),
    "no data, it says": (sent(message(A, data_len=0)), ["HDR-02", "INF-02"]),
    "header and chunks": (sent(message(A, data_len=24)), ["HDR-02", "HDR-03"]),
    "the length the other way round": (sent(message(A, data_len=0x10000000)), ["HDR-06"]),
    "the length of half a chunk the other way round": (sent(message(A[:8], data_len=0x08000000)), ["HDR-06"]),
    "as much as a message carries": (sent(message(*[chunk(0x1000, 1)] * 32768)), []),
    "one chunk more than a message carries": (sent(message(*[chunk(0x1000, 1)] * 32769)), ["HDR-08"]),
    "cmd": (sent(message(A, cmd=1)), ["HDR-04"]),
    "flag": (sent(message(A, flag=1)), ["HDR-04"]),
    "id": (sent(message(A, ident=1)), ["HDR-04"]),
    "flag and id of an answer": ([*start(), request(), unused("u", A)], []),
    # Chunks.
    "the last page": (sent(message(chunk(0x3FFF, 1))), []),
    "one page past the last": (sent(message(chunk(0x4000, 1))), ["CHUNK-05"]),
    "the last page and one more": (sent(message(chunk(0x3FFF, 2))), ["CHUNK-05"]),
    "the first page": (sent(message(chunk(0, 1))), []),
    "all pages": (sent(message(chunk(0, 0x4000))), []),
    "the last page frame there can be": (sent(message(chunk((1 << 52) - 1, 1))), ["CHUNK-05"]),
    "one page frame more than there can be": (sent(message(chunk((1 << 52) - 1, 2))), ["CHUNK-05"]),
    "no pages": (sent(message(chunk(0x1000, 0))), ["CHUNK-04"]),
    "no pages, outside": (sent(message(chunk(0x9000, 0))), ["CHUNK-04"]),
    "the lowest reserved bit of base": (sent(message(chunk(0x1000, 1, 1))), ["CHUNK-03"]),
    "the highest reserved bit of base": (sent(message(chunk(0x1000, 1, 0x800))), ["CHUNK-03"]),
    "the highest reserved bit of size": (sent(message(chunk(0x1000, 1, 0, 0x800))), ["CHUNK-03"]),
    "a good chunk, and one with every defect there is": (
        sent(message(A, chunk(0x9000, 0, 1), chunk(0x3FFF, 2))),
        ["CHUNK-05", "CHUNK-03", "CHUNK-04"],
    ),
    "a chunk the other way round": (sent(message(SWAPPED)), ["CHUNK-11"]),
    "chunks the other way round": (sent(message(SWAPPED, SWAPPED)), ["CHUNK-11"]),
    "bases the other way round": (sent(message(BASE_SWAPPED)), ["CHUNK-11"]),
    "a size the other way round, which may be any": (sent(message(SIZE_SWAPPED)), ["CHUNK-05"]),
    "sizes the other way round": (sent(message(SIZE_SWAPPED, OTHER_SIZE_SWAPPED)), ["CHUNK-11"]),
    "a size the other way round, of a guest that gives up that much": (
        [*start(), wants("inflate", "0x1234+4"), inflate("m", SIZE_SWAPPED)],
        ["CHUNK-11"],
    ),
    "a chunk at a tebibyte beside a sound one": (sent(message(A, AT_1_TIB)), ["CHUNK-05"]),
    "a chunk at a tebibyte, which is a round number": (sent(message(AT_1_TIB)), ["CHUNK-05"]),
    "a base at 4 GiB, which may be one beyond memory": (sent(message(BASE_AT_4_GIB)), ["CHUNK-05"]),
    "a base at 4 GiB of a guest that gives up what it is the other way round": (
        [*start(), wants("inflate", "0x1000+4"), inflate("m", BASE_AT_4_GIB)],
        ["CHUNK-11"],
    ),
    "a base at 4 GiB of a guest that gives up something else": (
        [*start(), wants("inflate", "0x2000+4"), inflate("m", BASE_AT_4_GIB)],
        ["CHUNK-05"],
    ),
    "bases the other way round, most of them": (
        sent(message(BASE_SWAPPED, BASE_SWAPPED, chunk(0x9000, 1))),
        ["CHUNK-11"],
    ),
    "bases the other way round, half of them": (sent(message(BASE_SWAPPED, chunk(0x9000, 1))), ["CHUNK-05"]),
    "a hole of memory where the other way round leads": (
        [*start()[:1], ev.Memory(MEMORY - PageSet.parse("0x1234")), *start()[2:], inflate("m", BASE_SWAPPED)],
        ["CHUNK-05"],
    ),
    "bases that lie in a large guest either way": (
        [
            *[*start()[:1], ev.Memory(PageSet([(0, 40 << 18)])), *start()[2:]],
            *[wants("inflate", "0x1000+4"), inflate("m", BASE_AT_4_GIB)],
        ],
        ["CHUNK-11"],
    ),
    "bases the other way round, and counted": (
        [*start(), inflate("m", BASE_SWAPPED), used(INFLATE, "m"), actual(4), DRIVER_QUIET],
        ["CHUNK-11"],
    ),
    "bases the other way round, and back again": (
        [
            *[*start(), inflate("m", chunk(0x1234, 4)), used(INFLATE, "m"), actual(4)],
            *[deflate("d", BASE_SWAPPED), used(DEFLATE, "d"), actual(0), DRIVER_QUIET],
        ],
        ["CHUNK-11"],
    ),
    "one of two the other way round": (sent(message(A, SWAPPED)), ["CHUNK-05"]),
    "a reserved bit the other way round": (
        sent(message(struct.pack(">QQ", 0x1000 << 12 | 1, 4 << 12))),
        ["CHUNK-05"],
    ),
    # What may be done with them.
    "a message with the wrong length may be left undone": (
        [*acted(B, pages=("0x2000+2",)), inflate("n", A, data_len=32), used(INFLATE, "n"), gone()],
        ["HDR-02"],
    ),
    "a message with the wrong length may be done": (acted(A, pages=("0x1000+4",), data_len=32), ["HDR-02"]),
    "half a chunk more, and all is done": (
        [*sent(message(A, B[:8])), used(INFLATE, "m"), gone("0x1000+4")],
        ["HDR-03", "SAFE-06"],
    ),
    "a chunk of no pages beside one that names its page": (
        acted(A, chunk(0x1001, 0), pages=("0x1000+4",)),
        ["CHUNK-04"],
    ),
    "a chunk that leaves memory beside one that names what is in it": (
        acted(chunk(0x3FFF, 1), chunk(0x3FFF, 2), pages=("0x3fff",)),
        ["CHUNK-05"],
    ),
    "a chunk that wraps, and the first page goes": (
        acted(A, chunk((1 << 52) - 1, 2), pages=("0x1000+4", "0x0")),
        ["CHUNK-05", "SAFE-09"],
    ),
    "a chunk that wraps, and nothing else goes": (acted(A, chunk((1 << 52) - 1, 2), pages=("0x1000+4",)), ["CHUNK-05"]),
    # Arrays.
    "a word": (sent(array(0x1000), ARRAYS), []),
    "no word": (sent(b"", ARRAYS), ["PFN-02"]),
    "three bytes": (sent(b"\0\x10\0", ARRAYS), ["PFN-02"]),
    "the last page in an array": (sent(array(0x3FFF), ARRAYS), []),
    "a page past the last in an array": (sent(array(0x3FFF, 0x4000), ARRAYS), ["PFN-04"]),
    "an array the other way round": (sent(struct.pack(">2I", 0x1000, 0x1001), ARRAYS), ["PFN-08"]),
    "an array one half of which is the other way round": (
        sent(array(0x1000) + struct.pack(">I", 0x1001), ARRAYS),
        ["PFN-04"],
    ),
    "an array of a legacy guest the other way round": (sent(struct.pack(">I", 0x1000), OOM), ["PFN-04"]),
    "the odd bytes name no page": (listed(array(0x1000) + b"\0\x20\0", "0x1000"), ["PFN-02"]),
    "the odd bytes are taken for a page": (listed(array(0x1000) + b"\0\x20\0", "0x1000", "0x2000"), ["PFN-02", "PFN-09"]),
    "the odd bytes name a page of the array": (listed(array(0x1000) + b"\0\x10\0", "0x1000"), ["PFN-02"]),
    # One in the form of the other.
    "a message for an array": (sent(message(A), ARRAYS), ["PFN-01"]),
    "a header for an array": (sent(message(), ARRAYS), []),
    "a wrong message for an array": (sent(message(A, data_len=32), ARRAYS), ["PFN-04"]),
    "a word for a message": (sent(array(0x1000)), ["INF-01"]),
    "an array that has a length where a message has it": (sent(array(0x1000, 4, 0x1001)), ["HDR-03", "HDR-04"]),
    "an array beyond memory for a message": (sent(array(0x1000, 0x4000)), ["HDR-02", "HDR-04"]),
    "half a chunk for an array": (sent(message(A[:8]), ARRAYS), ["PFN-04"]),
    "a message of two chunks for an array": (sent(message(A, B), ARRAYS), ["PFN-01"]),
    "a header with an id for an array": (sent(message(ident=0xFFFF), ARRAYS), ["PFN-04"]),
    "a message with a reserved bit for an array": (sent(message(chunk(0x1000, 4, 1)), ARRAYS), ["PFN-01"]),
    "a message of another length for an array": (sent(message(A, data_len=0x01000010), ARRAYS), ["PFN-04"]),
    "a message with more than it says for an array": (sent(message(A, B, data_len=16), ARRAYS), ["PFN-04"]),
    "an array with a small second word for a message": (sent(array(0x1000, 1, 0x1001)), ["INF-01"]),
    # Where nobody said which pages there are, every page frame number may be one.
    "the first page of unknown memory": ([*UNKNOWN, inflate("m", chunk(0, 1))], []),
    "the last page of unknown memory": ([*UNKNOWN, inflate("m", chunk((1 << 52) - 1, 1))], []),
    # Two regions of memory with a hole between them.
    "both sides of a hole": ([*HOLED, inflate("m", chunk(0xFFF, 1), chunk(0x2000, 1))], []),
    "into a hole": ([*HOLED, inflate("m", chunk(0xFFF, 2))], ["CHUNK-05"]),
    "out of a hole": ([*HOLED, inflate("m", chunk(0x1FFF, 2))], ["CHUNK-05"]),
    "a chunk that wraps, and the first page of two regions goes": (
        [*HOLED, inflate("m", chunk((1 << 52) - 1, 2)), used(INFLATE, "m"), gone("0x0")],
        ["CHUNK-05", "SAFE-09"],
    ),
    "a chunk that wraps, and the last page of two regions goes": (
        [*HOLED, inflate("m", chunk((1 << 52) - 1, 2)), used(INFLATE, "m"), gone("0x2fff")],
        ["CHUNK-05", "SAFE-09"],
    ),
    "the page after that of the odd bytes": (
        listed(array(0x1000) + b"\0\x20\0", "0x1000", "0x2001"),
        ["PFN-02", "SAFE-01"],
    ),
}  # fmt: skip

COUNTED = {
    "a message": (
        sent(message(A)),
        {"HDR-01": 1, "HDR-02": 1, "HDR-03": 1, "HDR-04": 1, "HDR-06": 1, "HDR-08": 1, "INF-01": 1, "INF-02": 1}
        | {"CHUNK-03": 1, "CHUNK-04": 1, "CHUNK-05": 1, "CHUNK-11": 1, "CHUNK-12": 0, "PFN-01": 0},
    ),
    "a message without chunks": (
        sent(message()),
        {"HDR-02": 1, "HDR-03": 1, "HDR-06": 0, "CHUNK-03": 0, "CHUNK-04": 0, "CHUNK-05": 0, "CHUNK-11": 0},
    ),
    "a length the other way round": (sent(message(A, data_len=0x10000000)), {"HDR-02": 0, "HDR-03": 0, "HDR-06": 1}),
    "a wrong length": (sent(message(A, data_len=32)), {"HDR-02": 1, "HDR-03": 1, "HDR-06": 0}),
    "an answer": ([*start(), request(), unused("u", A)], {"HDR-01": 1, "HDR-04": 0}),
    "an array": (sent(array(0x1000), ARRAYS), {"PFN-01": 1, "PFN-02": 1, "PFN-04": 1, "PFN-08": 1, "HDR-01": 0}),
    "an array that reads alike either way": (sent(array(0), ARRAYS), {"PFN-04": 1, "PFN-08": 0}),
    "an array of a legacy guest": (sent(array(0x1000), OOM), {"PFN-04": 1, "PFN-08": 0}),
    "chunks in order": (sent(message(A, B)), {"CHUNK-12": 0}),
    "chunks in order with a page between them": (sent(message(chunk(0x1000, 1), chunk(0x1002, 1))), {"CHUNK-12": 0}),
    "chunks that touch": (sent(message(chunk(0x1000, 1), chunk(0x1001, 1))), {"CHUNK-12": 1}),
    "chunks out of order": (sent(message(B, A)), {"CHUNK-12": 1}),
    "chunks that overlap": (sent(message(A, chunk(0x1003, 2))), {"CHUNK-12": 0}),
    # What is put to the test shows when the message returns, or its pages are looked at.
    "a page of data": (
        acted(*ONES[:256], pages=[f"{0x1000 + 2 * number:#x}" for number in range(256)]),
        {"HDR-07": 0, "CHUNK-10": 0, "CHUNK-13": 0},
    ),
    "more than a page of data": ([*start(), inflate("m", *ONES), used(INFLATE, "m")], {"HDR-07": 1}),
    "chunks that overlap are acted on": (
        acted(A, chunk(0x1003, 2), pages=("0x1000+5",)),
        {"CHUNK-10": 1, "CHUNK-13": 0, "INF-07": 1},
    ),
    "chunks that touch are acted on": (
        acted(chunk(0x1000, 1), chunk(0x1001, 1), pages=("0x1000+2",)),
        {"CHUNK-10": 0, "CHUNK-13": 1, "INF-07": 1},
    ),
    "chunks with reserved bits are acted on": (acted(chunk(0x1000, 4, 1), pages=("0x1000+4",)), {"CHUNK-06": 1}),
    "good chunks beside a bad one are acted on": (
        acted(A, chunk(0x9000, 1), pages=("0x1000+4",)),
        {"CHUNK-08": 1, "CHUNK-10": 0},
    ),
    "idle fields are not read": (acted(A, pages=("0x1000+4",), ident=9), {"HDR-05": 1}),
    "what lies beyond the length is left alone": (acted(A, B, pages=("0x1000+4",), data_len=16), {"SAFE-07": 1}),
    "nothing lies beyond the length": (acted(A, B, pages=("0x1000+4", "0x2000+2")), {"SAFE-07": 0}),
    "an array of two is acted on": (listed(array(0x1000, 0x1002), "0x1000", "0x1002"), {"PFN-05": 1, "PFN-06": 0, "PFN-07": 0}),
    "an array of one is acted on": (listed(array(0x1000), "0x1000"), {"PFN-05": 0, "INF-07": 1}),
    "an array with a page past the last is acted on": (
        listed(array(0x1000, 0x4000), "0x1000"),
        {"PFN-06": 1, "PFN-07": 0},
    ),
    "an array with 2^31 - 1 is acted on": (listed(array(0x1000, 0x7FFFFFFF), "0x1000"), {"PFN-06": 1, "PFN-07": 0}),
    "an array with 2^31 is acted on": (listed(array(0x1000, 0x80000000), "0x1000"), {"PFN-06": 1, "PFN-07": 0}),
    "an array with a number that is negative, near enough": (
        listed(array(0x1000, 0xFFFFFFFF), "0x1000"),
        {"PFN-06": 1, "PFN-07": 1},
    ),
    "the last of three chunks is out of order": (sent(message(A, B, chunk(0x1800, 1))), {"CHUNK-12": 1}),
    "three chunks in order": (sent(message(A, chunk(0x1800, 1), B)), {"CHUNK-12": 0}),
    "chunks that touch at an odd page": (sent(message(chunk(0x1003, 1), chunk(0x1004, 1))), {"CHUNK-12": 1}),
    "an array with a page past the last, and 2^31": (
        listed(array(0x1000, 0x5000, 0x80000000), "0x1000"),
        {"PFN-06": 1, "PFN-07": 0},
    ),
}  # fmt: skip

SEEN = {
    "seven bytes": (sent(bytes(7)), ("header", "8 bytes", "7 bytes")),
    "chunks without a header": (
        sent(A + B),
        ("header", "a response header before the chunks", "32 bytes of chunks"),
    ),
    "the length the other way round": (sent(message(A, data_len=0x10000000)), ("data_len", "16", "268435456")),
    "one chunk more than there is": (sent(message(A, data_len=32)), ("data_len", "16", "32")),
    "too much": (sent(message(*[chunk(0x1000, 1)] * 32769)), ("data_len", "524288 at most", "524304")),
    "cmd": (sent(message(A, cmd=9)), ("cmd", "0", "0x9")),
    "flag": (sent(message(A, flag=9)), ("flag", "0", "0x9")),
    "id": (sent(message(A, ident=9)), ("id", "0", "0x9")),
    "the first bad chunk": (
        sent(message(A, chunk(0x9000, 1), chunk(0x9100, 7))),
        ("chunk 1", "pages that exist", "0x9000+1"),
    ),
    "reserved bits of base": (
        sent(message(A, chunk(0x2000, 1, 0x801))),
        ("chunk 1 base", "bits 11 to 0 zero", "0x801"),
    ),
    "reserved bits of size": (
        sent(message(A, chunk(0x2000, 1, 0, 0x802))),
        ("chunk 1 size", "bits 11 to 0 zero", "0x802"),
    ),
    "reserved bits of both": (
        sent(message(chunk(0x2000, 1, 3, 4), A)),
        ("chunk 0 base", "bits 11 to 0 zero", "0x3"),
    ),
    "no pages": (sent(message(A, B, chunk(0x3000, 0))), ("chunk 2 size", "at least one page", "0")),
    "chunks the other way round": (sent(message(SWAPPED)), ("chunk 0 base", "0x1000000", "0x100000000")),
    "odd bytes": (sent(bytes(5), ARRAYS), ("pfn array", "a positive multiple of 4 bytes", "5 bytes")),
    "an array the other way round": (sent(struct.pack(">I", 0x1000), ARRAYS), ("pfn", "0x1000", "0x100000")),
    "a page past the last": (sent(array(0x1000, 0x4000), ARRAYS), ("pfn", "0x0+16384", "0x4000")),
    "an array for a message": (sent(array(0x1000, 0x1001)), ("buffer", "a response message", "2 page frame numbers")),
    "a longer array for a message": (
        sent(array(0x1000, 0x1001, 0x1002)),
        ("buffer", "a response message", "3 page frame numbers"),
    ),
    "a message for an array": (
        sent(message(A), ARRAYS),
        ("buffer", "an array of page frame numbers", "a message of 24 bytes"),
    ),
    "the first of two chunks the other way round": (
        sent(message(SWAPPED, OTHER_SWAPPED)),
        ("chunk 0 base", "0x1000000", "0x100000000"),
    ),
    "the first of two words the other way round": (
        sent(struct.pack(">2I", 0x1000, 0x1001), ARRAYS),
        ("pfn", "0x1000", "0x100000"),
    ),
}  # fmt: skip
