"""What a driver has to send for what the guest wants: the pages first, and the messages from them.

The steps of a script say which chunks a buffer holds. Where the guest was steered, the pages alone decide
that, through the specification's canonical encoding: a second way to the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from balloon_conformance.generation.intents import model
from balloon_conformance.verification.second_encoder import structures
from balloon_conformance.verification.second_encoder.structures import Run

__all__ = ["Burst", "bursts", "named"]


@dataclass(slots=True)
class Burst:
    """The buffers in which a driver carries one wish of the guest.

    ``messages`` is the canonical encoding of the pages, ``steps`` the indices of the steps of the script that
    make the buffers available; there may be fewer, where the script ends before. ``exact`` False leaves the
    driver its choice of chunks, so that only the pages count. ``chunks`` tells whether the buffers are
    messages of chunks, or else arrays of page frame numbers.
    """

    messages: Sequence[bytes]
    chunks: bool
    exact: bool = True
    steps: list[int] = field(default_factory=list)


def bursts(intent: model.Intent) -> list[Burst]:
    """Return every burst of an intent that steers a guest and judges its driver, in the order they begin."""
    if "driver" not in intent.sides:
        return []
    chunks = "CHUNK_TRANSFER" in intent.features.accepted
    unused: list[Run] | None = None
    balloon: list[Run] = []
    # By queue: the wish that the next buffers on it carry.
    current: dict[str, Burst] = {}
    found: list[Burst] = []
    for index, step in enumerate(intent.script):
        match step:
            case model.Reset():
                current.clear()
                unused, balloon = None, []
                if step.features is not None:
                    chunks = "CHUNK_TRANSFER" in step.features.accepted
            case model.GuestInflate() | model.GuestDeflate():
                encode = structures.balloon_messages if chunks else structures.page_frame_arrays
                burst = Burst(encode(step.pages), chunks)
                current["inflate" if isinstance(step, model.GuestInflate) else "deflate"] = burst
                found.append(burst)
                balloon = without(balloon, step.pages)
                if isinstance(step, model.GuestInflate):
                    balloon += step.pages
            case model.GuestUnused():
                unused = list(step.pages)
            case model.DeviceReturn(written=model.Request() as request) if unused is not None:
                if request.cmd == 0 and step.length_bytes in {None, 16}:
                    # A page of the balloon is not reported, whether the guest uses it or not.
                    free = without(unused, balloon)
                    burst = Burst(structures.unused_page_messages(free, request.param), chunks=True)
                    current["host-request"] = burst
                    found.append(burst)
            case model.DriverBuffer(content=content, queue=queue) if content is not None and queue in current:
                current[queue].steps.append(index)
                current[queue].exact &= step.match == "exact"
            case _:
                pass
    return found


def without(runs: Sequence[Run], taken: Sequence[Run]) -> list[Run]:
    """Return ``runs`` less the pages of ``taken``."""
    left = list(runs)
    for first, count in taken:
        end = first + count
        left = [
            (low, high - low)
            for start, length in left
            for low, high in ((start, min(start + length, first)), (max(start, end), start + length))
            if low < high
        ]
    return left


def named(data: bytes, *, chunks: bool) -> list[Run]:
    """Return the pages that a well-formed buffer names, as maximal runs.

    Raises :class:`struct.error` for what is no whole number of chunks behind a header, or of entries.
    """
    if not chunks:
        return structures.maximal_runs((number, 1) for (number,) in struct.iter_unpack("<I", data))
    return structures.maximal_runs(
        (base >> 12, size >> 12) for base, size in struct.iter_unpack("<QQ", data[8:])
    )
