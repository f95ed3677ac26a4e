"""What the bytes of a response message decide about their sender, and how its chunks sort.

Used by :mod:`balloon_spec.families.chunk_transfer.message_content`, which puts the parts together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from balloon_spec.families.chunk_transfer import chunk, response_header
from balloon_spec.families.chunk_transfer.response_message import MAX_DATA_BYTES
from balloon_spec.judge.content import Draft
from balloon_spec.judge.decision import broken, kept, kept_if
from balloon_spec.pages import EMPTY, PAGE_SHIFT, PageSet
from balloon_spec.wire.layout import swapped

__all__ = [
    "CHUNK_BYTES",
    "HEADER_BYTES",
    "Reading",
    "check_chunks",
    "check_idle_fields",
    "check_length",
    "holds_chunks_alone",
    "sort_chunks",
]

HEADER_BYTES = response_header.LENGTH_BYTES
CHUNK_BYTES = chunk.LENGTH_BYTES

_RESERVED = 0xFFF
_PFN_SPACE = 1 << 52

_NO_GUEST_BYTES = 1 << 40
"""No address and no size of memory that is under test is so large: 1 TiB."""

Words = NDArray[np.uint64]

_SWAPS = {"base and size are": [0, 1], "base is": [0], "size is": [1]}
"""What may be big-endian, with the words of a chunk that it is."""


_OF_NO_CHUNK: NDArray[np.bool_] = np.zeros(0, np.bool_)
_FEW = 16
"""Up to so many chunks are read one by one."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Which words of the chunks are big-endian: ``name`` says it, ``at`` is the first chunk that shows it.

    ``intended`` are the pages that the sender means.
    """

    name: str
    at: int
    words: Words
    intended: PageSet


@dataclass(frozen=True, slots=True)
class Reading:
    """Chunks sorted by what they may do."""

    words: Words
    good: PageSet = EMPTY
    empty: PageSet = EMPTY
    wrapped: PageSet = EMPTY
    partial: PageSet = EMPTY
    swap: Swap | None = None
    """The words that are big-endian, where that explains chunks which make no sense as they are."""
    is_zero: NDArray[np.bool_] = field(default_factory=lambda: _OF_NO_CHUNK)
    """For each chunk, whether it has no pages."""
    is_outside: NDArray[np.bool_] = field(default_factory=lambda: _OF_NO_CHUNK)
    total: int = 0
    """The pages of all chunks that name pages which exist, repeats counted."""
    is_sound: bool = False
    """Known to be without any fault; of many chunks nobody asks in advance."""

    @property
    def repeats(self) -> bool:
        """Whether chunks that all have pages, and pages that exist, name a page twice."""
        return self.total > self.good.pages and not (self.is_zero.any() or self.is_outside.any())


def sort_chunks(body: bytes, memory: PageSet, meant: Sequence[PageSet] = ()) -> Reading:
    """Sort the whole chunks at the start of ``body``; a broken tail is not a chunk.

    ``meant`` are sets of pages, of which the sender is known to mean no others; none if nobody knows.
    """
    whole = len(body) - len(body) % CHUNK_BYTES
    if not whole:
        return Reading(np.zeros((0, 2), np.uint64))
    words = chunk.decode(body[:whole])
    if len(words) <= _FEW and (sound := _sound(words, memory, meant)) is not None:
        return sound
    shift = np.uint64(PAGE_SHIFT)
    first, count = words[:, 0] >> shift, words[:, 1] >> shift
    zero = count == 0
    wraps = first + count > np.uint64(_PFN_SPACE)
    sane = ~zero & ~wraps
    outside = wraps.copy()
    outside[sane] = ~_inside(first[sane], count[sane], memory)
    good = sane & ~outside
    partial = PageSet.from_bounds(first[sane & outside], count[sane & outside]) & memory
    pages = PageSet.from_bounds(first[good], count[good])
    return Reading(
        words,
        pages,
        PageSet.from_pfns(first[zero]) & memory,
        # Who lets the sum wrap, or clips it at 2**64, may touch any page.
        memory if wraps.any() else EMPTY,
        partial,
        _find_swap(words, memory, meant),
        zero,
        outside,
        sum(count[~outside].tolist()),
    )


def _sound(words: Words, memory: PageSet, meant: Sequence[PageSet]) -> Reading | None:
    """Return the reading of a few chunks in which nothing is wrong, None if something is.

    It says the same as the way through numpy, and most messages are small.
    """
    runs = []
    for base, size in words.tolist():
        first, count = base >> PAGE_SHIFT, size >> PAGE_SHIFT
        is_clean = count and not (base | size) & _RESERVED and first + count <= _PFN_SPACE
        if not is_clean or not memory.holds(first, count):
            return None
        runs.append((first, count))
    pages = PageSet(runs)
    if any(meant) and not _is_within(pages, meant):
        return None
    return Reading(words, pages, total=sum(count for _, count in runs), is_sound=True)


def _makes_sense(words: Words, memory: PageSet) -> bool:
    """Tell whether every chunk has pages, all of them inside memory, and no reserved bit set."""
    return bool(_sense(words, memory).all())


def _sense(words: Words, memory: PageSet) -> NDArray[np.bool_]:
    """Tell for each chunk whether it has pages, all of them inside memory, and no reserved bit set."""
    first, count = (words >> np.uint64(PAGE_SHIFT)).T
    clean: NDArray[np.bool_] = ~(words & np.uint64(_RESERVED)).any(axis=1) & (count != 0)
    clean[clean] = _inside(first[clean], count[clean], memory)
    return clean


def _find_swap(words: Words, memory: PageSet, meant: Sequence[PageSet]) -> Swap | None:
    """Find the words that are big-endian, if that explains most chunks which make no sense as they are.

    A chunk that makes sense as it is and none the other way round speaks against it. So does chance: a page
    beyond memory may lie inside it when its address is read the other way round. If nobody knows which pages
    are meant, two words have to agree, or one to be such as round numbers are not.
    """
    nonsense = ~_sense(words, memory)
    is_strange = any(meant) and not nonsense.any() and not _is_within(_pages(words), meant)
    if not nonsense.any() and not is_strange:
        return None
    for name, columns in _SWAPS.items():
        turned = words.copy()
        turned[:, columns] = turned[:, columns].byteswap()
        sense = _sense(turned, memory)
        explained = sense if is_strange else nonsense & sense
        if 2 * explained.sum() <= nonsense.sum() or bool((~nonsense & ~sense).any()):
            continue
        intended = _pages(turned[sense])
        if (any(meant) and _is_within(intended, meant)) or (
            not is_strange and _is_telling(words[explained][:, columns])
        ):
            return Swap(name, int(np.argmax(explained)), turned, intended)
    return None


def _is_telling(words: Words) -> bool:
    """Tell whether words that are read the other way round are no mere round numbers beyond memory.

    There is a row a chunk, of base and size or of one of them.
    """
    if words.shape[1] > 1:
        return True
    large = {word for word in words.ravel().tolist() if word >= _NO_GUEST_BYTES}
    return len(large) > 1 or any(word.to_bytes(8).strip(b"\0")[1:] for word in large)


def _is_within(pages: PageSet, sets: Sequence[PageSet]) -> bool:
    """Tell whether each page is in one of the sets."""
    for one in sets:
        pages -= one
    return not pages


def _pages(words: Words) -> PageSet:
    """Return the pages of chunks that make sense."""
    return PageSet.from_bounds(*(words >> np.uint64(PAGE_SHIFT)).T)


def holds_chunks_alone(data: bytes, memory: PageSet) -> bool:
    """Tell whether the bytes are chunks from the first to the last, all of them sound.

    Bytes that begin with cmd, flag and id of zero are taken to have a header.
    """
    whole = len(data) % CHUNK_BYTES == 0 and any(data[:4])
    return whole and _makes_sense(chunk.decode(data), memory)


def _inside(first: Words, count: Words, memory: PageSet) -> NDArray[np.bool_]:
    """Tell for each chunk whether all its pages exist; a run of memory holds a chunk whole or not at all."""
    starts, ends = (column.view(np.uint64) for column in memory.table)
    at = np.searchsorted(starts, first, side="right")
    # Before the first run there is none: the end of that is 0.
    return first + count <= np.concatenate((np.zeros(1, np.uint64), ends))[at]


def check_length(draft: Draft, header: response_header.ResponseHeader, body: bytes, data: bytes) -> None:
    """HDR-02, HDR-03, HDR-06 and HDR-08: what data_len says against what is there."""
    swapped = int.from_bytes(header.data_len.to_bytes(4, "little"), "big")
    wrong: tuple[str, str] | None = None
    if header.data_len == len(body):
        draft.decisions.append(kept("HDR-02"))
        if swapped != header.data_len:
            draft.decisions.append(kept("HDR-06"))
    elif swapped == len(body):
        wrong = ("HDR-06", "data_len is big-endian")
    elif header.data_len == len(data):
        wrong = ("HDR-02", "data_len counts the response header")
    else:
        wrong = ("HDR-02", "data_len is not the length of the response data")
    if wrong is not None:
        draft.decisions.append(
            broken(*wrong, field="data_len", expected=len(body), seen=header.data_len, data=data)
        )
    if header.data_len == len(body) or swapped != len(body):
        draft.decisions.append(
            kept_if(
                "HDR-03",
                not header.data_len % CHUNK_BYTES,
                "data_len is not a multiple of 16",
                field="data_len",
                expected="a multiple of 16",
                seen=header.data_len,
                data=data,
            )
        )
    draft.decisions.append(
        kept_if(
            "HDR-08",
            len(body) <= MAX_DATA_BYTES,
            "the message carries too much response data",
            field="data_len",
            expected=f"{MAX_DATA_BYTES} at most",
            seen=len(body),
            data=data,
        )
    )


def check_idle_fields(draft: Draft, header: response_header.ResponseHeader, data: bytes) -> None:
    """HDR-04: cmd, flag and id mean nothing on the inflate and deflate queues, and are zero."""
    fields = {"cmd": header.cmd, "flag": header.flag, "id": header.id}
    dirty = next((name for name, value in fields.items() if value), None)
    if dirty is None:
        draft.decisions.append(kept("HDR-04"))
        return
    draft.trials.add("HDR-05")
    draft.decisions.append(
        broken(
            "HDR-04",
            "a header field that has no meaning on this queue is not zero",
            field=dirty,
            expected="0",
            seen=f"{fields[dirty]:#x}",
            data=data,
        )
    )


def check_chunks(draft: Draft, reading: Reading, data: bytes) -> None:
    """CHUNK-03, CHUNK-04, CHUNK-05 and CHUNK-11, for all chunks at once; the first bad one is named."""
    words = reading.words
    if not len(words):
        return
    if reading.is_sound:
        flat = words.ravel().tolist()
        turns = any(swapped(word) != word for word in flat)
        shown = ("CHUNK-05", *(("CHUNK-11",) if turns else ()), "CHUNK-03", "CHUNK-04")
        draft.decisions += [kept(name) for name in shown]
        _note_order(draft, reading)
        return
    if reading.is_zero.any() or reading.is_outside.any():
        draft.trials.add("CHUNK-08")
    if reading.swap is not None:
        _blame_byte_order(draft, reading, reading.swap, data)
        return
    if reading.is_outside.any():
        at = int(np.argmax(reading.is_outside))
        first, count = (int(word) >> PAGE_SHIFT for word in words[at])
        draft.decisions.append(
            broken(
                "CHUNK-05",
                "a chunk names pages outside guest memory",
                field=f"chunk {at}",
                expected="pages that exist",
                seen=f"{first:#x}+{count}",
                data=_chunk_bytes(data, at),
            )
        )
    else:
        draft.decisions.append(kept("CHUNK-05"))
        if not np.array_equal(words, words.byteswap()):
            draft.decisions.append(kept("CHUNK-11"))
    dirty = (words & np.uint64(_RESERVED)) != 0
    if dirty.any():
        draft.trials.add("CHUNK-06")
        at = int(np.argmax(dirty.any(axis=1)))
        which = "base" if dirty[at, 0] else "size"
        value = int(words[at, 0 if dirty[at, 0] else 1])
        draft.decisions.append(
            broken(
                "CHUNK-03",
                f"reserved bits of {which} are not zero",
                field=f"chunk {at} {which}",
                expected="bits 11 to 0 zero",
                seen=f"{value & _RESERVED:#x}",
                data=_chunk_bytes(data, at),
            )
        )
    else:
        draft.decisions.append(kept("CHUNK-03"))
    if reading.is_zero.any():
        draft.trials.add("CHUNK-09")
        at = int(np.argmax(reading.is_zero))
        draft.decisions.append(
            broken(
                "CHUNK-04",
                "a chunk has no pages",
                field=f"chunk {at} size",
                expected="at least one page",
                seen="0",
                data=_chunk_bytes(data, at),
            )
        )
    else:
        draft.decisions.append(kept("CHUNK-04"))
    _note_order(draft, reading)


def _blame_byte_order(draft: Draft, reading: Reading, swap: Swap, data: bytes) -> None:
    which = "size" if swap.name == "size is" else "base"
    column = 1 if which == "size" else 0
    draft.decisions.append(
        broken(
            "CHUNK-11",
            f"{swap.name} big-endian",
            field=f"chunk {swap.at} {which}",
            expected=f"{int(swap.words[swap.at, column]):#x}",
            seen=f"{int(reading.words[swap.at, column]):#x}",
            data=_chunk_bytes(data, swap.at),
        )
    )


def _note_order(draft: Draft, reading: Reading) -> None:
    """Note what the order and cut of the chunks put to the test: CHUNK-10, CHUNK-12 and CHUNK-13."""
    if len(reading.words) < 2:
        return
    first = reading.words[:, 0] >> np.uint64(PAGE_SHIFT)
    ends = first + (reading.words[:, 1] >> np.uint64(PAGE_SHIFT))
    if reading.repeats:
        draft.trials.add("CHUNK-10")
    elif len(first) > 1 and bool((first[1:] <= ends[:-1]).any()):
        draft.trials.add("CHUNK-13")
        draft.decisions.append(kept("CHUNK-12"))


def _chunk_bytes(data: bytes, at: int) -> bytes:
    start = HEADER_BYTES + CHUNK_BYTES * at
    return data[start : start + CHUNK_BYTES]
