"""The segments of a buffer: where they point, and how they are said in JSON by traces, vectors and programs.

Each is an object, ``{"address": "0x5000", "length": 24, "writable": true}``: ``address`` is left out if it is
not known, ``writable`` if the segment is device-readable. Segments that are all device-readable and say no
address are written as their lengths alone, ``"cut": [8, 16]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from balloon_spec.events import Segment
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT, PageSet

__all__ = [
    "Range",
    "are_in_order",
    "are_lengths_alone",
    "are_well_laid",
    "from_lengths",
    "from_parts",
    "hold_more",
    "inward",
    "objects",
    "outward",
    "over",
    "plain",
    "read",
    "segments_outside",
    "writable_ranges",
]

Range = tuple[int, int]
"""The first guest-physical address of some bytes, and the one behind the last."""

_ADDRESS: Final = re.compile(r"0x[0-9a-f]{1,16}", re.IGNORECASE)
_LENGTH_LIMIT: Final = 1 << 32
_SHOWN: Final = 60
_WORDS: Final = 'a list of segments, as in [{"address": "0x5000", "length": 24, "writable": true}]'


def segments_outside(segments: Sequence[Segment], memory: PageSet | None) -> tuple[Segment, ...]:
    """Return the segments that point where no memory is; none as long as nobody said which there is."""
    return () if memory is None else tuple(one for one in segments if _is_outside(one, memory))


def _is_outside(segment: Segment, memory: PageSet) -> bool:
    """Tell whether a segment is known to lie, with some byte or all, on a page that does not exist."""
    if segment.address is None or not segment.length_bytes:
        return False
    return not outward([(segment.address, segment.address + segment.length_bytes)]) <= memory


def writable_ranges(segments: Iterable[Segment]) -> tuple[Range, ...]:
    """Return the ranges at which device-writable segments point, as they stand, but for those of no bytes."""
    return tuple(
        (one.address, one.address + one.length_bytes)
        for one in segments
        if one.writable and one.address is not None and one.length_bytes
    )


def inward(ranges: Iterable[Range]) -> PageSet:
    """Return the pages that lie in one of the ranges from their first byte to their last."""
    pages = ((-(-start // PAGE_BYTES), end // PAGE_BYTES) for start, end in ranges)
    return PageSet((first, end - first) for first, end in pages if end > first)


def outward(ranges: Iterable[Range]) -> PageSet:
    """Return the pages of which some byte lies in a range; no range is empty."""
    return PageSet(
        (start >> PAGE_SHIFT, ((end - 1) >> PAGE_SHIFT) - (start >> PAGE_SHIFT) + 1) for start, end in ranges
    )


def over(pages: PageSet) -> tuple[Segment, ...]:
    """Return a device-writable segment for each run of pages."""
    return tuple(Segment(run.count << PAGE_SHIFT, True, run.first << PAGE_SHIFT) for run in pages)


def are_in_order(segments: Sequence[Segment]) -> bool:
    """Tell whether no device-readable segment stands behind a device-writable one (VIRTIO 1.2, 2.7.4.2)."""
    kinds = [one.writable for one in segments]
    return kinds == sorted(kinds)


def hold_more(segments: Sequence[Segment], readable_bytes: int) -> bool:
    """Tell whether device-readable segments hold more than the bytes that are stated of the buffer."""
    return sum(one.length_bytes for one in segments if not one.writable) > readable_bytes


def are_well_laid(segments: Sequence[Segment], readable_bytes: int, memory: PageSet | None) -> bool:
    """Tell whether a device has every reason to take a buffer that is laid so.

    All its bytes lie in ``memory``, the device-readable ones first, and no segment is empty. VIRTIO says
    nothing of a descriptor of no bytes. Nobody is blamed for one, and a device may refuse it.
    """
    return (
        are_in_order(segments)
        and all(one.length_bytes for one in segments)
        and not hold_more(segments, readable_bytes)
        and not segments_outside(segments, memory)
    )


def plain(segments: Sequence[Segment]) -> dict[str, Any]:
    """Return the field that says ``segments``: ``cut`` if their lengths say everything, or ``segments``."""
    if are_lengths_alone(segments):
        return {"cut": [one.length_bytes for one in segments]} if segments else {}
    return {"segments": objects(segments)}


def are_lengths_alone(segments: Sequence[Segment]) -> bool:
    """Tell whether nothing is stated but the lengths of device-readable segments."""
    return not any(one.writable or one.address is not None for one in segments)


def objects(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """Return each segment as an object."""
    return [_object(one) for one in segments]


def _object(segment: Segment) -> dict[str, Any]:
    said: dict[str, Any] = {} if segment.address is None else {"address": hex(segment.address)}
    said["length"] = segment.length_bytes
    if segment.writable:
        said["writable"] = True
    return said


def read(value: object) -> tuple[Segment, ...]:
    """Return the segments that a list of objects states; ValueError or TypeError say what else was found."""
    if not isinstance(value, list):
        raise TypeError(f"expected {_WORDS}, found {type(value).__name__}")
    return tuple(_segment(f"segment {at}", one) for at, one in enumerate(value))


def _segment(place: str, value: object) -> Segment:
    if not isinstance(value, Mapping) or value.keys() - {"address", "length", "writable"}:
        raise ValueError(f"{place}: expected {_WORDS}, found {_shown(value)}")
    length, address, writable = value.get("length"), value.get("address"), value.get("writable", False)
    if type(length) is not int or not 0 <= length < _LENGTH_LIMIT:
        raise ValueError(f"{place}: expected a length as a whole number of 32 bits, found {_shown(length)}")
    if not isinstance(writable, bool):
        raise TypeError(f"{place}: expected true or false for writable, found {_shown(writable)}")
    if address is None:
        return Segment(length, writable)
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise ValueError(
            f"{place}: expected an address as a string, 0x and up to 16 hex digits, found {_shown(address)}"
        )
    return Segment(length, writable, int(address, 16))


def _shown(value: object) -> str:
    return f"{ascii(value)[:_SHOWN]}"


def from_lengths(lengths: Sequence[int]) -> tuple[Segment, ...]:
    """Return device-readable segments of these lengths, whose addresses are not known."""
    return tuple(Segment(length) for length in lengths)


def from_parts(
    cut: Sequence[int], extents: Sequence[tuple[int, int]], readable_bytes: int
) -> tuple[Segment, ...]:
    """Return the segments of a buffer from the two fields that stated them before.

    ``cut`` are the lengths of the device-readable ones, ``extents`` the (address, length) of all. Without
    ``cut`` those are device-readable that begin within the first ``readable_bytes`` bytes. Raises
    :class:`ValueError` if the two fields contradict each other.
    """
    if not extents:
        return from_lengths(cut)
    if cut and [length for _, length in extents[: len(cut)]] != list(cut):
        raise ValueError("the lengths are not those of cut; leave one of the two fields out")
    segments: list[Segment] = []
    begin = 0
    for index, (address, length) in enumerate(extents):
        writable = index >= len(cut) if cut else begin >= readable_bytes
        segments.append(Segment(length, writable, address))
        begin += length
    return tuple(segments)
